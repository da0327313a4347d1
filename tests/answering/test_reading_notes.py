"""Beside an answer: what was not read of the documents that it cites."""

from __future__ import annotations

import pytest

from rag.answering.reading_notes import cited_sources, with_reading_notes
from rag.types import Answer, Citation, Note, Passage, ReadingNote


def citation(source: str, page: int | None = None, *headings: str) -> Citation:
    return Citation(Passage(1, source, "", page, headings, 0, 4, "text", 1.0), 0, 4, "text")


def answer(*citations: Citation) -> Answer:
    return Answer("?", "text", False, 1.0, citations=citations, notes=(Note("first"),))


def about(*places: str) -> list[ReadingNote]:
    return [ReadingNote("pages_without_text", f"note {n}", place) for n, place in enumerate(places)]


def test_a_cited_document_that_was_read_in_part_is_named_with_the_place() -> None:
    note = ReadingNote("pages_without_text", "pages 2-4 of 5 have no text", "pages 2-4", "run OCR on them first")
    found = with_reading_notes(answer(citation("a.pdf", 1), citation("b.md")), {"a.pdf": [note], "c.pdf": [note]})
    text = "What was read of a.pdf may be incomplete: pages 2-4 of 5 have no text."
    values = {"source": "a.pdf", "what": note.text, "place": "pages 2-4", "reading": "pages_without_text"}
    assert found.notes == (Note("first"), Note(text, "read_in_part", values))
    elsewhere = with_reading_notes(answer(citation("a.pdf")), {"a.pdf": about("sheet Prices")})
    assert elsewhere.notes[1].text == "What was read of a.pdf may be incomplete: note 0 (sheet Prices)."


def test_without_notes_the_answer_is_the_same() -> None:
    cited = answer(citation("a.pdf", 1))
    assert with_reading_notes(cited, {}) is cited
    assert with_reading_notes(cited, {"a.pdf": []}) is cited


def test_a_guessed_encoding_is_not_told_beside_an_answer() -> None:
    guessed = ReadingNote("encoding_guessed", "its encoding was guessed: cp1252")
    cited = answer(citation("a.txt"))
    assert with_reading_notes(cited, {"a.txt": [guessed]}) is cited
    found = with_reading_notes(cited, {"a.txt": [guessed, *about("page 2")]})
    assert [note.values.get("what") for note in found.notes] == [None, "note 0"]


@pytest.mark.parametrize(
    ("cited", "places", "chosen"),
    [
        (citation("a", 9), ["pages 2-4", "pages 8-12", "page 20"], 1),
        (citation("a", 9), ["pages 2-4, 8", "pages 11-12"], 0),
        (citation("a", 9), ["", "page 100"], 1),
        (citation("a", 9), ["", "sheet 9"], 0),
        (citation("a", None, "Report", "Prices"), ["", "page 1", "sheet Prices"], 2),
        (citation("a", 3), ["slide 7", "slides 1-2"], 1),
        (citation("a"), ["page 4", "page 1"], 0),
    ],
)
def test_the_note_nearest_to_what_is_cited_is_chosen(cited: Citation, places: list[str], chosen: int) -> None:
    note = with_reading_notes(answer(cited), {"a": about(*places)}).notes[1]
    assert note.values["what"] == f"note {chosen}"


def test_at_most_three_documents_are_named_each_once() -> None:
    names = ["a", "b", "a", "c", "d", "e"]
    cited = answer(*map(citation, names))
    assert cited_sources([cited, cited]) == ["a", "b", "c", "d", "e"]
    notes = with_reading_notes(cited, {name: about("page 1", "page 2") for name in "bcde"}).notes
    assert [note.values.get("source") for note in notes] == [None, "b", "c", "d"]


def by_ocr(*places: str, kind: str = "read_by_ocr") -> list[ReadingNote]:
    return [ReadingNote(kind, f"{place} was read by OCR", place) for place in places]


def test_an_answer_from_a_page_that_was_read_by_ocr_says_so_and_one_from_another_page_does_not() -> None:
    notes = {"a.pdf": [*by_ocr("pages 2-4"), *by_ocr("page 4", kind="ocr_uncertain")]}
    (_, note) = with_reading_notes(answer(citation("a.pdf", 3)), notes).notes
    text = "a.pdf was read by OCR (pages 2-4): check names and numbers against the scan."
    assert note == Note(text, "read_by_ocr", {"source": "a.pdf", "place": "pages 2-4"})
    (_, note) = with_reading_notes(answer(citation("a.pdf", 4)), notes).notes
    text = "a.pdf was hard to read by OCR (page 4): check the words against the scan."
    assert note == Note(text, "ocr_uncertain", {"source": "a.pdf", "place": "page 4"})
    for other in (citation("a.pdf", 1), citation("a.pdf"), citation("b.pdf", 3)):
        assert len(with_reading_notes(answer(other), notes).notes) == 1


def test_an_attachment_that_was_read_by_ocr_is_found_by_its_heading() -> None:
    notes = {"a.eml": by_ocr("attachment scan.pdf, page 1")}
    cited = answer(citation("a.eml", 1, "Letter", "attachment scan.pdf"))
    assert [note.kind for note in with_reading_notes(cited, notes).notes] == ["", "read_by_ocr"]


def test_what_is_missing_and_what_was_read_by_ocr_are_both_said() -> None:
    notes = {"a.pdf": [*by_ocr("page 2"), *about("page 9")]}
    kinds = [note.kind for note in with_reading_notes(answer(citation("a.pdf", 2)), notes).notes]
    assert kinds == ["", "read_in_part", "read_by_ocr"]
