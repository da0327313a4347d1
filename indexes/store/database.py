"""The database file of an index folder: connections, creation, migration, transactions and its log of commits.

Durability rests on two settings: ``synchronous=FULL``, and a rollback journal below SQLite 3.51.3, because write-ahead
logging had a corruption bug before it (https://www.sqlite.org/wal.html, "WAL-reset bug").

It knows nothing of documents, chunks and vectors: :mod:`indexes.store.queries` reads them, :mod:`indexes.store.store`
writes them. It may be shared by threads: each gets its own connection.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, Self

from indexes.derived import publish as derived
from indexes.errors import (
    FormatTooNewError,
    FormatTooOldError,
    IndexDamagedError,
    IndexFolderError,
    IndexMissingError,
    StoreError,
)
from indexes.lock import writer_lock
from indexes.store import schema
from indexes.store.checksums import set_meta
from indexes.store.migration import create_tables, migrate
from indexes.system import closed_on_error

__all__ = ["DATABASE", "Database", "connect", "holds_index", "is_part_of_index", "journal_mode", "now"]

DATABASE = "rag.db"
WAL_IS_SOUND_FROM = (3, 51, 3)
BUSY_TIMEOUT_S = 30.0


# Code that a stranger's database would run while it is read or written: an index has only tables and their indexes.
_FOREIGN = """
    SELECT CASE WHEN type IN ('table', 'index') THEN 'virtual table' ELSE type END FROM sqlite_master
    WHERE type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%'
"""
_UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError)  # the latter where SQLite's own message quotes damaged text


class _Cursor(sqlite3.Cursor):
    """A cursor that calls a broken file damaged, wherever in a read that shows."""

    def execute(self, *arguments: Any) -> Self:
        try:
            return super().execute(*arguments)
        except _UNREADABLE as error:
            _raise_named(error, self.connection)

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except _UNREADABLE as error:
            _raise_named(error, self.connection)

    def fetchone(self) -> Any:
        return next(self, None)

    def fetchall(self) -> list[Any]:
        return list(self)


class _Connection(sqlite3.Connection):
    """A connection whose cursors are :class:`_Cursor`; ``execute`` goes through them."""

    path: Path

    def cursor(self, *_: Any, **__: Any) -> Any:
        return super().cursor(_Cursor)

    def execute(self, *arguments: Any) -> Any:
        return self.cursor().execute(*arguments)


def _raise_named(error: sqlite3.DatabaseError | UnicodeDecodeError, connection: sqlite3.Connection) -> NoReturn:
    """Raise IndexDamagedError for a broken file in SQLite's words or Python's, and any other error as it is."""
    corrupt = getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    garbled = isinstance(error, UnicodeDecodeError) or str(error).startswith("Could not decode to UTF-8")
    if corrupt or garbled:
        where = getattr(connection, "path", "the database")
        raise IndexDamagedError(f"{where} is damaged: {error}") from error
    raise error


def journal_mode(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> str:
    """Return the journal mode that is safe with this SQLite: ``delete``, or ``wal`` from 3.51.3 on."""
    return "wal" if version >= WAL_IS_SOUND_FROM else "delete"


def connect(path: Path, *, create: bool = False, write: bool = False) -> sqlite3.Connection:
    """Open the database.

    A reader gets a connection that may not change rows, but that can still roll back a journal which a killed
    writer left; where the folder cannot be written at all, it falls back to a strictly read-only one.

    Raises ``sqlite3.Error`` where the file cannot be opened.
    """
    mode = "rwc" if create else "rw"
    try:
        connection = _open(path, mode)
    except sqlite3.OperationalError:
        if create or write:
            raise
        connection = _open(path, "ro")
    with closed_on_error(connection):
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_mode = {journal_mode()}" if write else "PRAGMA query_only = ON")
    return connection


def _open(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        factory=_Connection,
    )
    connection.path = path
    with closed_on_error(connection):
        connection.execute("PRAGMA trusted_schema = OFF")
        foreign = connection.execute(_FOREIGN).fetchone()
        if foreign is not None:
            raise IndexDamagedError(f"{path} is damaged or not ours: it holds a {foreign[0]}, which no index has")
    return connection


class _Local(threading.local):
    connection: sqlite3.Connection | None = None
    file: tuple[int, int] | None = None  # device and inode of the connection's file


class Database:
    """One index folder's database, closed at the end of a ``with`` block. Use :meth:`create` or :meth:`open`."""

    def __init__(self, folder: Path, *, write: bool) -> None:
        self.folder = folder
        self.path = folder / DATABASE
        self._absolute = self.path.absolute()
        self._write = write
        self._local = _Local()

    @classmethod
    def create(cls, folder: Path, settings: Mapping[str, Any], *, embedder: str, dimension: int) -> Self:
        """Make a new, empty index in ``folder`` and return it open for writing.

        Raises :class:`~indexes.errors.StoreError` where one stands already, or cannot be made.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        connect(folder / DATABASE, create=True, write=True).close()
        values = {
            "format_version": schema.FORMAT_VERSION,
            "store_id": uuid.uuid4().hex,
            "created_at": now(),
            "settings": dict(settings),
            "embedder": embedder,
            "dimension": dimension,
            "history_from": 0,
            "replay_from": 0,
        }
        store = cls(folder, write=True)
        # One transaction: a process killed here leaves an empty database, which counts as "no index".
        with closed_on_error(store), store.transaction() as db:
            if _is_filled(db):
                raise StoreError(f"there is an index in {folder} already")
            create_tables(db)
            set_meta(db, values)
        return store

    @classmethod
    def open(cls, folder: Path, *, write: bool = False) -> Self:
        """Open the index in ``folder``; one of an earlier format that can still be read is brought up to date first.

        Raises :class:`~indexes.errors.IndexMissingError`, :class:`~indexes.errors.IndexFolderError`,
        :class:`~indexes.errors.FormatTooNewError`, :class:`~indexes.errors.FormatTooOldError` or
        :class:`~indexes.errors.IndexDamagedError`.
        """
        if not cls.exists(folder):
            _raise_missing(folder)
        store = cls(folder, write=write)
        with closed_on_error(store):
            found = store.meta("format_version")
            if found > schema.FORMAT_VERSION:
                raise FormatTooNewError(folder, found, schema.FORMAT_VERSION)
            if found < schema.OLDEST_FORMAT:
                raise FormatTooOldError(folder, found, schema.FORMAT_VERSION)
            if found < schema.FORMAT_VERSION:
                store.close()
                _migrate(folder)
            _check_tables(store._db, store.path)
        return store

    @staticmethod
    def exists(folder: Path) -> bool:
        """Return whether the folder holds an index; a database that was never filled does not count.

        Raises :class:`~indexes.errors.IndexFolderError` for a folder that cannot hold one, and
        :class:`~indexes.errors.IndexDamagedError`.
        """
        try:
            str(folder).encode("utf-8")
        except UnicodeEncodeError:  # FAISS could not write there
            name = os.fsencode(folder).decode("utf-8", "backslashreplace")
            raise IndexFolderError(f"the name of the index folder {name} is not valid UTF-8") from None
        path = folder / DATABASE
        if not path.is_file():
            return False
        with closing(connect(path)) as connection:
            return _is_filled(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _db(self) -> sqlite3.Connection:
        if self._local.connection is None:
            file = self._file()  # before the connection: a file that is put there in between is noticed later
            self._local.connection = connect(self.path, write=self._write)
            self._local.file = file
        return self._local.connection

    def _file(self) -> tuple[int, int] | None:
        """Return device and inode of the database file, None if it is gone."""
        try:
            status = self._absolute.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status.st_dev, status.st_ino

    def reopen_if_replaced(self) -> None:
        """Close this thread's connection if the folder has another database file by now; the next read opens that one.

        Raises what :meth:`open` raises, in particular if the database is gone.
        """
        file = self._file()
        if file is not None and (self._local.connection is None or file == self._local.file):
            return
        self.close()
        if file is None:
            _raise_missing(self.folder)
        type(self).open(self.folder).close()

    def close(self) -> None:
        """Close this thread's connection."""
        if self._local.connection is not None:
            self._local.connection.close()
            self._local.connection = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run a block in one transaction: committed at its end, rolled back on any way out by exception."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        finally:
            if db.in_transaction:  # also after a COMMIT that a reader held up
                db.execute("ROLLBACK")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let all reads of a block see one generation. Keep the block short: a writer waits for its end.

        A block inside another is part of it.
        """
        db = self._db
        if db.in_transaction:
            yield
            return
        db.execute("BEGIN")
        try:
            yield
        finally:
            db.execute("COMMIT")

    def meta(self, key: str) -> Any:
        """Return a recorded value, of the type in :data:`indexes.store.schema.RECORDS`.

        Raises :class:`~indexes.errors.IndexDamagedError` if it is missing or of another type.
        """
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise IndexDamagedError(f"{self.path} has no record of its {key}")
        try:
            value = json.loads(row[0])
        except ValueError:
            value = None
        if not isinstance(value, schema.RECORDS[key]):
            raise IndexDamagedError(f"{self.path} is damaged: its record of {key} cannot be read")
        return value

    @property
    def settings(self) -> dict[str, Any]:
        """What the index was made with, as its maker recorded it."""
        return dict(self.meta("settings"))

    @property
    def generation(self) -> int:
        """The number of the last commit, 0 before the first."""
        return self.head()[0]

    def head(self) -> tuple[int, str]:
        """Return the last commit's number and nonce, (0, "") before the first."""
        row = self._db.execute("SELECT generation, nonce FROM commits ORDER BY generation DESC LIMIT 1").fetchone()
        return (0, "") if row is None else (int(row[0]), str(row[1]))

    def nonce(self, generation: int) -> str | None:
        """Return the nonce of a commit that a derived index can go on from.

        None if this history has no commit of that number, or if what was removed since is no longer on record.
        """
        if generation < self.meta("replay_from"):
            return None
        if generation == 0:
            return ""
        row = self._db.execute("SELECT nonce FROM commits WHERE generation = ?", (generation,)).fetchone()
        return None if row is None else str(row[0])

    def copy_to(self, path: Path) -> None:
        """Copy the database into a new file, as one read transaction sees it."""
        with closing(sqlite3.connect(path)) as copy:
            self._db.backup(copy)

    def vacuum(self) -> None:
        """Give the space of dropped rows back to the file system."""
        self._db.execute("VACUUM")


def holds_index(folder: Path) -> bool:
    """Return whether the folder contains an index, intact or damaged."""
    try:
        return Database.exists(folder)
    except IndexFolderError:
        return False
    except (StoreError, sqlite3.DatabaseError):  # damaged: opening it reports how
        return True


def _raise_missing(folder: Path) -> NoReturn:
    """Raise the error of a folder without a filled database."""
    if any(derived.published_folders(folder / kind) for kind in ("dense", "lexical")):
        raise IndexDamagedError(f"{folder / DATABASE} is empty or gone, and the search indexes made of it remain")
    raise IndexMissingError(folder)


def is_part_of_index(path: Path, folder: Path) -> bool:
    """Return whether a path below an index folder is its database or one of its search indexes."""
    first, *rest = path.relative_to(folder).parts
    if first in ("dense", "lexical"):
        return not rest or any(rest[0] == published.name for published in derived.published_folders(folder / first))
    return first == DATABASE or first.startswith(f"{DATABASE}-")


def _migrate(folder: Path) -> None:
    """Bring a folder of an earlier format up to date, one process at a time."""
    with (
        writer_lock(folder, "bringing the index to this version's format"),
        Database(folder, write=True) as store,
        store.transaction() as db,
    ):
        found = store.meta("format_version")
        if found < schema.FORMAT_VERSION:
            migrate(db, found)


def _check_tables(db: sqlite3.Connection, path: Path) -> None:
    """Raise IndexDamagedError where a table has other columns or types than ours: reading it would fail somewhere."""
    strict = {name: bool(is_strict) for _, name, _, _, _, is_strict in db.execute("PRAGMA table_list").fetchall()}
    for table in schema.TABLES:
        there = {row[1]: row[2] for row in db.execute(f"PRAGMA table_xinfo({table.name})").fetchall()}
        ours = {column.name: column.declaration.split()[0] for column in table.columns}
        if there != ours or strict[table.name] != ("STRICT" in table.options):
            raise IndexDamagedError(f"{path} is damaged or not ours: its table {table.name} has other columns")


def _is_filled(db: sqlite3.Connection) -> bool:
    """Return whether a database has our tables. Raises IndexFolderError if it has only others."""
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    if names and "meta" not in names:
        raise IndexFolderError(f"{getattr(db, 'path', 'the database')} is the database of another program")
    return bool(names)


def now() -> str:
    """Return the time in the form of the log of commits."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
