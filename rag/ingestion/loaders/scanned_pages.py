"""Scanned pages: pages of a PDF that are read by OCR, and the joining of pages with their boxes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rag.ingestion.loaders.ocr import PictureReader, ReadPicture
from rag.ingestion.loaders.word_boxes import pack_words
from rag.types import PageBoxes, Section

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["boxes_of", "joined_pages", "read_scan"]

_PAGE_BREAK = "\n\n"
_DPI = 300
_STAMP = 150  # characters: a page with more has a text of its own
_COVERED = 0.5  # share of a page that a picture covers, from which a short text may be a stamp on a scan
_MOST_OBJECTS = 200


def read_scan(page: Any, characters: int, reader: PictureReader) -> ReadPicture | None:
    """Read a page of a PDF if it is a scan, else return None: it has no text and something is drawn, or only a stamp.

    ``characters`` is the number of visible characters in its text.

    A stamp is a short text on a page that a picture covers, such as a page number or a scanner's name. It is drawn on
    the page, so OCR reads it, too.
    """
    import pypdfium2.raw as pdfium

    if characters:
        if not reader.is_ready or characters > _STAMP or not _is_covered(page):
            return None
    elif pdfium.FPDFPage_CountObjects(page) <= 0:
        return None
    width, height = page.get_size()
    if not (math.isfinite(width) and math.isfinite(height)) or width < 1 or height < 1:
        return None
    scale = min(_DPI / 72, math.sqrt(1e6 * reader.settings.page_megapixels / (width * height)))

    def draw() -> Image:
        image: Image = page.render(scale=scale, grayscale=True).to_pil()
        return image.convert("L")

    read = reader.read(draw, max(round(72 * scale), 70))
    if not characters:
        return read
    return read if len("".join(read.text.text.split())) > characters else None


def _is_covered(page: Any) -> bool:
    """Return whether a picture covers most of a page."""
    import pypdfium2.raw as pdfium

    width, height = page.get_size()
    objects = page.get_objects(filter=(pdfium.FPDF_PAGEOBJ_IMAGE,), max_depth=3)
    for number, picture in enumerate(objects):
        if number >= _MOST_OBJECTS:
            return False
        left, bottom, right, top = picture.get_bounds()
        if (right - left) * (top - bottom) >= _COVERED * width * height:
            return True
    return False


def boxes_of(pages: Sequence[ReadPicture | None], text: str, sections: Sequence[Section]) -> tuple[PageBoxes, ...]:
    """Return the boxes of the pages that were read by OCR; their text is in a section of their page."""
    boxes = []
    for number, read in enumerate(pages, start=1):
        if read is None or not read.text.words:
            continue
        places = (text.find(read.text.text, s.start, s.end) for s in sections if s.page == number)
        start = next((place for place in places if place >= 0), None)
        if start is not None:
            boxes.append(PageBoxes(number, start, pack_words(read.text.words, read.size)))
    return tuple(boxes)


def joined_pages(
    pages: Iterable[tuple[str, ReadPicture | None]],
) -> tuple[str, tuple[Section, ...], tuple[PageBoxes, ...]]:
    """Join the texts of pages of a picture file; that of a page that was read by OCR begins with what was read.

    Return the text, a section for each page that has some, and the boxes of pages that were read by OCR.
    """
    texts, sections, boxes, position = list[str](), list[Section](), list[PageBoxes](), 0
    for number, (text, read) in enumerate(pages, start=1):
        if text:
            sections.append(Section(position, position + len(text), number))
        if read is not None and read.text.words:
            boxes.append(PageBoxes(number, position, pack_words(read.text.words, read.size)))
        texts.append(text)
        position += len(text) + len(_PAGE_BREAK)
    return _PAGE_BREAK.join(texts), tuple(sections), tuple(boxes)
