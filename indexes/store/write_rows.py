"""How one document's rows are put into, replaced in, renamed in and taken out of an open transaction.

Every function takes the connection of a transaction that :mod:`indexes.store.store` began; none begins or ends one.
Each leaves the rows that it changed sealed (:mod:`indexes.store.checksums`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from indexes.fail_points import fail_point
from indexes.store.checksums import Value, row_sha256, seal_document
from indexes.store.rows import FailedDocument, NewDocument

__all__ = ["put_document", "put_failure", "put_vector", "recut_document", "remove_document", "rename_document"]


def put_document(db: sqlite3.Connection, document: NewDocument, generation: int) -> bool:
    """Insert or replace one document; return whether one stood there with content before."""
    known = db.execute("SELECT id, state FROM documents WHERE source = ?", (document.source,)).fetchone()
    values: tuple[Value, ...] = (
        document.source, document.content_sha256, document.media_type, document.title, document.size,
        document.modified_ns, document.pages,
    )  # fmt: skip
    if known is None:
        cursor = db.execute(
            "INSERT INTO documents (source, content_sha256, media_type, title, size, modified_ns, pages, sha256, "
            "state, generation) VALUES (?, ?, ?, ?, ?, ?, ?, x'', 'ready', ?)",
            (*values, generation),
        )
        document_id = int(cursor.lastrowid or 0)
    else:
        document_id = int(known[0])
        _remove_content(db, document_id, generation)
        db.execute(
            "UPDATE documents SET source = ?, content_sha256 = ?, media_type = ?, title = ?, size = ?, "
            "modified_ns = ?, pages = ?, state = 'ready', generation = ?, failed_sha256 = NULL, "
            "reason = NULL, message = NULL, remedy = NULL WHERE id = ?",
            (*values, generation, document_id),
        )
        fail_point("commit.document-removed")
    seal_document(db, document_id)
    _put_content(db, document_id, document, generation)
    fail_point("commit.document")
    return known is not None and known[1] != "failed"


def recut_document(db: sqlite3.Connection, document: NewDocument, generation: int) -> bool:
    """Replace a stored document's chunks; its state and what is known of its file stay. Return whether it was there."""
    known = db.execute("SELECT id FROM documents WHERE source = ?", (document.source,)).fetchone()
    if known is None:
        return False
    _remove_content(db, known[0], generation)
    db.execute("UPDATE documents SET generation = ? WHERE id = ?", (generation, known[0]))
    seal_document(db, known[0])
    _put_content(db, known[0], document, generation)
    return True


def rename_document(db: sqlite3.Connection, old: str, new: str) -> None:
    """Give a document another source; its chunks, their ids and their vectors stay.

    Its generation stays too: that of its chunks, which did not change. Raises ``ValueError`` where there is nothing
    of the old name, or a document with content of the new one.
    """
    row = db.execute("SELECT id FROM documents WHERE source = ?", (old,)).fetchone()
    db.execute("DELETE FROM documents WHERE source = ? AND state = 'failed'", (new,))
    there = db.execute("SELECT 1 FROM documents WHERE source = ?", (new,)).fetchone()
    if row is None or there is not None:
        raise ValueError(f"{old} cannot be renamed {new}: {'it is not there' if row is None else 'that is taken'}")
    db.execute("UPDATE documents SET source = ? WHERE id = ?", (new, row[0]))
    seal_document(db, row[0])


def _put_content(db: sqlite3.Connection, document_id: int, document: NewDocument, generation: int) -> None:
    sections = [(n, s.start, s.end, s.page, _json(s.headings)) for n, s in enumerate(document.sections)]
    sha = row_sha256(document_id, len(document.chunks), document.text, *(v for row in sections for v in row))
    db.execute(
        "INSERT INTO texts (document_id, chunks, text, sha256) VALUES (?, ?, ?, ?)",
        (document_id, len(document.chunks), document.text, sha),
    )
    db.executemany(
        "INSERT INTO sections (document_id, ordinal, start, end, page, headings) VALUES (?, ?, ?, ?, ?, ?)",
        [(document_id, *row) for row in sections],
    )
    chunks = (
        (document_id, n, c.start, c.end, c.page, _json(c.headings), c.text, c.vector_key)
        for n, c in enumerate(document.chunks)
    )
    db.executemany(
        "INSERT INTO chunks (document_id, ordinal, start, end, page, headings, text, vector_key, sha256, generation) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((*row, row_sha256(*row), generation) for row in chunks),
    )


def put_vector(db: sqlite3.Connection, embedder: str, key: bytes, vector: bytes) -> None:
    """Store a vector's bytes, or replace them."""
    db.execute(
        "INSERT OR REPLACE INTO vectors (embedder, key, vector, sha256) VALUES (?, ?, ?, ?)",
        (embedder, key, vector, row_sha256(embedder, key, vector)),
    )


def _remove_content(db: sqlite3.Connection, document_id: int, generation: int) -> None:
    db.execute(
        "INSERT INTO tombstones (chunk_id, generation) SELECT id, ? FROM chunks WHERE document_id = ?",
        (generation, document_id),
    )
    for table in ("chunks", "sections", "texts"):
        db.execute(f"DELETE FROM {table} WHERE document_id = ?", (document_id,))  # noqa: S608 - fixed names


def remove_document(db: sqlite3.Connection, source: str, generation: int) -> bool:
    """Remove one document with all it holds; return whether it was there."""
    row = db.execute("SELECT id FROM documents WHERE source = ?", (source,)).fetchone()
    if row is None:
        return False
    _remove_content(db, row[0], generation)
    db.execute("DELETE FROM documents WHERE id = ?", (row[0],))
    fail_point("commit.removed")
    return True


def put_failure(db: sqlite3.Connection, failure: FailedDocument, generation: int) -> None:
    """Record a failure; content that was read earlier keeps answering, and its document is called stale."""
    db.execute(
        "INSERT INTO documents (source, failed_sha256, media_type, title, state, size, modified_ns, sha256, "
        "generation, reason, message, remedy) VALUES (?, ?, '', '', 'failed', 0, 0, x'', ?, ?, ?, ?) "
        "ON CONFLICT (source) DO UPDATE SET failed_sha256 = excluded.failed_sha256, reason = excluded.reason, "
        "message = excluded.message, "
        "remedy = excluded.remedy, state = CASE state WHEN 'failed' THEN 'failed' ELSE 'stale' END",
        (
            failure.source, failure.content_sha256, generation, failure.reason, failure.message, failure.remedy,
        ),
    )  # fmt: skip
    row = db.execute("SELECT id FROM documents WHERE source = ?", (failure.source,)).fetchone()
    seal_document(db, row[0])


def _json(value: Sequence[str]) -> str:
    return json.dumps(list(value), ensure_ascii=False)
