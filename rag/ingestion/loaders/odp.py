"""OpenDocument presentations: a section for each slide, headed by its title, with lists, tables and speaker's notes.

Hidden slides are left out and noted; pictures are read by OCR after the texts of their slide.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.grid import BLANK, Cell, Row, Span, expand, read_tables
from rag.ingestion.loaders.office_package import OfficePackage, attribute, children, local_name, named
from rag.ingestion.loaders.office_pictures import OfficePictures
from rag.ingestion.loaders.open_document import paragraph_text, repeated
from rag.ingestion.loaders.open_document_objects import EmbeddedObjects
from rag.ingestion.loaders.table_text import table_text
from rag.ingestion.loaders.titles import title_of
from rag.text import one_line
from rag.types import Document

__all__ = ["load_odp"]

_MEDIA_TYPE = "application/vnd.oasis.opendocument.presentation"
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
    titles, pictures = [], OfficePictures()
    for number, slide in enumerate(named(content, "page"), start=1):
        if attribute(slide, "style-name") in hidden:
            builder.note("hidden_content", "a hidden slide was left out", f"slide {number}")
            titles.append("")
            continue
        on_slide = [pictures.read_frame(frame, package, number) for frame in named(slide, "frame")]
        titles.append(_add_slide(builder, number, slide, objects, on_slide))
    pictures.add_notes(builder, "slide")
    return builder.document(source, _MEDIA_TYPE, title_of(package) or next(filter(None, titles), ""), pages=len(titles))


def _add_slide(
    builder: DocumentBuilder, number: int, slide: Any, objects: EmbeddedObjects, on_pictures: list[str]
) -> str:
    """Add the section of a slide, with the texts on its pictures at the end, and return its title."""
    titles = [one_line(" ".join(_texts(shape))) for shape in slide if attribute(shape, "class") == "title"]
    title = next(filter(None, titles), "")
    texts = [f"# {title}"] if title else []
    for shape in slide:
        if attribute(shape, "class") not in ("title", *_OF_THE_LAYOUT):
            texts += _texts(shape)
            texts += _embedded(shape, objects)
    builder.add("\n\n".join(filter(None, [*texts, *on_pictures])), number, (title,) if title else ())
    return title


def _embedded(shape: Any, objects: EmbeddedObjects) -> Iterator[str]:
    """Yield the formulas and the data of charts in a shape."""
    for frame in named(shape, "frame"):
        yield objects.formula(frame)
        chart = objects.chart(frame)
        yield table_text(chart) if chart is not None else ""


def _texts(element: Any) -> Iterator[str]:
    """Yield the paragraphs, lists, tables and notes inside an element."""
    name = local_name(element)
    if name in ("p", "h"):
        yield paragraph_text(element).strip()
    elif name == "list":
        yield "\n".join(_items(element, 0))
    elif name == "table":
        yield from map(table_text, read_tables(_rows(element)))
    elif name == "notes":
        notes = " ".join(filter(None, (text for below in element for text in _texts(below))))
        yield f"Notes: {notes}" if notes else ""
    elif name != "annotation":
        for below in element:
            yield from _texts(below)


def _items(element: Any, depth: int) -> Iterator[str]:
    for item in element:
        for below in item:
            if local_name(below) == "list":
                yield from _items(below, depth + 1)
            elif text := paragraph_text(below).strip():
                yield "  " * depth + f"- {text}"


def _rows(table: Any) -> list[Row]:
    spans = []
    for row in named(table, "table-row"):
        cells = []
        for cell in children(row, "table-cell"):
            text = one_line(" ".join(text.removeprefix("- ") for below in cell for text in _texts(below)))
            rows, columns = attribute(cell, "number-rows-spanned"), attribute(cell, "number-columns-spanned")
            span = Span(Cell(text) if text else BLANK, int(rows or 1), int(columns or 1))
            cells += [span] * repeated(cell, "columns")
        spans.append(cells)
    return list(enumerate(expand(spans), start=1))
