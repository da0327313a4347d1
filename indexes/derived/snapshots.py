"""Derived indexes at one generation: made from the store, for a writer to publish or for a reader to search.

:class:`Builder` knows which rows an index needs and makes it: from nothing, or from an earlier index and what changed
since. It publishes nothing (:mod:`indexes.derived.publish`), holds no lock and begins no transaction.

:class:`IndexReader` starts from what is published, replays what was committed since, and makes the next snapshot when
there is a newer generation. It never writes into the index folder: what it must make, it makes in a scratch folder.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from indexes.derived import publish as derived
from indexes.errors import SettingsMismatchError
from indexes.search.dense_faiss import FaissIndex, FaissOptions, gpu_count, load_faiss
from indexes.search.dense_gpu import GpuIndex
from indexes.search.lexical_tantivy import TantivyIndex
from indexes.search.protocols import DenseIndex, LexicalIndex
from indexes.store.queries import Changes, Queries
from indexes.store.rows import ChunkRow, Float32, Int64
from indexes.store.store import Store

__all__ = ["Builder", "IndexReader", "Report", "Snapshot", "batches", "lexical_text", "scratch_copy", "silent"]

log = logging.getLogger(__name__)

_AT_ONCE = 20_000  # chunks whose texts or vectors may be in memory together
_ATTEMPTS = 5
_SCRATCH_KEPT = 2

Base = Mapping[str, derived.Published | None]
Report = Callable[[str, int, int], None]
"""A part of the work (``vectors``, ``words`` or ``signatures``), how much of it is done, and of how much."""


def silent(_part: str, _done: int, _total: int) -> None:
    """Report nobody."""


class Builder:
    """Makes indexes of one store, of one type and one set of languages."""

    def __init__(self, store: Queries, options: FaissOptions, languages: tuple[str, ...]) -> None:
        self.store = store
        self.options = options
        self.languages = languages

    def read_dense(
        self, start: DenseIndex | None, changes: Changes, *, at_once: bool, report: Report = silent
    ) -> Callable[[], DenseIndex]:
        """Read what a dense index needs to become one of the current generation; ``changes`` are those since its own.

        What is returned makes it, which can take long. Read ``at_once``, it does not touch the store: call it after the
        transaction. Otherwise it reads the vectors as it goes, and never holds many: for a writer, under whose lock
        nothing changes.
        """
        if start is None or start.needs_rebuild(len(changes.added), changes.removed):
            ids, dimension = self.store.chunk_ids(), self.store.meta("dimension")
            parts = self._vectors(ids, at_once=at_once, report=report)
            return lambda: FaissIndex.build_from(dimension, self.options, len(ids), parts)
        index, parts = start, self._vectors(changes.added, at_once=at_once, report=report)

        def change() -> DenseIndex:
            index.remove(changes.removed)
            for ids, vectors in parts:
                index.add(ids, vectors)
            return index

        return change

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


@dataclass(frozen=True)
class Snapshot:
    """Both indexes at one generation, the number of its last commit; ``nonce`` is that commit's.

    Nothing in it changes; searching it from many threads is safe.
    """

    generation: int
    nonce: str
    dense: DenseIndex
    lexical: LexicalIndex


class IndexReader:
    """Searches the newest generation, from any number of threads."""

    def __init__(
        self, store: Store, builder: Builder, published: Callable[[], Base], *, gpu: str, gpu_fp16: bool
    ) -> None:
        self.store = store  # for reading chunks and texts
        self._builder = builder
        self._published = published
        self._gpu = gpu
        self._gpu_fp16 = gpu_fp16
        self._embedder = store.meta("embedder")
        self._lock = threading.Lock()
        self._current: Snapshot | None = None
        self._scratch: list[tempfile.TemporaryDirectory[str]] = []

    def snapshot(self) -> Snapshot:
        """Return a snapshot of the newest generation, made now if the store has moved on or is another one.

        Raises :class:`~indexes.errors.SettingsMismatchError` if the index was re-embedded in the meantime, and
        :class:`~indexes.errors.IndexMissingError` if it was deleted.
        """
        self.store.reopen_if_replaced()
        current, head = self._current, self.store.head()
        if current is not None and (current.generation, current.nonce) == head:
            return current
        with self._lock:
            current, head = self._current, self.store.head()
            if current is None or (current.generation, current.nonce) != head:
                current = self._current = self._next()
            return current

    def close(self) -> None:
        """Let go of scratch files and of this thread's connection."""
        for folder in self._scratch:
            folder.cleanup()
        self._scratch.clear()
        self.store.close()

    def _next(self) -> Snapshot:
        for _ in range(_ATTEMPTS):
            try:
                return self._build(self._published())
            except (OSError, RuntimeError, ValueError) as error:
                # The writer removed the published folder while it was being read (FAISS raises RuntimeError and
                # tantivy ValueError for a missing file). The next try finds the newer one.
                log.debug("a published index went away while it was read: %s", error)
        return self._build({"dense": None, "lexical": None})

    def _build(self, base: Base) -> Snapshot:
        """Make a snapshot of what one read transaction sees, so that all of it is of one generation.

        Inside it rows are read and no more, because a writer waits for its end: checksums are compared and files
        loaded before, FAISS trains and tantivy builds after.
        """
        builder, store, lexical_base = self._builder, self.store, base["lexical"]
        start, at, current = self._start(base["dense"])
        with store.reading():
            embedder = store.meta("embedder")
            if embedder != self._embedder:
                raise SettingsMismatchError(store.folder, {"embedder": (embedder, self._embedder)})
            head = store.head()
            if current is not None and not self._in_history(current):
                start = None
            changes = store.changes_since(at)
            make_dense = builder.read_dense(start, changes, at_once=True)
            lexical_at = lexical_base.generation if lexical_base else 0
            changes = changes if lexical_at == at else store.changes_since(lexical_at)
            texts = list(builder.lexical_texts(changes.added))
            chunks = store.counts()["chunks"]
        dense, lexical = make_dense(), self._lexical(lexical_base, changes, texts)
        if not len(dense) == len(lexical) == chunks:
            # Tantivy makes an empty index of a folder whose files are gone.
            raise OSError(f"{len(dense)} and {len(lexical)} chunks were read of {chunks}")
        return Snapshot(*head, self._on_gpu(dense), lexical)

    def _start(self, base: derived.Published | None) -> tuple[DenseIndex | None, int, Snapshot | None]:
        """Return a private dense index to go on from, its generation, and the snapshot it was copied from, if any."""
        current = self._current
        if current is not None and not self._in_history(current):
            current = None
        if base is not None and (current is None or base.generation >= current.generation):
            return FaissIndex.load(base.folder, self._builder.options), base.generation, None
        if current is not None:
            return current.dense.clone(), current.generation, current
        return None, 0, None

    def _in_history(self, snapshot: Snapshot) -> bool:
        """Return whether a snapshot's commit is in the store: not so once the database was put back from a copy."""
        return self.store.nonce(snapshot.generation) == snapshot.nonce

    def _lexical(
        self, base: derived.Published | None, changes: Changes, texts: list[tuple[Int64, list[str]]]
    ) -> TantivyIndex:
        if base is not None and base.generation == changes.generation and os.access(base.folder, os.W_OK):
            with suppress(ValueError):  # tantivy wants to lock even to read, and may not: take a copy
                return TantivyIndex(base.folder, self._builder.languages)
        scratch = tempfile.TemporaryDirectory(prefix="rag-lexical-", ignore_cleanup_errors=True)
        with ExitStack() as on_error:
            on_error.callback(scratch.cleanup)
            index = self._builder.lexical_into(Path(scratch.name), base, changes, texts)
            on_error.pop_all()
        self._scratch.append(scratch)
        if len(self._scratch) > _SCRATCH_KEPT:  # a search on an older snapshot keeps its files open
            self._scratch.pop(0).cleanup()
        return index

    def _on_gpu(self, dense: DenseIndex) -> DenseIndex:
        if self._gpu == "off" or not isinstance(dense, FaissIndex):
            return dense
        faiss = load_faiss()
        if not gpu_count(faiss):
            return dense
        if not GpuIndex.supports(dense):
            log.warning("FAISS has no GPU form of a %s index: it stays on the CPU", dense.built_type)
            return dense
        return GpuIndex(dense, faiss, shard=self._gpu == "shard", fp16=self._gpu_fp16)


def lexical_text(row: ChunkRow) -> str:
    """Return what the lexical index reads of a chunk: the names around it, each once, and its text.

    The names are the document's title, its file's name and folder, and the headings. As fields with weights of their
    own they found less (``benchmarks/office.md``).
    """
    path = PurePath(row.source)
    names = dict.fromkeys((row.title, path.stem, path.parent.name, *row.headings))
    return "\n".join([*filter(None, names), row.text])


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
