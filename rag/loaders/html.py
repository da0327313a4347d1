"""HTML: the main text as Markdown, with headings and tables; scripts, styles, navigation and hidden parts dropped."""

from __future__ import annotations

import re

from rag.loaders.markdown import markdown_document
from rag.loaders.text import normalise, title_from
from rag.records import Document

__all__ = ["load_html"]

_DROPPED = [
    "script", "style", "noscript", "template", "svg", "canvas", "iframe", "object", "embed", "nav", "form", "button",
    "input", "select", "textarea", "dialog", "head",
]  # fmt: skip


def load_html(data: bytes, source: str) -> Document:
    """Read an HTML page: its ``main`` or only ``article`` where it has one, else its body."""
    from bs4 import BeautifulSoup, Comment
    from markdownify import MarkdownConverter

    soup = BeautifulSoup(data, "lxml")  # finds the encoding itself: byte order mark, meta tag, then the bytes
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
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
    markdown = MarkdownConverter(
        heading_style="ATX", strip=["a", "img"], escape_asterisks=False, escape_underscores=False, bullets="-"
    ).convert_soup(root)
    text = re.sub(r"\n{3,}", "\n\n", normalise(markdown)).strip() + "\n"
    return markdown_document(text, source, "text/html", normalise(title) or title_from(source))
