"""The reading order of the pieces of a page: columns one after the other, tables as rows, the rest from top to bottom.

The page is cut into bands, in each of which the gutters run from top to bottom. A band whose parts are running text, or
short lines without the signs of a table, is read column by column, whatever the order in which it was drawn; each
column is cut again. A band whose parts look like cells is a table. Text that crosses all gutters ends a band.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from rag.ingestion.loaders.grid_header import is_value
from rag.ingestion.loaders.pdf_lines import Atom, rows_of

__all__ = ["Cells", "Flow", "Interval", "arrange", "parts_of"]

Interval = tuple[float, float]
"""Left and right, in points."""

_MOST_DEPTH = 6
_MOST_PARTS = 60
_GUTTER = 0.7  # of the font's size
_BREAK = 1.2  # the same: the height of white space across the page that ends a band
_FULL = 0.6  # of a column's width: a line that belongs to it even if it is alone below a gap
_PROSE_WORDS = 3.0  # of a line of running text, at least
_ALIGNED = 0.5  # of a table's rows have several cells, at least
_LABEL_WORDS = 4.0
_LEVEL = 0.12  # of the font's size: how far apart baselines of one row are
_FAR = 5.0  # the same: a gutter between columns below which no table is suspected
_FILLED = 0.6  # of the places of a table, at least


@dataclass(frozen=True, slots=True)
class Flow:
    """Lines of one column from top to bottom, each the pieces on it from left to right; the column's left and right."""

    lines: list[list[Atom]]
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Cells:
    """The lines of a table without rules, and the columns into which they fall."""

    rows: list[list[Atom]]
    columns: list[Interval]


Block = Flow | Cells | Atom


@dataclass(slots=True)
class _Band:
    rows: list[list[Atom]] = field(default_factory=list)
    parts: list[Interval] = field(default_factory=list)
    bottom: float = 0.0
    kind: str = "flow"  # or columns, table, weak


def arrange(atoms: Sequence[Atom], em: float, *, from_right: bool = False, depth: int = 0) -> list[Block]:
    """Return the pieces of a page in reading order. ``em`` is the usual size of the font in points.

    ``from_right`` reads the columns from right to left. An :class:`~.pdf_lines.Atom` among the blocks is a table.
    """
    if not atoms:
        return []
    bands = list(_bands(rows_of(atoms), em))
    for band in bands:
        band.kind = _kind(band, em)
    blocks: list[Block] = []
    flow: list[list[Atom]] = []
    bounds = min(atom.left for atom in atoms), max(atom.right for atom in atoms)
    for band in _merged(bands, em):
        if band.kind == "columns" and depth < _MOST_DEPTH:
            blocks += _flows(flow, bounds)
            flow = []
            columns = parts_of(band.rows, band.parts)
            for column in reversed(columns) if from_right else columns:
                blocks += arrange(column, em, from_right=from_right, depth=depth + 1)
        elif band.kind == "table":
            blocks += _flows(flow, bounds)
            flow = []
            blocks.append(Cells(band.rows, band.parts))
        else:
            flow += band.rows
    return [*blocks, *_flows(flow, bounds)]


def parts_of(rows: Sequence[Sequence[Atom]], parts: Sequence[Interval]) -> list[list[Atom]]:
    """Return the pieces in each of the parts between gutters."""
    lefts = [left for left, _ in parts]
    columns: list[list[Atom]] = [[] for _ in parts]
    for row in rows:
        for atom in row:
            columns[max(bisect_right(lefts, (atom.left + atom.right) / 2) - 1, 0)].append(atom)
    return columns


def _flows(rows: Sequence[list[Atom]], bounds: Interval) -> Iterator[Block]:
    """Yield lines as flows, with the tables between them."""
    lines: list[list[Atom]] = []
    for row in rows:
        tables = [atom for atom in row if atom.table is not None]
        line = [atom for atom in row if atom.table is None]
        if line:
            lines.append(line)
        if tables:
            if lines:
                yield Flow(lines, *bounds)
                lines = []
            yield from tables
    if lines:
        yield Flow(lines, *bounds)


def _bands(rows: Sequence[list[Atom]], em: float) -> Iterator[_Band]:
    band: _Band | None = None
    for row in rows:
        own = _union([], row, em)
        if band is not None:
            together = _union(band.parts, row, em)
            crossed = len(together) == 1 and (len(band.parts) > 1 or len(own) > 1)
            crossed |= len(together) > _MOST_PARTS
            top = max(atom.top for atom in row)
            if not crossed and band.bottom - top <= _BREAK * em:
                band.rows.append(row)
                band.parts = together
                band.bottom = min(band.bottom, *(atom.bottom for atom in row))
                continue
            yield band
        band = _Band([row], own, min(atom.bottom for atom in row))
    if band is not None:
        yield band


def _union(parts: Sequence[Interval], row: Sequence[Atom], em: float) -> list[Interval]:
    """Return parts of a line with those of a row, joined where no gutter is between them."""
    joined: list[Interval] = []
    for left, right in sorted([*parts, *((atom.left, atom.right) for atom in row)]):
        if joined and left - joined[-1][1] < _GUTTER * em:
            joined[-1] = joined[-1][0], max(joined[-1][1], right)
        else:
            joined.append((left, right))
    return joined


def _kind(band: _Band, em: float) -> str:
    """Return what a band is: running text, columns, a table, or too little to say."""
    if len(band.parts) < 2:
        return "flow"
    columns = parts_of(band.rows, band.parts)
    if any(atom.table is not None for row in band.rows for atom in row):
        return "columns"
    several = sum(len(row) > 1 and len({_part(band, atom) for atom in row}) > 1 for row in band.rows)
    prose = [_is_prose(column, part) for column, part in zip(columns, band.parts, strict=True)]
    size = sum(atom.count for row in band.rows for atom in row)
    of_prose = sum(atom.count for column, is_text in zip(columns, prose, strict=True) if is_text for atom in column)
    if of_prose >= 0.6 * size and not _are_labels(columns[0], band, prose):
        return "columns"
    if several < 2:
        return "weak"
    independent = _independent(band, em)
    if len(independent) > 1:
        band.parts = independent
        return "columns"
    if _is_table(band, columns, several, prose, em):
        return "table"
    return "columns" if several > 2 or not _is_spread(band, em) else "weak"


def _part(band: _Band, atom: Atom) -> int:
    return bisect_right([left for left, _ in band.parts], (atom.left + atom.right) / 2)


def _independent(band: _Band, em: float) -> list[Interval]:
    """Return the parts of a band joined where the lines beside a gutter are on the same baselines, as those of a table.

    Lines that only happen to be side by side belong to columns that have nothing to do with each other.
    """
    joined = [band.parts[0]]
    for place in range(1, len(band.parts)):
        gutter = band.parts[place][0]
        left = right = both = 0
        for row in band.rows:
            lefts = [atom.baseline for atom in row if atom.left < gutter]
            rights = [atom.baseline for atom in row if atom.left >= gutter]
            left, right = left + bool(lefts), right + bool(rights)
            both += bool(lefts) and bool(rights) and abs(lefts[-1] - rights[0]) < _LEVEL * em
        if min(left, right) > 2 and both < _ALIGNED * min(left, right):
            joined.append(band.parts[place])
        else:
            joined[-1] = joined[-1][0], band.parts[place][1]
    return joined


def _is_spread(band: _Band, em: float) -> bool:
    return all(right[0] - left[1] < 2 * em for left, right in pairwise(band.parts))


def _is_prose(atoms: Sequence[Atom], part: Interval) -> bool:
    """Return whether the lines of a column are running text: at most line ends the next word had no room."""
    rows = rows_of(atoms)
    if len(rows) < 3:
        return False
    texts = [[word for atom in row for word in atom.text.split()] for row in rows]
    if sum(map(len, texts)) < _PROSE_WORDS * len(rows):
        return False
    if sum(map(is_value, (word for words in texts for word in words))) * 2 > sum(map(len, texts)):
        return False
    wrapped = sum(_is_wrapped(*pair, part[1]) for pair in pairwise(rows))
    return 2 * wrapped >= len(rows) - 1


def _is_wrapped(upper: Sequence[Atom], lower: Sequence[Atom], right: float) -> bool:
    """Return whether the first word of a line had no room at the end of the line above."""
    first = lower[0].text
    word = first.split(maxsplit=1)[0] if first.split() else first
    width = (lower[0].right - lower[0].left) * len(word) / max(len(first), 1)
    return right - upper[-1].right < width + 0.3 * upper[-1].size


def _are_labels(first: Sequence[Atom], band: _Band, prose: Sequence[bool]) -> bool:
    """Return whether the first column has short labels, each beside a line of running text."""
    if prose[0] or len(band.parts) != 2:
        return False
    labels = rows_of(first)
    aligned = sum(len({_part(band, atom) for atom in row}) > 1 for row in band.rows)
    words = sum(len(atom.text.split()) for atom in first)
    return aligned >= 0.8 * len(labels) and words <= _LABEL_WORDS * len(labels)


def _is_table(band: _Band, columns: Sequence[Sequence[Atom]], several: int, prose: Sequence[bool], em: float) -> bool:
    if several < _ALIGNED * len(band.rows):
        return _are_labels(columns[0], band, prose)
    filled = sum(len({_part(band, atom) for atom in row}) for row in band.rows)
    if len(columns) > 2 and filled < _FILLED * len(columns) * len(band.rows):
        return False
    score = 0
    for place, column in enumerate(columns):
        texts = [atom.text for atom in column]
        values = sum(map(is_value, texts))
        if place and len(texts) > 1 and values >= 0.6 * len(texts):
            score += 2
    if len(columns) > 2:
        score += 2
    else:
        named = sum(atom.text.rstrip().endswith(":") for atom in columns[0])
        score += 2 * (2 * named >= len(columns[0]))
        steps = sorted(upper[0].baseline - lower[0].baseline for upper, lower in pairwise(band.rows))
        score += bool(steps) and steps[len(steps) // 2] > 1.6 * em
    bold = [all(atom.bold for atom in row) for row in band.rows]
    score += bold[0] and not all(bold) and len(band.rows[0]) > 1
    first_bold = [all(atom.bold for atom in column) for column in columns]
    score += first_bold[0] and not any(first_bold[1:])
    return score >= 2


def _merged(bands: Sequence[_Band], em: float) -> list[_Band]:
    """Merge a band of columns with what follows it in the same columns, and running text with running text."""
    merged: list[_Band] = []
    for band in bands:
        last = merged[-1] if merged else None
        if last is not None and (last.kind == "columns" or band.kind == "columns") and _continues(last, band, em):
            parts = _union(last.parts, [atom for row in band.rows for atom in row], em)
            last.parts = _grouped(parts, last.parts) if band.kind == "table" else parts
            last.rows += band.rows
            last.kind = "columns"
        else:
            merged.append(band)
    for band in merged:
        if band.kind == "weak":
            band.kind = "flow"
    return merged


def _is_across(columns: Sequence[Interval], table: Sequence[Interval], em: float) -> bool:
    """Return whether what looks like one table is text in columns that are far apart, as the pages of a book are."""
    gaps = _gaps(table)
    across = {gap for gap in gaps if any(gap[0] < end and start < gap[1] for start, end in _gaps(columns))}
    if not across or min(end - start for start, end in across) < _FAR * em:
        return False
    others = [end - start for start, end in gaps if (start, end) not in across]
    return 2 * max(others, default=0.0) <= min(end - start for start, end in across)


def _grouped(parts: Sequence[Interval], columns: Sequence[Interval]) -> list[Interval]:
    """Return parts joined where no gutter of the columns is between them."""
    grouped = [parts[0]]
    for part in parts[1:]:
        if any(grouped[-1][1] < end and start < part[0] for start, end in _gaps(columns)):
            grouped.append(part)
        else:
            grouped[-1] = grouped[-1][0], part[1]
    return grouped


def _gaps(parts: Sequence[Interval]) -> list[Interval]:
    return [(left[1], right[0]) for left, right in pairwise(parts)]


def _continues(upper: _Band, lower: _Band, em: float) -> bool:
    parts = _union(upper.parts, [atom for row in lower.rows for atom in row], em)
    columns = upper if upper.kind == "columns" else lower
    other = lower if columns is upper else upper
    if len(parts) < 2 or len(parts) < min(len(columns.parts), 2):
        return False
    if other.kind == "table":
        return other is lower and _is_across(columns.parts, other.parts, em)
    if len(other.parts) > 1:
        if other is upper and len(other.parts) != len(columns.parts):
            return False
        return len(parts) == len(columns.parts) or len(other.parts) == len(parts)
    left, right = other.parts[0]
    widths = [end - start for start, end in columns.parts if start - em <= left and right <= end + em]
    if not widths or other is upper:
        return False
    return len(other.rows) > 1 or right - left >= _FULL * widths[0]
