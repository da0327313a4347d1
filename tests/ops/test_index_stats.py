"""Figures of an index, and the recall of a dense index against exact search over the stored vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rag_project import Project

from indexes import IndexMissingError
from indexes.search.protocols import Hits
from indexes.store.rows import Float32, Int64
from rag.ops.index_stats import index_stamp, index_stats, measure_recall, recall_at

WORDS = ("lamp", "mast", "horn", "pump", "soup", "rope", "tide", "gull", "salt", "rust", "oar", "keel")


@pytest.fixture
def many(project: Project) -> Project:
    """Sixty documents whose words differ."""
    rng = np.random.default_rng(3)
    texts = {f"{n}.txt": f"Number {n}: {' '.join(rng.choice(WORDS, size=9))}.\n" for n in range(60)}
    project.write(dict(texts)).ingest()
    return project


class Half:
    """A dense index that finds every second of what the whole one finds."""

    def __init__(self, whole: object) -> None:
        self._whole = whole

    def ids(self) -> Int64:
        return self._whole.ids()  # type: ignore[attr-defined,no-any-return]

    def search(self, queries: Float32, k: int, *, allowed: Int64 | None = None) -> list[Hits]:
        found = self._whole.search(queries, k + 1)  # type: ignore[attr-defined]
        return [Hits(hits.ids[::2], hits.scores[::2]) for hits in found]


def test_a_survey_says_what_is_there(fog: Project) -> None:
    found = index_stats(fog.index.folder, fog.config)
    assert (found.counts["ready"], found.generation) == (3, fog.index.store.generation)
    assert found.counts["chunks"] > 0 and found.size > 0
    assert found.derived == {"dense": found.generation, "lexical": found.generation}
    with pytest.raises(IndexMissingError):
        index_stats(fog.folder / "nothing", fog.config)


def test_an_exact_index_finds_all(many: Project) -> None:
    found = measure_recall(many.index.folder, many.config, sample=20, seed=1)
    assert (found.mean, found.queries, found.whole, found.k, found.chunks) == (1.0, 20, 20, 10, 60)


def test_what_an_index_misses_is_counted(many: Project) -> None:
    reader = many.index.reader()
    dense, store = reader.snapshot().dense, many.index.store
    found = recall_at(Half(dense), store, k=10, sample=60, seed=0)  # type: ignore[arg-type]
    ids, vectors = dense.ids(), store.vectors(dense.ids())
    shares = []
    for n, own in enumerate(ids.tolist()):
        scores = {i: float(s) for i, s in zip(ids.tolist(), vectors @ vectors[n], strict=True) if i != own}
        least = sorted(scores.values())[-10]
        [hits] = Half(dense).search(vectors[n : n + 1], 11)
        shares.append(sum(scores[i] >= least - 1e-5 for i in [i for i in hits.ids.tolist() if i != own][:10]) / 10)
    assert found.mean == pytest.approx(np.mean(shares))
    assert 0.3 < found.mean < 0.9
    assert recall_at(Half(dense), store, k=10, sample=60, seed=0) == found  # type: ignore[arg-type]
    reader.close()


def test_too_few_chunks_to_measure(project: Project) -> None:
    project.write({"one.txt": "One sentence.\n"}).ingest()
    assert measure_recall(project.index.folder, project.config).queries == 0


def test_the_stamp_changes_with_the_index(fog: Project, tmp_path: Path) -> None:
    before = index_stamp(fog.index.folder)
    assert before == index_stamp(fog.index.folder)
    fog.write({"new.txt": "Something new.\n"}).ingest()
    assert index_stamp(fog.index.folder) != before
    assert index_stamp(tmp_path / "nothing") == (None,) * 4
