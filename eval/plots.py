"""The figures of a report: pure functions from numbers of a run to plotly figures, or None where nothing can be drawn.

A figure holds plain lists, so that its data can be read and tested. Only SVG traces are used: the WebGL ones compile
code at run time, which the page's security policy forbids. Plotly is imported when the first figure is made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from eval.metrics import METRICS, format_interval, format_value
from eval.plot_style import COLOURS, axis, categories, figure, light, numbers_beside, plain, wrapped
from eval.plot_words import WORDS
from eval.plots_sweep import sweep_parallel, sweep_scatter
from eval.records import interval_of
from eval.statistics import percentile

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = [
    "COLOURS",
    "latency_histogram",
    "loss_waterfall",
    "metric_bars",
    "plain",
    "recall_curve",
    "risk_coverage_curve",
    "sweep_parallel",
    "sweep_scatter",
]

_BINS = 40


def metric_bars(metrics: Mapping[str, Any], words: Mapping[str, str] = WORDS) -> Figure | None:
    """Draw the means with their intervals on one scale of 0 to 100; MRR and nDCG are drawn at 100 times their value."""
    names = [name for name in METRICS if METRICS[name].unit != "seconds" and interval_of(metrics, name)]
    if not names:
        return None
    labels, highs, texts = [words.get(name, METRICS[name].label) for name in names], [], []
    bars: dict[str, list[Any]] = {"x": [], "colour": [], "plus": [], "minus": [], "hover": []}
    for name in names:
        entry, metric = interval_of(metrics, name) or {}, METRICS[name]
        scale = 100.0 if metric.unit == "ratio" else 1.0
        bars["x"].append(scale * entry["mean"])
        bars["plus"].append(scale * (entry["high"] - entry["mean"]))
        bars["minus"].append(scale * (entry["mean"] - entry["low"]))
        bars["colour"].append(light(metric.family))
        shown = {"value": format_value(entry["mean"], metric.unit), "interval": format_interval(entry, metric.unit)}
        bars["hover"].append(
            words["hover_metric"].format(name=words.get(name, METRICS[name].label), n=f"{int(entry['n']):,}", **shown)
        )
        highs.append(max(bars["x"][-1], scale * entry["high"]))
        texts.append(format_value(entry["mean"], metric.unit))
    error = {"type": "data", "symmetric": False, "array": bars["plus"], "arrayminus": bars["minus"]}
    data: list[dict[str, Any]] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": "mean",
            "x": bars["x"],
            "y": labels,
            "width": 0.62,
            "marker": {"color": bars["colour"]},
            "error_x": error | {"color": light("text"), "thickness": 1.2, "width": 3},
            "hovertext": bars["hover"],
            "hoverinfo": "text",
        },
        numbers_beside([high + 1.5 for high in highs], labels, texts),
    ]
    x_axis = axis(words["axis_metrics"]) | {"range": [0, 112], "tickvals": [0, 20, 40, 60, 80, 100]}
    return figure(data, x_axis, categories(labels), height=70 + 30 * len(labels))


def recall_curve(metrics: Mapping[str, Any], words: Mapping[str, str] = WORDS) -> Figure | None:
    """Draw recall@k over k with the band of its intervals, for every ``recall@k`` among the metrics."""
    found = {}
    for name in metrics:
        entry = interval_of(metrics, name)
        if name.startswith("recall@") and name[7:].isdecimal() and entry:
            found[int(name[7:])] = entry
    if not found:
        return None
    ks = sorted(found)
    means, lows, highs = ([found[k][side] for k in ks] for side in ("mean", "low", "high"))
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
            "hovertext": [
                words["hover_recall"].format(
                    name=f"Recall@{k}",
                    value=format_value(found[k]["mean"], "percent"),
                    interval=format_interval(found[k], "percent"),
                )
                for k in ks
            ],
            "hoverinfo": "text",
        },
    ]
    y_axis = axis(words["axis_recall"], grid=True) | {"range": [0, 103]}
    return figure(data, axis(words["axis_k"]) | {"tickvals": ks, "rangemode": "tozero"}, y_axis)


def loss_waterfall(lost: Sequence[tuple[str, str, int, float]], words: Mapping[str, str] = WORDS) -> Figure | None:
    """Draw the way from 100 % down to the EM; ``lost`` comes from :func:`~eval.losses.em_lost`."""
    if not lost:
        return None
    steps = [(wrapped(label), count, points) for _, label, count, points in lost if count]
    exact_match = words.get("em", METRICS["em"].label)
    remaining = max(0.0, 100.0 - sum(points for *_, points in steps))
    labels = [words["all_questions"], *(label for label, *_ in steps), exact_match]
    texts, hover, ends, level = ["100"], [f"{words['all_questions']}: 100 %"], [100.0], 100.0
    for label, count, points in steps:
        texts.append(f"−{points:.1f}")
        said = {"stage": label.replace("<br>", " "), "n": f"{count:,}", "points": f"{points:.1f}"}
        hover.append(words["hover_loss"].format(**said))
        ends.append(level)
        level -= points
    texts.append(f"{remaining:.1f}")
    hover.append(f"{exact_match}: {remaining:.1f} %")
    ends.append(remaining)
    data: list[dict[str, Any]] = [
        {
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
        },
        numbers_beside([end + 1.5 for end in ends], labels, texts),
    ]
    x_axis = axis(words["axis_questions_percent"]) | {"range": [0, 114], "tickvals": [0, 20, 40, 60, 80, 100]}
    return figure(data, x_axis, categories(labels), height=80 + 36 * len(labels))


def risk_coverage_curve(curve: object, words: Mapping[str, str] = WORDS) -> Figure | None:
    """Draw the share of wrong answers over the share of questions answered, the most confident answers first."""
    coverage = list((curve.get("coverage") if isinstance(curve, Mapping) else None) or [])
    risk = list((curve.get("risk") if isinstance(curve, Mapping) else None) or [])
    if not coverage or len(coverage) != len(risk):
        return None
    xs, ys = [100.0 * value for value in coverage], [100.0 * value for value in risk]
    line = {"color": light("answer"), "width": 2}
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines" if len(xs) > 1 else "markers",
            "name": "risk",
            "x": xs,
            "y": ys,
            "line": line,
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
    x_axis, y_axis = axis(words["axis_coverage"]), axis(words["axis_risk"], grid=True)
    return figure(data, x_axis | {"range": [0, 102]}, y_axis | {"range": [0, top]})


def latency_histogram(seconds: Sequence[float], words: Mapping[str, str] = WORDS) -> Figure | None:
    """Draw how many questions took how long, with p50 and p95 marked; a long tail is gathered in the last bar."""
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
    hover = [words["range"].format(low=left, high=right) for left, right in pairwise(ends)]
    if cap < high:
        hover[-1] = words["range_open"].format(low=ends[-2], high=format_value(high, "seconds"))
    marks = [("p50", p50, "right"), ("p95", p95, "left")]
    data: list[dict[str, Any]] = [
        {
            "type": "bar",
            "name": "questions",
            "x": [(left + right) / 2 for left, right in pairwise(edges)],
            "y": counts,
            "width": [0.92 * width] * bins,
            "marker": {"color": light("answer")},
            "hovertext": [
                words["hover_latency"].format(n=f"{count:,}", range=text)
                for count, text in zip(counts, hover, strict=True)
            ],
            "hoverinfo": "text",
        }
    ]
    layout = {
        "shapes": [
            {
                "type": "line",
                "x0": at,
                "x1": at,
                "y0": 0,
                "y1": 1,
                "yref": "paper",
                "name": name,
                "line": {"color": light("text"), "width": 1.2, "dash": "dot"},
            }
            for name, at, _ in marks
        ],
        "annotations": [
            {
                "x": at,
                "y": 1,
                "yref": "paper",
                "yanchor": "bottom",
                "xanchor": side,
                "showarrow": False,
                "text": words["seconds_mark"].format(name=name, value=format_value(at, "seconds")),
                "font": {"color": light("text"), "size": 12},
            }
            for name, at, side in marks
        ],
    }
    return figure(data, axis(words["axis_seconds"]), axis(words["axis_questions"], grid=True), layout=layout, top=30)
