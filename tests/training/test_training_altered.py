"""Altered questions: one thing is exchanged for such as stands in its place elsewhere, and never what was asked."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.training.data.corpus import Corpus, Question
from rag.training.data.passages import PassageSettings, compose
from rag.training.data.unanswerable import Alterer

SENTENCES = (
    "Ada Byrne opened the first lighthouse in 1888.",
    "Carl Mott sold the old harbour in 1921.",
    "The keeper counted forty boats in March.",
)
QUESTIONS = (
    ("Who opened the first lighthouse in 1888?", 0),
    ("When did Carl Mott sell the old harbour?", 1),
    ("When did Ada Byrne open the lighthouse?", 0),
    ("Who sold the harbour in 1921?", 1),
    ("What did the keeper count in March?", 2),
)


def corpus(*questions: tuple[str, int]) -> Corpus:
    asked = tuple(Question(f"q{n}", text, place, ((0, 3),)) for n, (text, place) in enumerate(questions))
    return Corpus("c", SENTENCES, (0,) * len(SENTENCES), asked)


def altered(questions: tuple[tuple[str, int], ...], number: int, answer: str = "Ada") -> set[str | None]:
    alterer = Alterer(corpus(*questions))
    return {alterer.alter(number, answer, SENTENCES[0], random.Random(n)) for n in range(200)}


def test_names_numbers_opposites_and_negations() -> None:
    made = altered(QUESTIONS, 0)
    assert "Who opened the first lighthouse in 1921?" in made  # a year for a year
    assert "Who closed the first lighthouse in 1888?" in made
    assert "Who opened the last lighthouse in 1888?" in made
    assert "Who opened the first lighthouse in 1888?" not in made
    made = altered(QUESTIONS, 1, "1921")
    assert "When did Ada Byrne sell the old harbour?" in made
    assert "When didn't Carl Mott sell the old harbour?" in made


def test_never_another_question_nor_a_part_of_the_answer() -> None:
    both = (("Who sold it in 1921?", 1), ("Who sold it in 1888?", 0))
    assert "Who sold it in 1888?" not in altered(both, 0)
    made = altered((("Who met Carl Mott?", 0), ("Who met Ada Byrne?", 1)), 0)
    assert not any(text and "Ada" in text for text in made)


def test_what_is_asked_for_stays() -> None:
    questions = (("What city lies there?", 0), ("What boat lies there?", 1))
    assert altered(questions, 0) == {None}


@pytest.mark.parametrize(("one", "other"), [("Beyonce", "Beyoncé"), ("Scout", "Scout's")])
def test_another_spelling_is_no_other_name(one: str, other: str) -> None:
    made = altered(((f"Who met {one} there?", 0), (f"Who met {other} there?", 1)), 0)
    assert not any(text and other in text for text in made)


@given(seed=st.integers(0, 10_000), number=st.integers(0, len(QUESTIONS) - 1))
def test_an_altered_question_is_a_new_one_and_follows_from_its_seed(seed: int, number: int) -> None:
    alterer = Alterer(corpus(*QUESTIONS))
    made = alterer.alter(number, "Ada", SENTENCES[0], random.Random(seed))
    assert made == alterer.alter(number, "Ada", SENTENCES[0], random.Random(seed))
    assert made not in {text for text, _ in QUESTIONS}


def test_compose_makes_them_unanswerable() -> None:
    settings = PassageSettings(sentences=1, distracted=0, unanswerable=0, altered=1.0)
    made = list(compose(corpus(*QUESTIONS), [[]] * len(QUESTIONS), settings, seed=1))
    changed = [e for e, (text, _) in zip(made, QUESTIONS, strict=True) if e.question != text]
    assert len(changed) >= 4
    assert all(not e.answers for e in changed)
    assert all(e.answers for e in made if e not in changed)
