"""The numbers of a report and how they are written: metrics with their units, intervals, points lost, percentiles.

It reads a manifest and its rows with whatever is missing in them; it knows nothing of tables, figures and markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from eval.losses import STAGES

__all__ = [
    "METRICS",
    "Metric",
    "em_lost",
    "interval_of",
    "latencies",
    "percentile",
    "sentence",
    "show",
    "show_interval",
    "sweep_settings",
]

Unit = Literal["percent", "ratio", "seconds"]


@dataclass(frozen=True, slots=True)
class Metric:
    """How a metric is called, what it is measured in, and the family that gives it a colour."""

    label: str
    unit: Unit
    family: Literal["answer", "retrieval", "citation", "speed"]


METRICS: dict[str, Metric] = {
    "em": Metric("Exact match", "percent", "answer"),
    "f1": Metric("F1", "percent", "answer"),
    "contains": Metric("Contains gold", "percent", "answer"),
    "recall@1": Metric("Recall@1", "percent", "retrieval"),
    "recall@5": Metric("Recall@5", "percent", "retrieval"),
    "recall@10": Metric("Recall@10", "percent", "retrieval"),
    "recall@20": Metric("Recall@20", "percent", "retrieval"),
    "mrr": Metric("MRR", "ratio", "retrieval"),
    "ndcg@10": Metric("nDCG@10", "ratio", "retrieval"),
    "cited_contains": Metric("Citation holds gold", "percent", "citation"),
    "cited_overlaps": Metric("Citation meets gold", "percent", "citation"),
    "grounded": Metric("Grounded sentences", "percent", "citation"),
    "latency_s": Metric("Latency", "seconds", "speed"),
}


def show(value: object, unit: str | None) -> str:
    """Format a value of a unit; a dash for what is not there."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return "–"
    if unit == "percent":
        return f"{value:.1f}"
    if unit == "ratio":
        return f"{value:.3f}"
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:#.3g}".removesuffix(".")


def interval_of(metrics: object, name: str) -> dict[str, float] | None:
    """Return mean, low, high and n of a metric, or None where it was not measured."""
    entry = metrics.get(name) if isinstance(metrics, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(entry.get("mean"), int | float):
        return None
    mean = float(entry["mean"])
    low, high = (entry.get(side) for side in ("low", "high"))
    return {
        "mean": mean,
        "low": float(low) if isinstance(low, int | float) else mean,
        "high": float(high) if isinstance(high, int | float) else mean,
        "n": int(entry.get("n") or 0),
    }


def show_interval(entry: Mapping[str, float] | None, unit: str | None) -> str:
    """Format an interval as ``low – high``."""
    return "–" if entry is None else f"{show(entry['low'], unit)} – {show(entry['high'], unit)}"


def em_lost(manifest: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, int, float]]:
    """Return (stage, label, questions, points of EM) for every stage, in the order of the pipeline.

    Wrong answers that no stage claims come last as ``unclassed``, so that the points and the EM add up to 100.
    """
    counts = dict.fromkeys(STAGES, 0)
    given = manifest.get("losses")
    if isinstance(given, Mapping):
        counts |= {str(stage): int(count or 0) for stage, count in given.items()}
    else:
        for row in rows:
            if row.get("loss"):
                counts[str(row["loss"])] = counts.get(str(row["loss"]), 0) + 1
    asked = len(rows) or int((manifest.get("dataset") or {}).get("asked") or 0)
    scores = [row["em"] for row in rows]
    if not asked or (scores and None in scores):
        return []  # nothing was asked, or only retrieval was measured
    wrong = sum(1 for score in scores if score < 1)
    unclassed = wrong - sum(counts.values())
    lost = [(stage, STAGES.get(stage, stage), count, 100 * count / asked) for stage, count in counts.items()]
    if unclassed > 0:
        lost.append(("unclassed", "not classed", unclassed, 100 * unclassed / asked))
    return lost


def latencies(rows: Sequence[Mapping[str, Any]], stage: str | None = None) -> list[float]:
    """Return the seconds of every question: in all, or of one stage where it was timed."""
    values = [row.get("latency_s") if stage is None else (row.get("timings") or {}).get(stage) for row in rows]
    return [float(value) for value in values if isinstance(value, int | float)]


def percentile(values: Sequence[float], q: float) -> float:
    """Return the q-th percentile of at least one value, by linear interpolation."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * q / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def sweep_settings(points: Sequence[Mapping[str, Any]]) -> tuple[list[str], dict[str, object]]:
    """Return the settings that vary, in order of appearance, and the constant ones with their value."""
    keys = list(dict.fromkeys(str(key) for point in points for key in point.get("settings") or {}))
    values = {key: [(point.get("settings") or {}).get(key) for point in points] for key in keys}
    varying = [key for key in keys if any(repr(value) != repr(values[key][0]) for value in values[key])]
    return varying, {key: values[key][0] for key in keys if key not in varying}


def sentence(label: str) -> str:
    """Return a label with its first letter as at the head of a sentence."""
    return label[:1].upper() + label[1:]
