"""The figures of a sweep: F1 against latency, and parallel coordinates drawn as plain lines.

Plotly's own parallel coordinates compile WebGL code at run time, which the page's security policy forbids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eval.metrics import format_interval, format_value
from eval.plot_style import axis, figure, light, plain
from eval.plot_words import WORDS
from eval.records import interval_of
from eval.sweep import sweep_settings

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["sweep_parallel", "sweep_scatter"]


def sweep_scatter(points: Sequence[Mapping[str, Any]], words: Mapping[str, str] = WORDS) -> Figure | None:
    """Draw F1 with its interval over p95 latency; the Pareto points are filled and joined by a line."""
    drawn = [(point, interval_of(point, "f1"), point.get("p95_latency_s")) for point in points]
    kept = [(point, f1, float(at)) for point, f1, at in drawn if f1 and isinstance(at, int | float)]
    if not kept:
        return None
    kept.sort(key=lambda item: (item[2], item[1]["mean"]))
    data: list[dict[str, Any]] = []
    front = [item for item in kept if item[0].get("pareto")]
    for name, group, role in (
        ("front", front, "answer"),
        ("beaten", [item for item in kept if not item[0].get("pareto")], "muted"),
    ):
        if not group:
            continue
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers" if name == "front" else "markers",
                "name": words[name],
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
                "marker": {
                    "color": light(role),
                    "size": 9,
                    "symbol": "circle" if name == "front" else "circle-open",
                },
                "hovertext": [
                    words["hover_point"].format(
                        name=plain(point.get("name")),
                        f1=format_value(f1["mean"], "percent"),
                        interval=format_interval(f1, "percent"),
                        seconds=format_value(at, "seconds"),
                    )
                    for point, f1, at in group
                ],
                "hoverinfo": "text",
            }
        )
    layout = {"showlegend": True, "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}}
    x_axis = axis(words["axis_p95"]) | {"rangemode": "tozero"}
    return figure(data, x_axis, axis(words["f1_percent"], grid=True), layout=layout, height=380, top=40)


def sweep_parallel(points: Sequence[Mapping[str, Any]], words: Mapping[str, str] = WORDS) -> Figure | None:
    """Draw every point as a line across one upright axis per varying setting, p95 latency, tokens and F1."""
    if not points:
        return None
    varying, _ = sweep_settings(points)
    columns: list[tuple[str, list[Any]]] = [
        (key, [(point.get("settings") or {}).get(key) for point in points]) for key in varying
    ]
    columns.append((words["p95"], [point.get("p95_latency_s") for point in points]))
    columns.append((words["tokens"], [point.get("tokens") for point in points]))
    columns.append((words["f1_percent"], [(interval_of(point, "f1") or {}).get("mean") for point in points]))
    axes = [(name, values, *_scale(values)) for name, values in columns if any(value is not None for value in values)]
    data = []
    for number in sorted(range(len(points)), key=lambda number: bool(points[number].get("pareto"))):
        best = bool(points[number].get("pareto"))
        facts = [f"{plain(name, 30)}: {plain(_short(values[number]))}" for name, values, *_ in axes]
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": plain(points[number].get("name")),
                "x": list(range(len(axes))),
                "y": [places[number] for *_, places, _ in axes],
                "connectgaps": False,
                "line": {"color": light("answer" if best else "muted"), "width": 2.4 if best else 1},
                "marker": {"color": light("answer" if best else "muted"), "size": 7 if best else 5},
                "opacity": 1 if best else 0.7,
                "hovertext": ["<br>".join([plain(points[number].get("name")), *facts])] * len(axes),
                "hoverinfo": "text",
            }
        )
    font = {"size": 11, "color": light("muted")}
    layout = {
        "shapes": [
            {
                "type": "line",
                "x0": at,
                "x1": at,
                "y0": 0,
                "y1": 1,
                "layer": "below",
                "line": {"color": light("muted"), "width": 1},
            }
            for at in range(len(axes))
        ],
        "annotations": [
            {
                "x": at,
                "y": place,
                "text": plain(text, 18),
                "showarrow": False,
                "font": font,
                "xanchor": "left",
                "bgcolor": light("card"),
                "xshift": 6,
                "yshift": 7,
            }
            for at, (*_, ticks) in enumerate(axes)
            for place, text in ticks
        ],
    }
    x_axis = axis("") | {
        "tickvals": list(range(len(axes))),
        "ticktext": [plain(name, 18) for name, *_ in axes],
        "range": [-0.5, len(axes) - 0.4],
        "side": "top",
        "showline": False,
    }
    return figure(data, x_axis, {"visible": False, "range": [-0.06, 1.1]}, layout=layout, height=420, top=40)


def _scale(values: Sequence[Any]) -> tuple[list[float | None], list[tuple[float, str]]]:
    """Return the place of each value on an axis of 0 to 1, and the axis's marks."""
    known = [value for value in values if value is not None]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        distinct = sorted({float(value) for value in known})
        low, spread = distinct[0], distinct[-1] - distinct[0]
        marks = distinct if len(distinct) <= 5 else [low, low + spread / 2, distinct[-1]]

        def place(value: float) -> float:
            return (value - low) / spread if spread else 0.5

        return [None if v is None else place(float(v)) for v in values], [(place(mark), _short(mark)) for mark in marks]
    names = list(dict.fromkeys(str(value) for value in known))
    step = 1 / (len(names) - 1) if len(names) > 1 else 0.0
    spots = {name: index * step if step else 0.5 for index, name in enumerate(names)}
    return [None if v is None else spots[str(v)] for v in values], [(at, name) for name, at in spots.items()]


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() or abs(value) >= 1000 else f"{value:.3g}"
    return "–" if value is None else str(value)
