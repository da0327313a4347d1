"""Excel workbooks: each sheet a Markdown table in parts, headed by sheet and rows, each with the header row.

Formulas are shown by the values that Excel computed last. The first row with two filled cells is the header; rows above
it are text. Of the formats of cells, only percentages and dates are applied.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from rag.ingestion.loaders.document_builder import DocumentBuilder, row_range
from rag.text import one_line
from rag.types import Document

__all__ = ["load_xlsx"]

_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MIDNIGHT = time()


def load_xlsx(data: bytes, source: str) -> Document:
    """Read a workbook."""
    from openpyxl import load_workbook

    workbook = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    builder = DocumentBuilder()
    try:
        for sheet in workbook.worksheets:
            sheet.reset_dimensions()  # the file may claim anything
            _add_sheet(builder, sheet.title, _rows(sheet))
        return builder.document(source, _MEDIA_TYPE, workbook.properties.title or "")
    finally:
        workbook.close()


def _add_sheet(builder: DocumentBuilder, name: str, rows: Iterator[tuple[int, list[str]]]) -> None:
    """Add the rows above the header as text, then the table. Rows have Excel's numbers."""
    header: list[str] = []
    for number, row in rows:
        if sum(map(bool, row)) >= 2:
            header = row
            break
        builder.add(" ".join(row), None, (name, row_range(number, number)))
    if header:
        builder.add_table(header, rows, (name,))


def _rows(sheet: Any) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, without blank cells at the end."""
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        row = [_shown(cell) for cell in cells]
        while row and not row[-1]:
            row.pop()
        if row:
            yield number, row


def _shown(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime) and value.time() == _MIDNIGHT:
        return value.date().isoformat()
    if isinstance(value, date | time):
        return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, int | float):
        percent = "%" in (cell.number_format or "")
        return f"{value * 100 if percent else value:.15g}" + "%" * percent
    return one_line(str(value))
