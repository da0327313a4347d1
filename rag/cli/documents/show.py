"""``rag documents show``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.cli.options import AsJson, IndexFolder
from rag.cli.output import document_json, out, out_json, page_of
from rag.cli.reading_notes import labeled_lines
from rag.text import counted, one_line

if TYPE_CHECKING:
    from indexes import DocumentRow

__all__ = ["show"]


def show(
    source: Annotated[
        str, typer.Argument(help="A document's name, as `rag documents list` shows it, its path, or its end.")
    ],
    index: IndexFolder = Path(".rag"),
    chunks: Annotated[bool, typer.Option("--chunks", help="Also show where each chunk begins and ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what the index knows about one document."""
    from indexes.store.store import Store
    from rag.ingestion.discovery import is_web_page
    from rag.ingestion.web.pages import fetched_at
    from rag.ops.documents import find_document

    with closing(Store.open(index)) as store, store.reading():
        row = find_document(store, source)
        rows = store.chunks_of(row.source) if chunks else []
        fetched = fetched_at(store, row.source) if is_web_page(row.source) else None
    if as_json:
        value = document_json(row)
        if fetched:
            value["fetched_at"], value["redirected_to"] = fetched[0], fetched[1] or None
        if chunks:
            value["borders"] = [
                {"id": c.id, "start": c.start, "end": c.end, "page": c.page, "headings": list(c.headings)} for c in rows
            ]
        out_json(value)
        return
    for name, shown in _fields(row).items():
        if shown is not None:
            out(f"{name:<11} {shown}")
    if fetched:
        out(f"{'fetched':<11} {fetched[0]}{f', redirected to {fetched[1]}' if fetched[1] else ''}")
    for label, line in labeled_lines(row.notes):
        out(f"{label:<11} {line}")
    for chunk in rows:
        page = "" if chunk.page is None else f" {page_of(row.source, chunk.page)}"
        out(f"  {chunk.start}-{chunk.end}{page} {' > '.join(chunk.headings)} “{one_line(chunk.text[:60])}…”")


def _fields(row: DocumentRow) -> dict[str, object]:
    return {
        "source": row.source,
        "title": row.title,
        "state": row.state,
        "type": None if row.state == "failed" else f"{row.media_type}, {counted(row.size, 'byte')}",
        "pages": row.pages,
        "chunks": row.chunks,
        "sha-256": row.content_sha256.hex() if row.content_sha256 else "never read",
        "committed": f"{row.committed_at or 'unknown'} as generation {row.generation}",
        "problem": f"{row.message}; {row.remedy}" if row.message else None,
    }
