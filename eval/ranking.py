"""Measures of one ranked list with binary relevance: recall@k, reciprocal rank, nDCG@k.

``ranked`` are item ids, best first, each once; ``relevant`` are the ids that count. Checked against ir_measures in
``tests/evaluation/test_ranking_metrics.py``.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence, Set

__all__ = ["ndcg_at_k", "recall_at_k", "reciprocal_rank"]


def recall_at_k(ranked: Sequence[Hashable], relevant: Set[Hashable], k: int) -> float:
    """Return the share of the relevant items among the first ``k``. Raises ``ValueError`` if none are relevant."""
    _require(relevant)
    return len(relevant & set(ranked[:k])) / len(relevant)


def reciprocal_rank(ranked: Sequence[Hashable], relevant: Set[Hashable]) -> float:
    """Return 1 over the rank of the first relevant item, 0 if there is none in the list."""
    _require(relevant)
    return next((1.0 / rank for rank, item in enumerate(ranked, start=1) if item in relevant), 0.0)


def ndcg_at_k(ranked: Sequence[Hashable], relevant: Set[Hashable], k: int) -> float:
    """Return DCG@k over the best possible DCG@k, discount 1 / log2(rank + 1) (Järvelin and Kekäläinen 2002).

    Raises ``ValueError`` if an item is ranked twice: it would gain twice, and the measure could exceed 1.
    """
    _require(relevant)
    if len(set(ranked)) != len(ranked):
        raise ValueError("an item is ranked twice")
    gained = sum(1.0 / math.log2(rank + 1) for rank, item in enumerate(ranked[:k], start=1) if item in relevant)
    ideal = sum(1.0 / math.log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1))
    return gained / ideal


def _require(relevant: Set[Hashable]) -> None:
    if not relevant:
        raise ValueError("a question without relevant items has no ranking measure")
