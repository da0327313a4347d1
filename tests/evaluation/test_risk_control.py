"""A threshold with a guarantee: bounds against scipy, the guarantee in a simulation, and what cannot be promised."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom

from eval.errors import EvalError
from eval.risk_control import answers_needed, control_wrong, guarantee, shown_wrong
from eval.statistics import binomial_cdf, clopper_pearson_upper


@given(st.integers(1, 3000), st.floats(0, 1), st.floats(0.001, 0.999))
def test_the_binomial_distribution_is_that_of_scipy(n: int, part: float, p: float) -> None:
    k = round(part * n)
    assert binomial_cdf(k, n, p) == pytest.approx(float(binom.cdf(k, n, p)), abs=1e-9)
    assert [binomial_cdf(k, n, edge) for edge in (0.0, 1.0)] == [1.0, float(k == n)]


@given(st.integers(1, 2000), st.floats(0, 1), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_upper_bound_is_clopper_and_pearson_s(n: int, part: float, level: float) -> None:
    k = round(part * n)
    expected = 1.0 if k == n else float(beta.ppf(level, k + 1, n - k))
    assert clopper_pearson_upper(k, n, level) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("k", "n", "level"), [(0, 0, 0.95), (3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0), (1, 2, 0.0)])
def test_no_share_has_no_bound(k: int, n: int, level: float) -> None:
    with pytest.raises(ValueError, match="is not a share"):
        clopper_pearson_upper(k, n, level)


@pytest.mark.parametrize(("k", "n", "p"), [(-1, 2, 0.5), (3, 2, 0.5), (1, 2, 1.5)])
def test_no_trials_have_no_distribution(k: int, n: int, p: float) -> None:
    with pytest.raises(ValueError, match="not possible"):
        binomial_cdf(k, n, p)


@pytest.mark.parametrize(
    ("max_wrong", "sure", "n"), [(0.05, 0.95, 59), (0.1, 0.95, 29), (0.01, 0.99, 459), (0.5, 0.5, 1)]
)
def test_the_answers_that_prove_a_share_without_an_error(max_wrong: float, sure: float, n: int) -> None:
    assert answers_needed(max_wrong, sure) == n
    assert (1 - max_wrong) ** n <= 1 - sure < (1 - max_wrong) ** (n - 1)


def simulated(rng: np.random.Generator, n: int, worst: float) -> tuple[np.ndarray, np.ndarray]:
    """Return answers with a uniform confidence c that are wrong with probability ``worst * (1 - c)``."""
    confidence = rng.random(n)
    return confidence, rng.random(n) < worst * (1 - confidence)


@pytest.mark.parametrize("n", [100, 400])
@pytest.mark.parametrize("worst", [0.11, 0.3])
def test_the_guarantee_holds_although_the_threshold_is_chosen(n: int, worst: float) -> None:
    """Above a threshold t the true share of wrong answers is ``worst * (1 - t) / 2``."""
    rng = np.random.default_rng(n)
    runs, broken, given_one = 1000, 0, 0
    for _ in range(runs):
        threshold = control_wrong(*simulated(rng, n, worst), max_wrong=0.05, sure=0.9)
        if threshold is not None:
            given_one += 1
            broken += worst * (1 - threshold) / 2 > 0.05
    # At most 10 % of the runs may break it; three standard errors of 1,000 runs are 2.8 %.
    assert broken / runs <= 0.1 + 3 * math.sqrt(0.1 * 0.9 / runs)
    assert given_one > 0


def test_the_lowest_threshold_by_the_observed_share_breaks_it() -> None:
    """The simulation can tell: without a bound, the threshold is too low in most runs."""
    rng, worst, broken = np.random.default_rng(5), 0.3, 0
    for _ in range(300):
        confidence, wrong = simulated(rng, 400, worst)
        shares = {t: wrong[confidence >= t].mean() for t in np.arange(0.0, 0.95, 0.01)}
        passed = [t for t, share in shares.items() if share <= 0.05]
        broken += bool(passed) and worst * (1 - min(passed)) / 2 > 0.05
    assert broken / 300 > 0.5


def test_the_threshold_is_the_lowest_one_of_an_unbroken_sequence() -> None:
    confidence = np.repeat([0.95, 0.85, 0.75, 0.65], 100)
    wrong = np.zeros(400, dtype=bool)
    assert control_wrong(confidence, wrong, max_wrong=0.05, sure=0.95) == 0.0
    wrong[100:140] = True  # of the second hundred, so that no later threshold is reached
    assert control_wrong(confidence, wrong, max_wrong=0.05, sure=0.95) == 0.86
    wrong[:100] = True
    assert control_wrong(confidence, wrong, max_wrong=0.05, sure=0.95) is None
    with pytest.raises(ValueError, match="same length"):
        control_wrong([0.5], [True, False], max_wrong=0.05, sure=0.95)


def row(number: int, *, wrong: bool = False, confidence: float = 0.9, **changes: Any) -> dict[str, Any]:
    return {"id": f"q{number}", "abstained": False, "em": float(not wrong), "confidence": confidence,
        "impossible": False, "verdict": None, **changes}  # fmt: skip


def test_the_report_of_a_run_with_abstentions_and_small_talk() -> None:
    rows = [row(n) for n in range(100)] + [row(n, wrong=True, confidence=0.3) for n in range(100, 120)]
    rows += [row(200, abstained=True, em=1.0), row(201, em=None)]
    found = guarantee(rows, max_wrong=0.05, sure=0.95)
    assert found.threshold == 0.31
    assert (found.questions, found.answers, found.wrong_before, found.shown, found.wrong) == (121, 120, 20, 100, 0)
    assert found.upper == pytest.approx(1 - 0.05 ** (1 / 100))
    assert found.upper_before == pytest.approx(float(beta.ppf(0.95, 21, 100)))


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"em": 1.0}, False), ({"em": 0.0}, True), ({"em": 0.0, "verdict": "right"}, False),
        ({"em": 0.0, "verdict": "partly"}, False), ({"em": 1.0, "verdict": "wrong"}, True), ({"em": None}, None),
        ({"abstained": True}, None),
    ],
)  # fmt: skip
def test_an_answer_is_wrong_by_its_verdict_or_else_if_it_is_no_exact_match(
    changes: dict[str, Any], wrong: bool | None
) -> None:
    assert shown_wrong(row(1, **changes)) is wrong


def refusal(rows: list[dict[str, Any]], max_wrong: float = 0.05) -> tuple[str, str]:
    with pytest.raises(EvalError) as caught:
        guarantee(rows, max_wrong=max_wrong, sure=0.95)
    return caught.value.message, caught.value.remedy


def test_too_few_answers_are_said_with_what_they_allow() -> None:
    message, remedy = refusal(
        [row(n, wrong=n < 3) for n in range(30)] + [row(n, abstained=True) for n in range(30, 60)]
    )
    assert "5 % wrong with a certainty of 95 % needs at least 59 answers, none of them wrong" in message
    assert f"at most {100 * beta.ppf(0.95, 4, 27):.1f} % of its answers are wrong (3 of 30 were)" in message
    assert "about 118 questions" in remedy


def test_a_share_that_more_questions_would_prove() -> None:
    message, remedy = refusal([row(n, wrong=n < 2) for n in range(80)])
    assert "of the 80 surest answers 2 were wrong" in message
    needed = int(re.search(r"about (\d+) questions", remedy)[1])  # type: ignore[index]
    assert binom.cdf(math.ceil(needed / 40), needed, 0.05) <= 0.05
    lowest = int(re.search(r"--max-wrong (\d+)%", remedy)[1]) / 100  # type: ignore[index]
    assert guarantee([row(n, wrong=n < 2) for n in range(80)], max_wrong=lowest, sure=0.95).threshold == 0.0


def test_answers_that_no_number_of_questions_would_prove() -> None:
    message, remedy = refusal([row(n, wrong=n % 2 == 0) for n in range(100)])
    assert "of the 100 surest answers 50 were wrong" in message
    assert remedy.startswith("allow a greater share: --max-wrong 5")
    assert refusal([row(n, wrong=True) for n in range(100)])[1] == "improve the answers"


def test_a_run_without_answers_and_shares_that_are_none() -> None:
    assert "shows no answer" in refusal([row(1, abstained=True)])[0]
    for share in (0.0, 1.0):
        assert "can be promised" in refusal([row(1)], max_wrong=share)[0]
