"""An index folder as a whole: the store, and the dense and the lexical index derived from it.

A writer commits to the store and then calls :meth:`Index.sync`, which brings the derived indexes to the store's
generation and publishes them. A reader (:class:`IndexReader`) searches an immutable :class:`Snapshot` of exactly one
generation: it starts from what is published, replays what was committed since, and makes the next snapshot when the
store moves on. Readers never write into the folder.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexes import derived, signatures
from indexes.dense_faiss import FaissIndex, FaissOptions, load_faiss
from indexes.dense_gpu import GpuIndex, gpu_count
from indexes.errors import SettingsMismatchError
from indexes.fail_points import fail_point
from indexes.lexical_tantivy import TantivyIndex
from indexes.lock import writer_lock
from indexes.protocols import DenseIndex, LexicalIndex
from indexes.rows import ChunkRow, Int64
from indexes.store import Changes, Store
from indexes.verify import Problem, check_derived, check_store

__all__ = ["Index", "IndexReader", "Problem", "Snapshot", "lexical_text"]

log = logging.getLogger(__name__)

_KINDS = ("dense", "lexical")
_SEARCH_ONLY = ("ef_search", "nprobe")
_LEXICAL_BATCH = 20_000
_ATTEMPTS = 5
_SCRATCH_KEPT = 2


@dataclass(frozen=True)
class Snapshot:
    """Both indexes at one generation; ``head`` is its commit's number and nonce.

    Nothing in it changes; searching it from many threads is safe.
    """

    head: tuple[int, str]
    dense: DenseIndex
    lexical: LexicalIndex

    @property
    def generation(self) -> int:
        """The number of the last commit in it."""
        return self.head[0]


class Index:
    """One index folder. ``options`` choose the dense index's type, ``languages`` the stemmers."""

    def __init__(
        self,
        store: Store,
        options: FaissOptions,
        languages: tuple[str, ...],
        asked: Mapping[str, Any] | None = None,
    ) -> None:
        self.store = store
        self._asked = asked
        self.folder = store.folder
        self.options = options
        self.languages = languages
        self._store_id = str(store.meta("store_id"))

    @classmethod
    def create(
        cls,
        folder: Path,
        settings: Mapping[str, Any],
        *,
        embedder: str,
        dimension: int,
        options: FaissOptions | None = None,
        languages: tuple[str, ...] = ("english", "russian"),
    ) -> Index:
        """Make an empty index; ``settings`` are recorded and compared by :meth:`open`."""
        store = Store.create(folder, settings, embedder=embedder, dimension=dimension)
        return cls(store, options or FaissOptions(), languages)

    @classmethod
    def open(
        cls,
        folder: Path,
        settings: Mapping[str, Any] | None = None,
        *,
        options: FaissOptions | None = None,
        languages: tuple[str, ...] = ("english", "russian"),
        write: bool = False,
    ) -> Index:
        """Open an index; with ``settings``, refuse one that was made with others.

        Raises what :meth:`indexes.store.Store.open` raises, and :class:`~indexes.errors.SettingsMismatchError`.
        """
        store = Store.open(folder, write=write)
        if settings is not None:
            compare_settings(folder, store.settings, settings)
        return cls(store, options or FaissOptions(), languages, settings)

    @contextmanager
    def writing(self, purpose: str) -> Iterator[None]:
        """Hold the writer lock. Raises :class:`~indexes.errors.IndexLockedError`.

        Settings that were asked for at opening are compared again: another writer may have changed them since.
        """
        with writer_lock(self.folder, purpose):
            if self._asked is not None:
                compare_settings(self.folder, self.store.settings, self._asked)
            yield

    # Derived indexes ----------------------------------------------------------------------------------------

    def _root(self, kind: str) -> Path:
        return self.folder / kind

    def _dense_options(self) -> dict[str, Any]:
        built = {k: v for k, v in asdict(self.options).items() if k not in _SEARCH_ONLY}
        return {"embedder": self.store.meta("embedder"), "dimension": self.store.meta("dimension"), **built}

    def _lexical_options(self) -> dict[str, Any]:
        return {"languages": list(self.languages)}

    def published(self) -> dict[str, derived.Published | None]:
        """Return the newest verified folder of each derived index, or None where it must be built."""
        return {
            "dense": derived.newest(self._root("dense"), self._store_id, self._dense_options(), self.store.nonce),
            "lexical": derived.newest(self._root("lexical"), self._store_id, self._lexical_options(), self.store.nonce),
        }

    def sync(self) -> int:
        """Bring both derived indexes to the store's generation, publish them, and return it; sign new texts.

        The caller holds the writer lock. What is published already and current is left alone.
        """
        base = self.published()
        generation = self.store.generation
        fail_point("sync.begun")
        for kind in _KINDS:
            published = base[kind]
            if published is None or published.generation != generation:
                published = self._publish(kind, published)
            fail_point("sync.published")
            derived.remove_all_but(self._root(kind), published.folder)
            fail_point("sync.old-removed")
        signatures.complete(self.store)  # last, because searches do without
        fail_point("sync.done")
        return generation

    def _publish(self, kind: str, base: derived.Published | None) -> derived.Published:
        """Make one derived index of the store's generation, out of ``base`` where there is one, and publish it.

        No transaction is held: under the writer lock nothing changes.
        """
        head = self.store.head()
        if kind == "dense":
            start = FaissIndex.load(base.folder, self.options) if base else None
            index = self._read_dense(start, base.generation if base else 0)()
            return derived.publish(self._root(kind), self._store_id, head, self._dense_options(), index.save)
        changes = self.store.changes_since(base.generation if base else 0)

        def fill(folder: Path) -> None:
            self._lexical_into(folder, base, changes, self._lexical_texts(changes.added))

        return derived.publish(self._root(kind), self._store_id, head, self._lexical_options(), fill)

    def _read_dense(self, start: DenseIndex | None, at: int) -> Callable[[], DenseIndex]:
        """Read what a dense index of generation ``at`` needs to become one of the current generation.

        What is returned makes it, which can take long and does not touch the store: call it after the transaction.
        """
        if start is None:
            return self._read_dense_whole()
        changes = self.store.changes_since(at)
        if start.needs_rebuild(len(changes.added), changes.removed):
            return self._read_dense_whole()
        index, vectors = start, self.store.vectors(changes.added)

        def change() -> DenseIndex:
            index.remove(changes.removed)
            index.add(changes.added, vectors)
            return index

        return change

    def _read_dense_whole(self) -> Callable[[], DenseIndex]:
        ids = self.store.chunk_ids()
        vectors, dimension = self.store.vectors(ids), int(self.store.meta("dimension"))
        return lambda: FaissIndex.build(dimension, self.options, ids, vectors)

    def _lexical_texts(self, ids: Int64) -> Iterator[tuple[Int64, list[str]]]:
        """Read what the lexical index needs of these chunks, batch by batch."""
        for part in _batches(ids):
            rows = self.store.chunks(part)
            yield part, [lexical_text(rows[i]) for i in part.tolist()]

    def _lexical_into(
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

    # Checking -----------------------------------------------------------------------------------------------

    def verify(self, *, deep: bool = False) -> list[Problem]:
        """Check the store row by row and each derived index against it; an empty list means all is well.

        ``deep`` also compares what each derived index holds of every chunk with the store.
        """
        problems = check_store(self.store)
        if any(not p.repairable for p in problems):
            return problems
        if deep and not problems and (wrong := signatures.count_wrong(self.store)):
            problems.append(Problem("signatures", f"{wrong} are not those of their texts", repairable=True))
        for kind in _KINDS:
            look = self._look_inside if deep else None
            problems += check_derived(kind, self._root(kind), self.store, self._load_ids, look)
        return problems

    def _load_ids(self, kind: str, folder: Path) -> Int64:
        if kind == "dense":
            return FaissIndex.load(folder, self.options).ids()
        with _scratch_copy(folder) as copy:
            return TantivyIndex(copy, self.languages).ids()

    def _look_inside(self, kind: str, folder: Path) -> str:
        """Compare each chunk's vector or words in a published folder with the store's; return what is wrong."""
        there = self.store.chunk_ids()
        if kind == "dense":
            dense = FaissIndex.load(folder, self.options)
            wrong = sum(
                dense.count_other(part, self.store.vectors(part))
                for part in _batches(np.intersect1d(dense.ids(), there))
            )
            return f"{wrong} chunks have another vector there than in the database" if wrong else ""
        with _scratch_copy(folder) as copy:
            lexical = TantivyIndex(copy, self.languages)
            texts = self._lexical_texts(np.intersect1d(lexical.ids(), there))
            lost = sum(
                lexical.has_words(text) and not len(lexical.search([text], 1, allowed=part[n : n + 1])[0])
                for part, batch in texts
                for n, text in enumerate(batch)
            )
        return f"{lost} chunks are not found there by their own words" if lost else ""

    def rebuild(self, parts: Collection[str] = _KINDS) -> int:
        """Build derived indexes anew from the store, and only then remove what stood there before.

        ``parts`` may also name ``stamps``, ``signatures`` and ``history``, of which what is damaged is dropped. The
        caller holds the writer lock. Raises :class:`~indexes.errors.IndexWriteError`.
        """
        if "stamps" in parts:
            self.store.drop_damaged_stamps()
        if "signatures" in parts:
            signatures.drop_damaged(self.store)
        if "history" in parts:
            self.store.forget_history()
        for kind in (k for k in _KINDS if k in parts):
            derived.remove_all_but(self._root(kind), self._publish(kind, None).folder)
        return self.sync()

    def compact(self) -> int:
        """Drop what only the past needs, build the derived indexes anew, and give the space back.

        The caller holds the writer lock. Killed at any moment, what is left is whole, and a second run completes it.
        """
        self.store.compact()
        generation = self.sync()
        fail_point("compact.derived")
        self.store.vacuum()
        fail_point("compact.vacuumed")
        return generation

    def reader(self, *, gpu: str = "off", gpu_fp16: bool = True) -> IndexReader:
        """Return a reader; ``gpu`` is one of :data:`indexes.dense_gpu.GPU_MODES`."""
        return IndexReader(self, gpu=gpu, gpu_fp16=gpu_fp16)


class IndexReader:
    """Searches the newest generation, from any number of threads."""

    def __init__(self, index: Index, *, gpu: str, gpu_fp16: bool) -> None:
        self._index = index
        self._gpu = gpu
        self._gpu_fp16 = gpu_fp16
        self._embedder = index.store.meta("embedder")
        self._lock = threading.Lock()
        self._current: Snapshot | None = None
        self._scratch: list[tempfile.TemporaryDirectory[str]] = []

    @property
    def store(self) -> Store:
        """The store, for reading chunks and texts."""
        return self._index.store

    def snapshot(self) -> Snapshot:
        """Return a snapshot of the newest generation, made now if the store has moved on.

        Raises :class:`~indexes.errors.SettingsMismatchError` if the index was re-embedded in the meantime.
        """
        current, head = self._current, self.store.head()
        if current is not None and current.head == head:
            return current
        with self._lock:
            if self._current is None or self._current.head != self.store.head():
                self._current = self._next()
            return self._current

    def chunks(self, ids: Iterable[int]) -> dict[int, ChunkRow]:
        """Return the chunks among ``ids`` that exist at this moment: what was deleted since is gone at once."""
        return self.store.chunks(ids)

    def close(self) -> None:
        """Let go of scratch files and of this thread's connection."""
        for folder in self._scratch:
            folder.cleanup()
        self._scratch.clear()
        self.store.close()

    def _next(self) -> Snapshot:
        for _ in range(_ATTEMPTS):
            try:
                return self._build(self._index.published())
            except (OSError, RuntimeError, ValueError) as error:
                # The writer removed the published folder while it was being read (FAISS raises RuntimeError and
                # tantivy ValueError for a missing file). The next try finds the newer one.
                log.debug("a published index went away while it was read: %s", error)
        return self._build({"dense": None, "lexical": None})

    def _build(self, base: Mapping[str, derived.Published | None]) -> Snapshot:
        """Make a snapshot of what one read transaction sees, so that all of it is of one generation.

        Inside it rows are read and no more, because a writer waits for its end: checksums are compared and files
        loaded before, FAISS trains and tantivy builds after.
        """
        index, store, lexical_base = self._index, self.store, base["lexical"]
        start, at, current = self._start(base["dense"])
        with store.reading():
            embedder = store.meta("embedder")
            if embedder != self._embedder:
                raise SettingsMismatchError(index.folder, {"embedder": (embedder, self._embedder)})
            head = store.head()
            if current is not None and not self._in_history(current):
                start = None
            make_dense = index._read_dense(start, at)
            changes = store.changes_since(lexical_base.generation if lexical_base else 0)
            texts = list(index._lexical_texts(changes.added))
            chunks = store.counts()["chunks"]
        dense, lexical = make_dense(), self._lexical(lexical_base, changes, texts)
        if not len(dense) == len(lexical) == chunks:
            # Tantivy makes an empty index of a folder whose files are gone.
            raise OSError(f"{len(dense)} and {len(lexical)} chunks were read of {chunks}")
        return Snapshot(head, self._on_gpu(dense), lexical)

    def _start(self, base: derived.Published | None) -> tuple[DenseIndex | None, int, Snapshot | None]:
        """Return a private dense index to go on from, its generation, and the snapshot it was copied from, if any."""
        current = self._current
        if current is not None and not self._in_history(current):
            current = None
        if base is not None and (current is None or base.generation >= current.generation):
            return FaissIndex.load(base.folder, self._index.options), base.generation, None
        if current is not None:
            return current.dense.clone(), current.generation, current
        return None, 0, None

    def _in_history(self, snapshot: Snapshot) -> bool:
        """Tell whether a snapshot's commit is in the store: not so once the database was put back from a copy."""
        return self.store.nonce(snapshot.head[0]) == snapshot.head[1]

    def _lexical(
        self, base: derived.Published | None, changes: Changes, texts: list[tuple[Int64, list[str]]]
    ) -> TantivyIndex:
        if base is not None and base.generation == changes.generation and os.access(base.folder, os.W_OK):
            with suppress(ValueError):  # tantivy wants to lock even to read, and may not: take a copy
                return TantivyIndex(base.folder, self._index.languages)
        scratch = tempfile.TemporaryDirectory(prefix="rag-lexical-", ignore_cleanup_errors=True)
        try:
            index = self._index._lexical_into(Path(scratch.name), base, changes, texts)
        except BaseException:
            scratch.cleanup()
            raise
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


def compare_settings(folder: Path, recorded: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Raise :class:`~indexes.errors.SettingsMismatchError` naming every setting that differs."""
    names = sorted(recorded.keys() | asked.keys())
    differences = {n: (recorded.get(n), asked.get(n)) for n in names if recorded.get(n) != asked.get(n)}
    if differences:
        raise SettingsMismatchError(folder, differences)


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
def _scratch_copy(folder: Path) -> Iterator[Path]:
    """Yield a throw-away copy, so that checking an index cannot change it."""
    with tempfile.TemporaryDirectory(prefix="rag-check-", ignore_cleanup_errors=True) as scratch:
        _link_files(folder, Path(scratch))
        yield Path(scratch)


def _batches(ids: Int64) -> Iterator[Int64]:
    for start in range(0, len(ids), _LEXICAL_BATCH):
        yield ids[start : start + _LEXICAL_BATCH]
