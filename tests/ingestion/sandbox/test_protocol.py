"""Documents cross the sandbox's pipe with everything they have."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.sandbox.protocol import pack_document, read_message, unpack_document, write_message
from rag.types import Document, ReadingNote, Section

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NOTES = st.builds(ReadingNote, TEXTS, TEXTS, TEXTS, TEXTS)


@given(st.lists(NOTES, max_size=3).map(tuple), TEXTS, st.none() | st.integers(1, 9))
def test_a_document_is_the_same_on_the_other_side(notes: tuple[ReadingNote, ...], text: str, pages: int | None) -> None:
    sent = Document("a.pdf", "application/pdf", "A", text, (Section(0, len(text), pages, ("One",)),), pages, notes)
    pipe = io.BytesIO()
    write_message(pipe, *pack_document(sent))
    pipe.seek(0)
    message = read_message(pipe)
    assert message is not None
    assert unpack_document(*message) == sent


def test_the_notes_of_a_file_inside_another_name_that_file_and_count_once() -> None:
    inner = DocumentBuilder()
    inner.add("text")
    inner.note("pages_without_text", "2 pages have no text", "pages 1-2", "run OCR on them")
    outer = DocumentBuilder()
    for _ in range(2):
        outer.add_document(inner.document("scan.pdf", "application/pdf"), ("Letter", "attachment scan.pdf"))
    (note,) = outer.document("letter.eml", "message/rfc822").notes
    place = "attachment scan.pdf, pages 1-2"
    assert note == ReadingNote("pages_without_text", "2 pages have no text", place, "run OCR on them")
