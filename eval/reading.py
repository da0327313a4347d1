"""Reading JSON that people wrote: every fault is an :class:`~eval.errors.EvalError` that says where it is.

Refused beside broken syntax: NaN and the infinities, a key given twice (where asked for), text that cannot be written
as UTF-8 again (a lone half of a surrogate pair). A byte order mark is passed over.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from eval.errors import EvalError

__all__ = ["decode", "is_text", "parse", "read_bytes"]


def read_bytes(path: Path, remedy: str) -> bytes:
    """Return the file's content."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise EvalError(f"{path} does not exist", remedy) from None
    except OSError as error:
        raise EvalError(f"{path} cannot be read: {error.strerror or error}", remedy) from None


def decode(content: bytes, where: str, remedy: str) -> str:
    """Return the content as text."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EvalError(f"{where} is not UTF-8 (byte {error.start})", remedy) from None


def parse(text: str, where: str, remedy: str, *, unique_keys: bool = False) -> Any:
    """Return the JSON value. ``unique_keys`` refuses an object that gives a key twice instead of taking the last."""
    try:
        return json.loads(text, parse_constant=_refuse, object_pairs_hook=_object if unique_keys else None)
    except _RefusedError as error:
        raise EvalError(f"{where}: {error}", remedy) from None
    except ValueError as error:  # json.JSONDecodeError, or an integer of thousands of digits
        raise EvalError(f"{where} is not JSON: {error}", remedy) from None
    except RecursionError:
        raise EvalError(f"{where} is nested too deeply", remedy) from None


def is_text(value: object) -> bool:
    """Tell whether the value is a string that can be written as UTF-8."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


class _RefusedError(ValueError):
    """Valid for :mod:`json`, yet not for us."""


def _refuse(constant: str) -> float:
    raise _RefusedError(f"{constant} is not a number that JSON knows")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise _RefusedError(f"the key {twice!r} stands there twice")
    return found
