"""Checks of an index folder: is the store whole, and does each derived index say the same as it?"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexes import derived
from indexes.errors import IndexDamagedError
from indexes.rows import Int64
from indexes.schema import connect
from indexes.store import Store
from indexes.write_rows import text_sha256

__all__ = ["Problem", "check_derived", "check_store"]


@dataclass(frozen=True)
class Problem:
    """Something wrong. A repairable problem is in a derived index: it can be built again from the store."""

    part: str
    message: str
    repairable: bool


def check_store(store: Store) -> list[Problem]:
    """Check the database's pages and keys, then every text, chunk and vector."""
    connection = connect(store.path)
    try:
        return [Problem("database", message, repairable=False) for message in _store_faults(connection, store)]
    except (sqlite3.DatabaseError, IndexDamagedError) as error:
        return [Problem("database", str(error), repairable=False)]
    finally:
        connection.close()


def _store_faults(db: sqlite3.Connection, store: Store) -> Iterator[str]:
    for (message,) in db.execute("PRAGMA integrity_check(20)"):
        if message != "ok":
            yield message
    for table, rowid, *_ in db.execute("PRAGMA foreign_key_check"):
        yield f"row {rowid} of {table} points nowhere"
    yield from _text_faults(db)
    size = 2 * int(store.meta("dimension"))
    for (count,) in db.execute(
        "SELECT count(*) FROM vectors WHERE embedder = ? AND length(vector) <> ?",
        (store.meta("embedder"), size),
    ):
        if count:
            yield f"{count} vectors have the wrong size"
    for (count,) in db.execute(
        "SELECT count(*) FROM chunks c LEFT JOIN vectors v ON v.key = c.vector_key AND v.embedder = ? "
        "WHERE v.key IS NULL",
        (store.meta("embedder"),),
    ):
        if count:
            yield f"{count} chunks have no vector"


def _text_faults(db: sqlite3.Connection) -> Iterator[str]:
    documents = db.execute(
        "SELECT d.id, d.source, t.text, t.sha256 FROM documents d LEFT JOIN texts t ON t.document_id = d.id "
        "WHERE d.state <> 'failed'"
    )
    for document_id, source, text, sha in documents:
        if text is None or text_sha256(text) != sha:
            yield f"the text of {source} does not match its checksum"
            continue
        chunks = db.execute("SELECT id, start, end, text, sha256 FROM chunks WHERE document_id = ?", (document_id,))
        for chunk_id, start, end, chunk, chunk_sha in chunks:
            if text[start:end] != chunk or text_sha256(chunk) != chunk_sha:
                yield f"chunk {chunk_id} of {source} is not the text it claims to be"


def check_derived(kind: str, root: Path, store: Store, load_ids: Callable[[str, Path], Int64]) -> list[Problem]:
    """Check the newest published index of one kind: its checksums, and that replaying it gives the store's chunks.

    An index that was never published, or that is of an earlier generation, is no problem: readers replay.
    """
    folders = derived.published_folders(root)
    if not folders:
        return []
    fault = derived.verify(folders[0])
    if fault is not None:
        return [Problem(kind, f"{folders[0].name}: {fault}", repairable=True)]
    with store.reading():
        changes = store.changes_since(derived.generation_of(folders[0]))
        expected = store.chunk_ids()
    found = np.union1d(np.setdiff1d(load_ids(kind, folders[0]), changes.removed), changes.added)
    if np.array_equal(found, expected):
        return []
    missing, extra = len(np.setdiff1d(expected, found)), len(np.setdiff1d(found, expected))
    return [Problem(kind, f"{missing} chunks are missing and {extra} do not exist", repairable=True)]
