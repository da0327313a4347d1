"""Every error a user can run into, with an exit code and what to do next.

::

    RagError                       1   the general case
    ├── UsageError                 2   a wrong option, key or value
    ├── InputError                 1   a path, file or question that cannot be used
    ├── DocumentError              -   one document cannot be read; it becomes a failed row, the run goes on
    ├── MissingPackageError        1   an optional package is not installed
    ├── ModelError                 1   a model that is missing or has the wrong checksum
    ├── PromptTooLongError         1   a question that does not fit its model
    ├── PromptRefusedError         1   a prompt that the endpoint refuses; it may accept others
    ├── GeneratorError             6   the generator cannot be reached or has stopped
    └── StorageError               *   the index folder cannot be used: missing (4), damaged (5), locked (75) ...

Exit codes besides these: 7 some files or lines failed, 8 significantly worse, 130 interrupted.

The storage layer knows no commands, so its errors have no remedy. :func:`storage_errors` turns them into
:class:`StorageError`, and :func:`explain` turns any of :data:`FAILURES` into a :class:`Failure` for commands and pages.
:mod:`eval` has one error of its own, with the same ``message`` and ``remedy``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from indexes.errors import (
    FormatTooNewError,
    FormatTooOldError,
    HistoryForgottenError,
    IndexDamagedError,
    IndexFolderError,
    IndexLockedError,
    IndexMissingError,
    IndexWriteError,
    SettingsMismatchError,
    SnapshotError,
    StoreError,
)
from rag.text import error_line

__all__ = [
    "EXIT_LOCKED",
    "EXIT_SOME_FAILED",
    "FAILURES",
    "NEW_FOLDER",
    "DocumentError",
    "Failure",
    "GeneratorError",
    "InputError",
    "MissingPackageError",
    "ModelError",
    "PromptRefusedError",
    "PromptTooLongError",
    "RagError",
    "StorageError",
    "UsageError",
    "explain",
    "model_errors",
    "storage_errors",
]

EXIT_SOME_FAILED = 7
EXIT_LOCKED = 75


class RagError(Exception):
    """An error with a remedy: ``message`` says what happened, ``remedy`` what to do about it. It can be pickled."""

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        return Exception.__new__, (type(self), *self.args), self.__dict__  # without __init__, whose arguments differ

    @property
    def kind(self) -> str:
        """The name of the error's class, for messages in other languages."""
        return type(self).__name__


class UsageError(RagError):
    """A wrong option, configuration key or value."""

    exit_code = 2


class InputError(RagError):
    """A path, a file or a question that cannot be used."""


class DocumentError(RagError):
    """One document cannot be read. ``reason`` is its class in one or two words, for counting."""

    def __init__(self, reason: str, message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.reason = reason


class MissingPackageError(RagError):
    """An optional package is not installed."""


class ModelError(RagError):
    """A model that is not on this machine, or that does not match its checksum."""


class PromptTooLongError(RagError):
    """Instructions and question alone exceed the model's context."""


class PromptRefusedError(RagError):
    """The endpoint refuses this prompt. It is reachable and may accept others."""


class GeneratorError(RagError):
    """The generator cannot be reached, or has stopped."""

    exit_code = 6


class StorageError(RagError):
    """The index folder cannot be used. ``kind`` names the storage error, which is its ``__cause__``."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message, failure.remedy)
        self.exit_code = failure.exit_code
        self._kind = failure.kind

    @property
    def kind(self) -> str:
        """The name of the storage error's class."""
        return self._kind


# Explaining errors -----------------------------------------------------------------------------------------------

FAILURES = (RagError, StoreError, sqlite3.OperationalError, OSError)

NEW_FOLDER = (
    "restore a snapshot with `rag index restore FILE --force`, or ingest the documents into a new folder: "
    "`rag ingest PATH --index NEW`"
)
_STORE_REMEDIES: list[tuple[type[StoreError], int, str]] = [
    (IndexMissingError, 4, "run `rag ingest PATH` first, or name another folder with --index"),
    (IndexFolderError, 1, "name another folder with --index"),
    (IndexDamagedError, 5, NEW_FOLDER),
    (IndexLockedError, EXIT_LOCKED, "wait until it is done, then run the command again"),
    (FormatTooNewError, 1, "install a newer version of rag-qa, or name another folder with --index"),
    (IndexWriteError, 1, "free disk space and run the command again; committed work is not lost"),
    (FormatTooOldError, 1, "ingest the documents into a new folder: `rag ingest PATH --index NEW`"),
    (HistoryForgottenError, 1, "run `rag index rollback --list` to see the possible generations"),
    (SnapshotError, 1, "name another snapshot; the index is unchanged"),
    (
        SettingsMismatchError,
        1,
        "use the same settings with --set or --config, or rebuild the index from its stored texts: "
        "`rag index reembed` with the new settings",
    ),
]


@dataclass(frozen=True)
class Failure:
    """What happened, what to do about it (may be empty), the exit code, and the name of the error's class."""

    message: str
    remedy: str
    exit_code: int
    kind: str = ""


def explain(error: Exception) -> Failure:
    """Explain one of :data:`FAILURES`. Raises ``TypeError`` for any other error."""
    kind = type(error).__name__
    if isinstance(error, RagError):
        return Failure(error.message, error.remedy, error.exit_code, error.kind)
    if isinstance(error, StoreError):
        remedies = ((code, remedy) for cls, code, remedy in _STORE_REMEDIES if isinstance(error, cls))
        code, remedy = next(remedies, (1, "run `rag index verify`"))
        return Failure(str(error), remedy, code, kind)
    if isinstance(error, sqlite3.OperationalError):
        locked = "locked" in str(error)
        remedy = "wait for the other process and try again" if locked else "check free disk space and permissions"
        code = EXIT_LOCKED if locked else 1
        return Failure(f"the index's database cannot be used: {error}", remedy, code, "OperationalError")
    if isinstance(error, OSError):
        name = error.filename or "a file"
        return Failure(f"{name} cannot be used: {error.strerror}", "check path and permissions", 1, "OSError")
    raise TypeError(f"{kind} is not one of FAILURES")


@contextmanager
def model_errors(message: str, remedy: str) -> Iterator[None]:
    """Raise :class:`ModelError` in place of what a model library raises; ours pass.

    The message ends with the library's own.
    """
    try:
        yield
    except RagError:
        raise
    except Exception as error:  # the libraries raise many kinds for files, weights and devices that do not fit
        raise ModelError(f"{message}: {error_line(error, 200)}", remedy) from error


@contextmanager
def storage_errors() -> Iterator[None]:
    """Raise :class:`StorageError` in place of what the storage layer raises, and of an ``OSError`` about a file."""
    try:
        yield
    except (StoreError, sqlite3.OperationalError) as error:
        raise StorageError(explain(error)) from error
    except OSError as error:
        if error.filename is None:  # from a callback whose pipe is closed, for example
            raise
        raise StorageError(explain(error)) from error
