"""Whether a confidence means what it says: expected calibration error, the reliability diagram, and bands.

A confidence of .8 should be right eight times in ten. Answers that were shown are put into ten bins of equal width by
their confidence; the expected calibration error is the mean distance between a bin's mean confidence and its share of
right answers, weighted by the bin's answers (Naeini, Cooper and Hauskrecht 2015, "Obtaining Well Calibrated
Probabilities Using Bayesian Binning"). An answer is right by its verdict where the question has one, else if it is an
exact match; an answer to an unanswerable question is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eval.statistics import wilson

__all__ = ["answered_right", "summarise_reliability"]

_BINS = 10


def summarise_reliability(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the figures of a run's rows as JSON, None if no answer was shown.

    ``ece`` lies in 0 to 1. ``bins`` has one entry for each bin with an answer: its answers, their mean confidence, and
    the share that was right with its 95 % Wilson interval. ``bands`` has the same by the name of the band.
    """
    shown = [
        (min(1.0, max(0.0, float(row["confidence"]))), right, str(row.get("band") or ""))
        for row in rows
        if not row["abstained"] and (right := answered_right(row)) is not None
    ]
    if not shown:
        return None
    bins: dict[int, list[tuple[float, bool]]] = {}
    bands: dict[str, list[tuple[float, bool]]] = {}
    for confidence, right, band in shown:
        bins.setdefault(min(_BINS - 1, int(confidence * _BINS)), []).append((confidence, right))
        if band:
            bands.setdefault(band, []).append((confidence, right))
    entries = [_entry(bins[n]) for n in sorted(bins)]
    ece = sum(entry["n"] * abs(entry["right"] - entry["confidence"]) for entry in entries) / len(shown)
    return {
        "answers": len(shown),
        "ece": ece,
        "bins": entries,
        "bands": {band: _entry(members) for band, members in bands.items()},
    }


def answered_right(row: Mapping[str, Any]) -> bool | None:
    """Return whether the answer of a run's row is right; None if answers to the question are not judged."""
    if row.get("em") is None:
        return None
    if row["impossible"]:
        return bool(row["abstained"])
    right = row.get("right")
    return bool(row["em"] == 1.0 if right is None else right == 1.0)


def _entry(members: Sequence[tuple[float, bool]]) -> dict[str, float | int]:
    share = wilson(sum(right for _, right in members), len(members))
    confidence = sum(confidence for confidence, _ in members) / len(members)
    return {"n": len(members), "confidence": confidence, "right": share.mean, "low": share.low, "high": share.high}
