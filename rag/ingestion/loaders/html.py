"""HTML: the text of a page with headings, lists and tables; of a web page without navigation, banners and footers.

The text looks like Markdown and is not escaped. What is hidden, struck through or beside the main part is left out
and noted.
"""

from __future__ import annotations

import warnings
from typing import Any

from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.flow_text import FlowText
from rag.ingestion.loaders.html_flow import add_page, note_marks
from rag.ingestion.loaders.html_inline import inline_text
from rag.ingestion.loaders.html_main_part import leave_out
from rag.ingestion.loaders.html_tables import replace_tables
from rag.ingestion.loaders.html_visible import characters, show
from rag.ingestion.loaders.text import decode
from rag.ingestion.loaders.titles import usable_title
from rag.text import counted
from rag.types import Document

__all__ = ["html_document", "load_html"]

_CONSIDERABLE = 200  # characters
_SHARE = 0.1  # of the page
_HIDDEN_AT_LEAST = 20  # characters; shorter ones are icons


def load_html(data: bytes, source: str) -> Document:
    """Read the main part of a web page."""
    return html_document(data, source, "text/html", main_part=True)


def html_document(
    data: bytes | str,
    source: str,
    media_type: str,
    title: str = "",
    *,
    main_part: bool = False,
    without: str = "",
) -> Document:
    """Read HTML. Other formats are converted to HTML and read by this, too.

    With ``main_part``, navigation, cookie banners and footers are left out. ``without`` is a CSS
    selector of elements to leave out.
    """
    from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning, XMLParsedAsHTMLWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)  # a short page is not a file name
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)  # XHTML is read like HTML
        soup = BeautifulSoup(data if isinstance(data, str) else decode(data), "lxml")
    title = title or (soup.title.get_text(" ", strip=True) if soup.title else "")
    for node in soup.select(without) if without else ():
        node.decompose()
    builder = DocumentBuilder()
    root = _visible(soup, builder, main_part=main_part)
    marks = note_marks(root)
    replace_tables(root, lambda element: inline_text(element, marks))
    flow = FlowText(builder)
    add_page(root, flow, marks)
    return builder.document(source, media_type, usable_title(title) or flow.first_heading)


def _visible(soup: Any, builder: DocumentBuilder, *, main_part: bool) -> Any:
    """Remove what is not shown and return the element with the rest; note what was removed."""
    visible = show(soup)
    root = soup.body or soup
    total = characters(root)
    if main_part:
        removed = leave_out(root, visible.hidden)
    else:
        removed = {"hidden text": sum(map(characters, visible.hidden))}
        for element in visible.hidden:
            element.decompose()
    hidden = removed.pop("hidden text", 0)
    if hidden >= _HIDDEN_AT_LEAST:
        builder.note("hidden_content", f"hidden text of {counted(hidden, 'character')} left out")
    for part, amount in removed.items():
        if amount >= _CONSIDERABLE or amount >= _SHARE * total:
            builder.note("page_parts_left_out", f"{part} of {counted(amount, 'character')} left out")
    if visible.struck:
        builder.note("struck_through", f"{counted(visible.struck, 'passage')} left out because of being struck through")
    if visible.frames:
        builder.note(
            "attachment_not_read",
            f"{counted(visible.frames, 'embedded page or file', 'embedded pages or files')} not read",
        )
    return root
