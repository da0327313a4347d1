"""Queries over an index: documents, texts, chunks, vectors, changes between generations, file stamps and commits.

It writes nothing. A stamp is a hint of its owner, which knows its meaning: what a source looked like when its content
had that hash. Damaged stamps are ignored; dropping all of them costs only time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from indexes.errors import IndexDamagedError
from indexes.store.checksums import read
from indexes.store.database import Database
from indexes.store.json_columns import is_json, load
from indexes.store.rows import (
    ChunkRow,
    CommitRow,
    DocumentRow,
    FailedDocument,
    Float32,
    Int64,
    NewDocument,
    ReadingNote,
    Section,
    Selection,
)
from indexes.store.schema import DOCUMENTS, SECTIONS, STAMPS

__all__ = ["Changes", "Queries"]

_T = TypeVar("_T")
_Row = TypeVar("_Row", DocumentRow, ChunkRow)
_IN_CLAUSE = 500  # SQLite's own limit on bound parameters is far higher; this bounds the statement cache's variety


def _columns(record: type, alias: str, **others: str) -> str:
    """Return the terms of a SELECT for the fields of a record: columns of one table, and ``others``."""
    return ", ".join(others.get(field.name, f"{alias}.{field.name}") for field in fields(record))


_COMMITTED_AT = "(SELECT committed_at FROM commits g WHERE g.generation = d.generation)"
_CHUNK_COUNT = "(SELECT count(*) FROM chunks c WHERE c.document_id = d.id)"
_DOCUMENTS = f"SELECT {_columns(DocumentRow, 'd', chunks=_CHUNK_COUNT, committed_at=_COMMITTED_AT)} FROM documents d"
_CHUNKS = f"SELECT {_columns(ChunkRow, 'c', source='d.source', title='d.title')} FROM chunks c JOIN documents d"


@dataclass(frozen=True)
class Changes:
    """What happened to the chunks between two generations: rows added (in id order) and ids removed."""

    generation: int
    added: Int64
    removed: Int64


class Queries(Database):
    """The reading side of the store."""

    def sources(self) -> list[str]:
        """Return the names of all documents, sorted."""
        return [row[0] for row in self._db.execute("SELECT source FROM documents ORDER BY source")]

    def content_hashes(self) -> dict[str, tuple[str, bytes | None, bytes | None]]:
        """Map each source to its state, the hash of the content that answers, and of the content that failed last."""
        rows = self._db.execute("SELECT source, state, content_sha256, failed_sha256 FROM documents")
        return {source: (state, sha, failed) for source, state, sha, failed in rows}

    def sizes(self) -> dict[str, int]:
        """Map each document that is ready to the size of the file it was made of."""
        return dict(self._db.execute("SELECT source, size FROM documents WHERE state = 'ready'").fetchall())

    def failures(self) -> dict[str, FailedDocument]:
        """Map each document whose file could not be read last to what was wrong."""
        rows = self._db.execute(f"SELECT {_columns(FailedDocument, 'd')} FROM documents d WHERE state <> 'ready'")
        return {failure.source: failure for failure in (FailedDocument(*row) for row in rows)}

    def stamps(self) -> dict[str, tuple[str, bytes]]:
        """Map each source to its stamp and the content hash it stands for; a damaged one is left out."""
        return {row["source"]: (row["stamp"], row["content_sha256"]) for row, sound in read(self._db, STAMPS) if sound}

    def stamp(self, source: str) -> tuple[str, bytes] | None:
        """Return a source's stamp and the content hash it stands for, None if there is none or it is damaged."""
        rows = read(self._db, STAMPS, "WHERE source = ?", source)
        return next(((row["stamp"], row["content_sha256"]) for row, sound in rows if sound), None)

    def commits(self, limit: int = 10) -> list[CommitRow]:
        """Return the last commits, newest first."""
        rows = self._db.execute(
            f"SELECT {_columns(CommitRow, 'g')} FROM commits g ORDER BY generation DESC LIMIT ?",
            (limit,),
        )
        return [CommitRow(*row) for row in rows]

    def throughput(self) -> float | None:
        """Return the bytes of documents a second that the last commits took in, None where none was measured."""
        row = self._db.execute(
            "SELECT sum(bytes), sum(milliseconds) FROM "
            "(SELECT bytes, milliseconds FROM commits WHERE bytes > 0 ORDER BY generation DESC LIMIT 50)"
        ).fetchone()
        return 1000 * row[0] / row[1] if row[1] else None

    def counts(self) -> dict[str, int]:
        """Return the numbers of documents by state, of chunks and of vectors."""
        counts = {"ready": 0, "failed": 0, "stale": 0}
        counts.update(self._db.execute("SELECT state, count(*) FROM documents GROUP BY state").fetchall())
        for table in ("chunks", "vectors", "tombstones"):
            counts[table] = self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return counts

    def unused_vectors(self) -> int:
        """Return how many vectors no chunk of the index needs now: they are stored in case their text returns."""
        row = self._db.execute(
            "SELECT count(*) FROM vectors v WHERE v.embedder <> ? "
            "OR NOT EXISTS (SELECT 1 FROM chunks c WHERE c.vector_key = v.key)",
            (self.meta("embedder"),),
        ).fetchone()
        return int(row[0])

    def documents(self, selection: Selection | None = None) -> list[DocumentRow]:
        """Return every document, or those selected, in order of its source."""
        where, values = _where(selection)
        return [_row(DocumentRow, r) for r in self._db.execute(f"{_DOCUMENTS} WHERE {where} ORDER BY d.source", values)]

    def document(self, source: str) -> DocumentRow | None:
        """Return one document, None if there is none of that name."""
        row = self._db.execute(f"{_DOCUMENTS} WHERE d.source = ?", (source,)).fetchone()
        return None if row is None else _row(DocumentRow, row)

    def all_notes(self) -> dict[str, tuple[ReadingNote, ...]]:
        """Map every document that has notes to them."""
        rows = self._db.execute("SELECT source, notes FROM documents WHERE notes <> '[]'")
        return {source: load("notes", stored, source) for source, stored in rows}

    def notes(self, sources: Iterable[str]) -> dict[str, tuple[ReadingNote, ...]]:
        """Map each of the sources whose document has notes to them."""
        notes: dict[str, tuple[ReadingNote, ...]] = {}
        for part in _slices(list(sources)):
            marks = ",".join("?" * len(part))
            rows = self._db.execute(
                f"SELECT source, notes FROM documents WHERE source IN ({marks}) AND notes <> '[]'", part
            )
            notes.update((source, load("notes", stored, source)) for source, stored in rows)
        return notes

    def boxes(self, source: str) -> bytes | None:
        """Return where the words of a document are on its pages, None if that is not stored."""
        row = self._db.execute("SELECT boxes FROM documents WHERE source = ?", (source,)).fetchone()
        return None if row is None else row[0]

    def text(self, source: str) -> str:
        """Return a document's extracted text. Raises ``KeyError`` for an unknown source."""
        row = self._db.execute(
            "SELECT t.text FROM texts t JOIN documents d ON d.id = t.document_id WHERE d.source = ?",
            (source,),
        ).fetchone()
        if row is None:
            raise KeyError(source)
        return str(row[0])

    def heads(self, characters: int) -> Iterator[tuple[str, str, str]]:
        """Yield the source, the title, and the beginning of the text of every document that has a text."""
        rows = self._db.execute(
            "SELECT d.source, d.title, substr(t.text, 1, ?) FROM documents d JOIN texts t ON t.document_id = d.id",
            (characters,),
        )
        yield from rows

    def text_or_none(self, source: str) -> str | None:
        """Return a document's extracted text, None for an unknown source."""
        try:
            return self.text(source)
        except KeyError:
            return None

    def content_hashes_of(self, sources: Iterable[str]) -> dict[str, bytes]:
        """Map each of the sources that has content to its hash."""
        found: dict[str, bytes] = {}
        for part in _slices(list(sources)):
            marks = ",".join("?" * len(part))
            query = f"SELECT source, content_sha256 FROM documents WHERE content_sha256 NOTNULL AND source IN ({marks})"
            found.update(self._db.execute(query, part).fetchall())
        return found

    def sections(self, source: str) -> tuple[Section, ...]:
        """Return a document's sections in their order; none for an unknown source."""
        rows = self._db.execute(
            f"SELECT {_columns(Section, 's')} FROM sections s JOIN documents d ON d.id = s.document_id "
            "WHERE d.source = ? ORDER BY s.ordinal",
            (source,),
        )
        names = [field.name for field in fields(Section)]
        return tuple(Section(**_read(names, row, f"a section of {source}")) for row in rows)

    def chunks_of(self, source: str) -> list[ChunkRow]:
        """Return a document's chunks in their order in it."""
        return self._chunks_where("d.source = ?", source)

    def chunks_between(self, source: str, start: int, end: int) -> list[ChunkRow]:
        """Return the chunks of a document that hold some of its characters from ``start`` to ``end``, in order."""
        return self._chunks_where("d.source = ? AND c.start < ? AND c.end > ?", source, end, start)

    def page_breaks(self, source: str, start: int, end: int) -> list[tuple[int, int]]:
        """Return where other pages of a document begin between two of its characters: the offset and the page."""
        rows = self._db.execute(
            "SELECT s.start, s.page FROM sections s JOIN documents d ON d.id = s.document_id "
            "WHERE d.source = ? AND s.start > ? AND s.start < ? AND s.page IS NOT NULL ORDER BY s.ordinal",
            (source, start, end),
        )
        return [(int(offset), int(page)) for offset, page in rows]

    def _chunks_where(self, condition: str, *values: str | int) -> list[ChunkRow]:
        """Return the chunks for which a condition on chunks ``c`` and documents ``d`` holds, in a document's order."""
        rows = self._db.execute(
            f"SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document_id WHERE {condition} ORDER BY c.ordinal",
            values,
        )
        ids = [row[0] for row in rows]
        found = self.chunks(ids)
        return [found[chunk_id] for chunk_id in ids if chunk_id in found]

    def chunks(self, ids: Iterable[int]) -> dict[int, ChunkRow]:
        """Return the chunks that still exist among ``ids``; one deleted since is simply not there.

        Raises :class:`~indexes.errors.IndexDamagedError` for one whose headings cannot be read.
        """
        wanted = [int(i) for i in ids]
        found: dict[int, ChunkRow] = {}
        for part in _slices(wanted):
            marks = ",".join("?" * len(part))
            rows = self._db.execute(
                f"{_CHUNKS} ON d.id = c.document_id WHERE c.id IN ({marks})",
                part,
            )
            for row in rows.fetchall():
                found[row[0]] = _row(ChunkRow, row)
        return found

    def chunk_ids(self, selection: Selection | None = None) -> Int64:
        """Return all chunk ids in ascending order, or those of the selected documents."""
        if selection is None:
            return self._ids("SELECT id FROM chunks ORDER BY id")
        where, values = _where(selection)
        return self._ids(
            f"SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document_id WHERE {where} ORDER BY c.id", *values
        )

    def vectors(self, ids: Iterable[int]) -> Float32:
        """Return the chunks' vectors, float32 of shape (n, dimension), in the order of ``ids``.

        Raises :class:`~indexes.errors.IndexDamagedError` if one of them has none.
        """
        unique, inverse = np.unique(np.fromiter(ids, dtype=np.int64), return_inverse=True)
        wanted: list[int] = unique.tolist()
        embedder, dimension = self.meta("embedder"), self.meta("dimension")
        out = np.empty((len(wanted), dimension), dtype=np.float32)
        position = {chunk_id: n for n, chunk_id in enumerate(wanted)}
        filled = 0
        for part in _slices(wanted):
            marks = ",".join("?" * len(part))
            rows = self._db.execute(
                # CROSS JOIN fixes the order in SQLite: by itself it goes through every vector there is
                # for each slice of ids.
                "SELECT c.id, v.vector FROM chunks c CROSS JOIN vectors v ON v.key = c.vector_key AND v.embedder = ? "
                f"WHERE c.id IN ({marks})",
                [embedder, *part],
            )
            for chunk_id, blob in rows:
                if len(blob) != 2 * dimension:
                    raise IndexDamagedError(f"{self.path}: the vector of chunk {chunk_id} has {len(blob)} bytes")
                out[position[chunk_id]] = np.frombuffer(blob, dtype="<f2")
                filled += 1
        if filled != len(position):
            raise IndexDamagedError(f"{self.path}: chunks without a vector: {len(position) - filled:,}")
        return np.asarray(out[inverse], dtype=np.float32)

    def known_vectors(self, embedder: str, keys: Iterable[bytes]) -> set[bytes]:
        """Return those of the keys whose text this embedder has already embedded.

        A vector of the index's own embedder that has another size than the index's is as good as none.
        """
        own, size = self.meta("embedder"), 2 * self.meta("dimension")
        known: set[bytes] = set()
        for part in _slices(list(keys)):
            marks = ",".join("?" * len(part))
            rows = self._db.execute(
                "SELECT key FROM vectors WHERE embedder = ? AND (embedder <> ? OR length(vector) = ?) "
                f"AND key IN ({marks})",
                [embedder, own, size, *part],
            )
            known.update(row[0] for row in rows)
        return known

    def changes_since(self, generation: int) -> Changes:
        """Return what a derived index of ``generation`` needs to become one of the current generation.

        Call it within :meth:`reading`, together with the reads of the chunks it names.
        """
        added = self._ids("SELECT id FROM chunks WHERE generation > ? ORDER BY id", generation)
        removed = self._ids("SELECT chunk_id FROM tombstones WHERE generation > ? ORDER BY chunk_id", generation)
        return Changes(self.generation, added, removed)

    def _ids(self, query: str, *values: str | int) -> Int64:
        return np.fromiter((row[0] for row in self._db.execute(query, values)), dtype=np.int64)

    def stored_documents(self) -> Iterator[NewDocument]:
        """Yield every readable document with its text and sections, without chunks, to be chunked again."""
        ids = [r[0] for r in self._db.execute("SELECT document_id FROM texts ORDER BY document_id")]
        for document_id in ids:
            [(row, _)] = read(self._db, DOCUMENTS, "WHERE id = ?", document_id)
            (text,) = self._db.execute("SELECT text FROM texts WHERE document_id = ?", (document_id,)).fetchone()
            sections = []
            for section, _ in read(self._db, SECTIONS, "WHERE document_id = ? ORDER BY ordinal", document_id):
                names = SECTIONS.stored(Section)
                sections.append(Section(**_read(names, map(section.get, names), f"a section of {row['source']}")))
            names = DOCUMENTS.stored(NewDocument)
            values = _read(names, map(row.get, names), row["source"])
            yield NewDocument(**values, text=text, sections=tuple(sections), chunks=())


def _read(names: Iterable[str], values: Iterable[Any], where: str) -> dict[str, Any]:
    """Return the fields of a record; columns of JSON are read."""
    pairs = zip(names, values, strict=True)
    return {name: load(name, value, where) if is_json(name) else value for name, value in pairs}


def _row(record: type[_Row], values: tuple[Any, ...]) -> _Row:
    """Return the record of a row whose columns are those of its fields, the id first."""
    names = [field.name for field in fields(record)]
    return record(**_read(names, values, f"{record.__name__.removesuffix('Row').lower()} {values[0]}"))


def _where(selection: Selection | None) -> tuple[str, list[str | int]]:
    """Return the condition on documents ``d``, made of fixed words, and the values of its parameters."""
    if selection is None:
        return "1", []
    conditions, values = ["1"], list[str | int]()
    # Lists are passed as JSON: their length is not limited as that of an expression is.
    if selection.sources is not None:
        conditions.append("d.source IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(sorted(selection.sources)))
    if selection.media_types:
        conditions.append("EXISTS (SELECT 1 FROM json_each(?) t WHERE d.media_type GLOB t.value)")
        values.append(json.dumps(selection.media_types))
    bounds: list[tuple[str, str | int | None]] = [
        ("d.modified_ns >= ?", selection.modified_from),
        ("d.modified_ns < ?", selection.modified_before),
        (f"{_COMMITTED_AT} >= ?", selection.ingested_from),
        (f"{_COMMITTED_AT} < ?", selection.ingested_before),
    ]
    for condition, value in bounds:
        if value is not None:
            conditions.append(condition)
            values.append(value)
    return " AND ".join(conditions), values


def _slices(values: list[_T]) -> Iterator[list[_T]]:
    for start in range(0, len(values), _IN_CLAUSE):
        yield values[start : start + _IN_CLAUSE]
