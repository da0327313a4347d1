"""HTML: the main text as Markdown, with headings and tables, without scripts, styles, navigation and hidden parts."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import Any

from rag.ingestion.loaders.markdown import markdown_document
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


def html_document(
    data: bytes | str, source: str, media_type: str, title: str = "", *, infer_header: bool = False
) -> Document:
    """Read HTML. Other formats are converted to HTML and read by this, too.

    With ``infer_header``, the first row of a table without a marked header is its header.
    """
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
    markdown = _converter(infer_header=infer_header).convert_soup(root)
    text = re.sub(r"\n{3,}", "\n\n", normalise(markdown)).strip() + "\n"
    title = normalise(title) or (title_from(source) if media_type == "text/html" else "")
    return markdown_document(text, source, media_type, title)


@lru_cache(maxsize=2)
def _converter(*, infer_header: bool) -> Any:
    from markdownify import MarkdownConverter

    class Converter(MarkdownConverter):
        """Leaves text unescaped, except where a paragraph would become a heading or a rule."""

        def escape(self, text: str, parent_tags: object) -> str:
            """Escape marks at the beginning of a text node."""
            del parent_tags
            return re.sub(r"^(\s*)(#{1,6}(?=\s)|(?:-{3,}|={3,})(?=\s*$))", r"\1\\\2", text)

        def convert_td(self, el: Any, text: str, parent_tags: Any) -> Any:
            """Escape bars inside a cell."""
            return super().convert_td(el, text.replace("|", r"\|"), parent_tags)  # type: ignore[misc]  # markdownify has no types

        def convert_th(self, el: Any, text: str, parent_tags: Any) -> Any:
            """Escape bars inside a header."""
            return super().convert_th(el, text.replace("|", r"\|"), parent_tags)  # type: ignore[misc]  # markdownify has no types

    return Converter(heading_style="ATX", strip=["a", "img"], bullets="-", table_infer_header=infer_header)
