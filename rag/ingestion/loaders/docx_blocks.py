"""The body of a Word document, read into a flow of headings, paragraphs, lists, tables, boxes and notes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rag.ingestion.loaders.chart_data import chart_tables
from rag.ingestion.loaders.diagram_text import diagram_items
from rag.ingestion.loaders.docx_styles import Numbering, Styles, value_of
from rag.ingestion.loaders.docx_text import DELETED, ParagraphReader, alternative
from rag.ingestion.loaders.flow_text import FlowText
from rag.ingestion.loaders.grid import BLANK, Cell, Row, Table, read_tables
from rag.ingestion.loaders.left_out import LeftOut
from rag.ingestion.loaders.office_package import (
    OfficePackage,
    Relation,
    attribute,
    children,
    first_child,
    local_name,
    named,
    says_yes,
)
from rag.ingestion.loaders.office_pictures import OfficePictures
from rag.ingestion.loaders.table_text import LARGE_TABLE, inline_text
from rag.text import one_line

__all__ = ["BodyReader"]

_GROUPS = ("ins", "moveTo", "smartTag", "customXml", "body")
_BLOCKS = ("p", "tbl", "altChunk", "oMathPara")
_LONGEST_CELL = 800  # characters; a table with longer texts and few cells only lays out the page
_FEW_CELLS = 4
_MOST_COLUMNS = 1000


class BodyReader:
    """Reads the elements of one part into a flow. ``notes`` are the elements of footnotes and endnotes by kind and id.

    ``left_out`` counts what is not read. ``read_chunk`` reads another file that is a part of the text, by its name.
    """

    def __init__(
        self,
        package: OfficePackage,
        flow: FlowText,
        styles: Styles,
        numbering: Numbering,
        notes: dict[tuple[str, str], Any],
        left_out: LeftOut,
        read_chunk: Callable[[str], str],
        pictures: OfficePictures,
    ) -> None:
        self._left_out = left_out
        self._package = package
        self._flow = flow
        self._styles = styles
        self._numbering = numbering
        self._notes = notes
        self._read_chunk = read_chunk
        self._pictures = pictures
        self._relations: dict[str, Relation] = {}
        self._paragraphs = ParagraphReader(styles, left_out)

    def read_part(self, body: Any, part: str, *, without_pages: bool = False) -> None:
        """Read the body of a part; ``without_pages`` for headers and footers."""
        self._relations = self._package.relations(part)
        self._paragraphs.without_pages = without_pages
        self.read(body)

    def read(self, parent: Any) -> None:
        """Read the blocks of an element."""
        for element in _inside(parent, *_BLOCKS):
            name = local_name(element)
            if name == "p":
                self._paragraph(element)
            elif name == "tbl":
                self._table(element)
            elif name == "altChunk":
                relation = self._relations.get(attribute(element, "id"))
                self._flow.paragraph(self._read_chunk(relation.part) if relation else "")
            elif name == "oMathPara":
                self._flow.paragraph(self._paragraphs.read(element, ""))

    def _paragraph(self, element: Any) -> None:
        properties = first_child(element, "pPr")
        style = self._styles.style_of(properties)
        if self._styles.name(style).startswith("toc "):
            return
        text = self._paragraphs.read(element, style)
        self._read_notes()
        level = self._styles.heading_level(style, properties)
        number = self._numbering.next(style, properties) if text.strip() else None
        if text.strip() and level is not None:
            mark = number[1] if number and number[1] != "-" else ""
            self._flow.heading(level, f"{mark} {text}".strip())
        elif number and number[1]:
            self._flow.item(text, number[0], number[1])
        else:
            self._flow.paragraph(text)
        self._read_drawings()

    def _read_notes(self) -> None:
        """Read the notes of the last paragraph, which follow what is added next."""
        notes, self._paragraphs.notes = self._paragraphs.notes, []
        for kind, name in notes:
            element = self._notes.get((kind, name))
            if element is not None:
                text = " ".join(self._paragraphs.read(p, "") for p in named(element, "p"))
                self._flow.note(str(self._paragraphs.note_number(kind, name)), text)

    def _read_drawings(self) -> None:
        """Read the boxes, charts and diagrams of the last paragraph."""
        drawings, self._paragraphs.drawings = self._paragraphs.drawings, []
        for drawing in drawings:
            self._drawing(drawing)

    def _drawing(self, drawing: Any) -> None:
        boxes = list(named(drawing, "txbxContent"))
        for box in boxes:
            if next(box.iterancestors("{*}Fallback"), None) is None or len(boxes) == 1:
                self.read(box)
        for element in named(drawing, "chart", "relIds"):
            relation = self._relations.get(attribute(element, "id") or attribute(element, "dm"))
            if relation is None or not self._package.has(relation.part):
                continue
            root = self._package.xml(relation.part)
            if local_name(element) == "chart":
                self._flow.table(chart_tables(root))
            else:
                self._diagram(root)
        self._flow.paragraph(self._pictures.read_blips(drawing, self._package, self._relations))
        self._left_out.objects += sum(1 for _ in named(drawing, "OLEObject"))

    def _diagram(self, root: Any) -> None:
        """Read the texts of SmartArt."""
        for depth, text in diagram_items(root):
            self._flow.item(text, depth)

    # Tables --------------------------------------------------------------------------------------------------------

    def _table(self, table: Any) -> None:
        rows = _rows(table)
        cells = [cell for row in rows for cell in _inside(row, "tc")]
        if _is_layout(cells, rows):
            for cell in cells:
                self.read(cell)
            return
        inner: list[Table] = []
        tables = self._read_table(rows, inner)
        self._read_notes()
        self._flow.table([*tables, *inner])
        self._read_drawings()

    def _read_table(self, rows: list[Any], inner: list[Table]) -> list[Table]:
        """Return the tables of some rows; large ones in cells are added to ``inner``."""
        grid: list[list[Cell]] = []
        for row in rows:
            properties = first_child(row, "trPr")
            is_header = says_yes(first_child(properties, "tblHeader"))
            before = value_of(properties, "gridBefore") or "0"
            line = [BLANK] * min(int(before) if before.isdigit() else 0, _MOST_COLUMNS)
            for element in _inside(row, "tc"):
                width = value_of(first_child(element, "tcPr"), "gridSpan") or "1"
                span = min(max(int(width) if width.isdigit() else 1, 1), _MOST_COLUMNS)
                merge = value_of(first_child(element, "tcPr"), "vMerge")
                above = grid[-1][len(line)] if grid and len(line) < len(grid[-1]) else BLANK
                cell = (
                    above if merge is not None and merge != "restart" else self._cell(element, inner, header=is_header)
                )
                line += [cell] * span
            grid.append(line)
        numbered: list[Row] = [(n, line) for n, line in enumerate(grid, start=1) if any(cell.text for cell in line)]
        return read_tables(numbered) if numbered else []

    def _cell(self, element: Any, inner: list[Table], *, header: bool) -> Cell:
        texts: list[str] = []
        strong = []
        for block in _inside(element, *_BLOCKS):
            name = local_name(block)
            if name == "tbl":
                tables = self._read_table(_rows(block), inner)
                text = " ".join(map(inline_text, tables))
                if len(text) > LARGE_TABLE:
                    inner += tables
                else:
                    texts.append(text)
            elif name == "p":
                properties = first_child(block, "pPr")
                style = self._styles.style_of(properties)
                text = self._paragraphs.read(block, style)
                number = self._numbering.next(style, properties) if text.strip() else None
                if text.strip():
                    strong.append(self._paragraphs.strong)
                texts.append(f"{number[1]} {text}" if number and number[1] != "-" else text)
        text = one_line(" ".join(texts))
        return Cell(text, header, bool(strong) and all(strong)) if text else BLANK


def _inside(parent: Any, *names: str) -> Iterator[Any]:
    """Yield the elements that have one of the names, also those in content controls and insertions."""
    for element in parent:
        name = local_name(element)
        if name in names:
            yield element
        elif name == "sdt":
            gallery = value_of(element, "sdtPr", "docPartObj", "docPartGallery")
            content = first_child(element, "sdtContent")
            if content is not None and gallery != "Table of Contents":
                yield from _inside(content, *names)
        elif name == "AlternateContent":
            chosen = alternative(element)
            if chosen is not None:
                yield from _inside(chosen, *names)
        elif name in _GROUPS:
            yield from _inside(element, *names)


def _rows(table: Any) -> list[Any]:
    """Return the rows of a table, without those that are deleted."""
    return [
        row
        for row in _inside(table, "tr")
        if not any(first_child(row, "trPr", deleted) is not None for deleted in DELETED)
    ]


def _is_layout(cells: list[Any], rows: list[Any]) -> bool:
    """Return whether a table only frames or places text: one cell, or a few that hold long texts or tables."""
    if len(cells) < 2:
        return True
    marked = any(says_yes(first_child(row, "trPr", "tblHeader")) for row in rows)
    if marked or len(cells) > _FEW_CELLS:
        return False
    longest = max(sum(len(t.text or "") for t in named(cell, "t")) for cell in cells)
    return longest > _LONGEST_CELL or any(next(children(cell, "tbl"), None) is not None for cell in cells)
