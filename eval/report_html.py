"""A report as one self-contained HTML file: no request, no font, no link to anywhere.

Every text that is not ours is hostile. Static parts are escaped here; questions, answers and passages travel as JSON in
data blocks and are put on the page by ``report.js`` as text only. The page's policy names its two scripts by their
digest, so that even markup that slipped through could neither run nor fetch anything. It knows nothing of how a run
was made.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from eval import plots
from eval.errors import EvalError
from eval.losses import STAGES
from eval.report_rows import json_for_html, pack_rows
from eval.report_tables import Section, Table, run_sections, sweep_section
from eval.report_values import METRICS, em_lost, interval_of, latencies, percentile, sentence, show, show_interval

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["render_run", "render_sweep"]

_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")  # what no page may hold
_WIDE = {"parallel"}  # figures that scroll sideways on a phone
_CAPTIONS = {
    "metrics": "Mean of every metric; the thin lines are 95 % bootstrap intervals.",
    "losses": "From 100 % down to the exact match: every step is what one stage lost, in points.",
    "retrieval": "Recall@k with the band of its 95 % intervals.",
    "abstention": "Wrong answers among those given, the most confident ones first. Dotted: answering everything.",
    "latency": "How many questions took how long. Dotted: median and 95th percentile.",
    "scatter": "Up and to the left is better. Filled and joined: the points that no other one beats.",
    "parallel": "One line for each point of the sweep; strong lines are on the Pareto front.",
}


def render_run(manifest: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the page of a run."""
    metrics = manifest.get("metrics") or {}
    seconds = latencies(rows)
    figures = {
        "metrics": plots.metric_bars(metrics),
        "losses": plots.loss_waterfall(em_lost(manifest, rows)),
        "retrieval": plots.recall_curve(metrics),
        "abstention": plots.risk_coverage_curve((manifest.get("abstention") or {}).get("risk_coverage")),
        "latency": plots.latency_histogram(seconds),
    }
    dataset = manifest.get("dataset") or {}
    facts = [dataset.get("name"), manifest.get("mode"), f"{len(rows):,} question{'' if len(rows) == 1 else 's'}"]
    facts += [f"seed {manifest['seed']}" if manifest.get("seed") is not None else None, manifest.get("created")]
    packed = pack_rows(rows)
    shortened = packed.endswith('"shortened":true}')
    parts = [_section(section, figures.get(section.key)) for section in run_sections(manifest, rows)]
    parts.insert(-3, _questions(shortened))  # before the official scores, how it was made, and the caveats
    return _page(
        str(manifest.get("name") or "Evaluation"),
        " · ".join(str(fact) for fact in facts if fact),
        [_tiles(metrics, seconds), *parts],
        figures,
        packed,
        shortened=shortened,
    )


def render_sweep(name: str, points: Sequence[Mapping[str, Any]]) -> str:
    """Return the page of a sweep."""
    figures = {"scatter": plots.sweep_scatter(points), "parallel": plots.sweep_parallel(points)}
    missing = "Not drawn: no point has both an F1 and a p95 latency."
    scatter = Section("scatter", "F1 against latency", () if figures["scatter"] else (missing,))
    parts = [_section(scatter, figures["scatter"])]
    parts.append(_section(Section("parallel", "Settings and outcome"), figures["parallel"]))
    parts.append(_section(sweep_section(points), None))
    count = len(points)
    return _page(name, f"Sweep of {count:,} point{'' if count == 1 else 's'}", parts, figures, None, shortened=False)


def _page(
    title: str,
    subtitle: str,
    parts: Sequence[str],
    figures: Mapping[str, Figure | None],
    questions: str | None,
    *,
    shortened: bool,
) -> str:
    plotly, own = _script(_plotly_js()), _script(_resource("report.js"))
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src '{_digest(plotly)}' '{_digest(own)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    data = {
        "figures": {key: _figure_json(figure) for key, figure in figures.items() if figure is not None},
        "colours": plots.COLOURS,
        "stages": {stage: sentence(label) for stage, label in STAGES.items()},
        "shortened": shortened,
    }
    blocks = [f'<script type="application/json" id="page">{json_for_html(data)}</script>']
    if questions is not None:
        blocks.append(f'<script type="application/json" id="questions-data">{questions}</script>')
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">',
            f"<title>{_text(title)}</title>\n<style>\n{_resource('report.css')}</style>\n</head>\n<body>",
            f'<header><h1>{_text(title)}</h1><p class="sub">{_text(subtitle)}</p>',
            "<noscript><p>The figures and the questions need JavaScript; the tables do not.</p></noscript>",
            "</header>\n<main>",
            *parts,
            "</main>\n<footer>One file, no network: it can be kept, sent and opened anywhere.</footer>",
            *blocks,
            f"<script>{plotly}</script>\n<script>{own}</script>\n</body>\n</html>\n",
        ]
    )


def _tiles(metrics: Mapping[str, Any], seconds: Sequence[float]) -> str:
    """Return the few figures that one looks for first."""
    tiles = []
    for name in ("em", "f1", "contains", "recall@5"):
        entry, unit = interval_of(metrics, name), METRICS[name].unit
        if entry:
            tiles.append((METRICS[name].label, f"{show(entry['mean'], unit)} %", show_interval(entry, unit)))
    if seconds:
        p50, p95 = percentile(seconds, 50), percentile(seconds, 95)
        tiles.append(("Latency, p95", f"{show(p95, 'seconds')} s", f"p50 {show(p50, 'seconds')} s"))
    shown = "".join(
        f'<div class="tile"><dt>{_text(label)}</dt><dd class="value">{_text(value)}</dd>'
        f'<dd class="range">{_text(extent)}</dd></div>'
        for label, value, extent in tiles
    )
    return f'<dl class="tiles">{shown}</dl>' if tiles else ""


def _section(section: Section, figure: Figure | None) -> str:
    words = "".join(f"<p>{_text(line)}</p>" for line in section.text)
    table = _table(section.table, section.key) if section.table else ""
    if figure is None:
        body = words + table
    else:
        drawn, caption = _plot(section.key, figure), _CAPTIONS[section.key]
        picture = f"<figure>{drawn}<figcaption>{_text(caption)}</figcaption></figure>"
        body = words + (f'<div class="pair">{picture}<div>{table}</div></div>' if table else picture)
    return f'<section id="{section.key}"><h2>{_text(section.title)}</h2>{body}</section>'


def _plot(key: str, figure: Figure) -> str:
    wide = " wide" if key in _WIDE else ""
    plot = (
        f'<div class="plot{wide}" id="plot-{key}" role="img" aria-label="{_text(_CAPTIONS[key])}" '
        f'style="min-height:{int(figure.layout.height)}px"></div>'
    )
    return f'<div class="scroll" tabindex="0">{plot}</div>' if wide else plot


def _table(table: Table, key: str) -> str:
    flush = ["" if index in table.text_columns else ' class="n"' for index in range(len(table.columns))]
    head = "".join(f'<th scope="col"{side}>{_text(name)}</th>' for side, name in zip(flush, table.columns, strict=True))
    lines = "".join(
        f"<tr>{''.join(f'<td{side}>{_text(cell)}</td>' for side, cell in zip(flush, row, strict=True))}</tr>"
        for row in table.rows
    )
    facts = ' class="facts"' if key == "made" else ""
    return f'<div class="scroll"><table{facts}><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'


def _questions(shortened: bool) -> str:
    note = "<p>Long texts and further passages are left out to keep this page small; rows.jsonl has them all.</p>"
    verdicts = {
        "all": "All",
        "right": "Right",
        "wrong": "Wrong",
        "abstained": "Abstained",
        "impossible": "Unanswerable",
    }
    orders = {"dataset": "As in the dataset", "lowest": "Lowest F1", "confident": "Most confident"}
    orders |= {"unsure": "Least confident", "slowest": "Slowest"}
    heads = ("Verdict", "Question", "Prediction", "Gold")
    head = "".join(f"<span>{name}</span>" for name in heads)
    head += "".join(f'<span class="n">{name}</span>' for name in ("F1", "Conf.", "Time (s)"))
    return (
        '<section id="questions"><h2>Questions</h2>'
        "<p>Right means an exact match. Open a question to see its gold answers, passages and citations; "
        '<mark>cited quotes</mark> are marked and <u class="gold">gold answers</u> underlined.</p>'
        f"{note if shortened else ''}"
        '<div class="filters">'
        '<label class="grow" for="search">Search<input id="search" type="search" autocomplete="off" '
        'placeholder="question, answer, source or id"></label>'
        f"{_select('verdict', 'Verdict', verdicts)}{_select('stage', 'Lost at', {'': 'Any stage'})}"
        f"{_select('order', 'Order', orders)}</div>"
        '<p class="count" id="count" role="status"></p>'
        f'<div class="line head" aria-hidden="true">{head}</div><div id="list"></div>'
        '<div class="pager"><button type="button" id="previous">Previous</button><span id="where"></span>'
        '<button type="button" id="next">Next</button></div></section>'
    )


def _select(name: str, label: str, options: Mapping[str, str]) -> str:
    inner = "".join(f'<option value="{value}">{text}</option>' for value, text in options.items())
    return f'<label for="{name}">{label}<select id="{name}">{inner}</select></label>'


def _text(value: object) -> str:
    """Escape a text for HTML; control characters that no page may hold become a replacement sign."""
    return escape(_UNFIT.sub("\ufffd", str(value)))


def _script(source: str) -> str:
    """Return a script as a browser will read it back, so that its digest holds. It must not end its own element."""
    clean = source.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\\0")
    if "</script" in clean.lower() or "<!--" in clean:
        clean = clean.replace("</script", "<\\/script").replace("</SCRIPT", "<\\/SCRIPT").replace("<!--", "<\\!--")
    return clean


def _digest(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _figure_json(figure: Figure) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(figure.to_json(engine="json"))  # orjson, where installed, refuses more
    return {"data": loaded["data"], "layout": {k: v for k, v in loaded["layout"].items() if k != "template"}}


def _resource(name: str) -> str:
    return files("eval").joinpath("templates", name).read_text(encoding="utf-8")


def _plotly_js() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise EvalError("the report is drawn with plotly, which is missing", "run `pip install plotly`") from None
    return str(get_plotlyjs())
