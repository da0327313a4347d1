"""Does what is published say the same as the store? Files against their checksums, ids and content against its rows."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from indexes.derived import publish as derived
from indexes.derived.snapshots import Builder, batches, scratch_copy
from indexes.derived.verify import Problem
from indexes.search.dense_faiss import FaissIndex
from indexes.search.lexical_tantivy import TantivyIndex
from indexes.store.queries import Queries
from indexes.store.rows import Int64

__all__ = ["check_derived"]

_ATTEMPTS = 5
_PAUSE_S = 0.05


def check_derived(kind: str, root: Path, builder: Builder, *, deep: bool = False) -> list[Problem]:
    """Check the newest published index of one kind: its checksums, and that replaying it gives the store's chunks.

    ``deep`` also compares what the index holds of every chunk with the store.

    An index that was never published, or that is of an earlier generation or another history, is no problem: readers
    replay, or pass it over. Nor is one that a writer replaced while it was looked at: the newest is looked at then, as
    a reader would.
    """
    message = ""
    for attempt in range(_ATTEMPTS):
        folders = derived.published_folders(root)
        if not folders:
            return []
        try:
            message = _derived_fault(kind, folders[0], builder)
            if not message and deep and _in_history(folders[0], builder.store):
                message = _look_inside(kind, folders[0], builder)
        except (OSError, RuntimeError, ValueError) as error:  # as FAISS and tantivy call a file that is missing
            message = f"{folders[0].name}: it cannot be loaded: {' '.join(str(error).split())}"
        if not message:
            return []
        time.sleep(_PAUSE_S * (attempt + 1))  # time for a writer to be done with removing it
        if derived.published_folders(root)[:1] == folders[:1]:
            break
    return [Problem(kind, message, repairable=True)]


def _derived_fault(kind: str, folder: Path, builder: Builder) -> str:
    """Return what is wrong with a published folder, or nothing."""
    store = builder.store
    fault = derived.verify(folder)
    if fault is not None:
        return f"{folder.name}: {fault}"
    with store.reading():
        if not _in_history(folder, store):
            return ""
        changes = store.changes_since(derived.head_of(folder)[0])
        expected = store.chunk_ids()
    found = np.union1d(np.setdiff1d(_load_ids(kind, folder, builder), changes.removed), changes.added)
    if np.array_equal(found, expected):
        return ""
    missing, extra = len(np.setdiff1d(expected, found)), len(np.setdiff1d(found, expected))
    return f"{missing} chunks are missing and {extra} do not exist"


def _in_history(folder: Path, store: Queries) -> bool:
    """Return whether a verified folder is of a commit of this history that can be gone on from.

    Readers pass any other over, and the next writer removes it.
    """
    generation, commit = derived.head_of(folder)
    return store.nonce(generation) == commit


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
