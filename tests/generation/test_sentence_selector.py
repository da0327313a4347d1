"""Sentences and rows chosen by the question's words, where the extractive model cannot read."""

from __future__ import annotations

import pytest

from rag.generation.base import ExtractionTask, PassageText
from rag.generation.sentence_selector import SentenceSelector, SentenceWeights

LEASE = "## Плата\n\nАрендная плата составляет 96 000 рублей в месяц. Её вносят до пятого числа.\n\nСклад охраняется."
PRICES = (
    "| Услуга | Цена | Срок |\n| --- | --- | --- |\n| Чистка замши | 800 | завтра |\n| Покраска кожи | 1 750 | 5 дней |"
)
PASSAGES = (
    PassageText(LEASE, "lease.md", 0, 2.0, "Договор аренды"),
    PassageText(PRICES, "prices.md", 0, 1.5, "Прейскурант"),
)


def select(question: str, passages: tuple[PassageText, ...] = PASSAGES) -> tuple[str, float]:
    extraction = SentenceSelector().select(ExtractionTask(question, passages))
    (place,) = extraction.evidence
    assert passages[place.passage].text[place.start : place.end] == extraction.text
    assert [note.kind for note in extraction.notes] == ["chosen_by_words"]
    return extraction.text, extraction.confidence


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Сколько составляет арендная плата в месяц?", "96 000 рублей"),
        ("Сколько стоит чистка замши?", "800"),
        ("За сколько дней красят кожу?", "| Покраска кожи | 1 750 | 5 дней |"),
        ("Что известно про охрану склада?", "Склад охраняется."),
    ],
)
def test_the_only_value_of_the_best_statement_is_marked_else_all_of_it(question: str, text: str) -> None:
    assert select(question)[0] == text


def test_a_question_whose_words_are_missing_is_less_sure() -> None:
    all_there = select("Какая цена за чистку замши?")[1]
    one_missing = select("Какая цена за чистку замши на дому?")[1]
    most_missing = select("Какая цена за чистку старинных ковров на дому?")[1]
    assert all_there > 0.6
    assert all_there > one_missing > most_missing
    assert most_missing < 0.5


def test_a_sentence_without_a_number_does_not_answer_how_many() -> None:
    passage = PassageText("Кофемашина «Бодрость-2».", "manual.txt", 0, 1.0, "")
    assert SentenceSelector().select(ExtractionTask("Сколько весит кофемашина?", (passage,))).text == ""
    assert select("Что известно про кофемашину?", (passage,))[0] == passage.text


def test_without_a_word_of_the_question_there_is_no_answer() -> None:
    extraction = SentenceSelector().select(ExtractionTask("Кто директор?", PASSAGES))
    assert (extraction.text, extraction.evidence, extraction.finish_reason) == ("", (), "unknown script")
    assert SentenceSelector().select(ExtractionTask("Кто директор?", ())).text == ""


def test_overlapping_passages_do_not_compete() -> None:
    twice = (*PASSAGES, PassageText(LEASE[10:], "lease.md", 10, 1.9, "Договор аренды"))
    question = "Сколько составляет арендная плата в месяц?"
    assert select(question, twice)[1] == pytest.approx(select(question)[1], abs=0.1)


def test_the_weights_are_the_callers() -> None:
    sure = SentenceSelector(SentenceWeights(bias=60.0)).select(ExtractionTask("Чистка замши?", PASSAGES))
    assert sure.confidence == pytest.approx(1.0)


def test_scripts_without_spaces_are_compared_by_pairs_of_characters() -> None:
    passage = PassageText("租毛巾需要5元。丢失钥匙赔偿30元。", "rules.md", 0, 1.0, "规定")
    assert "30" in select("丢失钥匙要赔偿多少？", (passage,))[0]
