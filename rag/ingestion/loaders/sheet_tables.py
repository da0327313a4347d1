"""The tables of a sheet: blocks of rows between blank rows and columns, each with the lines of text above it.

Works on any number of rows at once: a block of many rows is written as several tables with the same header.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from rag.ingestion.loaders.grid import BLANK, Cell, Row, Table, read_tables
from rag.ingestion.loaders.grid_header import count_headers, is_value
from rag.text import one_line

__all__ = ["sheet_tables"]

_MOST_ROWS = 10_000  # of one table
_MOST_CELLS = 500_000
_MOST_GAPS = 20  # between tables beside each other
_MOST_LINES = 10  # of the text above a table
_FEW_LINES = 3  # a column with no more rows is text, not a table


def sheet_tables(rows: Iterable[Row]) -> Iterator[Table]:
    """Yield the tables of a sheet in reading order. A row without text separates tables; hidden rows are not passed.

    Text that belongs to no table comes as a table without names and rows.
    """
    text: list[Row] = []  # lines that may be the title of the table below them
    header: tuple[str, ...] | None = None  # of the table that goes on in the next block
    for block, goes_on in _blocks(rows):
        if header is None and _width(block) == 1 and len(text) + len(block) <= _MOST_LINES and not goes_on:
            text += block
            continue
        tables = _continued(block, header) if header is not None else list(_tables(block))
        if text and _is_table(text) and not _introduces(text, tables):
            yield from _tables(text)
        elif text:
            tables[0] = _below(text, tables[0])
        text = []
        header = tables[-1].header if goes_on else None
        yield from tables
    if text:
        yield from _tables(text) if _is_table(text) else (_below(text, None),)


def _is_table(lines: Sequence[Row]) -> bool:
    return len(lines) > _FEW_LINES


def _introduces(text: Sequence[Row], tables: Sequence[Table]) -> bool:
    """Return whether lines are the preamble of a table: they are no longer than it is."""
    return len(text) <= max(_FEW_LINES, len(tables[0].rows))


def _below(text: Sequence[Row], table: Table | None) -> Table:
    lines = tuple(" ".join({id(cell): cell.full_text for cell in row if cell.full_text}.values()) for _, row in text)
    if table is None:
        return Table((), (), lines, (), text[0][0], text[-1][0])
    return replace(table, above=(*lines, *table.above), first=text[0][0])


def _blocks(rows: Iterable[Row]) -> Iterator[tuple[list[Row], bool]]:
    """Yield the blocks of a sheet, and whether the table goes on in the next one because it is long.

    A block goes on after a blank row if what follows has the same columns and no names of its own.
    """
    block: list[Row] = []
    part: list[Row] = []
    cells = 0
    for row in chain(rows, [(0, ())]):
        if any(cell.full_text for cell in row[1]):
            part.append(row)
            cells += len(row[1])
            if len(block) + len(part) >= _MOST_ROWS or cells >= _MOST_CELLS:
                yield block + part, True
                block, part, cells = [], [], 0
            continue
        if not part:
            continue
        if block and _goes_on(block, part):
            block += part
        else:
            if block:
                yield block, False
            block, cells = part, sum(len(row[1]) for row in part)
        part = []
    if block:
        yield block, False


def _continued(block: Sequence[Row], header: tuple[str, ...]) -> list[Table]:
    width = max(len(header), *(len(row) for _, row in block))
    names = (*header, *[""] * (width - len(header)))
    rows = tuple((number, (*(cell.full_text for cell in row), *[""] * (width - len(row)))) for number, row in block)
    return [Table(names, rows, first=rows[0][0], last=rows[-1][0])]


def _goes_on(block: Sequence[Row], part: Sequence[Row]) -> bool:
    if _extent(block) != _extent(part) or _width(block) == 1:
        return False
    first = part[0][1]
    names = {one_line(cell.text) for cell in block[0][1] if cell.text}
    if names & {cell.text for cell in first if cell.text and not is_value(cell.text)}:
        return False
    return count_headers([row for _, row in part], assume=False) == 0


def _extent(block: Sequence[Row]) -> tuple[int, int]:
    """Return the first filled column, and the one after the last."""
    filled = {place for _, row in block for place, cell in enumerate(row) if cell.full_text}
    return min(filled), max(filled) + 1


def _width(block: Sequence[Row]) -> int:
    first, end = _extent(block)
    return end - first


def _tables(block: Sequence[Row]) -> Iterator[Table]:
    for part in _side_by_side(block):
        if len(part) <= _FEW_LINES and _width(part) == 1:
            yield _below(part, None)
        else:
            yield from read_tables(part)


def _side_by_side(block: Sequence[Row]) -> list[list[Row]]:
    """Return the tables that stand beside each other, in a block without blank rows."""
    start, end = _extent(block)
    if (end - start) * len(block) > _MOST_CELLS:
        return [list(block)]
    filled = [any(place < len(row) and row[place].full_text for _, row in block) for place in range(end)]
    gaps = [place for place in range(start, end - 1) if not filled[place] and filled[place + 1]]
    parts, begin = [], start
    for place in gaps if len(gaps) <= _MOST_GAPS else ():
        left, right = _cut(block, begin, place), _cut(block, place + 1, _gap(filled, place + 1))
        if left and right and _stand_alone(left, right):
            parts.append(left)
            begin = place + 1
    return [*parts, _cut(block, begin, end)]


def _gap(filled: Sequence[bool], place: int) -> int:
    return next((n for n in range(place, len(filled)) if not filled[n]), len(filled))


def _cut(block: Sequence[Row], begin: int, end: int) -> list[Row]:
    """Return some columns of a block, without blank rows and columns."""
    rows = [(number, [*row[begin:end], *[BLANK] * (end - max(begin, len(row)))]) for number, row in block]
    rows = [row for row in rows if any(cell.full_text for cell in row[1])]
    used = [place for place in range(end - begin) if any(row[place].full_text for _, row in rows)]
    return [(number, [row[place] for place in used]) for number, row in rows]


def _stand_alone(left: Sequence[Row], right: Sequence[Row]) -> bool:
    """Return whether two parts are tables of their own and not the columns of one table with a gap.

    The right one begins with names, or is higher or lower. A remark beside a table is a part of its own.
    """
    same_rows = (left[0][0], left[-1][0]) == (right[0][0], right[-1][0])
    if _width(left) == 1 or _width(right) == 1:
        return not same_rows and min(len(left), len(right)) <= _FEW_LINES < max(len(left), len(right))
    if same_rows and len({tuple(map(id, row)) for _, row in right}) == 1:  # names above a table that is further below
        return False
    first: list[Cell] = [row[0] for _, row in right if row[0].text]
    return not same_rows or 2 * sum(is_value(cell.text) for cell in first) < len(first)
