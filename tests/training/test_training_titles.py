"""Titles: words of the question or names near the passage, never the answer, and no effect on the passages."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rag.training.data.corpus import Corpus, Question
from rag.training.data.passages import PassageSettings, compose
from rag.training.data.titles import make_title

TEXT = "In May Anna Marsh moved to Port Ellis. However, the harbor bridge of Lowe was closed. The Bank of Ellis paid."


def titles(question: str, answer: str, text: str, topic: float = 0.5) -> set[str]:
    return {make_title(question, answer, text, random.Random(seed), topic=topic) for seed in range(300)}


def parts(found: set[str]) -> set[str]:
    return {part for title in found for part in title.split(" > ")}


def test_a_title_is_words_of_the_question_or_another_name() -> None:
    found = titles("Who closed the harbor bridge in July?", "Lowe", TEXT)
    assert parts(found) == {"closed", "harbor bridge", "Anna Marsh", "Port Ellis", "Bank of Ellis"}
    assert any(" > " in title for title in found)
    assert parts(titles("Who closed the harbor bridge?", "Lowe", TEXT, topic=1)) == {"closed", "harbor bridge"}
    assert "harbor bridge" not in parts(titles("Who closed the harbor bridge?", "Lowe", TEXT, topic=0))


def test_names_of_the_question_come_before_longer_words() -> None:
    found = titles("When did people of Lowe see the harbor bridge closed?", "May", TEXT, topic=1)
    assert "Lowe" in found and "closed" not in found


def test_no_title_holds_the_answer() -> None:
    assert parts(titles("Where did Anna Marsh move?", "Port Ellis", TEXT)) == {"Anna Marsh", "Lowe"}


def test_lower_case_text_gives_frequent_words() -> None:
    text = "chopin wrote waltzes. the waltzes of chopin are short. chopin left it at home."
    found = parts(titles("who wrote them?", "x", text))
    assert {"wrote", "waltzes", "chopin"} & found and "the" not in found


def test_a_text_without_phrases_gives_no_title() -> None:
    assert titles("who is it?", "", "it is he.") == {""}


@given(question=st.text(max_size=40), answer=st.text(max_size=10), text=st.text(max_size=80), seed=st.integers(0, 9))
def test_any_text_is_fine(question: str, answer: str, text: str, seed: int) -> None:
    title = make_title(question, answer, text, random.Random(seed))
    assert title == title.strip() and "\n" not in title


def corpus(count: int = 400) -> Corpus:
    towns = ("Aldby", "Borrow", "Castle", "Dunmere", "Eastwick", "Fenley", "Garth", "Holt")
    sentences = tuple(f"In Port {town} mayor Ann {town}er opened the {town} bridge." for town in towns) * 10
    numbers = [n % len(sentences) for n in range(count)]
    start = [sentences[n].index("Ann") for n in numbers]
    questions = tuple(
        Question(f"q{n}", f"Who opened the {towns[s % 8]} bridge?", s, ((a, sentences[s].index(" opened")),))
        for n, (s, a) in enumerate(zip(numbers, start, strict=True))
    )
    return Corpus("c", sentences, tuple(n // 8 for n in range(len(sentences))), questions)


def test_a_share_of_the_examples_gets_a_title_and_the_passages_stay_the_same() -> None:
    made = corpus()
    hard = [[(q.sentence + 11) % 80, (q.sentence + 30) % 80] for q in made.questions]
    drawn = PassageSettings(unanswerable=0.4, altered=0.2, titles=0.5)
    examples = list(compose(made, hard, drawn, seed=3))
    plain = list(compose(made, hard, drawn.model_copy(update={"titles": 0.0}), seed=3))
    assert [replace(e, title="") for e in examples] == plain
    assert all(not e.title for e in plain)
    for group in ([e for e in examples if e.answers], [e for e in examples if not e.answers]):
        assert 0.35 < sum(1 for e in group if e.title) / len(group) < 0.65
    assert examples == list(compose(made, hard, drawn, seed=3))


def test_titles_share_words_with_the_question_often_but_not_always_with_and_without_an_answer() -> None:
    made = corpus(800)
    hard = [[(q.sentence + 11) % 80, (q.sentence + 30) % 80] for q in made.questions]
    examples = list(compose(made, hard, PassageSettings(unanswerable=0.5, titles=1), seed=0))
    for group in ([e for e in examples if e.answers], [e for e in examples if not e.answers]):
        shared = [set(e.title.casefold().split()) & set(e.question.casefold().strip("?").split()) for e in group]
        assert 0.4 < sum(1 for words in shared if words) / len(group) < 0.9
