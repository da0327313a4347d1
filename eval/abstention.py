"""When to abstain: AUROC, the risk-coverage curve, no-answer rates, and fitting a confidence threshold.

A confidence is any number, a higher one being surer; the module does not know where it comes from. Arrays have shape
(questions,); NaN raises ``ValueError``. Rows are those of a run (``docs/evaluation.md``), with metrics from 0 to 1. An
answer without a confidence is left out of what a threshold or an order of confidences says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eval.datasets import SMALL_TALK
from eval.errors import EvalError
from eval.reliability import is_unrated
from eval.statistics import wilson

__all__ = [
    "Calibration",
    "auroc",
    "calibrate",
    "no_answer_rates",
    "risk_coverage",
    "summarise_abstention",
]

Bool = NDArray[np.bool_]
Float64 = NDArray[np.float64]

_CURVE_POINTS = 101


@dataclass(frozen=True, slots=True)
class Calibration:
    """A threshold fitted on one half of the questions, and its effect on the other half. All shares lie in 0 to 1.

    ``max_false_answer`` is None if the threshold maximises exact matches. ``coverage`` is the share of answerable
    questions that get an answer, None if that half has no answerable question.
    """

    threshold: float
    max_false_answer: float | None
    seed: int
    fitted_on: int
    reported_on: int
    unanswerable: int
    false_answer_rate_before: float
    false_answer_rate: float
    false_answer_low: float
    false_answer_high: float
    coverage_before: float | None
    coverage: float | None
    em_before: float
    em: float
    em_low: float
    em_high: float
    f1_before: float
    f1: float


def auroc(scores: ArrayLike, labels: ArrayLike) -> float | None:
    """Return the probability that a positive scores above a negative; a tie counts half (Mann and Whitney 1947).

    None if there are only positives or only negatives.
    """
    values, positive = _column(scores), np.asarray(labels, dtype=bool)
    _require_same_length(values, positive)
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return None
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    middle_ranks = np.cumsum(sizes) - (sizes - 1) / 2
    above = float(middle_ranks[group][positive].sum()) - positives * (positives + 1) / 2
    return above / (positives * negatives)


def risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> tuple[Float64, Float64]:
    """Return coverage and risk (El-Yaniv and Wiener 2010): the share answered, and the share of those that is wrong.

    Both have one point for every distinct confidence, the highest first: a threshold cannot separate equal ones.
    """
    values, right = _column(confidence), _column(correct)
    _require_same_length(values, right)
    order = np.argsort(-values, kind="stable")
    last = np.flatnonzero(np.append(np.diff(values[order]) != 0, True)) if len(order) else np.empty(0, dtype=np.int64)
    answered = last + 1
    return answered / max(1, len(values)), 1 - np.cumsum(right[order])[last] / answered


def no_answer_rates(abstained: ArrayLike, impossible: ArrayLike) -> dict[str, float | None]:
    """Return precision, recall and F1 of abstaining, and the share of unanswerable questions that got an answer.

    A rate with nothing to divide by is None.
    """
    silent, unanswerable = np.asarray(abstained, dtype=bool), np.asarray(impossible, dtype=bool)
    _require_same_length(silent, unanswerable)
    both = silent & unanswerable
    precision, recall = _share(both, silent), _share(both, unanswerable)
    defined = precision is not None and recall is not None
    return {
        "precision": precision,
        "recall": recall,
        "f1": float(2 * both.sum() / (silent.sum() + unanswerable.sum())) if defined else None,
        "false_answer_rate": _share(~silent & unanswerable, unanswerable),
    }


def summarise_abstention(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return AUROC, no-answer rates and the risk-coverage curve of a run's rows, as JSON."""
    rates = no_answer_rates(_flags(rows, "abstained"), _flags(rows, "impossible"))
    total = len(rows)
    rows = [row for row in rows if not is_unrated(row)]
    confidence, correct = _values(rows, "confidence"), _values(rows, "em")
    given = ~_flags(rows, "abstained")
    coverage, risk = risk_coverage(confidence[given], correct[given]) if given.any() else (np.empty(0), np.empty(0))
    coverage = coverage * (given.sum() / total)  # of all questions, abstentions included
    points = np.unique(np.linspace(0, len(coverage) - 1, min(_CURVE_POINTS, len(coverage))).round().astype(int))
    return {
        # How well the confidence separates right answers from wrong ones, among the answers given.
        "auroc": auroc(confidence[given], correct[given] > 0),
        # How well it separates answerable questions from the others.
        "auroc_answerable": auroc(confidence, ~_flags(rows, "impossible")),
        **rates,
        "risk_coverage": {"coverage": coverage[points].tolist(), "risk": risk[points].tolist()},
    }


def calibrate(rows: Sequence[Mapping[str, Any]], *, max_false_answer: float | None, seed: int) -> Calibration:
    """Fit a confidence threshold on one half of the rows, and measure its effect on the other half.

    The threshold is the lowest one at which at most the share ``max_false_answer`` of the unanswerable questions gets
    an answer. If that is None, it is the one with the most exact matches, where abstaining on an unanswerable question
    is an exact match ("best exact" of SQuAD 2.0's official script, which fits and reports on the same questions).

    ``seed`` draws the halves, separately among answerable and unanswerable questions. A question is answered if its
    confidence (at most 1) is at or above the threshold and the run did not abstain. Small talk and answers without a
    confidence are left out: no threshold withholds them.

    Raises :class:`~eval.errors.EvalError` for a share outside 0 to 1, with fewer than two unanswerable questions, if a
    row has no finite confidence, or if no threshold up to 1 is strict enough.
    """
    if max_false_answer is not None and not 0 <= max_false_answer <= 1:
        raise EvalError(f"{max_false_answer} is not a share of the questions", "give one between 0 and 1, such as 0.05")
    rows = [row for row in rows if row.get("kind") != SMALL_TALK and not is_unrated(row)]
    if not rows:
        raise EvalError("the run has no rows", "evaluate a dataset with unanswerable questions, such as squad_v2")
    impossible = sum(bool(row["impossible"]) for row in rows)
    if impossible < 2:
        message = f"the run has {impossible} unanswerable questions of {len(rows)}; each half needs one"
        raise EvalError(message, "evaluate a dataset that has some, such as squad_v2, or raise --limit")
    fit_rows, report_rows = _halves(rows, seed)
    limit = max_false_answer
    threshold = _best_threshold(fit_rows) if limit is None else _lowest_threshold(fit_rows, limit)
    before, after = _effect(report_rows), _effect(report_rows, threshold)
    unanswerable = sum(bool(row["impossible"]) for row in report_rows)
    rate = wilson(round(after["false_answer_rate"] * unanswerable), unanswerable)
    em = wilson(round(after["em"] * len(report_rows)), len(report_rows))
    return Calibration(
        threshold=threshold,
        max_false_answer=max_false_answer,
        seed=seed,
        fitted_on=len(fit_rows),
        reported_on=len(report_rows),
        unanswerable=unanswerable,
        false_answer_low=rate.low,
        false_answer_high=rate.high,
        em_low=em.low,
        em_high=em.high,
        **after,
        **{f"{name}_before": value for name, value in before.items()},
    )


def _effect(rows: Sequence[Mapping[str, Any]], threshold: float = -np.inf) -> dict[str, Any]:
    """Return four figures of a :class:`Calibration` by name, with answers below the threshold withheld."""
    impossible, abstained = _flags(rows, "impossible"), _flags(rows, "abstained")
    withheld = ~abstained & (_values(rows, "confidence") < threshold)
    answered = ~abstained & ~withheld
    return {
        "false_answer_rate": _share(answered & impossible, impossible),
        "coverage": _share(answered & ~impossible, ~impossible),
        "em": float(np.where(withheld, impossible, _values(rows, "em")).mean()),
        "f1": float(np.where(withheld, impossible, _values(rows, "f1")).mean()),
    }


def _lowest_threshold(rows: Sequence[Mapping[str, Any]], max_false_answer: float) -> float:
    confidence = _values(rows, "confidence")
    impossible, abstained = _flags(rows, "impossible"), _flags(rows, "abstained")
    allowed = int(np.floor(max_false_answer * int(impossible.sum()) + 1e-9))  # 0.29 * 100 is 28.999999999999996
    wrong = np.sort(confidence[impossible & ~abstained])[::-1]
    if len(wrong) <= allowed:
        return min(0.0, float(confidence.min()))
    excluded = float(wrong[allowed])  # the surest false answer that must be withheld, with all equally sure ones
    higher = confidence[confidence > excluded]
    if not len(higher) and excluded >= 1:
        message = f"{len(wrong)} unanswerable questions were answered with full confidence, more than {allowed}"
        raise EvalError(message, "no threshold withholds them: allow a greater share of false answers")
    return float(higher.min()) if len(higher) else float(np.nextafter(excluded, np.inf))


def _best_threshold(rows: Sequence[Mapping[str, Any]]) -> float:
    """Return the threshold with the most exact matches, the lowest of several."""
    confidence, em = _values(rows, "confidence"), _values(rows, "em")
    impossible, abstained = _flags(rows, "impossible"), _flags(rows, "abstained")
    tried = np.unique(confidence[~abstained])
    order = np.argsort(confidence)
    gain = np.where(abstained, 0.0, impossible - em)[order]  # exact matches gained by abstaining instead
    gained = np.concatenate([[0.0], np.cumsum(gain)])
    totals = gained[np.searchsorted(confidence[order], tried, side="left")]
    beyond = float(np.nextafter(tried[-1], np.inf)) if len(tried) else 0.0
    if not len(tried) or (gained[-1] > totals.max() and beyond <= 1):
        return beyond
    return float(tried[int(np.argmax(totals))])


def _halves(rows: Sequence[Mapping[str, Any]], seed: int) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    halves: tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]] = ([], [])
    for impossible in (False, True):
        stratum = sorted((row for row in rows if bool(row["impossible"]) is impossible), key=lambda r: _draw(seed, r))
        halves[0].extend(stratum[: len(stratum) // 2])
        halves[1].extend(stratum[len(stratum) // 2 :])
    return halves


def _draw(seed: int, row: Mapping[str, Any]) -> bytes:
    # The salt differs from that of datasets.sample: otherwise a sample would be split into its first and second half.
    return hashlib.sha256(f"calibrate\0{seed}\0{row['id']}".encode()).digest()


def _values(rows: Sequence[Mapping[str, Any]], key: str) -> Float64:
    values = np.array([row[key] for row in rows], dtype=np.float64)
    if not np.isfinite(values).all():
        row = rows[int(np.flatnonzero(~np.isfinite(values))[0])]
        raise EvalError(f"{key} of the question {row['id']!r} is {row[key]!r}", "evaluate again, with answers")
    return values


def _flags(rows: Sequence[Mapping[str, Any]], key: str) -> Bool:
    return np.array([bool(row[key]) for row in rows], dtype=bool)


def _share(part: Bool, whole: Bool) -> float | None:
    return float(part.sum() / whole.sum()) if whole.any() else None


def _column(values: ArrayLike) -> Float64:
    array = np.asarray(values, dtype=np.float64)
    if np.isnan(array).any():
        raise ValueError("a value is NaN")
    return array


def _require_same_length(one: NDArray[Any], other: NDArray[Any]) -> None:
    if one.ndim != 1 or one.shape != other.shape:
        raise ValueError(f"two arrays of the same length are needed, not of shapes {one.shape} and {other.shape}")
