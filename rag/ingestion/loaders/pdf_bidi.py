"""Letters of right-to-left scripts in the order in which they are read, from their places on a line.

A PDF places glyphs; it does not say in which order they are read. Letters of Hebrew and Arabic run to the left, numbers
and Latin words between them to the right. pdfium has already mirrored the brackets between right-to-left letters.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Glyph", "is_rtl", "reading_order"]

_GAP = 0.15  # of the font's size: a wider gap between letters is a space
_MIRRORED = str.maketrans("()[]{}", ")(][}{")
_SAME = 0.02  # of the font's size: the letters of one glyph share a place


class Glyph(NamedTuple):
    """A character with its place on a line and the size of its font in points; ``place`` is its index in pdfium."""

    text: str
    left: float
    right: float
    size: float
    place: int


@lru_cache(maxsize=4096)
def _class_of(text: str) -> str:
    """Return R for letters that run to the left, L for those that run to the right, N for digits, M for marks, else a
    blank.
    """
    kind = unicodedata.bidirectional(text[:1])
    if kind in ("R", "AL"):
        return "R"
    if kind == "L":
        return "L"
    if kind in ("EN", "AN"):
        return "N"
    return "M" if kind == "NSM" else " "


def is_rtl(text: str) -> bool:
    """Return whether a character belongs to a script that is written from right to left."""
    return _class_of(text) == "R"


def reading_order(glyphs: Sequence[Glyph]) -> tuple[str, list[int]]:
    """Return a line's text in reading order, and the index of each of its characters (-1 for spaces)."""
    cells = _spaced(_clusters(glyphs))
    kinds = [_class_of(cell[0].text) if cell else " " for cell in cells]
    right_to_left = kinds.count("R") >= kinds.count("L")
    order = _from_right(kinds) if right_to_left else _from_left(kinds)
    texts: list[str] = []
    places: list[int] = []
    for place in order:
        for glyph in cells[place] or [Glyph(" ", 0, 0, 0, -1)]:
            texts.append(glyph.text)
            places += [glyph.place] * len(glyph.text)
    text = "".join(texts)
    mirrored = text.translate(_MIRRORED)
    return (mirrored if right_to_left and _unpaired(mirrored) < _unpaired(text) else text), places


def _unpaired(text: str) -> int:
    """Return how many brackets are closed before they are opened, or never: some files mirror them, others do not."""
    depth = wrong = 0
    for character in text:
        if character in "([{":
            depth += 1
        elif character in ")]}":
            wrong += depth == 0
            depth = max(depth - 1, 0)
    return wrong + depth


def _clusters(glyphs: Sequence[Glyph]) -> list[list[Glyph]]:
    """Return the glyphs from left to right; letters of one glyph, and marks with their letter, are together."""
    clusters: list[list[Glyph]] = []
    for glyph in sorted(glyphs, key=lambda each: (each.left, each.place)):
        if clusters:
            base = clusters[-1][0]
            same = (
                abs(base.left - glyph.left) < _SAME * glyph.size and abs(base.right - glyph.right) < _SAME * glyph.size
            )
            middle = (glyph.left + glyph.right) / 2
            if same or (_class_of(glyph.text) == "M" and base.left <= middle <= base.right):
                clusters[-1].append(glyph)
                continue
            if _class_of(base.text) == "M" and len(clusters[-1]) == 1 and glyph.left <= (base.left + base.right) / 2:
                clusters[-1].insert(0, glyph)
                continue
        clusters.append([glyph])
    return [_unreversed(cluster) if len(cluster) > 1 else cluster for cluster in clusters]


@lru_cache(maxsize=1)
def _ligatures() -> frozenset[str]:
    """Return the letters of Unicode's ligatures of Arabic letters."""
    codes = (*range(0xFBEA, 0xFE00), *range(0xFEF5, 0xFEFD))
    texts = (unicodedata.normalize("NFKC", chr(code)) for code in codes)
    return frozenset(text for text in texts if len(text) > 1 and " " not in text)


def _unreversed(cluster: list[Glyph]) -> list[Glyph]:
    """Return the letters of one glyph in their order: pdfium reverses those that the file lists for it."""
    letters = [glyph for glyph in cluster if _class_of(glyph.text) == "R"]
    if len(letters) < 2:
        return cluster
    marks = [glyph for glyph in cluster if _class_of(glyph.text) != "R"]
    text = "".join(glyph.text for glyph in letters)
    keep = text in _ligatures() and text[::-1] not in _ligatures()
    return [*(letters if keep else reversed(letters)), *marks]


def _spaced(clusters: list[list[Glyph]]) -> list[list[Glyph]]:
    """Return the clusters with an empty one for each space."""
    cells: list[list[Glyph]] = []
    for cluster in clusters:
        if cells:
            end = max(glyph.right for glyph in cells[-1])
            if cluster[0].left - end > _GAP * cluster[0].size:
                cells.append([])
        cells.append(cluster)
    return cells


def _from_right(kinds: Sequence[str]) -> list[int]:
    """Return the order of a line that is read from the right: what runs to the right in it stays in its order."""
    order: list[int] = []
    place = len(kinds) - 1
    while place >= 0:
        if kinds[place] not in "LN":
            order.append(place)
            place -= 1
            continue
        first = last = place
        while place >= 0 and kinds[place] != "R":
            if kinds[place] in "LN":
                first = place
            place -= 1
        order += range(first, last + 1)
        place = first - 1
    return order


def _from_left(kinds: Sequence[str]) -> list[int]:
    """Return the order of a line that is read from the left: what runs to the left in it is turned."""
    order: list[int] = []
    place = 0
    while place < len(kinds):
        if kinds[place] != "R":
            order.append(place)
            place += 1
            continue
        first = last = place
        while place < len(kinds) and kinds[place] != "L":
            if kinds[place] == "R":
                last = place
            place += 1
        order += [first + offset for offset in _from_right(kinds[first : last + 1])]
        place = last + 1
    return order
