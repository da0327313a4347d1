"""Word and OpenDocument texts: through Markdown, so that headings, lists and tables are cut like any other's.

Headers, footers, comments and pictures are left out; pages are not known, since a word processor makes them up.
"""

from __future__ import annotations

import io
import re
import zipfile

from rag.ingestion.loaders.html import html_document
from rag.ingestion.loaders.markdown import markdown_document
from rag.ingestion.loaders.text import normalise
from rag.types import Document

__all__ = ["load_docx", "load_odt"]

_STYLES = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => p:fresh"
_TABLE_LINE = re.compile(r"^\|.*\|$", re.MULTILINE)
_DUBLIN_CORE_TITLE = "{http://purl.org/dc/elements/1.1/}title"


def load_docx(data: bytes, source: str) -> Document:
    """Read a Word document; footnotes stand at its end."""
    import mammoth

    html = mammoth.convert_to_html(
        io.BytesIO(data),
        style_map=_STYLES,
        convert_image=mammoth.images.img_element(lambda _: {}),
        external_file_access=False,
    ).value
    media_type = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    return html_document(html, source, media_type, _core_title(data), infer_header=True)


def load_odt(data: bytes, source: str) -> Document:
    """Read an OpenDocument text."""
    from odfdo import Document as OpenDocument

    document = OpenDocument(io.BytesIO(data))
    markdown = normalise(str(document.to_markdown())).strip() + "\n"
    text = _TABLE_LINE.sub(_unpadded, markdown)
    title = normalise(document.meta.title or "").strip()
    return markdown_document(text, source, "application/vnd.oasis.opendocument.text", title)


def _unpadded(line: re.Match[str]) -> str:
    """Return a table's line without the spaces and dashes that give its columns one width."""
    return " ".join(re.sub(r"-{4,}(?=\|)", "---", line.group()).split())


def _core_title(data: bytes) -> str:
    from defusedxml.ElementTree import fromstring

    with zipfile.ZipFile(io.BytesIO(data)) as package:
        if "docProps/core.xml" not in package.namelist():
            return ""
        found = fromstring(package.read("docProps/core.xml")).find(_DUBLIN_CORE_TITLE)
    return (found.text or "").strip() if found is not None else ""
