"""The tables of an index folder: what CREATE, INSERT, the checksums, and the migration are derived from.

A chunk's ``text`` is the exact span ``texts.text[start:end]`` of its document, stored twice on purpose, so that
each copy checks the other. A commit's ``nonce`` distinguishes it from one of the same number in another history, after
a database was restored from a copy; its ``run`` is the generation with which its run began.

``retired`` holds what documents were before the last runs changed them (:mod:`indexes.store.undo_log`). ``stamps`` is a
hint of its owner's, which knows what it means: what a source looked like when its content had that hash. ``boxes`` of a
document are its owner's, too: where the words of scans are on their pages. They come last, because listings read only
what is before them. ``signatures`` are derived from the texts (:mod:`indexes.derived.signatures`), and go with them.

A row's checksum, in its column ``sha256``, covers the columns that are sealed, in the order of the format that first
covered them and then of the table: a new column changes no checksum of earlier formats. A text's also covers its
document's sections, a commit's its tombstones (:attr:`Table.owned`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache

__all__ = [
    "CHUNKS",
    "COMMITS",
    "DOCUMENTS",
    "FORMAT_VERSION",
    "OLDEST_FORMAT",
    "RECORDS",
    "RETIRED",
    "SECTIONS",
    "SIGNATURES",
    "STAMPS",
    "TABLES",
    "TEXTS",
    "TOMBSTONES",
    "VECTORS",
    "Column",
    "Table",
]

FORMAT_VERSION = 6
OLDEST_FORMAT = 2  # earlier ones are refused: nothing was released with them

RECORDS: dict[str, type] = {
    "format_version": int,
    "store_id": str,
    "created_at": str,
    "settings": dict,
    "embedder": str,
    "dimension": int,
    "history_from": int,
    "replay_from": int,
}
"""The records in ``meta`` and their types."""


@dataclass(frozen=True)
class Column:
    """A column: its declaration, the format that brought it, and the format since which the row's checksum covers it.

    ``sealed`` 0 says never, None that ``since`` holds for the checksum too.
    """

    name: str
    declaration: str
    since: int = OLDEST_FORMAT
    sealed: int | None = None


@dataclass(frozen=True, eq=False)
class Table:
    """A table. ``since`` is the format that brought it, ``indexes`` are statements.

    ``composite_key`` is the primary key if it has several columns. A row's checksum also covers its rows in ``owned``,
    which have a column of the name of this table's key.
    """

    name: str
    columns: tuple[Column, ...]
    composite_key: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    options: str = "STRICT"
    indexes: tuple[str, ...] = ()
    since: int = OLDEST_FORMAT
    owned: Table | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the primary key."""
        return self.composite_key or tuple(c.name for c in self.columns if "PRIMARY KEY" in c.declaration)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)

    def create(self) -> list[str]:
        """Return the statements that make the table and its indexes."""
        lines = [f"{column.name} {column.declaration}" for column in self.columns]
        if self.composite_key:
            lines.append(f"PRIMARY KEY ({', '.join(self.composite_key)})")
        body = ",\n    ".join((*lines, *self.constraints))
        return [f"CREATE TABLE {self.name} (\n    {body}\n) {self.options}", *self.indexes]

    @cache  # noqa: B019 - tables live as long as the process
    def sealed(self, version: int = FORMAT_VERSION) -> tuple[str, ...]:
        """Return the columns that a row's checksum covers in a format, in their order; none where there is none."""
        covered = [(c.since if c.sealed is None else c.sealed, c.name) for c in self.columns]
        return tuple(name for since, name in sorted(covered, key=lambda pair: pair[0]) if 0 < since <= version)

    def covered(self, version: int = FORMAT_VERSION) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the columns that a checksum covers in a format: of the row, and of its owned rows."""
        if "sha256" not in self.names:
            return (), ()
        return self.sealed(version), self.owned.sealed(version) if self.owned else ()

    @cache  # noqa: B019
    def stored(self, record: type) -> tuple[str, ...]:
        """Return the columns that a record (a dataclass) has a field for, in the order of their formats."""
        names = {field.name for field in fields(record)}
        return tuple(c.name for c in sorted(self.columns, key=lambda column: column.since) if c.name in names)


_ID = Column("id", "INTEGER PRIMARY KEY AUTOINCREMENT", sealed=0)
_SHA256 = Column("sha256", "BLOB NOT NULL", sealed=0)
_DOCUMENT_ID = "INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE"
_GENERATION = "INTEGER NOT NULL REFERENCES commits (generation)"

META = Table("meta", (Column("key", "TEXT PRIMARY KEY"), Column("value", "TEXT NOT NULL")))

TOMBSTONES = Table(
    "tombstones",
    (Column("chunk_id", "INTEGER PRIMARY KEY"), Column("generation", "INTEGER NOT NULL", sealed=0)),
    indexes=("CREATE INDEX tombstones_by_generation ON tombstones (generation)",),
)

COMMITS = Table(
    "commits",
    (
        Column("generation", "INTEGER PRIMARY KEY AUTOINCREMENT", sealed=3),
        Column("nonce", "TEXT NOT NULL DEFAULT (lower(hex(randomblob(8))))", sealed=3),
        Column("committed_at", "TEXT NOT NULL", sealed=3),
        Column("added", "INTEGER NOT NULL", sealed=3),
        Column("changed", "INTEGER NOT NULL", sealed=3),
        Column("removed", "INTEGER NOT NULL", sealed=3),
        Column("failed", "INTEGER NOT NULL", sealed=3),
        Column("run", "INTEGER NOT NULL DEFAULT 0", since=3),
        Column("milliseconds", "INTEGER", since=3),
        Column("bytes", "INTEGER", since=3),
        Column("sha256", "BLOB", since=3, sealed=0),
    ),
    owned=TOMBSTONES,
)

DOCUMENTS = Table(
    "documents",
    (
        _ID,
        Column("source", "TEXT NOT NULL UNIQUE"),
        Column("content_sha256", "BLOB"),
        Column("media_type", "TEXT NOT NULL"),
        Column("title", "TEXT NOT NULL"),
        _SHA256,
        Column("state", "TEXT NOT NULL CHECK (state IN ('ready', 'failed', 'stale'))", sealed=3),
        Column("size", "INTEGER NOT NULL"),
        Column("modified_ns", "INTEGER NOT NULL"),
        Column("pages", "INTEGER"),
        Column("generation", _GENERATION, sealed=3),
        Column("failed_sha256", "BLOB", sealed=3),
        Column("reason", "TEXT", sealed=3),
        Column("message", "TEXT", sealed=3),
        Column("remedy", "TEXT", sealed=3),
        Column("notes", "TEXT NOT NULL DEFAULT '[]'", since=5),
        Column("boxes", "BLOB", since=6),
    ),
    indexes=("CREATE INDEX documents_by_content ON documents (content_sha256)",),
)

SECTIONS = Table(
    "sections",
    (
        Column("document_id", _DOCUMENT_ID, sealed=0),
        Column("ordinal", "INTEGER NOT NULL"),
        Column("start", "INTEGER NOT NULL"),
        Column("end", "INTEGER NOT NULL"),
        Column("page", "INTEGER"),
        Column("headings", "TEXT NOT NULL"),
    ),
    ("document_id", "ordinal"),
    options="STRICT, WITHOUT ROWID",
)

TEXTS = Table(
    "texts",
    (
        Column("document_id", "INTEGER PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE"),
        Column("chunks", "INTEGER NOT NULL"),
        Column("text", "TEXT NOT NULL"),
        _SHA256,
    ),
    owned=SECTIONS,
)

CHUNKS = Table(
    "chunks",
    (
        _ID,
        Column("document_id", _DOCUMENT_ID),
        Column("ordinal", "INTEGER NOT NULL"),
        Column("start", "INTEGER NOT NULL"),
        Column("end", "INTEGER NOT NULL"),
        Column("page", "INTEGER"),
        Column("headings", "TEXT NOT NULL"),
        Column("text", "TEXT NOT NULL"),
        _SHA256,
        Column("vector_key", "BLOB NOT NULL"),
        Column("generation", _GENERATION, sealed=0),
    ),
    constraints=("UNIQUE (document_id, ordinal)",),
    indexes=(
        "CREATE INDEX chunks_by_generation ON chunks (generation)",
        "CREATE INDEX chunks_by_vector ON chunks (vector_key)",
    ),
)

VECTORS = Table(
    "vectors",
    (Column("embedder", "TEXT NOT NULL"), Column("key", "BLOB NOT NULL"), Column("vector", "BLOB NOT NULL"), _SHA256),
    ("embedder", "key"),
    options="STRICT, WITHOUT ROWID",
)

RETIRED = Table(
    "retired",
    (
        _ID,
        Column("generation", "INTEGER NOT NULL"),
        Column("source", "TEXT NOT NULL"),
        Column("record", "BLOB"),
        _SHA256,
    ),
    constraints=("UNIQUE (source, generation)",),
    since=3,
)

STAMPS = Table(
    "stamps",
    (
        Column("source", "TEXT PRIMARY KEY"),
        Column("stamp", "TEXT NOT NULL"),
        Column("content_sha256", "BLOB NOT NULL"),
        _SHA256,
    ),
    options="STRICT, WITHOUT ROWID",
    since=3,
)

SIGNATURES = Table(
    "signatures",
    (
        Column("document_id", "INTEGER PRIMARY KEY REFERENCES texts (document_id) ON DELETE CASCADE"),
        Column("method", "TEXT NOT NULL"),
        Column("words", "BLOB NOT NULL"),
        Column("minima", "BLOB NOT NULL"),
        _SHA256,
    ),
    since=4,
)

TABLES = (
    META, COMMITS, DOCUMENTS, TEXTS, SECTIONS, CHUNKS, VECTORS, TOMBSTONES, RETIRED, STAMPS, SIGNATURES,
)  # fmt: skip
