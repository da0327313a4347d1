"""HTML: the main text as Markdown, with headings and tables, without scripts, styles, navigation and hidden parts."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import Any

from rag.ingestion.loaders.html_tables import replace_tables
from rag.ingestion.loaders.markdown import markdown_document
from rag.ingestion.loaders.raised_text import with_lowered, with_raised
from rag.ingestion.loaders.text import decode, normalise, title_from
from rag.types import Document

__all__ = ["html_document", "load_html"]

_DROPPED = [
    "script", "style", "noscript", "template", "svg", "canvas", "iframe", "object", "embed", "nav", "button",
    "input", "select", "textarea", "dialog", "head",
]  # fmt: skip


def load_html(data: bytes, source: str) -> Document:
    """Read an HTML page: its ``main`` or only ``article`` if it has one, else its body."""
    return html_document(data, source, "text/html")


def html_document(data: bytes | str, source: str, media_type: str, title: str = "") -> Document:
    """Read HTML. Other formats are converted to HTML and read by this, too."""
    from bs4 import BeautifulSoup, Comment, MarkupResemblesLocatorWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)  # a short page is not a file name
        soup = BeautifulSoup(data if isinstance(data, str) else decode(data), "lxml")
    title = title or (soup.title.get_text(" ", strip=True) if soup.title else "")
    for node in soup(_DROPPED):
        node.decompose()
    for node in soup.select('[hidden], [aria-hidden="true"], [role="navigation"]'):
        node.decompose()
    for comment in soup.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    articles = soup.find_all("article")
    root = soup.find("main") or soup.select_one('[role="main"]') or (articles[0] if len(articles) == 1 else None)
    if root is None:
        root = soup.body or soup
        for node in root.find_all(["footer", "aside"]):
            node.decompose()
    converter = _converter()
    replace_tables(root, converter.cell_text)
    markdown = converter.convert_soup(root)
    text = re.sub(r"\n{3,}", "\n\n", normalise(markdown)).strip() + "\n"
    title = normalise(title) or (title_from(source) if media_type == "text/html" else "")
    return markdown_document(text, source, media_type, title)


@lru_cache(maxsize=1)
def _converter() -> Any:
    from markdownify import MarkdownConverter

    class Converter(MarkdownConverter):
        """Leaves text unescaped, except where a paragraph would become a heading or a rule."""

        def escape(self, text: str, parent_tags: object) -> str:
            """Escape marks at the beginning of a text node."""
            del parent_tags
            return re.sub(r"^(\s*)(#{1,6}(?=\s)|(?:-{3,}|={3,})(?=\s*$))", r"\1\\\2", text)

        def convert_ragtable(self, el: Any, text: str, parent_tags: Any) -> str:
            """Return the text of a table as it is."""
            del text, parent_tags
            return f"\n\n{el.get_text()}\n\n"

        def cell_text(self, cell: Any) -> str:
            """Return the text of a cell or a caption on one line."""
            return str(self.process_tag(cell, {"_inline", "td"}))  # type: ignore[attr-defined]  # markdownify has no types

        def convert_td(self, el: Any, text: str, parent_tags: Any) -> str:
            """Return the text alone."""
            del el, parent_tags
            return str(text)

        convert_th = convert_caption = convert_td

        def convert_sup(self, el: Any, text: str, parent_tags: Any) -> str:
            """Keep an exponent apart from its number."""
            del parent_tags
            return with_raised(_text_before(el), text)

        def convert_sub(self, el: Any, text: str, parent_tags: Any) -> str:
            """Keep a base apart from its number."""
            del parent_tags
            return with_lowered(_text_before(el), text)

    return Converter(heading_style="ATX", strip=["a", "img"], bullets="-")


def _text_before(element: Any) -> str:
    before = element.previous_sibling
    return before.get_text() if before is not None else ""
