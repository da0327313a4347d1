"""Web pages that were saved as one file (MHTML): the first page in it, as HTML."""

from __future__ import annotations

from dataclasses import replace

from rag.errors import DocumentError
from rag.ingestion.loaders.html import html_document
from rag.ingestion.loaders.mail import header_of, parse_message, text_of
from rag.types import Document

__all__ = ["load_mhtml"]

_PAGES = ("text/html", "application/xhtml+xml")


def load_mhtml(data: bytes, source: str) -> Document:
    """Read a saved web page."""
    message = parse_message(data)
    page = next((part for part in message.walk() if part.get_content_type() in _PAGES), None)
    if page is None:
        raise DocumentError("broken", "the saved page contains no HTML", "save it again")
    content = text_of(page)
    document = html_document(content.text, source, "multipart/related", header_of(message, "Subject"), main_part=True)
    return replace(document, notes=content.notes + document.notes)
