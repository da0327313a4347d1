"""Jupyter notebooks: Markdown, code and printed results cell by cell, below the headings of earlier cells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.json_data import parse_json
from rag.ingestion.loaders.markdown import Path, heading_marks
from rag.ingestion.loaders.text import decode, normalise
from rag.text import counted
from rag.types import Document

__all__ = ["load_notebook"]

_MOST_OUTPUT = 5_000  # characters of one cell's results; longer ones are logs
_BARE_HEADING = re.compile(r"\s*#{1,6} [^\n]*\s*")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def load_notebook(data: bytes, source: str) -> Document:
    """Read a notebook. The last part of a section's heading path is its cell, from 1."""
    notebook = parse_json(decode(data))
    language = _language(notebook)
    builder = DocumentBuilder()
    path: Path = ()
    title = ""
    cells = list(_cells(notebook))
    for number, cell in enumerate(cells, start=1):
        kind = cell.get("cell_type")
        text = normalise(_text(cell.get("source", cell.get("input", ""))))
        if kind == "heading":  # in format 3
            kind, text = "markdown", f"{'#' * int(cell.get('level', 1))} {text}"
        if kind != "markdown":
            _note_outputs(builder, cell, number)
            builder.add(_code(text, cell, language if kind == "code" else ""), None, (*_names(path), f"cell {number}"))
            continue
        marks = heading_marks(text, path)
        for (start, path), (end, _) in pairwise([*marks, (len(text), ())]):
            if number == len(cells) or not _BARE_HEADING.fullmatch(text[start:end]):  # a bare heading is in the path
                builder.add(text[start:end], None, (*_names(path), f"cell {number}"))
        title = title or next(iter(_names(path)), "")
    return builder.document(source, "application/x-ipynb+json", title)


def _note_outputs(builder: DocumentBuilder, cell: dict[str, Any], number: int) -> None:
    """Note the results of a cell that are left out: pictures, others without a text, and the end of long ones."""
    outputs, place = cell.get("outputs", []), f"cell {number}"
    if left_out := sum(map(_is_left_out, outputs)):
        builder.note("outputs_left_out", f"{counted(left_out, 'result')} left out: no text", place)
    length = sum(len(_result(output)) for output in outputs)
    if length > _MOST_OUTPUT:
        builder.note("outputs_left_out", f"of {length:,} characters of results {_MOST_OUTPUT:,} were read", place)


def _is_left_out(output: dict[str, Any]) -> bool:
    """Return whether a result is a picture, or data without a text; pictures may have a text of their own."""
    kinds = list(output.get("data", output))
    is_picture = any(kind.startswith("image/") or kind in ("png", "jpeg", "svg") for kind in kinds)
    return is_picture or ("data" in output and bool(kinds) and not _result(output).strip())


def _names(path: Path) -> tuple[str, ...]:
    return tuple(name for _, name in path)


def _cells(notebook: Any) -> Iterator[dict[str, Any]]:
    sheets = notebook.get("worksheets", [notebook])
    for sheet in sheets:
        yield from sheet["cells"]


def _language(notebook: Any) -> str:
    metadata = notebook.get("metadata", {})
    named = metadata.get("language_info", {}).get("name") or metadata.get("kernelspec", {}).get("language")
    return named if isinstance(named, str) else ""


def _code(text: str, cell: dict[str, Any], language: str) -> str:
    if not text.strip():
        return ""
    parts = [_fenced(text, language)]
    results = "\n".join(filter(None, (_result(output) for output in cell.get("outputs", []))))
    results = _COLOURS.sub("", results).strip("\n")
    if results.strip():
        parts.append(_fenced(results[:_MOST_OUTPUT], ""))
    return "\n\n".join(parts)


def _result(output: dict[str, Any]) -> str:
    """Return the text of a result: printed text, plain values, an error's name; no pictures."""
    if output.get("output_type") == "error" or "ename" in output:
        return f"{output.get('ename', '')}: {output.get('evalue', '')}"
    data = output.get("data", output)
    return _text(data.get("text/plain", data.get("text", ""))).rstrip()


def _text(value: Any) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value)


def _fenced(text: str, language: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
