"""A page of a PDF as an image, with boxes around given words.

The words are found by their characters alone: white space, hyphens at line ends and composed letters differ between
the page's text and the stored text. This module does not know documents and citations. It reads untrusted files: run
it through :mod:`rag.ingestion.sandbox`.
"""

from __future__ import annotations

import io
import math
import unicodedata
from dataclasses import dataclass
from typing import Any

from rag.errors import DocumentError
from rag.ingestion.loaders.pdf_forms import open_form

__all__ = ["Box", "PageImage", "compact", "render_page"]

Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels of the image."""

_LAYOUT = "\ufffe\x02\ufeff\x00\ufffd\u00ad"  # soft hyphens, and characters replaced in the stored text
_WIDE, _MOST_PIXELS, _MOST_ZOOM = 1200, 4_000_000, 4.0
_FILL, _LINE = (255, 196, 0, 70), (180, 83, 9, 255)
_PADDING = 3


@dataclass(frozen=True, slots=True)
class PageImage:
    """A page as a PNG, with a box around each line of the words; no boxes if they were not found on it."""

    png: bytes
    width: int
    height: int
    boxes: tuple[Box, ...] = ()


def compact(text: str) -> str:
    """Return the characters that a page and its stored text have in common."""
    return _compact(text)[0]


def render_page(data: bytes, number: int, quote: str = "", before: int = 0) -> PageImage:
    """Draw page ``number``, from 1, with boxes around ``quote``.

    ``before`` is the length of :func:`compact` of the page's text before the quote. Of several places the nearest to
    it is chosen. Raises :class:`~rag.errors.DocumentError`.
    """
    import pypdfium2

    pdf = None
    try:
        pdf = pypdfium2.PdfDocument(data)
        open_form(pdf)  # so that the values of its fields are drawn
        if not 1 <= number <= len(pdf):
            raise DocumentError("no page", f"it has no page {number}", "ingest it again")
        return _draw(pdf[number - 1], quote, before)
    except pypdfium2.PdfiumError:
        raise DocumentError("broken", f"page {number} cannot be drawn", "export or download it again") from None
    finally:
        if pdf is not None:
            pdf.close()


def _draw(page: Any, quote: str, before: int) -> PageImage:
    from PIL import Image, ImageDraw

    bitmap = page.render(scale=_scale(*page.get_size()))
    picture = bitmap.to_pil().convert("RGBA")
    place = bitmap.get_posconv(page)
    boxes = tuple(_on_image(place, rectangle, picture.size) for rectangle in _rectangles(page, quote, before))
    if boxes:
        layer = Image.new("RGBA", picture.size)
        pen = ImageDraw.Draw(layer)
        for box in boxes:
            pen.rectangle(box, fill=_FILL, outline=_LINE, width=2)
        picture = Image.alpha_composite(picture, layer)
    out = io.BytesIO()
    picture.convert("RGB").save(out, "PNG")
    return PageImage(out.getvalue(), picture.width, picture.height, boxes)


def _scale(width: float, height: float) -> float:
    """Return pixels per point, so that a page fills a wide image and has no more pixels than a screen can use."""
    if not (math.isfinite(width) and math.isfinite(height)) or width < 1 or height < 1:
        raise DocumentError("broken", "the page has no size", "export or download it again")
    return min(_WIDE / width, math.sqrt(_MOST_PIXELS / (width * height)), _MOST_ZOOM)


def _rectangles(page: Any, quote: str, before: int) -> list[tuple[float, float, float, float]]:
    """Return a rectangle for each run of the quote's characters, in points of the page."""
    import pypdfium2.raw as pdfium

    words = page.get_textpage()
    span = _find(words.get_text_range(), quote, before)
    if span is None:
        return []
    first, last = (pdfium.FPDFText_GetCharIndexFromTextIndex(words, place) for place in span)
    if first < 0 or last < first:
        return []
    return [words.get_rect(n) for n in range(words.count_rects(first, last - first + 1))]


def _find(text: str, quote: str, before: int) -> tuple[int, int] | None:
    """Return the places of the first and last character of the quote in a page's text, None if it is not there."""
    page, places = _compact(text)
    wanted = compact(quote)
    if not wanted:
        return None
    starts, start = [], page.find(wanted)
    while start >= 0:
        starts.append(start)
        start = page.find(wanted, start + 1)
    if not starts:
        return None
    nearest = min(starts, key=lambda place: abs(place - before))
    return places[nearest], places[nearest + len(wanted) - 1]


def _compact(text: str) -> tuple[str, list[int]]:
    characters, places = [], []
    for place, character in enumerate(text):
        if character.isspace() or character in _LAYOUT:
            continue
        for part in unicodedata.normalize("NFD", character):
            characters.append(part)
            places.append(place)
    return "".join(characters), places


def _on_image(place: Any, rectangle: tuple[float, float, float, float], size: tuple[int, int]) -> Box:
    left, bottom, right, top = rectangle
    corners = [place.to_bitmap(x, y) for x in (left, right) for y in (bottom, top)]  # a page may be rotated
    across, down = [x for x, _ in corners], [y for _, y in corners]
    return (
        max(min(across) - _PADDING, 0),
        max(min(down) - _PADDING, 0),
        min(max(across) + _PADDING, size[0] - 1),
        min(max(down) + _PADDING, size[1] - 1),
    )
