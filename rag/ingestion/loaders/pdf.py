"""PDF, through pdfium: one section per page, so that every chunk knows its page. A scan has no text.

The values of form fields and the texts of annotations are read below the text of their page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rag.errors import DocumentError
from rag.ingestion.loaders.limits import Bounds
from rag.ingestion.loaders.note_kinds import note_of, numbered
from rag.ingestion.loaders.pdf_forms import annotation_texts, is_dynamic_form, open_form
from rag.ingestion.loaders.text import normalise, title_from
from rag.ingestion.loaders.titles import usable_title
from rag.text import one_line
from rag.types import Document, ReadingNote, Section

__all__ = ["load_pdf"]

_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
_PAGE_BREAK = "\n\n"
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
        read = [_read_page(pdf, number) for number in range(len(pdf))]
        title = usable_title(pdf.get_metadata_value("Title"))
        notes = list(_notes(pdf, [page.unread for page in read]))
    except pypdfium2.PdfiumError as error:
        raise DocumentError(
            "broken", f"a page of the PDF cannot be read: {_reason(error)}", "export or download it again"
        ) from None
    finally:
        pdf.close()
    pages = [page.text for page in read]
    if not any(page.strip() for page in pages):
        raise DocumentError(
            "no text", f"none of the {len(pages)} pages has text", "if it is a scan, run OCR on it first"
        )
    text, sections = _join(pages)
    return Document(source, "application/pdf", title or title_from(source), text, sections, len(pages), tuple(notes))


def _notes(pdf: Any, unread: list[bool]) -> Iterator[ReadingNote]:
    """Yield what is not read: pictures of text, a dynamic form, and files inside the PDF."""
    if pages := [number for number, is_unread in enumerate(unread, start=1) if is_unread]:
        place = numbered("page", pages)
        text = f"{place} of {len(unread)} {'has' if len(pages) == 1 else 'have'} no text"
        yield note_of("pages_without_text", text, place)
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
    """The text of a page; ``unread`` if something is drawn on it and none of that is text."""

    text: str
    unread: bool


def _read_page(pdf: Any, number: int) -> _Page:
    import pypdfium2.raw as pdfium

    page = pdf[number]
    textpage = page.get_textpage()
    try:
        raw = textpage.get_text_range()
        more = annotation_texts(pdf, page, textpage)
        is_drawn = pdfium.FPDFPage_CountObjects(page) > 0
    finally:
        textpage.close()
        page.close()
    # pdfium marks a hyphen at the end of a line, within a word, with U+FFFE or U+0002.
    text = normalise(re.sub("[\ufffe\x02]\r?\n?", "", raw)).strip()
    return _Page("\n\n".join(filter(None, (text, "\n".join(more)))), not text and is_drawn)


def _join(pages: list[str]) -> tuple[str, tuple[Section, ...]]:
    sections, position = [], 0
    for number, page in enumerate(pages, start=1):
        if page:
            sections.append(Section(position, position + len(page), number))
        position += len(page) + len(_PAGE_BREAK)
    return _PAGE_BREAK.join(pages), tuple(sections)
