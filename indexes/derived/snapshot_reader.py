"""Searching an index folder: immutable snapshots of one generation each, that follow the store as it moves on.

A reader starts from what is published, replays what was committed since, and makes the next snapshot when there is a
newer generation. It never writes into the folder: where it must make something, it does so in a scratch folder.
"""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from indexes.derived import publish as derived
from indexes.derived.build import Builder
from indexes.errors import SettingsMismatchError
from indexes.search.dense_faiss import FaissIndex, gpu_count, load_faiss
from indexes.search.dense_gpu import GpuIndex
from indexes.search.lexical_tantivy import TantivyIndex
from indexes.search.protocols import DenseIndex, LexicalIndex
from indexes.store.queries import Changes
from indexes.store.rows import Int64
from indexes.store.store import Store

__all__ = ["IndexReader", "Snapshot"]

log = logging.getLogger(__name__)

_ATTEMPTS = 5
_SCRATCH_KEPT = 2

Base = Mapping[str, derived.Published | None]


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
        """Return a snapshot of the newest generation, made now if the store has moved on.

        Raises :class:`~indexes.errors.SettingsMismatchError` if the index was re-embedded in the meantime.
        """
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
            make_dense = builder.read_dense(start, at, at_once=True)
            changes = store.changes_since(lexical_base.generation if lexical_base else 0)
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
        try:
            index = self._builder.lexical_into(Path(scratch.name), base, changes, texts)
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
