"""Fusion of the dense and the lexical ranking into one. Pure functions over aligned arrays; each cites its source.

All take the scores of one query's candidates, two float arrays (n,) with NaN where a retriever did not return the
candidate, and return one float array (n,); higher is better. Adding a method means one function and one row in
:data:`FUSIONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["FUSIONS", "Fusion", "FusionWeights", "ranks", "reciprocal_rank", "zscore_sum"]

Array = npt.NDArray[np.float64]


def zscore_sum(dense: Array, lexical: Array, dense_weight: float) -> Array:
    """Return ``w · z(dense) + (1 − w) · z(lexical)``.

    z is the standard score over the query's candidates (Lee 1997, "Analyses of multiple evidence combination", for
    fusing normalised scores). A missing score counts as the retriever's lowest one: the true score is at most that.
    Unlike rank fusion, this keeps the margins.
    """
    return dense_weight * _zscore(dense) + (1 - dense_weight) * _zscore(lexical)


def reciprocal_rank(dense: Array, lexical: Array, dense_weight: float, k: int = 60) -> Array:
    """Return ``2w / (k + rank_dense) + 2(1 − w) / (k + rank_lexical)``, where a missing rank adds nothing.

    Reciprocal rank fusion (Cormack, Clarke and Büttcher 2009) at w = 0.5.
    """
    total = np.zeros(len(dense))
    for scores, weight in ((dense, 2 * dense_weight), (lexical, 2 * (1 - dense_weight))):
        rank = ranks(scores)
        total += np.where(rank > 0, weight / (k + rank), 0.0)
    return total


def ranks(scores: Array) -> npt.NDArray[np.int64]:
    """Return ranks from 1 for the best, 0 where the score is NaN; ties keep their order."""
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
    if known.min() == known.max():  # equal scores carry no information
        return np.zeros(len(scores))
    return np.asarray((filled - known.mean()) / known.std(), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class FusionWeights:
    """The settings of a fusion: the weight of the dense ranking, 0 to 1, and the constant of reciprocal rank fusion."""

    dense_weight: float = 0.5
    rrf_k: int = 60


@dataclass(frozen=True, slots=True)
class Fusion:
    """One method. ``zero_if_absent``: a candidate outside a complete BM25 list shares no word and scores 0 there.

    ``standardised``: the fused score is in standard deviations from the mean candidate.
    """

    fuse: Callable[[Array, Array, FusionWeights], Array]
    uses_dense: bool = True
    uses_lexical: bool = True
    zero_if_absent: bool = False
    standardised: bool = False


FUSIONS: dict[str, Fusion] = {
    "zscore": Fusion(
        lambda dense, lexical, w: zscore_sum(dense, lexical, w.dense_weight), zero_if_absent=True, standardised=True
    ),
    "rrf": Fusion(lambda dense, lexical, w: reciprocal_rank(dense, lexical, w.dense_weight, w.rrf_k)),
    "dense": Fusion(lambda dense, _, __: dense, uses_lexical=False),
    "lexical": Fusion(lambda _, lexical, __: lexical, uses_dense=False),
}
"""The methods by the value of ``retrieval.fusion``."""
