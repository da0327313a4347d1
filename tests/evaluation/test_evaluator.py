"""A system is evaluated: plain texts or predictions become scored rows, in memory or in a folder."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import eval as evaluation
from eval import EvalError, Prediction, Question, compare, evaluate, exact_match, f1, load_dataset, load_run
from eval.datasets import Dataset
from eval.runs import find_incomplete

GOLDS = {"a": ("31 metres",), "b": ("in 1874", "1874"), "c": (), "d": ("the lamp",)}
ANSWERS = {"a": "31 metres", "b": "It was lit in 1874", "c": "", "d": "a horn"}


def write_questions(path: Path) -> Path:
    lines = [{"id": key, "question": f"What is {key}?", "answers": golds} for key, golds in GOLDS.items()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return load_dataset(write_questions(tmp_path / "own.jsonl"))


def answer(questions: Sequence[Question]) -> list[str]:
    return [ANSWERS[question.id] for question in questions]


def test_plain_texts_are_scored_without_a_folder(dataset: Dataset, tmp_path: Path) -> None:
    run = evaluate(dataset, answer)
    assert [row["em"] for row in run.rows] == [1.0, 0.0, 1.0, 0.0]
    assert run.metrics["em"]["mean"] == 50.0
    assert run.metrics["f1"]["mean"] == pytest.approx(100 * (1 + 4 / 7 + 1 + 0) / 4)
    assert run.rows[2]["abstained"] and run.rows[2]["confidence"] == 0.0
    assert run.manifest["losses"]["reader_wrong"] == 1 and run.manifest["losses"]["phrased_differently"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["own.jsonl"]


def test_predictions_and_texts_are_scored_alike(dataset: Dataset) -> None:
    def predict(questions: Sequence[Question]) -> list[Prediction | str]:
        return [Prediction(ANSWERS[q.id], confidence=0.25) if q.id in "ab" else ANSWERS[q.id] for q in questions]

    texts, mixed = evaluate(dataset, answer), evaluate(dataset, predict)
    assert [row["em"] for row in mixed.rows] == [row["em"] for row in texts.rows]
    assert [row["confidence"] for row in mixed.rows] == [0.25, 0.25, 0.0, 1.0]


def test_a_run_in_a_folder_is_read_back_and_compared(dataset: Dataset, tmp_path: Path) -> None:
    run = evaluate(dataset, answer, out=tmp_path / "good")
    assert load_run(tmp_path / "good") == run
    assert json.loads((tmp_path / "good" / "predictions.json").read_text(encoding="utf-8")) == ANSWERS
    silent = evaluate(dataset, lambda questions: [""] * len(questions))
    by_path, by_data = compare(tmp_path / "good", silent), compare(run, silent)
    assert by_path == by_data
    assert by_path.differences["em"].difference == -25.0
    with pytest.raises(EvalError, match="is not a run"):
        compare(str(tmp_path / "missing"), run)


def test_questions_come_in_windows_and_progress_is_reported(dataset: Dataset) -> None:
    sizes, seen = [], []

    def count(questions: Sequence[Question]) -> list[str]:
        sizes.append(len(questions))
        return answer(questions)

    evaluate(dataset, count, window=3, progress=lambda *state: seen.append(state[:3]))
    assert sizes == [3, 1]
    assert seen == [(3, 4, pytest.approx(2 / 3)), (4, 4, 0.5)]


def test_an_interrupted_run_is_found_by_its_key(dataset: Dataset, tmp_path: Path) -> None:
    def fail(questions: Sequence[Question]) -> list[str]:
        raise RuntimeError("no more memory")

    with pytest.raises(RuntimeError):
        evaluate(dataset, fail, out=tmp_path / "1", key="k")
    assert find_incomplete(tmp_path, "k") == tmp_path / "1"
    assert find_incomplete(tmp_path, "other") is None
    evaluate(dataset, answer, out=tmp_path / "1", key="k", describe=lambda: {"name": "mine", "seed": 3})
    assert find_incomplete(tmp_path, "k") is None
    assert load_run(tmp_path / "1").manifest["name"] == "mine"


def test_a_run_has_the_time_of_its_start(dataset: Dataset) -> None:
    times = iter(["start", "end"])
    run = evaluate(dataset, answer, describe=lambda: {"created": next(times)})
    assert run.manifest["created"] == "start"


@pytest.mark.parametrize(("answers", "message"), [(["x"], "4 questions got 1 answers"), ([1] * 4, "an answer is 1")])
def test_a_system_that_answers_otherwise_is_refused(dataset: Dataset, answers: list[str], message: str) -> None:
    with pytest.raises(EvalError, match=message):
        evaluate(dataset, lambda questions: answers)


def test_the_string_metrics_take_plain_strings() -> None:
    assert exact_match("The lamp.", "lamp") == 1.0
    assert f1("a red lamp", "lamp") == pytest.approx(2 / 3)


def test_the_package_is_light_and_offers_its_names() -> None:
    assert evaluation.__all__ == sorted(evaluation.__all__)
    assert {name for names in evaluation._MODULES.values() for name in names} == set(evaluation.__all__)
    assert all(getattr(evaluation, name).__module__.startswith("eval.") for name in evaluation.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        evaluation.nothing  # noqa: B018 - the access itself raises
    code = "import sys, eval\nprint([name for name in sys.modules if name.startswith('eval.') or name == 'numpy'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_functions_are_not_hidden_by_modules_of_the_same_name() -> None:
    code = "import eval.comparison, eval.evaluator\nfrom eval import compare, evaluate\nprint(callable(compare))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_five_lines_evaluate_a_system(tmp_path: Path) -> None:
    write_questions(tmp_path / "questions.jsonl")
    script = """
from eval import evaluate, load_dataset

dataset = load_dataset("questions.jsonl")
run = evaluate(dataset, lambda questions: ["31 metres" for q in questions])
print(run.metrics["em"]["mean"], run.metrics["f1"]["n"])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split() == ["25.0", "4"]
