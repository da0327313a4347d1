"""A page of a PDF or a picture file as an image, with boxes around given words.

The words are found by their characters alone, in the order in which the page's layout is read: white space, hyphens and
composed letters differ between the page and the stored text, and the marks of tables, lists and headings are only in
the latter. A quote that is not in one piece on the page, such as a row of a table, is found piece by piece. Where the
words of a scan are, the caller knows. This module does not know documents and citations. It reads untrusted files: run
it through :mod:`rag.ingestion.sandbox`.
"""

from __future__ import annotations

import io
import math
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from rag.errors import DocumentError
from rag.ingestion.loaders.pdf_chars import letters_of, visible_codes
from rag.ingestion.loaders.pdf_forms import open_form
from rag.ingestion.loaders.pdf_layout import Lines, read_page
from rag.ingestion.loaders.picture_file import as_seen, check_size, frames_of, open_picture, picture_type
from rag.ingestion.loaders.word_boxes import Rectangle

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Box", "PageImage", "compact", "render_page"]

Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels of the image."""

_LAYOUT = "\ufffe\x02\ufeff\x00\ufffd\u00ad\u2010-|#\\*^_[]/•"
"""Hyphens, characters replaced in the stored text, and marks of tables, lists, headings and raised text."""
_PIECES = re.compile(r"\n|(?<!\\)\|")
_MOST_PIECES, _MOST_BOXES = 200, 400
_SHORTEST_BEGINNING = 16  # characters
_WIDE, _MOST_PIXELS, _MOST_ZOOM = 1200, 4_000_000, 4.0
_FILL, _LINE = (255, 196, 0, 70), (180, 83, 9, 255)
_PADDING = 3
_MOST_MEGAPIXELS = 100  # of a picture file that is drawn: more than OCR reads


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


def render_page(
    data: bytes, number: int, quote: str = "", before: int = 0, scanned: Iterable[Iterable[float]] = ()
) -> PageImage:
    """Draw page ``number``, from 1, with boxes around ``quote``.

    ``before`` is the length of :func:`compact` of the page's text before the quote. Of several places the nearest to
    it is chosen. ``scanned`` are the places of the quote on a scan instead: left, top, right and bottom as shares of
    the page. Raises :class:`~rag.errors.DocumentError`.
    """
    import pypdfium2

    places = [Rectangle(*place) for place in scanned]
    if picture_type(data) is not None:
        return _draw_picture(data, number, places)
    pdf = None
    try:
        pdf = pypdfium2.PdfDocument(data)
        open_form(pdf)  # so that the values of its fields are drawn
        if not 1 <= number <= len(pdf):
            raise DocumentError("no page", f"it has no page {number}", "ingest it again")
        return _draw(pdf[number - 1], quote, before, places)
    except pypdfium2.PdfiumError:
        raise DocumentError("broken", f"page {number} cannot be drawn", "export or download it again") from None
    finally:
        if pdf is not None:
            pdf.close()


def _draw_picture(data: bytes, number: int, places: list[Rectangle]) -> PageImage:
    from PIL import Image, ImageOps

    with open_picture(data) as image:
        frame = next(islice(frames_of(image, number), number - 1, None), None)
        if frame is None:
            raise DocumentError("no page", f"it has no page {number}", "ingest it again")
        check_size(frame, data, _MOST_MEGAPIXELS)
        upright = ImageOps.exif_transpose(frame) if frame.mode in ("RGB", "RGBA") else as_seen(frame)
        scale = _scale(*upright.size)
        size = (max(round(upright.width * scale), 1), max(round(upright.height * scale), 1))
        picture = upright.convert("RGBA").resize(size, Image.Resampling.LANCZOS)
    return _with_boxes(picture, [_on_picture(place, picture.size) for place in places])


def _draw(page: Any, quote: str, before: int, places: list[Rectangle]) -> PageImage:
    bitmap = page.render(scale=_scale(*page.get_size()))
    picture = bitmap.to_pil().convert("RGBA")
    place = bitmap.get_posconv(page)
    if places:
        return _with_boxes(picture, [_on_picture(share, picture.size) for share in places])
    return _with_boxes(picture, [_on_image(place, r, picture.size) for r in _rectangles(page, quote, before)])


def _with_boxes(picture: Image, boxes: list[Box]) -> PageImage:
    from PIL import Image as Images
    from PIL import ImageDraw

    if boxes:
        layer = Images.new("RGBA", picture.size)
        pen = ImageDraw.Draw(layer)
        for box in boxes:
            pen.rectangle(box, fill=_FILL, outline=_LINE, width=2)
        picture = Images.alpha_composite(picture, layer)
    out = io.BytesIO()
    picture.convert("RGB").save(out, "PNG")
    return PageImage(out.getvalue(), picture.width, picture.height, tuple(boxes))


def _scale(width: float, height: float) -> float:
    """Return pixels per point, so that a page fills a wide image and has no more pixels than a screen can use."""
    if not (math.isfinite(width) and math.isfinite(height)) or width < 1 or height < 1:
        raise DocumentError("broken", "the page has no size", "export or download it again")
    return min(_WIDE / width, math.sqrt(_MOST_PIXELS / (width * height)), _MOST_ZOOM)


def _rectangles(page: Any, quote: str, before: int) -> list[tuple[float, float, float, float]]:
    """Return a rectangle for each run of the quote's characters, in points of the page."""
    words = page.get_textpage()
    codes = visible_codes(words)
    for text, places in (_in_reading_order(page, words), _as_drawn(codes)):
        if found := _find(text, places, quote, before):
            break
    else:
        return []
    visible = [index for index, _ in codes]
    wanted = sorted({place for place in found if place >= 0})
    rectangles: list[tuple[float, float, float, float]] = []
    for first, last in _runs(wanted, visible):
        rectangles += [words.get_rect(n) for n in range(words.count_rects(first, last - first + 1))]
        if len(rectangles) >= _MOST_BOXES:
            break
    return rectangles[:_MOST_BOXES]


def _in_reading_order(page: Any, words: Any) -> tuple[str, list[int]]:
    """Return the text of a page as its layout is read, and pdfium's index of each character."""
    texts: list[str] = []
    places: list[int] = []
    for block in read_page(page, words, 1).blocks():
        if isinstance(block, Lines):
            texts += [line.text for line in block.lines]
            places += [place for line in block.lines for place in line.places]
        else:
            texts += block.texts
            places += block.places
    return "".join(texts), places


def _as_drawn(codes: list[tuple[int, int]]) -> tuple[str, list[int]]:
    """Return the text of a page in the order in which pdfium has it, and the index of each character."""
    texts = [(letters_of(code), index) for index, code in codes]
    return "".join(text for text, _ in texts), [index for text, index in texts for _ in text]


def _runs(wanted: list[int], visible: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and last of indexes between which no other visible character is."""
    first = last = -1
    for index in wanted:
        if first >= 0 and bisect_left(visible, index) == bisect_left(visible, last) + 1:
            last = index
            continue
        if first >= 0:
            yield first, last
        first = last = index
    if first >= 0:
        yield first, last


def _find(text: str, places: list[int], quote: str, before: int) -> list[int]:
    """Return the places of the quote's characters in a page's text; none if it is not there.

    A quote that is not there in one piece is looked for line by line and cell by cell, each near the one before.
    """
    page, own = _compact(text)
    for pieces in ([quote], _PIECES.split(quote)[:_MOST_PIECES]):
        wanted = [piece for piece in map(compact, pieces) if piece]
        found: list[int] = []
        near = before
        for piece in wanted:
            start = _nearest(page, piece, near)
            if start is None:
                continue
            found += [places[place] for place in own[start : start + len(piece)]]
            near = start + len(piece)
        if found and (len(wanted) == 1 or 2 * len(found) >= sum(map(len, wanted))):
            return found
    return _beginning(page, own, places, compact(quote))


def _beginning(page: str, own: list[int], places: list[int], wanted: str) -> list[int]:
    """Return the places of the beginning of a quote that goes on on the next page."""
    low, high = 0, len(wanted)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if wanted[:middle] in page else (low, middle - 1)
    if low < _SHORTEST_BEGINNING:
        return []
    start = page.rfind(wanted[:low])
    return [places[place] for place in own[start : start + low]]


def _nearest(page: str, piece: str, near: int) -> int | None:
    """Return where a piece begins in a page's text, the place that is nearest to ``near``; None if it is not there."""
    after = page.find(piece, max(near, 0))
    before = page.rfind(piece, 0, max(near, 0) + len(piece) - 1)
    starts: Iterable[int] = (start for start in (after, before) if start >= 0)
    return min(starts, key=lambda start: abs(start - near), default=None)


def _compact(text: str) -> tuple[str, list[int]]:
    characters, places = [], []
    for place, character in enumerate(text):
        if character.isspace() or character in _LAYOUT:
            continue
        for part in unicodedata.normalize("NFD", character):
            characters.append(part)
            places.append(place)
    return "".join(characters), places


def _on_picture(share: Rectangle, size: tuple[int, int]) -> Box:
    width, height = size
    return (
        max(round(share.left * width) - _PADDING, 0),
        max(round(share.top * height) - _PADDING, 0),
        min(round(share.right * width) + _PADDING, width - 1),
        min(round(share.bottom * height) + _PADDING, height - 1),
    )


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
