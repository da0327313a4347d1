"""Two rankings into one. Small pure functions over aligned arrays; each cites its source.

All take the scores of one query's candidates: two float arrays (n,) with NaN where a retriever did not return the
candidate, and return one array (n,), higher is better.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["FUSIONS", "ranks", "reciprocal_rank", "zscore_sum"]

Array = npt.NDArray[np.float64]


def zscore_sum(dense: Array, lexical: Array, dense_weight: float) -> Array:
    """Return ``w · z(dense) + (1 − w) · z(lexical)``.

    z is the standard score over the query's candidates (Lee 1997, "Analyses of multiple evidence combination", for
    fusing normalised scores). What a retriever did not return gets the least score that it did return: its true
    score is at most that. Rank fusion throws the margins away; this keeps them.
    """
    return dense_weight * _zscore(dense) + (1 - dense_weight) * _zscore(lexical)


def reciprocal_rank(dense: Array, lexical: Array, dense_weight: float, k: int = 60) -> Array:
    """Return ``2w / (k + rank_dense) + 2(1 − w) / (k + rank_lexical)``, a missing rank adding nothing.

    Reciprocal rank fusion (Cormack, Clarke and Büttcher 2009) at w = 0.5.
    """
    total = np.zeros(len(dense))
    for scores, weight in ((dense, 2 * dense_weight), (lexical, 2 * (1 - dense_weight))):
        rank = ranks(scores)
        total += np.where(rank > 0, weight / (k + rank), 0.0)
    return total


def ranks(scores: Array) -> npt.NDArray[np.int64]:
    """Return ranks from 1 for the best, 0 where the score is NaN; equal scores are ranked in the order given."""
    out = np.zeros(len(scores), dtype=np.int64)
    present = np.flatnonzero(~np.isnan(scores))
    order = present[np.argsort(-scores[present], kind="stable")]
    out[order] = np.arange(1, len(order) + 1)
    return out


def _zscore(scores: Array) -> Array:
    known = scores[~np.isnan(scores)]
    if not len(known):
        return np.zeros(len(scores))
    filled = np.where(np.isnan(scores), known.min(), scores)
    if known.min() == known.max():  # equal scores say nothing, and their rounded spread even less
        return np.zeros(len(scores))
    return np.asarray((filled - known.mean()) / known.std(), dtype=np.float64)


FUSIONS = ("zscore", "rrf", "dense", "lexical")
