"""Checksums of rows: which columns they cover, how they are made, and how a row is sealed after it was changed.

Every row whose content can reach a reader, or decide what a reader sees, carries the SHA-256 of the columns named
here, so that a change that SQLite itself does not notice is found by :mod:`indexes.verify`, which reads the
same columns and compares. A commit's seal also covers the tombstones of its generation, and the record ``sha256`` of
``meta`` all the other records and the tables' declarations.

Every function takes an open connection; none begins or ends a transaction.
"""

from __future__ import annotations

import hashlib
import sqlite3

__all__ = [
    "CHUNK_COLUMNS",
    "COMMIT_COLUMNS",
    "DOCUMENT_COLUMNS",
    "META_SEAL",
    "SECTION_COLUMNS",
    "SIGNATURE_COLUMNS",
    "STAMP_COLUMNS",
    "Value",
    "commit_sha256",
    "meta_sha256",
    "row_sha256",
    "seal_commit",
    "seal_document",
    "seal_meta",
]

Value = str | int | bytes | None

DOCUMENT_COLUMNS = (
    "source", "content_sha256", "media_type", "title", "size", "modified_ns", "pages", "state", "generation",
    "failed_sha256", "reason", "message", "remedy",
)  # fmt: skip
SECTION_COLUMNS = ("ordinal", "start", "end", "page", "headings")
CHUNK_COLUMNS = ("document_id", "ordinal", "start", "end", "page", "headings", "text", "vector_key")
COMMIT_COLUMNS = (
    "generation", "nonce", "committed_at", "added", "changed", "removed", "failed", "run", "milliseconds", "bytes",
)  # fmt: skip
STAMP_COLUMNS = ("source", "stamp", "content_sha256")
SIGNATURE_COLUMNS = ("document_id", "method", "words", "minima")
META_SEAL = "sha256"


def row_sha256(*values: Value) -> bytes:
    """Return the SHA-256 of a row: of each value's kind, length and bytes, so that no two rows read the same."""
    digest = hashlib.sha256()
    for value in values:
        data = value if isinstance(value, bytes) else str(value).encode("utf-8")
        digest.update(f"{type(value).__name__} {len(data)} ".encode())
        digest.update(data)
    return digest.digest()


def seal_document(db: sqlite3.Connection, document_id: int) -> None:
    """Give a document's row the checksum of what it holds now."""
    row = db.execute(
        f"SELECT {', '.join(DOCUMENT_COLUMNS)} FROM documents WHERE id = ?",  # noqa: S608 - fixed names
        (document_id,),
    ).fetchone()
    db.execute("UPDATE documents SET sha256 = ? WHERE id = ?", (row_sha256(*row), document_id))


def commit_sha256(db: sqlite3.Connection, generation: int) -> bytes:
    """Return the checksum of a commit's row and its tombstones."""
    row = db.execute(
        f"SELECT {', '.join(COMMIT_COLUMNS)} FROM commits WHERE generation = ?",  # noqa: S608 - fixed names
        (generation,),
    ).fetchone()
    removed = db.execute("SELECT chunk_id FROM tombstones WHERE generation = ? ORDER BY chunk_id", (generation,))
    return row_sha256(*row, *(chunk_id for (chunk_id,) in removed))


def seal_commit(db: sqlite3.Connection, generation: int) -> None:
    """Give a commit's row the checksum of what it and its tombstones hold now."""
    sha = commit_sha256(db, generation)
    db.execute("UPDATE commits SET sha256 = ? WHERE generation = ?", (sha, generation))


def meta_sha256(db: sqlite3.Connection) -> str:
    """Return the checksum of all records of the folder, and of how its tables are declared."""
    rows = db.execute("SELECT key, value FROM meta WHERE key <> ? ORDER BY key", (META_SEAL,)).fetchall()
    rows += db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    return row_sha256(*(value for row in rows for value in row)).hex()


def seal_meta(db: sqlite3.Connection) -> None:
    """Record the checksum of what the records of the folder say now."""
    db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (META_SEAL, f'"{meta_sha256(db)}"'))
