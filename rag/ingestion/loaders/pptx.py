"""PowerPoint: one section per slide, headed by its title, with lists, tables, figures of charts and speaker's notes."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from rag.ingestion.loaders.chart_data import chart_tables
from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.grid import BLANK, Cell, Row, Span, expand, read_tables
from rag.ingestion.loaders.office_package import named
from rag.ingestion.loaders.office_pictures import OfficePictures
from rag.ingestion.loaders.office_variants import as_transitional
from rag.ingestion.loaders.table_text import table_text
from rag.ingestion.loaders.titles import usable_title
from rag.text import counted, one_line
from rag.types import Document

__all__ = ["load_pptx"]

_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.presentationml.presentation"


def load_pptx(data: bytes, source: str) -> Document:
    """Read a presentation. A section's page is its slide's number."""
    from pptx import Presentation

    presentation = Presentation(io.BytesIO(as_transitional(data)))
    builder = DocumentBuilder()
    titles, pictures = [], OfficePictures()
    for number, slide in enumerate(presentation.slides, start=1):
        if slide.element.get("show") == "0":
            builder.note("hidden_content", "a hidden slide was left out", f"slide {number}")
            titles.append("")
            continue
        titles.append(_add_slide(builder, number, slide, pictures))
        if count := _objects(slide):
            builder.note("attachment_not_read", f"{counted(count, 'embedded object')} not read", f"slide {number}")
    title = usable_title(presentation.core_properties.title or "")
    pictures.add_notes(builder, "slide")
    return builder.document(source, _MEDIA_TYPE, title or next(filter(None, titles), ""), pages=len(titles))


def _add_slide(builder: DocumentBuilder, number: int, slide: Any, pictures: OfficePictures) -> str:
    """Add the sections of a slide and return its title."""
    title_shape = slide.shapes.title
    title = one_line(title_shape.text_frame.text) if title_shape is not None else ""
    headings = (title,) if title else ()
    texts = [f"# {title}"] if title else []
    texts += filter(None, _pieces(slide.shapes, title_shape, number, pictures))
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text.strip()
        texts += [f"Notes: {notes}"] if notes else []
    builder.add("\n\n".join(texts), number, headings)
    return title


def _objects(slide: Any) -> int:
    """Return how many embedded objects there are; each may be drawn in two ways."""
    return sum(next(named(frame, "oleObj"), None) is not None for frame in named(slide.element, "graphicFrame"))


def _pieces(shapes: Iterable[Any], title: Any, number: int, pictures: OfficePictures) -> Iterator[str]:
    """Yield the texts, tables, data of charts and texts on pictures in the slide's order."""
    for shape in shapes:
        if title is not None and shape.shape_id == title.shape_id:
            continue
        if hasattr(shape, "shapes"):
            yield from _pieces(shape.shapes, title, number, pictures)
        elif shape.element.tag.endswith("}pic"):
            yield pictures.read(partial(_picture, shape), number)
        elif shape.has_text_frame:
            yield "\n".join(
                "  " * paragraph.level + ("- " if paragraph.level or shape.is_placeholder else "") + paragraph.text
                for paragraph in shape.text_frame.paragraphs
                if paragraph.text.strip()
            )
        elif shape.has_table:
            yield from map(table_text, read_tables(_rows(shape.table)))
        elif shape.has_chart:
            yield from map(table_text, chart_tables(shape.chart.part._element))


def _picture(shape: Any) -> bytes:
    data: bytes = shape.image.blob
    return data


def _rows(table: Any) -> list[Row]:
    """Return the rows of a table; its first row is marked as the header if the table shows it as one."""
    spans = []
    for number, row in enumerate(table.rows):
        header = number == 0 and table.first_row
        spans.append(
            [
                Span(
                    Cell(one_line(cell.text), header) if cell.text.strip() else BLANK,
                    cell.span_height if cell.is_merge_origin else 1,
                    cell.span_width if cell.is_merge_origin else 1,
                )
                for cell in row.cells
                if not cell.is_spanned
            ]
        )
    return list(enumerate(expand(spans), start=1))
