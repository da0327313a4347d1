"""The SQLite schema of an index folder and its migrations.

A chunk's ``text`` is the exact span ``texts.text[start:end]`` of its document, stored twice on purpose, so that
each copy checks the other. Every ``sha256`` covers the columns of its row that :mod:`indexes.store.checksums` names; a
text's also covers its document's sections, a commit's its tombstones. A commit's ``nonce`` distinguishes it from one of
the same number in another history, after a database was restored from a copy; its ``run`` is the generation with which
its run began.

``retired`` holds what documents were before the last runs changed them (:mod:`indexes.store.undo_log`). ``stamps`` is a
hint of its owner's, which knows what it means: what a source looked like when its content had that hash.
``signatures`` are derived from the texts (:mod:`indexes.derived.signatures`), and go with them.
"""

from __future__ import annotations

import json
import sqlite3

from indexes.store.checksums import (
    DOCUMENT_COLUMNS,
    META_SEAL,
    meta_sha256,
    row_sha256,
    seal_commit,
    seal_document,
    seal_meta,
)

__all__ = ["FORMAT_VERSION", "OLDEST_FORMAT", "RECORDS", "create_tables", "migrate"]

FORMAT_VERSION = 4
OLDEST_FORMAT = 2  # earlier ones are refused: nothing was released with them

RECORDS: dict[str, type] = {
    "format_version": int,
    "store_id": str,
    "created_at": str,
    "settings": dict,
    "embedder": str,
    "dimension": int,
    "history_from": int,
    "replay_from": int,
}
"""The records in ``meta`` and their types."""

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
