"""Read and write files: strict JSON from users, and writes that a reader sees whole or not at all.

A problem with a file that users write is an :class:`~eval.errors.EvalError` that names the place. Beyond syntax errors,
NaN and infinities are refused, on request also repeated keys. A byte order mark is skipped.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from eval.errors import EvalError

__all__ = [
    "decode",
    "is_text",
    "os_reason",
    "parse_json",
    "read_bytes",
    "sha256_file",
    "write_bytes",
    "write_json",
    "write_text",
]


def read_bytes(path: Path, remedy: str) -> bytes:
    """Return the content of a file. Raises :class:`~eval.errors.EvalError` with the remedy if it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise EvalError(f"{path} does not exist", remedy) from None
    except OSError as error:
        raise EvalError(f"{path} cannot be read: {os_reason(error)}", remedy) from None


def decode(content: bytes, where: str, remedy: str) -> str:
    """Return UTF-8 content as text; ``where`` names it in the error."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EvalError(f"{where} is not UTF-8 (byte {error.start})", remedy) from None


def parse_json(text: str, where: str, remedy: str, *, unique_keys: bool = False) -> Any:
    """Return the JSON value; ``where`` names it in the error. ``unique_keys`` refuses an object with a repeated key."""
    try:
        return json.loads(text, parse_constant=_refuse, object_pairs_hook=_object if unique_keys else None)
    except _RefusedError as error:
        raise EvalError(f"{where}: {error}", remedy) from None
    except ValueError as error:  # json.JSONDecodeError, or an integer of thousands of digits
        raise EvalError(f"{where} is not JSON: {error}", remedy) from None
    except RecursionError:
        raise EvalError(f"{where} is nested too deeply", remedy) from None


def is_text(value: object) -> bool:
    """Return whether the value is a string that UTF-8 can encode: a lone surrogate cannot be written back."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal. Raises ``OSError``."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: Mapping[str, Any] | Iterable[Any]) -> None:
    """Write JSON atomically. NaN raises ``ValueError``."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text atomically as UTF-8; a lone surrogate becomes a question mark."""
    write_bytes(path, text.encode("utf-8", "replace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: readers see the old content or the new one, also after a crash. Raises ``OSError``."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")  # several processes may write the same file
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def os_reason(error: Exception) -> str:
    """Return the reason of an error without the path that ``OSError`` repeats."""
    return str(error.strerror if isinstance(error, OSError) and error.strerror else error)


class _RefusedError(ValueError):
    """JSON that Python reads and we refuse."""


def _refuse(constant: str) -> float:
    raise _RefusedError(f"{constant} is not a number in JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        key = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise _RefusedError(f"the key {key!r} is repeated")
    return members
