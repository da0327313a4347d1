"""Excel workbooks: the tables of each visible sheet with Excel's row numbers, then its text boxes and charts.

Values are shown as Excel shows them. A formula without a stored value is written as it is. Comments come with their
cells. Hidden sheets, rows and columns, and what is struck through, are left out and noted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.office_package import OfficePackage, attribute, first_child, is_true, named
from rag.ingestion.loaders.office_pictures import OfficePictures
from rag.ingestion.loaders.sheet_tables import sheet_tables
from rag.ingestion.loaders.table_text import table_text
from rag.ingestion.loaders.titles import title_of
from rag.ingestion.loaders.xlsx_parts import (
    comments_of,
    drawing_pictures,
    drawing_tables,
    drawing_texts,
    shared_strings,
    styles_of,
)
from rag.ingestion.loaders.xlsx_sheet import SheetReader, Workbook
from rag.types import Document

__all__ = ["load_xlsx"]

_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_SHEETS = ("worksheet", "chartsheet")


class _Sheet(NamedTuple):
    name: str
    part: str
    is_hidden: bool


def load_xlsx(data: bytes, source: str) -> Document:
    """Read a workbook."""
    package = OfficePackage(data)
    part = next(iter(package.related("", "officeDocument")), "xl/workbook.xml")
    root = package.xml(part)
    properties = first_child(root, "workbookPr")
    since_1904 = properties is not None and is_true(properties.get("date1904"))
    workbook = Workbook(package, shared_strings(package, part), styles_of(package, part), since_1904)
    builder = DocumentBuilder()
    for sheet in _sheets(package, part, root):
        if sheet.is_hidden:
            builder.note("hidden_content", "a hidden sheet was left out", f"sheet {sheet.name}")
        else:
            _add_sheet(builder, workbook, sheet)
    return builder.document(source, _MEDIA_TYPE, title_of(package))


def _sheets(package: OfficePackage, part: str, root: Any) -> Iterator[_Sheet]:
    """Yield the sheets of a workbook in the order of their tabs."""
    relations = package.relations(part)
    for element in named(root, "sheet"):
        relation = relations.get(attribute(element, "id"))
        if relation and relation.kind in _SHEETS and package.has(relation.part):
            yield _Sheet(element.get("name", ""), relation.part, element.get("state", "visible") != "visible")


def _add_sheet(builder: DocumentBuilder, workbook: Workbook, sheet: _Sheet) -> None:
    package, pictures = workbook.package, OfficePictures()
    comments = comments_of(package, sheet.part)
    reader = SheetReader(workbook, sheet.part, comments, frozenset(_table_headers(package, sheet.part)))
    for table in sheet_tables(reader.rows()):
        builder.add_table(table, None, (sheet.name,))
    for text in drawing_texts(package, sheet.part):
        builder.add(text, None, (sheet.name,))
    for text in drawing_pictures(package, sheet.part, pictures):
        builder.add(text, None, (sheet.name,))
    for table in drawing_tables(package, sheet.part):
        builder.add(table_text(table), None, (sheet.name,))
    reader.counts.objects = sum(len(package.related(sheet.part, kind)) for kind in ("oleObject", "package"))
    reader.counts.add_notes(builder, f"sheet {sheet.name}")
    pictures.add_notes(builder, place=f"sheet {sheet.name}")


def _table_headers(package: OfficePackage, sheet: str) -> Iterator[str]:
    """Yield the cells in the header rows of the sheet's tables."""
    from openpyxl.utils import get_column_letter, range_boundaries

    for part in package.related(sheet, "table"):
        table = package.xml(part)
        count = int(table.get("headerRowCount", "1"))
        try:
            left, top, right, _ = range_boundaries(table.get("ref", ""))
        except ValueError:
            continue
        for row in range(top or 1, (top or 1) + count):
            yield from (f"{get_column_letter(column)}{row}" for column in range(left or 1, (right or 1) + 1))
