"""Paragraphs of a question file are located in the documents of another index by their text."""

from __future__ import annotations

from eval.datasets import Dataset, Paragraph, Question
from rag.cli.evaluation.locating import located

TEXTS = {
    "docs/horn.txt": "The horn\nsounds   twice. It is heard for nine miles.",
    "docs/lamp.md": "# Lamp\n\nThe lamp was lit in 1874.",
    "docs/lamp-copy.md": "# Lamp\n\nThe lamp was lit in 1874.",
}


def sources_of(*paragraphs: Paragraph) -> list[str | None]:
    """Return the located source of one question about each paragraph."""
    questions = [Question(str(n), "Why?", (), paragraph=n, source=p.source) for n, p in enumerate(paragraphs)]
    questions.append(Question("own", "Why?", (), source="named.md"))
    dataset = Dataset("d", "1.1", "", tuple(questions), paragraphs)
    *found, own = [question.source for question in located(dataset, TEXTS, TEXTS.__getitem__).questions]
    assert own == "named.md"
    return found


def test_a_paragraph_is_found_by_its_text_in_any_white_space() -> None:
    assert sources_of(Paragraph("Horn/0.txt", "Horn", "The horn sounds twice. It is\nheard")) == ["docs/horn.txt"]
    assert sources_of(Paragraph("Horn/0.txt", "Horn", "nine miles.")) == [
        "docs/horn.txt"
    ]  # fewer words than are hashed


def test_of_two_documents_the_first_by_name_is_used() -> None:
    assert sources_of(Paragraph("Lamp/0.txt", "Lamp", "The lamp was lit in 1874.")) == ["docs/lamp-copy.md"]


def test_a_name_counts_before_the_text() -> None:
    assert sources_of(Paragraph("x/0.txt", "docs/lamp.md", "The lamp was lit in 1874.")) == ["docs/lamp.md"]
    assert sources_of(Paragraph("horn.txt", "", "Other words altogether here.")) == ["docs/horn.txt"]


def test_a_paragraph_in_no_document_has_no_source() -> None:
    assert sources_of(
        Paragraph("a/0.txt", "A", "The lamp was lit in 1875, they say."),
        Paragraph("a/1.txt", "A", "The lamp was lit in 1874, they say."),
        Paragraph("a/2.txt", "A", "  "),
    ) == [None, None, None]


def test_many_paragraphs_are_found_at_once() -> None:
    paragraphs = [
        Paragraph(f"a/{n}.txt", "A", text) for n, text in enumerate(("It is heard for nine", "The lamp was lit"))
    ]
    assert sources_of(*paragraphs) == ["docs/horn.txt", "docs/lamp-copy.md"]
