"""Draw the figures of a run: functions from its numbers to a plotly figure.

Each returns None if there is nothing to draw. ``words`` replaces the English texts, :data:`~eval.plot_style.WORDS`.
Figures hold plain lists, so that tests can read their data. Plotly is imported with the first figure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from eval.metrics import METRICS, format_interval, format_value
from eval.plot_style import (
    WORDS,
    axis,
    categories,
    figure,
    light,
    numbers_beside,
    vertical_line,
    wrapped,
)
from eval.runs import interval_of
from eval.statistics import percentile

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = [
    "latency_histogram",
    "loss_waterfall",
    "metric_bars",
    "recall_curve",
    "reliability_diagram",
    "risk_coverage_curve",
]

_BINS = 40
_PERCENT_TICKS = [0, 20, 40, 60, 80, 100]


def metric_bars(metrics: Mapping[str, Any], words: Mapping[str, str] = WORDS) -> Figure | None:
    """Draw the means with their intervals on a scale of 0 to 100; ratios (MRR, nDCG) at 100 times their value."""
    entries = {name: interval_of(metrics, name) for name, metric in METRICS.items() if metric.unit != "seconds"}
    labels, values, hover, colours, means, plus, minus = [], [], [], [], [], [], []
    for name, entry in entries.items():
        if entry is None:
            continue
        metric = METRICS[name]
        scale = 100.0 if metric.unit == "ratio" else 1.0
        labels.append(words.get(name, metric.label))
        values.append(format_value(entry["mean"], metric.unit))
        interval = format_interval(entry, metric.unit)
        hover.append(
            words["hover_metric"].format(name=labels[-1], value=values[-1], interval=interval, n=f"{entry['n']:,}")
        )
        colours.append(light(metric.family))
        means.append(scale * entry["mean"])
        plus.append(scale * (entry["high"] - entry["mean"]))
        minus.append(scale * (entry["mean"] - entry["low"]))
    if not labels:
        return None
    error = {"type": "data", "symmetric": False, "array": plus, "arrayminus": minus}
    bars = {
        "type": "bar",
        "orientation": "h",
        "name": "mean",
        "x": means,
        "y": labels,
        "width": 0.62,
        "marker": {"color": colours},
        "error_x": error | {"color": light("text"), "thickness": 1.2, "width": 3},
        "hovertext": hover,
        "hoverinfo": "text",
    }
    ends = [mean + max(0.0, above) + 1.5 for mean, above in zip(means, plus, strict=True)]
    x_axis = axis(words["axis_metrics"]) | {"range": [0, 112], "tickvals": _PERCENT_TICKS}
    return figure(
        [bars, numbers_beside(ends, labels, values)], x_axis, categories(labels), height=70 + 30 * len(labels)
    )


def recall_curve(metrics: Mapping[str, Any], words: Mapping[str, str] = WORDS) -> Figure | None:
    """Draw recall@k over k with the band of its intervals, for every ``recall@k`` among the metrics."""
    entries = {}
    for name in metrics:
        entry = interval_of(metrics, name)
        if name.startswith("recall@") and name[7:].isdecimal() and entry:
            entries[int(name[7:])] = entry
    if not entries:
        return None
    ks = sorted(entries)
    means, lows, highs = ([entries[k][side] for k in ks] for side in ("mean", "low", "high"))
    hover = [
        words["hover_recall"].format(
            name=f"Recall@{k}",
            value=format_value(entries[k]["mean"], "percent"),
            interval=format_interval(entries[k], "percent"),
        )
        for k in ks
    ]
    hidden = {"type": "scatter", "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    data: list[dict[str, Any]] = [
        hidden | {"name": "low", "x": ks, "y": lows},
        hidden | {"name": "high", "x": ks, "y": highs, "fill": "tonexty", "fillcolor": light("retrieval_band")},
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": "recall",
            "x": ks,
            "y": means,
            "line": {"color": light("retrieval"), "width": 2},
            "marker": {"color": light("retrieval"), "size": 7},
            "hovertext": hover,
            "hoverinfo": "text",
        },
    ]
    y_axis = axis(words["axis_recall"], grid=True) | {"range": [0, 103]}
    return figure(data, axis(words["axis_k"]) | {"tickvals": ks, "rangemode": "tozero"}, y_axis)


def loss_waterfall(lost: Sequence[tuple[str, str, int, float]], words: Mapping[str, str] = WORDS) -> Figure | None:
    """Draw the steps from 100 % down to the EM; ``lost`` comes from :func:`~eval.losses.em_lost`."""
    if not lost:
        return None
    everything, exact_match = words["all_questions"], words.get("em", METRICS["em"].label)
    steps = [(wrapped(label), count, points) for _, label, count, points in lost if count]
    labels, texts, hover, ends, level = [everything], ["100"], [f"{everything}: 100 %"], [100.0], 100.0
    for label, count, points in steps:
        labels.append(label)
        texts.append(f"−{points:.1f}")
        stage = label.replace("<br>", " ")
        hover.append(words["hover_loss"].format(stage=stage, n=f"{count:,}", points=f"{points:.1f}"))
        ends.append(level)
        level -= points
    remaining = max(0.0, 100.0 - sum(points for *_, points in steps))
    labels.append(exact_match)
    texts.append(f"{remaining:.1f}")
    hover.append(f"{exact_match}: {remaining:.1f} %")
    ends.append(remaining)
    bars = {
        "type": "waterfall",
        "orientation": "h",
        "name": "points of EM",
        "measure": ["absolute", *("relative" for _ in steps), "total"],
        "x": [100.0, *(-points for *_, points in steps), remaining],
        "y": labels,
        "width": 0.62,
        "decreasing": {"marker": {"color": light("loss")}},
        "totals": {"marker": {"color": light("answer")}},
        "increasing": {"marker": {"color": light("answer")}},
        "connector": {"line": {"color": light("muted"), "width": 1}},
        "hovertext": hover,
        "hoverinfo": "text",
    }
    numbers = numbers_beside([end + 1.5 for end in ends], labels, texts)
    x_axis = axis(words["axis_questions_percent"]) | {"range": [0, 114], "tickvals": _PERCENT_TICKS}
    return figure([bars, numbers], x_axis, categories(labels), height=80 + 36 * len(labels))


def risk_coverage_curve(curve: object, words: Mapping[str, str] = WORDS) -> Figure | None:
    """Draw the share of wrong answers over the share of questions answered, the most confident answers first."""
    coverage, risk = (list((curve.get(k) if isinstance(curve, Mapping) else None) or []) for k in ("coverage", "risk"))
    if not coverage or len(coverage) != len(risk):
        return None
    xs, ys = [100.0 * value for value in coverage], [100.0 * value for value in risk]
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines" if len(xs) > 1 else "markers",
            "name": "risk",
            "x": xs,
            "y": ys,
            "line": {"color": light("answer"), "width": 2},
            "marker": {"color": light("answer"), "size": 8},
            "hovertemplate": words["hover_risk"].format(coverage="%{x:.0f}", risk="%{y:.1f}") + "<extra></extra>",
        },
        {
            "type": "scatter",
            "mode": "lines",
            "name": "answering everything",
            "x": [0.0, 100.0],
            "y": [ys[-1], ys[-1]],
            "line": {"color": light("muted"), "width": 1, "dash": "dot"},
            "hoverinfo": "skip",
        },
    ]
    top = min(103.0, 1.15 * max(ys) + 2)
    y_axis = axis(words["axis_risk"], grid=True) | {"range": [0, top]}
    return figure(data, axis(words["axis_coverage"]) | {"range": [0, 102]}, y_axis)


def reliability_diagram(figures: object, words: Mapping[str, str] = WORDS) -> Figure | None:
    """Draw the share of right answers over their mean confidence, bin by bin; see :mod:`eval.reliability`."""
    bins = [entry for entry in _listed(figures, "bins") if _is_share(entry)]
    if not bins:
        return None
    xs, ys = [100.0 * entry["confidence"] for entry in bins], [100.0 * entry["right"] for entry in bins]
    hover = [
        words["hover_reliability"].format(
            confidence=f"{x:.0f}",
            right=f"{y:.0f}",
            interval=format_interval({"low": 100 * entry["low"], "high": 100 * entry["high"]}, "percent"),
            n=f"{entry['n']:,}",
        )
        for x, y, entry in zip(xs, ys, bins, strict=True)
    ]
    spread = {
        "type": "data",
        "symmetric": False,
        "array": [100.0 * (entry["high"] - entry["right"]) for entry in bins],
        "arrayminus": [100.0 * (entry["right"] - entry["low"]) for entry in bins],
    }
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "as promised",
            "x": [0.0, 100.0],
            "y": [0.0, 100.0],
            "line": {"color": light("muted"), "width": 1, "dash": "dot"},
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": "right",
            "x": xs,
            "y": ys,
            "error_y": spread | {"color": light("text"), "thickness": 1.2, "width": 3},
            "line": {"color": light("answer"), "width": 2},
            "marker": {"color": light("answer"), "size": 8},
            "hovertext": hover,
            "hoverinfo": "text",
        },
    ]
    percent = {"range": [0, 103], "tickvals": _PERCENT_TICKS}
    return figure(
        data, axis(words["axis_confidence"], grid=True) | percent, axis(words["axis_right"], grid=True) | percent
    )


def _listed(figures: object, key: str) -> list[Any]:
    value = figures.get(key) if isinstance(figures, Mapping) else None
    return value if isinstance(value, list) else []


def _is_share(entry: object) -> bool:
    """Return whether an entry has the numbers of a bin: a manifest may come from anywhere."""
    names = ("confidence", "right", "low", "high", "n")
    return isinstance(entry, Mapping) and all(
        isinstance(entry.get(name), int | float) and math.isfinite(entry[name]) for name in names
    )


def latency_histogram(seconds: Sequence[float], words: Mapping[str, str] = WORDS) -> Figure | None:
    """Draw the number of questions by latency, with p50 and p95 marked; the last bar collects a long tail."""
    if not seconds:
        return None
    p50, p95 = percentile(seconds, 50), percentile(seconds, 95)
    low, high = min(seconds), max(seconds)
    cap = high if high <= 3 * p95 else 1.5 * p95
    bins = max(1, min(_BINS, math.ceil(2 * math.sqrt(len(seconds))))) if cap > low else 1
    width = (cap - low) / bins or max(low, 1e-3) / 10
    counts = [0] * bins
    for value in seconds:
        counts[min(bins - 1, int((min(value, cap) - low) / width))] += 1
    edges = [low + width * number for number in range(bins + 1)]
    ends = [format_value(edge, "seconds") for edge in edges]
    ranges = [words["range"].format(low=left, high=right) for left, right in pairwise(ends)]
    if cap < high:
        ranges[-1] = words["range_open"].format(low=ends[-2], high=format_value(high, "seconds"))
    bars = {
        "type": "bar",
        "name": "questions",
        "x": [(left + right) / 2 for left, right in pairwise(edges)],
        "y": counts,
        "width": [0.92 * width] * bins,
        "marker": {"color": light("answer")},
        "hovertext": [
            words["hover_latency"].format(n=f"{count:,}", range=text)
            for count, text in zip(counts, ranges, strict=True)
        ],
        "hoverinfo": "text",
    }
    marks = [("p50", p50, "right"), ("p95", p95, "left")]
    dotted = {"color": light("text"), "width": 1.2, "dash": "dot"}
    label = {"y": 1, "yref": "paper", "yanchor": "bottom", "showarrow": False}
    layout = {
        "shapes": [vertical_line(at, yref="paper", name=name, line=dotted) for name, at, _ in marks],
        "annotations": [
            label
            | {
                "x": at,
                "xanchor": side,
                "text": words["seconds_mark"].format(name=name, value=format_value(at, "seconds")),
                "font": {"color": light("text"), "size": 12},
            }
            for name, at, side in marks
        ],
    }
    return figure([bars], axis(words["axis_seconds"]), axis(words["axis_questions"], grid=True), layout=layout, top=30)
