"""Whether a confidence means what it says: expected calibration error, the reliability diagram, and bands.

A confidence of .8 should be right eight times in ten. Answers that were shown are put into ten bins of equal width by
their confidence; the expected calibration error is the mean distance between a bin's mean confidence and its share of
right answers, weighted by the bin's answers (Naeini, Cooper and Hauskrecht 2015, "Obtaining Well Calibrated
Probabilities Using Bayesian Binning"). An answer is right by its verdict where the question has one, else if it is an
exact match; an answer to an unanswerable question is wrong. An answer without a confidence, such as a summary, promises
nothing: it is counted as not rated and left out of every figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eval.statistics import wilson

__all__ = ["answered_right", "is_unrated", "summarise_reliability"]

_BINS = 10
_Shown = tuple[float, bool]  # the confidence of an answer that was shown, and whether it is right


def summarise_reliability(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the figures of a run's rows as JSON, None if no answer with a confidence was shown.

    ``answers`` counts these, ``unrated`` the answers shown without a confidence. ``ece`` lies in 0 to 1. ``bins`` has
    one entry for each bin with an answer: its answers, their mean confidence, and the share that was right with its
    95 % Wilson interval. ``bands`` has the same by the name of the band, ``kinds`` by the kind of question, with the
    ``ece`` of each.
    """
    shown: list[_Shown] = []
    bands: dict[str, list[_Shown]] = {}
    kinds: dict[str, list[_Shown]] = {}
    unrated = 0
    for row in rows:
        if row["abstained"] or (right := answered_right(row)) is None:
            continue
        if is_unrated(row):
            unrated += 1
            continue
        member = (min(1.0, max(0.0, float(row["confidence"]))), right)
        shown.append(member)
        for name, groups in ((row.get("band"), bands), (row.get("kind"), kinds)):
            if name:
                groups.setdefault(str(name), []).append(member)
    if not shown:
        return None
    return {
        "answers": len(shown),
        "unrated": unrated,
        "ece": _ece(shown),
        "bins": [_entry(members) for members in _binned(shown)],
        "bands": {band: _entry(members) for band, members in bands.items()},
        "kinds": {kind: {**_entry(members), "ece": _ece(members)} for kind, members in sorted(kinds.items())},
    }


def is_unrated(row: Mapping[str, Any]) -> bool:
    """Return whether a run's row shows an answer without a confidence."""
    return not row["abstained"] and row["confidence"] is None


def answered_right(row: Mapping[str, Any]) -> bool | None:
    """Return whether the answer of a run's row is right; None if answers to the question are not judged."""
    if row.get("em") is None:
        return None
    if row["impossible"]:
        return bool(row["abstained"])
    right = row.get("right")
    return bool(row["em"] == 1.0 if right is None else right == 1.0)


def _binned(members: Sequence[_Shown]) -> list[list[_Shown]]:
    """Return the members of each bin that has any, the lowest confidences first."""
    bins: dict[int, list[_Shown]] = {}
    for member in members:
        bins.setdefault(min(_BINS - 1, int(member[0] * _BINS)), []).append(member)
    return [bins[n] for n in sorted(bins)]


def _ece(members: Sequence[_Shown]) -> float:
    entries = [_entry(bin_members) for bin_members in _binned(members)]
    return sum(entry["n"] * abs(entry["right"] - entry["confidence"]) for entry in entries) / len(members)


def _entry(members: Sequence[_Shown]) -> dict[str, float | int]:
    share = wilson(sum(right for _, right in members), len(members))
    confidence = sum(confidence for confidence, _ in members) / len(members)
    return {"n": len(members), "confidence": confidence, "right": share.mean, "low": share.low, "high": share.high}
