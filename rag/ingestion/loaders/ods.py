"""OpenDocument spreadsheets: the tables of each visible sheet with its row numbers, then its text boxes and charts.

Values are read as the file shows them. Comments come with their cells, the texts on pictures with those of the boxes.
Hidden sheets, rows and columns and what is struck through are left out and noted. The sheets are read as a stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.grid import BLANK, Cell, Row, Table
from rag.ingestion.loaders.number_format import general
from rag.ingestion.loaders.office_package import OfficePackage, attribute, children, first_child, local_name, named
from rag.ingestion.loaders.office_pictures import OfficePictures
from rag.ingestion.loaders.open_document import NO_LOOK, Look, look_of, paragraph_text, repeated
from rag.ingestion.loaders.open_document_objects import EmbeddedObjects
from rag.ingestion.loaders.sheet_notes import SheetCounts
from rag.ingestion.loaders.sheet_tables import sheet_tables
from rag.ingestion.loaders.table_text import table_text
from rag.ingestion.loaders.titles import title_of
from rag.text import one_line
from rag.types import Document

__all__ = ["load_ods"]

_MEDIA_TYPE = "application/vnd.oasis.opendocument.spreadsheet"
_TAGS = ("style", "table", "table-column", "table-row", "shapes")
_HIDDEN = ("collapse", "filter")
_MOST_MERGED_COLUMNS = 256
_LAST_COLUMN = 16_384


def load_ods(data: bytes, source: str) -> Document:
    """Read a spreadsheet."""
    package = OfficePackage(data)
    builder = DocumentBuilder()
    looks: dict[str, Look] = {}
    if package.has("styles.xml"):
        looks = {attribute(style, "name"): look_of(style) for style in named(package.xml("styles.xml"), "style")}
    with package.open("content.xml") as stream:
        for sheet in _sheets(stream, looks, package):
            tables = sheet_tables(sheet.rows())
            if sheet.is_hidden:
                sheet.skip()
                builder.note("hidden_content", "a hidden sheet was left out", f"sheet {sheet.name}")
                continue
            for table in tables:
                builder.add_table(table, None, (sheet.name,))
            for text in sheet.texts:
                builder.add(text, None, (sheet.name,))
            for chart in sheet.charts:
                builder.add(table_text(chart), None, (sheet.name,))
            sheet.counts.add_notes(builder, f"sheet {sheet.name}")
            sheet.pictures.add_notes(builder, place=f"sheet {sheet.name}")
    return builder.document(source, _MEDIA_TYPE, title_of(package))


def _sheets(stream: Any, looks: dict[str, Look], package: OfficePackage) -> Iterator[_Sheet]:
    """Yield the sheets in their order; each is to be read or skipped before the next."""
    from lxml import etree

    hidden, objects = set[str](), EmbeddedObjects(package)
    tags = tuple(f"{{*}}{tag}" for tag in _TAGS)
    events = etree.iterparse(stream, events=("start", "end"), tag=tags, resolve_entities=False, no_network=True)
    for event, element in events:
        name = local_name(element)
        if event == "end" and name == "style":
            looks[attribute(element, "name")] = look_of(element)
            properties = first_child(element, "table-properties")
            if properties is not None and attribute(properties, "display") == "false":
                hidden.add(attribute(element, "name"))
        elif event == "start" and name == "table":
            is_hidden = attribute(element, "style-name") in hidden
            yield _Sheet(events, attribute(element, "name"), is_hidden, looks, package, objects)


@dataclass(slots=True)
class _Sheet:
    """One sheet; while :meth:`rows` is read, ``texts`` of its shapes and ``counts`` of what is left out are filled."""

    events: Iterator[tuple[str, Any]]
    name: str
    is_hidden: bool
    looks: dict[str, Look]
    package: OfficePackage
    objects: EmbeddedObjects
    pictures: OfficePictures = field(default_factory=OfficePictures)
    texts: list[str] = field(default_factory=list)
    charts: list[Table] = field(default_factory=list)
    counts: SheetCounts = field(default_factory=SheetCounts)
    _column_looks: list[Look] = field(default_factory=list)
    _hidden_columns: set[int] = field(default_factory=set)

    def skip(self) -> None:
        """Pass over the sheet."""
        for _ in self._elements():
            pass

    def rows(self) -> Iterator[Row]:
        """Yield the visible rows with their numbers; blank rows come once for each gap."""
        active: list[tuple[int, int, int, Cell]] = []  # merged cells: last row, first and last column, the cell
        number = 0
        for element in self._elements():
            if local_name(element) == "table-column":
                self._column(element)
                continue
            if local_name(element) == "shapes":
                self._shapes(element)
                continue
            count = int(attribute(element, "number-rows-repeated") or 1)
            is_hidden = attribute(element, "visibility") in _HIDDEN
            cells, merged = self._cells(element, number + 1)
            if is_hidden and cells:
                self.counts.hidden_rows += repeated(element, "rows")
            active += merged
            blank = not cells and not any(last > number for last, _, _, _ in active)
            if blank or is_hidden:
                yield from [(number + 1, ())] * (blank and not is_hidden)
            else:
                for each in range(number + 1, number + 1 + repeated(element, "rows")):
                    active = [one for one in active if one[0] >= each]
                    yield each, self._line(cells, active)
            number += count

    def _line(self, cells: dict[int, Cell], active: list[tuple[int, int, int, Cell]]) -> list[Cell]:
        line = dict(cells)
        for _, left, right, cell in active:
            line |= dict.fromkeys(range(left, right + 1), cell)
        return [line.get(n, BLANK) for n in range(max(line, default=-1) + 1) if n not in self._hidden_columns]

    def _elements(self) -> Iterator[Any]:
        """Yield the columns, rows and shapes of the sheet; tables inside cells are a part of their row."""
        depth = 0
        for event, element in self.events:
            name = local_name(element)
            if name == "table":
                depth += 1 if event == "start" else -1
                if depth < 0:
                    element.clear(keep_tail=False)
                    return
            elif event == "end" and depth == 0 and name != "style":
                yield element
                element.clear(keep_tail=False)
                while element.getprevious() is not None:
                    del element.getparent()[0]

    def _column(self, element: Any) -> None:
        count = min(int(attribute(element, "number-columns-repeated") or 1), _LAST_COLUMN)
        first = len(self._column_looks)
        look = self.looks.get(attribute(element, "default-cell-style-name"), NO_LOOK)
        self._column_looks += [look] * min(count, _LAST_COLUMN - first)
        if attribute(element, "visibility") in _HIDDEN:
            self._hidden_columns.update(range(first, len(self._column_looks)))

    def _cells(self, row: Any, number: int) -> tuple[dict[int, Cell], list[tuple[int, int, int, Cell]]]:
        """Return the filled cells of a row by column, and those that cover others."""
        cells: dict[int, Cell] = {}
        merged = []
        column = 0
        for element in row:
            if local_name(element) not in ("table-cell", "covered-table-cell"):
                continue
            count = min(int(attribute(element, "number-columns-repeated") or 1), _LAST_COLUMN)
            cell = self._cell(element, column) if local_name(element) == "table-cell" else BLANK
            if cell.full_text:
                places = range(column, column + repeated(element, "columns"))
                if column in self._hidden_columns:
                    self.counts.hidden_columns.update(self._hidden_columns.intersection(places))
                cells |= {place: cell for place in places if place not in self._hidden_columns}
                rows = int(attribute(element, "number-rows-spanned") or 1)
                columns = min(int(attribute(element, "number-columns-spanned") or 1), _MOST_MERGED_COLUMNS)
                if (rows > 1 or columns > 1) and column in cells:
                    merged.append((number + rows - 1, column, column + columns - 1, cell))
            column += count
        return cells, merged

    def _cell(self, element: Any, column: int) -> Cell:
        name = attribute(element, "style-name")
        column_look = self._column_looks[column] if column < len(self._column_looks) else NO_LOOK
        look = self.looks.get(name, NO_LOOK) if name else column_look
        text = one_line(" ".join(paragraph_text(p) for p in children(element, "p"))) or self._value(element)
        comments = (paragraph_text(p) for note in children(element, "annotation") for p in children(note, "p"))
        comment = one_line(" ".join(comments))
        self._shapes(element)
        if look.struck and text:
            self.counts.struck += 1
            text = ""
        return Cell(text, strong=look.strong, comment=comment) if text or comment else BLANK

    def _value(self, element: Any) -> str:
        """Return the value of a cell without a text, such as programs write that compute nothing."""
        kind = attribute(element, "value-type")
        value = attribute(element, f"{kind}-value") or attribute(element, "value")
        if kind == "boolean":
            return value.upper()
        if kind == "date":
            return value.replace("T00:00:00", "").replace("T", " ")
        if value:
            try:
                return general(float(value))
            except (ValueError, OverflowError):
                return one_line(value)
        formula = attribute(element, "formula")
        if formula and not kind:
            self.counts.without_value += 1
            return one_line(f"={formula.partition('=')[2]}")
        return ""

    def _shapes(self, parent: Any) -> None:
        """Read the texts of the boxes and shapes, the charts, and the texts on the pictures in an element."""
        for shape in parent:
            if local_name(shape) in ("p", "annotation"):
                continue
            for frame in named(shape, "frame"):
                self.texts += filter(None, [self.pictures.read_frame(frame, self.package)])
                chart = self.objects.chart(frame)
                self.charts += [chart] if chart is not None else []
            lines = [one_line(paragraph_text(p)) for p in named(shape, "p", "h")]
            if text := "\n".join(filter(None, lines)):
                self.texts.append(text)
