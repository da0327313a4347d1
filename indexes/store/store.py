"""The truth of an index folder: documents, chunks, vectors and the log of commits, in one SQLite database.

A commit is one transaction and gets a generation number; whatever is not committed never happened. Deleted
chunks leave a tombstone with the generation that removed them, so that a derived index of any earlier
generation can be brought up to date from :meth:`~indexes.store.content.Content.changes_since`.

Vectors are keyed by the hash of the text they embed and by their embedder, and may be stored ahead of the commit
that uses them: identical text is embedded once, ever.

Here is what changes the content; how it is read is in :mod:`indexes.store.content`, what is noted beside it in
:mod:`indexes.store.notes`, and the file with its transactions in :mod:`indexes.store.database`. The store knows
nothing of how vectors are made or searched.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from indexes.errors import HistoryForgottenError
from indexes.fail_points import fail_point
from indexes.store.checksums import seal_commit
from indexes.store.content import Content
from indexes.store.database import DATABASE, now, set_meta
from indexes.store.notes import Notes
from indexes.store.rows import FailedDocument, Float32, NewDocument
from indexes.store.undo_log import first_kept, read_past, remember
from indexes.store.write_rows import (
    put_document,
    put_failure,
    put_vector,
    recut_document,
    remove_document,
    rename_document,
)

__all__ = ["DATABASE", "Store"]


class Store(Content, Notes):
    """One index folder's database, to be read and changed. Use :meth:`create` or :meth:`open`."""

    def put_vectors(self, embedder: str, vectors: Mapping[bytes, Float32]) -> None:
        """Store vectors ahead of the commit that uses them, so that an interruption loses no embedding work."""
        with self.transaction() as db:
            fail_point("vectors.begun")
            for key, vector in vectors.items():
                put_vector(db, embedder, key, np.asarray(vector, dtype="<f2").tobytes())
                fail_point("vectors.one")
            fail_point("vectors.before-commit")
        fail_point("vectors.after-commit")

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
                rename_document(db, old, new)
                fail_point("commit.moved")
            removed = sum(remove_document(db, source, generation) for source in removals)
            changed = sum(put_document(db, document, generation) for document in documents)
            for failure in failures:
                put_failure(db, failure, generation)
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
            changed = sum(recut_document(db, document, generation) for document in documents)
            self._require_vectors(db, 0)  # of every chunk: a document left out has vectors of the old embedder
            db.execute("UPDATE commits SET changed = ? WHERE generation = ?", (changed, generation))
            seal_commit(db, generation)
        return generation

    def runs(self) -> list[int]:
        """Return the generations that :meth:`roll_back` can go back to because a run ended there, latest first."""
        rows = self._db.execute(
            "SELECT DISTINCT run - 1 FROM commits WHERE run > ? ORDER BY run DESC", (int(self.meta("history_from")),)
        )
        return [int(row[0]) for row in rows]

    def roll_back(self, to: int) -> int:
        """Put every document back to what it was at a generation, as a new commit; return its generation.

        Raises :class:`~indexes.errors.HistoryForgottenError` where that is not known any more.
        """
        with self.transaction() as db:
            first, last = int(self.meta("history_from")), self.generation
            if not first <= to < last:
                raise HistoryForgottenError(self.folder, to, first, last)
            past = read_past(db, to)  # first: a new run forgets the oldest one's past
            generation = _begin_commit(db, 0)
            removed = changed = 0
            for source, (document, failure) in past.items():
                remember(db, source, generation)
                if document is None:
                    removed += remove_document(db, source, generation)
                else:
                    changed += 1
                    put_document(db, document, generation)
                if failure is not None:
                    put_failure(db, failure, generation)
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
            (self.meta("embedder"), generation, 2 * int(self.meta("dimension"))),
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
        kept = first_kept(db)
        if kept:
            db.execute("DELETE FROM retired WHERE generation < ?", (kept,))
            (known,) = db.execute("SELECT value FROM meta WHERE key = 'history_from'").fetchone()
            set_meta(db, {"history_from": max(kept - 1, int(known))})
    return generation
