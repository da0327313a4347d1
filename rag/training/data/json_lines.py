"""JSON lines: one object a line, with the keys that a source needs. Other keys are ignored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rag.errors import InputError
from rag.training.data.corpus import read_lines

__all__ = ["is_texts", "read_json_lines"]

_NAMES: dict[type, str] = {str: "a text", list: "a list"}


def read_json_lines(path: Path, keys: Mapping[str, type], remedy: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number and the object of every line that is not blank; ``keys`` are names and types that it must have.

    Raises :class:`~rag.errors.InputError` with the number of a line in another form.
    """
    for number, line in enumerate(read_lines(path, remedy), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise InputError(f"{where} is not JSON", remedy) from None
        if not isinstance(row, dict):
            raise InputError(f"{where} is not an object", remedy)
        for key, kind in keys.items():
            if key not in row:
                raise InputError(f"{where} has no key {key!r}", remedy)
            if not isinstance(row[key], kind):
                raise InputError(f"{where}: {key!r} must be {_NAMES[kind]}", remedy)
        yield number, row


def is_texts(value: object) -> bool:
    """Return whether a value is a list of texts."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
