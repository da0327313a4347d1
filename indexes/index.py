"""An index folder as a whole: the store, and the dense and the lexical index derived from it.

A writer commits to the store and then calls :meth:`Index.sync`, which publishes the derived indexes at the store's
generation, or leaves readers little to replay. A reader (:mod:`indexes.derived.snapshots`) searches snapshots of
exactly one generation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from indexes.derived import publish as derived
from indexes.derived import signatures
from indexes.derived.snapshots import Builder, IndexReader, Report, Snapshot, silent
from indexes.errors import SettingsMismatchError
from indexes.fail_points import fail_point
from indexes.lock import writer_lock
from indexes.search.dense_faiss import FaissIndex, FaissOptions
from indexes.search.lexical_tantivy import FIELDS_VERSION
from indexes.store.store import Store
from indexes.system import closed_on_error, release_memory
from indexes.verify import Problem, check_derived, check_store

__all__ = ["Index", "IndexReader", "Problem", "Snapshot"]

_KINDS = ("dense", "lexical")
_SEARCH_ONLY = ("ef_search", "nprobe")


class Index:
    """One index folder, closed at the end of a ``with`` block.

    ``options`` choose the dense index's type, ``languages`` the stemmers.
    """

    def __init__(
        self,
        store: Store,
        options: FaissOptions,
        languages: tuple[str, ...],
    ) -> None:
        self.store = store
        self._required: Mapping[str, Any] | None = None
        self.folder = store.folder
        self.options = options
        self.languages = languages
        self._builder = Builder(store, options, languages)

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
        """Make an empty index; ``settings`` are recorded and compared by :meth:`require`."""
        with closed_on_error(Store.create(folder, settings, embedder=embedder, dimension=dimension)) as store:
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

        Raises what :meth:`indexes.store.store.Store.open` raises, and :class:`~indexes.errors.SettingsMismatchError`.
        """
        with closed_on_error(Store.open(folder, write=write)) as store:
            index = cls(store, options or FaissOptions(), languages)
            if settings is not None:
                index.require(settings)
            return index

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close this thread's connection."""
        self.store.close()

    def require(self, settings: Mapping[str, Any]) -> None:
        """Raise :class:`~indexes.errors.SettingsMismatchError` naming every setting with which it was not made."""
        self._required, recorded = settings, self.store.settings
        names = sorted(recorded.keys() | settings.keys())
        differences = {n: (recorded.get(n), settings.get(n)) for n in names if recorded.get(n) != settings.get(n)}
        if differences:
            raise SettingsMismatchError(self.folder, differences)

    @contextmanager
    def writing(self, purpose: str) -> Iterator[None]:
        """Hold the writer lock. Raises :class:`~indexes.errors.IndexLockedError`.

        Required settings are compared again: another writer may have changed them since.
        """
        with writer_lock(self.folder, purpose):
            if self._required is not None:
                self.require(self._required)
            yield

    # Derived indexes ----------------------------------------------------------------------------------------

    def _options(self, kind: str) -> dict[str, Any]:
        """Return what a derived index is built with, and is not valid without."""
        if kind == "lexical":
            return {"languages": list(self.languages), "fields": FIELDS_VERSION}
        built = {k: v for k, v in asdict(self.options).items() if k not in _SEARCH_ONLY}
        return {"embedder": self.store.meta("embedder"), "dimension": self.store.meta("dimension"), **built}

    def published(self) -> dict[str, derived.Published | None]:
        """Return the newest verified folder of each derived index, or None where it must be built."""
        store_id = self.store.meta("store_id")
        return {
            kind: derived.newest(self.folder / kind, store_id, self._options(kind), self.store.nonce) for kind in _KINDS
        }

    def sync(self, report: Report = silent) -> int:
        """Publish the derived indexes at the store's generation, and return it; sign new texts.

        The caller holds the writer lock, and ``report`` gets the progress. What is published already and current is
        left alone. So is a dense index that differs by little: FAISS writes a file whole, and a reader takes a few
        chunks in faster than it is written.
        """
        base = self.published()
        generation = self.store.generation
        fail_point("sync.begun")
        for kind in _KINDS:
            release_memory()
            published = base[kind]
            if published is None or not (published.generation == generation or self._may_wait(kind, published)):
                published = self._publish(kind, published, report)
            fail_point("sync.published")
            derived.remove_all_but(self.folder / kind, published.folder)
            fail_point("sync.old-removed")
        release_memory()
        signatures.complete(self.store, report)  # last, because searches do without
        fail_point("sync.done")
        return generation

    def _may_wait(self, kind: str, base: derived.Published) -> bool:
        if kind != "dense":
            return False
        changes = self.store.changes_since(base.generation)
        chunks = self.store.counts()["chunks"]
        return FaissIndex.may_wait(base.folder, self.options, chunks, len(changes.added), len(changes.removed))

    def _publish(self, kind: str, base: derived.Published | None, report: Report = silent) -> derived.Published:
        """Make one derived index of the store's generation, out of ``base`` where there is one, and publish it.

        No transaction is held: under the writer lock nothing changes.
        """
        head, changes = self.store.head(), self.store.changes_since(base.generation if base else 0)
        if kind == "dense":
            start = FaissIndex.load(base.folder, self.options) if base else None
            fill = self._builder.read_dense(start, changes, at_once=False, report=report)().save
        else:

            def fill(folder: Path) -> None:
                self._builder.lexical_into(folder, base, changes, self._builder.lexical_texts(changes.added, report))

        store_id = self.store.meta("store_id")
        return derived.publish(self.folder / kind, store_id, head, self._options(kind), fill)

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
            problems += check_derived(kind, self.folder / kind, self._builder, self._options(kind), deep=deep)
        return problems

    def rebuild(self, parts: Collection[str] = _KINDS) -> int:
        """Rebuild derived indexes from the store, and only then remove the old ones.

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
            derived.remove_all_but(self.folder / kind, self._publish(kind, None).folder)
        return self.sync()

    def compact(self) -> int:
        """Drop what only the past needs, rebuild the derived indexes, and free the space.

        The caller holds the writer lock. Killed at any moment, what is left is whole, and a second run completes it.
        """
        self.store.compact()
        generation = self.sync()
        fail_point("compact.derived")
        self.store.vacuum()
        fail_point("compact.vacuumed")
        return generation

    def reader(self, *, gpu: str = "off", gpu_fp16: bool = True) -> IndexReader:
        """Return a reader; ``gpu`` is one of :data:`indexes.search.dense_gpu.GPU_MODES`."""
        return IndexReader(self.store, self._builder, self.published, gpu=gpu, gpu_fp16=gpu_fp16)
