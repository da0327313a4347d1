"""The SQLite schema of an index folder, and how a connection to it is opened.

Durability rests on two settings: ``synchronous=FULL``, and a rollback journal below SQLite 3.51.3, because
write-ahead logging had a corruption bug before it (https://www.sqlite.org/wal.html, "WAL-reset bug").

A chunk's ``text`` is the exact span ``texts.text[start:end]`` of its document, stored twice on purpose, so that
each copy checks the other. Every ``sha256`` is of its whole row, as :mod:`indexes.store.checksums` makes it of the
columns
that it names; a text's also covers its document's sections, a commit's its tombstones. A commit's ``nonce`` tells it
from one of the same number in another history, after a database was put back from a copy; its ``run`` is the
generation that the run it belongs to began with.

``retired`` holds what documents were before the last runs changed them (:mod:`indexes.store.undo_log`). ``stamps`` is a
hint of its owner's, which knows what it means: what a source looked like when its content had that hash.
``signatures`` are derived from the texts (:mod:`indexes.derived.signatures`), and go with them.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any, NoReturn, Self

from indexes.errors import IndexDamagedError
from indexes.store.checksums import (
    DOCUMENT_COLUMNS,
    META_SEAL,
    meta_sha256,
    row_sha256,
    seal_commit,
    seal_document,
    seal_meta,
)

__all__ = ["FORMAT_VERSION", "OLDEST_FORMAT", "connect", "create_tables", "journal_mode", "migrate"]

FORMAT_VERSION = 4
OLDEST_FORMAT = 2  # earlier ones are refused: nothing was released with them
WAL_IS_SOUND_FROM = (3, 51, 3)
BUSY_TIMEOUT_S = 30.0

SCHEMA = """
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE commits (
    generation INTEGER PRIMARY KEY AUTOINCREMENT,
    nonce TEXT NOT NULL DEFAULT (lower(hex(randomblob(8)))),
    committed_at TEXT NOT NULL,
    added INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    removed INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    run INTEGER NOT NULL DEFAULT 0,
    milliseconds INTEGER,
    bytes INTEGER,
    sha256 BLOB
) STRICT;

CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL UNIQUE,
    content_sha256 BLOB,
    media_type TEXT NOT NULL,
    title TEXT NOT NULL,
    sha256 BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ready', 'failed', 'stale')),
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    pages INTEGER,
    generation INTEGER NOT NULL REFERENCES commits (generation),
    failed_sha256 BLOB,
    reason TEXT,
    message TEXT,
    remedy TEXT
) STRICT;
CREATE INDEX documents_by_content ON documents (content_sha256);

CREATE TABLE texts (
    document_id INTEGER PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE,
    text TEXT NOT NULL,
    chunks INTEGER NOT NULL,
    sha256 BLOB NOT NULL
) STRICT;

CREATE TABLE sections (
    document_id INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    page INTEGER,
    headings TEXT NOT NULL,
    PRIMARY KEY (document_id, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    document_id INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    page INTEGER,
    headings TEXT NOT NULL,
    text TEXT NOT NULL,
    sha256 BLOB NOT NULL,
    vector_key BLOB NOT NULL,
    generation INTEGER NOT NULL REFERENCES commits (generation),
    UNIQUE (document_id, ordinal)
) STRICT;
CREATE INDEX chunks_by_generation ON chunks (generation);
CREATE INDEX chunks_by_vector ON chunks (vector_key);

CREATE TABLE vectors (
    embedder TEXT NOT NULL,
    key BLOB NOT NULL,
    vector BLOB NOT NULL,
    sha256 BLOB NOT NULL,
    PRIMARY KEY (embedder, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE tombstones (
    chunk_id INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL
) STRICT;
CREATE INDEX tombstones_by_generation ON tombstones (generation);
"""

SINCE_3 = """
CREATE TABLE retired (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    generation INTEGER NOT NULL,
    source TEXT NOT NULL,
    record BLOB,
    sha256 BLOB NOT NULL,
    UNIQUE (source, generation)
) STRICT;

CREATE TABLE stamps (
    source TEXT PRIMARY KEY,
    stamp TEXT NOT NULL,
    content_sha256 BLOB NOT NULL,
    sha256 BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""

SINCE_4 = """
CREATE TABLE signatures (
    document_id INTEGER PRIMARY KEY REFERENCES texts (document_id) ON DELETE CASCADE,
    method TEXT NOT NULL,
    words BLOB NOT NULL,
    minima BLOB NOT NULL,
    sha256 BLOB NOT NULL
) STRICT;
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
        try:
            return super().fetchone()
        except _UNREADABLE as error:
            _raise_named(error, self.connection)

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


def create_tables(db: sqlite3.Connection) -> None:
    """Make all tables, within the caller's transaction."""
    for statement in _statements(SCHEMA) + _statements(SINCE_3) + _statements(SINCE_4):
        db.execute(statement)


def migrate(db: sqlite3.Connection, found: int) -> None:
    """Turn an earlier format into the present one, within the caller's transaction; nothing is read or embedded again.

    Texts are signed by the next writer that brings the derived indexes up to date.
    """
    values: dict[str, int] = {"format_version": FORMAT_VERSION}
    sound = found < 3 or db.execute("SELECT value FROM meta WHERE key = ?", (META_SEAL,)).fetchone() == (
        f'"{meta_sha256(db)}"',
    )
    if found < 3:
        values |= _from_2_to_3(db)
    for statement in _statements(SINCE_4):
        db.execute(statement)
    db.executemany(
        "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
        [(key, json.dumps(value)) for key, value in values.items()],
    )
    if sound:  # records that did not match their checksum must not match it now
        seal_meta(db)


def _from_2_to_3(db: sqlite3.Connection) -> dict[str, int]:
    """Add what format 3 brought, and return its records.

    A row whose checksum was wrong keeps a wrong one. What documents were before is not known: no commit up to here
    can be undone.
    """
    for column in ("run INTEGER NOT NULL DEFAULT 0", "milliseconds INTEGER", "bytes INTEGER", "sha256 BLOB"):
        db.execute(f"ALTER TABLE commits ADD COLUMN {column}")
    for statement in _statements(SINCE_3):
        db.execute(statement)
    was = DOCUMENT_COLUMNS[:7]
    for document_id, sha, *values in db.execute(
        f"SELECT id, sha256, {', '.join(was)} FROM documents"  # noqa: S608 - fixed names
    ).fetchall():
        if row_sha256(*values) == sha:
            seal_document(db, document_id)
    db.execute("UPDATE commits SET run = generation")
    for (generation,) in db.execute("SELECT generation FROM commits").fetchall():
        seal_commit(db, generation)
    last = db.execute("SELECT coalesce(max(generation), 0) FROM commits").fetchone()[0]
    return {"history_from": last, "replay_from": 0}


def _statements(script: str) -> list[str]:
    return script.strip().split(";\n")


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
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    if write:
        connection.execute(f"PRAGMA journal_mode = {journal_mode()}")
    else:
        connection.execute("PRAGMA query_only = ON")
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
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except (sqlite3.Error, IndexDamagedError):
        connection.close()
        raise
    return connection
