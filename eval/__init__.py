"""Evaluation: questions, gold answers, predictions and statistics. It imports nothing of ``rag`` and ``indexes``.

So far it holds the measures of a ranking; the answer metrics and reports come with ``rag eval``.
"""

from eval.ranking import ndcg_at_k, recall_at_k, reciprocal_rank

__all__ = ["ndcg_at_k", "recall_at_k", "reciprocal_rank"]
