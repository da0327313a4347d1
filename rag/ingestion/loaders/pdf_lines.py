"""Pieces of lines: characters of a page that are side by side without a wide gap, and their text.

A piece ends at a gap that may part two columns or two cells; :mod:`.pdf_columns` decides which gaps do. Raised and
lowered characters stay with the text that they follow, and never join a number (:mod:`.raised_text`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rag.ingestion.loaders.pdf_bidi import Glyph, is_rtl, reading_order
from rag.ingestion.loaders.pdf_chars import CharGroup
from rag.ingestion.loaders.raised_text import with_lowered, with_raised

__all__ = ["Atom", "Text", "atoms_of", "joined", "rows_of"]

_WIDE = 0.7  # of the font's size: a gap that may part columns
_SPACE = 0.25  # the same: a gap that is a space even where pdfium saw none
_SPACE_BETWEEN = 0.12  # the same, between pieces that were not drawn one after the other
_OVERLAP = -0.7
_SAME_BASELINE = 0.22
_SMALL = 0.86  # of the size of the text before: raised and lowered characters are smaller
_RAISED, _LOWERED = 0.15, -0.08  # of that size: how far the baseline is off
_FARTHEST = 0.75
_LONGEST_MARK = 12  # characters that are raised or lowered
_LIST_MARK = re.compile(r"[•‣⁃▪▫◦●○■□◆◇➢➤✓✔❖·∙–—*-]|\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})[.)]")
_FROM_MARK = 4.0  # of the font's size: the widest gap between a list mark and its text


class Text(NamedTuple):
    """A text and the index in pdfium of each of its characters, -1 for those that the layout added."""

    text: str
    places: list[int]


class _Span(NamedTuple):
    """Characters ``first`` to ``last`` (exclusive) of a group; ``shift`` is 1 if raised, -1 if lowered."""

    first: int
    last: int
    shift: int = 0


@dataclass(slots=True, eq=False)
class Atom:
    """A piece of a line: its box in points of the group's frame, its baseline, its font's size, and its characters.

    ``count`` is their number, ``bold_count`` the number of those in bold. A table that was found by its rules takes the
    place of a piece, as ``table``, without characters.
    """

    left: float
    bottom: float
    right: float
    top: float
    baseline: float
    size: float
    count: int
    bold_count: int
    spans: list[_Span]
    group: CharGroup = field(repr=False)
    table: object | None = None
    _text: str | None = None

    @property
    def bold(self) -> bool:
        """Whether nearly all of its characters are bold."""
        return self.bold_count > 0.9 * self.count

    @property
    def text(self) -> str:
        """Its text in reading order. Do not ask for it while pieces are being merged."""
        if self._text is None:
            self._text = joined([self]).text
        return self._text


def atoms_of(group: CharGroup) -> tuple[list[Atom], list[int]]:
    """Return the pieces of lines of a group, and pdfium's indexes of characters that are drawn twice for bold print."""
    if not len(group):
        return [], []
    return _merged(_with_scripts(_runs(group)))


def rows_of(atoms: Iterable[Atom]) -> list[list[Atom]]:
    """Return pieces by baseline, from top to bottom, each row from left to right."""
    rows: list[list[Atom]] = []
    first = 0.0
    for atom in sorted(atoms, key=lambda each: (-each.baseline, each.left)):
        if rows and first - atom.baseline <= 0.3 * min(atom.size, rows[-1][0].size):
            rows[-1].append(atom)
        else:
            rows.append([atom])
            first = atom.baseline
    for row in rows:
        row.sort(key=lambda each: each.left)
    return rows


def joined(atoms: Sequence[Atom]) -> Text:
    """Return the text of pieces of one line, from left to right, with a space between them."""
    if any(is_rtl(text) for atom in atoms for span in atom.spans for text in atom.group.texts[span.first : span.last]):
        return Text(*reading_order([glyph for atom in atoms for glyph in _glyphs(atom)]))
    texts: list[str] = []
    places: list[int] = []
    for atom in atoms:
        if texts:
            texts.append(" ")
            places.append(-1)
        _write(atom, texts, places)
    return Text("".join(texts), places)


def _write(atom: Atom, texts: list[str], places: list[int]) -> None:
    group = atom.group
    size = atom.size
    end: float | None = None
    for number, (first, last, shift) in enumerate(atom.spans):
        space = False
        if end is not None:
            gap = float(group.box[first, 0]) - end
            space = gap > _SPACE_BETWEEN * size or (bool(group.space[first]) and gap > 0.02 * size)
        own, indexes = _span_text(group, first, last)
        if space:
            texts.append(" ")
            places.append(-1)
        if shift > 0 and number and re.fullmatch(r"\d{1,3}\)", own):
            own = own[:-1] + "]"  # ``1)`` is the mark of a footnote
            texts.append(" [")
            places += [-1, -1]
        elif shift and not space:
            before = "".join(texts)[-20:] if number else ""
            shifted = (with_raised if shift > 0 else with_lowered)(before, own)
            if not before and shift > 0 and own.strip().isdigit() and number + 1 < len(atom.spans):
                shifted = f"[{own}] "  # the mark of a footnote before its text
            at = shifted.find(own)
            indexes = [-1] * at + indexes + [-1] * (len(shifted) - at - len(own))
            own = shifted
        texts.append(own)
        places += indexes
        end = max(float(group.box[last - 1, 2]), end if end is not None else -1e9)


def _span_text(group: CharGroup, first: int, last: int) -> tuple[str, list[int]]:
    """Return the text of characters that follow each other, with spaces where pdfium saw white space or a gap is."""
    texts = group.texts[first:last]
    if last - first == 1:
        return texts[0], [int(group.index[first])] * len(texts[0])
    box, size = group.box[first:last], group.size[first:last]
    gaps = np.maximum(box[1:, 0] - box[:-1, 2], box[:-1, 0] - box[1:, 2])
    spaces = (group.space[first + 1 : last] | (gaps > _SPACE * np.maximum(size[1:], size[:-1]))).tolist()
    pieces, places = [texts[0]], [int(group.index[first])] * len(texts[0])
    for text, space, index in zip(texts[1:], spaces, group.index[first + 1 : last].tolist(), strict=True):
        if space:
            pieces.append(" ")
            places.append(-1)
        pieces.append(text)
        places += [index] * len(text)
    return "".join(pieces), places


def _glyphs(atom: Atom) -> Iterable[Glyph]:
    group = atom.group
    for first, last, _ in atom.spans:
        for n in range(first, last):
            left, _, right, _ = group.box[n].tolist()
            yield Glyph(group.texts[n], left, right, float(group.size[n]), int(group.index[n]))


def _runs(group: CharGroup) -> list[Atom]:
    """Return the characters that pdfium has after each other and that are near each other on one baseline."""
    box, size, baseline = group.box, group.size, group.baseline
    em = np.maximum(size[1:], size[:-1])
    gap = np.maximum(box[1:, 0] - box[:-1, 2], box[:-1, 0] - box[1:, 2])
    apart = (gap > _WIDE * em) | (gap < _OVERLAP * em) & (np.abs(box[1:, 0] - box[:-1, 0]) > 0.02 * em)
    off = np.abs(np.diff(baseline)) > _SAME_BASELINE * np.minimum(size[1:], size[:-1])
    other = np.maximum(size[1:], size[:-1]) * _SMALL > np.minimum(size[1:], size[:-1])
    starts = np.concatenate([[0], np.flatnonzero(apart | off | other) + 1])
    ends = np.append(starts[1:], len(group))
    low = np.minimum.reduceat(box, starts, axis=0)
    high = np.maximum.reduceat(box, starts, axis=0)
    bold = np.add.reduceat(group.bold.astype(np.int32), starts)
    columns: Sequence[NDArray[np.generic]] = (
        low[:, 0], low[:, 1], high[:, 2], high[:, 3], baseline[starts], size[starts], bold, starts, ends,
    )  # fmt: skip
    return [
        Atom(left, bottom, right, top, base, height, last - first, strong, [_Span(first, last)], group)
        for left, bottom, right, top, base, height, strong, first, last in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]


def _with_scripts(runs: list[Atom]) -> list[Atom]:
    """Join raised and lowered runs to the run before them, or to the one after them at the start of a line."""
    atoms: list[Atom] = []
    for number, run in enumerate(runs):
        before = atoms[-1] if atoms else None
        if before is not None and (shift := _shift(before, run)):
            before.spans.append(_Span(*run.spans[0][:2], shift))
            before.right, before.top = max(before.right, run.right), max(before.top, run.top)
            before.count += run.count
            before.bold_count += run.bold_count
            continue
        after = runs[number + 1] if number + 1 < len(runs) else None
        if after is not None and run.right <= after.left + 0.3 * after.size and _shift(after, run, leads=True) > 0:
            run.spans = [run.spans[0]._replace(shift=1)]
            run.baseline, run.size = after.baseline, after.size
        atoms.append(run)
    return atoms


def _shift(base: Atom, run: Atom, *, leads: bool = False) -> int:
    """Return 1 if a run is a superscript of a larger one, -1 if it is a subscript, else 0."""
    if run.size > _SMALL * base.size or run.count > _LONGEST_MARK:
        return 0
    gap = base.left - run.right if leads else run.left - base.right
    off = (run.baseline - base.baseline) / base.size
    if not -0.35 * base.size < gap < 0.5 * base.size or abs(off) > _FARTHEST:
        return 0
    return 1 if off > _RAISED else -1 if off < _LOWERED else 0


def _merged(atoms: list[Atom]) -> tuple[list[Atom], list[int]]:
    """Merge the neighbors on each baseline, whatever the order in which they were drawn."""
    merged: list[Atom] = []
    doubled: list[int] = []
    for row in rows_of(atoms):
        last: Atom | None = None
        for atom in row:
            if last is not None and abs(last.baseline - atom.baseline) <= _SAME_BASELINE * min(last.size, atom.size):
                if _is_double(last, atom):
                    doubled += _indexes(atom)
                    last.bold_count = last.count
                    continue
                gap = atom.left - last.right
                widest = _FROM_MARK if _is_list_mark(last) else _WIDE
                if _OVERLAP * last.size < gap <= widest * max(last.size, atom.size) and _alike(last, atom):
                    _append(last, atom)
                    continue
            merged.append(atom)
            last = atom
    return merged, doubled


def _is_list_mark(atom: Atom) -> bool:
    return atom.count < 6 and _LIST_MARK.fullmatch("".join(_letters(atom))) is not None


def _alike(left: Atom, right: Atom) -> bool:
    return max(left.size, right.size) <= 1.6 * min(left.size, right.size)


def _append(left: Atom, right: Atom) -> None:
    if right.count > left.count:
        left.size, left.baseline = right.size, right.baseline
    left.count += right.count
    left.bold_count += right.bold_count
    left.spans += right.spans
    left.right, left.bottom = max(left.right, right.right), min(left.bottom, right.bottom)
    left.top = max(left.top, right.top)


def _is_double(left: Atom, right: Atom) -> bool:
    """Return whether a piece is the same text again at the same place."""
    near = 0.12 * left.size
    if abs(left.left - right.left) > near or abs(left.right - right.right) > near or left.count != right.count:
        return False
    return _letters(left) == _letters(right)


def _letters(atom: Atom) -> list[str]:
    return [text for span in atom.spans for text in atom.group.texts[span.first : span.last]]


def _indexes(atom: Atom) -> list[int]:
    return [int(n) for span in atom.spans for n in atom.group.index[span.first : span.last]]
