"""The writer lock: one writer at a time, and the loser learns who holds it.

The operating system drops the lock when its process dies, however it dies; the note beside it that names the
holder is only a courtesy and is never consulted to decide anything.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from indexes.errors import IndexLockedError
from indexes.fail_points import fail_point
from indexes.system import atomic_write

__all__ = ["Holder", "holder", "writer_lock"]

LOCK = "writer.lock"
HOLDER = "writer.json"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who says that it is writing, what for, and since when (a moment as ISO 8601 writes it)."""

    pid: int
    host: str
    purpose: str
    since: str


def holder(folder: Path) -> Holder | None:
    """Return who is writing, as far as its note says: to show it, never to decide by it.

    The lock itself is not touched, because a writer that begins at this moment would find it taken.
    """
    found = _read_note(folder)
    return None if found is None or (found.host == socket.gethostname() and _is_dead(found.pid)) else found


def _read_note(folder: Path) -> Holder | None:
    try:
        note = json.loads((folder / HOLDER).read_text(encoding="utf-8"))
        return Holder(int(note["pid"]), str(note["host"]), str(note["purpose"]), str(note["since"]))
    except (OSError, ValueError, KeyError, TypeError):  # it may be half written or gone
        return None


def _is_dead(pid: int) -> bool:
    if os.name != "posix":  # elsewhere asking would end the process
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False


@contextmanager
def writer_lock(folder: Path, purpose: str, *, timeout_s: float = 0.0) -> Iterator[None]:
    """Hold the folder's writer lock; ``purpose`` is shown to a process that is refused.

    Raises :class:`~indexes.errors.IndexLockedError` if another holder keeps it longer than ``timeout_s`` seconds.
    """
    lock = FileLock(folder / LOCK, timeout=timeout_s)
    try:
        lock.acquire()
    except Timeout:
        other = _read_note(folder)
        where = other and f"{other.purpose} (process {other.pid} on {other.host}, since {other.since})"
        raise IndexLockedError(folder, where or "another process") from None
    try:
        note = Holder(os.getpid(), socket.gethostname(), purpose, datetime.now(UTC).isoformat(timespec="seconds"))
        atomic_write(folder / HOLDER, json.dumps(asdict(note)))  # replaces a link instead of writing through it
        fail_point("lock.taken")
        yield
    finally:
        (folder / HOLDER).unlink(missing_ok=True)
        lock.release()
