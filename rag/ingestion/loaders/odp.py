"""OpenDocument presentations: a section for each slide, headed by its title, with lists, tables and speaker's notes.

Shapes are read by their position. Hidden slides are left out and noted; pictures are read by OCR after the texts of
their slide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.grid import BLANK, Cell, Row, Span, expand, read_tables
from rag.ingestion.loaders.left_out import LeftOut
from rag.ingestion.loaders.office_package import OfficePackage, attribute, children, local_name, named
from rag.ingestion.loaders.office_pictures import OfficePictures
from rag.ingestion.loaders.open_document import NO_LOOK, Look, look_of, repeated, spaces
from rag.ingestion.loaders.open_document_objects import EmbeddedObjects
from rag.ingestion.loaders.raised_text import with_lowered, with_raised
from rag.ingestion.loaders.reading_order import Box, reading_order
from rag.ingestion.loaders.table_text import table_text
from rag.ingestion.loaders.titles import title_of
from rag.text import one_line
from rag.types import Document

__all__ = ["load_odp"]

_MEDIA_TYPE = "application/vnd.oasis.opendocument.presentation"
_LENGTH = re.compile(r"(-?\d*\.?\d+)(cm|mm|in|pt|pc|px)")
_UNITS = {"cm": 10.0, "mm": 1.0, "in": 25.4, "pt": 25.4 / 72, "pc": 25.4 / 6, "px": 25.4 / 96}  # in millimetres
_OF_THE_LAYOUT = ("date-time", "footer", "header", "page-number")


def load_odp(data: bytes, source: str) -> Document:
    """Read a presentation. A section's page is its slide's number."""
    package = OfficePackage(data)
    content = package.xml("content.xml")
    hidden = {
        attribute(style, "name")
        for style in named(content, "style")
        if any(attribute(look, "visibility") == "hidden" for look in children(style, "drawing-page-properties"))
    }
    builder = DocumentBuilder()
    objects = EmbeddedObjects(package, content)
    titles, pictures, left_out = [], OfficePictures(), LeftOut()
    roots = [package.xml("styles.xml"), content] if package.has("styles.xml") else [content]
    looks = {attribute(style, "name"): look_of(style) for root in roots for style in named(root, "style")}
    reader = _SlideReader(looks, left_out)
    for number, slide in enumerate(named(content, "page"), start=1):
        if attribute(slide, "style-name") in hidden:
            builder.note("hidden_content", "a hidden slide was left out", f"slide {number}")
            titles.append("")
            continue
        on_slide = [pictures.read_frame(frame, package, number) for frame in named(slide, "frame")]
        titles.append(_add_slide(builder, number, slide, objects, on_slide, reader))
    pictures.add_notes(builder, "slide")
    left_out.comments = sum(1 for _ in named(content, "annotation"))
    left_out.add_notes(builder)
    return builder.document(source, _MEDIA_TYPE, title_of(package) or next(filter(None, titles), ""), pages=len(titles))


def _add_slide(
    builder: DocumentBuilder,
    number: int,
    slide: Any,
    objects: EmbeddedObjects,
    on_pictures: list[str],
    reader: _SlideReader,
) -> str:
    """Add the section of a slide, with the texts on its pictures at the end, and return its title."""
    titles = [one_line(" ".join(reader.texts(shape))) for shape in slide if attribute(shape, "class") == "title"]
    title = next(filter(None, titles), "")
    shapes = [shape for shape in slide if attribute(shape, "class") not in ("title", *_OF_THE_LAYOUT)]
    pieces = [(shape, [*reader.texts(shape), *_embedded(shape, objects)]) for shape in shapes]
    boxes = [_box(shape, place) for place, (shape, _) in enumerate(pieces)]
    unplaced = [place for place, box in enumerate(boxes) if box is None]
    order = [*reading_order([box for box in boxes if box is not None]), *unplaced]
    texts = [f"# {title}"] if title else []
    texts += (text for place in order for text in pieces[place][1])
    builder.add("\n\n".join(filter(None, [*texts, *on_pictures])), number, (title,) if title else ())
    return title


def _box(shape: Any, place: int) -> Box | None:
    sides = [_LENGTH.fullmatch(attribute(shape, name)) for name in ("x", "y", "width", "height")]
    if not all(sides):
        return None
    left, top, width, height = (float(side[1]) * _UNITS[side[2]] for side in sides if side)
    return Box(left, top, left + width, top + height, place)


def _embedded(shape: Any, objects: EmbeddedObjects) -> Iterator[str]:
    """Yield the formulas and the data of charts in a shape."""
    for frame in named(shape, "frame"):
        yield objects.formula(frame)
        chart = objects.chart(frame)
        yield table_text(chart) if chart is not None else ""


class _SlideReader:
    """Reads the texts of slides; counts what is struck through or hidden. ``looks`` are those of the styles by name."""

    def __init__(self, looks: dict[str, Look], left_out: LeftOut) -> None:
        self._looks = looks
        self._left_out = left_out

    def _text(self, element: Any, before: str = "") -> str:
        """Return the text of a paragraph or span without its annotations."""
        text = element.text or ""
        for below in element:
            name = local_name(below)
            if name == "s":
                text += spaces(below)
            elif name in ("tab", "line-break"):
                text += "\t" if name == "tab" else "\n"
            elif name and name != "annotation":
                text += self._text(below, before + text)
            text += below.tail or ""
        look = self._looks.get(attribute(element, "style-name"), NO_LOOK)
        if (look.hidden or look.struck) and text.strip():
            self._left_out.hidden += look.hidden
            self._left_out.struck += look.struck and not look.hidden
            return ""
        if look.raised:
            return with_raised(before, text)
        return with_lowered(before, text) if look.lowered else text

    def texts(self, element: Any) -> Iterator[str]:
        """Yield the paragraphs, lists, tables and notes inside an element."""
        name = local_name(element)
        if name in ("p", "h"):
            yield self._text(element).strip()
        elif name == "list":
            yield "\n".join(self._items(element, 0))
        elif name == "table":
            yield from map(table_text, read_tables(self._rows(element)))
        elif name == "notes":
            notes = " ".join(filter(None, (text for below in element for text in self.texts(below))))
            yield f"Notes: {notes}" if notes else ""
        elif name != "annotation":
            for below in element:
                yield from self.texts(below)

    def _items(self, element: Any, depth: int) -> Iterator[str]:
        for item in element:
            for below in item:
                if local_name(below) == "list":
                    yield from self._items(below, depth + 1)
                elif text := self._text(below).strip():
                    yield "  " * depth + f"- {text}"

    def _rows(self, table: Any) -> list[Row]:
        spans = []
        for row in named(table, "table-row"):
            cells = []
            for cell in children(row, "table-cell"):
                text = one_line(" ".join(text.removeprefix("- ") for below in cell for text in self.texts(below)))
                rows, columns = attribute(cell, "number-rows-spanned"), attribute(cell, "number-columns-spanned")
                span = Span(Cell(text) if text else BLANK, int(rows or 1), int(columns or 1))
                cells += [span] * repeated(cell, "columns")
            spans.append(cells)
        return list(enumerate(expand(spans), start=1))
