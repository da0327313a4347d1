"""PowerPoint: one section per slide, headed by its title, with lists, tables, figures of charts and speaker's notes."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.note_kinds import numbered
from rag.ingestion.loaders.tables import table_parts
from rag.ingestion.loaders.titles import usable_title
from rag.text import counted, one_line
from rag.types import Document

__all__ = ["load_pptx"]

_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.presentationml.presentation"


def load_pptx(data: bytes, source: str) -> Document:
    """Read a presentation. A section's page is its slide's number; a long table continues in further sections."""
    from pptx import Presentation

    presentation = Presentation(io.BytesIO(data))
    builder = DocumentBuilder()
    titles = [_add_slide(builder, number, slide) for number, slide in enumerate(presentation.slides, start=1)]
    title = usable_title(presentation.core_properties.title or "")
    pictures = {n: count for n, slide in enumerate(presentation.slides, 1) if (count := _pictures(slide.shapes))}
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
    for piece in _pieces(slide.shapes, title_shape):
        if isinstance(piece, str):
            texts.append(piece)
            continue
        parts = [text for _, _, text in table_parts(piece[0], piece[1:])]
        texts += parts[:1]
        for part in parts[1:]:  # each part has the header: let a chunk begin with it
            builder.add("\n\n".join(texts), number, headings)
            texts = [part]
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


def _pieces(shapes: Iterable[Any], title: Any) -> Iterator[str | list[list[str]]]:
    """Yield texts and tables (as rows) in the slide's order."""
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
            yield [[cell.text for cell in row.cells] for row in shape.table.rows]
        elif shape.has_chart:
            with suppress(
                AttributeError, KeyError, NotImplementedError, TypeError, ValueError
            ):  # charts that python-pptx cannot read
                yield from list(_chart_rows(shape.chart))


def _chart_rows(chart: Any) -> Iterator[list[list[str]]]:
    for plot in chart.plots:
        series = [(one.name, list(one.values)) for one in plot.series]
        labels = [str(label) for label in plot.categories] or [
            str(n + 1) for n in range(max((len(v) for _, v in series), default=0))
        ]
        yield [
            ["", *(name for name, _ in series)],
            *(
                [
                    label,
                    *(f"{values[n]:g}" if n < len(values) and values[n] is not None else "" for _, values in series),
                ]
                for n, label in enumerate(labels)
            ),
        ]
