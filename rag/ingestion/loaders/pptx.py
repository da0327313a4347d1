"""PowerPoint: one section per slide, headed by its title, with lists, tables, figures of charts and speaker's notes.

What lies on a slide is read by its position, groups as a whole.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from rag.ingestion.loaders.chart_data import chart_tables
from rag.ingestion.loaders.diagram_text import diagram_items
from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.grid import BLANK, Cell, Row, Span, expand, read_tables
from rag.ingestion.loaders.left_out import LeftOut
from rag.ingestion.loaders.office_package import attribute, is_true, named
from rag.ingestion.loaders.office_pictures import OfficePictures
from rag.ingestion.loaders.office_variants import as_transitional
from rag.ingestion.loaders.pptx_text import frame_text, paragraph_text
from rag.ingestion.loaders.reading_order import Box, reading_order
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
    titles, pictures, left_out = [], OfficePictures(), LeftOut()
    for number, slide in enumerate(presentation.slides, start=1):
        if slide.element.get("show") == "0":
            builder.note("hidden_content", "a hidden slide was left out", f"slide {number}")
            titles.append("")
            continue
        titles.append(_add_slide(builder, number, slide, pictures, left_out))
        if count := _objects(slide):
            builder.note("attachment_not_read", f"{counted(count, 'embedded object')} not read", f"slide {number}")
    title = usable_title(presentation.core_properties.title or "")
    pictures.add_notes(builder, "slide")
    left_out.add_notes(builder)
    return builder.document(source, _MEDIA_TYPE, title or next(filter(None, titles), ""), pages=len(titles))


def _add_slide(builder: DocumentBuilder, number: int, slide: Any, pictures: OfficePictures, left_out: LeftOut) -> str:
    """Add the sections of a slide and return its title."""
    title_shape = slide.shapes.title
    title = one_line(_text(title_shape, left_out, bullets=False)) if title_shape is not None else ""
    headings = (title,) if title else ()
    texts = [f"# {title}"] if title else []
    texts += _pieces(slide.shapes, title_shape, number, pictures, left_out)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text.strip()
        texts += [f"Notes: {notes}"] if notes else []
    builder.add("\n\n".join(texts), number, headings)
    left_out.comments += _comments(slide)
    return title


def _objects(slide: Any) -> int:
    """Return how many embedded objects there are; each may be drawn in two ways."""
    return sum(next(named(frame, "oleObj"), None) is not None for frame in named(slide.element, "graphicFrame"))


def _pieces(shapes: Iterable[Any], title: Any, number: int, pictures: OfficePictures, left_out: LeftOut) -> list[str]:
    """Return the texts, tables, data of charts and diagrams, and texts on pictures, in the order of reading."""
    texts: list[str] = []
    boxes: list[Box] = []
    unplaced: list[int] = []
    for shape in shapes:
        if title is not None and shape.shape_id == title.shape_id:
            continue
        if _is_hidden(shape):
            left_out.hidden += next(named(shape.element, "t"), None) is not None
            continue
        text = "\n\n".join(filter(None, _texts(shape, title, number, pictures, left_out)))
        if not text:
            continue
        sides = (shape.left, shape.top, shape.width, shape.height)
        if any(side is None for side in sides):
            unplaced.append(len(texts))
        else:
            left, top, width, height = sides
            boxes.append(Box(left, top, left + width, top + height, len(texts)))
        texts.append(text)
    return [texts[place] for place in [*reading_order(boxes), *unplaced]]


def _texts(shape: Any, title: Any, number: int, pictures: OfficePictures, left_out: LeftOut) -> Iterator[str]:
    if hasattr(shape, "shapes"):
        yield from _pieces(shape.shapes, title, number, pictures, left_out)
    elif shape.element.tag.endswith("}pic"):
        yield pictures.read(partial(_picture, shape), number)
    elif shape.has_text_frame:
        yield _text(shape, left_out, bullets=shape.is_placeholder)
    elif shape.has_table:
        yield from map(table_text, read_tables(_rows(shape.table, left_out)))
    elif shape.has_chart:
        yield from map(table_text, chart_tables(shape.chart.part._element))
    else:
        for reference in named(shape.element, "relIds"):
            yield _diagram(shape.part, attribute(reference, "dm"))


def _text(shape: Any, left_out: LeftOut, *, bullets: bool) -> str:
    return frame_text(shape.text_frame._txBody, left_out, bullets=bullets)


def _is_hidden(shape: Any) -> bool:
    properties = next(named(shape.element, "cNvPr"), None)
    return properties is not None and is_true(properties.get("hidden"))


def _diagram(part: Any, relation: str) -> str:
    """Return the texts of SmartArt as a list."""
    from lxml import etree

    try:
        data = part.related_part(relation).blob
    except KeyError:
        return ""
    root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    return "\n".join(f"{'  ' * depth}- {text}" for depth, text in diagram_items(root))


def _comments(slide: Any) -> int:
    """Return how many comments a slide has."""
    from lxml import etree

    count = 0
    for relation in slide.part.rels.values():
        if not relation.is_external and relation.reltype.endswith("/comments"):
            parser = etree.XMLParser(resolve_entities=False, no_network=True)
            count += sum(1 for _ in named(etree.fromstring(relation.target_part.blob, parser), "cm"))
    return count


def _picture(shape: Any) -> bytes:
    """Return a picture's bytes. Raises ``ValueError`` if it has none."""
    from pptx.exc import InvalidXmlError

    try:
        data: bytes = shape.image.blob
    except InvalidXmlError:
        raise ValueError("a picture without its content") from None
    return data


def _rows(table: Any, left_out: LeftOut) -> list[Row]:
    """Return the rows of a table; its first row is marked as the header if the table shows it as one."""
    spans = []
    for number, row in enumerate(table.rows):
        header = number == 0 and table.first_row
        spans.append(
            [
                Span(
                    Cell(text, header) if (text := _cell(cell, left_out)) else BLANK,
                    cell.span_height if cell.is_merge_origin else 1,
                    cell.span_width if cell.is_merge_origin else 1,
                )
                for cell in row.cells
                if not cell.is_spanned
            ]
        )
    return list(enumerate(expand(spans), start=1))


def _cell(cell: Any, left_out: LeftOut) -> str:
    paragraphs = named(cell._tc, "p")
    return one_line(" ".join(paragraph_text(paragraph, left_out) for paragraph in paragraphs))
