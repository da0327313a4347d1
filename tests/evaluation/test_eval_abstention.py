"""Abstention: curves and rates against scikit-learn, and thresholds that hold what they promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

from eval.abstention import _halves, auroc, calibrate, no_answer_rates, risk_coverage
from eval.errors import EvalError

PAIRS = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=40)


@given(PAIRS)
def test_auroc_equals_scikit_learn(pairs: list[tuple[int, bool]]) -> None:
    scores, labels = [score for score, _ in pairs], [label for _, label in pairs]
    found = auroc(scores, labels)
    if len(set(labels)) < 2:
        assert found is None
    else:
        assert found == pytest.approx(roc_auc_score(labels, scores))


def test_auroc_of_empty_and_of_invalid_arrays() -> None:
    assert auroc([], []) is None
    with pytest.raises(ValueError, match="NaN"):
        auroc([float("nan"), 1.0], [True, False])
    with pytest.raises(ValueError, match="same length"):
        auroc([1.0], [True, False])


@given(PAIRS, st.randoms(use_true_random=False))
def test_the_curve_has_the_risk_of_each_threshold(pairs: list[tuple[int, bool]], chance: Any) -> None:
    coverage, risk = risk_coverage([c for c, _ in pairs], [r for _, r in pairs])
    for place, threshold in enumerate(sorted({c for c, _ in pairs}, reverse=True)):
        answered = [right for confidence, right in pairs if confidence >= threshold]
        assert coverage[place] == pytest.approx(len(answered) / len(pairs))
        assert risk[place] == pytest.approx(1 - sum(answered) / len(answered))
    assert coverage[-1] == 1.0
    shuffled = list(pairs)
    chance.shuffle(shuffled)
    again, risk_again = risk_coverage([c for c, _ in shuffled], [r for _, r in shuffled])
    assert (again == coverage).all() and risk_again == pytest.approx(risk)


def test_the_curve_of_three_questions_and_of_none() -> None:
    # Answered in the order 0.9 right, 0.8 wrong, 0.1 right.
    coverage, risk = risk_coverage([0.1, 0.9, 0.8], [1, 1, 0])
    assert coverage == pytest.approx([1 / 3, 2 / 3, 1]) and risk == pytest.approx([0, 1 / 2, 1 / 3])
    coverage, risk = risk_coverage([], [])
    assert len(coverage) == len(risk) == 0


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_rates_equal_scikit_learn(pairs: list[tuple[bool, bool]]) -> None:
    abstained, impossible = [a for a, _ in pairs], [i for _, i in pairs]
    found = no_answer_rates(abstained, impossible)
    precision, recall, f1, _ = precision_recall_fscore_support(
        impossible, abstained, average="binary", pos_label=True, zero_division=0
    )
    assert found["precision"] == (pytest.approx(precision) if any(abstained) else None)
    assert found["recall"] == (pytest.approx(recall) if any(impossible) else None)
    assert found["f1"] == (pytest.approx(f1) if any(abstained) and any(impossible) else None)
    assert found["false_answer_rate"] == (pytest.approx(1 - recall) if any(impossible) else None)


def rows_of(n: int, seed: int = 0) -> list[dict[str, Any]]:
    """Half of the questions unanswerable, with a lower confidence; one answer in ten is withheld already."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        impossible = number % 2 == 0
        abstained = bool(rng.random() < 0.1)
        right = float(abstained) if impossible else float(not abstained and rng.random() < 0.7)
        confidence = float(np.clip(rng.normal(0.4 if impossible else 0.6, 0.15), 0, 1))
        rows.append({"id": f"q{number}", "impossible": impossible, "abstained": abstained, "em": right, "f1": right,
            "confidence": confidence})  # fmt: skip
    return rows


@pytest.mark.parametrize("share", [0.0, 0.05, 0.29, 0.5])
def test_the_threshold_holds_on_the_half_it_was_not_fitted_on(share: float) -> None:
    found = calibrate(rows_of(4000), max_false_answer=share, seed=1)
    assert found.fitted_on == found.reported_on == 2000
    assert found.false_answer_low <= found.false_answer_rate <= found.false_answer_high
    assert found.false_answer_rate == pytest.approx(share, abs=0.03)
    assert found.false_answer_rate <= found.false_answer_rate_before
    assert found.coverage is not None
    assert found.coverage_before is not None
    assert found.coverage <= found.coverage_before
    assert found.em > found.em_before or share == 0.0


def test_the_threshold_is_the_lowest_within_the_share() -> None:
    rows = rows_of(400)
    # On 2 unanswerable questions of equal confidence both or neither are answered: ties cannot be split.
    tied = [{**row, "confidence": 0.5 if row["impossible"] else 0.5 + number / 1000, "abstained": False}
        for number, row in enumerate(rows)]  # fmt: skip
    found = calibrate(tied, max_false_answer=0.4, seed=0)
    assert 0.5 < found.threshold < 0.52
    assert found.false_answer_rate == 0.0
    assert found.coverage == pytest.approx(1.0, abs=0.05)


def test_everything_allowed_means_no_threshold() -> None:
    found = calibrate(rows_of(40), max_false_answer=1.0, seed=0)
    assert found.threshold == 0.0
    assert (found.em, found.f1, found.coverage) == (found.em_before, found.f1_before, found.coverage_before)


def test_the_seed_draws_the_halves() -> None:
    rows = rows_of(200)
    first = calibrate(rows, max_false_answer=0.1, seed=0)
    assert first == calibrate(rows[::-1], max_false_answer=0.1, seed=0)
    assert first != calibrate(rows, max_false_answer=0.1, seed=1)


def test_only_unanswerable_questions_have_no_coverage() -> None:
    rows = [row for row in rows_of(40) if row["impossible"]]
    assert calibrate(rows, max_false_answer=0.1, seed=0).coverage is None


def test_no_threshold_withholds_full_confidence() -> None:
    rows = [{**row, "confidence": 1.0, "abstained": False} for row in rows_of(40)]
    with pytest.raises(EvalError, match="full confidence"):
        calibrate(rows, max_false_answer=0.1, seed=0)


def test_no_rows_are_refused() -> None:
    with pytest.raises(EvalError, match="no rows"):
        calibrate([], max_false_answer=0.1, seed=0)


def test_no_unanswerable_question_is_refused() -> None:
    with pytest.raises(EvalError, match="0 unanswerable"):
        calibrate([row for row in rows_of(40) if not row["impossible"]], max_false_answer=0.1, seed=0)


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(EvalError, match="share"):
        calibrate(rows_of(4), max_false_answer=share, seed=0)


@pytest.mark.parametrize("value", [float("nan"), None])
def test_a_row_without_a_number_is_refused(value: float | None) -> None:
    rows = rows_of(40)
    rows[7]["em"] = rows[12]["em"] = value
    with pytest.raises(EvalError, match=r"em of the question 'q\d+'"):
        calibrate(rows, max_false_answer=0.1, seed=0)


@given(
    st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.booleans(), st.booleans()), min_size=8, max_size=40).filter(
        lambda rows: sum(row[1] for row in rows) >= 2
    )
)
def test_the_best_threshold_equals_brute_force(rows: list[tuple[int, bool, bool, bool]]) -> None:
    rows = [
        {
            "id": str(n),
            "confidence": c / 8,
            "impossible": imp,
            "abstained": silent,
            "f1": 0.0,
            "em": float(imp if silent else right and not imp),
        }
        for n, (c, imp, right, silent) in enumerate(rows)
    ]
    fitted = calibrate(rows, max_false_answer=None, seed=0)
    half = _halves(rows, 0)[0]

    def exact(threshold: float) -> float:
        return sum(r["em"] if r["abstained"] or r["confidence"] >= threshold else float(r["impossible"]) for r in half)

    assert exact(fitted.threshold) == max(exact(t / 16) for t in range(17))
    assert fitted.max_false_answer is None and fitted.em_low <= fitted.em <= fitted.em_high
