"""Draw the figures of a sweep: functions from its points to a plotly figure.

Each returns None if there is nothing to draw. ``words`` replaces the English texts, :data:`~eval.plot_style.WORDS`.
Only SVG traces are used: plotly's WebGL traces and its own parallel coordinates compile code at run time, which the
page's security policy forbids. Plotly is imported with the first figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eval.metrics import format_interval, format_value
from eval.plot_style import WORDS, axis, figure, light, plain, vertical_line
from eval.runs import interval_of
from eval.sweep import sweep_settings

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["sweep_parallel", "sweep_scatter"]


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
