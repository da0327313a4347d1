"""Stories: where the words of an answer are found, the passage around them, and passages without an answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import InputError
from rag.training.data.tales import find_answer, read_tales

FIRST = 'The miller\rhad a "Red  Hen". She sat on the old wall.\n\nEvery morning the hen sang for the baker\'s son.'
SECOND = "The king rode home. His horse was tired. Nobody had seen the fox that night."


def tale(**changes: Any) -> dict[str, Any]:
    row = {
        "id": "hen-1", "story": "the-red_hen", "sections": [FIRST], "question": "What did the miller have?",
        "answers": ["a red hen."], "explicit": "explicit",
    }  # fmt: skip
    return {**row, **changes}


def write(folder: Path, *rows: Any) -> Path:
    path = folder / "tales.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def marked(folder: Path, *rows: Any) -> list[list[str]]:
    examples, _ = read_tales(write(folder, *rows), unanswerable=0)
    return [[e.context[a:b] for a, b in e.answers] for e in examples]


def test_the_words_of_an_answer_are_marked(tmp_path: Path) -> None:
    ((example,), notes) = read_tales(write(tmp_path, tale()), unanswerable=0)
    assert example.title == "The red hen" and notes == ()
    ((start, end),) = example.answers
    assert example.context[start:end] == 'a "Red Hen'
    assert example.context.startswith('The miller had a "Red Hen".')


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ("She sat on the old wall", "She sat on the old wall"),
        ("she sat on that old wall", None),  # five words of six
        ("every morning the hen sang to the baker’s son", "Every morning the hen sang for the baker's son"),
        ("the red hen sat on a wall", None),
        ("hens", None),
        ("...", None),
        ("", None),
        ("word " * 31, None),
    ],
)
def test_most_words_are_enough(answer: str, place: str | None) -> None:
    text = f"{FIRST} {'word ' * 40}"
    span = find_answer(text, answer)
    assert (None if span is None else text[slice(*span)]) == place


def test_of_several_places_the_one_that_the_question_is_about_is_marked() -> None:
    text = (
        f"A fox slept. {'Rain fell all day. ' * 20}The fox stole the cheese. {'Snow fell all night. ' * 20}A fox woke."
    )
    span = find_answer(text, "fox", "Who stole the cheese?")
    assert span is not None and text[span[0] :].startswith("fox stole")


def test_exact_words_come_before_near_ones(tmp_path: Path) -> None:
    near = "every morning the hen sang to the baker's son"
    assert marked(tmp_path, tale(answers=[near, "the old wall"])) == [["the old wall"]]
    assert marked(tmp_path, tale(answers=[near])) == [["Every morning the hen sang for the baker's son"]]
    assert marked(tmp_path, tale(answers=["His horse"], sections=[FIRST, SECOND])) == [["His horse"]]


def test_answers_that_are_not_in_the_story_are_counted(tmp_path: Path) -> None:
    rows = (tale(explicit="implicit"), tale(answers=["a goose"]), tale(answers=[]), tale(question=" "), tale())
    examples, notes = read_tales(write(tmp_path, *rows), unanswerable=0)
    assert len(examples) == 1
    assert notes == ("4 questions of tales.jsonl have no answer in the words of the story: left out",)


def test_an_unanswerable_passage_is_of_the_same_story(tmp_path: Path) -> None:
    other = tale(id="hen-2", sections=[SECOND], question="Who was tired?", answers=["His horse"])
    third = tale(id="hen-3", sections=["She had a red hen too."], question="Who?", answers=["She"])
    foreign = tale(id="fox-1", story="fox", question="Who sat?", answers=["She"], sections=["She sat."])
    examples, _ = read_tales(write(tmp_path, tale(), other, third, foreign), unanswerable=1)
    assert [e.answers for e in examples[:3]] == [(), (), ()]
    assert examples[0].context in SECOND  # the third section holds the answer of the first question
    assert examples[0].title == "The red hen"
    assert examples[3].answers  # a story of one section


@given(seed=st.integers(0, 50), size=st.integers(1, 60))
def test_a_passage_is_whole_sentences_around_the_answer(
    seed: int, size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sentences = [f"Hen number {n} sat upon the long wall." for n in range(60)]
    row = tale(sections=[" ".join(sentences[:size])], answers=["hen number 0"])
    ((example,), _) = read_tales(write(tmp_path_factory.mktemp("tales"), row), unanswerable=0, seed=seed)
    ((start, end),) = example.answers
    assert example.context[start:end] == "Hen number 0"
    assert example.context in " ".join(sentences)
    assert example.context.startswith("Hen ") and example.context.endswith("wall.")
    assert len(example.context) <= 900


def test_a_sentence_that_is_too_long_gives_no_passage(tmp_path: Path) -> None:
    assert marked(tmp_path, tale(sections=[f"The miller had {'many ' * 200}hens."], answers=["hens"])) == []


def test_a_seed_decides_everything(tmp_path: Path) -> None:
    sentences = " ".join(f"Hen number {n} sat upon the long wall." for n in range(60))
    path = write(tmp_path, *(tale(id=f"{n}", sections=[sentences], answers=[f"number {n}"]) for n in range(30)))
    assert read_tales(path, seed=1) == read_tales(path, seed=1) != read_tales(path, seed=2)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "tales.jsonl, line 2 is not JSON"),
        ("5", "tales.jsonl, line 2 is not an object"),
        ({"id": "x"}, "tales.jsonl, line 2 has no key 'story'"),
        (tale(story=None), "tales.jsonl, line 2: 'story' must be a text"),
        (tale(sections="x"), "tales.jsonl, line 2: 'sections' must be a list"),
        (tale(sections=[None]), "tales.jsonl, line 2: 'sections' must be a list of texts"),
        (tale(answers=[1]), "tales.jsonl, line 2: 'answers' must be a list of texts"),
    ],
)
def test_lines_in_another_form_are_named(row: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as raised:
        read_tales(write(tmp_path, tale(), row))
    assert "JSON lines" in raised.value.remedy


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_tales(tmp_path / "none.jsonl")
