"""What documents were before a commit changed them, so that commits of the last runs can be undone.

A commit writes down, for each source that it touches, the whole document that stood there, or that nothing did. To
go back to a generation is then a commit like any other, that puts each source touched since back to what its first
record after that generation says: history only grows, and going back can itself be undone.

Vectors are not stored here: they outlive their chunks until :meth:`indexes.store.store.Store.compact`, which forgets
these records too. Every function takes the connection of an open transaction; none begins or ends one.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from typing import Any

from indexes.errors import IndexDamagedError
from indexes.store.checksums import row_sha256
from indexes.store.rows import FailedDocument, NewChunk, NewDocument, Section, read_headings

__all__ = ["RETIRED_COLUMNS", "RUNS_RETAINED", "Past", "first_retained", "read_past", "remember"]

RUNS_RETAINED = 5
RETIRED_COLUMNS = ("generation", "source", "record")
_DOCUMENT = ("content_sha256", "media_type", "title", "size", "modified_ns", "pages")
_FAILURE = ("reason", "message", "remedy", "failed_sha256")

Past = tuple[NewDocument | None, FailedDocument | None]


def remember(db: sqlite3.Connection, source: str, generation: int) -> None:
    """Write down what stands under ``source`` now, once a commit: the first record is of what was before it."""
    if db.execute("SELECT 1 FROM retired WHERE source = ? AND generation = ?", (source, generation)).fetchone():
        return
    record = _record(db, source)
    db.execute(
        "INSERT INTO retired (generation, source, record, sha256) VALUES (?, ?, ?, ?)",
        (generation, source, record, row_sha256(generation, source, record)),
    )


def _record(db: sqlite3.Connection, source: str) -> bytes | None:
    row = db.execute(
        f"SELECT id, state, {', '.join((*_DOCUMENT, *_FAILURE))} FROM documents WHERE source = ?",  # noqa: S608
        (source,),
    ).fetchone()
    if row is None:
        return None
    document_id, state, *values = row
    fields: dict[str, Any] = {"state": state}
    fields |= {
        name: value.hex() if isinstance(value, bytes) else value
        for name, value in zip((*_DOCUMENT, *_FAILURE), values, strict=True)
    }
    if state != "failed":
        text = db.execute("SELECT text FROM texts WHERE document_id = ?", (document_id,)).fetchone()
        if text is None:
            raise IndexDamagedError(f"the database is damaged: the text of {source} is missing")
        (fields["text"],) = text
        fields["sections"] = [
            [start, end, page, read_headings(headings, f"a section of {source}")]
            for start, end, page, headings in db.execute(
                "SELECT start, end, page, headings FROM sections WHERE document_id = ? ORDER BY ordinal",
                (document_id,),
            )
        ]
        fields["chunks"] = [
            [start, end, page, read_headings(headings, f"a chunk of {source}"), key.hex()]
            for start, end, page, headings, key in db.execute(
                "SELECT start, end, page, headings, vector_key FROM chunks WHERE document_id = ? ORDER BY ordinal",
                (document_id,),
            )
        ]
    return zlib.compress(json.dumps(fields, ensure_ascii=False).encode(), 1)


def read_past(db: sqlite3.Connection, generation: int) -> dict[str, Past]:
    """Return, for each source touched after ``generation``, the document and the failure that stood there then.

    Raises :class:`~indexes.errors.IndexDamagedError` for a record that does not match its checksum.
    """
    rows = db.execute(
        "SELECT sha256, generation, source, record FROM retired WHERE id IN "
        "(SELECT min(id) FROM retired WHERE generation > ? GROUP BY source) ORDER BY source",
        (generation,),
    ).fetchall()
    for sha, *values in rows:
        if row_sha256(*values) != sha:
            raise IndexDamagedError(f"the database is damaged: the record of an earlier version of {values[1]}")
    return {source: _read(source, record) for _, _, source, record in rows}


def _read(source: str, record: bytes | None) -> Past:
    if record is None:
        return None, None
    fields = json.loads(zlib.decompress(record))
    failed_sha = fields["failed_sha256"]
    failure = FailedDocument(
        source, fields["reason"] or "", fields["message"] or "", fields["remedy"] or "",
        bytes.fromhex(failed_sha) if failed_sha else None,
    )  # fmt: skip
    if fields["state"] == "failed":
        return None, failure
    text = fields["text"]
    document = NewDocument(
        source, bytes.fromhex(fields["content_sha256"]), fields["media_type"], fields["title"], fields["size"],
        fields["modified_ns"], fields["pages"], text,
        tuple(Section(start, end, page, tuple(headings)) for start, end, page, headings in fields["sections"]),
        tuple(
            NewChunk(start, end, text[start:end], bytes.fromhex(key), page, tuple(headings))
            for start, end, page, headings, key in fields["chunks"]
        ),
    )  # fmt: skip
    return document, failure if fields["state"] == "stale" else None


def first_retained(db: sqlite3.Connection) -> int:
    """Return the first generation of the oldest run whose records are retained, 0 if all are."""
    runs = db.execute("SELECT DISTINCT run FROM commits ORDER BY run DESC LIMIT ?", (RUNS_RETAINED,)).fetchall()
    return int(runs[-1][0]) if len(runs) == RUNS_RETAINED else 0
