"""Durable storage and search over chunks: ids, text, vectors, scores and generations.

One SQLite database is the truth (:mod:`indexes.store.store`); the dense and the lexical index are derived from it
(:mod:`indexes.derived.publish`) and can be lost at no cost but time. :class:`~indexes.index.Index` joins the three.

This package knows nothing of models, prompts, files or configuration: callers hand it text, vectors and
opaque settings.
"""

from indexes.errors import (
    FormatTooNewError,
    FormatTooOldError,
    HistoryForgottenError,
    IndexDamagedError,
    IndexFolderError,
    IndexLockedError,
    IndexMissingError,
    IndexWriteError,
    SettingsMismatchError,
    SnapshotError,
    StoreError,
)
from indexes.index import Index, IndexReader, Problem, Snapshot
from indexes.store.rows import ChunkRow, DocumentRow, FailedDocument, NewChunk, NewDocument, ReadingNote, Section

__all__ = [
    "ChunkRow",
    "DocumentRow",
    "FailedDocument",
    "FormatTooNewError",
    "FormatTooOldError",
    "HistoryForgottenError",
    "Index",
    "IndexDamagedError",
    "IndexFolderError",
    "IndexLockedError",
    "IndexMissingError",
    "IndexReader",
    "IndexWriteError",
    "NewChunk",
    "NewDocument",
    "Problem",
    "ReadingNote",
    "Section",
    "SettingsMismatchError",
    "Snapshot",
    "SnapshotError",
    "StoreError",
]
