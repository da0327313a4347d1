"""Notes in the languages of the page."""

from __future__ import annotations

import pytest

from rag.answering.reading_notes import with_reading_notes
from rag.types import Answer, Citation, Passage, ReadingNote
from ui.i18n import Texts
from ui.views.words import noted, read_as

EN, RU = Texts("en"), Texts("ru")
SCAN = ReadingNote(
    "pages_without_text", "pages 2-4 of 5 have no text", "attachment a.pdf, pages 2-4", "run OCR on them"
)


@pytest.mark.parametrize(
    ("note", "english", "russian"),
    [
        (
            SCAN,
            "pages 2-4 of 5 have no text (attachment a.pdf, pages 2-4)",
            "страницы без текста, например сканы (вложение a.pdf, страницы 2-4)",
        ),
        (
            ReadingNote("pages_without_text", "page 2 of 5 has no text", "page 2"),
            "page 2 of 5 has no text",
            "страницы без текста, например сканы (страница 2)",
        ),
        (ReadingNote("of_tomorrow", "it was\nleft out", "where"), "it was left out (where)", "it was left out (where)"),
        (ReadingNote("pages_without_text", "none"), "none", "страницы без текста, например сканы"),
    ],
)
def test_what_was_not_read_is_named_with_its_place(note: ReadingNote, english: str, russian: str) -> None:
    assert (read_as(EN, note), read_as(RU, note)) == (english, russian)


def test_the_note_of_an_answer_is_in_the_language_of_the_page() -> None:
    passage = Passage(1, "docs/a.eml", "A", None, (), 0, 4, "text", 1.0)
    answer = Answer("?", "text", False, 1.0, citations=(Citation(passage, 0, 4, "text"),), passages=(passage,))
    (note,) = with_reading_notes(answer, {"docs/a.eml": [SCAN]}).notes
    assert noted(EN, note) == note.text
    assert noted(RU, note) == f"Документ docs/a.eml прочитан, возможно, не полностью: {read_as(RU, SCAN)}."
