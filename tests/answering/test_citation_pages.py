"""A paragraph that crosses a page break is one chunk, and a citation has the page of the words that it quotes."""

from __future__ import annotations

from pathlib import Path

import pypdfium2

import rag
from benchmarks.pdf_structure_files import Sheet, sentences
from indexes import Section
from rag.answering.citation_pages import with_pages
from rag.embedding.fake import FakeEmbedder
from rag.ingestion.chunker import Chunker
from rag.ingestion.loaders import load_bytes
from rag.ingestion.loaders.pdf_page import compact, render_page
from rag.ingestion.packing import join_across_pages
from rag.ops.serialize import answer_from_json, answer_json
from rag.types import Answer, Citation

LAST = "The lamp of the northern tower was lit by Tore Vik at nine in the evening"


def crossing() -> bytes:
    """Return a PDF with a paragraph of which most is on the second page."""
    sheet = Sheet()
    lines = sheet.wrapped(f"{sentences(1, 3)} {LAST}.", 480)
    sheet.paragraph(60, 80, sentences(5, 3), 480)
    for row, line in enumerate(lines[:2]):
        sheet.text(60, 740 + 12 * row, line)
    sheet.page()
    for row, line in enumerate(lines[2:]):
        sheet.text(60, 60 + 12 * row, line)
    sheet.paragraph(60, 300, sentences(9, 3), 480)
    return sheet.done()


def test_a_chunk_crosses_the_page_with_its_paragraph_and_has_the_page_of_its_beginning() -> None:
    document = load_bytes(crossing(), "a.pdf")
    chunks = Chunker(FakeEmbedder()).chunk(document)
    [across] = [chunk for chunk in chunks if LAST in chunk.text and sentences(1, 1) in chunk.text]
    assert across.page == 1
    for chunk in chunks:
        assert document.text[chunk.start : chunk.end] == chunk.text
        page = pypdfium2.PdfDocument(crossing())[(chunk.page or 0) - 1].get_textpage().get_text_range()
        assert compact(chunk.text[:40]) in compact(page)


def test_sections_with_a_blank_line_or_other_headings_between_are_not_joined() -> None:
    text = "one two three\n\nfour"
    pieces = [(0, 3, 1), (4, 7, 2), (8, 13, 3), (15, 19, 4)]
    sections = [Section(start, end, page) for start, end, page in pieces]
    assert list(join_across_pages(text, sections)) == [Section(0, 13, 1), sections[3]]
    other = [sections[0], Section(4, 7, 2, ("B",)), Section(8, 13, 5, ("B",))]
    assert list(join_across_pages(text, other)) == other


def test_a_citation_has_the_page_on_which_its_quote_begins(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(crossing())
    with rag.open(tmp_path / ".rag", config="test") as kb:
        kb.ingest(tmp_path / "a.pdf")
        passages = [p for p in kb.search("Who lit the lamp of the northern tower?") if LAST in p.text]
        passage = next(p for p in passages if p.page == 1)
        breaks = kb.retriever.reader.store.page_breaks(passage.source, passage.start, passage.end)
        assert [page for _, page in breaks] == [2]
        citations = []
        for quote in (LAST, passage.text[:30]):
            start = passage.start + passage.text.index(quote)
            citations.append(Citation(passage, start, start + len(quote), quote))
        answer = Answer("?", LAST, False, 0.9, citations=tuple(citations), passages=(passage,))
        placed = with_pages(answer, kb.retriever.reader.store.page_breaks)
    assert [citation.page for citation in placed.citations] == [2, 1]
    assert [citation.page for citation in answer_from_json(answer_json(placed, "")).citations] == [2, 1]


def test_the_page_of_the_quote_is_drawn_and_a_quote_that_crosses_is_boxed_on_both() -> None:
    data = crossing()
    assert render_page(data, 2, LAST).boxes
    assert not render_page(data, 1, LAST).boxes
    text = load_bytes(data, "a.pdf").text
    start = text.index(sentences(1, 1))
    assert render_page(data, 1, text[start : text.index(LAST)]).boxes
