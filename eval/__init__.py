"""Evaluation: questions, gold answers, predictions and statistics. It imports nothing of ``rag`` and ``indexes``.

The harness can be taken out and used alone: :func:`eval.run.evaluate` takes a dataset and any callable from questions
to predictions, :mod:`eval.scoring` scores any prediction file as SQuAD's official scripts do, and
:mod:`eval.comparison` says whether two runs differ by more than chance.
"""

from eval.ranking import ndcg_at_k, recall_at_k, reciprocal_rank

__all__ = ["ndcg_at_k", "recall_at_k", "reciprocal_rank"]
