"""Where the words of pages that were read by OCR are, packed: a few bytes for each word, stored with the document.

Boxes are shares of the page as it is drawn. A page's offsets count from its first character, so that the page can move.
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rag.ingestion.loaders.ocr_text import PlacedWord
from rag.types import PageBoxes

__all__ = ["Rectangle", "pack_boxes", "pack_words", "rectangles"]

_SCALE = 10_000  # steps across a page: an A4 page at 300 dpi has 2,480 pixels across
_HEAD = struct.Struct("<III")  # page, first character, bytes that follow
_COLUMNS = 6  # gap before the word, its length, left, top, right, bottom
_MOST = 0xFFFF
_MOST_BYTES = 1 << 26


class Rectangle(NamedTuple):
    """A part of a page as shares of its width and height, 0 to 1."""

    left: float
    top: float
    right: float
    bottom: float


def pack_words(words: Iterable[PlacedWord], size: tuple[int, int]) -> bytes:
    """Pack the words of an image of a size in pixels."""
    columns: list[list[int]] = [[] for _ in range(_COLUMNS)]
    end = 0
    for word in words:
        left, top, right, bottom = word.box
        row = (word.start - end, word.end - word.start, *(
            round(_SCALE * value / most) for value, most in zip((left, top, right, bottom), (*size, *size), strict=True)
        ))  # fmt: skip
        for column, value in zip(columns, row, strict=True):
            column.append(min(max(value, 0), _MOST))
        end = word.end
    values = array("H", [value for column in columns for value in column])
    if sys.byteorder == "big":
        values.byteswap()
    return zlib.compress(values.tobytes(), 9)


def pack_boxes(pages: Iterable[PageBoxes]) -> bytes | None:
    """Return the boxes of a document in one piece, None if there are none."""
    parts = [_HEAD.pack(page.page, page.start, len(page.words)) + page.words for page in pages]
    return b"".join(parts) or None


def rectangles(packed: bytes, page: int, start: int, end: int) -> list[Rectangle]:
    """Return the rectangles of the words of a page that have characters from ``start`` to ``end``, one for each line.

    Damaged boxes are none.
    """
    try:
        words = [r for p in _pages(packed) if p.page == page for r in _words(p, start, end)]
    except (struct.error, zlib.error, ValueError):
        return []
    lines: list[Rectangle] = []
    for word in words:
        last = lines[-1] if lines else None
        if last and _on_one_line(last, word):
            lines[-1] = Rectangle(last.left, min(last.top, word.top), word.right, max(last.bottom, word.bottom))
        else:
            lines.append(word)
    return lines


def _pages(packed: bytes) -> Iterator[PageBoxes]:
    place = 0
    while place < len(packed):
        page, start, size = _HEAD.unpack_from(packed, place)
        place += _HEAD.size
        yield PageBoxes(page, start, packed[place : place + size])
        place += size


def _words(page: PageBoxes, start: int, end: int) -> Iterator[Rectangle]:
    values = array("H", zlib.decompressobj().decompress(page.words, _MOST_BYTES))
    if sys.byteorder == "big":
        values.byteswap()
    count = len(values) // _COLUMNS
    columns = [values[n * count : (n + 1) * count] for n in range(_COLUMNS)]
    place = page.start
    for gap, length, *box in zip(*columns, strict=True):
        first = place + gap
        place = first + length
        if first < end and place > start:
            yield Rectangle(*(value / _SCALE for value in box))


def _on_one_line(last: Rectangle, word: Rectangle) -> bool:
    middle = (word.top + word.bottom) / 2
    return last.top <= middle <= last.bottom and word.left >= last.left
