"""A confidence threshold with a guarantee: at most a wished share of answers shown is wrong, with a wished certainty.

An answer is shown if its confidence is at or above the threshold. For a fixed threshold, the number of wrong answers
among ``n`` shown ones is binomial, so the upper bound of Clopper and Pearson holds exactly (1934, "The Use of
Confidence or Fiducial Limits Illustrated in the Case of the Binomial"). Choosing a threshold after looking at several
would break it. Fixed sequence testing keeps it (Angelopoulos, Bates, Candès, Jordan and Lei 2021, "Learn then Test"):
the thresholds 1.00, 0.99, …, 0.00 are tested from high to low, each at the full level, and the first one that fails
ends the sequence. The last one that passed is the lowest threshold with a guarantee.

The first threshold is the highest one that shows enough answers: as many as prove the share if none is wrong, and a
fifth of all, because a sequence that starts with few answers often ends at once. Its choice looks at confidences, never
at verdicts.

The guarantee assumes that the questions to come are exchangeable with those of the run, and that a higher threshold
does not show a greater share of wrong answers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eval.errors import EvalError
from eval.reliability import is_unrated
from eval.statistics import binomial_cdf, clopper_pearson_upper

__all__ = ["Guarantee", "answers_needed", "control_wrong", "guarantee", "shown_wrong"]

_STEPS = 100  # thresholds are multiples of 0.01
_START_SHARE = 0.2
_MOST_ANSWERS = 1_000_000

Bool = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Guarantee:
    """A threshold above which at most ``max_wrong`` of the answers are wrong, with the certainty ``sure``.

    ``answers`` of the ``questions`` got an answer in the run, and ``wrong_before`` of these were wrong. At the
    threshold ``shown`` answers remain, ``wrong`` of them wrong; ``upper`` is Clopper and Pearson's bound of that share,
    ``upper_before`` that without a threshold. All shares lie in 0 to 1.
    """

    threshold: float
    max_wrong: float
    sure: float
    questions: int
    answers: int
    wrong_before: int
    shown: int
    wrong: int
    upper: float
    upper_before: float


def shown_wrong(row: Mapping[str, Any]) -> bool | None:
    """Return whether the answer that a run's row shows is wrong; None for an abstention or a question without a judge.

    By its verdict if the question has one (partly right is not wrong), else if it is no exact match.
    """
    if row["abstained"] or row.get("em") is None:
        return None
    verdict = row.get("verdict")
    return bool(row["em"] == 0.0) if verdict is None else verdict == "wrong"


def answers_needed(max_wrong: float, sure: float) -> int:
    """Return how many answers prove a share if none of them is wrong: ``(1 - max_wrong) ** n <= 1 - sure``."""
    estimate = math.ceil(math.log(1 - sure) / math.log(1 - max_wrong))
    return estimate if binomial_cdf(0, estimate, max_wrong) <= 1 - sure else estimate + 1


def control_wrong(confidence: ArrayLike, wrong: ArrayLike, *, max_wrong: float, sure: float) -> float | None:
    """Return the lowest threshold with the guarantee, None if there is none.

    ``confidence`` (0 to 1) and ``wrong`` have shape (answers,): the answers that were shown without a threshold.
    Raises ``ValueError`` for shapes that differ.
    """
    values, errors = np.asarray(confidence, dtype=np.float64), np.asarray(wrong, dtype=bool)
    if values.ndim != 1 or values.shape != errors.shape:
        raise ValueError(f"two arrays of the same length are needed, not of shapes {values.shape} and {errors.shape}")
    start = max(answers_needed(max_wrong, sure), math.ceil(_START_SHARE * len(values)))
    found = None
    for step in range(_STEPS, -1, -1):
        threshold = step / _STEPS
        above = values >= threshold
        shown = int(above.sum())
        if shown < start:
            continue
        if binomial_cdf(int((above & errors).sum()), shown, max_wrong) > 1 - sure:
            break
        found = threshold
    return found


def guarantee(rows: Sequence[Mapping[str, Any]], *, max_wrong: float, sure: float) -> Guarantee:
    """Return the lowest threshold with a guarantee for the rows of a run; answers without a confidence are left out.

    Raises :class:`~eval.errors.EvalError` for shares that are not between 0 and 1, and if these questions do not allow
    the promise: the message says how many are needed, and what they do allow.
    """
    for name, share in (("wrong answers", max_wrong), ("certainty", sure)):
        if not 0 < share < 1:
            raise EvalError(f"{share:.0%} is no share of {name} that can be promised", "give one between 0 % and 100 %")
    judged = [row for row in rows if row.get("em") is not None and not is_unrated(row)]
    pairs = [(float(row["confidence"]), wrong) for row in judged if (wrong := shown_wrong(row)) is not None]
    confidence = np.array([value for value, _ in pairs], dtype=np.float64)
    errors = np.array([wrong for _, wrong in pairs], dtype=bool)
    threshold = control_wrong(confidence, errors, max_wrong=max_wrong, sure=sure)
    if threshold is None:
        raise EvalError(*_refusal(confidence, errors, len(judged), max_wrong, sure))
    above = confidence >= threshold
    shown, wrong_shown = int(above.sum()), int((above & errors).sum())
    return Guarantee(
        threshold=threshold,
        max_wrong=max_wrong,
        sure=sure,
        questions=len(judged),
        answers=len(pairs),
        wrong_before=int(errors.sum()),
        shown=shown,
        wrong=wrong_shown,
        upper=clopper_pearson_upper(wrong_shown, shown, sure),
        upper_before=clopper_pearson_upper(int(errors.sum()), len(pairs), sure),
    )


def _refusal(confidence: NDArray[np.float64], errors: Bool, questions: int, max_wrong: float, sure: float) -> list[str]:
    """Return why no threshold has the guarantee, and what to do."""
    least, answers, wrong = answers_needed(max_wrong, sure), len(errors), int(errors.sum())
    if not answers:
        return ["the run shows no answer that can be judged", "evaluate with --set answers.min_confidence=0"]
    bound = _percent(clopper_pearson_upper(wrong, answers, sure))
    promise = f"without a threshold, at most {bound} of its answers are wrong ({wrong:,} of {answers:,} were)"
    wish = f"{_percent(max_wrong)} wrong with a certainty of {_percent(sure)}"
    if answers < least:
        more = math.ceil(least * questions / answers)
        message = (
            f"{wish} needs at least {least:,} answers, none of them wrong, and the run shows {answers:,}; {promise}"
        )
        return [message, f"evaluate about {more:,} questions or more, or allow a greater share"]
    surest, wrong_among = _surest(confidence, errors, max(least, math.ceil(_START_SHARE * answers)))
    message = f"{wish} cannot be promised: of the {surest:,} surest answers {wrong_among:,} were wrong; {promise}"
    needed = _answers_at(wrong_among / surest, max_wrong, sure)
    lowest = _lowest_share(confidence, errors, max_wrong, sure)
    wider = f"allow a greater share: --max-wrong {lowest:.0%} has a threshold here" if lowest else "improve the answers"
    if needed is None:
        return [message, wider]
    more = math.ceil(needed / surest * questions)
    return [
        message,
        f"evaluate about {more:,} questions (if as many are wrong, {needed:,} sure answers do), or {wider}",
    ]


def _surest(confidence: NDArray[np.float64], errors: Bool, start: int) -> tuple[int, int]:
    """Return how many answers the first tested threshold shows, and how many of them are wrong."""
    for step in range(_STEPS, -1, -1):
        above = confidence >= step / _STEPS
        if above.sum() >= start:
            return int(above.sum()), int((above & errors).sum())
    return len(errors), int(errors.sum())  # confidences below 0 are shown by no threshold


def _answers_at(share: float, max_wrong: float, sure: float) -> int | None:
    """Return the answers that prove ``max_wrong`` if this share of them is wrong; None if no number does."""
    if share >= max_wrong:
        return None
    low, high = 0, answers_needed(max_wrong, sure)
    while binomial_cdf(math.ceil(share * high), high, max_wrong) > 1 - sure:
        low, high = high, 2 * high
        if high > _MOST_ANSWERS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        passes = binomial_cdf(math.ceil(share * middle), middle, max_wrong) <= 1 - sure
        low, high = (low, middle) if passes else (middle, high)
    return high


def _lowest_share(confidence: NDArray[np.float64], errors: Bool, max_wrong: float, sure: float) -> float | None:
    """Return the lowest share in whole percent, above ``max_wrong``, that has a threshold."""
    shares = (percent / 100 for percent in range(math.floor(100 * max_wrong) + 1, 100))
    found = (s for s in shares if control_wrong(confidence, errors, max_wrong=s, sure=sure) is not None)
    return next(found, None)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0") + " %"
