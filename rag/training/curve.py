"""The learning curve of a training as one HTML page that needs no network: loss and figures by step."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["curve_page", "write_curve"]

_TEXT, _MUTED, _GRID = "#1c2128", "#5a636e", "#e4e7eb"
_LOSS = "#b04a22"
_MEASURED = {  # of a reader, then of a reranker; the figure that chooses the model is blue
    "eval_f1": ("F1", "#2b6cb0"),
    "eval_em": ("exact match", "#1d776b"),
    "eval_ndcg": ("nDCG@10", "#2b6cb0"),
    "eval_mrr": ("MRR@10", "#1d776b"),
}
# The page runs only its own scripts and fetches nothing.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)


def write_curve(path: Path, history: Sequence[Mapping[str, Any]], title: str) -> None:
    """Write :func:`curve_page` to a file."""
    path.write_text(curve_page(history, title), encoding="utf-8")


def curve_page(history: Sequence[Mapping[str, Any]], title: str) -> str:
    """Return the page of rows with ``step`` and ``loss``, or ``step`` and figures such as ``eval_f1``."""
    from plotly.graph_objects import Figure
    from plotly.io import to_html

    lines = [
        _line("training loss", history, "loss", _LOSS, "y"),
        *(
            _line(name, history, key, colour, "y2")
            for key, (name, colour) in _MEASURED.items()
            if any(key in row for row in history)
        ),
    ]
    layout = {
        "template": {},
        "height": 640,
        "margin": {"l": 60, "r": 20, "t": 20, "b": 50},
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": _TEXT},
        "plot_bgcolor": "#ffffff",
        "legend": {"orientation": "h", "y": -0.1},
        "hovermode": "x unified",
        "xaxis": _axis("step") | {"anchor": "y2"},
        "yaxis": _axis("training loss") | {"domain": [0.56, 1], "rangemode": "tozero"},
        "yaxis2": _axis("% of the watched questions") | {"domain": [0, 0.44], "range": [0, 100]},
    }
    drawn = to_html(
        Figure(data=lines, layout=layout),
        full_html=False,
        include_plotlyjs=True,
        div_id="curve",
        config={"displayModeBar": False},
    )
    named = html.escape(title)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n<title>{named}</title>\n'
        "<style>body{font-family:system-ui,sans-serif;margin:1.5rem auto;max-width:60rem;padding:0 1rem;color:"
        f"{_TEXT}}}</style>\n</head>\n<body>\n<h1>{named}</h1>\n{drawn}\n</body>\n</html>\n"
    )


def _line(name: str, history: Sequence[Mapping[str, Any]], key: str, colour: str, axis: str) -> dict[str, Any]:
    points = [(row["step"], row[key]) for row in history if row.get(key) is not None]
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(points) <= 100 else "lines",
        "name": name,
        "x": [step for step, _ in points],
        "y": [value for _, value in points],
        "yaxis": axis,
        "line": {"color": colour, "width": 2},
        "marker": {"color": colour, "size": 6},
    }


def _axis(title: str) -> dict[str, Any]:
    return {
        "title": {"text": title, "font": {"color": _MUTED}},
        "gridcolor": _GRID,
        "zeroline": False,
        "linecolor": _MUTED,
        "showline": True,
    }
