"""PDF, through pdfium: headings, paragraphs, lists and tables in reading order. A section never crosses a page break.

The values of form fields and the texts of annotations are read below the text of their page. Scans are read by OCR.
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
from rag.ingestion.loaders.ocr import PictureReader, ReadPicture, picture_reader
from rag.ingestion.loaders.ocr_notes import ocr_remedy, page_notes
from rag.ingestion.loaders.pdf_flow import PageItem, PlainText, flow_text, page_items
from rag.ingestion.loaders.pdf_forms import annotation_texts, is_dynamic_form, open_form
from rag.ingestion.loaders.pdf_layout import Page, read_page
from rag.ingestion.loaders.pdf_margins import Margins
from rag.ingestion.loaders.pdf_paragraphs import Words
from rag.ingestion.loaders.scanned_pages import boxes_of, read_scan
from rag.ingestion.loaders.text import title_from
from rag.ingestion.loaders.titles import usable_title
from rag.text import one_line
from rag.types import Document, ReadingNote

__all__ = ["load_pdf"]

_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
_WINDOW = 64  # pages


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
        margins, words, reader = Margins(), Words(), picture_reader()
        read = list(_read_pages(pdf, margins, words, reader))
        title = usable_title(pdf.get_metadata_value("Title"))
        notes = list(_notes(pdf, read, margins, reader))
    except pypdfium2.PdfiumError as error:
        raise DocumentError(
            "broken", f"a page of the PDF cannot be read: {_reason(error)}", "export or download it again"
        ) from None
    finally:
        pdf.close()
    text, sections = flow_text([item for page in read for item in page.items], words)
    if not text.strip():
        raise _without_text(read, reader, notes)
    boxes = boxes_of([page.scan for page in read], text, sections)
    title = title or title_from(source)
    return Document(source, "application/pdf", title, text, sections, len(read), tuple(notes), boxes)


def _without_text(read: list[_Page], reader: PictureReader, notes: list[ReadingNote]) -> DocumentError:
    """Return the error for a PDF of which no page has text."""
    none = f"none of the {len(read)} pages has text" if len(read) > 1 else "its only page has no text"
    if not any(page.scan for page in read):
        return DocumentError("no text", none, "export it again with its text")
    if not reader.is_ready:
        return DocumentError("no ocr", none, ocr_remedy(reader.settings))
    stopped = next((note for note in notes if note.kind == "ocr_stopped"), None)
    if stopped is not None:
        return DocumentError("no text", f"{none}: {stopped.text}", stopped.remedy)
    return DocumentError("no text", f"{none} that OCR can read", "scan it again, or set parsing.ocr_languages")


def _notes(pdf: Any, read: list[_Page], margins: Margins, reader: PictureReader) -> Iterator[ReadingNote]:
    """Yield what is read by OCR, and what is not read: scans, running heads, a dynamic form."""
    scans = [(number, page.scan) for number, page in enumerate(read, start=1) if page.scan is not None]
    yield from page_notes(reader, scans, len(read))
    if margins.pages:
        texts = f"running heads and page numbers were left out: {', '.join(margins.texts())}"
        yield note_of("running_heads", texts, numbered("page", set().union(*margins.pages.values())))
    if is_dynamic_form(pdf):
        yield note_of("form_not_read", "the values of its dynamic form (XFA) were not read")


def _reason(error: Exception) -> str:
    """Return pdfium's own words: ``Data format error`` of ``Failed to load document (PDFium: Data format error).``"""
    message = one_line(str(error))
    inner = re.search(r"\(PDFium: (.+?)\)\.?$", message)
    return (inner.group(1) if inner else message).rstrip(".")


@dataclass(frozen=True, slots=True)
class _Page:
    """What was read of a page, and what became of it if it is a scan."""

    items: list[PageItem]
    scan: ReadPicture | None


def _read_pages(pdf: Any, margins: Margins, words: Words, reader: PictureReader) -> Iterator[_Page]:
    """Yield the pages in order. Running heads are found among the pages of a window, which keeps memory flat."""
    for first in range(0, len(pdf), _WINDOW):
        window = [_open_page(pdf, number, reader) for number in range(first, min(first + _WINDOW, len(pdf)))]
        running = margins.of([page for page, _, _ in window])
        for page, more, scan in window:
            blocks = page.blocks(running.get(page.number, ()))
            items = page_items(blocks, page.number, words)
            if page.is_plain:
                items = [PlainText(page.plain(), page.number)]
            if scan is not None and scan.text.text:
                items = [PlainText(scan.text.text, page.number)]
            yield _Page([*items, *(PlainText(text, page.number) for text in more)], scan)


def _open_page(pdf: Any, number: int, reader: PictureReader) -> tuple[Page, list[str], ReadPicture | None]:
    """Return a page, the texts of its forms and annotations, and what became of it if it is a scan."""
    page = pdf[number]
    textpage = page.get_textpage()
    try:
        read = read_page(page, textpage, number + 1)
        more = annotation_texts(pdf, page, textpage)
        scan = read_scan(page, sum(len(part.indexes) for part in read.parts), reader)
        if scan is not None and scan.text.text:
            read = Page(number + 1, [], str)
        return read, ["\n".join(more)] if more else [], scan
    finally:
        textpage.close()
        page.close()
