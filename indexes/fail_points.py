"""Named places where a test may have the process killed, interrupted or refused by the disk.

Nothing happens unless ``RAG_FAIL_AT`` was set when this module was imported: then ``fail_point`` is another function,
and otherwise one that returns. Its value is ``NAME`` or ``NAME*N`` (the N-th time), and ``=ACTION`` with one of
:data:`ACTIONS`; ``kill`` where none is given. ``RAG_FAIL_LOG`` names a file that every place is written to instead.

It knows the places' names (:data:`FAIL_POINTS`) and nothing of what happens there.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable

__all__ = ["ACTIONS", "FAIL_POINTS", "fail_point"]

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


def _unarmed(name: str) -> None:
    del name


def _armed(setting: str, log: str) -> Callable[[str], None]:
    place, _, action = setting.partition("=")
    wanted, _, count = place.partition("*")
    if setting and (wanted not in FAIL_POINTS or (action or "kill") not in ACTIONS):
        raise ValueError(f"RAG_FAIL_AT={setting} names no place or no action: {', '.join(FAIL_POINTS)}")
    left = [int(count or 1)]

    def reach(name: str) -> None:
        if log:
            with open(log, "a", encoding="utf-8") as handle:  # noqa: PTH123 - as little as possible stands between
                handle.write(f"{name}\n")
        if name == wanted:
            left[0] -= 1
            if left[0] == 0:
                ACTIONS[action or "kill"]()

    return reach


_SETTING, _LOG = os.environ.get("RAG_FAIL_AT", ""), os.environ.get("RAG_FAIL_LOG", "")

fail_point: Callable[[str], None] = _armed(_SETTING, _LOG) if _SETTING or _LOG else _unarmed
