"""The report's figures on the page: in its language, in its colours.

:mod:`eval.run_plots` and :mod:`eval.sweep_plots` draw them in English on white. This module replaces words and colours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eval import plot_style, run_plots, sweep_plots
from eval.metrics import METRICS
from eval.plot_style import WORDS
from eval.runs import latencies
from ui.i18n import Texts
from ui.views.runs import loss_rows, metric_label

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["plot_words", "run_figures", "sweep_figures", "themed"]

_DECIMAL = re.compile(r"(?<=\d)\.(?=\d)")


def plot_words(t: Texts) -> dict[str, str]:
    """Return the words of the plots in the language of the page."""
    metrics = {name: metric_label(name, t) for name in METRICS}
    return metrics | {key: t(f"plots.{key}") for key in WORDS}


def run_figures(
    manifest: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], t: Texts, *, dark: bool
) -> dict[str, Figure]:
    """Return the figures of a run by name, those that can be drawn."""
    words = plot_words(t)
    metrics = manifest.get("metrics") or {}
    abstention = manifest.get("abstention")
    curve = abstention.get("risk_coverage") if isinstance(abstention, Mapping) else None
    drawn = {
        "losses": run_plots.loss_waterfall(loss_rows(rows, t), words),
        "metrics": run_plots.metric_bars(metrics, words),
        "reliability": run_plots.reliability_diagram(manifest.get("reliability"), words),
        "risk": run_plots.risk_coverage_curve(curve, words),
        "latency": run_plots.latency_histogram(latencies(rows), words),
    }
    return {name: themed(figure, t, dark=dark) for name, figure in drawn.items() if figure is not None}


def sweep_figures(points: Sequence[Mapping[str, Any]], t: Texts, *, dark: bool) -> dict[str, Figure]:
    """Return the figures of a sweep, those that can be drawn."""
    words = plot_words(t)
    drawn = {"parallel": sweep_plots.sweep_parallel(points, words), "scatter": sweep_plots.sweep_scatter(points, words)}
    # Names and values of settings stand in them as they were typed: a decimal point stays one.
    return {name: themed(figure, t, dark=dark, numbers=False) for name, figure in drawn.items() if figure is not None}


def themed(figure: Figure, t: Texts, *, dark: bool, numbers: bool = True) -> Figure:
    """Return a figure with the page's fonts, the colours of its theme and the decimal sign of its language."""
    import json

    from plotly.graph_objects import Figure

    tree = json.loads(figure.to_json(engine="json"))
    tree["layout"].get("font", {}).pop("family", None)  # Streamlit sets its own
    tree["layout"].pop("template", None)
    sign = t.number(0.5)[1:2]
    tree["layout"]["separators"] = f"{sign}\u00a0"
    if numbers and sign != ".":
        tree = _with_sign(tree, sign)
    return Figure(plot_style.dark(tree) if dark else tree)


def _with_sign(node: Any, sign: str, key: str = "") -> Any:
    """Exchange the decimal point in what is read; colours, sizes and formats keep theirs."""
    if isinstance(node, str):
        return _DECIMAL.sub(sign, node) if key in ("text", "hovertext") else node
    if isinstance(node, dict):
        return {k: _with_sign(v, sign, k) for k, v in node.items()}
    return [_with_sign(v, sign, key) for v in node] if isinstance(node, list) else node
