"""The truth of an index folder: documents, chunks, vectors and the log of commits, in one SQLite database.

A commit is one transaction and gets a generation number; whatever is not committed never happened. Deleted
chunks leave a tombstone with the generation that removed them, so that a derived index of any earlier
generation can be brought up to date from :meth:`~indexes.store.queries.Queries.changes_since`.

Vectors are keyed by the hash of the text they embed and by their embedder, and may be stored ahead of the commit
that uses them: identical text is embedded once, ever.

This file holds everything that changes the content, the whole of a commit. :mod:`indexes.store.queries` reads it,
:mod:`indexes.store.database` opens the file and runs transactions. The store knows nothing of how vectors are made or
searched.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from indexes.errors import HistoryForgottenError
from indexes.fail_points import fail_point
from indexes.store.checksums import Value, insert, seal, set_meta, update
from indexes.store.database import DATABASE, now
from indexes.store.json_columns import dump, is_json
from indexes.store.queries import Queries
from indexes.store.rows import FailedDocument, Float32, NewChunk, NewDocument, Section
from indexes.store.schema import CHUNKS, COMMITS, DOCUMENTS, SECTIONS, STAMPS, TEXTS, VECTORS, Table
from indexes.store.undo_log import first_retained, read_past, remember

__all__ = ["DATABASE", "Store"]


class Store(Queries):
    """One index folder's database, to be read and changed. Use :meth:`create` or :meth:`open`."""

    def put_vectors(self, embedder: str, vectors: Mapping[bytes, Float32]) -> None:
        """Store vectors ahead of the commit that uses them, so that an interruption loses no embedding work."""
        with self.transaction() as db:
            fail_point("vectors.begun")
            insert(db, VECTORS, _vector_rows(embedder, vectors), replace=True)
            fail_point("vectors.before-commit")
        fail_point("vectors.after-commit")

    def put_stamps(self, stamps: Mapping[str, tuple[str, bytes]]) -> None:
        """Store stamps."""
        if not stamps:
            return
        with self.transaction() as db:
            for source, (stamp, sha) in stamps.items():
                insert(db, STAMPS, [{"source": source, "stamp": stamp, "content_sha256": sha}], replace=True)
            fail_point("stamps.before-commit")
        fail_point("stamps.done")

    def drop_damaged_stamps(self) -> None:
        """Drop stamps that are not what their checksums say: their files are read again."""
        sound = self.stamps()
        with self.transaction() as db:
            gone = [(row[0],) for row in db.execute("SELECT source FROM stamps").fetchall() if row[0] not in sound]
            db.executemany("DELETE FROM stamps WHERE source = ?", gone)

    def commit(
        self,
        documents: Sequence[NewDocument] = (),
        *,
        failures: Sequence[FailedDocument] = (),
        removals: Sequence[str] = (),
        moves: Sequence[tuple[str, str]] = (),
        run: int = 0,
        seconds: float | None = None,
    ) -> int:
        """Store, replace, rename and remove documents in one transaction and return its generation.

        The vectors of all chunks must have been stored before; a chunk without one is refused here, not found later.
        ``run`` is the generation that the first commit of the same run returned; 0 begins another run. ``seconds`` is
        what it took to make the documents ready.

        Moves come first, then removals, documents and failures. Raises ``ValueError`` for a move that cannot be made.
        """
        with self.transaction() as db:
            fail_point("commit.begun")
            generation = self._begin_commit(db, run)
            fail_point("commit.logged")
            gone = [*removals, *(old for old, _ in moves)]
            for source in [
                *gone,
                *(new for _, new in moves),
                *(d.source for d in documents),
                *(f.source for f in failures),
            ]:
                remember(db, source, generation)
            db.executemany("DELETE FROM stamps WHERE source = ?", [(source,) for source in gone])
            for old, new in moves:
                _rename_document(db, old, new)
                fail_point("commit.moved")
            removed = sum(_remove_document(db, source, generation) for source in removals)
            changed = sum(_put_document(db, document, generation) for document in documents)
            for failure in failures:
                _put_failure(db, failure, generation)
            fail_point("commit.failures")
            self._require_vectors(db, generation)
            figures = {"added": len(documents) - changed, "changed": changed + len(moves), "removed": removed,
                       "failed": len(failures)}  # fmt: skip
            if documents and seconds is not None:
                figures |= {"milliseconds": max(1, round(1000 * seconds)), "bytes": sum(d.size for d in documents)}
            update(db, COMMITS, generation, figures)
            fail_point("commit.sealed")
        fail_point("commit.done")
        return generation

    def replace_all(
        self, documents: Iterable[NewDocument], settings: Mapping[str, Any], *, embedder: str, dimension: int
    ) -> int:
        """Re-chunk every document under new settings in one transaction; the vectors must be stored before.

        What documents were before is forgotten: its chunks were cut and embedded under the old settings.
        """
        with self.transaction() as db:
            generation = self._begin_commit(db, 0)
            db.execute("DELETE FROM retired")
            set_meta(
                db,
                {
                    "settings": dict(settings),
                    "embedder": embedder,
                    "dimension": dimension,
                    "history_from": generation,
                },
            )
            changed = sum(_recut_document(db, document, generation) for document in documents)
            self._require_vectors(db, 0)  # of every chunk: a document left out has vectors of the old embedder
            update(db, COMMITS, generation, {"changed": changed})
        return generation

    def runs(self) -> list[int]:
        """Return the generations that :meth:`roll_back` can go back to because a run ended there, latest first."""
        rows = self._db.execute(
            "SELECT DISTINCT run - 1 FROM commits WHERE run > ? ORDER BY run DESC", (self.meta("history_from"),)
        )
        return [int(row[0]) for row in rows]

    def roll_back(self, to: int) -> int:
        """Put every document back to what it was at a generation, as a new commit; return its generation.

        Raises :class:`~indexes.errors.HistoryForgottenError` where that is not known any more.
        """
        with self.transaction() as db:
            first, last = self.meta("history_from"), self.generation
            if not first <= to < last:
                raise HistoryForgottenError(self.folder, to, first, last)
            past = read_past(db, to)  # first: a new run forgets the oldest one's past
            generation = self._begin_commit(db, 0)
            removed = changed = 0
            for source, (document, failure) in past.items():
                remember(db, source, generation)
                if document is None:
                    removed += _remove_document(db, source, generation)
                else:
                    changed += 1
                    _put_document(db, document, generation)
                if failure is not None:
                    _put_failure(db, failure, generation)
            self._require_vectors(db, generation)
            update(db, COMMITS, generation, {"changed": changed, "removed": removed})
            fail_point("commit.sealed")
        return generation

    def forget_history(self) -> None:
        """Forget what documents were before: no commit up to now can be undone."""
        with self.transaction() as db:
            db.execute("DELETE FROM retired")
            set_meta(db, {"history_from": self.generation})

    def compact(self) -> int:
        """Drop what only the past needs (unused vectors, tombstones, old versions) and return the new generation.

        Derived indexes of earlier generations can no longer be brought up to date, and none is taken for current.
        """
        with self.transaction() as db:
            generation = self._begin_commit(db, 0)
            db.execute("DELETE FROM tombstones")
            db.execute("DELETE FROM retired")
            db.execute(
                "DELETE FROM vectors WHERE embedder <> ? OR key NOT IN (SELECT vector_key FROM chunks)",
                (self.meta("embedder"),),
            )
            db.execute("DELETE FROM stamps WHERE source NOT IN (SELECT source FROM documents)")
            set_meta(db, {"history_from": generation, "replay_from": generation})
            for (number,) in db.execute("SELECT generation FROM commits").fetchall():
                seal(db, COMMITS, number)
            fail_point("compact.dropped")
        fail_point("compact.done")
        return generation

    def _begin_commit(self, db: sqlite3.Connection, run: int) -> int:
        """Begin a commit in the open transaction and return its generation; a new run forgets the oldest one's past."""
        cursor = db.execute(
            "INSERT INTO commits (committed_at, added, changed, removed, failed, run) VALUES (?, 0, 0, 0, 0, ?)",
            (now(), run),
        )
        generation = int(cursor.lastrowid or 0)
        if not run:
            db.execute("UPDATE commits SET run = generation WHERE generation = ?", (generation,))
            retained = first_retained(db)
            if retained:
                db.execute("DELETE FROM retired WHERE generation < ?", (retained,))
                set_meta(db, {"history_from": max(retained - 1, self.meta("history_from"))})
        return generation

    def _require_vectors(self, db: sqlite3.Connection, generation: int) -> None:
        """Refuse a commit whose chunks, from ``generation`` on, lack a vector."""
        missing = db.execute(
            "SELECT count(*) FROM chunks c LEFT JOIN vectors v ON v.key = c.vector_key AND v.embedder = ? "
            "WHERE c.generation >= ? AND (v.key IS NULL OR length(v.vector) <> ?)",
            (self.meta("embedder"), generation, 2 * self.meta("dimension")),
        ).fetchone()[0]
        if missing:
            raise ValueError(f"{missing} chunks were committed without a vector of the index's dimension")


def _vector_rows(embedder: str, vectors: Mapping[bytes, Float32]) -> Iterator[dict[str, Value]]:
    for key, vector in vectors.items():
        yield {"embedder": embedder, "key": key, "vector": np.asarray(vector, dtype="<f2").tobytes()}
        fail_point("vectors.one")


# The rows of one document, in the transaction of a commit. Each function leaves the rows that it changed sealed. -----


def _put_document(db: sqlite3.Connection, document: NewDocument, generation: int) -> bool:
    """Insert or replace one document; return whether one stood there with content before."""
    known = _find(db, document.source)
    if known is not None:
        _remove_content(db, known[0], generation)
        fail_point("commit.document-removed")
    no_failure = dict.fromkeys(DOCUMENTS.stored(FailedDocument))
    values = no_failure | _values(DOCUMENTS, document) | {"state": "ready", "generation": generation}
    document_id = _save(db, known, values)
    _put_content(db, document_id, document, generation)
    fail_point("commit.document")
    return known is not None and known[1] != "failed"


def _recut_document(db: sqlite3.Connection, document: NewDocument, generation: int) -> bool:
    """Replace a stored document's chunks; its state and what is known of its file stay. Return whether it was there."""
    known = _find(db, document.source)
    if known is None:
        return False
    _remove_content(db, known[0], generation)
    update(db, DOCUMENTS, known[0], {"generation": generation})
    _put_content(db, known[0], document, generation)
    return True


def _rename_document(db: sqlite3.Connection, old: str, new: str) -> None:
    """Give a document another source; its chunks, their ids and their vectors stay.

    Its generation stays too: that of its chunks, which did not change. Raises ``ValueError`` where there is nothing
    of the old name, or a document with content of the new one.
    """
    known = _find(db, old)
    db.execute("DELETE FROM documents WHERE source = ? AND state = 'failed'", (new,))
    if known is None or _find(db, new) is not None:
        raise ValueError(f"{old} cannot be renamed {new}: {'it is not there' if known is None else 'that is taken'}")
    update(db, DOCUMENTS, known[0], {"source": new})


def _put_failure(db: sqlite3.Connection, failure: FailedDocument, generation: int) -> None:
    """Record a failure; content that was read earlier keeps answering, and its document is called stale."""
    known = _find(db, failure.source)
    values = _values(DOCUMENTS, failure)
    if known is None:
        values |= {"media_type": "", "title": "", "size": 0, "modified_ns": 0, "generation": generation}
    _save(db, known, values | {"state": "failed" if known is None or known[1] == "failed" else "stale"})


def _find(db: sqlite3.Connection, source: str) -> tuple[int, str] | None:
    """Return a document's id and state."""
    row: tuple[int, str] | None = db.execute("SELECT id, state FROM documents WHERE source = ?", (source,)).fetchone()
    return row


def _save(db: sqlite3.Connection, known: tuple[int, str] | None, values: Mapping[str, Value]) -> int:
    """Change a document's row, or insert one; return its id."""
    if known is not None:
        update(db, DOCUMENTS, known[0], values)
        return known[0]
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    cursor = db.execute(f"INSERT INTO documents ({names}, sha256) VALUES ({marks}, x'')", values)
    document_id = int(cursor.lastrowid or 0)
    seal(db, DOCUMENTS, document_id)
    return document_id


def _values(table: Table, record: NewDocument | FailedDocument | Section | NewChunk) -> dict[str, Value]:
    """Return those fields of a record that the table has columns for."""
    kind: type = type(record)
    values: dict[str, Any] = {name: getattr(record, name) for name in table.stored(kind)}
    return {name: dump(value) if is_json(name) else value for name, value in values.items()}


def _put_content(db: sqlite3.Connection, document_id: int, document: NewDocument, generation: int) -> None:
    own = {"document_id": document_id}
    sections = [{**own, "ordinal": n, **_values(SECTIONS, section)} for n, section in enumerate(document.sections)]
    text: dict[str, Value] = {**own, "chunks": len(document.chunks), "text": document.text}
    insert(db, TEXTS, [text], owned=sections)
    insert(db, SECTIONS, sections)
    more = {**own, "generation": generation}
    insert(db, CHUNKS, ({**more, "ordinal": n, **_values(CHUNKS, c)} for n, c in enumerate(document.chunks)))


def _remove_content(db: sqlite3.Connection, document_id: int, generation: int) -> None:
    db.execute(
        "INSERT INTO tombstones (chunk_id, generation) SELECT id, ? FROM chunks WHERE document_id = ?",
        (generation, document_id),
    )
    for table in (CHUNKS, SECTIONS, TEXTS):
        db.execute(f"DELETE FROM {table.name} WHERE document_id = ?", (document_id,))


def _remove_document(db: sqlite3.Connection, source: str, generation: int) -> bool:
    """Remove one document with all it holds; return whether it was there."""
    known = _find(db, source)
    if known is None:
        return False
    _remove_content(db, known[0], generation)
    db.execute("DELETE FROM documents WHERE id = ?", (known[0],))
    fail_point("commit.removed")
    return True
