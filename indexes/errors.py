"""What can go wrong with an index folder.

::

    StoreError
    ├── IndexMissingError      nothing here yet
    ├── IndexFolderError       a folder that cannot hold an index
    ├── IndexDamagedError      the database itself cannot be trusted
    │   └── LexicalFilesError  files of the lexical index
    ├── IndexLockedError       another process is writing; says which
    ├── IndexWriteError        a derived index cannot be written: the disk is full, a file too large
    ├── HistoryForgottenError  a generation that the index cannot be put back to
    ├── SnapshotError          a file that is no snapshot, or not a whole one
    ├── FormatTooNewError      written by a later version of this software
    ├── FormatTooOldError      written by an earlier one whose format is no longer read
    └── SettingsMismatchError  made with other settings than the ones asked for

The messages say what happened. The command line adds what to do next.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = [
    "FormatTooNewError",
    "FormatTooOldError",
    "HistoryForgottenError",
    "IndexDamagedError",
    "IndexFolderError",
    "IndexLockedError",
    "IndexMissingError",
    "IndexWriteError",
    "LexicalFilesError",
    "SettingsMismatchError",
    "SnapshotError",
    "StoreError",
]


class StoreError(Exception):
    """Base of every error this package raises on purpose. Errors can be pickled, for worker processes."""

    def __reduce__(self) -> tuple[object, ...]:
        return Exception.__new__, (type(self), *self.args), self.__dict__  # without __init__, whose arguments differ


class IndexMissingError(StoreError):
    """The folder holds no index."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"there is no index in {folder}")
        self.folder = folder


class IndexFolderError(StoreError):
    """The folder cannot hold an index: its name is not UTF-8, or another program has a database of our name in it."""


class IndexDamagedError(StoreError):
    """The database is not readable or contradicts itself."""


class LexicalFilesError(IndexDamagedError, ValueError):
    """Files of the lexical index cannot be read; it can be built again from the database."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the lexical index is damaged: {reason}")


class IndexLockedError(StoreError):
    """Another process holds the writer lock."""

    def __init__(self, folder: Path, holder: str) -> None:
        super().__init__(f"the index in {folder} is being written by {holder}")
        self.holder = holder


class IndexWriteError(StoreError):
    """A derived index cannot be written; what was committed is safe, and the last good index is still in place."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(f"the {folder.name} index cannot be written into {folder}: {reason}")
        self.folder = folder


class FormatTooNewError(StoreError):
    """The folder's format version is later than this software reads."""

    def __init__(self, folder: Path, found: int, known: int) -> None:
        super().__init__(f"the index in {folder} has format {found}, and this version reads formats up to {known}")


class FormatTooOldError(StoreError):
    """The folder's format version is earlier than this software reads."""

    def __init__(self, folder: Path, found: int, known: int) -> None:
        super().__init__(f"the index in {folder} has format {found}, and this version reads format {known}")


class HistoryForgottenError(StoreError):
    """The index does not know any more, or not yet, what it held at a generation."""

    def __init__(self, folder: Path, wanted: int, first: int, last: int) -> None:
        known = f"generations {first} to {last - 1} are" if first < last else "no earlier generation is"
        super().__init__(f"the index in {folder} cannot be put back to generation {wanted}: {known} on record")


class SnapshotError(StoreError):
    """A file is no snapshot, or it is not what its checksum says."""


class SettingsMismatchError(StoreError):
    """The index was built with other settings. ``differences`` maps a name to (recorded, asked)."""

    def __init__(self, folder: Path, differences: Mapping[str, tuple[object, object]]) -> None:
        differing = "; ".join(f"{name} is {was!r} there and {now!r} here" for name, (was, now) in differences.items())
        super().__init__(f"the index in {folder} was built with other settings: {differing}")
        self.differences = dict(differences)
