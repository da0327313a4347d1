"""Passages: an answerable one holds its answer where it says, an unanswerable one lacks the question's sentence."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.training.data.corpus import Corpus, Example, Question
from rag.training.data.passages import PassageSettings, compose, near, negatives

# Few words, so that sentences repeat and hold one another.
sentences = st.lists(st.sampled_from(("Ann", "Bo", "saw", "x.")), min_size=1, max_size=3).map(" ".join)


@st.composite
def corpora(draw: st.DrawFn) -> tuple[Corpus, list[list[int]]]:
    texts = draw(st.lists(sentences, min_size=1, max_size=14))
    owners = sorted(draw(st.lists(st.integers(0, 3), min_size=len(texts), max_size=len(texts))))
    numbers = st.integers(0, len(texts) - 1)
    asked, hard = [], []
    for n in range(draw(st.integers(1, 6))):
        sentence = draw(numbers)
        length = len(texts[sentence])
        starts = draw(st.lists(st.integers(0, length - 1), max_size=3))
        answers = tuple((start, draw(st.integers(start + 1, length))) for start in starts)
        asked.append(Question(f"q{n}", f"question {n}?", sentence, answers))
        hard.append(draw(st.lists(numbers, max_size=8)))
    return Corpus("c", tuple(texts), tuple(owners), tuple(asked)), hard


shares = st.sampled_from((0.0, 0.3, 1.0))
settings = st.builds(
    PassageSettings,
    sentences=st.integers(1, 6),
    alone=shares,
    distracted=shares,
    unanswerable=shares,
    reach=st.integers(0, 4),
)


@given(made=corpora(), drawn=settings, seed=st.integers(0, 99), passes=st.integers(1, 2))
def test_examples_hold_what_they_say(
    made: tuple[Corpus, list[list[int]]], drawn: PassageSettings, seed: int, passes: int
) -> None:
    corpus, hard = made
    asked = [q for q in corpus.questions if q.answers]
    examples = list(compose(corpus, hard, drawn, seed=seed, passes=passes))
    assert [e.id for e in examples] == [f"{q.id}/{turn}" for turn in range(passes) for q in asked]
    for example, question in zip(examples, asked * passes, strict=True):
        said = corpus.sentences[question.sentence]
        assert example.question == question.text
        assert example.context.strip() == example.context
        if not example.answers:
            assert said not in example.context
            continue
        ((start, end),) = example.answers
        marked = [(a, b) for a, b in question.answers if example.context[start:end] == said[a:b]]
        # Not only the same text: the answer inside its own sentence.
        assert any(example.context[start - a :].startswith(said) for a, _ in marked)
    assert examples == list(compose(corpus, hard, drawn, seed=seed, passes=passes))


@given(made=corpora(), drawn=settings, seed=st.integers(0, 99), count=st.integers(0, 4))
def test_negatives_do_not_hold_the_sentence(
    made: tuple[Corpus, list[list[int]]], drawn: PassageSettings, seed: int, count: int
) -> None:
    corpus, hard = made
    for question, found in zip(corpus.questions, hard, strict=True):
        passages = negatives(corpus, question, found, drawn, random.Random(seed), count)
        assert len(passages) <= count
        assert all(passage and corpus.sentences[question.sentence] not in passage for passage in passages)
        assert passages == negatives(corpus, question, found, drawn, random.Random(seed), count)


PARAGRAPH = tuple(f"Sentence number {n} stands here." for n in range(20))


def asked_of(paragraphs: Sequence[int], sentence: int = 5, count: int = 400) -> Corpus:
    questions = tuple(Question(f"q{n}", "Which?", sentence, ((9, 17),)) for n in range(count))
    return Corpus("c", PARAGRAPH, tuple(paragraphs), questions)


def drawn_from(corpus: Corpus, hard: Sequence[int] = (), seed: int = 0, **changes: float) -> list[Example]:
    return list(compose(corpus, [hard] * len(corpus.questions), PassageSettings(**changes), seed=seed))  # type: ignore[arg-type]


def numbers_in(context: str) -> list[int]:
    return [int(word) for word in context.split() if word.isdecimal()]


def test_a_passage_is_neighbours_of_one_paragraph() -> None:
    corpus = asked_of([0] * 4 + [1] * 8 + [2] * 8)
    found = [numbers_in(e.context) for e in drawn_from(corpus, alone=0, unanswerable=0)]
    assert all(run == list(range(run[0], run[-1] + 1)) and 4 <= run[0] <= 5 <= run[-1] <= 9 for run in found)
    assert {len(run) for run in found} == {2, 3, 4, 5}
    assert {run[0] for run in found} == {4, 5} and {run[-1] for run in found} == {5, 6, 7, 8, 9}


def test_one_sentence_is_the_most_where_one_is_asked_for() -> None:
    assert {e.context for e in drawn_from(asked_of([0] * 20), sentences=1, unanswerable=0)} == {PARAGRAPH[5]}


def test_distractors_come_from_elsewhere_and_once() -> None:
    # 9 is out of reach and may still be a neighbour in the passage; 6 is within reach; 15 stands there twice.
    found = drawn_from(asked_of([0] * 20), [5, 6, 9, 15, 15], distracted=1, unanswerable=0, alone=0)
    runs = [numbers_in(e.context) for e in found]
    assert all(len(set(run)) == len(run) for run in runs)
    outside = {n for run in runs for n in run if not 1 <= n <= 9}
    assert outside == {15}
    places = {(run[0] == 15) - (run[-1] == 15) for run in runs}
    assert {1, -1} <= places


def test_shares_are_kept() -> None:
    found = drawn_from(asked_of([0] * 20), [15, 16], unanswerable=0.25)
    without = [e for e in found if not e.answers]
    assert 0.18 < len(without) / len(found) < 0.32
    own = [e for e in without if 4 in numbers_in(e.context) or 6 in numbers_in(e.context)]
    assert 0.3 < len(own) / len(without) < 0.7
    assert len({e.context for e in found}) > 20
    assert found != drawn_from(asked_of([0] * 20), [15, 16], unanswerable=0.25, seed=1)


def test_a_hard_passage_near_by_leaves_the_answer_out() -> None:
    # A passage of five around sentence 9 reaches sentence 5 if nobody looks.
    found = drawn_from(asked_of([0] * 20), [9], unanswerable=1, alone=0)
    assert all(not e.answers and 5 not in numbers_in(e.context) for e in found)


def test_a_sentence_without_any_other_is_answerable() -> None:
    corpus = Corpus("c", ("Ann saw Bo.",), (0,), (Question("q", "Who?", 0, ((0, 3),)),))
    (found,) = compose(corpus, [[0]], PassageSettings(unanswerable=1), seed=0)
    assert found == Example("q/0", "Who?", "Ann saw Bo.", ((0, 3),))


def test_an_answer_that_more_people_marked_is_drawn_more_often() -> None:
    questions = tuple(Question(f"q{n}", "Who?", 0, ((0, 3), (0, 3), (8, 10))) for n in range(600))
    corpus = Corpus("c", ("Ann saw Bo.",), (0,), questions)
    found = [e.answers[0] for e in compose(corpus, [()] * 600, PassageSettings(unanswerable=0), seed=0)]
    assert 340 < found.count((0, 3)) < 460


def test_hard_sentences_must_be_as_many_as_questions() -> None:
    with pytest.raises(ValueError, match="shorter"):
        list(compose(asked_of([0] * 20), [()], PassageSettings(), seed=0))


def test_nearness_is_within_a_paragraph() -> None:
    corpus = asked_of([0] * 10 + [1] * 10)
    assert near(corpus, 8, 5, 3) and near(corpus, 5, 5, 0)
    assert not near(corpus, 9, 5, 3)
    assert not near(corpus, 9, 10, 3)
