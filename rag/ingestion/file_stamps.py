"""Reading a file, and the stamp by which it is known to be unchanged without being read again.

A stamp is size, modification and status-change time in nanoseconds, and inode. It stands for the content that was
read only if the file had been left alone for a while by then (git calls it "racily clean"): a file system's clock
ticks, and what is written twice within one tick, in the same length, keeps its times. A file that changes while it is
read gets no stamp either. What has none is simply hashed again.
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

SETTLED_NS = 2_000_000_000  # FAT's clock ticks every two seconds, the coarsest there is


@dataclass(frozen=True, slots=True)
class FileContent:
    """What was read of a file; ``stamp`` is None where it could not be vouched for."""

    data: bytes
    sha256: bytes
    modified_ns: int
    stamp: str | None


def stamp_of(status: os.stat_result) -> str:
    """Return a file's stamp."""
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def same_size(stamp: str, status: os.stat_result) -> bool:
    """Tell whether a file still has the size that its stamp says."""
    return stamp.partition(" ")[0] == str(status.st_size)


def read_file(path: Path) -> FileContent:
    """Read a file. Raises :class:`~rag.errors.DocumentError`."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise DocumentError("file name", "the file's name is not valid UTF-8", "rename it") from None
    now = time.time_ns()  # before the file is looked at: a write after this moment shows in its times
    try:
        if path.is_symlink() and not path.exists():
            target = os.fsencode(path.readlink()).decode("utf-8", "backslashreplace")
            raise DocumentError(
                "dangling link", f"it is a link to {target}, which does not exist", "mend or remove the link"
            )
        if not stat.S_ISREG(path.stat().st_mode):
            raise DocumentError("not a file", "it is neither a file nor a folder", "name a regular file")
        with path.open("rb") as handle:
            before = os.fstat(handle.fileno())
            data = handle.read()
            after = os.fstat(handle.fileno())
    except FileNotFoundError:
        raise DocumentError(
            "missing", "it is not there any more", "put it back, or remove it with `rag documents rm`"
        ) from None
    except OSError as error:
        raise DocumentError("unreadable", f"it cannot be read: {error.strerror}", "check its permissions") from None
    settled = max(before.st_mtime_ns, before.st_ctime_ns) + SETTLED_NS <= now
    vouched = settled and stamp_of(before) == stamp_of(after) and len(data) == after.st_size
    return FileContent(data, hashlib.sha256(data).digest(), after.st_mtime_ns, stamp_of(after) if vouched else None)
