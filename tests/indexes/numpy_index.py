"""Exact dense search with NumPy: the oracle for every dense index."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np

from indexes.search.protocols import Hits, top_hits
from indexes.store.rows import Float32, Int64

__all__ = ["NumpyIndex"]

_FILE = "vectors.npz"


class NumpyIndex:
    """All vectors in one array (n, dimension), every query compared with every one of them."""

    def __init__(self, dimension: int) -> None:
        self._ids: Int64 = np.empty(0, dtype=np.int64)
        self._vectors: Float32 = np.empty((0, dimension), dtype=np.float32)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote."""
        with np.load(folder / _FILE, allow_pickle=False) as data:
            index = cls(data["vectors"].shape[1])
            index._ids, index._vectors = data["ids"], data["vectors"]
        return index

    def __len__(self) -> int:
        return len(self._ids)

    def ids(self) -> Int64:
        """Return all ids, ascending."""
        return np.sort(self._ids)

    def add(self, ids: Int64, vectors: Float32) -> None:
        """Append vectors (n, dimension)."""
        self._ids = np.concatenate([self._ids, ids])
        self._vectors = np.concatenate([self._vectors, vectors])

    def remove(self, ids: Int64) -> None:
        """Drop ids."""
        keep = ~np.isin(self._ids, ids)
        self._ids, self._vectors = self._ids[keep], self._vectors[keep]

    def search(self, queries: Float32, k: int, *, allowed: Int64 | None = None) -> list[Hits]:
        """Compare with every vector."""
        ids, vectors = self._ids, self._vectors
        if allowed is not None:
            keep = np.isin(ids, allowed)
            ids, vectors = ids[keep], vectors[keep]
        return [top_hits(ids, row, k) for row in queries @ vectors.T]

    def clone(self) -> Self:
        """Return a copy; the arrays are never changed in place, so they are shared."""
        copy = type(self)(self._vectors.shape[1])
        copy._ids, copy._vectors = self._ids, self._vectors
        return copy

    def needs_rebuild(self, added: int = 0, removed: Int64 | None = None) -> bool:
        """An exact index is always as good as a new one."""
        del added, removed
        return False

    def save(self, folder: Path) -> None:
        """Write one npz file."""
        np.savez(folder / _FILE, ids=self._ids, vectors=self._vectors)
