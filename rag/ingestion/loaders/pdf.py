"""PDF, through pdfium: one section per page, so that every chunk knows its page. A scan has no text."""

from __future__ import annotations

import re
from typing import Any

from rag.errors import DocumentError
from rag.ingestion.loaders.limits import Bounds
from rag.ingestion.loaders.note_kinds import NOTE_KINDS, numbered
from rag.ingestion.loaders.text import normalise, title_from
from rag.text import one_line
from rag.types import Document, ReadingNote, Section

__all__ = ["load_pdf"]

_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
_PAGE_BREAK = "\n\n"


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
        pages = [_page_text(pdf, number) for number in range(len(pdf))]
        unread = [number for number, page in enumerate(pages, start=1) if not page and _shows(pdf, number)]
        title = normalise(pdf.get_metadata_value("Title")).strip()
    except pypdfium2.PdfiumError as error:
        raise DocumentError(
            "broken", f"a page of the PDF cannot be read: {_reason(error)}", "export or download it again"
        ) from None
    finally:
        pdf.close()
    if not any(page.strip() for page in pages):
        raise DocumentError(
            "no text", f"none of the {len(pages)} pages has text", "if it is a scan, run OCR on it first"
        )
    text, sections = _join(pages)
    notes = (_without_text(unread, len(pages)),) if unread else ()
    return Document(source, "application/pdf", title or title_from(source), text, sections, len(pages), notes)


def _shows(pdf: Any, number: int) -> bool:
    """Return whether anything is drawn on a page, which is not simply blank then."""
    import pypdfium2.raw as pdfium

    page = pdf[number - 1]
    try:
        return bool(pdfium.FPDFPage_CountObjects(page) > 0)
    finally:
        page.close()


def _without_text(numbers: list[int], count: int) -> ReadingNote:
    place = numbered("page", numbers)
    text = f"{place} of {count} {'has' if len(numbers) == 1 else 'have'} no text"
    return ReadingNote("pages_without_text", text, place, NOTE_KINDS["pages_without_text"].remedy)


def _reason(error: Exception) -> str:
    """Return pdfium's own words: ``Data format error`` of ``Failed to load document (PDFium: Data format error).``"""
    message = one_line(str(error))
    inner = re.search(r"\(PDFium: (.+?)\)\.?$", message)
    return (inner.group(1) if inner else message).rstrip(".")


def _page_text(pdf: Any, number: int) -> str:
    page = pdf[number]
    textpage = page.get_textpage()
    try:
        raw = textpage.get_text_range()
    finally:
        textpage.close()
        page.close()
    # pdfium marks a hyphen at the end of a line, within a word, with U+FFFE or U+0002.
    joined = re.sub("[\ufffe\x02]\r?\n?", "", raw)
    return normalise(joined).strip()


def _join(pages: list[str]) -> tuple[str, tuple[Section, ...]]:
    sections, position = [], 0
    for number, page in enumerate(pages, start=1):
        if page:
            sections.append(Section(position, position + len(page), number))
        position += len(page) + len(_PAGE_BREAK)
    return _PAGE_BREAK.join(pages), tuple(sections)
