"""Questions of two or three parts are split; names, titles and pairs with "and" are not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rag.answering.question_parts import question_parts

COMPOUND = yaml.safe_load((Path(__file__).parents[2] / "benchmarks" / "compound.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        (
            "How big is the deposit and when will they have it back?",
            ["How big is the deposit?", "When will they have it back (the deposit)?"],
        ),
        ("When must I be there, and who wakes me?", ["When must I be there?", "Who wakes me?"]),
        ("When does the council meet and where?", ["When does the council meet?", "Where does the council meet?"]),
        ("When and where does it meet?", ["When does it meet?", "Where does it meet?"]),
        ("Who is Ada? And what does she do?", ["Who is Ada?", "What does she do (Ada)?"]),
        ("When was it founded and by whom?", ["When was it founded?", "By whom was it founded?"]),
        ("Who pays, and how much?", ["Who pays?", "How much pays?"]),
        (
            "Who wrote “War and Peace” and when was it printed?",
            ["Who wrote “War and Peace”?", "When was it printed (wrote “War and Peace”)?"],
        ),
        ("Who asks, and what is asked and where is it?", ["Who asks?", "What is asked?", "Where is it (asks)?"]),
        ("Wann beginnt der Kurs und was kostet er?", ["Wann beginnt der Kurs?", "Was kostet er (beginnt der Kurs)?"]),
        ("Когда открыт музей и сколько стоит билет?", ["Когда открыт музей?", "Сколько стоит билет?"]),
    ],
)
def test_parts_can_be_read_alone(question: str, parts: list[str]) -> None:
    assert [part.question for part in question_parts(question)] == parts


@pytest.mark.parametrize(
    "question",
    [
        "Who founded and led the club?",
        "What happens between May and June?",
        "What do the rules and regulations say?",
        "Who decides when and where it takes place?",
        "Who knows where the keys are and how the alarm works?",
        "What is the difference between what is paid and what is owed?",
        "What is said of who pays and what happens next?",
        "Which of the files and folders are deleted?",
        "What is in “Why and what for”?",
        'Who wrote "Where and when is it"?',
        "Who wrote Sense and Sensibility?",
        "Where is Marks and Spencer?",
        "Explain what it is and how it works.",
        "Is it open and who has the key?",
        "What is A and what is B and what is C and what is D?",
        "How and why?",
        "And when?",
        "Bread and butter",
        "",
    ],
)
def test_one_question_stays_whole(question: str) -> None:
    assert question_parts(question) == ()


def test_kinds_of_parts() -> None:
    (who, when) = question_parts("Who has to sign, and by when?")
    (many, where) = question_parts("How many are there and where are they when it rains?")
    assert [part.kind for part in (who, when, many, where)] == ["person", "date", "number", "place"]


@pytest.mark.parametrize("case", COMPOUND["two_part"], ids=lambda case: case["q"])
def test_the_benchmark_is_split(case: dict[str, str]) -> None:
    assert len(question_parts(case["q"])) == 2


@pytest.mark.parametrize("case", [*COMPOUND["single"], *COMPOUND["list"]], ids=lambda case: case["q"])
def test_single_questions_of_the_benchmark_are_not(case: dict[str, str]) -> None:
    assert question_parts(case["q"]) == ()


@given(
    st.lists(st.sampled_from(["who", "when", "and", ",", "is", "it", "the", "?", "“", "”", "how", "X"]), max_size=14)
)
def test_the_words_of_parts_are_the_questions(words: list[str]) -> None:
    question = " ".join(words)
    for part in question_parts(question):
        assert part.words in question and part.question.endswith("?")
