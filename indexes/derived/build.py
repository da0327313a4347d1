"""How a dense and a lexical index are made of the store: from nothing, or out of an earlier one and what changed since.

It knows which rows each of them needs and what it reads of them. It publishes nothing
(:mod:`indexes.derived.publish`), holds no lock and begins no transaction.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from indexes.derived import publish as derived
from indexes.search.dense_faiss import FaissIndex, FaissOptions
from indexes.search.lexical_tantivy import TantivyIndex
from indexes.search.protocols import DenseIndex
from indexes.store.queries import Changes, Queries
from indexes.store.rows import ChunkRow, Float32, Int64

__all__ = ["Builder", "Report", "batches", "lexical_text", "scratch_copy", "silent"]

Report = Callable[[str, int, int], None]
"""A part of the work (``vectors``, ``words`` or ``signatures``), how much of it is done, and of how much."""

_AT_ONCE = 20_000


def silent(_part: str, _done: int, _total: int) -> None:
    """Report nobody."""


class Builder:
    """Makes indexes of one store, of one type and one set of languages."""

    def __init__(self, store: Queries, options: FaissOptions, languages: tuple[str, ...]) -> None:
        self.store = store
        self.options = options
        self.languages = languages

    def read_dense(
        self, start: DenseIndex | None, at: int, *, at_once: bool, report: Report = silent
    ) -> Callable[[], DenseIndex]:
        """Read what a dense index of generation ``at`` needs to become one of the current generation.

        What is returned makes it, which can take long. Read ``at_once``, it does not touch the store: call it after the
        transaction. Otherwise it reads the vectors as it goes, and never holds many: for a writer, under whose lock
        nothing changes.
        """
        if start is None:
            return self._read_dense_whole(at_once=at_once, report=report)
        changes = self.store.changes_since(at)
        if start.needs_rebuild(len(changes.added), changes.removed):
            return self._read_dense_whole(at_once=at_once, report=report)
        index, parts = start, self._vectors(changes.added, at_once=at_once, report=report)

        def change() -> DenseIndex:
            index.remove(changes.removed)
            for ids, vectors in parts:
                index.add(ids, vectors)
            return index

        return change

    def _read_dense_whole(self, *, at_once: bool, report: Report) -> Callable[[], DenseIndex]:
        ids, dimension = self.store.chunk_ids(), self.store.meta("dimension")
        parts = self._vectors(ids, at_once=at_once, report=report)
        return lambda: FaissIndex.build_from(dimension, self.options, len(ids), parts)

    def _vectors(self, ids: Int64, *, at_once: bool, report: Report) -> Iterator[tuple[Int64, Float32]]:
        """Yield ids with their vectors, part by part; each part is let go once the next is asked for."""
        if not at_once:
            return ((part, self.store.vectors(part)) for part in _counted(ids, "vectors", report))
        read = deque((part, self.store.vectors(part)) for part in batches(ids))
        return (read.popleft() for _ in range(len(read)))

    def lexical_texts(self, ids: Int64, report: Report = silent) -> Iterator[tuple[Int64, list[str]]]:
        """Read what the lexical index needs of these chunks, batch by batch."""
        for part in _counted(ids, "words", report):
            rows = self.store.chunks(part)
            yield part, [lexical_text(rows[i]) for i in part.tolist()]

    def lexical_into(
        self,
        folder: Path,
        base: derived.Published | None,
        changes: Changes,
        texts: Iterable[tuple[Int64, list[str]]],
    ) -> TantivyIndex:
        """Make a lexical index in an empty folder, out of ``base`` where there is one and what changed since."""
        if base is not None:
            _link_files(base.folder, folder)
        index = TantivyIndex(folder, self.languages)
        removed = changes.removed
        for part, batch in texts:
            index.apply(part, batch, removed)
            removed = np.empty(0, dtype=np.int64)
        if len(removed):
            index.apply(removed[:0], [], removed)
        return index


def lexical_text(row: ChunkRow) -> str:
    """Return what the lexical index reads of a chunk: its title and headings, each once, and its text."""
    context = dict.fromkeys((row.title, *row.headings))
    return "\n".join([*context, row.text])


def _link_files(source: Path, target: Path) -> None:
    """Put a published folder's files into an empty one, by hard link where the file system allows it.

    Tantivy never changes a file in place (segments are immutable, its two JSON files are replaced by renaming),
    so the published folder stays what its manifest says. Raises ``OSError`` if it is being removed meanwhile.
    """
    for name in derived.file_names(source):
        try:
            os.link(source / name, target / name)
        except OSError:  # another file system, or one without hard links; a file that is gone fails again here
            shutil.copyfile(source / name, target / name)


@contextmanager
def scratch_copy(folder: Path) -> Iterator[Path]:
    """Yield a throw-away copy, so that checking an index cannot change it."""
    with tempfile.TemporaryDirectory(prefix="rag-check-", ignore_cleanup_errors=True) as scratch:
        _link_files(folder, Path(scratch))
        yield Path(scratch)


def batches(ids: Int64) -> Iterator[Int64]:
    """Cut ids into parts whose texts or vectors may be in memory together."""
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]


def _counted(ids: Int64, name: str, report: Report) -> Iterator[Int64]:
    """Cut ids into such parts, and report how many came before each of them."""
    done = 0
    for part in batches(ids):
        report(name, done, len(ids))
        yield part
        done += len(part)
