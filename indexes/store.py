"""The truth of an index folder: documents, chunks, vectors and the log of commits, in one SQLite database.

A commit is one transaction and gets a generation number; whatever is not committed never happened. Deleted
chunks leave a tombstone with the generation that removed them, so that a derived index of any earlier
generation can be brought up to date from :meth:`Store.changes_since`.

Vectors are keyed by the hash of the text they embed and by their embedder, and may be stored ahead of the commit
that uses them: identical text is embedded once, ever.

The store knows nothing of how vectors are made or searched. One ``Store`` may be shared by threads: each thread
gets its own connection.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from indexes import schema
from indexes.errors import (
    FormatTooNewError,
    FormatTooOldError,
    HistoryForgottenError,
    IndexDamagedError,
    IndexMissingError,
    StoreError,
)
from indexes.fail_points import fail_point
from indexes.history import first_kept, read_past, remember
from indexes.lock import writer_lock
from indexes.rows import (
    ChunkRow,
    CommitRow,
    DocumentRow,
    FailedDocument,
    Float32,
    Int64,
    NewDocument,
    Section,
)
from indexes.seals import row_sha256, seal_commit, seal_meta
from indexes.write_rows import (
    put_document,
    put_failure,
    put_vector,
    recut_document,
    remove_document,
    rename_document,
)

__all__ = ["DATABASE", "Changes", "Store"]

DATABASE = "rag.db"
_DOCUMENTS = (
    "SELECT d.id, d.source, d.content_sha256, d.media_type, d.title, d.state, d.size, d.pages, "
    "(SELECT count(*) FROM chunks c WHERE c.document_id = d.id), d.generation, "
    "(SELECT committed_at FROM commits g WHERE g.generation = d.generation), d.reason, d.message, d.remedy "
    "FROM documents d"
)
_T = TypeVar("_T")
_IN_CLAUSE = 500  # SQLite's own limit on bound parameters is far higher; this bounds the statement cache's variety


@dataclass(frozen=True)
class Changes:
    """What happened to the chunks between two generations: rows added (in id order) and ids removed."""

    generation: int
    added: Int64
    removed: Int64


class Store:
    """One index folder's database. Use :meth:`create` or :meth:`open`."""

    def __init__(self, folder: Path, *, write: bool) -> None:
        self.folder = folder
        self.path = folder / DATABASE
        self._write = write
        self._local = threading.local()

    @classmethod
    def create(cls, folder: Path, settings: Mapping[str, Any], *, embedder: str, dimension: int) -> Store:
        """Make a new, empty index in ``folder`` and return it open for writing.

        Raises :class:`~indexes.errors.StoreError` where one stands already.
        """
        folder.mkdir(parents=True, exist_ok=True)
        schema.connect(folder / DATABASE, create=True, write=True).close()
        values = {
            "format_version": schema.FORMAT_VERSION,
            "store_id": uuid.uuid4().hex,
            "created_at": _now(),
            "settings": dict(settings),
            "embedder": embedder,
            "dimension": dimension,
            "history_from": 0,
            "replay_from": 0,
        }
        store = cls(folder, write=True)
        # One transaction: a process killed here leaves an empty database, which counts as "no index".
        try:
            with store.transaction() as db:
                if db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'meta'").fetchone()[0]:
                    raise StoreError(f"there is an index in {folder} already")
                schema.create_tables(db)
                _set_meta(db, values)
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def open(cls, folder: Path, *, write: bool = False) -> Store:
        """Open the index in ``folder``; one of an earlier format that can still be read is brought up to date first.

        Raises :class:`~indexes.errors.IndexMissingError`, :class:`~indexes.errors.FormatTooNewError`,
        :class:`~indexes.errors.FormatTooOldError` or :class:`~indexes.errors.IndexDamagedError`.
        """
        if not cls.exists(folder):
            raise IndexMissingError(folder)
        store = cls(folder, write=write)
        found = int(store.meta("format_version"))
        if found > schema.FORMAT_VERSION:
            raise FormatTooNewError(folder, found, schema.FORMAT_VERSION)
        if found < schema.OLDEST_FORMAT:
            raise FormatTooOldError(folder, found, schema.FORMAT_VERSION)
        if found < schema.FORMAT_VERSION:
            store.close()
            _migrate(folder)
        return store

    @staticmethod
    def exists(folder: Path) -> bool:
        """Tell whether the folder holds an index; a database that was never filled does not count."""
        path = folder / DATABASE
        if not path.is_file():
            return False
        connection = schema.connect(path)
        try:
            return bool(connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'meta'").fetchone()[0])
        finally:
            connection.close()

    @property
    def _db(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = schema.connect(self.path, write=self._write)
            self._local.connection = connection
        return connection

    def close(self) -> None:
        """Close this thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run a block in one transaction: committed at its end, rolled back on any way out by exception."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")  # inside: a reader that holds it up must not leave the transaction open
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let all reads of a block see one generation. Keep the block short: a writer waits for its end.

        A block inside another is part of it.
        """
        db = self._db
        if db.in_transaction:
            yield
            return
        db.execute("BEGIN")
        try:
            yield
        finally:
            db.execute("COMMIT")

    # Facts about the folder ---------------------------------------------------------------------------------

    def meta(self, key: str) -> Any:
        """Return a recorded value. Raises :class:`~indexes.errors.IndexDamagedError` if it is not there."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise IndexDamagedError(f"{self.path} has no record of its {key}")
        try:
            return json.loads(row[0])
        except ValueError:
            raise IndexDamagedError(f"{self.path} is damaged: its record of {key} cannot be read") from None

    @property
    def settings(self) -> dict[str, Any]:
        """What the index was made with, as its maker recorded it."""
        return dict(self.meta("settings"))

    @property
    def generation(self) -> int:
        """The number of the last commit, 0 before the first."""
        row = self._db.execute("SELECT max(generation) FROM commits").fetchone()
        return int(row[0] or 0)

    def head(self) -> tuple[int, str]:
        """Return the last commit's number and nonce, (0, "") before the first."""
        row = self._db.execute("SELECT generation, nonce FROM commits ORDER BY generation DESC LIMIT 1").fetchone()
        return (0, "") if row is None else (int(row[0]), str(row[1]))

    def nonce(self, generation: int) -> str | None:
        """Return the nonce of a commit that a derived index can go on from.

        None if this history has no commit of that number, or if what was removed since is no longer on record.
        """
        if generation < int(self.meta("replay_from")):
            return None
        if generation == 0:
            return ""
        row = self._db.execute("SELECT nonce FROM commits WHERE generation = ?", (generation,)).fetchone()
        return None if row is None else str(row[0])

    def counts(self) -> dict[str, int]:
        """Return the numbers of documents by state, of chunks and of vectors."""
        counts = {"ready": 0, "failed": 0, "stale": 0}
        counts.update(self._db.execute("SELECT state, count(*) FROM documents GROUP BY state").fetchall())
        for table in ("chunks", "vectors", "tombstones"):
            counts[table] = self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - fixed names
        return counts

    def unused_vectors(self) -> int:
        """Return how many vectors no chunk of the index needs now: they are kept, should their text come back."""
        row = self._db.execute(
            "SELECT count(*) FROM vectors v WHERE v.embedder <> ? "
            "OR NOT EXISTS (SELECT 1 FROM chunks c WHERE c.vector_key = v.key)",
            (self.meta("embedder"),),
        ).fetchone()
        return int(row[0])

    def commits(self, limit: int = 10) -> list[CommitRow]:
        """Return the last commits, newest first."""
        rows = self._db.execute(
            "SELECT generation, committed_at, added, changed, removed, failed, run, milliseconds, bytes FROM commits "
            "ORDER BY generation DESC LIMIT ?",
            (limit,),
        )
        return [CommitRow(*row) for row in rows]

    # Reading ------------------------------------------------------------------------------------------------

    def documents(self) -> list[DocumentRow]:
        """Return every document, in order of its source."""
        return [DocumentRow(*row) for row in self._db.execute(f"{_DOCUMENTS} ORDER BY d.source")]

    def document(self, source: str) -> DocumentRow | None:
        """Return one document, None if there is none of that name."""
        row = self._db.execute(f"{_DOCUMENTS} WHERE d.source = ?", (source,)).fetchone()
        return None if row is None else DocumentRow(*row)

    def sizes(self) -> dict[str, int]:
        """Map each document that is ready to the size of the file it was made of."""
        return dict(self._db.execute("SELECT source, size FROM documents WHERE state = 'ready'").fetchall())

    def failures(self) -> dict[str, FailedDocument]:
        """Map each document whose file could not be read last to what was wrong."""
        rows = self._db.execute(
            "SELECT source, reason, message, remedy, failed_sha256 FROM documents WHERE state <> 'ready'"
        )
        return {row[0]: FailedDocument(*row) for row in rows}

    def chunks_of(self, source: str) -> list[ChunkRow]:
        """Return a document's chunks in their order in it."""
        rows = self._db.execute(
            "SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document_id WHERE d.source = ? ORDER BY c.ordinal",
            (source,),
        )
        ids = [row[0] for row in rows]
        found = self.chunks(ids)
        return [found[chunk_id] for chunk_id in ids if chunk_id in found]

    def stamps(self) -> dict[str, tuple[str, bytes]]:
        """Map each source to its stamp and the content hash it stands for; a damaged one is left out."""
        rows = self._db.execute("SELECT source, stamp, content_sha256, sha256 FROM stamps")
        return {source: (stamp, sha) for source, stamp, sha, seal in rows if row_sha256(source, stamp, sha) == seal}

    def throughput(self) -> float | None:
        """Return the bytes of documents a second that the last commits took in, None where none was measured."""
        row = self._db.execute(
            "SELECT sum(bytes), sum(milliseconds) FROM "
            "(SELECT bytes, milliseconds FROM commits WHERE bytes > 0 ORDER BY generation DESC LIMIT 50)"
        ).fetchone()
        return 1000 * row[0] / row[1] if row[1] else None

    def content_hashes(self) -> dict[str, tuple[str, bytes | None, bytes | None]]:
        """Map each source to its state, the hash of the content that answers, and of the content that failed last."""
        rows = self._db.execute("SELECT source, state, content_sha256, failed_sha256 FROM documents")
        return {source: (state, sha, failed) for source, state, sha, failed in rows}

    def text(self, source: str) -> str:
        """Return a document's extracted text. Raises ``KeyError`` for an unknown source."""
        row = self._db.execute(
            "SELECT t.text FROM texts t JOIN documents d ON d.id = t.document_id WHERE d.source = ?",
            (source,),
        ).fetchone()
        if row is None:
            raise KeyError(source)
        return str(row[0])

    def _headings(self, stored: str, where: str) -> tuple[str, ...]:
        """Read a heading path. Raises :class:`~indexes.errors.IndexDamagedError` if it is none."""
        try:
            headings = json.loads(stored)
        except ValueError:
            headings = None
        if not isinstance(headings, list) or not all(isinstance(heading, str) for heading in headings):
            raise IndexDamagedError(f"{self.path} is damaged: the headings of {where} cannot be read")
        return tuple(headings)

    def chunks(self, ids: Iterable[int]) -> dict[int, ChunkRow]:
        """Return the chunks that still exist among ``ids``; one deleted since is simply not there.

        Raises :class:`~indexes.errors.IndexDamagedError` for one whose headings cannot be read.
        """
        wanted = [int(i) for i in ids]
        found: dict[int, ChunkRow] = {}
        for part in _slices(wanted):
            marks = ",".join("?" * len(part))
            rows = self._db.execute(
                "SELECT c.id, c.document_id, d.source, d.title, c.start, c.end, c.page, c.headings, c.text "  # noqa: S608
                f"FROM chunks c JOIN documents d ON d.id = c.document_id WHERE c.id IN ({marks})",
                part,
            )
            for row in rows:
                values = [*row[:7], self._headings(row[7], f"chunk {row[0]}"), row[8]]
                found[row[0]] = ChunkRow(*values)
        return found

    def chunk_ids(self, source_glob: str | None = None) -> Int64:
        """Return all chunk ids in ascending order, or those of the documents whose source matches the glob."""
        if source_glob is None:
            rows = self._db.execute("SELECT id FROM chunks ORDER BY id")
        else:
            rows = self._db.execute(
                "SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document_id WHERE d.source GLOB ? "
                "ORDER BY c.id",
                (source_glob,),
            )
        return _id_array(rows)

    def vectors(self, ids: Iterable[int]) -> Float32:
        """Return the chunks' vectors, float32 of shape (n, dimension), in the order of ``ids``.

        Raises :class:`~indexes.errors.IndexDamagedError` if one of them has none.
        """
        unique, inverse = np.unique(np.fromiter(ids, dtype=np.int64), return_inverse=True)
        wanted: list[int] = unique.tolist()
        embedder, dimension = self.meta("embedder"), int(self.meta("dimension"))
        out = np.empty((len(wanted), dimension), dtype=np.float32)
        position = {chunk_id: n for n, chunk_id in enumerate(wanted)}
        filled = 0
        for part in _slices(wanted):
            marks = ",".join("?" * len(part))
            rows = self._db.execute(
                "SELECT c.id, v.vector FROM chunks c JOIN vectors v ON v.key = c.vector_key AND v.embedder = ? "  # noqa: S608
                f"WHERE c.id IN ({marks})",
                [embedder, *part],
            )
            for chunk_id, blob in rows:
                if len(blob) != 2 * dimension:
                    raise IndexDamagedError(f"{self.path}: the vector of chunk {chunk_id} has {len(blob)} bytes")
                out[position[chunk_id]] = np.frombuffer(blob, dtype="<f2")
                filled += 1
        if filled != len(position):
            raise IndexDamagedError(f"{self.path}: {len(position) - filled} chunks have no vector")
        return np.asarray(out[inverse], dtype=np.float32)

    def known_vectors(self, embedder: str, keys: Iterable[bytes]) -> set[bytes]:
        """Return those of the keys whose text this embedder has already embedded.

        A vector of the index's own embedder that has another size than the index's is as good as none.
        """
        own, size = self.meta("embedder"), 2 * int(self.meta("dimension"))
        known: set[bytes] = set()
        for part in _slices(list(keys)):
            marks = ",".join("?" * len(part))
            rows = self._db.execute(
                "SELECT key FROM vectors WHERE embedder = ? AND (embedder <> ? OR length(vector) = ?) "  # noqa: S608
                f"AND key IN ({marks})",
                [embedder, own, size, *part],
            )
            known.update(row[0] for row in rows)
        return known

    def changes_since(self, generation: int) -> Changes:
        """Return what a derived index of ``generation`` needs to become one of the current generation.

        Call it within :meth:`reading`, together with the reads of the chunks it names.
        """
        db = self._db
        added = db.execute("SELECT id FROM chunks WHERE generation > ? ORDER BY id", (generation,))
        removed = db.execute("SELECT chunk_id FROM tombstones WHERE generation > ? ORDER BY chunk_id", (generation,))
        return Changes(self.generation, _id_array(added), _id_array(removed))

    # Writing ------------------------------------------------------------------------------------------------

    def put_vectors(self, embedder: str, vectors: Mapping[bytes, Float32]) -> None:
        """Store vectors ahead of the commit that uses them, so that an interruption loses no embedding work."""
        with self.transaction() as db:
            fail_point("vectors.begun")
            for key, vector in vectors.items():
                put_vector(db, embedder, key, np.asarray(vector, dtype="<f2").tobytes())
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
            _set_meta(db, {"history_from": generation, "replay_from": generation})
            for (number,) in db.execute("SELECT generation FROM commits").fetchall():
                seal_commit(db, number)
            fail_point("compact.dropped")
        fail_point("compact.done")
        return generation

    def copy_to(self, path: Path) -> None:
        """Copy the database into a new file, as one read transaction sees it."""
        copy = sqlite3.connect(path)
        try:
            self._db.backup(copy)
        finally:
            copy.close()

    def drop_damaged_stamps(self) -> None:
        """Drop stamps that are not what their checksums say: their files are read again."""
        sound = self.stamps()
        with self.transaction() as db:
            gone = [(row[0],) for row in db.execute("SELECT source FROM stamps").fetchall() if row[0] not in sound]
            db.executemany("DELETE FROM stamps WHERE source = ?", gone)

    def forget_history(self) -> None:
        """Forget what documents were before: no commit up to now can be undone."""
        with self.transaction() as db:
            db.execute("DELETE FROM retired")
            _set_meta(db, {"history_from": self.generation})

    def vacuum(self) -> None:
        """Give the space of dropped rows back to the file system."""
        self._db.execute("VACUUM")

    def replace_all(
        self, documents: Iterable[NewDocument], settings: Mapping[str, Any], *, embedder: str, dimension: int
    ) -> int:
        """Re-chunk every document under new settings in one transaction; the vectors must be stored before.

        What documents were before is forgotten: its chunks were cut and embedded under the old settings.
        """
        with self.transaction() as db:
            generation = _begin_commit(db, 0)
            db.execute("DELETE FROM retired")
            _set_meta(
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

    def stored_documents(self) -> Iterator[NewDocument]:
        """Yield every readable document with its text and sections, without chunks, to be chunked again."""
        ids = [r[0] for r in self._db.execute("SELECT document_id FROM texts ORDER BY document_id")]
        for document_id in ids:
            row = self._db.execute(
                "SELECT d.source, d.content_sha256, d.media_type, d.title, d.size, d.modified_ns, d.pages, t.text "
                "FROM documents d JOIN texts t ON t.document_id = d.id WHERE d.id = ?",
                (document_id,),
            ).fetchone()
            sections = self._db.execute(
                "SELECT start, end, page, headings FROM sections WHERE document_id = ? ORDER BY ordinal",
                (document_id,),
            )
            spans = tuple(
                Section(s, e, page, self._headings(h, f"a section of {row[0]}")) for s, e, page, h in sections
            )
            values = [*row, spans, ()]
            yield NewDocument(*values)

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
        (_now(), run),
    )
    generation = int(cursor.lastrowid or 0)
    if not run:
        db.execute("UPDATE commits SET run = generation WHERE generation = ?", (generation,))
        kept = first_kept(db)
        if kept:
            db.execute("DELETE FROM retired WHERE generation < ?", (kept,))
            (known,) = db.execute("SELECT value FROM meta WHERE key = 'history_from'").fetchone()
            _set_meta(db, {"history_from": max(kept - 1, int(known))})
    return generation


def _set_meta(db: sqlite3.Connection, values: Mapping[str, Any]) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
        [(key, json.dumps(value)) for key, value in values.items()],
    )
    seal_meta(db)


def _migrate(folder: Path) -> None:
    """Bring a folder of an earlier format up to date, one process at a time."""
    with writer_lock(folder, "bringing the index to this version's format"):
        store = Store(folder, write=True)
        try:
            with store.transaction() as db:
                found = int(store.meta("format_version"))
                if found < schema.FORMAT_VERSION:
                    schema.migrate(db, found)
        finally:
            store.close()


def _id_array(rows: Iterable[tuple[int]]) -> Int64:
    return np.fromiter((row[0] for row in rows), dtype=np.int64)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _slices(values: list[_T]) -> Iterator[list[_T]]:
    for start in range(0, len(values), _IN_CLAUSE):
        yield values[start : start + _IN_CLAUSE]
