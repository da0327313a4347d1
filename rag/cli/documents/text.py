"""``rag documents text``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag.cli.options import AsJson, IndexFolder
from rag.cli.output import note, out_json, out_text, page_of
from rag.cli.reading_notes import labeled_lines

if TYPE_CHECKING:
    from rag.types import Document

__all__ = ["text"]


def text(
    source: Annotated[
        str, typer.Argument(help="A document's name, as `rag documents list` shows it, its path, or its end.")
    ],
    index: IndexFolder = Path(".rag"),
    page: Annotated[int | None, typer.Option("--page", help="Only this page or slide.", metavar="N")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the text that was read of one document: what is searched and cited.

    A pipe or file gets the stored text as it is, byte for byte in UTF-8. On a terminal control characters are left out.
    Offsets in --json and in citations are characters of this text. What was not read is noted on stderr.
    """
    from indexes.store.store import Store
    from rag.ops.documents import page_span, read_document

    with closing(Store.open(index)) as store:
        document, row = read_document(store, source)
    start, end = (0, len(document.text)) if page is None else page_span(document, page)
    if row.state == "stale":
        note(f"note: {row.source} could not be read again ({row.message}); this is the version before")
    if page is not None and start == end:
        note(f"note: {page_of(document.source, page)} of {document.source} has no text")
    for label, line in labeled_lines(document.notes):
        note(f"{label}: {line}")
    if as_json:
        out_json(_json(document, row.state, page, start, end))
    else:
        out_text(document.text[start:end])


def _json(document: Document, state: str, page: int | None, start: int, end: int) -> dict[str, Any]:
    """Return the text with its sections. All offsets are those of the whole text, also if one page is shown."""
    sections = [s for s in document.sections if page is None or s.page == page]
    return {
        "source": document.source,
        "state": state,
        "media_type": document.media_type,
        "title": document.title,
        "pages": document.pages,
        "page": page,
        "start": start,
        "end": end,
        "text": document.text[start:end],
        "sections": [{"start": s.start, "end": s.end, "page": s.page, "headings": list(s.headings)} for s in sections],
        "notes": [{"kind": n.kind, "text": n.text, "place": n.place, "remedy": n.remedy} for n in document.notes],
    }
