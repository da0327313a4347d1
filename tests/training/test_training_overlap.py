"""Overlap with what is measured on: what is planted is found, and nothing is found that is not there."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import InputError
from rag.training.data.corpus import Example
from rag.training.data.overlap import overlap, without_overlap


def example(question: str, context: str) -> Example:
    return Example("e", question, context, ())


def words(seed: int, count: int, prefix: str) -> str:
    chance = random.Random(seed)
    return " ".join(f"{prefix}{chance.randrange(10**6)}" for _ in range(count))


HELD = [example(f"What is held {n}?", words(n, 80, "h")) for n in range(30)]
CLEAN = [example(f"What is trained {n}?", words(n, 80, "t")) for n in range(60)]


def test_clean_data_shares_nothing() -> None:
    assert overlap(CLEAN, HELD) == set()
    assert overlap([], HELD) == overlap(CLEAN, []) == set()


@given(
    planted=st.dictionaries(st.integers(0, len(CLEAN) - 1), st.integers(0, len(HELD) - 1), max_size=6),
    start=st.integers(0, 80 - 12),
    place=st.integers(0, 80),
    length=st.integers(12, 14),
)
def test_a_planted_run_of_twelve_words_is_found(planted: dict[int, int], start: int, place: int, length: int) -> None:
    examples = list(CLEAN)
    for n, held in planted.items():
        own = CLEAN[n].context.split()
        run = ", ".join(HELD[held].context.upper().split()[start : start + length])
        examples[n] = example(CLEAN[n].question, " ".join([*own[:place], run, *own[place:]]))
    assert overlap(examples, HELD) == set(planted)


@given(start=st.integers(0, 80 - 11), place=st.integers(0, 80))
def test_eleven_words_are_no_overlap(start: int, place: int) -> None:
    own = CLEAN[0].context.split()
    run = HELD[0].context.split()[start : start + 11]
    assert overlap([example("Q?", " ".join([*own[:place], *run, *own[place:]]))], HELD) == set()


@pytest.mark.parametrize(
    "question", ["What is held 7?", "what is  held_7", "“WHAT” is – held: 7 ?!", "Whát is held 7", "What ｉｓ held 7"]
)
def test_the_same_question_in_another_hand_is_found(question: str) -> None:
    assert overlap([CLEAN[0], example(question, "other")], HELD) == {1}


def test_accents_written_apart_are_the_same() -> None:
    assert overlap([example("Où est le cafe\u0301?", "x")], [example("où est le café", "y")]) == {0}


def test_questions_and_passages_without_a_letter_are_not_the_same() -> None:
    assert overlap([example("?", "!"), example("...", "")], [example("??", "—"), example("", " ")]) == set()


def test_a_short_passage_overlaps_with_itself_only() -> None:
    held = [example("a?", "Denver won the cup."), example("b?", words(0, 40, "h"))]
    assert overlap([example("c?", "denver won the cup"), example("d?", "Denver won the")], held) == {0}


def squad_of(path: Path, examples: list[Example]) -> Path:
    paragraphs = [
        {"context": e.context, "qas": [{"id": str(n), "question": e.question, "answers": []}]}
        for n, e in enumerate(examples)
    ]
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf-8")
    return path


def test_what_overlaps_is_left_out_and_counted_by_file(tmp_path: Path) -> None:
    files = [squad_of(tmp_path / "a.json", HELD[:10]), squad_of(tmp_path / "b.json", HELD[5:])]
    mixed = [CLEAN[0], HELD[3], CLEAN[1], HELD[7], HELD[20], CLEAN[2]]
    kept, notes = without_overlap(mixed, files)
    assert kept == CLEAN[:3]
    assert [note.split(" a question")[0] for note in notes] == ["2 examples share", "1 example shares"]
    assert "a.json" in notes[0] and "b.json" in notes[1]
    assert without_overlap(CLEAN, files) == (CLEAN, ())
    assert without_overlap(mixed, []) == (mixed, ())


def test_a_file_to_keep_away_from_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        without_overlap(CLEAN, [tmp_path / "gone.json"])
