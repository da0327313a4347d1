"""Write the report of a run or of a sweep: Markdown, JSON, and one self-contained HTML file.

Names, paths and settings are untrusted in Markdown too: they are escaped so that they appear literally, in one line,
and load nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.errors import EvalError
from eval.files import write_text
from eval.losses import em_lost
from eval.metrics import METRICS, value_in
from eval.report_html import render_run, render_sweep
from eval.report_sections import Section, Table, run_sections, sweep_section
from eval.runs import RunData, latencies
from eval.statistics import percentile
from eval.sweep import sweep_settings

__all__ = ["report_json", "run_markdown", "sweep_markdown", "write_report", "write_sweep_report"]

_SPECIAL = re.compile(r"([\\`*\[\]|~$#!])|(?<!\w)(_)|(_)(?!\w)")


def write_report(folder: Path, run: RunData) -> None:
    """Write ``report.md``, ``report.json`` and ``report.html`` of a run into a folder, which is created.

    Raises :class:`~eval.errors.EvalError` for NaN or an infinity in the run, or if plotly is not installed.
    """
    manifest, rows = run.manifest, run.rows
    _write(
        folder,
        {
            "report.md": lambda: run_markdown(manifest, rows),
            "report.json": lambda: report_json(manifest, rows),
            "report.html": lambda: render_run(manifest, rows),
        },
    )


def write_sweep_report(folder: Path, points: list[dict[str, Any]]) -> None:
    """Write ``sweep.json``, ``sweep.md`` and ``sweep.html`` into a folder, which is created.

    Raises :class:`~eval.errors.EvalError` without a point, for NaN or an infinity, or if plotly is not installed.
    """
    if not points:
        raise EvalError(f"the sweep for {folder} has no finished point", "give the sweep at least one setting to try")
    data = {"format": 1, "points": points}
    _write(
        folder,
        {
            "sweep.json": lambda: json.dumps(data, ensure_ascii=False, allow_nan=False, indent=1) + "\n",
            "sweep.md": lambda: sweep_markdown(folder.name, points),
            "sweep.html": lambda: render_sweep(folder.name, points),
        },
    )


def run_markdown(manifest: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return ``report.md``."""
    sections = sorted(run_sections(manifest, rows), key=lambda section: section.key != "made")
    return _markdown(str(manifest.get("name") or "Evaluation"), sections)


def sweep_markdown(name: str, points: Sequence[Mapping[str, Any]]) -> str:
    """Return ``sweep.md``."""
    varying, _ = sweep_settings(points)
    text = f"{len(points):,} point{'' if len(points) == 1 else 's'}, varying {', '.join(varying) or 'nothing'}."
    return _markdown(f"Sweep {name}", [Section("how", "What was tried", (text,)), sweep_section(points)])


def report_json(manifest: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return ``report.json``: the manifest, the points lost, and per metric the value of every question.

    Values lie in 0 to 1 (latency is in seconds), in the order of ``values.id``; null where a metric does not apply.
    """
    seconds = latencies(rows)
    values: dict[str, list[Any]] = {"id": [row["id"] for row in rows]}
    for name in METRICS:
        column = [value_in(row, name) for row in rows]
        if any(value is not None for value in column):
            values[name] = column
    report = {
        "format": 1,
        "manifest": dict(manifest),
        "em_lost": [
            {"stage": stage, "label": label, "questions": count, "points": points}
            for stage, label, count, points in em_lost(rows)
        ],
        "latency_s": {f"p{q}": percentile(seconds, q) for q in (50, 95, 99)} if seconds else None,
        "values": values,
    }
    return json.dumps(report, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def _markdown(title: str, sections: Sequence[Section]) -> str:
    parts = [f"# {_inline(title)}"]
    for section in sections:
        parts.append(f"## {_inline(section.title)}")
        parts += [_inline(line) for line in section.text]
        if section.diagram:
            parts.append("\n".join(["```text", *section.diagram, "```"]))
        if section.table:
            parts.append(_markdown_table(section.table))
    return "\n\n".join(parts) + "\n"


def _markdown_table(table: Table) -> str:
    rule = [":---" if index in table.text_columns else "---:" for index in range(len(table.columns))]
    lines = [[_inline(cell) for cell in table.columns], rule, *([_inline(cell) for cell in row] for row in table.rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _inline(text: str) -> str:
    """Return a text as one line of Markdown that shows it literally."""
    line = " ".join(text.split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(lambda match: "\\" + match[0], line)


def _write(folder: Path, files: Mapping[str, Callable[[], str]]) -> None:
    """Render every file, then write them: a run that cannot be rendered leaves no file."""
    try:
        texts = {name: render() for name, render in files.items()}
    except ValueError as error:
        message = f"the report for {folder} holds a value that JSON lacks: {error}"
        raise EvalError(message, "delete the folder and run the evaluation again") from None
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_text(folder / name, text)
