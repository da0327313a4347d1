"""Old Excel workbooks (Excel 5 to 2003): the tables of each visible sheet with Excel's row numbers.

Values are shown by their formats, as in Excel, and comments come with their cells. Hidden sheets, rows and columns,
what is struck through, and charts are left out and noted. Text boxes follow the tables of their sheet. A workbook that
xlrd cannot read is read by calamine, without formats.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rag.errors import DocumentError
from rag.ingestion.loaders.calamine_sheets import load_xls_values
from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.grid import BLANK, Cell, Row
from rag.ingestion.loaders.number_format import general, shown
from rag.ingestion.loaders.raised_text import with_lowered, with_raised
from rag.ingestion.loaders.sheet_notes import SheetCounts
from rag.ingestion.loaders.sheet_tables import sheet_tables
from rag.ingestion.loaders.xls_drawings import read_drawings
from rag.text import counted, one_line
from rag.types import Document

__all__ = ["load_xls"]

_MEDIA_TYPE = "application/vnd.ms-excel"
_SYSTEM_DATES = {14: "yyyy-mm-dd", 22: "yyyy-mm-dd hh:mm"}  # shown as each reader's own system shows dates
_GENERAL = "General"
_BOLD = 600
_RAISED, _LOWERED = 1, 2
_MOST_MERGED_COLUMNS = 256
# What xlrd raises for a damaged file, besides its own errors.
_DAMAGED = (
    AssertionError, AttributeError, ArithmeticError, LookupError, NameError, TypeError, ValueError, struct.error,
)  # fmt: skip


def load_xls(data: bytes, source: str) -> Document:
    """Read a workbook. Raises :class:`~rag.errors.DocumentError` for one that needs a password."""
    import xlrd

    try:
        book = xlrd.open_workbook(
            file_contents=data, formatting_info=True, ignore_workbook_corruption=True, logfile=io.StringIO()
        )
        return _read(book, data, source)
    except (xlrd.XLRDError, *_DAMAGED) as error:
        if "encrypted" in str(error):
            raise DocumentError("encrypted", "the workbook is encrypted", "save a copy without a password") from None
        return load_xls_values(data, source)


def _read(book: Any, data: bytes, source: str) -> Document:
    builder = DocumentBuilder()
    drawings = read_drawings(data)
    for number, sheet in enumerate(book.sheets()):
        if sheet.visibility:
            builder.note("hidden_content", "a hidden sheet was left out", f"sheet {sheet.name}")
            continue
        reader = _SheetReader(book, sheet)
        for table in sheet_tables(reader.rows()):
            builder.add_table(table, None, (sheet.name,))
        comments = {one_line(note.text) for note in sheet.cell_note_map.values()}
        for text in drawings.texts.get(number, ()):
            if one_line(text) not in comments:
                builder.add(text, None, (sheet.name,))
        if pictures := drawings.pictures[number]:
            builder.note("pictures_not_read", f"{counted(pictures, 'picture')} not read", f"sheet {sheet.name}")
        reader.counts.add_notes(builder, f"sheet {sheet.name}")
    if drawings.charts:
        builder.note("pictures_not_read", f"{counted(drawings.charts, 'chart')} not read")
    return builder.document(source, _MEDIA_TYPE)


@dataclass(slots=True)
class _SheetReader:
    """Reads a sheet of xlrd; what is left out is counted while :meth:`rows` is read."""

    book: Any
    sheet: Any
    counts: SheetCounts = field(default_factory=SheetCounts)

    def rows(self) -> Iterator[Row]:
        """Yield the visible rows with their numbers; the places of a merged cell hold one cell."""
        sheet = self.sheet
        hidden = {column for column, info in sheet.colinfo_map.items() if info.hidden}
        merges = sorted(sheet.merged_cells, reverse=True)
        active: list[tuple[int, int, int, Cell]] = []  # the row after the last, first and last column, the cell
        noted: dict[int, list[int]] = {}
        for row, column in sheet.cell_note_map:
            noted.setdefault(row, []).append(column)
        for number in range(max(sheet.nrows, max(noted, default=-1) + 1)):
            active = [one for one in active if one[0] > number]
            info = sheet.rowinfo_map.get(number)
            is_hidden = info is not None and bool(info.hidden)
            width = sheet.row_len(number) if number < sheet.nrows else 0
            cells = {column: self._cell(number, column) for column in range(width) if sheet.cell_type(number, column)}
            cells |= {column: self._cell(number, column) for column in noted.get(number, ())}
            while merges and merges[-1][0] <= number:
                first, last, left, right = merges.pop()
                if first == number and left in cells:
                    active.append((last, left, min(right, left + _MOST_MERGED_COLUMNS), cells[left]))
            if is_hidden:
                self.counts.hidden_rows += any(cell.full_text for cell in cells.values())
                continue
            for _, left, right, cell in active:
                cells |= dict.fromkeys(range(left, right), cell)
            used = hidden.intersection(column for column, cell in cells.items() if cell.full_text)
            self.counts.hidden_columns |= used
            width = max(cells, default=-1) + 1
            yield number + 1, [cells.get(column, BLANK) for column in range(width) if column not in hidden]

    def _cell(self, row: int, column: int) -> Cell:
        note = self.sheet.cell_note_map.get((row, column))
        comment = one_line(note.text) if note is not None else ""
        if row >= self.sheet.nrows or column >= self.sheet.row_len(row):  # a comment without a cell
            return Cell(comment=comment)
        form = self.book.xf_list[self.sheet.cell_xf_index(row, column)]
        font = self.book.font_list[form.font_index]
        text = one_line(self._text(row, column, form.format_key))
        if font.struck_out and text:
            self.counts.struck += 1
            text = ""
        return Cell(text, strong=font.weight >= _BOLD, comment=comment) if text or comment else BLANK

    def _text(self, row: int, column: int, key: int) -> str:
        import xlrd

        kind, value = self.sheet.cell_type(row, column), self.sheet.cell_value(row, column)
        form = self.book.format_map.get(key)
        code = _SYSTEM_DATES.get(key) or (form.format_str if form is not None else _GENERAL)
        if kind == xlrd.XL_CELL_TEXT:
            text = self._rich_text(value, self.sheet.rich_text_runlist_map.get((row, column), ()))
            return shown(text, code) if code != _GENERAL else text
        if kind == xlrd.XL_CELL_BOOLEAN:
            return "TRUE" if value else "FALSE"
        if kind == xlrd.XL_CELL_ERROR:
            return str(xlrd.error_text_from_code.get(value, ""))
        if kind not in (xlrd.XL_CELL_NUMBER, xlrd.XL_CELL_DATE):
            return ""
        number = int(value) if value == int(value) else value
        return general(number) if code == _GENERAL else shown(number, code, since_1904=self.book.datemode == 1)

    def _rich_text(self, text: str, runs: Any) -> str:
        """Return a text without its struck-through runs; raised and lowered figures never join a number."""
        starts = [0, *(start for start, _ in runs), len(text)]
        fonts = [None, *(self.book.font_list[font] for _, font in runs)]
        read = ""
        for font, start, end in zip(fonts, starts, starts[1:], strict=False):
            piece = text[start:end]
            if font is not None and font.struck_out:
                continue
            if font is not None and font.escapement == _RAISED:
                piece = with_raised(read, piece)
            elif font is not None and font.escapement == _LOWERED:
                piece = with_lowered(read, piece)
            read += piece
        return read
