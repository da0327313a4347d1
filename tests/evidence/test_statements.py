"""Sentences, list items and rows of a passage with what stands above them."""

from __future__ import annotations

from rag.evidence.statements import statements

PASSAGE = """## Отпуск

Отпуск длится 30 дней. Заявление подают за 3 недели до начала.

## Как продлить?

Да, дважды.

Доплаты:

- Стажёрам платят 500 рублей.

| Услуга | Цена |
| --- | --- |
| Чистка | 800 |
"""


def test_every_statement_has_its_labels() -> None:
    found = statements(PASSAGE)
    assert [s.text for s in found] == [
        "Отпуск длится 30 дней.",
        "Заявление подают за 3 недели до начала.",
        "Да, дважды.",
        "Доплаты:",
        "Стажёрам платят 500 рублей.",
        "Чистка 800",
    ]
    assert "Отпуск" in found[0].label
    assert "Как продлить?" in found[2].label
    assert "Доплаты:" in found[4].label
    assert "Услуга Цена" in found[5].label
    assert [s.row for s in found] == [False] * 5 + [True]


def test_places_are_those_of_the_passage() -> None:
    for statement in statements(PASSAGE):
        quoted = PASSAGE[statement.start : statement.end]
        assert quoted == ("| Чистка | 800 |" if statement.row else statement.text)


def test_neighbors_share_the_heading() -> None:
    found = statements(PASSAGE)
    assert found[0].near == found[1].text
    assert found[1].near == found[0].text


def test_a_heading_ends_with_its_line() -> None:
    (found,) = statements("## Уход\nПоддон опорожняйте вечером.")
    assert (found.text, found.label.strip()) == ("Поддон опорожняйте вечером.", "Уход")


def test_a_short_line_of_plain_text_is_a_heading() -> None:
    found = statements("Уход\n\nПоддон опорожняйте каждый вечер, а трубку промывайте после каждой чашки.\n")
    assert [s.text for s in found] == ["Поддон опорожняйте каждый вечер, а трубку промывайте после каждой чашки."]
    assert "Уход" in found[0].label
