"""Answers to the parts of a question become one text with the citations of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from rag.answering.answerer import AnswererSettings, ExtractingAnswerer
from rag.generation.base import Evidence, Extraction, ExtractionTask
from rag.retrieval.retriever import Retrieved
from rag.types import Answer, Passage, Usage

TEXT = "The deposit is 180 euros. It is paid back within three weeks. Keys are at the desk.\n\nAda Moor leads the club."
QUESTION = "How big is the deposit, and when is it paid back?"
PASSAGE = Passage(1, "a.md", "Club", None, (), 0, len(TEXT), TEXT, 1.0)


class Knowing:
    """Marks the words for the first of some beginnings of a question, with their confidence; counts its calls."""

    name = "knowing"
    alive = True
    threshold = 0.0
    high_threshold = 1.0

    def __init__(self, known: Mapping[str, tuple[str, float]]) -> None:
        self._known = known
        self.calls: list[list[str]] = []

    def extract(self, tasks: Sequence[ExtractionTask]) -> list[Extraction]:
        self.calls.append([task.question for task in tasks])
        return [self._extract(task) for task in tasks]

    def _extract(self, task: ExtractionTask) -> Extraction:
        words, confidence = next((v for k, v in self._known.items() if task.question.startswith(k)), ("", 0.0))
        place = task.passages[0].text.find(words)
        evidence = (Evidence(0, place, place + len(words)),) if words else ()
        return Extraction(words, "stop", Usage(), confidence, evidence=evidence)

    def close(self) -> None:
        pass


def ask(question: str, known: Mapping[str, tuple[str, float]], *others: str) -> Answer:
    extractor = Knowing(known)
    answerer = ExtractingAnswerer(extractor, AnswererSettings(min_confidence=0.5))
    batch = [Retrieved(q, (PASSAGE,), 1.0, 1) for q in (question, *others)]
    answer, *rest = answerer.answer_batch(batch)
    assert len(extractor.calls) == 1, "all parts of all questions are read in one call"
    for retrieved, found in zip(batch, (answer, *rest), strict=True):
        stream = answerer.stream(retrieved)
        assert "".join(stream) == stream.answer.text == found.text
        assert stream.answer.citations == found.citations
    assert answer.text[answer.short_start : answer.short_start + len(answer.short)] == answer.short
    for sentence in answer.sentences:
        assert sentence.citation is not None
        assert answer.citations[sentence.citation].quote in answer.text[sentence.start : sentence.end]
    return answer


def test_neighboring_sentences_are_joined_in_the_order_of_the_document() -> None:
    known = {QUESTION: ("180 euros", 0.9), "How big": ("180 euros", 0.8), "When": ("three weeks", 0.7)}
    answer = ask(QUESTION, known, "Who leads?", QUESTION)
    assert answer.text == "The deposit is 180 euros. It is paid back within three weeks."
    assert [citation.quote for citation in answer.citations] == ["180 euros", "three weeks"]
    assert answer.confidence == 0.7
    assert answer.short == "180 euros. It is paid back within three weeks"
    assert not answer.notes
    turned = ask(
        "When is it paid back, and how big is the deposit?",
        {"When is it paid back?": ("three weeks", 0.7), "How": ("180", 0.8)},
    )
    assert turned.text == answer.text


def test_sentences_from_elsewhere_get_lines_of_their_own() -> None:
    answer = ask(
        "How big is the deposit and who leads the club?",
        {"How big is the deposit?": ("180", 0.8), "Who": ("Ada Moor", 0.7)},
    )
    assert answer.text == "The deposit is 180 euros.\nAda Moor leads the club."
    assert len(answer.sentences) == 2


def test_one_sentence_with_both_answers_is_shown_once() -> None:
    answer = ask("Who leads and what is led?", {"Who leads?": ("Ada Moor", 0.8), "What": ("the club", 0.7)})
    assert answer.text == "Ada Moor leads the club."
    assert answer.short == "Ada Moor leads the club"
    assert [citation.quote for citation in answer.citations] == ["Ada Moor", "the club"]


@pytest.mark.parametrize("confidence", [0.2, 0.0])
def test_a_part_without_a_sure_answer_is_named(confidence: float) -> None:
    answer = ask(QUESTION, {QUESTION: ("180 euros", 0.9), "How big": ("180 euros", 0.8), "When": ("desk", confidence)})
    assert (answer.text, answer.confidence) == ("The deposit is 180 euros.", 0.8)
    assert [(note.kind, note.values) for note in answer.notes] == [
        ("part_unanswered", {"part": "when is it paid back"})
    ]


def test_the_same_words_do_not_answer_two_parts() -> None:
    answer = ask(QUESTION, {QUESTION: ("180 euros", 0.9), "How big": ("180 euros", 0.6), "When": ("180 euros", 0.8)})
    assert answer.text == "The deposit is 180 euros."
    assert [note.values for note in answer.notes] == [{"part": "How big is the deposit"}]


def test_without_a_sure_part_the_whole_question_is_answered() -> None:
    whole = ask(QUESTION, {QUESTION: ("180 euros", 0.9)})
    assert (whole.text, whole.confidence, whole.notes) == ("The deposit is 180 euros.", 0.9, ())
    assert ask(QUESTION, {QUESTION: ("180 euros", 0.3)}).abstained
    assert ask(QUESTION, {}).abstained
