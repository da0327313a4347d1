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
from collections.abc import Iterable
from typing import Any

from indexes.errors import IndexDamagedError
from indexes.store.checksums import insert, read
from indexes.store.json_columns import is_json, load, pack, unpack
from indexes.store.rows import FailedDocument, NewChunk, NewDocument, Section
from indexes.store.schema import CHUNKS, DOCUMENTS, RETIRED, SECTIONS, Table

__all__ = ["RUNS_RETAINED", "Past", "first_retained", "read_past", "remember"]

RUNS_RETAINED = 5
_DOCUMENT = tuple(name for name in DOCUMENTS.stored(NewDocument) if name != "source")
_FAILURE = tuple(name for name in DOCUMENTS.stored(FailedDocument) if name != "source")
_SECTION = SECTIONS.stored(Section)
_CHUNK = tuple(name for name in CHUNKS.stored(NewChunk) if name != "text")
_BLOBS = {c.name for t in (DOCUMENTS, SECTIONS, CHUNKS) for c in t.columns if c.declaration.startswith("BLOB")}

Past = tuple[NewDocument | None, FailedDocument | None]


def remember(db: sqlite3.Connection, source: str, generation: int) -> None:
    """Write down what stands under ``source`` now, once a commit: the first record is of what was before it.

    Raises :class:`~indexes.errors.IndexDamagedError` for a document that cannot be read.
    """
    if db.execute("SELECT 1 FROM retired WHERE source = ? AND generation = ?", (source, generation)).fetchone():
        return
    insert(db, RETIRED, [{"generation": generation, "source": source, "record": _record(db, source)}])


def _record(db: sqlite3.Connection, source: str) -> bytes | None:
    for row, _ in read(db, DOCUMENTS, "WHERE source = ?", source):
        fields = {name: _to_json(name, row[name], source) for name in ("state", *_DOCUMENT, *_FAILURE)}
        if row["state"] != "failed":
            text = db.execute("SELECT text FROM texts WHERE document_id = ?", (row["id"],)).fetchone()
            if text is None:
                raise IndexDamagedError(f"the database is damaged: the text of {source} is missing")
            fields["text"] = text[0]
            fields["sections"] = _rows(db, SECTIONS, _SECTION, row["id"], source)
            fields["chunks"] = _rows(db, CHUNKS, _CHUNK, row["id"], source)
        return zlib.compress(json.dumps(fields, ensure_ascii=False).encode(), 1)
    return None


def _rows(
    db: sqlite3.Connection, table: Table, names: tuple[str, ...], document_id: int, source: str
) -> list[list[Any]]:
    query = f"SELECT {', '.join(names)} FROM {table.name} WHERE document_id = ? ORDER BY ordinal"
    rows = db.execute(query, (document_id,))
    return [[_to_json(name, value, source) for name, value in zip(names, row, strict=True)] for row in rows]


def _to_json(name: str, value: Any, source: str) -> Any:
    if is_json(name):
        return pack(load(name, value, source))
    return value.hex() if isinstance(value, bytes) else value


def _from_json(names: Iterable[str], values: Iterable[Any]) -> dict[str, Any]:
    """Return a record's fields; a record of an earlier format has fewer, and the fields' defaults hold."""
    fields = dict(zip(names, values, strict=False))
    for name, value in fields.items():
        if is_json(name):
            fields[name] = unpack(name, value, "an earlier version")
        elif name in _BLOBS and value is not None:
            fields[name] = bytes.fromhex(value)
    return fields


def read_past(db: sqlite3.Connection, generation: int) -> dict[str, Past]:
    """Return, for each source touched after ``generation``, the document and the failure that stood there then.

    Raises :class:`~indexes.errors.IndexDamagedError` for a record that does not match its checksum.
    """
    past = {}
    first = "WHERE id IN (SELECT min(id) FROM retired WHERE generation > ? GROUP BY source) ORDER BY source"
    for row, sound in read(db, RETIRED, first, generation):
        if not sound:
            raise IndexDamagedError(f"the database is damaged: the record of an earlier version of {row['source']}")
        past[row["source"]] = _read(row["source"], row["record"])
    return past


def _read(source: str, record: bytes | None) -> Past:
    if record is None:
        return None, None
    fields = json.loads(zlib.decompress(record))
    failure = document = None
    if fields["state"] != "ready":
        known = [name for name in _FAILURE if name in fields]
        failure = FailedDocument(source=source, **_from_json(known, map(fields.get, known)))
    if fields["state"] != "failed":
        known, text = [name for name in _DOCUMENT if name in fields], fields["text"]
        document = NewDocument(
            source=source,
            text=text,
            sections=tuple(Section(**_from_json(_SECTION, row)) for row in fields["sections"]),
            chunks=tuple(NewChunk(text=text[row[0] : row[1]], **_from_json(_CHUNK, row)) for row in fields["chunks"]),
            **_from_json(known, map(fields.get, known)),
        )
    return document, failure


def first_retained(db: sqlite3.Connection) -> int:
    """Return the first generation of the oldest run whose records are retained, 0 if all are."""
    runs = db.execute("SELECT DISTINCT run FROM commits ORDER BY run DESC LIMIT ?", (RUNS_RETAINED,)).fetchall()
    return int(runs[-1][0]) if len(runs) == RUNS_RETAINED else 0
