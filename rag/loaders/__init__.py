"""Files to documents: Markdown, HTML, PDF and plain text, chosen by content first and by name second.

A loader takes bytes and returns a :class:`~rag.records.Document`; it raises :class:`~rag.errors.DocumentError` for
a file that cannot be read. It knows nothing of chunks and models. Whatever a loader finds, what leaves this package
can be stored: text without lone surrogates, titles and headings of one line without control characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath

from rag.errors import DocumentError
from rag.loaders.html import load_html
from rag.loaders.markdown import load_markdown
from rag.loaders.pdf import load_pdf
from rag.loaders.text import load_text, looks_binary, title_from
from rag.records import Document

__all__ = ["SUFFIXES", "load_bytes", "sniff"]

_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_REPLACEMENT = "\ufffd"

Loader = Callable[[bytes, str], Document]

SUFFIXES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".txt": "text/plain",
    ".text": "text/plain",
    ".log": "text/plain",
    ".rst": "text/plain",
    ".pdf": "application/pdf",
}

LOADERS: dict[str, Loader] = {
    "text/markdown": load_markdown,
    "text/html": load_html,
    "text/plain": load_text,
    "application/pdf": load_pdf,
}


def sniff(data: bytes, name: str) -> str:
    """Return the media type.

    Raises :class:`~rag.errors.DocumentError` for empty and for binary files.
    """
    if not data.strip():
        raise DocumentError("empty", "the file is empty", "fill it or remove it")
    if data[:1024].lstrip().startswith(b"%PDF-"):
        return "application/pdf"
    if looks_binary(data):
        raise DocumentError("binary", "the file is binary and not a PDF", "convert it to text, Markdown, HTML or PDF")
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html")):
        return "text/html"
    by_name = SUFFIXES.get(PurePath(name).suffix.lower(), "text/plain")
    return "text/plain" if by_name == "application/pdf" else by_name


def load_bytes(data: bytes, source: str) -> Document:
    """Read a file's bytes into a document. Raises :class:`~rag.errors.DocumentError`."""
    document = LOADERS[sniff(data, source)](data, source)
    if not document.text.strip():
        raise DocumentError("no text", "the file holds no text", "if it is a scan, run OCR on it first")
    return _storable(document)


def _storable(document: Document) -> Document:
    """Replace what UTF-8 cannot carry, character by character, so that every offset still holds."""
    return replace(
        document,
        title=_one_line(document.title) or _one_line(title_from(document.source)),
        text=_SURROGATE.sub(_REPLACEMENT, document.text),
        sections=tuple(replace(s, headings=tuple(filter(None, map(_one_line, s.headings)))) for s in document.sections),
    )


def _one_line(text: str) -> str:
    return " ".join(_CONTROL.sub(" ", _SURROGATE.sub(_REPLACEMENT, text)).split())
