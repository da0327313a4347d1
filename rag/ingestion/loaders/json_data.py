"""JSON and JSON lines: names and values as lines of text, under the path of keys; lists of similar records as tables.

Numbers stay as they are written. A notebook is JSON too; :func:`is_notebook` detects it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.grid import plain_table
from rag.ingestion.loaders.nested_data import Branch, add_branches
from rag.ingestion.loaders.text import decode
from rag.types import Document

__all__ = ["is_notebook", "load_json", "load_json_lines", "parse_json", "parse_json_lines"]

_NAMING = ("name", "title", "id")
_LONGEST_NAME = 80
_WIDEST_TABLE = 20


class _Number(str):
    """A number, written as in the file."""

    __slots__ = ()


def parse_json(text: str) -> Any:
    """Return the value; numbers are texts. Raises ``ValueError`` for what is not JSON."""
    return json.loads(text, parse_int=_Number, parse_float=_Number)


def parse_json_lines(text: str) -> list[Any] | None:
    """Return the values of JSON lines, or None for another text: one value, or lines that are not objects and lists."""
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) < 2:
        return None
    values = []
    for line in lines:
        if not line.lstrip().startswith(("{", "[")):
            return None
        try:
            values.append(parse_json(line))
        except ValueError:
            return None
    return values


def is_notebook(value: Any) -> bool:
    """Return whether a JSON value is a Jupyter notebook."""
    return isinstance(value, dict) and "nbformat" in value and ("cells" in value or "worksheets" in value)


def load_json(data: bytes, source: str) -> Document:
    """Read one JSON value."""
    return _document(_branch("", parse_json(decode(data))), source, "application/json")


def load_json_lines(data: bytes, source: str) -> Document:
    """Read one JSON value per line."""
    return _document(_list("", parse_json_lines(decode(data)) or [], "line"), source, "application/jsonl")


def _document(root: Branch, source: str, media_type: str) -> Document:
    builder = DocumentBuilder()
    if root.rows:
        builder.add_table(plain_table(root.rows[0], root.rows[1:]))
    else:
        add_branches(builder, root.below or [root])
    return builder.document(source, media_type)


def _branch(name: str, value: Any) -> Branch:
    if isinstance(value, dict):
        return Branch(name, below=[_branch(key, below) for key, below in value.items()])
    if isinstance(value, list):
        return _list(name, value, "")
    return Branch(name, _scalar(value))


def _list(name: str, values: Sequence[Any], word: str) -> Branch:
    if _is_table(values):
        header = list(values[0])
        return Branch(name, rows=[header, *([_scalar(value[key]) for key in header] for value in values)])
    if all(not isinstance(value, dict | list) for value in values) and not word:
        return Branch(name, ", ".join(map(_scalar, values)))
    return Branch(
        name,
        below=[
            _branch(f"{word} {n}" if word else _name(value) or str(n), value) for n, value in enumerate(values, start=1)
        ],
    )


def _is_table(values: Sequence[Any]) -> bool:
    """Return whether all are records with the same few keys and without nested values."""
    if len(values) < 2 or not isinstance(values[0], dict) or not 1 < len(values[0]) <= _WIDEST_TABLE:
        return False
    keys = values[0].keys()
    return all(
        isinstance(value, dict)
        and value.keys() == keys
        and not any(isinstance(cell, dict | list) for cell in value.values())
        for value in values
    )


def _name(value: Any) -> str:
    if not isinstance(value, dict):
        return ""
    names = (value.get(key) for key in _NAMING)
    return next((n for n in names if isinstance(n, str) and 0 < len(n.strip()) <= _LONGEST_NAME), "")


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
