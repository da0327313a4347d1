"""PowerPoint: one section per slide, headed by its title, with lists, tables, figures of charts and speaker's notes."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any

from rag.ingestion.loaders.chart_data import chart_tables
from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.grid import BLANK, Cell, Row, Span, expand, read_tables
from rag.ingestion.loaders.note_kinds import numbered
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
    titles, pictures = [], {}
    for number, slide in enumerate(presentation.slides, start=1):
        if slide.element.get("show") == "0":
            builder.note("hidden_content", "a hidden slide was left out", f"slide {number}")
            titles.append("")
            continue
        titles.append(_add_slide(builder, number, slide))
        if count := _pictures(slide.shapes):
            pictures[number] = count
    title = usable_title(presentation.core_properties.title or "")
    if pictures:
        builder.note(
            "pictures_not_read", f"{counted(sum(pictures.values()), 'picture')} not read", numbered("slide", pictures)
        )
    return builder.document(source, _MEDIA_TYPE, title or next(filter(None, titles), ""), pages=len(titles))


def _add_slide(builder: DocumentBuilder, number: int, slide: Any) -> str:
    """Add the sections of a slide and return its title."""
    title_shape = slide.shapes.title
    title = one_line(title_shape.text_frame.text) if title_shape is not None else ""
    headings = (title,) if title else ()
    texts = [f"# {title}"] if title else []
    texts += _pieces(slide.shapes, title_shape)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text.strip()
        texts += [f"Notes: {notes}"] if notes else []
    builder.add("\n\n".join(texts), number, headings)
    return title


def _pictures(shapes: Iterable[Any]) -> int:
    """Return how many pictures there are, also in groups."""
    return sum(
        _pictures(shape.shapes) if hasattr(shape, "shapes") else shape.element.tag.endswith("}pic") for shape in shapes
    )


def _pieces(shapes: Iterable[Any], title: Any) -> Iterator[str]:
    """Yield the texts, tables and data of charts in the slide's order."""
    for shape in shapes:
        if title is not None and shape.shape_id == title.shape_id:
            continue
        if hasattr(shape, "shapes"):
            yield from _pieces(shape.shapes, title)
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
