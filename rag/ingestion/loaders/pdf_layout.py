"""A page of a PDF as blocks in reading order: lines of running text and tables, with the place of every character.

No visible character is lost: a page whose layout would lose one, or that has too many pieces to lay out, is read in
pdfium's own order (:attr:`Page.is_plain`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rag.ingestion.loaders.pdf_bidi import is_rtl
from rag.ingestion.loaders.pdf_chars import SKEWED, CharGroup, read_chars
from rag.ingestion.loaders.pdf_columns import Cells, Flow, arrange
from rag.ingestion.loaders.pdf_lines import Atom, atoms_of, joined
from rag.ingestion.loaders.pdf_rules import read_rules
from rag.ingestion.loaders.pdf_tables import PdfTable, aligned_table, ruled_tables

__all__ = ["Block", "Line", "Lines", "Page", "Part", "read_page"]

_MOST_ATOMS = 6_000


@dataclass(frozen=True, slots=True)
class Line:
    """A line's text with pdfium's index of each character, its box and baseline in points, and its print.

    ``bold`` is the share of its characters that are bold.
    """

    text: str
    places: list[int]
    left: float
    right: float
    baseline: float
    size: float
    bold: float


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of one column, from top to bottom; the column's left and right."""

    lines: list[Line]
    left: float
    right: float
    from_right: bool = False


Block = Lines | PdfTable


@dataclass(slots=True)
class Part:
    """The text of a page in one direction: pieces of lines (tables among them), in the frame of :class:`CharGroup`.

    ``bottom`` and ``top`` are the edges of the page in that frame, ``em`` is the usual size of the font.
    """

    group: CharGroup
    atoms: list[Atom]
    indexes: set[int]
    em: float
    bottom: float
    top: float


@dataclass(slots=True)
class Page:
    """A page before its pieces are put in order; ``plain`` is pdfium's text of it."""

    number: int
    parts: list[Part]
    plain: Callable[[], str]
    left_out: set[int] = field(default_factory=set)
    is_plain: bool = False

    def blocks(self, left_out: Collection[Atom] = ()) -> list[Block]:
        """Return the blocks of the page in reading order, without the pieces that are left out.

        An empty list with :attr:`is_plain` set says that the page could not be laid out.
        """
        gone = set(map(id, left_out))
        if sum(len(part.atoms) for part in self.parts) > _MOST_ATOMS:
            self.is_plain = True
            return []
        blocks: list[Block] = []
        for part in self.parts:
            own = list(_ordered(part, [atom for atom in part.atoms if id(atom) not in gone]))
            placed = {place for block in own for place in _places(block)}
            placed |= {int(n) for atom in left_out for span in atom.spans for n in atom.group.index[span[0] : span[1]]}
            if not part.indexes <= placed:
                self.is_plain = True
                return []
            blocks += own
        return blocks


def read_page(page: Any, textpage: Any, number: int) -> Page:
    """Return the pieces of a page. ``page`` and ``textpage`` are pypdfium2's and are not kept."""
    parts = [_part(page, group) for group in read_chars(textpage)]
    text: list[str] = []
    if sum(len(part.atoms) for part in parts) > _MOST_ATOMS:
        text.append(textpage.get_text_range())
    return Page(number, parts, lambda: text[0] if text else _plain(parts))


def _plain(parts: list[Part]) -> str:
    """Return the characters in pdfium's order."""
    characters = sorted(
        (index, text, space, baseline)
        for part in parts
        for index, text, space, baseline in zip(
            part.group.index.tolist(), part.group.texts, part.group.space.tolist(), part.group.baseline.tolist(),
            strict=True,
        )
    )  # fmt: skip
    texts: list[str] = []
    last = None
    for _, text, space, baseline in characters:
        if texts and last is not None and abs(baseline - last) > 2.0:
            texts.append("\n")
        elif texts and space:
            texts.append(" ")
        texts.append(text)
        last = baseline
    return "".join(texts)


def _part(page: Any, group: CharGroup) -> Part:
    left, bottom, right, top = page.get_cropbox()
    if group.direction in (1, 3):
        bottom, top = (-right, -left) if group.direction == 1 else (left, right)
    elif group.direction == 2:
        bottom, top = -top, -bottom
    em = float(np.median(group.size))
    indexes = set(group.index.tolist())
    if group.direction == SKEWED:
        return Part(group, [], indexes, em, bottom, top)
    atoms: list[Atom] = []
    rest = np.ones(len(group), np.bool_)
    for table, chosen in ruled_tables(group, read_rules(page, group.direction)):
        rest[chosen] = False
        indexes -= set(table.doubled)
        low, high = table.box[1], table.box[3]
        atoms.append(Atom(table.box[0], low, table.box[2], high, high - em, em, 0, 0, [], group, table))
    outside = group.take(np.flatnonzero(rest)) if not rest.all() else group
    pieces, doubled = atoms_of(outside)
    return Part(group, atoms + pieces, indexes - set(doubled), em, bottom, top)


def _ordered(part: Part, atoms: list[Atom]) -> Iterator[Block]:
    group = part.group
    if group.direction == SKEWED:
        yield _skewed(group)
        return
    from_right = 2 * sum(map(is_rtl, group.texts)) > len(group)
    for block in arrange(atoms, part.em, from_right=from_right):
        if isinstance(block, Flow):
            yield Lines([_line(line) for line in block.lines], block.left, block.right, from_right)
        elif isinstance(block, Cells):
            yield aligned_table(block, part.em)
        elif isinstance(block.table, PdfTable):
            yield block.table


def _line(atoms: list[Atom]) -> Line:
    text, places = joined(atoms)
    counts = [atom.count for atom in atoms]
    size = max(atoms, key=lambda atom: atom.count).size
    bold = sum(atom.bold_count for atom in atoms) / max(sum(counts), 1)
    return Line(
        text, places, atoms[0].left, max(atom.right for atom in atoms), atoms[0].baseline, size, bold
    )  # fmt: skip


def _skewed(group: CharGroup) -> Lines:
    texts: list[str] = []
    places: list[int] = []
    for text, space, index in zip(group.texts, group.space.tolist(), group.index.tolist(), strict=True):
        if space and texts:
            texts.append(" ")
            places.append(-1)
        texts.append(text)
        places += [index] * len(text)
    line = Line("".join(texts), places, 0.0, 0.0, 0.0, float(np.median(group.size)), 0.0)
    return Lines([line], 0.0, 0.0)


def _places(block: Block) -> Iterator[int]:
    if isinstance(block, PdfTable):
        yield from block.places
    else:
        for line in block.lines:
            yield from line.places
