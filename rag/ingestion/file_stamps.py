"""Reads files, and recognises unchanged ones by a stamp, without reading them.

A stamp is size, modification and status-change time in nanoseconds, and inode. It represents the content only if the
file had been left alone for a while (git calls other files "racily clean"): a file system's clock ticks, and a file
that is written twice within one tick, in the same length, keeps its times. A file that changes while it is read gets no
stamp either. A file without a stamp is hashed again by the next run.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from rag.errors import DocumentError

__all__ = ["SETTLED_NS", "FileContent", "read_file", "same_size", "stamp_of"]

SETTLED_NS = 2_000_000_000  # FAT's clock, the coarsest, ticks every two seconds


@dataclass(frozen=True, slots=True)
class FileContent:
    """The content of a file. ``stamp`` is None if it would not represent the content."""

    data: bytes
    sha256: bytes
    modified_ns: int
    stamp: str | None


def stamp_of(status: os.stat_result) -> str:
    """Return a file's stamp."""
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def same_size(stamp: str, status: os.stat_result) -> bool:
    """Return whether a file still has the size in its stamp."""
    return stamp.partition(" ")[0] == str(status.st_size)


def read_file(path: Path) -> FileContent:
    """Read a file. Raises :class:`~rag.errors.DocumentError`."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise DocumentError("file name", "the file's name is not valid UTF-8", "rename it") from None
    now = time.time_ns()  # before the file is opened: a write after this moment shows in its times
    try:
        if path.is_symlink() and not path.exists():
            target = os.fsencode(path.readlink()).decode("utf-8", "backslashreplace")
            message = f"it is a link to {target}, which does not exist"
            raise DocumentError("dangling link", message, "correct or remove the link")
        if not stat.S_ISREG(path.stat().st_mode):
            raise DocumentError("not a file", "it is neither a file nor a folder", "name a regular file")
        with path.open("rb") as handle:
            before = os.fstat(handle.fileno())
            data = handle.read()
            after = os.fstat(handle.fileno())
    except FileNotFoundError:
        message = "the file does not exist any more"
        raise DocumentError("missing", message, "restore it, or remove it with `rag documents rm`") from None
    except OSError as error:
        raise DocumentError("unreadable", f"it cannot be read: {error.strerror}", "check its permissions") from None
    settled = max(before.st_mtime_ns, before.st_ctime_ns) + SETTLED_NS <= now
    is_stamped = settled and stamp_of(before) == stamp_of(after) and len(data) == after.st_size
    return FileContent(data, hashlib.sha256(data).digest(), after.st_mtime_ns, stamp_of(after) if is_stamped else None)
