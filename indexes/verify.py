"""Is an index whole? The database's pages, keys and rows against their checksums, the derived indexes against it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexes.derived import publish as derived
from indexes.derived.snapshots import Builder, batches, scratch_copy
from indexes.errors import IndexDamagedError
from indexes.search.dense_faiss import FaissIndex
from indexes.search.lexical_tantivy import TantivyIndex
from indexes.store.checksums import meta_is_sound, read
from indexes.store.database import Database, connect
from indexes.store.queries import Queries
from indexes.store.rows import Int64
from indexes.store.schema import CHUNKS, COMMITS, DOCUMENTS, RETIRED, SIGNATURES, STAMPS, TEXTS, VECTORS

__all__ = ["Problem", "check_derived", "check_store"]

_VECTORS_AT_ONCE = 2000
_ATTEMPTS = 5
_PAUSE_S = 0.05

_CONTRADICTIONS = {
    "chunks are of another generation than their document": (
        "SELECT count(*) FROM chunks c JOIN documents d ON d.id = c.document_id WHERE c.generation <> d.generation"
    ),
    "chunks are both there and removed": "SELECT count(*) FROM chunks WHERE id IN (SELECT chunk_id FROM tombstones)",
    "removed chunks belong to no commit": (
        "SELECT count(*) FROM tombstones WHERE generation NOT IN (SELECT generation FROM commits)"
    ),
    "ids could be used again": """
        SELECT count(*) FROM (
            SELECT 'chunks' AS name, max(id) AS last FROM chunks UNION ALL
            SELECT 'chunks', max(chunk_id) FROM tombstones UNION ALL
            SELECT 'documents', max(id) FROM documents UNION ALL
            SELECT 'commits', max(generation) FROM commits
        ) used LEFT JOIN sqlite_sequence s ON s.name = used.name WHERE used.last > coalesce(s.seq, 0)
        """,
}
_REPAIRABLE = (
    ("stamps", STAMPS, "notes on unchanged files"),
    ("signatures", SIGNATURES, "signatures of texts"),
    ("history", RETIRED, "earlier versions"),
)


@dataclass(frozen=True)
class Problem:
    """Something wrong. A repairable problem is in what the store can do without or be used to build again."""

    part: str
    message: str
    repairable: bool


# The store -------------------------------------------------------------------------------------------------------


def check_store(store: Database) -> list[Problem]:
    """Check the database's pages and keys, then every document, text, chunk and vector."""
    with closing(connect(store.path)) as db:
        try:
            problems = [Problem("database", message, repairable=False) for message in _store_faults(db, store)]
            for part, table, rows in _REPAIRABLE:
                damaged = sum(not sound for _, sound in read(db, table))
                if damaged:
                    problems.append(Problem(part, f"{damaged} {rows} are damaged", repairable=True))
        except (sqlite3.DatabaseError, IndexDamagedError) as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise  # that says nothing about what is in it
            return [Problem("database", str(error), repairable=False)]
        return problems


def _store_faults(db: sqlite3.Connection, store: Database) -> Iterator[str]:
    for (message,) in db.execute("PRAGMA integrity_check(20)"):
        if message != "ok":
            yield message
    for table, rowid, *_ in db.execute("PRAGMA foreign_key_check"):
        yield f"row {rowid} of {table} points nowhere"
    yield from _log_faults(db)
    # A transaction a document, and a page of vectors at a time: a writer must not have to wait for the whole check.
    for (document_id,) in db.execute("SELECT id FROM documents ORDER BY id").fetchall():
        db.execute("BEGIN")
        yield from list(_document_faults(db, document_id))
        db.execute("COMMIT")
    embedder = store.meta("embedder")
    yield from _vector_faults(db, embedder, 2 * store.meta("dimension"))
    (count,) = db.execute(
        "SELECT count(*) FROM chunks c LEFT JOIN vectors v ON v.key = c.vector_key AND v.embedder = ? "
        "WHERE v.key IS NULL",
        (embedder,),
    ).fetchone()
    if count:
        yield f"chunks without a vector: {count:,}"


def _log_faults(db: sqlite3.Connection) -> Iterator[str]:
    """Check what decides which rows a reader sees: records of the folder, commits, tombstones and generations."""
    if not meta_is_sound(db):
        yield "the records of the folder do not match their checksum"
    db.execute("BEGIN")
    try:
        for row, sound in read(db, COMMITS):
            if not sound:
                yield f"what is recorded of commit {row['generation']} does not match its checksum"
        for what, query in _CONTRADICTIONS.items():
            (count,) = db.execute(query).fetchone()
            if count:
                yield f"{count} {what}"
    finally:
        db.execute("COMMIT")


def _document_faults(db: sqlite3.Connection, document_id: int) -> Iterator[str]:
    """Compare a document and all that belongs to it with the checksums; one deleted meanwhile is no fault."""
    for document, sound in read(db, DOCUMENTS, "WHERE id = ?", document_id):
        source = document["source"]
        if not sound:
            yield f"what is recorded of {source} does not match its checksum"
        if document["state"] == "failed":
            return
        text, sound = next(read(db, TEXTS, "WHERE document_id = ?", document_id), ({}, False))
        if not sound:
            yield f"the text of {source} does not match its checksum"
            return
        count = 0
        for chunk, sound in read(db, CHUNKS, "WHERE document_id = ?", document_id):
            count += 1
            if not sound or text["text"][chunk["start"] : chunk["end"]] != chunk["text"]:
                yield f"chunk {chunk['id']} of {source} is not what it claims to be"
        if count != text["chunks"]:
            yield f"{source} has {count} chunks, and {text['chunks']} were stored"


def _vector_faults(db: sqlite3.Connection, embedder: str, size: int) -> Iterator[str]:
    """Compare every vector with its checksum, and those of the index's embedder with the index's dimension."""
    damaged = wrong_size = 0
    page = f"WHERE (embedder, key) > (?, ?) ORDER BY embedder, key LIMIT {_VECTORS_AT_ONCE}"
    last = ("", b"")
    while rows := list(read(db, VECTORS, page, *last)):
        damaged += sum(not sound for _, sound in rows)
        wrong_size += sum(row["embedder"] == embedder and len(row["vector"]) != size for row, _ in rows)
        last = (rows[-1][0]["embedder"], rows[-1][0]["key"])
    if wrong_size:
        yield f"{wrong_size} vectors have the wrong size"
    if damaged:
        yield f"{damaged} vectors do not match their checksums"


# Derived indexes -------------------------------------------------------------------------------------------------


def check_derived(
    kind: str, root: Path, builder: Builder, options: Mapping[str, Any], *, deep: bool = False
) -> list[Problem]:
    """Check the newest published index of one kind: its checksums, and that replaying it gives the store's chunks.

    ``deep`` also compares what the index holds of every chunk with the store.

    An index that was never published, or that is of an earlier generation, another history or other options, is no
    problem: readers replay, or pass it over. Nor is one that a writer replaced while it was looked at: the newest is
    looked at then, as a reader would.
    """
    message = ""
    for attempt in range(_ATTEMPTS):
        folders = derived.published_folders(root)
        if not folders:
            return []
        try:
            message = _derived_fault(kind, folders[0], builder, options)
            if not message and deep and _is_used(folders[0], builder.store, options):
                message = _look_inside(kind, folders[0], builder)
        except (OSError, RuntimeError, ValueError) as error:  # as FAISS and tantivy call a file that is missing
            message = f"{folders[0].name}: it cannot be loaded: {' '.join(str(error).split())}"
        if not message:
            return []
        time.sleep(_PAUSE_S * (attempt + 1))  # time for a writer to be done with removing it
        if derived.published_folders(root)[:1] == folders[:1]:
            break
    return [Problem(kind, message, repairable=True)]


def _derived_fault(kind: str, folder: Path, builder: Builder, options: Mapping[str, Any]) -> str:
    """Return what is wrong with a published folder, or nothing."""
    store = builder.store
    fault = derived.verify(folder)
    if fault is not None:
        return f"{folder.name}: {fault}"
    with store.reading():
        if not _is_used(folder, store, options):
            return ""
        changes = store.changes_since(derived.head_of(folder)[0])
        expected = store.chunk_ids()
    found = np.union1d(np.setdiff1d(_load_ids(kind, folder, builder), changes.removed), changes.added)
    if np.array_equal(found, expected):
        return ""
    missing, extra = len(np.setdiff1d(expected, found)), len(np.setdiff1d(found, expected))
    return f"{missing} chunks are missing and {extra} do not exist"


def _is_used(folder: Path, store: Queries, options: Mapping[str, Any]) -> bool:
    """Return whether a verified folder has these options and is of a commit of this history that can be gone on from.

    Readers pass any other over, and the next writer removes it.
    """
    generation, commit = derived.head_of(folder)
    return derived.options_of(folder) == options and store.nonce(generation) == commit


def _load_ids(kind: str, folder: Path, builder: Builder) -> Int64:
    if kind == "dense":
        return FaissIndex.load(folder, builder.options).ids()
    with scratch_copy(folder) as copy:
        return TantivyIndex(copy, builder.languages).ids()


def _look_inside(kind: str, folder: Path, builder: Builder) -> str:
    """Compare each chunk's vector or words in a published folder with the store's; return what is wrong."""
    there = builder.store.chunk_ids()
    if kind == "dense":
        dense = FaissIndex.load(folder, builder.options)
        wrong = sum(
            dense.count_other(part, builder.store.vectors(part)) for part in batches(np.intersect1d(dense.ids(), there))
        )
        return f"{wrong} chunks have another vector there than in the database" if wrong else ""
    with scratch_copy(folder) as copy:
        lexical = TantivyIndex(copy, builder.languages)
        texts = builder.lexical_texts(np.intersect1d(lexical.ids(), there))
        lost = sum(
            lexical.has_words(text) and not len(lexical.search([text], 1, allowed=part[n : n + 1])[0])
            for part, batch in texts
            for n, text in enumerate(batch)
        )
    return f"{lost} chunks are not found there by their own words" if lost else ""
