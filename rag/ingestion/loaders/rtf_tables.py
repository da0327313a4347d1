"""Tables of RTF: rows that are defined by the right edges of their cells, and tables in cells."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from rag.ingestion.loaders.grid import BLANK, Cell, Row, Table, read_tables

__all__ = ["CellForm", "RowForm", "RtfTable"]

_NEAR = 20  # twentieths of a point: edges of two rows that are as near are one


@dataclass(frozen=True, slots=True)
class CellForm:
    """How a row defines a cell: its right edge, and whether it goes on with the cell above or to its left."""

    edge: int
    below: bool = False
    beside: bool = False


@dataclass(slots=True)
class RowForm:
    """The cells that a row defines, and whether it is repeated on each page as the names of the columns."""

    cells: list[CellForm] = field(default_factory=list)
    header: bool = False
    below: bool = False  # of the cell that is being defined
    beside: bool = False

    def end_cell(self, edge: int) -> None:
        """Define a cell by its right edge."""
        self.cells.append(CellForm(edge, self.below, self.beside))
        self.below = self.beside = False


@dataclass(slots=True)
class RtfTable:
    """Collects the texts of cells, then rows, then gives the tables."""

    _cells: list[str] = field(default_factory=list)
    _rows: list[tuple[list[str], RowForm]] = field(default_factory=list)

    @property
    def in_row(self) -> bool:
        """Whether a row has begun."""
        return bool(self._cells)

    def cell(self, text: str) -> None:
        """End a cell."""
        self._cells.append(text)

    def row(self, form: RowForm) -> None:
        """End a row, which has the given form."""
        self._rows.append((self._cells, form))
        self._cells = []

    def tables(self) -> list[Table]:
        """Return what was collected, also a row that did not end, and forget it."""
        if self._cells:
            self.row(RowForm())
        rows, self._rows = self._rows, []
        if len(rows) == 1 and len(rows[0][0]) == 1:  # a frame
            return [Table((), (), tuple(filter(None, rows[0][0])))]
        columns = _columns(rows)
        grid: list[list[Cell]] = []
        for texts, form in rows:
            grid.append(_line(texts, form, columns, grid[-1] if grid else []))
        numbered: list[Row] = [(n, line) for n, line in enumerate(grid, start=1) if any(cell.text for cell in line)]
        return read_tables(numbered) if numbered else []


def _columns(rows: list[tuple[list[str], RowForm]]) -> list[int]:
    """Return the right edges of all columns; none if the rows have equally many cells, or edges are missing."""
    if len({len(texts) for texts, _ in rows}) < 2 or any(len(form.cells) < len(texts) for texts, form in rows):
        return []
    columns: list[int] = []
    for edge in sorted({cell.edge for _, form in rows for cell in form.cells}):
        if not columns or edge - columns[-1] > _NEAR:
            columns.append(edge)
    return columns


def _line(texts: list[str], form: RowForm, columns: list[int], above: list[Cell]) -> list[Cell]:
    line: list[Cell] = []
    for number, text in enumerate(texts):
        defined = form.cells[number] if number < len(form.cells) else CellForm(0)
        cell = Cell(text, form.header) if text else BLANK
        if defined.below and len(line) < len(above):
            cell = above[len(line)]
        elif defined.beside and line:
            cell = line[-1]
        width = max(bisect_left(columns, defined.edge - _NEAR) + 1 - len(line), 1) if columns else 1
        line += [cell] * width
    return line
