"""OpenDocument texts, through Markdown, so that headings, lists and tables are split like those of any other format.

Headers, footers, comments and pictures are left out. There are no pages: a word processor computes them.
"""

from __future__ import annotations

import io
import re

from rag.ingestion.loaders.markdown import markdown_document
from rag.ingestion.loaders.text import normalise
from rag.types import Document

__all__ = ["load_odt"]

_TABLE_LINE = re.compile(r"^\|.*\|$", re.MULTILINE)


def load_odt(data: bytes, source: str) -> Document:
    """Read an OpenDocument text."""
    from odfdo import Document as OpenDocument

    document = OpenDocument(io.BytesIO(data))
    markdown = normalise(str(document.to_markdown())).strip() + "\n"
    text = _TABLE_LINE.sub(_unpadded, markdown)
    title = normalise(document.meta.title or "").strip()
    return markdown_document(text, source, "application/vnd.oasis.opendocument.text", title)


def _unpadded(line: re.Match[str]) -> str:
    """Return a table's line without the padding that aligns its columns."""
    return " ".join(re.sub(r"-{4,}(?=\|)", "---", line.group()).split())
