"""Comparing runs: a planted regression is found, two identical runs are not, unlike runs are refused."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from eval.comparison import compare, to_markdown
from eval.errors import EvalError
from eval.runs import RunData


def run_of(
    name: str, n: int = 400, *, right: float = 0.6, seed: int = 0, start: int = 0, sha256: str = "d1" * 32
) -> RunData:
    """A run in which the share ``right`` of the questions is answered; the same questions are hard in every run."""
    hardness = np.random.default_rng(0).random(n + start)
    noise = np.random.default_rng(seed).normal(0, 0.02, n + start)
    rows = []
    for number in range(start, n + start):
        em = float(hardness[number] + noise[number] < right)
        rows.append({"id": f"q{number}", "question": f"Question {number}?", "answers": ["gold"],
            "prediction": "gold" if em else "other", "em": em, "f1": max(em, 0.25), "contains": em,
            "latency_s": 0.1 + float(hardness[number]), "retrieval": {"ndcg@10": em, "recall@5": em}})  # fmt: skip
    return RunData({"name": name, "dataset": {"name": "dev", "sha256": sha256}}, rows)


def changed(run: RunData, **values: Any) -> RunData:
    return RunData(run.manifest, [{**row, **values} for row in run.rows])


def test_a_planted_regression_is_found() -> None:
    found = compare(run_of("good"), run_of("bad", right=0.5, seed=1))
    assert found.worse == ["em", "f1", "ndcg@10"]
    assert found.differences["em"].difference == pytest.approx(-10, abs=3)  # percent
    assert found.differences["ndcg@10"].difference == pytest.approx(-0.1, abs=0.03)
    assert found.mcnemar is not None
    assert found.mcnemar.only_a > found.mcnemar.only_b
    assert found.mcnemar.p < 0.01
    assert found.losses > found.wins
    assert found.wins + found.ties + found.losses == found.n == 400
    text = to_markdown(found)
    assert "b is significantly worse in em, f1, ndcg@10." in text
    assert f"| em | 400 | {found.differences['em'].mean_a:.1f} | " in text


def test_the_same_change_the_other_way_round_is_better_and_fails_nothing() -> None:
    found = compare(run_of("bad", right=0.5, seed=1), run_of("good"))
    assert found.worse == []
    assert "b is significantly better in em, f1, ndcg@10." in to_markdown(found)


def test_two_identical_runs_do_not_differ() -> None:
    found = compare(run_of("a"), run_of("b"))
    assert found.worse == found.flipped == found.not_compared == []
    assert (found.wins, found.ties, found.losses) == (0, 400, 0)
    assert all((d.difference, d.low, d.high, d.p) == (0, 0, 0, 1) for d in found.differences.values())
    assert "There is no significant difference in em, f1, ndcg@10." in to_markdown(found)


def test_noise_is_called_no_significant_difference() -> None:
    found = compare(run_of("a", seed=1), run_of("b", seed=2))
    assert found.flipped
    assert found.worse == []
    assert "no significant difference" in to_markdown(found)


def test_latency_never_fails_a_comparison() -> None:
    slow = run_of("slow")
    slow = RunData(slow.manifest, [{**row, "latency_s": 9 * row["latency_s"]} for row in slow.rows])
    found = compare(run_of("a"), slow)
    assert found.differences["latency_s"].low > 0
    assert found.worse == []
    assert "| slower |" in to_markdown(found)


def test_flipped_questions_show_both_answers() -> None:
    a, b = run_of("a"), run_of("b")
    row = next(row for row in b.rows if row["em"])
    row.update(em=0.0, f1=0.0, prediction="wrong now")
    assert compare(a, b).flipped == [
        {"id": row["id"], "question": row["question"], "a": "gold", "b": "wrong now", "golds": ["gold"], "better": "a"}
    ]
    assert compare(b, a).flipped[0]["better"] == "b"


def test_the_common_questions_are_compared_whatever_their_order() -> None:
    a, b = run_of("a", 100), run_of("b", 60, start=80)
    found = compare(a, RunData(b.manifest, b.rows[::-1]))
    assert (found.n, found.only_in_a, found.only_in_b) == (20, 80, 40)
    assert found.flipped == []
    assert "80 of a, 40 of b" in to_markdown(found)


def test_retrieval_is_compared_only_where_every_row_has_it() -> None:
    without = run_of("b")
    without.rows[3]["retrieval"] = None
    found = compare(run_of("a"), without)
    assert set(found.differences) == {"em", "f1", "contains", "latency_s"}
    assert found.not_compared == ["recall@5", "ndcg@10"]
    assert "recall@5, ndcg@10" in to_markdown(found)


def test_runs_of_retrieval_alone_are_compared_by_it() -> None:
    none = {"em": None, "f1": None, "contains": None}
    found = compare(changed(run_of("a"), **none), changed(run_of("b", right=0.4), **none))
    assert found.mcnemar is None
    assert found.worse == ["ndcg@10"]
    assert "McNemar" not in to_markdown(found)


def test_the_dictionary_is_json_and_the_draws_are_seeded() -> None:
    a, b = run_of("a"), run_of("b", right=0.58, seed=1)
    found = compare(a, b, samples=500, seed=3)
    assert found == compare(a, b, samples=500, seed=3)
    tree = json.loads(json.dumps(asdict(found), allow_nan=False))
    assert tree["differences"]["em"]["n"] == 400
    assert (tree["samples"], tree["seed"], tree["mcnemar"]["only_a"]) == (500, 3, found.mcnemar.only_a)  # type: ignore[union-attr]


def test_three_digits_and_no_exponent_for_large_numbers() -> None:
    a, b = changed(run_of("a"), latency_s=12345.678), changed(run_of("b\n# x"), latency_s=0.48)
    text = to_markdown(compare(a, b))
    assert "| latency_s | 400 | 12346 | 0.480 | -12345 |" in text
    assert text.startswith("# b # x (b) against a (a)\n")


def test_another_dataset_is_refused() -> None:
    with pytest.raises(EvalError, match="about dev"):
        compare(run_of("a"), run_of("b", sha256="e2" * 32))


def test_a_manifest_without_dataset_is_refused() -> None:
    with pytest.raises(EvalError, match="lacks the dataset"):
        compare(run_of("a"), RunData({"name": "b"}, []))


def test_no_common_question_is_refused() -> None:
    with pytest.raises(EvalError, match="no question in common"):
        compare(run_of("a", 10), run_of("b", 10, start=10))


def test_no_common_metric_is_refused() -> None:
    none = {"em": None, "f1": None, "contains": None, "latency_s": None, "retrieval": None}
    with pytest.raises(EvalError, match="no metric in common"):
        compare(run_of("a"), changed(run_of("b"), **none))


def test_a_question_with_two_rows_is_refused() -> None:
    twice = run_of("b")
    twice.rows.append(twice.rows[0])
    with pytest.raises(EvalError, match="two rows for the question 'q0'"):
        compare(run_of("a"), twice)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1.0", True])
def test_a_value_that_is_not_a_number_is_refused(value: object) -> None:
    bad = run_of("b")
    bad.rows[5]["f1"] = value
    with pytest.raises(EvalError, match="b: f1 of the question 'q5'"):
        compare(run_of("a"), bad)


def without_sources(run: RunData, every: int) -> RunData:
    rows = [{**row, "retrieval": None} if n % every == 0 else row for n, row in enumerate(run.rows)]
    return RunData(run.manifest, rows)


def test_a_metric_is_compared_over_the_questions_that_have_it() -> None:
    """One question that names no source must not take nDCG out of the gate."""
    good, bad = run_of("good"), run_of("bad", right=0.5, seed=1)
    found = compare(without_sources(good, 4), without_sources(bad, 4))
    assert found.differences["ndcg@10"].n == 300
    assert found.differences["em"].n == 400
    assert "ndcg@10" in found.worse
    assert found.not_compared == []


def test_a_metric_of_different_questions_is_named_and_not_compared() -> None:
    found = compare(without_sources(run_of("a"), 4), without_sources(run_of("b"), 5))
    assert found.not_compared == ["recall@5", "ndcg@10"]
    assert "different questions for it: recall@5, ndcg@10" in to_markdown(found)


@pytest.mark.parametrize(("n", "worse"), [(1, []), (5, []), (6, ["em", "f1", "ndcg@10"])])
def test_a_handful_of_questions_that_all_fell_proves_nothing(n: int, worse: list[str]) -> None:
    a, b = (changed(run_of(name, n), em=v, f1=v, retrieval={"ndcg@10": v}) for name, v in (("a", 1.0), ("b", 0.0)))
    assert compare(a, b).worse == worse


def test_runs_of_retrieval_alone_have_no_latency_to_compare() -> None:
    a = changed(run_of("a"), em=None, f1=None, contains=None)
    b = RunData({**a.manifest, "mode": "retrieval"}, a.rows)
    assert "latency_s" not in compare(a, b).differences


def test_questions_that_were_in_flight_together_have_no_latency_to_compare() -> None:
    alone = run_of("a")
    alone = RunData({**alone.manifest, "window": 1}, alone.rows)
    together = RunData({**alone.manifest, "window": 8}, alone.rows)
    assert "latency_s" in compare(alone, alone).differences
    found = compare(alone, together)
    assert "latency_s" not in found.differences and not found.own_times
    assert "Latency is not compared" in to_markdown(found) and asdict(found)["own_times"] is False


@pytest.mark.parametrize("broken", [[1], "x", 3])
def test_a_retrieval_that_is_no_object_is_refused(broken: Any) -> None:
    with pytest.raises(EvalError, match="retrieval of the question"):
        compare(run_of("a"), changed(run_of("b"), retrieval=broken))
