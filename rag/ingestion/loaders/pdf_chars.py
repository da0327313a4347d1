"""The characters of a page of a PDF with their boxes, as pdfium finds them, in a frame in which their text is upright.

A page may have text in several directions (a table that lies on its side, a stamp along the margin). Each direction is
a group of its own, turned so that its lines run from left to right. White space has no place in a group: a character
knows whether pdfium saw some before it.
"""

from __future__ import annotations

import ctypes
import math
import re
import unicodedata
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SKEWED", "CharGroup", "letters_of", "read_chars", "turned_points", "visible_codes"]

SKEWED = 4
"""The direction of text that is neither upright nor turned by quarters, such as a watermark."""

_HYPHENS = (0x02, 0xFFFE)  # pdfium's marks for a hyphen at the end of a line
_NOT_DRAWN = frozenset((0x00, 0xFEFF, 0xAD, 0x200B, 0x200C, 0x200D, 0x2060))
_TOLERANCE = math.radians(8)
_BOLD = re.compile(r"bold|black|heavy|semib|demi|cmbx|cmb10|sfbx|[-,]bd|-b$", re.I)
_BOLD_WEIGHT = 650
_FORCE_BOLD = 1 << 18
_BULLETS = {
    0xF0B7: "•",
    0xF0A7: "▪",
    0xF0D8: "➢",
    0xF0FC: "✓",
    0xF076: "❖",
    0xF02D: "-",
    0x95: "•",
    0xF06F: "☐",
    0xF0A8: "☐",
    0xF0FE: "☑",
    0xF078: "☒",
}
_FONT_NAME = 128
_POINTER = ctypes.c_void_p


@dataclass(frozen=True, slots=True, eq=False)
class CharGroup:
    """The visible characters of one direction in the order in which pdfium has them.

    All arrays have one entry a character. ``box`` is (n, 4): left, bottom, right, top in the turned frame, in points,
    as high as the font. ``baseline`` and ``size`` are in points, ``index`` is pdfium's, ``space`` says whether white
    space is before it. ``direction`` is the number of quarter turns to the left, or :data:`SKEWED`.
    """

    direction: int
    texts: list[str]
    box: NDArray[np.float32]
    baseline: NDArray[np.float32]
    size: NDArray[np.float32]
    bold: NDArray[np.bool_]
    space: NDArray[np.bool_]
    index: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, chosen: NDArray[np.intp]) -> CharGroup:
        """Return some of the characters, in the order of their places."""
        texts = [self.texts[n] for n in chosen]
        return CharGroup(
            self.direction, texts, self.box[chosen], self.baseline[chosen], self.size[chosen], self.bold[chosen],
            self.space[chosen], self.index[chosen],
        )  # fmt: skip


def read_chars(textpage: Any) -> list[CharGroup]:
    """Return the characters of a page by direction, the direction with the most characters first."""
    import pypdfium2.raw as pdfium

    codes = _codes(textpage)
    kept, spaces = _visible(codes)
    if not kept:
        return []
    rectangles = np.zeros((len(kept), 4), np.float32)  # left, top, right, bottom
    places = np.zeros((len(kept), 2))
    page, each = repeat(_handle(textpage)), range(len(kept))
    _drain(map(_call(pdfium.FPDFText_GetLooseCharBox, _POINTER), page, kept, _addresses(rectangles, each)))
    xs = _addresses(places, each)
    ys = range(xs.start + places.itemsize, xs.stop + places.itemsize, xs.step)
    _drain(map(_call(pdfium.FPDFText_GetCharOrigin, _POINTER, _POINTER), page, kept, xs, ys))
    turns = map(_call(pdfium.FPDFText_GetCharAngle, result=ctypes.c_float), page, kept)
    angles = np.fromiter(turns, np.float32, len(kept))
    rectangles = np.nan_to_num(rectangles, nan=0.0, posinf=0.0, neginf=0.0)
    places = np.nan_to_num(places, nan=0.0, posinf=0.0, neginf=0.0)
    directions = _directions(np.nan_to_num(angles))
    bold = _bold(textpage, kept, spaces, rectangles)
    index = np.array(kept, np.int32)
    groups = []
    for direction in np.unique(directions):
        chosen = np.flatnonzero(directions == direction)
        box, baseline = _turned(rectangles[chosen], places[chosen], int(direction))
        space = np.array(spaces, np.bool_)[chosen]
        space[1:] |= np.diff(index[chosen]) > 1
        texts = [letters_of(codes[kept[n]]) for n in chosen]
        height = np.maximum(box[:, 3] - box[:, 1], 0.1)
        groups.append(CharGroup(int(direction), texts, box, baseline, height, bold[chosen], space, index[chosen]))
    return sorted(groups, key=lambda group: (group.direction == SKEWED, -len(group)))


def visible_codes(textpage: Any) -> list[tuple[int, int]]:
    """Return the index and the code of each character of a page that is no white space, in pdfium's order."""
    codes = _codes(textpage)
    return [(index, codes[index]) for index in _visible(codes)[0]]


def letters_of(code: int) -> str:
    """Return the text of a character: ligatures and forms of Arabic letters as letters, hyphens as such."""
    if code in _HYPHENS:
        return "-"
    if code in _BULLETS:
        return _BULLETS[code]
    if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
        return "\ufffd"
    character = chr(code)
    if 0xFB00 <= code <= 0xFDFF or 0xFE70 <= code <= 0xFEFC:
        return unicodedata.normalize("NFKC", character).strip() or character
    return character


def _call(function: Any, *arguments: Any, result: Any = ctypes.c_int) -> Any:
    """Return a function of pdfium that takes addresses as numbers: three times faster than through checked types."""
    address = ctypes.cast(function, ctypes.c_void_p).value
    return ctypes.PYFUNCTYPE(result, ctypes.c_void_p, ctypes.c_int, *arguments)(address or 0)


def _handle(textpage: Any) -> int:
    return ctypes.cast(textpage.raw, ctypes.c_void_p).value or 0


def _addresses(array: NDArray[Any], rows: range) -> range:
    """Return the address of each row of an array."""
    start, step = array.ctypes.data, array.strides[0]
    return range(start, start + step * len(rows), step)


def _drain(calls: Iterable[object]) -> None:
    deque(calls, maxlen=0)


def _codes(textpage: Any) -> list[int]:
    import pypdfium2.raw as pdfium

    count = max(pdfium.FPDFText_CountChars(textpage), 0)
    code_of = _call(pdfium.FPDFText_GetUnicode, result=ctypes.c_uint)
    return list(map(code_of, repeat(_handle(textpage)), range(count)))


def _visible(codes: list[int]) -> tuple[list[int], list[bool]]:
    """Return the indexes of visible characters, and whether white space is before each. Surrogates become one code."""
    kept: list[int] = []
    spaces: list[bool] = []
    space = True
    for n, code in enumerate(codes):
        if 0xDC00 <= code <= 0xDFFF and kept and kept[-1] == n - 1 and 0xD800 <= codes[n - 1] <= 0xDBFF:
            codes[n - 1] = 0x10000 + ((codes[n - 1] - 0xD800) << 10) + code - 0xDC00
        elif code in _NOT_DRAWN:
            continue
        elif code <= 0x10FFFF and chr(code).isspace():
            space = True
        else:
            kept.append(n)
            spaces.append(space)
            space = False
    return kept, spaces


def _directions(angles: NDArray[np.float32]) -> NDArray[np.int8]:
    """Return the number of quarter turns to the left of each angle, which pdfium measures to the right."""
    quarters = -angles / (math.pi / 2)
    nearest = np.rint(quarters)
    directions: NDArray[np.int8] = np.mod(nearest, 4).astype(np.int8)
    directions[np.abs(quarters - nearest) > _TOLERANCE / (math.pi / 2)] = SKEWED
    return directions


def _turned(
    rectangles: NDArray[np.float32], places: NDArray[np.float64], direction: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return boxes (left, bottom, right, top) and baselines in the frame in which text of this direction is upright."""
    left, top, right, bottom = rectangles.T
    if direction == 1:
        corners, baseline = (bottom, -right, top, -left), -places[:, 0]
    elif direction == 2:
        corners, baseline = (-right, -top, -left, -bottom), -places[:, 1]
    elif direction == 3:
        corners, baseline = (-top, left, -bottom, right), places[:, 0]
    else:
        corners, baseline = (left, bottom, right, top), places[:, 1]
    box = np.stack(corners, axis=1)
    ordered = np.concatenate([np.minimum(box[:, :2], box[:, 2:]), np.maximum(box[:, :2], box[:, 2:])], axis=1)
    return ordered.astype(np.float32), baseline.astype(np.float32)


def turned_points(points: NDArray[np.float64], direction: int) -> NDArray[np.float64]:
    """Return points (n, 2) of a page in the frame in which text of a direction is upright."""
    x, y = points.T
    turned = {1: (y, -x), 2: (-x, -y), 3: (-y, x)}.get(direction, (x, y))
    return np.stack(turned, axis=1)


def _bold(textpage: Any, kept: list[int], spaces: list[bool], rectangles: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which characters are printed in bold: the font of the first character of each word decides."""
    import pypdfium2.raw as pdfium

    heights = np.abs(rectangles[:, 1] - rectangles[:, 3])
    changed = np.abs(np.diff(heights, prepend=heights[:1])) > 0.5
    name = ctypes.create_string_buffer(_FONT_NAME)
    flags = ctypes.c_int()
    known: dict[tuple[bytes, int], bool] = {}
    bold = np.zeros(len(kept), np.bool_)
    current = False
    for place, n in enumerate(kept):
        if spaces[place] or changed[place] or place == 0:
            flags.value = 0
            name.value = b""
            pdfium.FPDFText_GetFontInfo(textpage, n, name, _FONT_NAME, ctypes.byref(flags))
            key = (name.value, flags.value)
            if key not in known:
                weight = pdfium.FPDFText_GetFontWeight(textpage, n)
                named = _BOLD.search(name.value.decode("utf-8", "replace")) is not None
                known[key] = named or bool(flags.value & _FORCE_BOLD) or weight >= _BOLD_WEIGHT
            current = known[key]
        bold[place] = current
    return bold
