"""The two seams of search: a dense and a lexical index. Both speak in chunk ids and scores and know no text store.

Contract, held by ``tests/indexes/test_dense_contract.py`` and ``test_lexical_contract.py`` against brute force:

* a higher score is better; hits come best first, equal scores in ascending order of id;
* fewer than ``k`` hits are an answer, never an error, and an empty index answers with none;
* an id that was removed, or that is not in ``allowed``, never appears;
* ids are added once and in any order; adding an id twice is the caller's mistake.

An index is changed by one owner before it is shared, and never afterwards: searching while another thread adds
has crashed FAISS outright. :meth:`clone` gives the owner a private copy to change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from indexes.store.rows import Float32, Int64

__all__ = ["NO_HITS", "DenseIndex", "Hits", "LexicalIndex", "top_hits"]


@dataclass(frozen=True, slots=True)
class Hits:
    """The answer to one query: chunk ids, best first, and their scores; two arrays of equal length."""

    ids: Int64
    scores: Float32

    def __len__(self) -> int:
        return len(self.ids)


NO_HITS = Hits(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))


class DenseIndex(Protocol):
    """Inner-product search over vectors."""

    def __len__(self) -> int: ...

    def ids(self) -> Int64:
        """Return the ids that can be found, ascending."""

    def add(self, ids: Int64, vectors: Float32) -> None:
        """Add vectors of shape (n, dimension)."""

    def remove(self, ids: Int64) -> None:
        """Remove ids; one that is not there is ignored."""

    def search(self, queries: Float32, k: int, *, allowed: Int64 | None = None) -> list[Hits]:
        """Return up to ``k`` hits for each row of ``queries`` (q, dimension)."""

    def clone(self) -> DenseIndex:
        """Return a private copy that may be changed."""

    def needs_rebuild(self, added: int = 0, removed: Int64 | None = None) -> bool:
        """Return whether, after that change, a rebuild from all vectors would give a better index."""

    def save(self, folder: Path) -> None:
        """Write the index into an existing, empty folder."""


class LexicalIndex(Protocol):
    """BM25 search over texts."""

    def __len__(self) -> int: ...

    def ids(self) -> Int64:
        """Return the ids that can be found, ascending."""

    def terms(self, text: str) -> list[str]:
        """Return what a text is cut into and searched by, in its order: for showing why it was found."""

    def apply(self, ids: Int64, texts: Sequence[str], removed: Int64) -> None:
        """Remove, then add, as one change."""

    def search(self, queries: Sequence[str], k: int, *, allowed: Int64 | None = None) -> list[Hits]:
        """Return up to ``k`` hits for each query; a text that shares no word with it is no hit."""


def top_hits(ids: Int64, scores: Float32, k: int) -> Hits:
    """Return the best ``k`` of parallel arrays (n,) in the contract's order."""
    order = np.lexsort((ids, -scores))[:k]
    return Hits(ids[order], scores[order])
