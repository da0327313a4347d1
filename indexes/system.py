"""What storage asks of the operating system: atomic writes, fsync, checksums, and the release of files and memory.

This is their only home, except that ``eval`` may not import ``indexes`` and has its own in :mod:`eval.files`. The
module knows nothing of what is in the files.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

__all__ = ["atomic_open", "atomic_write", "closed_on_error", "fsync", "release_memory", "sha256_file", "sha256_json"]


class _Closable(Protocol):
    def close(self) -> None: ...


_T = TypeVar("_T", bound=_Closable)


@contextmanager
def closed_on_error(resource: _T) -> Iterator[_T]:
    """Yield a resource and close it if the block raises: for what opens one, prepares it, and returns it open."""
    with ExitStack() as on_error:
        on_error.callback(resource.close)
        yield resource
        on_error.pop_all()


@contextmanager
def atomic_open(path: Path, *, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Yield a file to write to, which replaces ``path`` at the end of the block; an exception leaves no trace of it.

    Readers see the old content or the new one, also after a crash. Several processes and threads may write to the same
    path; the last one wins. ``mode`` are the permissions of a new file, before the umask. Raises ``OSError``.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    opened = open(part, "wb", opener=lambda name, flags: os.open(name, flags, mode))  # noqa: SIM115 - below
    try:
        with opened as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)  # there is none after renaming
    fsync(path.parent)


def atomic_write(path: Path, content: bytes | str, *, mode: int = 0o666) -> None:
    """Write a file as :func:`atomic_open` does; a text as UTF-8."""
    with atomic_open(path, mode=mode) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def fsync(path: Path) -> None:
    """Wait until a file or a folder is on the disk. Raises ``OSError``."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal. Raises ``OSError``."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """Return the SHA-256 of a value's JSON with sorted keys, in hexadecimal."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def release_memory() -> None:
    """Return freed memory to the system, which takes milliseconds; does nothing without glibc.

    glibc holds back what is freed below the last block in use. After a large file that is some hundred megabytes in
    pieces too small for what comes next.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
