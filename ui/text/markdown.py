"""A language model's Markdown for the browser: as HTML while it comes, and as a tree of JSON values once it is checked.

Only the tags of :data:`rag.safe_markdown.TAGS` are made, with no attributes but a class of ours and a list's first
number. Texts are escaped, or set as text by the browser.
"""

from __future__ import annotations

from collections.abc import Sequence

from rag.safe_markdown import Element, Node, Note, Text, parse, with_notes
from ui.text.safe import escape, plain

__all__ = ["JsonNode", "markdown_html", "markdown_json"]

JsonNode = str | dict[str, object]
"""A text, or an element: ``tag``, ``children``, ``start`` and ``align``; or a footnote: ``note``."""
_EMPTY = ("br", "hr")


def markdown_html(source: str) -> str:
    """Return Markdown, also half of it, as one HTML element."""
    return f'<div class="rag-text rag-markdown">{_html(parse(plain(source)))}</div>'


def markdown_json(source: str, notes: Sequence[tuple[int, dict[str, object]]]) -> list[JsonNode]:
    """Return Markdown as JSON values, with a footnote for each (offset in the source, value)."""
    return _json(with_notes(parse(plain(source)), notes))


def _html(nodes: Sequence[Node]) -> str:
    return "".join(_element_html(node) if isinstance(node, Element) else _text_html(node) for node in nodes)


def _text_html(node: Text | Note) -> str:
    return escape(node.text) if isinstance(node, Text) else ""


def _element_html(node: Element) -> str:
    tag = _tag(node.tag)
    attributes = f' start="{node.start}"' if tag == "ol" and node.start != 1 else ""
    attributes += f' class="rag-{node.align}"' if node.align else ""
    inside = f"<{tag}{attributes}>" + ("" if tag in _EMPTY else f"{_html(node.children)}</{tag}>")
    return f'<div class="rag-table">{inside}</div>' if tag == "table" else inside


def _json(nodes: Sequence[Node]) -> list[JsonNode]:
    values: list[JsonNode] = []
    for node in nodes:
        if isinstance(node, Text):
            values.append(node.text)
        elif isinstance(node, Note):
            values.append({"note": node.value})
        else:
            value: dict[str, object] = {"tag": _tag(node.tag), "children": _json(node.children)}
            value |= {"start": node.start} if node.tag == "ol" and node.start != 1 else {}
            values.append(value | ({"align": node.align} if node.align else {}))
    return values


def _tag(tag: str) -> str:
    """Return the tag on the page, whose own headings are above those of an answer."""
    return f"h{min(int(tag[1]) + 3, 6)}" if tag[0] == "h" and tag[1:].isdigit() else tag
