"""One grid for the tables of all formats: cells with spans to full rows, and a table with its header, title and notes.

A loader makes the rows of :class:`Cell`, with :func:`expand` where cells span others. A merged cell is the same object
at each of its places, so that every row can be read alone. :func:`read_table` finds in such a block of rows the lines
above the table (title, caption, preamble), the header rows, and the notes below, and :mod:`.table_text` writes it.
This module knows no file format.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rag.ingestion.loaders.grid_header import count_headers
from rag.text import one_line

__all__ = ["BLANK", "Cell", "Row", "Span", "Table", "expand", "plain_table", "read_table", "read_tables"]

_MOST_COLUMNS = 1000  # of one span, as in HTML
_MOST_CELLS = 500_000  # of one table with expanded spans; later ones stay single
_LEVELS = " / "
_NOTE_CHARACTERS = 40  # a last row with one cell that is longer is a note


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """A cell's text on one line. ``header`` if the file marks it as one, ``strong`` if it is printed in bold.

    A ``comment`` is written after the text; that of a column's name below the table.

    Cells are compared by identity: the places of a merged cell hold one object.
    """

    text: str = ""
    header: bool = False
    strong: bool = False
    comment: str = ""

    @property
    def full_text(self) -> str:
        """The text with the comment."""
        return f"{self.text} [{self.comment}]".strip() if self.comment else self.text


BLANK = Cell()

Row = tuple[int, Sequence[Cell]]
"""A row with the number that a reader knows it by."""


@dataclass(frozen=True, slots=True)
class Span:
    """A cell as a format lists it: it covers ``rows`` rows (0: all that follow) and ``columns`` columns."""

    cell: Cell
    rows: int = 1
    columns: int = 1


@dataclass(frozen=True, slots=True)
class Table:
    """``header`` has a name for each column, all empty if the table has none; ``rows`` are as wide, with their numbers.

    ``above`` are the lines before the table, its title first, ``below`` the notes after it.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    first: int = 1
    last: int = 1


def plain_table(header: Sequence[str], rows: Iterable[Sequence[str]], first: int = 1) -> Table:
    """Return a table whose header is known, with its rows numbered from ``first``; short rows get empty cells."""
    numbered = [(number, tuple(map(one_line, row))) for number, row in enumerate(rows, start=first)]
    width = max([len(header), *(len(row) for _, row in numbered)])
    filled = tuple((number, row + ("",) * (width - len(row))) for number, row in numbered)
    names = (*map(one_line, header), *[""] * (width - len(header)))
    return Table(names, filled, first=first, last=first + max(len(filled) - 1, 0))


def expand(rows: Sequence[Sequence[Span]]) -> list[list[Cell]]:
    """Return the rectangular grid of rows that list their cells as HTML does.

    Of a table with too many cells, the later spans are not expanded.
    """
    grid: list[list[Cell]] = []
    pending: dict[int, tuple[int, Cell]] = {}  # column: how many more rows a cell from above covers
    cells = 0
    for number, spans in enumerate(rows):
        line: list[Cell] = []
        covered: dict[int, tuple[int, Cell]] = {}

        for span in spans:
            _cover(line, pending, covered)
            height = span.rows if span.rows > 0 else len(rows)
            small = cells + len(line) < _MOST_CELLS
            width = max(1, min(span.columns, _MOST_COLUMNS)) if small else 1
            for _ in range(width):
                if len(line) in pending:
                    break
                if small and min(height, len(rows) - number) > 1:
                    covered[len(line)] = (height - 1, span.cell)
                line.append(span.cell)
        for column in sorted(pending):
            if column >= len(line) and pending:
                line += [BLANK] * (column - len(line))
                _cover(line, pending, covered)
        cells += len(line)
        pending = covered if cells < _MOST_CELLS else {}
        grid.append(line)
    return _without_copies(_rectangular(grid))


def _cover(line: list[Cell], pending: dict[int, tuple[int, Cell]], covered: dict[int, tuple[int, Cell]]) -> None:
    """Append the cells from above that cover the next places of a line."""
    while (above := pending.pop(len(line), None)) is not None:
        if above[0] > 1:
            covered[len(line)] = (above[0] - 1, above[1])
        line.append(above[1])


def read_tables(rows: Sequence[Row], *, assume_header: bool = True) -> list[Table]:
    """Return the table of a block of rows; several if merged rows between its rows name groups of them."""
    table, groups = _split(rows, assume_header=assume_header)
    if not groups:
        return [table]
    tables = []
    for place, (label, part) in enumerate(groups):
        above = (*(table.above if place == 0 else ()), *((label,) if label else ()))
        below = table.below if place == len(groups) - 1 else ()
        numbers = [number for number, _ in part] or [table.first]
        first = table.first if place == 0 else numbers[0]
        tables.append(Table(table.header, tuple(part), above, below, first, numbers[-1]))
    return tables


def read_table(rows: Sequence[Row], *, assume_header: bool = True) -> Table:
    """Return a block of rows as one table. Merged rows between its rows stay rows.

    ``assume_header`` says what the first row is where nothing in the block decides it.
    """
    rows = _lean(rows)
    first, last = (rows[0][0], rows[-1][0]) if rows else (1, 1)
    above: list[str] = []
    below: list[str] = []
    width = max((len(row) for _, row in rows), default=0)
    usual = _usual(rows)
    while len(rows) > 1 and _introduces([row for _, row in rows], width, usual):
        row = rows.pop(0)[1]
        if not _goes_on(row, rows[0][1]):
            above.append(_line(row))
    while len(rows) > 2 and _is_note(rows[-1][1], usual):
        below.insert(0, _line(rows.pop()[1]))
    group = next((n for n, (_, row) in enumerate(rows) if _is_one_cell(row)), len(rows))
    count = count_headers([row for _, row in rows if not _is_one_cell(row)], assume=assume_header)
    count = min(count, group)
    names = _names([row for _, row in rows[:count]], width)
    below += (f"{cell.text}: {cell.comment}" for _, row in rows[:count] for cell in _filled(row) if cell.comment)
    body = tuple((number, _texts(row, width, comments=True)) for number, row in rows[count:])
    if count:
        body = tuple(row for row in body if row[1] != names)  # a header that is repeated on each page
    return Table(names, body, tuple(above), tuple(below), first, last)


Group = tuple[str, list[tuple[int, tuple[str, ...]]]]


def _split(rows: Sequence[Row], *, assume_header: bool) -> tuple[Table, list[Group]]:
    """Return the whole table, and its groups of rows if merged rows name them."""
    rows = _lean(rows)
    table = read_table(rows, assume_header=assume_header)
    merged = {number: row[0].text for number, row in rows if _is_one_cell(row)}
    groups: list[Group] = [("", [])]
    for number, texts in table.rows:
        if number in merged:
            groups.append((merged[number], []))
        else:
            groups[-1][1].append((number, texts))
    groups = [group for group in groups if group[1]]
    return table, groups if len(groups) > 1 or (groups and groups[0][0]) else []


def _rectangular(grid: list[list[Cell]]) -> list[list[Cell]]:
    width = max(map(len, grid), default=0)
    if width * len(grid) > _MOST_CELLS:
        return grid
    return [line + [BLANK] * (width - len(line)) for line in grid]


def _without_copies(grid: list[list[Cell]]) -> list[list[Cell]]:
    """Leave out the columns that only continue their left neighbours, or are blank in all rows."""
    if not grid or any(len(line) != len(grid[0]) for line in grid):
        return grid
    columns = list(zip(*grid, strict=True))
    kept = [
        place
        for place, column in enumerate(columns)
        if any(cell.full_text for cell in column)
        and not (place and all(left is cell for left, cell in zip(columns[place - 1], column, strict=True)))
    ]
    return [[line[place] for place in kept] for line in grid] if len(kept) < len(columns) else grid


def _lean(rows: Sequence[Row]) -> list[Row]:
    """Return rows of one width, without the columns that only continue others."""
    grid = _without_copies(_rectangular([list(row) for _, row in rows]))
    return [(number, cells) for (number, _), cells in zip(rows, grid, strict=True)]


def _filled(row: Sequence[Cell]) -> list[Cell]:
    """Return the cells with text, each merged cell once."""
    return list({id(cell): cell for cell in row if cell.text}.values())


def _is_one_cell(row: Sequence[Cell]) -> bool:
    return len(row) > 1 and bool(row[0].text) and all(cell is row[0] for cell in row)


def _usual(rows: Sequence[Row]) -> int:
    """Return how many filled cells most rows have; of equally many rows, the wider ones decide."""
    counts = Counter(len(_filled(row)) for _, row in rows)
    return max(counts, key=lambda width: (counts[width] * min(width, 2), width), default=0)


def _goes_on(row: Sequence[Cell], below: Sequence[Cell]) -> bool:
    """Return whether a row has nothing but cells that cover the row below, too."""
    return all(cell is under for cell, under in zip(row, below, strict=False) if cell.text)


def _introduces(rows: Sequence[Sequence[Cell]], width: int, usual: int) -> bool:
    """Return whether the first row is a title, or a line with a name and its value, above a wider table."""
    row, following = rows[0], rows[1]
    filled = _filled(row)
    if not filled:
        return True
    if all(cell.header for cell in filled) and len(filled) > 1:
        return False
    if usual < 2 or len(filled) >= usual:
        return False
    starts_left = bool(row[0].text) and all(cell.text for cell in row[: len(filled)])
    if len(filled) == 1:
        spans_all = _is_one_cell(row)
        return spans_all or (starts_left and not any(a is b and a.text for a, b in pairwise(row)))
    merged = any(left is right and left.text for left, right in pairwise(row))
    return starts_left and not merged and 2 * len(filled) <= min(usual, width) and len(_filled(following)) >= 1


def _is_note(row: Sequence[Cell], usual: int) -> bool:
    """Return whether a last row is a note: one long text, one marked with a sign, or one cell as wide as the table."""
    filled = _filled(row)
    if usual < 2 or len(filled) != 1 or not row[0].text:
        return not filled
    text = filled[0].text
    return _is_one_cell(row) or len(text) > _NOTE_CHARACTERS or not (text[0].isalnum() or text[0] in "([<\"'+-€$£")


def _line(row: Sequence[Cell]) -> str:
    return " ".join(cell.full_text for cell in _filled(row))


def _texts(row: Sequence[Cell], width: int, *, comments: bool = False) -> tuple[str, ...]:
    return (*(cell.full_text if comments else cell.text for cell in row), *[""] * (width - len(row)))


def _names(rows: Sequence[Sequence[Cell]], width: int) -> tuple[str, ...]:
    """Return the column names of header rows: different words above each other are joined, as in ``2030 / Q1``.

    A blank place in an upper row belongs to the name to its left, as if they were merged, if the row below has a name.
    """
    levels = [list(_texts(row, width)) for row in rows]
    for upper, lower in pairwise(levels):
        for place in range(1, width):
            if not upper[place] and upper[place - 1] and lower[place] and lower[place - 1]:
                upper[place] = upper[place - 1]
    return tuple(_LEVELS.join(dict.fromkeys(filter(None, names))) for names in _columns(levels, width))


def _columns(levels: Sequence[Sequence[str]], width: int) -> Iterator[tuple[str, ...]]:
    for place in range(width):
        yield tuple(level[place] for level in levels)
