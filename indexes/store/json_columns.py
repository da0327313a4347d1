"""Columns that hold a tuple as JSON: heading paths, and the notes of a document. One table says how each is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

from indexes.errors import IndexDamagedError
from indexes.store.rows import ReadingNote

__all__ = ["dump", "is_json", "load", "pack", "unpack"]


def _heading(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _note(value: Any) -> ReadingNote:
    if not isinstance(value, list):
        raise TypeError(value)
    return ReadingNote(*map(_heading, value))


_ITEMS: dict[str, Callable[[Any], Any]] = {"headings": _heading, "notes": _note}


def is_json(name: str) -> bool:
    """Return whether a column holds a tuple as JSON."""
    return name in _ITEMS


def pack(values: tuple[Any, ...]) -> list[Any]:
    """Return a tuple as JSON values."""
    return [list(astuple(value)) if isinstance(value, ReadingNote) else value for value in values]


def unpack(name: str, values: Any, where: str) -> tuple[Any, ...]:
    """Return the tuple that was packed. Raises :class:`~indexes.errors.IndexDamagedError` if it is none."""
    try:
        if not isinstance(values, list):
            raise TypeError(values)
        return tuple(map(_ITEMS[name], values))
    except TypeError:
        raise IndexDamagedError(f"the database is damaged: the {name} of {where} cannot be read") from None


def dump(values: tuple[Any, ...]) -> str:
    """Return a tuple as the text that is stored."""
    return json.dumps(pack(values), ensure_ascii=False)


def load(name: str, stored: str, where: str) -> tuple[Any, ...]:
    """Return a stored tuple. Raises :class:`~indexes.errors.IndexDamagedError` if it cannot be read."""
    try:
        values = json.loads(stored)
    except ValueError:
        values = None
    return unpack(name, values, where)
