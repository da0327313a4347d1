"""Metrics of one ranked list with binary relevance: recall@k, reciprocal rank, nDCG@k.

``ranked`` holds item ids, best first, each once; ``relevant`` holds the relevant ids. Every value lies in 0 to 1.
Tests compare the functions with ir_measures.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence, Set

__all__ = ["ndcg_at_k", "recall_at_k", "reciprocal_rank"]


def recall_at_k(ranked: Sequence[Hashable], relevant: Set[Hashable], k: int) -> float:
    """Return the share of the relevant items in the first ``k``. Raises ``ValueError`` if none is relevant."""
    _require(relevant)
    return len(relevant & set(ranked[:k])) / len(relevant)


def reciprocal_rank(ranked: Sequence[Hashable], relevant: Set[Hashable]) -> float:
    """Return 1 / rank of the first relevant item, 0 if it is not listed. Raises ``ValueError`` if none is relevant."""
    _require(relevant)
    return next((1.0 / rank for rank, item in enumerate(ranked, start=1) if item in relevant), 0.0)


def ndcg_at_k(ranked: Sequence[Hashable], relevant: Set[Hashable], k: int) -> float:
    """Return DCG@k divided by the best possible DCG@k, with discount 1 / log2(rank + 1) (Järvelin and Kekäläinen 2002).

    Raises ``ValueError`` if none is relevant, or if an item is ranked twice: its gain would count twice.
    """
    _require(relevant)
    if len(set(ranked)) != len(ranked):
        raise ValueError("an item is ranked twice")
    gain = sum(1.0 / math.log2(rank + 1) for rank, item in enumerate(ranked[:k], start=1) if item in relevant)
    ideal = sum(1.0 / math.log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1))
    return gain / ideal


def _require(relevant: Set[Hashable]) -> None:
    if not relevant:
        raise ValueError("a question without relevant items has no ranking metric")
