"""Sheets of binary Excel workbooks, and of damaged old ones, through calamine: values in tables.

calamine gives values without the formats of their cells: a percentage is a fraction, a price has no currency. Sheets
that are hidden are left out and noted.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from rag.errors import DocumentError
from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.grid import BLANK, Cell, Row
from rag.ingestion.loaders.sheet_tables import sheet_tables
from rag.text import one_line
from rag.types import Document

__all__ = ["load_xls_values", "load_xlsb"]

_MIDNIGHT = time()


def load_xls_values(data: bytes, source: str) -> Document:
    """Read a workbook of Excel 5 to 2003, its values without their formats."""
    return _load(data, source, "application/vnd.ms-excel")


def load_xlsb(data: bytes, source: str) -> Document:
    """Read a binary workbook."""
    return _load(data, source, "application/vnd.ms-excel.sheet.binary.macroenabled.12")


def _load(data: bytes, source: str, media_type: str) -> Document:
    """Read a workbook. Raises :class:`~rag.errors.DocumentError` if it needs a password, or its library fails."""
    from python_calamine import PasswordError

    try:
        return _read(data, source, media_type)
    except PasswordError:
        raise DocumentError("encrypted", "the workbook is encrypted", "save a copy without a password") from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what an error in its Rust code becomes; it ends the process
            raise
        message = f"the workbook cannot be read: its library failed: {one_line(str(error), 100)}"
        raise DocumentError("broken", message, "save it as .xlsx") from None


def _read(data: bytes, source: str, media_type: str) -> Document:
    from python_calamine import CalamineWorkbook, SheetVisibleEnum

    builder = DocumentBuilder()
    workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
    for sheet in workbook.sheets_metadata:
        if sheet.visible == SheetVisibleEnum.Visible:
            for table in sheet_tables(_rows(workbook.get_sheet_by_name(sheet.name))):
                builder.add_table(table, None, (sheet.name,))
        else:
            builder.note("hidden_content", "a hidden sheet was left out", f"sheet {sheet.name}")
    return builder.document(source, media_type)


def _rows(sheet: Any) -> Iterator[Row]:
    """Yield the rows with the numbers of the sheet; the places of a merged cell hold one cell."""
    if sheet.start is None:
        return
    top, left = sheet.start
    merged = _Merged(sheet.merged_cell_ranges or (), left)
    for number, values in enumerate(sheet.iter_rows()):  # from the first row, but from the first filled column
        if number >= top:
            cells = [Cell(text) if (text := _shown(value)) else BLANK for value in values]
            yield number + 1, merged.applied(number, cells)


class _Merged:
    """Puts the cell of a merged range into each of its places, row by row."""

    def __init__(self, ranges: Iterable[tuple[tuple[int, int], tuple[int, int]]], left: int) -> None:
        self._ranges = sorted(ranges, reverse=True)  # the first one last
        self._left = left
        self._open: list[tuple[int, int, int, Cell]] = []  # last row, first and last column

    def applied(self, row: int, cells: list[Cell]) -> list[Cell]:
        self._open = [one for one in self._open if one[0] >= row]
        while self._ranges and self._ranges[-1][0][0] <= row:
            (_, first), (last_row, last) = self._ranges.pop()
            first, last = first - self._left, last - self._left
            if 0 <= first < len(cells):
                self._open.append((last_row, first, last, cells[first]))
        for _, first, last, cell in self._open:
            width = min(last + 1, len(cells)) - first
            cells[first : first + width] = [cell] * width
        return cells


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == _MIDNIGHT else value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return one_line(str(value))
