"""Rows and their checksums: inserted, changed, and read with one function each for all tables.

Every row whose content can reach a reader, or decide what a reader sees, carries the SHA-256 of the columns that
:mod:`indexes.store.schema` calls sealed, so that a change that SQLite itself does not notice is found by
:mod:`indexes.verify`. The record ``sha256`` of ``meta`` covers all the other records and the tables' declarations.

Every function takes an open connection; none begins or ends a transaction.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from indexes.store.schema import FORMAT_VERSION, Table

__all__ = ["Value", "insert", "meta_is_sound", "read", "row_sha256", "seal", "seal_meta", "set_meta", "update"]

Value = str | int | bytes | None
Row = dict[str, Any]

_META_SEAL = "sha256"


def row_sha256(*values: Value) -> bytes:
    """Return the SHA-256 of a row: of each value's kind, length and bytes, so that no two rows read the same."""
    digest = hashlib.sha256()
    for value in values:
        data = value if isinstance(value, bytes) else str(value).encode("utf-8")
        digest.update(f"{type(value).__name__} {len(data)} ".encode())
        digest.update(data)
    return digest.digest()


def insert(
    db: sqlite3.Connection,
    table: Table,
    rows: Iterable[Mapping[str, Value]],
    *,
    owned: Iterable[Mapping[str, Value]] = (),
    replace: bool = False,
) -> None:
    """Insert whole rows, sealed; ``owned`` are the rows in the table's ``owned`` that the checksums cover too."""
    names = [c.name for c in table.columns if c.name != "sha256" and "AUTOINCREMENT" not in c.declaration]
    own, of_owned = table.covered()
    more = [row[name] for row in owned for name in of_owned]

    def values(row: Mapping[str, Value]) -> list[Value]:
        own_values = [row[name] for name in names]
        return [*own_values, row_sha256(*(row[name] for name in own), *more)] if own else own_values

    columns = [*names, "sha256"] if own else names
    db.executemany(
        f"INSERT {'OR REPLACE ' if replace else ''}INTO {table.name} ({', '.join(columns)}) "
        f"VALUES ({', '.join('?' * len(columns))})",
        map(values, rows),
    )


def update(db: sqlite3.Connection, table: Table, key: int, values: Mapping[str, Value]) -> None:
    """Change columns of a row, and seal it."""
    (name,) = table.key
    changes = ", ".join(f"{column} = :{column}" for column in values)
    db.execute(f"UPDATE {table.name} SET {changes} WHERE {name} = :_key", {**values, "_key": key})
    seal(db, table, key)


def read(
    db: sqlite3.Connection, table: Table, rest: str = "", *parameters: Value, version: int = FORMAT_VERSION
) -> Iterator[tuple[Row, bool]]:
    """Yield rows by column, and whether each matches its checksum in a format. ``rest`` ends the SELECT statement."""
    names, covered = table.names, table.covered(version)
    for values in db.execute(f"SELECT {', '.join(names)} FROM {table.name} {rest}", parameters):
        row = dict(zip(names, values, strict=True))
        yield row, not covered[0] or _sha256(db, table, row, covered) == row["sha256"]


def _sha256(db: sqlite3.Connection, table: Table, row: Row, covered: tuple[Iterable[str], Iterable[str]]) -> bytes:
    own, of_owned = covered
    more: list[Value] = []
    if table.owned is not None:
        (key,), order = table.key, ", ".join(table.owned.key)
        query = f"SELECT {', '.join(of_owned)} FROM {table.owned.name} WHERE {key} = ? ORDER BY {order}"
        more = [value for owned in db.execute(query, (row[key],)) for value in owned]
    return row_sha256(*(row[name] for name in own), *more)


def seal(db: sqlite3.Connection, table: Table, *key: Value) -> None:
    """Give a row the checksum of what it and its owned rows hold now."""
    where = "WHERE " + " AND ".join(f"{name} = ?" for name in table.key)
    for row, _ in read(db, table, where, *key):
        sha = _sha256(db, table, row, table.covered())
        db.execute(f"UPDATE {table.name} SET sha256 = ? {where}", (sha, *key))


# Records of the folder -------------------------------------------------------------------------------------------


def set_meta(db: sqlite3.Connection, values: Mapping[str, Any], *, sealed: bool = True) -> None:
    """Record values about the folder, in the open transaction, and seal the records."""
    db.executemany(
        "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
        [(key, json.dumps(value)) for key, value in values.items()],
    )
    if sealed:
        seal_meta(db)


def seal_meta(db: sqlite3.Connection) -> None:
    """Record the checksum of what the records of the folder say now."""
    db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (_META_SEAL, json.dumps(_meta_sha256(db))))


def meta_is_sound(db: sqlite3.Connection) -> bool:
    """Return whether the records of the folder, and how its tables are declared, match their checksum."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (_META_SEAL,)).fetchone()
    return bool(row == (json.dumps(_meta_sha256(db)),))


def _meta_sha256(db: sqlite3.Connection) -> str:
    rows = db.execute("SELECT key, value FROM meta WHERE key <> ? ORDER BY key", (_META_SEAL,)).fetchall()
    rows += db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    return row_sha256(*(value for row in rows for value in row)).hex()
