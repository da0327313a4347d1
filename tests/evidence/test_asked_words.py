"""A question's words in parts of a document, and what can answer a question."""

from __future__ import annotations

import pytest

from rag.evidence.asked_words import AskedWords, stems_of
from rag.evidence.question_words import asked_kind, fits_kind

TEXTS = ["Растяжка обуви стоит 600 рублей.", "Чистка обуви стоит 800 рублей.", "Склад охраняется."]


def test_rare_words_weigh_more_and_question_words_nothing() -> None:
    words = AskedWords("Сколько стоит чистка обуви?", TEXTS)
    shares = [words.share([stems_of(text)]) for text in TEXTS]
    assert shares[1] == 1.0
    assert 0 < shares[0] < 1
    assert shares[2] == 0


def test_a_word_counts_where_only_its_beginning_occurs() -> None:
    words = AskedWords("Сколько стоит растянуть обувь?", TEXTS)
    shares = [words.share([stems_of(text)]) for text in TEXTS]
    assert shares[1] < shares[0] < 1


def test_parts_cover_a_question_together() -> None:
    words = AskedWords("Чистка на складе?", TEXTS)
    both = words.share([stems_of(TEXTS[1]), stems_of(TEXTS[2])])
    assert both > max(words.share([stems_of(TEXTS[1])]), words.share([stems_of(TEXTS[2])]))


def test_only_what_the_question_does_not_say_is_new() -> None:
    words = AskedWords("Когда чистка?", TEXTS)
    assert words.new(stems_of("Чистка")) == 0
    assert words.new(stems_of("Чистка в среду")) == 1


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Сколько стоит чистка?", "number"),
        ("Во сколько начинается смена?", "date"),
        ("К кому идти за справкой?", "person"),
        ("Скільки коштує рушник?", "number"),
        ("Πότε κλείνει η πισίνα;", "date"),
        ("游泳池几点关门？", "date"),
        ("毛巾多少钱？", "number"),
        ("谁负责游泳池？", "person"),
        ("Какая скидка?", ""),
        ("What does it cost?", ""),
    ],
)
def test_question_words_say_what_is_asked_for(question: str, kind: str) -> None:
    assert asked_kind(question) == kind


@pytest.mark.parametrize(
    ("text", "kind", "question", "fits"),
    [
        ("Цена 800 рублей.", "number", "Сколько стоит чистка?", True),
        ("Код 14 значит, что контейнер полон.", "number", "Сколько длится код 14?", False),
        ("Кофемашина «Бодрость-2».", "number", "Сколько весит кофемашина?", False),
        ("Продлить можно дважды.", "number", "Сколько раз можно продлить?", True),
        ("Приём по средам.", "date", "Когда приём?", True),
        ("Приём ведёт врач.", "date", "Когда приём?", False),
        ("за пропуском идут к Ожогину", "person", "К кому идти за пропуском?", True),
        ("за пропуском идут на вахту", "person", "К кому идти за пропуском?", False),
        ("由马志强保管", "person", "谁保管钥匙？", True),
    ],
)
def test_an_answer_adds_what_is_asked_for(text: str, kind: str, question: str, *, fits: bool) -> None:
    assert fits_kind(text, kind, question) is fits
