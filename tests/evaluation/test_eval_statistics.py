"""Intervals, the paired bootstrap and McNemar against scipy and against planted differences."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from eval.statistics import (
    bootstrap_mean,
    bootstrap_means,
    mcnemar,
    paired_bootstrap,
    paired_bootstrap_of_shares,
    percentile,
    wilson,
)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.integers(0, 5))
def test_an_interval_holds_its_mean_and_stays_within_the_values(values: list[float], seed: int) -> None:
    found = bootstrap_mean(values, samples=200, seed=seed)
    assert found.mean == pytest.approx(float(np.mean(values)), abs=1e-6)
    assert min(values) - 1e-6 <= found.low <= found.high <= max(values) + 1e-6
    assert found.n == len(values)
    assert found == bootstrap_mean(values, samples=200, seed=seed)


@pytest.mark.parametrize("values", [[0.1], [0.1] * 7, [1 / 3] * 1000])
def test_one_value_only_has_no_width(values: list[float]) -> None:
    found = bootstrap_mean(values)
    assert found.low == found.mean == found.high == values[0]
    assert asdict(found) == {"mean": values[0], "low": values[0], "high": values[0], "n": len(values)}


def test_the_width_is_that_of_the_normal_approximation() -> None:
    values = np.random.default_rng(3).normal(5, 2, 4000)
    found = bootstrap_mean(values, samples=4000)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert found.high - found.low == pytest.approx(2 * half, rel=0.05)
    narrow = bootstrap_mean(values, samples=4000, level=0.5)
    assert found.low < narrow.low < narrow.high < found.high


def test_columns_share_their_draws() -> None:
    values = np.random.default_rng(0).random(50)
    found = bootstrap_means({"x": values, "twice": 2 * values}, seed=4)
    assert found["twice"].low == pytest.approx(2 * found["x"].low)
    assert found["x"].high == pytest.approx(bootstrap_mean(values, seed=4).high)
    assert bootstrap_means({}) == {}


@pytest.mark.parametrize("bad", [[], [float("nan")], [1.0, float("inf")], [[1.0], [2.0]]])
def test_values_without_a_mean_are_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="column"):
        bootstrap_mean(bad)
    with pytest.raises(ValueError, match="x"):
        paired_bootstrap({"x": bad}, {"x": bad})


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="bootstrap sample"):
        bootstrap_mean([1.0, 2.0], samples=0)
    with pytest.raises(ValueError, match="level"):
        bootstrap_mean([1.0], level=95)
    with pytest.raises(ValueError, match="lengths"):
        bootstrap_means({"x": [1.0], "y": [1.0, 2.0]})
    with pytest.raises(ValueError, match="columns"):
        paired_bootstrap({"x": [1.0]}, {"y": [1.0]})
    with pytest.raises(ValueError, match="1 and 2"):
        paired_bootstrap({"x": [1.0]}, {"x": [1.0, 2.0]})


def test_the_paired_interval_covers_the_true_difference() -> None:
    rng = np.random.default_rng(7)
    covered = refused = 0
    for trial in range(300):
        hardness = rng.normal(0, 3, 80)  # shared by both systems: what makes pairing worth while
        a, b = hardness + rng.normal(0, 1, 80), hardness + rng.normal(0.2, 1, 80)
        found = paired_bootstrap({"m": a}, {"m": b}, samples=400, seed=trial)["m"]
        covered += found.low <= 0.2 <= found.high
        null = paired_bootstrap({"m": a}, {"m": b - 0.2}, samples=400, seed=trial)["m"]
        refused += null.p < 0.05
    assert 0.90 <= covered / 300 <= 0.98
    assert 0.01 <= refused / 300 <= 0.10


def test_pairing_is_by_question() -> None:
    a = np.random.default_rng(1).normal(0, 10, 400)
    found = paired_bootstrap({"m": a}, {"m": a - 0.1 + np.linspace(-0.2, 0.2, 400)})["m"]
    assert found.high < 0
    assert found.p < 0.001


def test_identical_columns_do_not_differ_and_constant_ones_do() -> None:
    values = np.random.default_rng(0).random(100)
    same = paired_bootstrap({"m": values}, {"m": values})["m"]
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)
    shifted = paired_bootstrap({"m": np.zeros(10)}, {"m": np.ones(10)})["m"]
    assert (shifted.difference, shifted.low, shifted.high, shifted.p) == (1, 1, 1, 2 * 0.5**10)


def test_swapping_the_sides_turns_the_difference() -> None:
    rng = np.random.default_rng(5)
    a, b = {"m": rng.random(200)}, {"m": rng.random(200)}
    there, back = paired_bootstrap(a, b)["m"], paired_bootstrap(b, a)["m"]
    assert (there.difference, there.p) == (-back.difference, back.p)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 20))
def test_mcnemar_is_the_exact_binomial_test(only_a: int, only_b: int, both: int) -> None:
    a = [True] * only_a + [False] * only_b + [True] * both
    b = [False] * only_a + [True] * only_b + [True] * both
    found = mcnemar(a, b)
    expected = binomtest(only_a, only_a + only_b, 0.5).pvalue if only_a + only_b else 1.0
    assert (found.only_a, found.only_b) == (only_a, only_b)
    assert found.p == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_thousands_is_finite_and_of_unlike_lengths_refused() -> None:
    found = mcnemar([True] * 8000 + [False] * 2000, [False] * 8000 + [True] * 2000)
    assert 0 <= found.p < 1e-300
    with pytest.raises(ValueError, match="shapes"):
        mcnemar([True], [True, False])


@given(st.integers(1, 500), st.data())
def test_the_score_interval_equals_scipy(n: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, n))
    found = wilson(successes, n)
    expected = binomtest(successes, n).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert found.low <= found.mean <= found.high


def test_invalid_shares_are_refused() -> None:
    for successes, n in ((0, 0), (2, 1), (-1, 3)):
        with pytest.raises(ValueError, match="not a share"):
            wilson(successes, n)


def test_percentiles_equal_numpy() -> None:
    assert percentile([4.0, 1.0, 2.0], 50) == 2.0
    assert percentile([0.0, 1.0], 95) == pytest.approx(0.95)
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_shares_that_all_have_are_compared_as_means() -> None:
    rng = np.random.default_rng(2)
    a, b = (rng.random(80) < share for share in (0.3, 0.5))
    found = paired_bootstrap_of_shares(a, b, seed=3)
    assert found is not None
    assert asdict(found) == pytest.approx(asdict(paired_bootstrap({"x": a}, {"x": b}, seed=3)["x"]))


@given(st.lists(st.tuples(*[st.sampled_from([0.0, 1.0, float("nan")])] * 2), min_size=1, max_size=30))
def test_shares_are_means_over_the_answers_of_each_side(pairs: list[tuple[float, float]]) -> None:
    a, b = ([side for side in column if side == side] for column in zip(*pairs, strict=True))
    found = paired_bootstrap_of_shares(*zip(*pairs, strict=True), samples=200)
    if not a or not b:
        assert found is None
        return
    if found is None:  # no resample had an answer on both sides
        return
    assert (found.mean_a, found.mean_b) == (pytest.approx(np.mean(a)), pytest.approx(np.mean(b)))
    assert found.n == sum(one == one or other == other for one, other in pairs)
    assert found.low <= found.high and 0 < found.p <= 1


def test_shares_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="shapes"):
        paired_bootstrap_of_shares([1.0], [1.0, 0.0])
