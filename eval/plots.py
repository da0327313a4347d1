"""Draw the figures of a report: functions from the numbers of a run or sweep to a plotly figure.

Each returns None if there is nothing to draw. ``words`` replaces the English texts, :data:`~eval.plot_style.WORDS`.
Figures hold plain lists, so that tests can read their data. Only SVG traces are used: plotly's WebGL traces and its own
parallel coordinates compile code at run time, which the page's security policy forbids. Plotly is imported with the
first figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from eval.metrics import METRICS, format_interval, format_value
from eval.plot_style import (
    COLOURS,
    WORDS,
    axis,
    categories,
    figure,
    light,
    numbers_beside,
    plain,
    vertical_line,
    wrapped,
)
from eval.records import interval_of
from eval.statistics import percentile
from eval.sweep import sweep_settings

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


def sweep_scatter(points: Sequence[Mapping[str, Any]], words: Mapping[str, str] = WORDS) -> Figure | None:
    """Draw F1 with its interval over p95 latency; the Pareto points are filled and joined by a line."""
    drawn = [
        (point, f1, float(at))
        for point in points
        if (f1 := interval_of(point, "f1")) and isinstance(at := point.get("p95_latency_s"), int | float)
    ]
    if not drawn:
        return None
    drawn.sort(key=lambda item: (item[2], item[1]["mean"]))
    data = []
    for front in (True, False):
        group = [item for item in drawn if bool(item[0].get("pareto")) is front]
        if group:
            data.append(_scatter_group(group, front, words))
    layout = {"showlegend": True, "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}}
    x_axis = axis(words["axis_p95"]) | {"rangemode": "tozero"}
    return figure(data, x_axis, axis(words["f1_percent"], grid=True), layout=layout, height=380, top=40)


def _scatter_group(
    group: Sequence[tuple[Mapping[str, Any], Mapping[str, float], float]], front: bool, words: Mapping[str, str]
) -> dict[str, Any]:
    """Return the trace of points as (point, F1, p95 latency): those on the Pareto front, or the others."""
    role = "answer" if front else "muted"
    hover = [
        words["hover_point"].format(
            name=plain(point.get("name")),
            f1=format_value(f1["mean"], "percent"),
            interval=format_interval(f1, "percent"),
            seconds=format_value(at, "seconds"),
        )
        for point, f1, at in group
    ]
    return {
        "type": "scatter",
        "mode": "lines+markers" if front else "markers",
        "name": words["front" if front else "beaten"],
        "x": [at for *_, at in group],
        "y": [f1["mean"] for _, f1, _ in group],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "thickness": 1,
            "width": 3,
            "color": light(role),
            "array": [f1["high"] - f1["mean"] for _, f1, _ in group],
            "arrayminus": [f1["mean"] - f1["low"] for _, f1, _ in group],
        },
        "line": {"color": light(role), "width": 1.5},
        "marker": {"color": light(role), "size": 9, "symbol": "circle" if front else "circle-open"},
        "hovertext": hover,
        "hoverinfo": "text",
    }


def sweep_parallel(points: Sequence[Mapping[str, Any]], words: Mapping[str, str] = WORDS) -> Figure | None:
    """Draw every point as a line across one vertical axis each for the varying settings, p95 latency, tokens and F1."""
    if not points:
        return None
    axes = _parallel_axes(points, words)
    order = sorted(range(len(points)), key=lambda number: bool(points[number].get("pareto")))  # the front on top
    data = [_parallel_line(points[number], number, axes) for number in order]
    mark = {"showarrow": False, "xanchor": "left", "bgcolor": light("card"), "xshift": 6, "yshift": 7}
    mark["font"] = {"size": 11, "color": light("muted")}
    line = {"color": light("muted"), "width": 1}
    layout = {
        "shapes": [vertical_line(at, layer="below", line=line) for at in range(len(axes))],
        "annotations": [
            mark | {"x": at, "y": place, "text": plain(text, 18)}
            for at, axis_ in enumerate(axes)
            for place, text in axis_.marks
        ],
    }
    x_axis = axis("") | {
        "tickvals": list(range(len(axes))),
        "ticktext": [plain(axis_.name, 18) for axis_ in axes],
        "range": [-0.5, len(axes) - 0.4],
        "side": "top",
        "showline": False,
    }
    return figure(data, x_axis, {"visible": False, "range": [-0.06, 1.1]}, layout=layout, height=420, top=40)


@dataclass(frozen=True, slots=True)
class _Axis:
    """An axis of the parallel coordinates: the values, their places from 0 to 1, and the marks as (place, text)."""

    name: str
    values: Sequence[Any]
    places: list[float | None]
    marks: list[tuple[float, str]]


def _parallel_axes(points: Sequence[Mapping[str, Any]], words: Mapping[str, str]) -> list[_Axis]:
    """Return an axis for every column that has a value."""
    varying, _ = sweep_settings(points)
    settings = [point.get("settings") or {} for point in points]
    columns: list[tuple[str, list[Any]]] = [
        *((key, [setting.get(key) for setting in settings]) for key in varying),
        (words["p95"], [point.get("p95_latency_s") for point in points]),
        (words["tokens"], [point.get("tokens") for point in points]),
        (words["f1_percent"], [(interval_of(point, "f1") or {}).get("mean") for point in points]),
    ]
    return [_parallel_axis(name, values) for name, values in columns if values.count(None) < len(values)]


def _parallel_axis(name: str, values: list[Any]) -> _Axis:
    known = [value for value in values if value is not None]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)
    place, marks = _number_scale(known) if numeric else _name_scale(known)
    return _Axis(name, values, [None if value is None else place(value) for value in values], marks)


def _parallel_line(point: Mapping[str, Any], number: int, axes: Sequence[_Axis]) -> dict[str, Any]:
    """Return the trace of a point; ``number`` is its place in the values of the axes."""
    best = bool(point.get("pareto"))
    name, colour = plain(point.get("name")), light("answer" if best else "muted")
    facts = [f"{plain(axis.name, 30)}: {plain(_short(axis.values[number]))}" for axis in axes]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": list(range(len(axes))),
        "y": [axis.places[number] for axis in axes],
        "connectgaps": False,
        "line": {"color": colour, "width": 2.4 if best else 1},
        "marker": {"color": colour, "size": 7 if best else 5},
        "opacity": 1 if best else 0.7,
        "hovertext": ["<br>".join([name, *facts])] * len(axes),
        "hoverinfo": "text",
    }


def _number_scale(values: Sequence[float]) -> tuple[Callable[[Any], float], list[tuple[float, str]]]:
    """Return the place of a number on its axis, and the marks: every value, or the ends and the middle."""
    distinct = sorted({float(value) for value in values})
    low, spread = distinct[0], distinct[-1] - distinct[0]

    def place(value: float) -> float:
        return (float(value) - low) / spread if spread else 0.5

    marks = distinct if len(distinct) <= 5 else [low, low + spread / 2, distinct[-1]]
    return place, [(place(mark), _short(mark)) for mark in marks]


def _name_scale(values: Sequence[Any]) -> tuple[Callable[[Any], float], list[tuple[float, str]]]:
    """Return the place of a name on its axis, and a mark for every name."""
    names = list(dict.fromkeys(str(value) for value in values))
    places = {name: index / (len(names) - 1) if len(names) > 1 else 0.5 for index, name in enumerate(names)}
    return lambda value: places[str(value)], [(at, name) for name, at in places.items()]


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() or abs(value) >= 1000 else f"{value:.3g}"
    return "–" if value is None else str(value)
