"""A whole table of a document, though chunks and long-table parts cut it: its columns, and its rows with their places.

Parts belong to one table if their column names and headings are the same and only white space is between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.evidence.quotation import TABLE_ROW, TABLE_RULE, plain_text, table_cells
from rag.evidence.stretch import Stretch
from rag.text import ROW_RANGE
from rag.types import Passage

__all__ = ["Table", "TableLine", "first_row", "table_at"]


@dataclass(frozen=True, slots=True)
class TableLine:
    """A row ``text[start:end]`` of a stretch and the plain texts of its cells."""

    start: int
    end: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table: names of columns, empty if unknown, and rows in order. ``whole`` is False if rows may be missing."""

    columns: tuple[str, ...]
    rows: tuple[TableLine, ...]
    whole: bool

    def written(self, row: TableLine) -> str:
        """Return ``Column: value; Column: value``, or the values alone where the columns have no names."""
        named = zip(self.columns or [""] * len(row.cells), row.cells, strict=False)
        return "; ".join(f"{name}: {cell}" if name and name != cell else cell for name, cell in named if cell)


@dataclass(frozen=True, slots=True)
class _Part:
    """Lines of a table that follow each other."""

    start: int
    end: int
    columns: tuple[str, ...]
    rows: tuple[TableLine, ...]


def first_row(text: str) -> int | None:
    """Return where the first row of the first table of a text begins, None if there is none."""
    return next((row.start for part in _parts(text) for row in part.rows), None)


def table_at(stretch: Stretch, place: int) -> Table | None:
    """Return the table with a row at a place of a stretch, None if there is no row."""
    parts = list(_parts(stretch.text))
    n = next((n for n, part in enumerate(parts) if part.start <= place <= part.end), None)
    if n is None or not any(row.start <= place <= row.end for row in parts[n].rows):
        return None
    first, last = n, n
    while first > 0 and _continues(stretch, parts[first - 1], parts[first]):
        first -= 1
    while last + 1 < len(parts) and _continues(stretch, parts[last], parts[last + 1]):
        last += 1
    held = parts[first : last + 1]
    columns = next((part.columns for part in held if part.columns), ())
    if not columns and (named := _named_columns(stretch.holder(held[0].start), held[0].rows)):
        columns = named
    is_cut_before = not held[0].columns and not stretch.text[: held[0].start].strip() and stretch.cut_before
    is_cut_after = not stretch.text[held[-1].end :].strip() and stretch.cut_after
    return Table(columns, tuple(row for part in held for row in part.rows), not (is_cut_before or is_cut_after))


def _parts(text: str) -> Iterator[_Part]:
    """Yield the parts of the tables of a text, in order."""
    lines: list[tuple[int, int]] = []
    position = 0
    for line in [*text.split("\n"), ""]:
        span = (position, position + len(line))
        if TABLE_ROW.fullmatch(line):
            lines.append(span)
        elif lines:
            yield _part(text, lines)
            lines = []
        position += len(line) + 1


def _part(text: str, lines: Sequence[tuple[int, int]]) -> _Part:
    rule = next((n for n, span in enumerate(lines) if TABLE_RULE.fullmatch(text, *span)), None)
    columns = _cells(text, lines[rule - 1]) if rule else ()
    rows = lines if rule is None else lines[rule + 1 :]
    return _Part(lines[0][0], lines[-1][1], columns, tuple(TableLine(*span, _cells(text, span)) for span in rows))


def _cells(text: str, line: tuple[int, int]) -> tuple[str, ...]:
    return tuple(plain_text(text, begin, close) for begin, close in table_cells(text, line))


def _continues(stretch: Stretch, before: _Part, after: _Part) -> bool:
    if stretch.text[before.end : after.start].strip() or _path(stretch, before) != _path(stretch, after):
        return False
    if before.columns and after.columns:
        return before.columns == after.columns
    return not after.columns and _width(before) == _width(after)


def _width(part: _Part) -> int:
    return len(part.rows[0].cells) if part.rows else len(part.columns)


def _path(stretch: Stretch, part: _Part) -> tuple[str, ...]:
    """Return the headings over a part of a table, without those of its rows and its columns."""
    headings = stretch.holder(part.start).headings
    return tuple(heading for heading in headings if not ROW_RANGE.fullmatch(heading) and " | " not in heading)


def _named_columns(passage: Passage, rows: Sequence[TableLine]) -> tuple[str, ...]:
    """Return the column names that a chunk in the middle of a table has as its last heading, if all are there."""
    names = passage.columns
    return names if rows and len(names) == len(rows[0].cells) > 1 else ()
