"""Fusion formulas against hand computation, and what must not change a ranking."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieval.fusion import Array, ranks, reciprocal_rank, zscore_sum

NAN = float("nan")


def scores(*values: float) -> Array:
    return np.array(values, dtype=np.float64)


def test_zscore_sum_by_hand() -> None:
    # mean 2, population standard deviation sqrt(2/3); mean 20, sqrt(200/3)
    got = zscore_sum(scores(1, 2, 3), scores(30, 10, 20), 0.25)
    z = 1 / np.sqrt(2 / 3)
    assert got == pytest.approx([0.25 * -z + 0.75 * z, 0.25 * 0 + 0.75 * -z, 0.25 * z + 0.75 * 0])


def test_a_candidate_that_a_retriever_did_not_return_gets_its_least_score() -> None:
    # Known 1 and 3: mean 2, deviation 1; the missing one counts as 1.
    assert zscore_sum(scores(1, NAN, 3), scores(NAN, NAN, NAN), 1.0) == pytest.approx([-1, -1, 1])


def test_a_retriever_without_hits_adds_nothing() -> None:
    assert zscore_sum(scores(NAN, NAN), scores(1, 3), 0.5) == pytest.approx([-0.5, 0.5])
    assert zscore_sum(scores(), scores(), 0.5).shape == (0,)


@pytest.mark.parametrize("value", [0.0, 0.5, 0.1, 0.7, 1e-9, 1e9])
def test_equal_scores_say_nothing(value: float) -> None:
    assert zscore_sum(np.full(3, value), scores(1, 2, 3), 1.0) == pytest.approx([0, 0, 0])


@pytest.mark.parametrize(("weight", "best"), [(0.0, 1), (1.0, 0)])
def test_the_weight_chooses_between_the_retrievers(weight: float, best: int) -> None:
    for fuse in (zscore_sum, reciprocal_rank):
        assert int(np.argmax(fuse(scores(9, 1, 5), scores(1, 9, 5), weight))) == best


def test_reciprocal_rank_by_hand() -> None:
    got = reciprocal_rank(scores(0.9, NAN, 0.5), scores(7, 8, NAN), 0.5, k=60)
    assert got == pytest.approx([1 / 61 + 1 / 62, 1 / 61, 1 / 62])
    weighted = reciprocal_rank(scores(0.9, NAN), scores(7, 8), 0.8, k=10)
    assert weighted == pytest.approx([1.6 / 11 + 0.4 / 12, 0.4 / 11])


def test_ranks_count_from_one_and_leave_the_missing_at_zero() -> None:
    assert ranks(scores(0.2, NAN, 0.9, 0.2)).tolist() == [2, 0, 1, 3]
    assert ranks(scores(NAN)).tolist() == [0]


_COLUMN = st.lists(st.integers(-1000, 1000).map(float) | st.just(NAN), min_size=8, max_size=8)


@given(dense=_COLUMN, lexical=_COLUMN, factor=st.sampled_from([0.25, 0.5, 3.0, 17.0]), shift=st.integers(-500, 500))
def test_zscore_sum_does_not_see_the_scale_of_a_retriever(
    dense: list[float], lexical: list[float], factor: float, shift: int
) -> None:
    plain = zscore_sum(scores(*dense), scores(*lexical), 0.4)
    assert zscore_sum(scores(*dense) * factor + shift, scores(*lexical), 0.4) == pytest.approx(plain, abs=1e-6)
    assert zscore_sum(scores(*dense), scores(*lexical) * factor + shift, 0.4) == pytest.approx(plain, abs=1e-6)


@given(dense=_COLUMN, lexical=_COLUMN, order=st.permutations(range(8)))
def test_zscore_sum_does_not_see_the_order_of_the_candidates(
    dense: list[float], lexical: list[float], order: list[int]
) -> None:
    plain = zscore_sum(scores(*dense), scores(*lexical), 0.4)
    shuffled = zscore_sum(scores(*dense)[order], scores(*lexical)[order], 0.4)
    assert shuffled == pytest.approx(plain[order], abs=1e-6)


@given(dense=_COLUMN, lexical=_COLUMN)
def test_reciprocal_rank_sees_only_ranks(dense: list[float], lexical: list[float]) -> None:
    plain = reciprocal_rank(scores(*dense), scores(*lexical), 0.5)
    assert (reciprocal_rank(scores(*dense) ** 3, np.exp(scores(*lexical) / 100), 0.5) == plain).all()
