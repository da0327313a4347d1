"""Named places where a test may have the process killed, interrupted or refused by the disk.

Off, which is how it is unless a test sets ``RAG_FAIL_AT`` or calls :func:`arm`, a place costs one comparison. The
setting is ``NAME``, or ``NAME*N`` for the N-th time it is reached, and ``=ACTION`` with one of :data:`ACTIONS`;
``kill`` where none is given. ``RAG_FAIL_LOG`` names a file that every place is written to as it is reached.

It knows the places' names (:data:`FAIL_POINTS`) and nothing of what happens there.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable

__all__ = ["ACTIONS", "FAIL_POINTS", "arm", "fail_point"]

FAIL_POINTS = (
    "lock.taken",
    "vectors.begun",
    "vectors.one",
    "vectors.before-commit",
    "vectors.after-commit",
    "commit.begun",
    "commit.logged",
    "commit.removed",
    "commit.moved",
    "commit.document-removed",
    "commit.document",
    "commit.failures",
    "commit.sealed",
    "commit.done",
    "stamps.before-commit",
    "stamps.done",
    "sync.begun",
    "publish.made",
    "publish.filled",
    "publish.manifest",
    "publish.fsynced",
    "publish.renamed",
    "publish.done",
    "sync.published",
    "sync.old-removed",
    "signatures.before-commit",
    "sync.done",
    "compact.dropped",
    "compact.done",
    "compact.derived",
    "compact.vacuumed",
    "snapshot.copied",
    "snapshot.written",
    "restore.checked",
    "restore.copying",
    "restore.done",
)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _full_disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


ACTIONS: dict[str, Callable[[], object]] = {
    "kill": _kill,
    "interrupt": lambda: signal.raise_signal(signal.SIGINT),
    "terminate": lambda: signal.raise_signal(signal.SIGTERM),
    "full": _full_disk,
}


_reach: Callable[[str], None] | None = None


def fail_point(name: str) -> None:
    """Mark a place. Nothing happens here unless a test armed it."""
    if _reach is not None:
        _reach(name)


def arm(setting: str = "", log: str = "") -> None:
    """Have the place that ``setting`` names fail, and every place written to ``log``; with neither, stop doing so.

    Raises ``ValueError`` for a setting that names no place or no action.
    """
    global _reach  # noqa: PLW0603 - one switch for the process, as a signal handler is
    place, _, action = setting.partition("=")
    wanted, _, count = place.partition("*")
    if setting and (wanted not in FAIL_POINTS or (action or "kill") not in ACTIONS):
        raise ValueError(f"{setting} names no place or no action: {', '.join(FAIL_POINTS)}; {', '.join(ACTIONS)}")
    left = [int(count or 1)]

    def reach(name: str) -> None:
        if name not in FAIL_POINTS:
            raise ValueError(f"{name} is not among the named places")
        if log:
            with open(log, "a", encoding="utf-8") as handle:  # noqa: PTH123 - as little as possible stands between
                handle.write(f"{name}\n")
        if name == wanted:
            left[0] -= 1
            if left[0] == 0:
                ACTIONS[action or "kill"]()

    _reach = reach if setting or log else None


if "RAG_FAIL_AT" in os.environ or "RAG_FAIL_LOG" in os.environ:
    arm(os.environ.get("RAG_FAIL_AT", ""), os.environ.get("RAG_FAIL_LOG", ""))
