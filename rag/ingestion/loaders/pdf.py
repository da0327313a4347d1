"""PDF, through pdfium: headings, paragraphs, lists and tables in reading order. A section never crosses a page break.

The values of form fields and the texts of annotations are read below the text of their page. A scan has no text.
Running heads and page numbers are left out and noted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rag.errors import DocumentError
from rag.ingestion.loaders.limits import Bounds
from rag.ingestion.loaders.note_kinds import note_of, numbered
from rag.ingestion.loaders.pdf_flow import PageItem, PlainText, flow_text, page_items
from rag.ingestion.loaders.pdf_forms import annotation_texts, is_dynamic_form, open_form
from rag.ingestion.loaders.pdf_layout import Page, read_page
from rag.ingestion.loaders.pdf_margins import Margins
from rag.ingestion.loaders.pdf_paragraphs import Words
from rag.ingestion.loaders.text import normalise, title_from
from rag.ingestion.loaders.titles import usable_title
from rag.text import one_line
from rag.types import Document, ReadingNote

__all__ = ["load_pdf"]

_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
_WINDOW = 64  # pages
_MOST_ATTACHMENTS = 100


def load_pdf(data: bytes, source: str, bounds: Bounds) -> Document:
    """Read a PDF page by page.

    Raises :class:`~rag.errors.DocumentError` for a PDF that is encrypted or broken, has no text, or too many pages.
    """
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == _PASSWORD_ERROR:
            raise DocumentError("encrypted", "the PDF needs a password", "save a copy without one") from None
        message = f"the PDF cannot be opened: {_reason(error)}"
        raise DocumentError("broken", message, "export or download it again") from None
    try:
        if len(pdf) > bounds.pages:
            message = f"it has {len(pdf)} pages; at most {bounds.pages} are read"
            raise DocumentError("too large", message, "split it")
        open_form(pdf)
        margins, words = Margins(), Words()
        read = list(_read_pages(pdf, margins, words))
        title = usable_title(pdf.get_metadata_value("Title"))
        notes = list(_notes(pdf, [page.unread for page in read], margins))
    except pypdfium2.PdfiumError as error:
        raise DocumentError(
            "broken", f"a page of the PDF cannot be read: {_reason(error)}", "export or download it again"
        ) from None
    finally:
        pdf.close()
    text, sections = flow_text([item for page in read for item in page.items], words)
    if not text.strip():
        raise DocumentError(
            "no text", f"none of the {len(read)} pages has text", "if it is a scan, run OCR on it first"
        )
    return Document(source, "application/pdf", title or title_from(source), text, sections, len(read), tuple(notes))


def _notes(pdf: Any, unread: list[bool], margins: Margins) -> Iterator[ReadingNote]:
    """Yield what is not read: pictures of text, running heads, a dynamic form, and files inside the PDF."""
    if pages := [number for number, is_unread in enumerate(unread, start=1) if is_unread]:
        place = numbered("page", pages)
        text = f"{place} of {len(unread)} {'has' if len(pages) == 1 else 'have'} no text"
        yield note_of("pages_without_text", text, place)
    if margins.pages:
        texts = f"running heads and page numbers were left out: {', '.join(margins.texts())}"
        yield note_of("running_heads", texts, numbered("page", set().union(*margins.pages.values())))
    if is_dynamic_form(pdf):
        yield note_of("form_not_read", "the values of its dynamic form (XFA) were not read")
    for number in range(min(pdf.count_attachments(), _MOST_ATTACHMENTS)):
        name = one_line(normalise(pdf.get_attachment(number).get_name()))
        yield note_of("attachment_not_read", "a file inside the PDF was not read", f"attachment {name}")


def _reason(error: Exception) -> str:
    """Return pdfium's own words: ``Data format error`` of ``Failed to load document (PDFium: Data format error).``"""
    message = one_line(str(error))
    inner = re.search(r"\(PDFium: (.+?)\)\.?$", message)
    return (inner.group(1) if inner else message).rstrip(".")


@dataclass(frozen=True, slots=True)
class _Page:
    """What was read of a page; ``unread`` if something is drawn on it and none of that is text."""

    items: list[PageItem]
    unread: bool


def _read_pages(pdf: Any, margins: Margins, words: Words) -> Iterator[_Page]:
    """Yield the pages in order. Running heads are found among the pages of a window, which keeps memory flat."""
    for first in range(0, len(pdf), _WINDOW):
        window = [_open_page(pdf, number) for number in range(first, min(first + _WINDOW, len(pdf)))]
        running = margins.of([page for page, _, _ in window])
        for page, more, is_drawn in window:
            blocks = page.blocks(running.get(page.number, ()))
            items = page_items(blocks, page.number, words)
            if page.is_plain:
                items = [PlainText(page.plain(), page.number)]
            unread = is_drawn and not page.parts
            yield _Page([*items, *(PlainText(text, page.number) for text in more)], unread)


def _open_page(pdf: Any, number: int) -> tuple[Page, list[str], bool]:
    """Return a page, the texts of its forms and annotations, and whether anything is drawn on it."""
    import pypdfium2.raw as pdfium

    page = pdf[number]
    textpage = page.get_textpage()
    try:
        read = read_page(page, textpage, number + 1)
        more = annotation_texts(pdf, page, textpage)
        return read, ["\n".join(more)] if more else [], pdfium.FPDFPage_CountObjects(page) > 0
    finally:
        textpage.close()
        page.close()
