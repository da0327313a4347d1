"""The file that a document was read from: whether it still exists, and is unchanged.

A file counts as the original only if its content has the hash that was stored when it was read; the content of any
other file is never returned. The index's database is opened directly, so that evidence can be shown while models load.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from indexes.store.store import Store
from rag.errors import DocumentError
from rag.ingestion.discovery import is_upload, is_web_page, source_path
from rag.ingestion.file_stamps import read_file
from rag.ingestion.loaders.pdf_page import compact
from rag.ingestion.loaders.picture_file import PICTURE_TYPES
from rag.ingestion.loaders.word_boxes import Rectangle, rectangles
from rag.types import Passage

__all__ = ["Original", "find_original", "passage_with"]

_PDF = "application/pdf"


@dataclass(frozen=True)
class Original:
    """The state of a passage's document and its file.

    ``removed``: the document is not in the index any more; ``replaced``: it is, without these words; ``missing``: the
    file does not exist; ``web``: it was read from the web, and only its text is stored; ``changed``: the file has other
    content; ``same``: ``data`` is its content. ``before`` is where the passage begins on its page
    (:func:`rag.ingestion.loaders.pdf_page.compact`), ``boxes`` where the words of scans are
    (:mod:`rag.ingestion.loaders.word_boxes`).
    """

    state: Literal["same", "changed", "missing", "removed", "replaced", "web"]
    media_type: str = ""
    pages: int | None = None
    sha256: bytes = b""
    data: bytes = b""
    before: int = 0
    boxes: bytes = b""

    @property
    def is_drawable(self) -> bool:
        """Whether its pages can be drawn."""
        return self.state == "same" and _is_drawn(self.media_type)

    def places(self, page: int, start: int, end: int) -> list[Rectangle]:
        """Return the places on a scanned page of the characters from ``start`` to ``end`` of the document's text."""
        return rectangles(self.boxes, page, start, end)


def find_original(index: Path, passage: Passage, upload: Path | None = None) -> Original:
    """Look for the file of a passage. ``upload`` is the path of an uploaded file, whose name is not a path.

    An upload without that path is missing. Raises what opening the index raises.
    """
    with Store.open(index) as store:
        row = store.document(passage.source)
        if row is None or row.content_sha256 is None or row.state == "failed":
            return Original("removed")
        text = store.text(passage.source)
        if text[passage.start : passage.end] != passage.text:
            return Original("replaced", row.media_type, row.pages)
        is_drawn = _is_drawn(row.media_type)
        before = _before(store, passage, text) if is_drawn else 0
        boxes = store.boxes(passage.source) if is_drawn else None
    if is_web_page(passage.source):
        return Original("web", row.media_type, row.pages)
    try:
        if upload is None and is_upload(passage.source):
            return Original("missing", row.media_type, row.pages)
        content = read_file(upload or source_path(passage.source, index.absolute().parent))
    except DocumentError:
        return Original("missing", row.media_type, row.pages)
    if content.sha256 != row.content_sha256:
        return Original("changed", row.media_type, row.pages)
    # Only pages of PDFs and pictures are drawn from the file; other texts are shown as they were read.
    data = content.data if is_drawn else b""
    return Original("same", row.media_type, row.pages, content.sha256, data, before, boxes or b"")


def _is_drawn(media_type: str) -> bool:
    return media_type == _PDF or media_type in PICTURE_TYPES


def _before(store: Store, passage: Passage, text: str) -> int:
    on_page = [chunk.start for chunk in store.chunks_of(passage.source) if chunk.page == passage.page]
    return len(compact(text[min([*on_page, passage.start]) : passage.start]))


def passage_with(store: Store, source: str, find: Callable[[str], tuple[int, int] | None]) -> Passage | None:
    """Return the first chunk of a document for which ``find`` returns a span, None if there is none."""
    for row in store.chunks_of(source):
        if find(row.text) is not None:
            return Passage(row.id, row.source, row.title, row.page, row.headings, row.start, row.end, row.text, 0.0)
    return None
