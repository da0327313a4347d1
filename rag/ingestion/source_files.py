"""The file a document was read from: whether it is still there, and still what was read.

A file counts as the original only if its content has the hash that was stored when it was read; whatever stands under
its name now is handed to nobody otherwise. It opens the index's database by itself, so that evidence can be shown while
models are loading.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from indexes.store.store import Store
from rag.errors import DocumentError
from rag.ingestion.discovery import is_upload, source_path
from rag.ingestion.file_stamps import read_file
from rag.ingestion.loaders.pdf_page import compact
from rag.types import Passage

__all__ = ["Original", "find_original", "passage_with"]

PDF = "application/pdf"


@dataclass(frozen=True)
class Original:
    """What became of a passage's document and its file.

    ``removed``: the index has no such document any more; ``replaced``: it has one, without these words; ``missing``:
    there is no file; ``changed``: the file is not what was read; ``same``: then ``data`` is its content.
    ``before`` says where on its page the passage begins (:func:`rag.ingestion.loaders.pdf_page.compact`).
    """

    state: Literal["same", "changed", "missing", "removed", "replaced"]
    media_type: str = ""
    pages: int | None = None
    sha256: bytes = b""
    data: bytes = b""
    before: int = 0

    @property
    def is_pdf(self) -> bool:
        """Whether its pages can be drawn."""
        return self.state == "same" and self.media_type == PDF


def find_original(index: Path, passage: Passage, place: Path | None = None) -> Original:
    """Look for the file behind a passage, at ``place`` where its name is no path. Raises what opening the index raises.

    An upload whose ``place`` is not known is missing.
    """
    store = Store.open(index)
    try:
        row = store.document(passage.source)
        if row is None or row.content_sha256 is None or row.state == "failed":
            return Original("removed")
        text = store.text(passage.source)
        if text[passage.start : passage.end] != passage.text:
            return Original("replaced", row.media_type, row.pages)
        before = _before(store, passage, text) if row.media_type == PDF else 0
    finally:
        store.close()
    try:
        if place is None and is_upload(passage.source):
            return Original("missing", row.media_type, row.pages)
        content = read_file(place or source_path(passage.source, index.absolute().parent))
    except DocumentError:
        return Original("missing", row.media_type, row.pages)
    if content.sha256 != row.content_sha256:
        return Original("changed", row.media_type, row.pages)
    # Only a page is drawn from the file itself: other texts are shown as they were read.
    data = content.data if row.media_type == PDF else b""
    return Original("same", row.media_type, row.pages, content.sha256, data, before)


def _before(store: Store, passage: Passage, text: str) -> int:
    on_page = [chunk.start for chunk in store.chunks_of(passage.source) if chunk.page == passage.page]
    return len(compact(text[min([*on_page, passage.start]) : passage.start]))


def passage_with(store: Store, source: str, find: Callable[[str], tuple[int, int] | None]) -> Passage | None:
    """Return the first chunk of a document in which something is found, None where there is none."""
    for row in store.chunks_of(source):
        if find(row.text) is not None:
            return Passage(row.id, row.source, row.title, row.page, row.headings, row.start, row.end, row.text, 0.0)
    return None
