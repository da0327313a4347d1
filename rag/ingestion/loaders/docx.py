"""Word documents, through HTML and Markdown, so that headings, lists and tables are split like those of any format.

Headers, footers, comments and pictures are left out. There are no pages: a word processor computes them.
"""

from __future__ import annotations

import io
import zipfile

from rag.ingestion.loaders.html import html_document
from rag.types import Document

__all__ = ["load_docx"]

_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_STYLES = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => p:fresh"
_DUBLIN_CORE_TITLE = "{http://purl.org/dc/elements/1.1/}title"


def load_docx(data: bytes, source: str) -> Document:
    """Read a Word document; footnotes are at its end."""
    import mammoth

    html = mammoth.convert_to_html(
        io.BytesIO(data),
        style_map=_STYLES,
        convert_image=mammoth.images.img_element(lambda _: {}),
        external_file_access=False,
    ).value
    return html_document(html, source, _MEDIA_TYPE, _core_title(data), infer_header=True)


def _core_title(data: bytes) -> str:
    from defusedxml.ElementTree import fromstring

    with zipfile.ZipFile(io.BytesIO(data)) as package:
        if "docProps/core.xml" not in package.namelist():
            return ""
        title = fromstring(package.read("docProps/core.xml")).find(_DUBLIN_CORE_TITLE)
    return (title.text or "").strip() if title is not None else ""
