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

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from indexes.errors import HistoryForgottenError
from indexes.fail_points import fail_point
from indexes.store.checksums import Value, row_sha256, seal_commit, seal_document
from indexes.store.database import DATABASE, now, set_meta
from indexes.store.queries import Queries
from indexes.store.rows import FailedDocument, Float32, NewDocument
from indexes.store.undo_log import first_retained, read_past, remember

__all__ = ["DATABASE", "Store"]


class Store(Queries):
    """One index folder's database, to be read and changed. Use :meth:`create` or :meth:`open`."""

    def put_vectors(self, embedder: str, vectors: Mapping[bytes, Float32]) -> None:
        """Store vectors ahead of the commit that uses them, so that an interruption loses no embedding work."""
        with self.transaction() as db:
            fail_point("vectors.begun")
            for key, vector in vectors.items():
                _put_vector(db, embedder, key, np.asarray(vector, dtype="<f2").tobytes())
                fail_point("vectors.one")
            fail_point("vectors.before-commit")
        fail_point("vectors.after-commit")

    def put_stamps(self, stamps: Mapping[str, tuple[str, bytes]]) -> None:
        """Store stamps."""
        if not stamps:
            return
        with self.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO stamps (source, stamp, content_sha256, sha256) VALUES (?, ?, ?, ?)",
                [(source, stamp, sha, row_sha256(source, stamp, sha)) for source, (stamp, sha) in stamps.items()],
            )
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
            generation = _begin_commit(db, run)
            fail_point("commit.logged")
            touched = [name for move in moves for name in move]
            touched += [*removals, *(d.source for d in documents), *(f.source for f in failures)]
            for source in touched:
                remember(db, source, generation)
            gone = [*removals, *(old for old, _ in moves)]
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
            size = sum(document.size for document in documents)
            milliseconds = None if seconds is None or not documents else max(1, round(1000 * seconds))
            db.execute(
                "UPDATE commits SET added = ?, changed = ?, removed = ?, failed = ?, milliseconds = ?, bytes = ? "
                "WHERE generation = ?",
                (
                    len(documents) - changed, changed + len(moves), removed, len(failures), milliseconds,
                    None if milliseconds is None else size, generation,
                ),
            )  # fmt: skip
            seal_commit(db, generation)
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
            generation = _begin_commit(db, 0)
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
            db.execute("UPDATE commits SET changed = ? WHERE generation = ?", (changed, generation))
            seal_commit(db, generation)
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
            generation = _begin_commit(db, 0)
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
            db.execute(
                "UPDATE commits SET changed = ?, removed = ? WHERE generation = ?", (changed, removed, generation)
            )
            seal_commit(db, generation)
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
            generation = _begin_commit(db, 0)
            db.execute("DELETE FROM tombstones")
            db.execute("DELETE FROM retired")
            db.execute(
                "DELETE FROM vectors WHERE embedder <> ? OR key NOT IN (SELECT vector_key FROM chunks)",
                (self.meta("embedder"),),
            )
            db.execute("DELETE FROM stamps WHERE source NOT IN (SELECT source FROM documents)")
            set_meta(db, {"history_from": generation, "replay_from": generation})
            for (number,) in db.execute("SELECT generation FROM commits").fetchall():
                seal_commit(db, number)
            fail_point("compact.dropped")
        fail_point("compact.done")
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


def _begin_commit(db: sqlite3.Connection, run: int) -> int:
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
            (known,) = db.execute("SELECT value FROM meta WHERE key = 'history_from'").fetchone()
            set_meta(db, {"history_from": max(retained - 1, int(known))})
    return generation


# The rows of one document, in the transaction of a commit. Each function leaves the rows that it changed sealed. -----


def _put_document(db: sqlite3.Connection, document: NewDocument, generation: int) -> bool:
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


def _recut_document(db: sqlite3.Connection, document: NewDocument, generation: int) -> bool:
    """Replace a stored document's chunks; its state and what is known of its file stay. Return whether it was there."""
    known = db.execute("SELECT id FROM documents WHERE source = ?", (document.source,)).fetchone()
    if known is None:
        return False
    _remove_content(db, known[0], generation)
    db.execute("UPDATE documents SET generation = ? WHERE id = ?", (generation, known[0]))
    seal_document(db, known[0])
    _put_content(db, known[0], document, generation)
    return True


def _rename_document(db: sqlite3.Connection, old: str, new: str) -> None:
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


def _put_vector(db: sqlite3.Connection, embedder: str, key: bytes, vector: bytes) -> None:
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


def _remove_document(db: sqlite3.Connection, source: str, generation: int) -> bool:
    """Remove one document with all it holds; return whether it was there."""
    row = db.execute("SELECT id FROM documents WHERE source = ?", (source,)).fetchone()
    if row is None:
        return False
    _remove_content(db, row[0], generation)
    db.execute("DELETE FROM documents WHERE id = ?", (row[0],))
    fail_point("commit.removed")
    return True


def _put_failure(db: sqlite3.Connection, failure: FailedDocument, generation: int) -> None:
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
