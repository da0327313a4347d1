"""Dense search with FAISS: flat, HNSW, IVF, scalar-quantised and product-quantised indexes under one face.

FAISS ids are chunk ids (an ``IndexIDMap`` over the real index). Deletion is a tombstone that every search masks,
because neither HNSW nor a GPU index can delete; :meth:`FaissIndex.needs_rebuild` says when so many have gathered
that a new build pays. A type that must be trained starts as a flat index and asks for a rebuild once it holds
enough vectors to train on: fewer would give worse recall than the memory is worth.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import numpy as np

from indexes.search.protocols import NO_HITS, Hits, top_hits
from indexes.store.rows import Float32, Int64

__all__ = ["DENSE_TYPES", "FaissIndex", "FaissOptions", "gpu_count", "load_faiss"]

DENSE_TYPES = ("flat", "hnsw", "ivf", "sq", "pq", "ivfpq")

_INDEX = "index.faiss"
_STATE = "state.json"
_REBUILD_SHARE = 0.2  # of tombstones
_REPLAYED_SHARE = (
    0.01  # of the chunks: what a reader takes in by itself, so that a small change does not write them all
)
_EXACT_BELOW = 0.05  # of the index: through a filter this narrow an approximate walk finds too little
_PQ_TRAINING = 39 * 256  # FAISS asks for 39 training points a centroid, and product quantisation has 256


@dataclass(frozen=True)
class FaissOptions:
    """What kind of FAISS index, and its knobs; the defaults suit 10 thousand to a million chunks.

    ``nlist`` 0 takes 4·√n lists at build time (the rule of thumb of FAISS's own guidelines).
    """

    type: str = "flat"
    hnsw_m: int = 32
    ef_construction: int = 200
    ef_search: int = 96
    nlist: int = 0
    nprobe: int = 16
    sq_bits: int = 8
    pq_m: int = 48

    def __post_init__(self) -> None:
        if self.type not in DENSE_TYPES:
            raise ValueError(f"unknown dense index type {self.type!r}: choose one of {', '.join(DENSE_TYPES)}")
        if self.sq_bits not in (4, 6, 8, 16):
            raise ValueError(f"sq_bits is {self.sq_bits}: choose 4, 6, 8 or 16")


def load_faiss() -> Any:
    """Import FAISS, and torch before it where the order matters.

    Each brings an OpenMP runtime, and on macOS loading torch's second can crash (faiss issue 3401). On Linux both bring
    copies of GNU's under names of their own, which do not meet, and a process without torch saves its seconds. This
    is the only place where FAISS is imported, so the order holds everywhere.
    """
    if sys.platform != "linux" and "torch" not in sys.modules and find_spec("torch") is not None:
        import torch  # noqa: F401
    import faiss

    return faiss


def gpu_count(faiss: Any) -> int:
    """Return how many GPUs this FAISS build can use; 0 for faiss-cpu."""
    count = getattr(faiss, "get_num_gpus", None)
    return int(count()) if count is not None else 0


def factory(options: FaissOptions, dimension: int, n: int) -> tuple[str, int]:
    """Return the FAISS factory string for ``n`` vectors and the number of vectors it must be trained on (0: none).

    Raises ``ValueError`` where ``pq_m`` does not divide the dimension.
    """
    if options.type in ("pq", "ivfpq") and dimension % options.pq_m:
        raise ValueError(f"pq_m is {options.pq_m}, which does not divide the dimension {dimension}")
    nlist = options.nlist or max(1, round(4 * math.sqrt(max(n, 1))))
    scalar = "SQfp16" if options.sq_bits == 16 else f"SQ{options.sq_bits}"
    return {
        "flat": ("Flat", 0),
        "hnsw": (f"HNSW{options.hnsw_m},Flat", 0),
        "ivf": (f"IVF{nlist},Flat", 39 * nlist),
        "sq": (scalar, 0 if options.sq_bits == 16 else 1000),
        "pq": (f"PQ{options.pq_m}", _PQ_TRAINING),
        "ivfpq": (f"IVF{nlist},PQ{options.pq_m}", max(39 * nlist, _PQ_TRAINING)),
    }[options.type]


class FaissIndex:
    """A FAISS index with chunk ids, tombstones and late training."""

    def __init__(self, dimension: int, options: FaissOptions | None = None) -> None:
        self.dimension = dimension
        self.options = options or FaissOptions()
        self._faiss = load_faiss()
        self._removed: Int64 = np.empty(0, dtype=np.int64)
        self.built_type = "flat"
        self._index: Any = None
        self._build(0)

    @classmethod
    def build(cls, dimension: int, options: FaissOptions, ids: Int64, vectors: Float32) -> Self:
        """Train on ``vectors`` where the type needs it, and add them all."""
        return cls.build_from(dimension, options, len(ids), [(ids, vectors)])

    @classmethod
    def build_from(
        cls, dimension: int, options: FaissOptions, count: int, parts: Iterable[tuple[Int64, Float32]]
    ) -> Self:
        """Do the same with ``count`` vectors that come in parts, held all at once only where a type is trained."""
        index = cls(dimension, options)
        if 0 < factory(options, dimension, count)[1] <= count:
            together = list(parts)
            parts = [(np.concatenate([ids for ids, _ in together]), np.concatenate([part for _, part in together]))]
            index._build(count, parts[0][1])
        else:
            index._build(count)
            index._reserve(count)
        for ids, vectors in parts:
            index.add(ids, vectors)
        return index

    @classmethod
    def load(cls, folder: Path, options: FaissOptions) -> Self:
        """Read what :meth:`save` wrote; search-time knobs are taken from ``options``."""
        faiss = load_faiss()
        state = json.loads((folder / _STATE).read_text(encoding="utf-8"))
        index = cls(state["dimension"], options)
        index._index = faiss.read_index(str(folder / _INDEX))
        index._removed = np.array(state["removed"], dtype=np.int64)
        index.built_type = state["built_type"]
        index._set_nprobe()
        return index

    def _build(self, n: int, training: Float32 | None = None) -> None:
        description, needed = factory(self.options, self.dimension, n)
        if needed and (training is None or n < needed):
            description, needed, self.built_type = "Flat", 0, "flat"
        else:
            self.built_type = self.options.type
        inner = self._faiss.index_factory(self.dimension, description, self._faiss.METRIC_INNER_PRODUCT)
        if self.built_type == "hnsw":
            inner.hnsw.efConstruction = self.options.ef_construction
        if self.built_type in ("pq", "ivfpq"):
            inner.do_polysemous_training = False  # minutes of work for a search mode that is not used here
        if needed and training is not None:
            inner.train(training)
        self._index = self._faiss.IndexIDMap(inner)
        self._set_nprobe()

    def _reserve(self, count: int) -> None:
        """Have a flat index take the room for its vectors once, so that it does not double and copy as it grows."""
        if self.built_type == "flat":
            codes = self.inner.codes
            codes.resize(count * self.inner.code_size)
            codes.resize(0)

    def _set_nprobe(self) -> None:
        """Set on the index itself what a search passes along, for a GPU copy to take over."""
        if self.built_type in ("ivf", "ivfpq"):
            self.inner.nprobe = self.options.nprobe

    def __len__(self) -> int:
        return int(self._index.ntotal) - len(self._removed)

    @property
    def inner(self) -> Any:
        """The FAISS index under the id map, whose positions :meth:`position_ids` translates."""
        return self._faiss.downcast_index(self._index.index)

    @property
    def removed(self) -> Int64:
        """The tombstones, ascending."""
        return self._removed

    def position_ids(self) -> Int64:
        """Return the chunk id at each FAISS position, tombstones included."""
        return np.asarray(self._faiss.vector_to_array(self._index.id_map), dtype=np.int64)

    def ids(self) -> Int64:
        """Return the ids that can be found, ascending."""
        return np.setdiff1d(self.position_ids(), self._removed)

    def add(self, ids: Int64, vectors: Float32) -> None:
        """Add vectors (n, dimension)."""
        if len(ids):
            self._index.add_with_ids(np.ascontiguousarray(vectors, dtype=np.float32), np.asarray(ids, dtype=np.int64))

    def remove(self, ids: Int64) -> None:
        """Mask ids from now on."""
        self._removed = self._removed_with(ids)

    def _removed_with(self, ids: Int64) -> Int64:
        return np.union1d(self._removed, np.intersect1d(ids, self.position_ids()))

    def needs_rebuild(self, added: int = 0, removed: Int64 | None = None) -> bool:
        """Many tombstones, or enough vectors at last for the type that was asked for."""
        total = int(self._index.ntotal) + added
        tombstones = len(self._removed if removed is None else self._removed_with(removed))
        return _rebuild_pays(self.options, self.built_type, self.dimension, total, tombstones)

    @staticmethod
    def may_wait(folder: Path, options: FaissOptions, chunks: int, added: int, removed: int) -> bool:
        """Return whether a change is so small that readers may replay it on what :meth:`save` wrote there.

        ``chunks`` are there after the change. An index that would have to be rebuilt may not wait: each reader would
        have to build it.
        """
        state = json.loads((folder / _STATE).read_text(encoding="utf-8"))
        tombstones = len(state["removed"]) + removed
        return added + removed <= _REPLAYED_SHARE * chunks and not _rebuild_pays(
            options, state["built_type"], state["dimension"], chunks + tombstones, tombstones
        )

    def search(self, queries: Float32, k: int, *, allowed: Int64 | None = None) -> list[Hits]:
        """Search with the tombstones masked and, where given, only ``allowed`` ids considered."""
        if allowed is not None:
            allowed = np.setdiff1d(allowed, self._removed)
        available = len(self) if allowed is None else len(allowed)
        if not len(queries) or not available or k < 1:
            return [NO_HITS] * len(queries)
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        if allowed is not None and self.built_type == "hnsw" and len(allowed) < _EXACT_BELOW * len(self):
            return self._search_exactly(queries, k, allowed)
        if self.built_type == "pq":  # FAISS's PQ search takes no mask
            return self._search_and_drop(queries, k, allowed)
        scores, ids = self._index.search(queries, min(k, available), params=self._parameters(allowed))
        return [_found(row_ids, row_scores, k) for row_ids, row_scores in zip(ids, scores, strict=True)]

    def _parameters(self, allowed: Int64 | None) -> Any:
        faiss = self._faiss
        if allowed is not None:
            selector = faiss.IDSelectorBatch(allowed)
        elif len(self._removed):
            selector = faiss.IDSelectorNot(faiss.IDSelectorBatch(self._removed))
        else:
            selector = None
        if self.built_type == "hnsw":
            return faiss.SearchParametersHNSW(sel=selector, efSearch=self.options.ef_search)
        if self.built_type == "ivfpq":
            return faiss.IVFPQSearchParameters(sel=selector, nprobe=self._nprobe(allowed))
        if self.built_type == "ivf":
            return faiss.SearchParametersIVF(sel=selector, nprobe=self._nprobe(allowed))
        return faiss.SearchParameters(sel=selector)

    def _nprobe(self, allowed: Int64 | None) -> int:
        """Return how many lists to look into: all of them where a narrow filter would leave most of them empty."""
        narrow = allowed is not None and len(allowed) < _EXACT_BELOW * len(self)
        return int(self.inner.nlist) if narrow else self.options.nprobe

    def _search_and_drop(self, queries: Float32, k: int, allowed: Int64 | None) -> list[Hits]:
        total = int(self._index.ntotal)
        fetch = total if allowed is not None else min(total, k + len(self._removed))
        scores, ids = self._index.search(queries, fetch)
        found = []
        for row_ids, row_scores in zip(ids, scores, strict=True):
            keep = ~np.isin(row_ids, self._removed) if allowed is None else np.isin(row_ids, allowed)
            found.append(_found(row_ids[keep], row_scores[keep], k))
        return found

    def _search_exactly(self, queries: Float32, k: int, allowed: Int64) -> list[Hits]:
        positions = self.position_ids()
        at = np.flatnonzero(np.isin(positions, allowed))
        vectors = self.inner.reconstruct_batch(at)
        return [top_hits(positions[at], row, k) for row in queries @ vectors.T]

    def count_other(self, ids: Int64, vectors: Float32) -> int:
        """Return how many of these vectors (n, dimension) are not what the index holds under their ids.

        Of a type that keeps no exact vectors nothing can be said, and none is counted.
        """
        if self.built_type not in ("flat", "hnsw") or not len(ids):
            return 0
        positions = self.position_ids()
        order = np.argsort(positions)
        at = order[np.searchsorted(positions, ids, sorter=order)]
        held = self.inner.reconstruct_batch(at)
        return int(np.count_nonzero(np.any(held != vectors, axis=1)))

    def clone(self) -> Self:
        """Return a private copy of index and tombstones."""
        copy = type(self)(self.dimension, self.options)
        copy._index = self._faiss.clone_index(self._index)
        copy._removed, copy.built_type = self._removed, self.built_type
        return copy

    def save(self, folder: Path) -> None:
        """Write the FAISS file and the tombstones."""
        self._faiss.write_index(self._index, str(folder / _INDEX))
        state = {
            "dimension": self.dimension,
            "built_type": self.built_type,
            "removed": self._removed.tolist(),
            "options": asdict(self.options),
        }
        (folder / _STATE).write_text(json.dumps(state), encoding="utf-8")


def _rebuild_pays(options: FaissOptions, built_type: str, dimension: int, total: int, tombstones: int) -> bool:
    if tombstones > _REBUILD_SHARE * max(total, 1):
        return True
    left = total - tombstones
    _, needed = factory(options, dimension, left)
    return built_type != options.type and left >= needed


def _found(ids: Int64, scores: Float32, k: int) -> Hits:
    real = ids >= 0
    return top_hits(ids[real], scores[real], k)
