"""Reads files, and recognises unchanged ones by a stamp, without reading them.

A stamp is size, modification and status-change time in nanoseconds, and inode. It represents the content only if the
file had been left alone for a while (git calls other files "racily clean"): a file system's clock ticks, and a file
that is written twice within one tick, in the same length, keeps its times. A file that changes while it is read gets no
stamp either. A file without a stamp is hashed again by the next run.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rag.errors import DocumentError

__all__ = ["MOST_BYTES", "SETTLED_NS", "FileContent", "read_file", "same_size", "stamp_of"]

MOST_BYTES = 256 * 2**20
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


def _open(path: str, flags: int, *, follow: bool) -> int:
    """Open a regular file without waiting for another end. Raises :class:`~rag.errors.DocumentError`, ``OSError``."""
    handle = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise DocumentError("not a file", "it is neither a file nor a folder", "name a regular file")
    return handle


def read_file(path: Path, *, most_bytes: int = MOST_BYTES, follow: bool = True) -> FileContent:
    """Read a file of at most ``most_bytes``; without ``follow``, none through a link in its place.

    What it is and how large is asked of the opened file, so that nothing is put in its place in between; a pipe or a
    device is not waited for. Raises :class:`~rag.errors.DocumentError`.
    """
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
        with open(path, "rb", opener=partial(_open, follow=follow)) as handle:
            before = os.fstat(handle.fileno())
            if before.st_size > most_bytes:
                message = f"it is larger than {most_bytes // 2**20} MiB"
                raise DocumentError("too large", message, "split it, or raise the limit parsing.file_mb")
            data = handle.read(before.st_size + 1)  # one that grows gets no stamp
            after = os.fstat(handle.fileno())
    except FileNotFoundError:
        message = "the file does not exist any more"
        raise DocumentError("missing", message, "restore it, or remove it with `rag documents rm`") from None
    except OSError as error:
        if error.errno == errno.ELOOP and not follow:
            raise DocumentError("outside", "a link was put in its place", "ingest again") from None
        raise DocumentError("unreadable", f"it cannot be read: {error.strerror}", "check its permissions") from None
    settled = max(before.st_mtime_ns, before.st_ctime_ns) + SETTLED_NS <= now
    is_stamped = settled and stamp_of(before) == stamp_of(after) and len(data) == after.st_size
    return FileContent(data, hashlib.sha256(data).digest(), after.st_mtime_ns, stamp_of(after) if is_stamped else None)
