"""What all figures share: colours, words, axes and labels. It knows plotly, and nothing of the data.

Figures are built in the light colours of :data:`COLOURS`; a dark page replaces each by its pair. Untrusted text goes
through :func:`plain`, because plotly reads some HTML in every label.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = [
    "COLOURS",
    "WORDS",
    "axis",
    "categories",
    "dark",
    "figure",
    "light",
    "numbers_beside",
    "plain",
    "vertical_line",
    "wrapped",
]

# role: (light page, dark page), each at least 4.5:1 against its page, except grid lines and bands
COLOURS: dict[str, tuple[str, str]] = {
    "answer": ("#2b6cb0", "#74aee6"),
    "verdict": ("#3d5a99", "#8fa8e0"),
    "retrieval": ("#1d776b", "#55bdaa"),
    "citation": ("#7750a5", "#b799e0"),
    "loss": ("#b04a22", "#e59268"),
    "text": ("#1c2128", "#e5e8ec"),
    "muted": ("#5a636e", "#a3abb6"),
    "grid": ("#e4e7eb", "#2e353e"),
    "retrieval_band": ("#a9d5cd", "#2c5c55"),
    "card": ("#ffffff", "#1b1f24"),
}

# Words in the figures as str.format templates; another language passes a mapping with the same keys. Names of metrics
# come from eval.metrics; a mapping may hold them too.
WORDS: Mapping[str, str] = {
    "hover_metric": "{name}: {value}, 95 % interval {interval}, n = {n}",
    "hover_recall": "{name}: {value} %, 95 % interval {interval}",
    "axis_metrics": "%, MRR and nDCG × 100",
    "axis_k": "k, passages looked at",
    "axis_recall": "recall@k (%)",
    "all_questions": "All questions",
    "hover_loss": "{stage}: {points} points, questions: {n}",
    "axis_questions_percent": "questions (%)",
    "hover_risk": "{coverage} % answered: {risk} % of them wrong",
    "axis_coverage": "coverage: questions answered (%)",
    "axis_risk": "risk: wrong among them (%)",
    "hover_reliability": "confidence {confidence} %: {right} % right, 95 % interval {interval}, n = {n}",
    "axis_confidence": "mean confidence (%)",
    "axis_right": "right answers (%)",
    "hover_latency": "{range}, questions: {n}",
    "range": "{low} to {high} s",
    "range_open": "{low} s and more, up to {high} s",
    "axis_seconds": "seconds per question",
    "axis_questions": "questions",
    "front": "Pareto front",
    "beaten": "beaten by another point",
    "hover_point": "{name}: F1 {f1} % ({interval}), p95 {seconds} s",
    "p95": "p95 (s)",
    "axis_p95": "p95 latency (s)",
    "tokens": "tokens",
    "f1_percent": "F1 (%)",
    "seconds_mark": "{name} {value} s",
}

_DARK = dict(COLOURS.values())
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def plain(text: object, limit: int = 60) -> str:
    """Return any text as a safe plotly label: one line of at most ``limit`` characters, without markup."""
    line = " ".join("".join(char if char.isprintable() else " " for char in str(text)).split())
    line = line if len(line) <= limit else line[: limit - 1] + "…"
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def light(role: str) -> str:
    """Return the colour of a role on a light page."""
    return COLOURS[role][0]


def dark(node: Any) -> Any:
    """Return a figure's data or layout with each light colour replaced by its dark pair."""
    if isinstance(node, str):
        return _DARK.get(node, node)
    if isinstance(node, Mapping):
        return {key: dark(value) for key, value in node.items()}
    return [dark(value) for value in node] if isinstance(node, list | tuple) else node


def wrapped(label: str) -> str:
    """Return a label in up to three short lines."""
    return "<br>".join(plain(line) for line in textwrap.wrap(label, 20)[:3]) or "–"


def numbers_beside(xs: list[float], ys: list[str], texts: list[str]) -> dict[str, Any]:
    """Return a trace of numbers next to bars: the bars' own text would cover their intervals."""
    font = {"color": light("text"), "size": 12}
    return {
        "type": "scatter",
        "mode": "text",
        "name": "labels",
        "x": xs,
        "y": ys,
        "text": texts,
        "hoverinfo": "skip",
        "textposition": "middle right",
        "textfont": font,
        "cliponaxis": False,
    }


def axis(title: str, *, grid: bool = False) -> dict[str, Any]:
    """Return an axis with a title; ``grid`` draws grid lines instead of the axis line."""
    return {
        "title": {"text": title, "font": {"size": 12, "color": light("muted")}, "standoff": 10},
        "tickfont": {"color": light("muted")},
        "showgrid": grid,
        "gridcolor": light("grid"),
        "zeroline": False,
        "showline": not grid,
        "linecolor": light("muted"),
        "fixedrange": True,
        "automargin": True,
    }


def categories(labels: list[str]) -> dict[str, Any]:
    """Return a vertical axis of names, the first one at the top."""
    return {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": labels,
        "autorange": "reversed",
        "tickfont": {"color": light("text"), "size": 12},
        "showgrid": False,
        "zeroline": False,
        "ticklen": 6,
        "tickcolor": "rgba(0,0,0,0)",
        "ticks": "outside",
        "fixedrange": True,
        "automargin": True,
    }


def vertical_line(at: float, **changes: Any) -> dict[str, Any]:
    """Return a shape: a line over the full height at an x value."""
    return {"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, **changes}


def figure(
    data: list[dict[str, Any]],
    x_axis: dict[str, Any],
    y_axis: dict[str, Any],
    *,
    layout: Mapping[str, Any] | None = None,
    height: int = 320,
    top: int = 12,
) -> Figure:
    """Return a figure without decoration that fills a card of any width; ``height`` and ``top`` are in pixels."""
    from plotly.graph_objects import Figure

    base: dict[str, Any] = {
        "template": {},  # plotly's own would add grey boxes, and 7 kB to every figure
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": _FONT, "size": 12, "color": light("text")},
        "margin": {"l": 8, "r": 12, "t": top, "b": 8},
        "height": height,
        "showlegend": False,
        "dragmode": False,
        "xaxis": x_axis,
        "yaxis": y_axis,
    }
    return Figure(data=data, layout=base | dict(layout or {}))
