"""Every failure in one sentence, with what to type next and an exit code: for the commands and for the page.

What happened is said by the error itself; what to do about errors of the storage layer, which knows no commands, is
said here. It does not know :mod:`eval`, whose one error carries its own ``message`` and ``remedy``.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from indexes.errors import (
    FormatTooNewError,
    FormatTooOldError,
    HistoryForgottenError,
    IndexDamagedError,
    IndexLockedError,
    IndexMissingError,
    IndexWriteError,
    SettingsMismatchError,
    SnapshotError,
    StoreError,
)
from rag.errors import RagError

__all__ = ["EXIT_LOCKED", "FAILURES", "NEW_FOLDER", "STORE_REMEDIES", "Failure", "explain"]

EXIT_LOCKED = 75
FAILURES = (RagError, StoreError, sqlite3.OperationalError, OSError)

NEW_FOLDER = (
    "put it back with `rag index restore FILE --force`, or ingest the documents into a new folder: "
    "`rag ingest PATH --index NEW`"
)
STORE_REMEDIES: list[tuple[type[StoreError], int, str]] = [
    (IndexMissingError, 4, "run `rag ingest PATH` first, or name another folder with --index"),
    (IndexDamagedError, 5, NEW_FOLDER),
    (IndexLockedError, EXIT_LOCKED, "wait until it is done and run the command again"),
    (FormatTooNewError, 1, "install a newer version of rag-qa, or name another folder with --index"),
    (IndexWriteError, 1, "make room on the disk and run the command again: what was committed is kept"),
    (FormatTooOldError, 1, "ingest the documents into a new folder: `rag ingest PATH --index NEW`"),
    (HistoryForgottenError, 1, "`rag index rollback --list` shows where it can be put back to"),
    (SnapshotError, 1, "name another snapshot; the index was left as it is"),
    (
        SettingsMismatchError,
        1,
        "give the same settings with --set or --config, or make the index anew from its stored texts with "
        "`rag index reembed` and these settings",
    ),
]


@dataclass(frozen=True)
class Failure:
    """What happened, what mends it (may be empty), and the exit code of a command that ends with it.

    ``kind`` is the name of the error's class, for those who say of what kind it is in another language.
    """

    message: str
    remedy: str
    exit_code: int
    kind: str = ""


def explain(error: Exception) -> Failure:
    """Explain one of :data:`FAILURES`."""
    kind = type(error).__name__
    if isinstance(error, RagError):
        return Failure(error.message, error.remedy, error.exit_code, kind)
    if isinstance(error, StoreError):
        told = ((c, r) for kind, c, r in STORE_REMEDIES if isinstance(error, kind))
        code, remedy = next(told, (1, "run `rag index verify`"))
        return Failure(str(error), remedy, code, kind)
    if isinstance(error, sqlite3.OperationalError):
        locked = "locked" in str(error)
        remedy = "wait for the other process and try again" if locked else "check the disk's free space and permissions"
        code = EXIT_LOCKED if locked else 1
        return Failure(f"the index's database cannot be used: {error}", remedy, code, "OperationalError")
    if isinstance(error, OSError):
        told_of = error.filename or "a file"
        return Failure(f"{told_of} cannot be used: {error.strerror}", "check path and permissions", 1, "OSError")
    raise TypeError(f"{kind} is not one of FAILURES")
