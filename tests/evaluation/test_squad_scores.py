"""Official scores: published predictions to the last digit, the scripts' corner cases, and bad prediction files."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.datasets import Dataset, Question, load_dataset
from eval.errors import EvalError
from eval.squad_scores import load_na_probs, load_predictions, score_squad

SQUAD = Path(__file__).parents[3] / "shared" / "data" / "squad"
needs_squad = pytest.mark.skipif(not SQUAD.is_dir(), reason="../shared/data/squad is missing")


def dataset_of(version: str, **answers: tuple[str, ...]) -> Dataset:
    questions = tuple(Question(key, "Which?", golds) for key, golds in answers.items())
    return Dataset("some", version, "", questions, ())  # type: ignore[arg-type]


V2 = dataset_of("2.0", q1=("the cat", "a dog"), q2=("red wine",), q3=(), q4=())
V2_PREDICTIONS = {"q1": "Dog.", "q2": "red", "q3": "", "q4": "something"}


@pytest.mark.slow
@pytest.mark.squad
@needs_squad
def test_published_predictions_score_to_the_last_digit_in_seconds() -> None:
    started = time.monotonic()
    v1 = score_squad(
        load_dataset(SQUAD / "dev-v1.1.json"), load_predictions(SQUAD / "predictions-v1.1-bert-ensemble.json")
    )
    v2 = score_squad(
        load_dataset(SQUAD / "dev-v2.0.json"), load_predictions(SQUAD / "predictions-v2.0-bert-single.json")
    )
    seconds = time.monotonic() - started
    assert v1.official == {"exact": 86.20624408703878, "f1": 92.19557978351129, "total": 10570}
    assert list(v2.official.items()) == [
        ("exact", 78.74168280973637),
        ("f1", 81.77528052374727),
        ("total", 11873),
        ("HasAns_exact", 74.10593792172739),
        ("HasAns_f1", 80.18183293833516),
        ("HasAns_total", 5928),
        ("NoAns_exact", 83.36417157275021),
        ("NoAns_f1", 83.36417157275021),
        ("NoAns_total", 5945),
    ]
    assert v1.missing == v1.unknown == v2.missing == v2.unknown == 0
    assert 100 * v1.em.mean() == pytest.approx(86.20624408703878)
    assert len(v2.ids) == len(v2.em) == len(v2.f1) == 11873
    assert seconds < 15  # 2 s on an idle core; the rest is for a busy machine


def test_v2_by_hand() -> None:
    score = score_squad(V2, V2_PREDICTIONS)
    assert score.em.tolist() == [1, 0, 1, 0]
    assert score.f1.tolist() == pytest.approx([1, 2 / 3, 1, 0])
    assert score.official == {
        "exact": 50.0, "f1": pytest.approx(100 * (1 + 2 / 3 + 1) / 4), "total": 4,
        "HasAns_exact": 50.0, "HasAns_f1": pytest.approx(100 * (1 + 2 / 3) / 2), "HasAns_total": 2,
        "NoAns_exact": 50.0, "NoAns_f1": 50.0, "NoAns_total": 2,
    }  # fmt: skip


def test_v2_leaves_missing_predictions_out_and_counts_unknown_ones() -> None:
    score = score_squad(V2, {"q1": "dog", "q3": "x", "other": "y"})
    assert (score.ids, score.missing, score.unknown, score.official["total"]) == (("q1", "q3"), 2, 1, 2)
    assert score.official["exact"] == 50.0
    only = score_squad(V2, {"q1": "dog"})
    assert list(only.official) == ["exact", "f1", "total", "HasAns_exact", "HasAns_f1", "HasAns_total"]


def test_v1_counts_a_missing_prediction_as_wrong() -> None:
    score = score_squad(dataset_of("1.1", q1=("x",), q2=("y",)), {"q1": "x", "other": "y"})
    assert score.official == {"exact": 50.0, "f1": 50.0, "total": 2}
    assert (score.ids, score.missing, score.unknown) == (("q1", "q2"), 1, 1)


def test_golds_without_tokens() -> None:
    assert score_squad(dataset_of("1.1", q1=("the", "x")), {"q1": ""}).official == {"exact": 100, "f1": 0, "total": 1}
    # v2.0 drops such golds, and asks for silence where none is left.
    both = score_squad(dataset_of("2.0", q1=("the", "x")), {"q1": ""})
    assert (both.official["exact"], both.official["f1"]) == (0, 0)
    none = score_squad(dataset_of("2.0", q1=("the",)), {"q1": ""})
    assert (none.official["exact"], none.official["f1"], none.official["HasAns_total"]) == (100, 100, 1)


def test_jsonl_is_scored_by_the_rule_of_v2() -> None:
    score = score_squad(dataset_of("jsonl", q1=("x",), q2=()), {"q1": "x", "q2": ""})
    assert score.official["exact"] == score.official["NoAns_exact"] == 100.0


def test_probabilities_above_the_threshold_abstain() -> None:
    probs = {"q1": 0.9, "q2": 0.1, "q3": 0.0, "q4": 0.6}
    score = score_squad(V2, V2_PREDICTIONS, probs, 0.5)
    assert score.em.tolist() == [0, 0, 1, 1]
    assert score_squad(V2, V2_PREDICTIONS, probs, 0.9).em.tolist() == [1, 0, 1, 0]  # above, not at
    assert score_squad(V2, V2_PREDICTIONS, probs).em.tolist() == [1, 0, 1, 0]
    assert list(score.official)[-4:] == ["best_exact", "best_exact_thresh", "best_f1", "best_f1_thresh"]


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=12), st.randoms())
def test_the_best_threshold_equals_brute_force(cases: list[tuple[bool, bool, bool]], chance: object) -> None:
    """With distinct probabilities: the script's walk is a search over every threshold and abstaining always."""
    golds = {f"q{n}": ("x",) if answerable else () for n, (answerable, _, _) in enumerate(cases)}
    predictions = {f"q{n}": "" if silent else "x" if right else "wrong" for n, (_, right, silent) in enumerate(cases)}
    order = list(range(1, len(cases) + 1))
    chance.shuffle(order)  # type: ignore[attr-defined]
    probs = {f"q{n}": place / 100 for n, place in enumerate(order)}
    dataset = dataset_of("2.0", **golds)
    official = score_squad(dataset, predictions, probs).official
    tried = [score_squad(dataset, predictions, probs, t).official["exact"] for t in (-1.0, *probs.values())]
    assert official["best_exact"] == pytest.approx(max(tried))
    reached = score_squad(dataset, predictions, probs, official["best_exact_thresh"] or -1.0)
    assert reached.official["exact"] == pytest.approx(official["best_exact"])


@given(st.permutations(list(V2_PREDICTIONS)))
def test_the_order_of_predictions_is_irrelevant(keys: list[str]) -> None:
    shuffled = score_squad(V2, {key: V2_PREDICTIONS[key] for key in keys})
    assert shuffled.official == score_squad(V2, V2_PREDICTIONS).official


def test_no_prediction_for_any_question_is_refused() -> None:
    with pytest.raises(EvalError, match="none of the 1 predictions"):
        score_squad(V2, {"other": "x"})


@pytest.mark.parametrize("value", [None, float("nan"), 3, ["x"]])
def test_a_prediction_that_is_not_a_text_is_refused(value: object) -> None:
    with pytest.raises(EvalError, match="prediction for 'q2'"):
        score_squad(V2, {**V2_PREDICTIONS, "q2": value})  # type: ignore[dict-item]


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "0.5", True, 10**400])
def test_a_probability_that_is_not_a_number_is_refused(value: object) -> None:
    with pytest.raises(EvalError, match="probability of 'q2'"):
        score_squad(V2, V2_PREDICTIONS, {**dict.fromkeys(V2_PREDICTIONS, 0.5), "q2": value})  # type: ignore[dict-item]


def test_a_missing_probability_is_refused() -> None:
    with pytest.raises(EvalError, match="'q4' is missing"):
        score_squad(V2, V2_PREDICTIONS, dict.fromkeys(["q1", "q2", "q3"], 0.5))


def test_a_threshold_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(EvalError, match="threshold"):
        score_squad(V2, V2_PREDICTIONS, dict.fromkeys(V2_PREDICTIONS, 0.5), float("nan"))


def test_v1_refuses_probabilities() -> None:
    with pytest.raises(EvalError, match=r"version 1\.1"):
        score_squad(dataset_of("1.1", q1=("x",)), {"q1": "x"}, {"q1": 0.5})


def test_files_are_read_back_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"q1": "Größe \u2028", "q2": ""}), encoding="utf-8-sig")
    assert load_predictions(path) == {"q1": "Größe \u2028", "q2": ""}
    path.write_text('{"q1": 1, "q2": 0.25}', encoding="utf-8")
    assert load_na_probs(path) == {"q1": 1.0, "q2": 0.25}
    assert np.isfinite(list(load_na_probs(path).values())).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not JSON"),
        (b"", "is not JSON"),
        (b'["x"]', "is not an object"),
        (b'{"q1": null}', "'q1' is not a text: None"),
        (b'{"q1": 0.5}', "'q1' is not a text: 0.5"),
        (b'{"q1": NaN}', "NaN is not a number"),
        (b'{"q1": "x", "q1": "y"}', "'q1' is repeated"),
        (b'{"q1": "\\ud800"}', "'q1' is not a text"),
        (b'{"q1": "\xff"}', "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_an_invalid_prediction_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(content)
    with pytest.raises(EvalError, match=message):
        load_predictions(path)


@pytest.mark.parametrize("value", ['"0.5"', "true", "null", "Infinity", "1e999"])
def test_an_invalid_file_of_probabilities_is_refused(tmp_path: Path, value: str) -> None:
    path = tmp_path / "na.json"
    path.write_text(f'{{"q1": {value}}}', encoding="utf-8")
    with pytest.raises(EvalError, match="number"):
        load_na_probs(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvalError, match="does not exist"):
        load_predictions(tmp_path / "none.json")
    with pytest.raises(EvalError, match="cannot be read"):
        load_predictions(tmp_path)
