"""The look that all figures share: colours, axes, labels. It knows plotly and nothing of what is drawn.

All colours come from :data:`COLOURS`, one pair for light and dark pages; a figure is built in the light ones, and the
page exchanges them. Text that is not ours goes through :func:`plain`: plotly reads a little HTML in every label.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["COLOURS", "axis", "categories", "dark", "figure", "light", "numbers_beside", "plain", "wrapped"]

# role: (light page, dark page), each at least 4.5:1 against its page, except grid lines and bands
COLOURS: dict[str, tuple[str, str]] = {
    "answer": ("#2b6cb0", "#74aee6"),
    "retrieval": ("#1d776b", "#55bdaa"),
    "citation": ("#7750a5", "#b799e0"),
    "loss": ("#b04a22", "#e59268"),
    "text": ("#1c2128", "#e5e8ec"),
    "muted": ("#5a636e", "#a3abb6"),
    "grid": ("#e4e7eb", "#2e353e"),
    "retrieval_band": ("#a9d5cd", "#2c5c55"),
    "card": ("#ffffff", "#1b1f24"),
}
_DARK = dict(COLOURS.values())
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def plain(text: object, limit: int = 60) -> str:
    """Make any text safe as a plotly label: one line, shortened, without markup."""
    line = " ".join("".join(char if char.isprintable() else " " for char in str(text)).split())
    line = line if len(line) <= limit else line[: limit - 1] + "…"
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def light(role: str) -> str:
    """Return the colour of a role on a light page, which is the one that figures are built with."""
    return COLOURS[role][0]


def dark(node: Any) -> Any:
    """Return a figure's data or layout with the colours of a dark page in place of those of a light one."""
    if isinstance(node, str):
        return _DARK.get(node, node)
    if isinstance(node, Mapping):
        return {key: dark(value) for key, value in node.items()}
    return [dark(value) for value in node] if isinstance(node, list | tuple) else node


def wrapped(label: str) -> str:
    """Return a label in up to three short lines."""
    return "<br>".join(plain(line) for line in textwrap.wrap(label, 20)[:3]) or "–"


def numbers_beside(xs: list[float], ys: list[str], texts: list[str]) -> dict[str, Any]:
    """Return a trace of numbers beside bars; text of the bars themselves would cover their intervals."""
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
    """Return an axis with a title; ``grid`` draws its lines in place of its own."""
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
    """Return an upright axis of names, the first one at the top."""
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


def figure(
    data: list[dict[str, Any]],
    x_axis: dict[str, Any],
    y_axis: dict[str, Any],
    *,
    layout: Mapping[str, Any] | None = None,
    height: int = 320,
    top: int = 12,
) -> Figure:
    """Return a figure without decoration, to be placed on a card of any width."""
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
