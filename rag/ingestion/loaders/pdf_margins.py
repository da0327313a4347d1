"""Running heads, running feet and page numbers: pieces at the edge of pages that repeat from page to page.

A piece counts if it is apart from the text of the page and the same piece, with other numbers, is at the same place of
several pages; or if it is a number that grows with the pages.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rag.ingestion.loaders.pdf_layout import Page
from rag.ingestion.loaders.pdf_lines import Atom, rows_of
from rag.text import one_line

__all__ = ["Margins"]

_ZONE = 0.14  # of the page's height, at its top and at its bottom
_MOST_ROWS = 4  # at each edge
_APART = 0.55  # of the font's size: white space between a running head and the text
_SAME_PLACE = 8.0  # points
_DIGITS = re.compile(r"\d+")
_LONGEST = 200  # characters of a running head
_SHOWN, _MOST_SHOWN = 80, 12
_NUMBER = re.compile(
    r"[-–—|\s]*(?:(?:page|pages|pg|p|seite|s|страница|стр|с|página|pagina|pág|pag|sida|side|strona|str|oldal|sayfa"
    r"|blatt|folio|第)\.?\s*)?(?P<own>\d{1,5}|[ivxlc]{1,7})(?P<all>\s*(?:/|of|von|из|de|di|sur|av|af|z|van|\|)\s*\d{1,5})?"
    r"[-–—|\s.页頁]*",
    re.I,
)


class _Piece(NamedTuple):
    page: int
    place: float
    atom: Atom
    apart: bool


@dataclass(slots=True)
class Margins:
    """What was found in the margins of a document's pages so far, by its text: which pages it is on."""

    pages: dict[str, set[int]] = field(default_factory=dict)
    _known: dict[tuple[bool, str], float] = field(default_factory=dict)

    def of(self, pages: Sequence[Page]) -> dict[int, list[Atom]]:
        """Return the running pieces of consecutive pages by the page's number, and remember them."""
        pieces: dict[tuple[bool, str], list[_Piece]] = defaultdict(list)
        numbers: dict[bool, list[tuple[_Piece, int]]] = defaultdict(list)
        for page in pages:
            for is_top, piece in _edges(page):
                text = one_line(piece.atom.text)
                if len(text) > _LONGEST:
                    continue
                pieces[is_top, _DIGITS.sub("#", text)].append(piece)
                number = _page_number(text)
                if number is not None and piece.apart:
                    numbers[is_top].append((piece, number))
        running: dict[int, list[Atom]] = defaultdict(list)
        taken: set[int] = set()
        alternating = _alternating(pieces)
        for key, group in pieces.items():
            for piece in self._repeated(key, group, len(pages), may_alternate=key in alternating):
                taken.add(id(piece.atom))
                self._leave(running, piece)
        for each in numbers.values():
            for piece in _counting(each, len(pages)):
                if id(piece.atom) not in taken:
                    taken.add(id(piece.atom))
                    self._leave(running, piece)
        return running

    def texts(self) -> list[str]:
        """Return the texts that were left out, the most frequent first, shortened; the rest as their number."""
        texts = sorted(self.pages, key=lambda text: -len(self.pages[text]))
        shown = [f"“{text[:_SHOWN]}{'…' * (len(text) > _SHOWN)}”" for text in texts[:_MOST_SHOWN]]
        return shown + ([f"{len(texts) - _MOST_SHOWN:,} more"] if len(texts) > _MOST_SHOWN else [])

    def _leave(self, running: dict[int, list[Atom]], piece: _Piece) -> None:
        running[piece.page].append(piece.atom)
        text = one_line(piece.atom.text)
        shown = _DIGITS.sub("#", text) if _page_number(text) is not None else text
        self.pages.setdefault(shown, set()).add(piece.page)

    def _repeated(
        self, key: tuple[bool, str], group: Sequence[_Piece], count: int, *, may_alternate: bool
    ) -> list[_Piece]:
        """Return the pieces of one text that are at one place of enough pages."""
        if not re.search(r"[^\W_]", key[1].replace("#", "0")):
            return []
        known = self._known.get(key)
        places = sorted(piece.place for piece in group)
        place = known if known is not None else places[len(places) // 2]
        same = [piece for piece in group if abs(piece.place - place) <= _SAME_PLACE]
        on = len({piece.page for piece in same})
        apart = all(piece.apart for piece in same)
        enough = on >= (min(2 if may_alternate else 3, max(2, count)) if apart else max(4, 0.6 * count))
        if key[1] == "#" or not re.search(r"[^\W\d_]", key[1]):
            enough = False  # a number: it counts only if it grows with the pages
        if not enough and known is None:
            return []
        self._known[key] = place
        return same


def _alternating(pieces: Mapping[tuple[bool, str], Sequence[_Piece]]) -> set[tuple[bool, str]]:
    """Return the keys of pieces that are on two pages, at a place where nearly all pages have a repeated piece."""
    pages: dict[tuple[bool, int], set[int]] = defaultdict(set)
    repeated: dict[tuple[bool, int], set[int]] = defaultdict(set)
    keys: dict[tuple[bool, int], set[tuple[bool, str]]] = defaultdict(set)
    for key, group in pieces.items():
        for piece in group:
            slot = key[0], round(piece.place / _SAME_PLACE)
            pages[slot].add(piece.page)
            if len(group) > 1 and piece.apart and key[1] != "#":
                repeated[slot].add(piece.page)
                keys[slot].add(key)
    full = [slot for slot in pages if len(repeated[slot]) > 2 and len(repeated[slot]) >= 0.75 * len(pages[slot])]
    return set().union(*(keys[slot] for slot in full))


def _edges(page: Page) -> Iterator[tuple[bool, _Piece]]:
    """Yield the pieces in the outer rows of a page, with whether they are at its top."""
    if not page.parts:
        return
    part = page.parts[0]
    height = part.top - part.bottom
    if height <= 0:
        return
    low, high = part.bottom + _ZONE * height, part.top - _ZONE * height
    for is_top in (True, False):
        outer = [atom for atom in part.atoms if (atom.bottom > high if is_top else atom.top < low)]
        inner = [atom for atom in part.atoms if not (atom.bottom > high if is_top else atom.top < low)]
        rows = rows_of(atom for atom in outer if atom.table is None)
        rows = rows if is_top else rows[::-1]
        tables = [atom for atom in outer if atom.table is not None]
        rows = rows[:_MOST_ROWS]
        edges = [_white(row, [*inner, *tables, *(a for more in rows[n + 1 :] for a in more)], is_top=is_top)
                 for n, row in enumerate(rows)]  # fmt: skip
        for number, row in enumerate(rows):
            apart = any(white >= _APART * row[0].size for white in edges[number:])
            following = rows[number + 1] if number + 1 < len(rows) else _first_row(inner, is_top=is_top)
            if (is_top and _is_table_head(row, following)) or (not apart and len(row) > 1):
                continue
            for atom in row:
                yield is_top, _Piece(page.number, atom.baseline - (part.top if is_top else part.bottom), atom, apart)


def _white(row: Sequence[Atom], others: Sequence[Atom], *, is_top: bool) -> float:
    """Return the height of the white space between a row and what is next to it."""
    if not others:
        return 1e9
    if is_top:
        return min(atom.bottom for atom in row) - max(atom.top for atom in others)
    return min(atom.bottom for atom in others) - max(atom.top for atom in row)


def _first_row(inner: Sequence[Atom], *, is_top: bool) -> list[Atom]:
    if not inner or not is_top:
        return []
    top = max(atom.top for atom in inner)
    return [atom for atom in inner if atom.table is None and atom.top > top - 0.5 * atom.size]


def _is_table_head(row: Sequence[Atom], following: Sequence[Atom]) -> bool:
    """Return whether a row has cells above those of the next row, as the names of a table's columns have."""
    if len(row) < 2 or len(following) < 2:
        return False
    white = min(atom.bottom for atom in row) - max(atom.top for atom in following)
    above = sum(any(min(a.right, b.right) > max(a.left, b.left) for b in following) for a in row)
    return above > 1 and white < row[0].size


def _page_number(text: str) -> int | None:
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    own = match["own"]
    return int(own) if own.isdigit() else _roman(own)


def _roman(text: str) -> int | None:
    values = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
    numbers = [values[letter] for letter in text.lower()]
    return sum(-n if n < max(numbers[place:]) else n for place, n in enumerate(numbers))


def _counting(pieces: Sequence[tuple[_Piece, int]], count: int) -> list[_Piece]:
    """Return the page numbers: those that are as far ahead of the page's place in the file as others are."""
    by_offset: dict[int, list[_Piece]] = defaultdict(list)
    for piece, number in pieces:
        by_offset[number - piece.page].append(piece)
    counting = []
    for offset, group in by_offset.items():
        if len({piece.page for piece in group}) > 1 or (offset == 0 and count == 1):
            counting += group
    return counting
