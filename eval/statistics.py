"""Uncertainty of means, differences and shares: the bootstrap, McNemar's test, Wilson's and Clopper–Pearson's bounds.

Functions take plain arrays, one value for each question, and return small frozen records. Every draw comes from
``numpy.random.default_rng(seed)``. NaN, an infinity or an empty array raises ``ValueError``: a mean over some of the
questions is not the mean that the caller asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Difference",
    "Interval",
    "McNemar",
    "binomial_cdf",
    "bootstrap_mean",
    "bootstrap_means",
    "clopper_pearson_upper",
    "mcnemar",
    "paired_bootstrap",
    "paired_bootstrap_of_shares",
    "percentile",
    "wilson",
]

Float64 = NDArray[np.float64]

_CELLS = 200_000  # draws in memory at a time: 5 MB for any number of questions and samples
_Z95 = 1.959963984540054  # the normal distribution's 97.5 % point


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over ``n`` values with its confidence interval."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Two means over the same ``n`` questions; ``difference`` is b - a, with its 95 % interval and two-sided p."""

    mean_a: float
    mean_b: float
    difference: float
    low: float
    high: float
    p: float
    n: int


@dataclass(frozen=True, slots=True)
class McNemar:
    """Numbers of questions that only ``a`` or only ``b`` has right, and the two-sided p of a split this uneven."""

    only_a: int
    only_b: int
    p: float


def bootstrap_mean(values: ArrayLike, *, samples: int = 2000, seed: int = 0, level: float = 0.95) -> Interval:
    """Return the mean of values, shape (n,), with its percentile bootstrap interval.

    Source: Efron and Tibshirani 1993, chapter 13. ``samples`` resamples are drawn with ``seed``; ``level`` is the
    confidence, between 0 and 1.
    """
    return bootstrap_means({"": values}, samples=samples, seed=seed, level=level)[""]


def bootstrap_means(
    columns: Mapping[str, ArrayLike], *, samples: int = 2000, seed: int = 0, level: float = 0.95
) -> dict[str, Interval]:
    """Return :func:`bootstrap_mean` of several columns of shape (n,) over the same questions, from the same draws."""
    if not 0 < level < 1:
        raise ValueError(f"a confidence level must lie between 0 and 1; {level} does not")
    if not columns:
        return {}
    values = _matrix(columns)
    means = _resampled_means(values, samples, seed)
    tail = (1 - level) / 2
    lows, highs = np.quantile(means, [tail, 1 - tail], axis=0)
    return {
        name: Interval(*_constant_or(values[:, column], lows[column], highs[column]), len(values))
        for column, name in enumerate(columns)
    }


def paired_bootstrap(
    a: Mapping[str, ArrayLike], b: Mapping[str, ArrayLike], *, samples: int = 10_000, seed: int = 0
) -> dict[str, Difference]:
    """Compare columns of two systems on the same questions, drawing whole questions (Efron and Tibshirani 1993).

    ``a`` and ``b`` have the same names, each column of shape (n,). p is the two-sided achieved significance level:
    twice the share of the resampled differences on the rarer side of zero, with one added to both counts, so that it
    is never 0 (Davison and Hinkley 1997, section 4.2).
    """
    if list(a) != list(b):
        raise ValueError(f"the two sides have different columns: {', '.join(a)} and {', '.join(b)}")
    if not a:
        return {}
    values_a, values_b = _matrix(a), _matrix(b)
    if len(values_a) != len(values_b):
        raise ValueError(f"the two sides have {len(values_a)} and {len(values_b)} questions")
    gaps = values_b - values_a
    drawn = _resampled_means(gaps, samples, seed)
    lows, highs = np.quantile(drawn, [0.025, 0.975], axis=0)
    differences = {}
    for column, name in enumerate(a):
        mean, low, high = _constant_or(gaps[:, column], lows[column], highs[column])
        # If all differ by the same amount, resampling shows no spread: the sign test gives p instead.
        p = _two_sided(drawn[:, column]) if low < high else min(1.0, 2.0 * 0.5 ** len(gaps)) if mean else 1.0
        means = float(values_a[:, column].mean()), float(values_b[:, column].mean())
        differences[name] = Difference(*means, mean, low, high, p, len(gaps))
    return differences


def paired_bootstrap_of_shares(
    a: ArrayLike, b: ArrayLike, *, samples: int = 10_000, seed: int = 0
) -> Difference | None:
    """Compare the means of two systems over the answers that each of them gave, drawing whole questions.

    ``a`` and ``b`` have shape (n,), one value for each question, NaN where the system has no such answer. The means are
    ratios of two sums, and so are those of every resample; a resample in which a system has no answer at all is left
    out. ``n`` of the result counts the questions with a value on either side. None if a side has no value.
    """
    sides = [np.asarray(values, dtype=np.float64) for values in (a, b)]
    if sides[0].ndim != 1 or sides[0].shape != sides[1].shape:
        raise ValueError(f"the two sides have the shapes {sides[0].shape} and {sides[1].shape}")
    given = [~np.isnan(side) for side in sides]
    if not all(mask.any() for mask in given):
        return None
    columns = np.stack(
        [np.where(given[0], sides[0], 0.0), given[0], np.where(given[1], sides[1], 0.0), given[1]], axis=1
    )
    sums = _resampled_means(columns, samples, seed)
    sums = sums[(sums[:, 1] > 0) & (sums[:, 3] > 0)]
    mean_a, mean_b = (float(side[mask].mean()) for side, mask in zip(sides, given, strict=True))
    n = int((given[0] | given[1]).sum())
    if not len(sums):
        return None
    drawn = sums[:, 2] / sums[:, 3] - sums[:, 0] / sums[:, 1]
    low, high = (float(bound) for bound in np.quantile(drawn, [0.025, 0.975]))
    mean = mean_b - mean_a
    p = _two_sided(drawn) if low < high else min(1.0, 2.0 * 0.5**n) if mean else 1.0
    return Difference(mean_a, mean_b, mean, low, high, p, n)


def mcnemar(a_correct: ArrayLike, b_correct: ArrayLike) -> McNemar:
    """Test whether two systems are right equally often on the same questions, exactly and two-sided (McNemar 1947).

    Both arrays have shape (n,). If the systems are equally good, each question that only one has right is a fair coin.
    """
    a, b = np.asarray(a_correct, dtype=bool), np.asarray(b_correct, dtype=bool)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"the two sides have the shapes {a.shape} and {b.shape}")
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    total, fewer = only_a + only_b, min(only_a, only_b)
    # Integers neither overflow nor lose digits for thousands of questions.
    ways = term = 1
    for drawn in range(1, fewer + 1):
        term = term * (total - drawn + 1) // drawn
        ways += term
    return McNemar(only_a, only_b, 1.0 if only_a == only_b else min(1.0, ways / (1 << (total - 1))))


def percentile(values: ArrayLike, q: float) -> float:
    """Return the ``q``-th percentile (0 to 100) by linear interpolation. Raises ``ValueError`` without values."""
    return float(np.percentile(_column("", values), q))


def wilson(successes: int, n: int) -> Interval:
    """Return a share with its 95 % score interval (Wilson 1927), which is meaningful also for 0 of n."""
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} of {n} is not a share")
    share, z2 = successes / n, _Z95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 * float(np.sqrt(share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(share, low, high, n)


def binomial_cdf(k: int, n: int, p: float) -> float:
    """Return the probability of at most ``k`` successes in ``n`` trials that succeed with probability ``p``."""
    if not 0 <= k <= n or not 0 <= p <= 1:
        raise ValueError(f"{k} of {n} successes of probability {p} are not possible")
    if k == n or p == 0:
        return 1.0
    if p == 1:
        return 0.0
    odds, top = math.log(p) - math.log1p(-p), math.lgamma(n + 1) + n * math.log1p(-p)
    terms = (top - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * odds for i in range(k + 1))
    return min(1.0, math.fsum(math.exp(term) for term in terms))


def clopper_pearson_upper(successes: int, n: int, level: float) -> float:
    """Return the exact one-sided upper bound of a share at a level such as 0.95 (Clopper and Pearson 1934).

    It is the probability at which no more than ``successes`` of ``n`` have the chance ``1 - level``. Raises
    ``ValueError`` if this is not a share, or the level does not lie between 0 and 1.
    """
    if not 0 <= successes <= n or n == 0 or not 0 < level < 1:
        raise ValueError(f"{successes} of {n} is not a share, or {level} is not a level")
    low, high = successes / n, 1.0
    if successes == n:
        return high
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if binomial_cdf(successes, n, middle) > 1 - level else (low, middle)
    return high


def _matrix(columns: Mapping[str, ArrayLike]) -> Float64:
    """Return the columns side by side, shape (questions, columns)."""
    arrays = [_column(name, values) for name, values in columns.items()]
    lengths = {len(array) for array in arrays}
    if len(lengths) > 1:
        raise ValueError(f"the columns have different lengths: {sorted(lengths)}")
    return np.stack(arrays, axis=1)


def _column(name: str, values: ArrayLike) -> Float64:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name or 'the column'} has no values: its shape is {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name or 'the column'} contains NaN or an infinity")
    return array


def _resampled_means(values: Float64, samples: int, seed: int) -> Float64:
    """Return the means of every resample, shape (samples, columns). All columns share the draws."""
    if samples < 1:
        raise ValueError(f"at least 1 bootstrap sample is needed, not {samples}")
    return np.concatenate([counts @ values for counts in _counts(len(values), samples, seed)]) / len(values)


def _counts(n: int, samples: int, seed: int) -> Iterator[Float64]:
    """Yield how often each of ``n`` questions was drawn, in blocks of shape (some samples, n)."""
    rng = np.random.default_rng(seed)
    step = max(1, _CELLS // n)
    for start in range(0, samples, step):
        rows = min(step, samples - start)
        drawn = rng.integers(0, n, size=(rows, n))
        drawn += (np.arange(rows) * n)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def _constant_or(values: Float64, low: float, high: float) -> tuple[float, float, float]:
    """Return mean, low and high; for a constant column exactly its value, which a sum would miss by rounding."""
    if (values == values[0]).all():
        return float(values[0]), float(values[0]), float(values[0])
    return float(values.mean()), float(low), float(high)


def _two_sided(drawn: Float64) -> float:
    rarer = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return min(1.0, 2 * (rarer + 1) / (len(drawn) + 1))
