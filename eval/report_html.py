"""Render a report as one self-contained HTML file from the templates in ``eval/templates``.

Texts of questions, documents and models are untrusted. The templates escape them; questions and passages travel as JSON
data blocks, and ``report.js`` adds them to the page as text only. The content security policy lists the digests of the
page's two scripts, so that injected markup could neither run nor load anything. The page loads nothing from a network.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from eval import run_plots, sweep_plots
from eval.errors import EvalError
from eval.losses import STAGES, em_lost
from eval.metrics import METRICS, format_interval, format_value, headline
from eval.plot_style import COLOURS
from eval.report_questions import json_for_html, pack_rows
from eval.report_sections import Section, run_sections, sweep_section
from eval.runs import interval_of, latencies
from eval.statistics import percentile

if TYPE_CHECKING:
    from jinja2 import Environment
    from plotly.graph_objects import Figure

__all__ = ["render_run", "render_sweep"]

_NOT_IN_HTML = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_SCRIPT_END = re.compile("<(?=/script|!--)", re.IGNORECASE)


def render_run(manifest: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the HTML page of a run. Raises :class:`~eval.errors.EvalError` if plotly is not installed."""
    metrics = manifest.get("metrics") or {}
    seconds = latencies(rows)
    figures = {
        "metrics": run_plots.metric_bars(metrics),
        "losses": run_plots.loss_waterfall(em_lost(rows)),
        "retrieval": run_plots.recall_curve(metrics),
        "abstention": run_plots.risk_coverage_curve((manifest.get("abstention") or {}).get("risk_coverage")),
        "reliability": run_plots.reliability_diagram(manifest.get("reliability")),
        "latency": run_plots.latency_histogram(seconds),
    }
    dataset = manifest.get("dataset") or {}
    facts = [dataset.get("name"), manifest.get("mode"), f"{len(rows):,} question{'' if len(rows) == 1 else 's'}"]
    facts += [f"seed {manifest['seed']}" if manifest.get("seed") is not None else None, manifest.get("created")]
    packed = pack_rows(rows)
    return _render(
        "run.html.j2",
        figures,
        title=str(manifest.get("name") or "Evaluation"),
        subtitle=" · ".join(str(fact) for fact in facts if fact),
        tiles=_tiles(metrics, seconds),
        sections=run_sections(manifest, rows),
        questions_data=packed.json,
        shortened=packed.shortened,
    )


def render_sweep(name: str, points: Sequence[Mapping[str, Any]]) -> str:
    """Return the HTML page of a sweep. Raises :class:`~eval.errors.EvalError` if plotly is not installed."""
    figures = {"scatter": sweep_plots.sweep_scatter(points), "parallel": sweep_plots.sweep_parallel(points)}
    missing = () if figures["scatter"] else ("Not drawn: no point has both an F1 and a p95 latency.",)
    sections = [
        Section("scatter", "F1 against latency", missing),
        Section("parallel", "Settings and outcome"),
        sweep_section(points),
    ]
    subtitle = f"Sweep of {len(points):,} point{'' if len(points) == 1 else 's'}"
    return _render("sweep.html.j2", figures, title=name, subtitle=subtitle, sections=sections, shortened=False)


def _tiles(metrics: Mapping[str, Any], seconds: Sequence[float]) -> list[tuple[str, str, str]]:
    """Return label, value and range of the most important figures."""
    tiles = []
    for name in headline(metrics):
        entry, unit = interval_of(metrics, name), METRICS[name].unit
        if entry:
            tiles.append((METRICS[name].label, f"{format_value(entry['mean'], unit)} %", format_interval(entry, unit)))
    if seconds:
        p50, p95 = percentile(seconds, 50), percentile(seconds, 95)
        tiles.append(("Latency, p95", f"{format_value(p95, 'seconds')} s", f"p50 {format_value(p50, 'seconds')} s"))
    return tiles


def _render(template: str, figures: Mapping[str, Figure | None], *, shortened: bool, **values: Any) -> str:
    drawn = {key: figure for key, figure in figures.items() if figure is not None}
    page_data = {
        "figures": {key: _figure_json(figure) for key, figure in drawn.items()},
        "colours": COLOURS,
        "stages": STAGES,
        "shortened": shortened,
    }
    return (
        _environment()
        .get_template(template)
        .render(
            heights={key: int(figure.layout.height) for key, figure in drawn.items()},
            page_data=json_for_html(page_data),
            scripts=[_script(_plotly_js()), _script(_resource("report.js"))],
            shortened=shortened,
            style=_resource("report.css"),
            **values,
        )
    )


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("eval"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: _NOT_IN_HTML.sub("\ufffd", value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _script(source: str) -> dict[str, str]:
    """Return a script that cannot end its element, and the digest that the page's security policy names."""
    clean = source.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\\0")
    clean = _SCRIPT_END.sub("<\\\\", clean)
    return {"source": clean, "digest": "sha256-" + base64.b64encode(hashlib.sha256(clean.encode()).digest()).decode()}


def _figure_json(figure: Figure) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(figure.to_json(engine="json"))  # orjson, if installed, refuses more values
    return {"data": tree["data"], "layout": {k: v for k, v in tree["layout"].items() if k != "template"}}


def _resource(name: str) -> str:
    return files("eval").joinpath("templates", name).read_text(encoding="utf-8")


def _plotly_js() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise EvalError("the report is drawn with plotly, which is missing", "run `pip install plotly`") from None
    return str(get_plotlyjs())
