"""Files to documents: texts, office files, books, tables, data, mail and code, told apart by content before name.

A loader takes bytes and returns a :class:`~rag.types.Document`; it raises :class:`~rag.errors.DocumentError` for
a file that cannot be read. It knows nothing of chunks and models. Whatever a loader finds, what leaves this package
can be stored: text without lone surrogates, titles and headings of one line without control characters.

Files of strangers are read through :mod:`rag.ingestion.sandbox`, which holds what the libraries below may do to a
process.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from rag.errors import DocumentError
from rag.ingestion.loaders.code import load_code
from rag.ingestion.loaders.csv_data import load_delimited
from rag.ingestion.loaders.docx import load_docx, load_odt
from rag.ingestion.loaders.epub import load_epub
from rag.ingestion.loaders.html import load_html
from rag.ingestion.loaders.json_data import load_json, load_json_lines
from rag.ingestion.loaders.latex import load_latex
from rag.ingestion.loaders.limits import MIB, Bounds
from rag.ingestion.loaders.mail import load_mail, load_mhtml
from rag.ingestion.loaders.markdown import load_markdown
from rag.ingestion.loaders.notebook import load_notebook
from rag.ingestion.loaders.pdf import load_pdf
from rag.ingestion.loaders.pptx import load_pptx
from rag.ingestion.loaders.rst import load_rst
from rag.ingestion.loaders.sniff import CODE, SUFFIXES, sniff
from rag.ingestion.loaders.subtitles import load_srt, load_vtt
from rag.ingestion.loaders.text import load_text, title_from
from rag.ingestion.loaders.xlsx import load_xlsx
from rag.ingestion.loaders.xml_data import load_xml
from rag.ingestion.loaders.zip_safety import check_package
from rag.types import Document

__all__ = ["SUFFIXES", "load_bytes", "sniff"]

_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_REPLACEMENT = "\ufffd"

Loader = Callable[[bytes, str], Document]

PACKAGES: dict[str, Loader] = {
    "application/epub+zip": load_epub,
    "application/vnd.oasis.opendocument.text": load_odt,
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": load_pptx,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": load_xlsx,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": load_docx,
}
LOADERS: dict[str, Loader] = {
    **PACKAGES,
    "application/json": load_json,
    "application/jsonl": load_json_lines,
    "application/x-ipynb+json": load_notebook,
    "application/x-subrip": load_srt,
    "application/xml": load_xml,
    "multipart/related": load_mhtml,
    "text/csv": load_delimited,
    "text/html": load_html,
    "text/markdown": load_markdown,
    "text/plain": load_text,
    "text/vtt": load_vtt,
    "text/x-latex": load_latex,
    "text/x-rst": load_rst,
    CODE: load_code,
}
# Written by hand: where a library gives up on one, what is written can still be read as it stands.
_READABLE = {"application/x-subrip", "text/vtt", "text/x-latex", "text/x-rst"}
_CALLED = {
    "application/pdf": "PDF",
    "application/x-ipynb+json": "notebook",
    "message/rfc822": "message",
    "multipart/related": "saved page",
    **dict(zip(PACKAGES, ("EPUB book", "OpenDocument text", "presentation", "workbook", "Word document"), strict=True)),
}


def load_bytes(data: bytes, source: str, bounds: Bounds | None = None) -> Document:
    """Read a file's bytes into a document. Raises :class:`~rag.errors.DocumentError`."""
    return _load(data, source, bounds or Bounds(), 0)


def _load(data: bytes, source: str, bounds: Bounds, depth: int) -> Document:
    media_type = sniff(data, source)
    if media_type in PACKAGES:
        check_package(data, bounds)
    try:
        document = _loader(media_type, bounds, depth)(data, source)
    except (DocumentError, MemoryError, RecursionError):
        raise
    except Exception as error:  # a format's library raises whatever a damaged file makes it trip over
        if media_type in _READABLE:
            document = load_text(data, source)
        elif media_type in _CALLED:
            told = " ".join(str(error).split())[:200]
            message = f"the {_CALLED[media_type]} cannot be read: {type(error).__name__}: {told}".rstrip(": ")
            raise DocumentError("broken", message, "export or download it again") from error
        else:
            raise
    if not document.text.strip():
        raise DocumentError("no text", "the file holds no text", "if it is a scan, run OCR on it first")
    if len(document.text) > bounds.text_mb * MIB:
        raise DocumentError("too large", f"it holds more than {bounds.text_mb} MiB of text", "split it")
    return _storable(document)


def _loader(media_type: str, bounds: Bounds, depth: int) -> Loader:
    if media_type == "application/pdf":
        return partial(load_pdf, most=bounds.pages)
    if media_type != "message/rfc822":
        return LOADERS[media_type]
    if depth >= bounds.attachment_depth:
        raise DocumentError("nested", f"it is a message {depth} messages deep", "ingest it by itself")
    return partial(
        load_mail,
        read=lambda data, name: _load(data, name, bounds, depth + 1),
        most=bounds.attachments,
    )


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
