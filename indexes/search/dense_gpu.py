"""A GPU copy of a FAISS index: replicated on, or sharded over, every GPU there is.

GPU indexes cannot delete and take no mask, so the copy asks for as many extra hits as there are tombstones and
drops those itself; a filtered search goes to the CPU index, which can mask. FAISS's GPU objects are not safe to
share between threads: one owner thread runs every search. The copy is of one generation and is never changed;
:class:`~indexes.index.IndexReader` makes a new one when the index moves on.

Not run on a GPU by its authors so far: it is tested against a stand-in for FAISS's GPU module.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from indexes.search.dense_faiss import FaissIndex
from indexes.search.protocols import NO_HITS, Hits, top_hits
from indexes.store.rows import Float32, Int64

__all__ = ["GPU_MODES", "GpuIndex"]

GPU_MODES = ("auto", "off", "replicate", "shard")
_GPU_TYPES = ("flat", "ivf", "ivfpq")  # FAISS has no GPU form of its HNSW, flat SQ and flat PQ
_MOST_K = 2048  # FAISS's own limit on k on a GPU


class GpuIndex:
    """A read-only copy of ``cpu`` on the GPUs. It keeps the CPU index for filtered searches and for saving."""

    def __init__(self, cpu: FaissIndex, faiss: Any, *, shard: bool = False, fp16: bool = True) -> None:
        self._cpu = cpu
        self._ids = cpu.position_ids()
        self._owner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="faiss-gpu")
        options = faiss.GpuMultipleClonerOptions()
        options.shard = shard
        options.useFloat16 = fp16
        self._gpu = self._owner.submit(faiss.index_cpu_to_all_gpus, cpu.inner, options).result()

    @classmethod
    def supports(cls, cpu: FaissIndex) -> bool:
        """Return whether FAISS can hold this type of index on a GPU."""
        return cpu.built_type in _GPU_TYPES

    def __len__(self) -> int:
        return len(self._cpu)

    def ids(self) -> Int64:
        """Return the ids that can be found, ascending."""
        return self._cpu.ids()

    def search(self, queries: Float32, k: int, *, allowed: Int64 | None = None) -> list[Hits]:
        """Search on the GPUs; with a filter, or for more hits than a GPU gives, on the CPU."""
        fetch = k + len(self._cpu.removed)
        if allowed is not None or fetch > _MOST_K:
            return self._cpu.search(queries, k, allowed=allowed)
        if not len(queries) or not len(self) or k < 1:
            return [NO_HITS] * len(queries)
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        scores, positions = self._owner.submit(self._gpu.search, queries, min(fetch, len(self._ids))).result()
        hits = []
        for row_positions, row_scores in zip(positions, scores, strict=True):
            real = row_positions >= 0
            ids = self._ids[row_positions[real]]
            keep = ~np.isin(ids, self._cpu.removed)
            hits.append(top_hits(ids[keep], row_scores[real][keep], k))
        return hits

    def add(self, ids: Int64, vectors: Float32) -> None:
        """Refuse: a GPU copy is never changed."""
        del ids, vectors
        raise TypeError("a GPU index is a copy: change the CPU index and copy it again")

    def remove(self, ids: Int64) -> None:
        """Refuse: a GPU copy is never changed."""
        del ids
        raise TypeError("a GPU index is a copy: change the CPU index and copy it again")

    def clone(self) -> FaissIndex:
        """Return a private copy of the CPU index, to change and to copy to the GPUs again."""
        return self._cpu.clone()

    def needs_rebuild(self, added: int = 0, removed: Int64 | None = None) -> bool:
        """As the CPU index says."""
        return self._cpu.needs_rebuild(added, removed)

    def save(self, folder: Path) -> None:
        """Write the CPU index."""
        self._cpu.save(folder)

    def close(self) -> None:
        """Stop the owner thread."""
        self._owner.shutdown()
