"""Makes the tables of :mod:`indexes.store.schema`, and turns earlier formats into the present one.

Each function runs within the caller's transaction.
"""

from __future__ import annotations

import sqlite3

from indexes.store.checksums import meta_is_sound, read, seal, set_meta
from indexes.store.schema import FORMAT_VERSION, TABLES, Table

__all__ = ["create_tables", "migrate"]


def create_tables(db: sqlite3.Connection) -> None:
    """Make all tables."""
    for table in TABLES:
        _create(db, table)


def migrate(db: sqlite3.Connection, found: int) -> None:
    """Bring an earlier format up to date; nothing is read or embedded again.

    What does not match its checksum does not match it afterwards. What documents were before format 3 is not known: no
    commit up to here can be undone. Texts are signed by the next writer that brings the derived indexes up to date.
    """
    is_sound = found < 3 or meta_is_sound(db)
    records = {"format_version": FORMAT_VERSION}
    for table in TABLES:
        if table.since > found:
            _create(db, table)
        else:
            for column in table.columns:
                if column.since > found:
                    db.execute(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {column.declaration}")
    if found < 3:
        db.execute("UPDATE commits SET run = generation")
        (last,) = db.execute("SELECT coalesce(max(generation), 0) FROM commits").fetchone()
        records |= {"history_from": last, "replay_from": 0}
    for table in TABLES:
        if table.since <= found and table.covered(found) != table.covered():
            rows = read(db, table, version=found)
            for key in [[row[name] for name in table.key] for row, sound in rows if sound]:
                seal(db, table, *key)
    set_meta(db, records, sealed=is_sound)


def _create(db: sqlite3.Connection, table: Table) -> None:
    for statement in table.create():
        db.execute(statement)
