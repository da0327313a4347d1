"""The tree of an OpenDocument text, read into a flow of blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rag.ingestion.loaders.flow_text import FlowText
from rag.ingestion.loaders.grid import Cell, Row, Span, Table, expand, read_tables
from rag.ingestion.loaders.left_out import LeftOut
from rag.ingestion.loaders.numbering import Counter, NumberLevel
from rag.ingestion.loaders.office_package import attribute, children, first_child, is_true, local_name, named
from rag.ingestion.loaders.open_document import NO_LOOK, look_of, repeated, spaces
from rag.ingestion.loaders.open_document_objects import EmbeddedObjects
from rag.ingestion.loaders.raised_text import with_lowered, with_raised
from rag.ingestion.loaders.table_text import LARGE_TABLE, inline_text
from rag.text import one_line

__all__ = ["OdtReader"]

_SKIPPED = ("tracked-changes", "forms", "sequence-decls", "variable-decls", "user-field-decls")
_GROUPS = ("section", "bibliography", "index-body", "soft-page-break", "numbered-paragraph", "text", "list-header")
_SHAPES = (
    "frame", "g", "text-box", "custom-shape", "rect", "circle", "ellipse", "line", "polyline", "polygon", "path",
    "connector", "caption", "measure", "regular-polygon",
)  # fmt: skip
_FORMS = {"1": "decimal", "a": "letter", "A": "LETTER", "i": "roman", "I": "ROMAN", "": "none"}


class OdtReader:
    """Reads elements into a flow; counts what was left out. ``read_picture`` returns the text on a frame's picture."""

    def __init__(
        self,
        content: Any,
        styles: Any,
        flow: FlowText,
        objects: EmbeddedObjects,
        read_picture: Callable[[Any], str],
    ) -> None:
        self._flow = flow
        self._objects = objects
        self._read_picture = read_picture
        self._styles_root = styles
        roots = [root for root in (styles, content) if root is not None]
        self._looks = {attribute(s, "name"): look_of(s) for root in roots for s in named(root, "style")}
        self._lists = {attribute(s, "name"): _levels(s) for root in roots for s in named(root, "list-style")}
        outline = next(named(styles, "outline-style"), None) if styles is not None else None
        self._outline = Counter(_levels(outline) if outline is not None else {})
        self._counters: dict[str, Counter] = {}
        self._boxes: list[Any] = []
        self.left_out = LeftOut()

    def read_letterhead(self) -> None:
        """Read the header and footer of the first page."""
        if self._styles_root is None:
            return
        page = next(named(self._styles_root, "master-page"), None)
        for name in ("header-first", "header", "footer-first", "footer") if page is not None else ():
            part = first_child(page, name)
            if part is not None and any(character.isalpha() for text in part.itertext() for character in text):
                self.read(part)

    def read(self, parent: Any) -> None:
        """Read the blocks of an element."""
        for element in parent:
            name = local_name(element)
            if name == "h":
                self._heading(element)
            elif name == "p":
                self._emit(self._flow.paragraph, element)
            elif name == "list":
                self._list(element)
            elif name == "table":
                self._flow.table(self._tables(element))
                self._read_boxes()
            elif name == "section" and attribute(element, "display") == "none":
                self.left_out.hidden += 1
            elif name in _GROUPS:
                self.read(element)
            elif name in _SHAPES:
                self._read_box(element)
            elif name == "control":
                self._flow.paragraph(self._objects.field(element))

    def _emit(self, add: Any, element: Any) -> None:
        add(self._text(element))
        self._read_boxes()

    def _heading(self, element: Any, number: str | None = None) -> None:
        """Read a heading; without the number of a list item it has that of the outline."""
        level = int(attribute(element, "outline-level") or 1)
        if number is None:
            number = "" if is_true(attribute(element, "is-list-header")) else self._outline.next(level - 1)
        text = self._text(element)
        if text.strip():
            self._flow.heading(level, f"{number} {text}" if number else text)
        self._read_boxes()

    def _list(self, element: Any) -> None:
        for child, depth, mark in self._items(element, 0, attribute(element, "style-name")):
            name = local_name(child)
            if name == "h":
                self._heading(child, mark.removeprefix("-"))
            elif name == "p":
                self._emit(lambda text, depth=depth, mark=mark: self._flow.item(text, depth, mark), child)
            else:
                self.read([child])

    def _items(self, element: Any, depth: int, style: str) -> Iterator[tuple[Any, int, str]]:
        """Yield the blocks of a list with their depth and their number or bullet, which the first of an item has."""
        key = attribute(element, "style-name") or style
        goes_on = is_true(attribute(element, "continue-numbering")) or attribute(element, "continue-list")
        if key not in self._counters or (depth == 0 and not goes_on):
            self._counters[key] = Counter(self._lists.get(key, {}))
        for item in element:
            marked = local_name(item) == "list-item"
            start = attribute(item, "start-value")
            if start.isdigit():
                self._counters[key].restart(depth, int(start))
            for child in item:
                name = local_name(child)
                if name == "list":
                    yield from self._items(child, depth + 1, key)
                elif name in ("p", "h"):
                    yield child, depth, (self._counters[key].next(depth) or "-") if marked else ""
                    marked = False
                else:
                    yield child, depth, ""

    def _read_boxes(self) -> None:
        boxes, self._boxes = self._boxes, []
        for box in boxes:
            self._read_box(box)

    def _read_box(self, box: Any) -> None:
        name = local_name(box)
        if name == "g":
            for shape in box:
                if local_name(shape) in _SHAPES:
                    self._read_box(shape)
        elif name == "frame":
            for inner in children(box, "text-box"):
                self.read(inner)
            self._read_object(box)
        else:
            self.read(box)

    def _read_object(self, frame: Any) -> None:
        """Read the chart of a frame or the text on its picture, or count another object, whose picture is none."""
        has_object = any(first_child(frame, name) is not None for name in ("object", "object-ole"))
        chart = self._objects.chart(frame)
        if chart is not None:
            self._flow.table([chart])
        elif has_object and not self._objects.formula(frame):
            self.left_out.objects += 1
        self._flow.paragraph(self._read_picture(frame))

    # Inline text ---------------------------------------------------------------------------------------------------

    def _text(self, element: Any, before: str = "") -> str:
        """Return the text of a paragraph or span; footnotes and boxes are collected."""
        look = self._looks.get(attribute(element, "style-name"), NO_LOOK)
        text = element.text or ""
        for child in element:
            text += self._inline(child, before + text)
            text += child.tail or ""
        if (look.hidden or look.struck) and text.strip():
            self.left_out.hidden += look.hidden
            self.left_out.struck += look.struck and not look.hidden
            return ""
        if look.raised:
            return with_raised(before, text)
        return with_lowered(before, text) if look.lowered else text

    def _inline(self, element: Any, before: str) -> str:
        name = local_name(element)
        if name == "s":
            return spaces(element)
        if name == "tab":
            return "\t"
        if name == "line-break":
            return "\n"
        if name == "note":
            mark = "".join((first_child(element, "note-citation")).itertext()).strip()
            body = first_child(element, "note-body")
            if body is not None:
                self._flow.note(mark, " ".join(self._text(p) for p in named(body, "p")))
            return f" [{mark}]"
        if name in ("annotation", "annotation-end"):
            self.left_out.comments += name == "annotation"
            return ""
        if name in ("hidden-text", "hidden-paragraph"):
            self.left_out.hidden += 1
            return ""
        if name in _SHAPES:
            self._boxes.append(element)
            return self._objects.formula(element) if name == "frame" else ""
        if name == "control":
            return f"{' ' if before[-1:].strip() else ''}{self._objects.field(element)} "
        if name in (*_SKIPPED, "ruby-text") or not name:
            return ""
        return self._text(element, before)

    # Tables --------------------------------------------------------------------------------------------------------

    def _tables(self, table: Any) -> list[Table]:
        """Return a table, and after it the large ones in its cells."""
        inner: list[Table] = []
        spans = [[self._span(cell, inner, header=header) for cell in cells] for header, cells in _rows(table)]
        grid: list[Row] = [
            (number, row) for number, row in enumerate(expand(spans), start=1) if any(cell.text for cell in row)
        ]
        return [*(read_tables(grid) if grid else []), *inner]

    def _span(self, element: Any, inner: list[Table], *, header: bool) -> Span:
        texts: list[str] = []
        strong: list[bool] = []
        for child in element:
            name = local_name(child)
            if name == "table":
                tables = self._tables(child)
                text = " ".join(map(inline_text, tables))
                if len(text) > LARGE_TABLE:
                    inner += tables
                else:
                    texts.append(text)
            elif name in ("p", "h"):
                texts.append(self._text(child))
                spans = list(children(child, "span"))
                strong.append((bool(spans) and all(self._strong(span) for span in spans)) or self._strong(child))
            elif name == "list":
                for paragraph, _, mark in self._items(child, 0, attribute(child, "style-name")):
                    words = self._text(paragraph)
                    texts.append(f"{mark} {words}" if mark not in ("", "-") and words.strip() else words)
        cell = Cell(one_line(" ".join(texts)), header, bool(strong) and all(strong))
        rows, columns = (attribute(element, f"number-{name}-spanned") for name in ("rows", "columns"))
        return Span(cell, int(rows or 1), int(columns or 1))

    def _strong(self, element: Any) -> bool:
        return self._looks.get(attribute(element, "style-name"), NO_LOOK).strong


def _rows(table: Any, *, header: bool = False) -> Iterator[tuple[bool, list[Any]]]:
    """Yield the rows, each with its cells that no other cell covers, and whether it is marked as a header."""
    for element in table:
        name = local_name(element)
        if name in ("table-header-rows", "table-rows", "table-row-group"):
            yield from _rows(element, header=header or name == "table-header-rows")
        elif name == "table-row":
            cells = []
            for cell in children(element, "table-cell"):
                cells += [cell] * repeated(cell, "columns")
            for _ in range(repeated(element, "rows")):
                yield header, cells


def _levels(style: Any) -> dict[int, NumberLevel]:
    """Return the levels of a list style or of the outline, from 0."""
    levels = {}
    for element in style:
        name = local_name(element)
        level = int(attribute(element, "level") or 1)
        if name in ("list-level-style-number", "outline-level-style"):
            shown = min(int(attribute(element, "display-levels") or 1), level)
            form = _FORMS.get(attribute(element, "num-format"), "decimal")
            places = ".".join(f"%{n}" for n in range(level - shown + 1, level + 1))
            pattern = f"{attribute(element, 'num-prefix')}{places}{attribute(element, 'num-suffix')}"
            levels[level - 1] = NumberLevel(form, pattern, int(attribute(element, "start-value") or 1))
        elif name == "list-level-style-bullet":
            levels[level - 1] = NumberLevel("bullet")
    return levels
