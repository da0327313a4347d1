"""Figures of an index folder, for ``rag index info`` and the page. It only reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexes.search.protocols import DenseIndex
from indexes.store.rows import CommitRow, Float32, Int64
from indexes.store.store import DATABASE, Store
from rag.config import Config
from rag.factory import open_index

__all__ = ["IndexStats", "Recall", "bytes_below", "index_stamp", "index_stats", "measure_recall", "recall_at"]

_BATCH = 20_000  # vectors compared at once: 30 MB with 384 dimensions
_SAME = 1e-5  # scores closer than this count as equal: equal texts have equal vectors


@dataclass(frozen=True)
class IndexStats:
    """Figures of an index.

    ``derived`` has the generation of each derived index, None if it must be built. ``commits`` has the newest first.
    ``problems`` says which folders cannot be read.
    """

    generation: int
    counts: Mapping[str, int]
    size: int
    unused_vectors: int
    settings: Mapping[str, Any]
    derived: Mapping[str, int | None]
    commits: tuple[CommitRow, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recall:
    """The share of the exact nearest ``k`` that the dense index finds, over ``queries`` of the ``chunks``.

    ``whole`` is the number of queries that found all of them.
    """

    mean: float
    queries: int
    whole: int
    k: int
    chunks: int
    seed: int


def index_stats(folder: Path, config: Config) -> IndexStats:
    """Return the figures of an index. Raises what :func:`~rag.factory.open_index` raises."""
    with open_index(folder, config) as index:
        store = index.store
        derived: dict[str, int | None] = {"dense": None, "lexical": None}
        problems = []
        try:
            derived = {kind: row.generation if row else None for kind, row in index.published().items()}
        except OSError as error:
            problems.append(f"{error.filename} cannot be used: {error.strerror}; check path and permissions")
        return IndexStats(
            generation=store.generation,
            counts=store.counts(),
            size=bytes_below(folder),
            unused_vectors=store.unused_vectors(),
            settings=store.settings,
            derived=derived,
            commits=tuple(store.commits()),
            problems=tuple(problems),
        )


def index_stamp(folder: Path) -> tuple[object, ...]:
    """Return a value that changes whenever the index does, also for a missing folder. It opens no file."""
    stamps: list[object] = []
    for name in (DATABASE, DATABASE + "-wal", "dense", "lexical"):
        try:
            stat = (folder / name).stat()
        except OSError:
            stamps.append(None)
        else:
            stamps.append((stat.st_mtime_ns, stat.st_size))
    return tuple(stamps)


def bytes_below(folder: Path) -> int:
    """Return the size of all files below a folder; files that a writer removes meanwhile are skipped."""
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                size += (Path(parent) / name).stat().st_size
    return size


def measure_recall(folder: Path, config: Config, *, k: int = 10, sample: int = 100, seed: int = 0) -> Recall:
    """Measure the recall of the dense index that searches would use; see :func:`recall_at`."""
    with open_index(folder, config) as index, closing(index.reader()) as reader:
        snapshot = reader.snapshot()
        return recall_at(snapshot.dense, reader.store, k=k, sample=sample, seed=seed)


def recall_at(dense: DenseIndex, store: Store, *, k: int, sample: int, seed: int) -> Recall:
    """Compare the dense index with exact search over the stored vectors.

    The queries are the vectors of random chunks; that a chunk finds itself does not count. A hit counts if its exact
    score is not below that of the exact k-th: among equal scores, any will do.
    """
    ids = dense.ids()
    wanted = min(k, len(ids) - 1)
    if wanted < 1:
        return Recall(1.0, 0, 0, k, len(ids), seed)
    drawn = np.sort(np.random.default_rng(seed).choice(ids, size=min(sample, len(ids)), replace=False))
    queries = store.vectors(drawn)
    least = _exact_kth(queries, drawn, ids, store, wanted)
    shares = []
    for query, own, score, hits in zip(queries, drawn, least, dense.search(queries, wanted + 1), strict=True):
        found = hits.ids[hits.ids != own][:wanted]
        near = store.vectors(found) @ query >= score - _SAME if len(found) else np.empty(0)
        shares.append(float(near.sum()) / wanted)
    return Recall(float(np.mean(shares)), len(drawn), sum(share == 1.0 for share in shares), wanted, len(ids), seed)


def _exact_kth(queries: Float32, own: Int64, ids: Int64, store: Store, k: int) -> Float32:
    """Return each query's k-th best exact score over all chunks but its own, shape (queries,)."""
    best = np.full((len(queries), k), -np.inf, dtype=np.float32)
    for start in range(0, len(ids), _BATCH):
        part = ids[start : start + _BATCH]
        scores = queries @ store.vectors(part).T  # (q, part)
        scores[own[:, None] == part[None, :]] = -np.inf
        joined = np.concatenate([best, scores], axis=1)
        best = -np.partition(-joined, k - 1, axis=1)[:, :k]
    return np.asarray(best.min(axis=1), dtype=np.float32)
