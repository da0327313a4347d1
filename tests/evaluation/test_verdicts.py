"""Verdicts on answers, and on what the passages hold."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from eval.verdicts import holds_answer, judge

OFFICE = Path(__file__).parents[3] / "shared" / "data" / "office"


@pytest.mark.parametrize(
    ("answer", "golds", "parts", "expected"),
    [
        ("It costs £45.", ["45 pounds"], [], "right"),
        ("It costs £54.", ["45 pounds"], [], "wrong"),
        ("Anything", [], [], "wrong"),
        ("Press Stop, open the guard, cut the film.", ["press stop"], [["Stop"], ["guard"], ["cut"]], "right"),
        ("Press Stop and open the guard.", ["cut the film"], [["Stop"], ["guard"], ["cut"]], "partly"),
        ("Press Stop.", ["cut the film"], [["Stop"], ["guard"], ["cut"]], "wrong"),
        ("Press Stop.", ["press stop"], [["Stop"], ["guard"], ["cut"]], "partly"),
        ("Yes, with an adult.", ["Yes"], [["adult"]], "right"),
        ("Only with an adult.", ["Yes"], [["adult"]], "partly"),
        ("No, only with an adult.", ["Yes"], [["adult"]], "wrong"),
        ("Only on Sundays.", ["Yes"], [["adult"]], "wrong"),
        ("Нет, не нужно.", ["Нет"], [], "right"),
        ("no more than 5", ["no more than 5"], [], "right"),  # begins with no, and is no yes-or-no question
    ],
)
def test_judge(answer: str, golds: list[str], parts: list[list[str]], expected: str) -> None:
    assert judge(answer, golds, parts) == expected


def test_a_refusal_is_right_only_where_there_is_no_answer() -> None:
    assert judge("", [], refused=True) == "right"
    assert judge("It costs £45.", ["45"], refused=True) == "refused"


def test_passages_hold_an_answer() -> None:
    assert holds_answer("Rent | £2,350", ["2350 pounds", "two thousand"])
    assert not holds_answer("Rent | £2,350", ["350"])
    assert holds_answer("children need an adult", ["Yes"], [["adult"]])
    assert not holds_answer("yes", ["Yes"])


@pytest.mark.squad
@pytest.mark.skipif(not OFFICE.is_dir(), reason="../shared/data/office is missing")
def test_verdicts_agree_with_the_written_answers() -> None:
    """The set's own scorer agrees with 111 of its 120 verdicts, and so does this one."""
    questions = {row["id"]: row for row in map(json.loads, (OFFICE / "questions.jsonl").read_text().splitlines())}
    agreed: Counter[bool] = Counter()
    for row in map(json.loads, (OFFICE / "written_answers.jsonl").read_text().splitlines()):
        question = questions[row["question_id"]]
        agreed[judge(row["answer"], question["answers"], question["parts"]) == row["verdict"]] += 1
    assert agreed[True] >= 111
