"""Signatures of the stored texts (:mod:`indexes.minhash`), beside them in the database, and derived from them.

A signature goes with its text: when a document is replaced or removed, so is it. A text that has none, or one of
another method, gets its own at the next :func:`complete`; a reader computes it for itself. So losing them costs
time and nothing else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Container, Iterator
from contextlib import closing
from dataclasses import asdict

from indexes import minhash
from indexes.derived.snapshots import Report, silent
from indexes.fail_points import fail_point
from indexes.minhash import METHOD, Group, Signature, group, sign
from indexes.store.checksums import insert, read
from indexes.store.database import connect
from indexes.store.schema import SIGNATURES
from indexes.store.store import Store

__all__ = ["complete", "count_wrong", "drop_damaged", "duplicate_groups", "near_pairs"]

_AT_ONCE = 500
_UNSIGNED = (
    "SELECT t.document_id FROM texts t LEFT JOIN signatures s ON s.document_id = t.document_id AND s.method = ? "
    "WHERE s.document_id IS NULL ORDER BY t.document_id"
)


def complete(store: Store, report: Report = silent) -> int:
    """Sign every text that has no signature of the present method; return how many. The caller holds the lock."""
    with closing(connect(store.path)) as db:
        unsigned = [row[0] for row in db.execute(_UNSIGNED, (METHOD,)).fetchall()]
        for start in range(0, len(unsigned), _AT_ONCE):
            part = unsigned[start : start + _AT_ONCE]
            signed = [(n, made) for n in part if (made := _signature(db, n)) is not None]
            report("signatures", start + len(signed), len(unsigned))
            with store.transaction() as out:
                rows = ({"document_id": n, "method": METHOD, **asdict(signature)} for n, signature in signed)
                insert(out, SIGNATURES, rows, replace=True)
                fail_point("signatures.before-commit")
    return len(unsigned)


def duplicate_groups(store: Store) -> list[Group]:
    """Return the groups of documents with the same or nearly the same text, by source; nothing is written.

    Documents without text, such as pictures, are in none.
    """
    with closing(connect(store.path)) as db:
        found = _signatures(db)
        return group(found, lambda source: _text(db, source)) if found else []


def near_pairs(store: Store, sources: Container[str], least: float = 0.35, most: int = 5) -> list[tuple[str, str]]:
    """Return pairs of the documents whose texts may be alike and are not equal (:func:`indexes.minhash.near_pairs`)."""
    with closing(connect(store.path)) as db:
        found = {source: signature for source, signature in _signatures(db).items() if source in sources}
    return list(minhash.near_pairs(found, least, most)) if found else []


def _signatures(db: sqlite3.Connection) -> dict[str, Signature]:
    """Return the signature of every text that is not empty, by source; those that are not stored are computed."""
    stored = {
        row["document_id"]: Signature(row["words"], row["minima"])
        for row, sound in read(db, SIGNATURES)
        if sound and row["method"] == METHOD
    }
    with_text = "SELECT d.id, d.source FROM documents d JOIN texts t ON t.document_id = d.id WHERE t.text <> ''"
    there = db.execute(with_text).fetchall()
    signatures = ((source, stored.get(n) or _signature(db, n)) for n, source in there)
    return {source: signature for source, signature in signatures if signature is not None}


def drop_damaged(store: Store) -> None:
    """Drop signatures with a wrong checksum or of another text; :func:`complete` computes them again."""
    with closing(connect(store.path)) as db:
        wrong = [(n,) for n in _wrong(db)]
    with store.transaction() as out:
        out.executemany("DELETE FROM signatures WHERE document_id = ?", wrong)


def count_wrong(store: Store) -> int:
    """Make every text's signature again, and count those that are stored otherwise."""
    with closing(connect(store.path)) as db:
        return sum(1 for _ in _wrong(db))


def _wrong(db: sqlite3.Connection) -> Iterator[int]:
    """Yield the documents whose signature of the present method is not that of their text."""
    for row, sound in list(read(db, SIGNATURES)):
        stored, n = Signature(row["words"], row["minima"]), row["document_id"]
        if not sound or (row["method"] == METHOD and _signature(db, n) not in (stored, None)):
            yield n


def _signature(db: sqlite3.Connection, n: int) -> Signature | None:
    """Sign a document's text, which is let go here: one can be 50 MB. None where it is gone meanwhile."""
    row = db.execute("SELECT text FROM texts WHERE document_id = ?", (n,)).fetchone()
    return None if row is None else sign(row[0])


def _text(db: sqlite3.Connection, source: str) -> str:
    row = db.execute(
        "SELECT t.text FROM texts t JOIN documents d ON d.id = t.document_id WHERE d.source = ?", (source,)
    ).fetchone()
    return "" if row is None else str(row[0])
