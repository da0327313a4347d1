"""Every dense index against brute force."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import nsmallest
from pathlib import Path

import numpy as np
import pytest
from index_samples import NONE, document, new_index, put
from numpy_index import NumpyIndex

from indexes import Index
from indexes.search.dense_faiss import DENSE_TYPES, FaissIndex, FaissOptions
from indexes.search.protocols import DenseIndex, Hits
from indexes.store.rows import Float32, Int64

QUERIES = 20


@dataclass(frozen=True)
class Kind:
    """One way to search. ``exhaustive``: looks at every vector; ``recall`` 1 promises exact ids and scores."""

    name: str
    options: FaissOptions | None
    recall: float = 1.0
    exhaustive: bool = True
    n: int = 1500
    dimension: int = 16

    def empty(self) -> DenseIndex:
        return NumpyIndex(self.dimension) if self.options is None else FaissIndex(self.dimension, self.options)

    def build(self, ids: Int64, vectors: Float32) -> DenseIndex:
        if self.options is not None:
            return FaissIndex.build(self.dimension, self.options, ids, vectors)
        index = self.empty()
        index.add(ids, vectors)
        return index

    def load(self, folder: Path) -> DenseIndex:
        return NumpyIndex.load(folder) if self.options is None else FaissIndex.load(folder, self.options)


KINDS = (
    Kind("numpy", None),
    Kind("flat", FaissOptions("flat")),
    Kind("sq16", FaissOptions("sq", sq_bits=16)),
    Kind("sq8", FaissOptions("sq", sq_bits=8), recall=0.95),
    Kind("sq6", FaissOptions("sq", sq_bits=6), recall=0.85),
    Kind("sq4", FaissOptions("sq", sq_bits=4), recall=0.6),
    Kind("hnsw", FaissOptions("hnsw"), recall=0.95, exhaustive=False),
    Kind("ivf", FaissOptions("ivf", nlist=32, nprobe=16), recall=0.85, exhaustive=False),
    # 9984 vectors are the fewest that product quantisation is trained on
    Kind("pq", FaissOptions("pq", pq_m=2), recall=0.3, n=9984, dimension=8),
    Kind("ivfpq", FaissOptions("ivfpq", pq_m=2, nlist=32), recall=0.3, exhaustive=False, n=9984, dimension=8),
)


@dataclass(frozen=True)
class Case:
    """A built index, never to be changed, with what is in it."""

    kind: Kind
    index: DenseIndex
    ids: Int64
    vectors: Float32
    queries: Float32

    def truth(self, k: int, among: set[int] | None = None) -> list[list[tuple[int, float]]]:
        """Return the ids and scores that brute force gives for each query."""
        kept = np.isin(self.ids, list(self.ids if among is None else among))
        ids = self.ids[kept].tolist()
        scores = (self.queries @ self.vectors[kept].T).tolist()
        return [nsmallest(k, zip(ids, row, strict=True), key=best) for row in scores]


def best(pair: tuple[int, float]) -> tuple[float, int]:
    return -pair[1], pair[0]


def exact_in_half(rng: np.random.Generator, shape: tuple[int, int]) -> Float32:
    """Return multiples of 1/256 below 4: exact in float16, and their products add up exactly in float32."""
    return np.clip(np.round(rng.standard_normal(shape) * 256), -1023, 1023).astype(np.float32) / 256


def pairs(hits: Hits) -> list[tuple[int, float]]:
    return list(zip(hits.ids.tolist(), hits.scores.tolist(), strict=True))


def assert_agrees(kind: Kind, found: list[Hits], truth: list[list[tuple[int, float]]]) -> None:
    if kind.recall == 1.0:
        assert [pairs(hits) for hits in found] == truth
        return
    shares = [
        len({i for i, _ in row} & set(hits.ids.tolist())) / len(row) for hits, row in zip(found, truth, strict=True)
    ]
    assert np.mean(shares) >= kind.recall


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def case(request: pytest.FixtureRequest) -> Case:
    kind: Kind = request.param
    rng = np.random.default_rng(11)
    ids = rng.permutation(np.arange(1, 3 * kind.n, 3))
    vectors = exact_in_half(rng, (kind.n, kind.dimension))
    queries = exact_in_half(rng, (QUERIES, kind.dimension))
    return Case(kind, kind.build(ids, vectors), ids, vectors, queries)


def test_the_wanted_type_was_built(case: Case) -> None:
    if case.kind.options is not None:
        assert isinstance(case.index, FaissIndex)
        assert case.index.built_type == case.kind.options.type
    assert not case.index.needs_rebuild()
    assert len(case.index) == case.kind.n
    assert case.index.ids().tolist() == sorted(case.ids.tolist())


def test_finds_what_brute_force_finds(case: Case) -> None:
    assert_agrees(case.kind, case.index.search(case.queries, 10), case.truth(10))


def test_hits_come_best_first_and_once(case: Case) -> None:
    for hits in case.index.search(case.queries, 50):
        assert pairs(hits) == sorted(pairs(hits), key=best)
        assert len(set(hits.ids.tolist())) == len(hits) == 50


def test_asking_for_more_than_there_is_gives_what_there_is(case: Case) -> None:
    for hits in case.index.search(case.queries[:3], case.kind.n + 7):
        assert set(hits.ids.tolist()) <= set(case.ids.tolist())
        assert len(set(hits.ids.tolist())) == len(hits)
        if case.kind.exhaustive:
            assert len(hits) == case.kind.n


def test_no_hits_wanted_none_given(case: Case) -> None:
    assert [len(hits) for hits in case.index.search(case.queries, 0)] == [0] * QUERIES


def test_no_queries_no_answers(case: Case) -> None:
    assert case.index.search(case.queries[:0], 10) == []


def test_equal_vectors_come_in_order_of_id(case: Case) -> None:
    index = case.index.clone()
    longest = int(np.argmax(np.linalg.norm(case.vectors, axis=1)))
    copies = np.array([900_003, 900_001, 900_005, 900_002, 900_004])
    index.add(copies, np.repeat(case.vectors[[longest]], 5, axis=0))
    hits = index.search(case.vectors[[longest]], 100)[0]
    equal = [i for i, score in pairs(hits) if score == dict(pairs(hits))[900_001]]
    assert {int(case.ids[longest]), *copies.tolist()} <= set(equal)
    assert equal == sorted(equal)


def test_removed_ids_are_never_found_and_others_move_up(case: Case) -> None:
    index = case.index.clone()
    gone = {row[rank][0] for row in case.truth(10) for rank in (0, 1, 5)}
    index.remove(np.array(sorted(gone)))
    found = index.search(case.queries, 10)
    assert not gone & {int(i) for hits in found for i in hits.ids}
    assert [len(hits) for hits in found] == [10] * QUERIES
    assert_agrees(case.kind, found, case.truth(10, set(case.ids.tolist()) - gone))
    assert len(index) == case.kind.n - len(gone)
    assert index.ids().tolist() == sorted(set(case.ids.tolist()) - gone)


def test_removing_what_is_not_there_changes_nothing(case: Case) -> None:
    index = case.index.clone()
    index.remove(np.array([999_999, 2]))
    index.remove(NONE)
    assert len(index) == case.kind.n
    assert [pairs(h) for h in index.search(case.queries, 5)] == [pairs(h) for h in case.index.search(case.queries, 5)]


def test_removing_everything_leaves_an_empty_index(case: Case) -> None:
    index = case.index.clone()
    index.remove(case.ids)
    assert len(index) == len(index.ids()) == 0
    assert [len(hits) for hits in index.search(case.queries, 10)] == [0] * QUERIES


def test_only_allowed_ids_are_found(case: Case) -> None:
    allowed = np.random.default_rng(3).choice(case.ids, case.kind.n // 5, replace=False)
    wanted = set(allowed.tolist())
    found = case.index.search(case.queries, 10, allowed=allowed)
    assert {int(i) for hits in found for i in hits.ids} <= wanted
    assert_agrees(case.kind, found, case.truth(10, wanted))


def test_a_filter_that_lets_few_through_finds_every_one_of_them(case: Case) -> None:
    wanted = set(np.random.default_rng(4).choice(case.ids, 5, replace=False).tolist())
    found = case.index.search(case.queries, 10, allowed=np.array(sorted(wanted)))
    assert [set(hits.ids.tolist()) for hits in found] == [wanted] * QUERIES
    if case.kind.recall == 1.0:
        assert_agrees(case.kind, found, case.truth(10, wanted))


def test_nothing_allowed_nothing_found(case: Case) -> None:
    assert [len(hits) for hits in case.index.search(case.queries, 10, allowed=NONE)] == [0] * QUERIES


def test_allowing_what_is_not_there_finds_nothing(case: Case) -> None:
    index = case.index.clone()
    index.remove(case.ids[:1])
    allowed = np.array([2, 999_999, int(case.ids[0])])
    assert [len(hits) for hits in index.search(case.queries, 10, allowed=allowed)] == [0] * QUERIES


def test_a_saved_index_answers_the_same(case: Case, tmp_path: Path) -> None:
    index = case.index.clone()
    index.remove(case.ids[::10])
    index.save(tmp_path)
    loaded = case.kind.load(tmp_path)
    assert loaded.ids().tolist() == index.ids().tolist()
    assert [pairs(h) for h in loaded.search(case.queries, 10)] == [pairs(h) for h in index.search(case.queries, 10)]
    assert loaded.needs_rebuild() == index.needs_rebuild()


def test_a_clone_and_its_original_do_not_see_each_others_changes(case: Case) -> None:
    first, second = case.index.clone(), case.index.clone()
    first.add(np.array([800_001]), case.vectors[:1])
    second.remove(case.ids[:2])
    assert (len(first), len(second), len(case.index)) == (case.kind.n + 1, case.kind.n - 2, case.kind.n)
    assert 800_001 in first.ids()
    assert 800_001 not in second.ids()
    assert set(case.ids[:2].tolist()) <= set(first.ids().tolist())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_empty_index_answers_with_nothing(kind: Kind, tmp_path: Path) -> None:
    index = kind.empty()
    index.remove(np.array([1]))
    index.add(NONE, np.empty((0, kind.dimension), dtype=np.float32))
    index.save(tmp_path)
    queries = np.ones((2, kind.dimension), dtype=np.float32)
    for each in (index, index.clone(), kind.load(tmp_path)):
        assert len(each) == len(each.ids()) == 0
        assert [len(hits) for hits in each.search(queries, 10)] == [0, 0]
        assert [len(hits) for hits in each.search(queries, 10, allowed=np.array([1]))] == [0, 0]
        assert not each.needs_rebuild()


@pytest.mark.parametrize("kind", [k for k in KINDS if k.recall == 1.0], ids=lambda kind: kind.name)
@pytest.mark.parametrize("k", [1, 10, 99, 100, 250])
def test_a_cut_through_equal_scores_keeps_the_lowest_ids(kind: Kind, k: int) -> None:
    vectors = np.ones((300, kind.dimension), dtype=np.float32)
    index = kind.build(np.arange(1, 301), vectors)
    assert index.search(vectors[:1], k)[0].ids.tolist() == list(range(1, k + 1))


LATE = [
    pytest.param(FaissOptions("ivf", nlist=4), 39 * 4, id="ivf"),
    pytest.param(FaissOptions("sq", sq_bits=8), 1000, id="sq8"),
]


@pytest.mark.parametrize(("options", "needed"), LATE)
def test_too_few_vectors_to_train_on_are_searched_exactly(options: FaissOptions, needed: int) -> None:
    rng = np.random.default_rng(5)
    vectors, ids = exact_in_half(rng, (needed, 16)), np.arange(1, needed + 1)
    index = FaissIndex.build(16, options, ids[:-1], vectors[:-1])
    assert (index.built_type, index.needs_rebuild()) == ("flat", False)
    oracle = NumpyIndex(16)
    oracle.add(ids[:-1], vectors[:-1])
    queries = exact_in_half(rng, (5, 16))
    assert [pairs(h) for h in index.search(queries, 10)] == [pairs(h) for h in oracle.search(queries, 10)]

    index.add(ids[-1:], vectors[-1:])
    assert index.needs_rebuild()
    rebuilt = FaissIndex.build(16, options, ids, vectors)
    assert (rebuilt.built_type, rebuilt.needs_rebuild()) == (options.type, False)


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_many_tombstones_ask_for_a_rebuild(kind: str) -> None:
    ids = np.arange(1, 101)
    index = FaissIndex.build(16, FaissOptions(kind), ids, exact_in_half(np.random.default_rng(6), (100, 16)))
    index.remove(ids[:20])
    assert not index.needs_rebuild()
    index.remove(ids[:21])
    assert index.needs_rebuild()


def test_search_time_knobs_are_taken_at_load(tmp_path: Path) -> None:
    vectors = exact_in_half(np.random.default_rng(7), (400, 16))
    FaissIndex.build(16, FaissOptions("ivf", nlist=8, nprobe=1), np.arange(400), vectors).save(tmp_path)
    narrow = FaissIndex.load(tmp_path, FaissOptions("ivf", nlist=8, nprobe=1))
    wide = FaissIndex.load(tmp_path, FaissOptions("ivf", nlist=8, nprobe=8))
    assert len(narrow.search(vectors[:1], 400)[0]) < len(wide.search(vectors[:1], 400)[0]) == 400


@pytest.mark.parametrize("kind", ["pq", "ivfpq"])
def test_pq_m_must_divide_the_dimension(kind: str) -> None:
    with pytest.raises(ValueError, match="pq_m is 5, which does not divide the dimension 16"):
        FaissIndex(16, FaissOptions(kind, pq_m=5))


@pytest.mark.parametrize("kind", ["pq", "ivfpq"])
def test_no_time_is_spent_on_training_that_no_search_uses(kind: str) -> None:
    vectors = exact_in_half(np.random.default_rng(8), (9984, 4))
    index = FaissIndex.build(4, FaissOptions(kind, pq_m=1, nlist=4), np.arange(len(vectors)), vectors)
    assert index.built_type == kind
    assert not index.inner.do_polysemous_training


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'hsnw'.*" + ", ".join(DENSE_TYPES)):
        FaissOptions("hsnw")


@pytest.mark.parametrize("bits", [0, 5, 32])
def test_unknown_scalar_bits_are_refused(bits: int) -> None:
    with pytest.raises(ValueError, match=f"sq_bits is {bits}"):
        FaissOptions("sq", sq_bits=bits)


@pytest.mark.parametrize(
    ("options", "reused"),
    [
        (FaissOptions(), True),
        (FaissOptions(ef_search=7, nprobe=3), True),
        (FaissOptions("hnsw"), False),
        (FaissOptions(hnsw_m=16), False),
    ],
)
def test_only_an_index_of_the_same_build_is_reused(tmp_path: Path, options: FaissOptions, reused: bool) -> None:
    index = new_index(tmp_path)
    put(index.store, document("a", "one", "two"))
    index.sync()
    published = Index.open(tmp_path, options=options).published()
    assert (published["dense"] is not None) is reused
    assert published["lexical"] is not None


def test_an_index_of_other_languages_is_not_reused(tmp_path: Path) -> None:
    index = new_index(tmp_path)
    put(index.store, document("a", "one"))
    index.sync()
    published = Index.open(tmp_path, languages=("german",)).published()
    assert published["lexical"] is None
    assert published["dense"] is not None
