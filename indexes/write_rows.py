"""How one document's rows are put into, replaced in and taken out of an open transaction.

Every function takes the connection of a transaction that :mod:`indexes.store` began; none begins or ends one.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence

from indexes.rows import FailedDocument, NewDocument

__all__ = ["put_document", "put_failure", "recut_document", "remove_document", "text_sha256"]


def put_document(db: sqlite3.Connection, document: NewDocument, generation: int) -> bool:
    """Insert or replace one document; return whether one stood there with content before."""
    known = db.execute("SELECT id, state FROM documents WHERE source = ?", (document.source,)).fetchone()
    values = (
        document.content_sha256, document.media_type, document.title, document.size, document.modified_ns,
        document.pages, generation,
    )  # fmt: skip
    if known is None:
        cursor = db.execute(
            "INSERT INTO documents (source, content_sha256, media_type, title, state, size, modified_ns, pages, "
            "generation) VALUES (?, ?, ?, ?, 'ready', ?, ?, ?, ?)",
            (document.source, *values),
        )
        document_id = int(cursor.lastrowid or 0)
    else:
        document_id = int(known[0])
        _remove_content(db, document_id, generation)
        db.execute(
            "UPDATE documents SET content_sha256 = ?, media_type = ?, title = ?, state = 'ready', size = ?, "
            "modified_ns = ?, pages = ?, generation = ?, failed_sha256 = NULL, reason = NULL, message = NULL, "
            "remedy = NULL WHERE id = ?",
            (*values, document_id),
        )
    _put_content(db, document_id, document, generation)
    return known is not None and known[1] != "failed"


def recut_document(db: sqlite3.Connection, document: NewDocument, generation: int) -> bool:
    """Replace a stored document's chunks; its state and what is known of its file stay. Return whether it was there."""
    known = db.execute("SELECT id FROM documents WHERE source = ?", (document.source,)).fetchone()
    if known is None:
        return False
    _remove_content(db, known[0], generation)
    db.execute("UPDATE documents SET generation = ? WHERE id = ?", (generation, known[0]))
    _put_content(db, known[0], document, generation)
    return True


def _put_content(db: sqlite3.Connection, document_id: int, document: NewDocument, generation: int) -> None:
    db.execute(
        "INSERT INTO texts (document_id, text, sha256) VALUES (?, ?, ?)",
        (document_id, document.text, text_sha256(document.text)),
    )
    db.executemany(
        "INSERT INTO sections (document_id, ordinal, start, end, page, headings) VALUES (?, ?, ?, ?, ?, ?)",
        [(document_id, n, s.start, s.end, s.page, _json(s.headings)) for n, s in enumerate(document.sections)],
    )
    db.executemany(
        "INSERT INTO chunks (document_id, ordinal, start, end, page, headings, text, sha256, vector_key, generation) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                document_id,
                n,
                c.start,
                c.end,
                c.page,
                _json(c.headings),
                c.text,
                text_sha256(c.text),
                c.vector_key,
                generation,
            )
            for n, c in enumerate(document.chunks)
        ],
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
    return True


def put_failure(db: sqlite3.Connection, failure: FailedDocument, generation: int) -> None:
    """Record a failure; content that was read earlier keeps answering, and its document is called stale."""
    db.execute(
        "INSERT INTO documents (source, failed_sha256, media_type, title, state, size, modified_ns, generation, "
        "reason, message, remedy) VALUES (?, ?, '', '', 'failed', 0, 0, ?, ?, ?, ?) "
        "ON CONFLICT (source) DO UPDATE SET failed_sha256 = excluded.failed_sha256, reason = excluded.reason, "
        "message = excluded.message, "
        "remedy = excluded.remedy, state = CASE state WHEN 'failed' THEN 'failed' ELSE 'stale' END",
        (failure.source, failure.content_sha256, generation, failure.reason, failure.message, failure.remedy),
    )


def text_sha256(text: str) -> bytes:
    """Return the SHA-256 of a text's UTF-8 form."""
    return hashlib.sha256(text.encode("utf-8")).digest()


def _json(value: Sequence[str]) -> str:
    return json.dumps(list(value), ensure_ascii=False)
