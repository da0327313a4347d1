"""Texts of documents and models as HTML that is nothing but text.

Everything from outside goes through :func:`escape` and is shown with ``st.html``, never as Markdown: then no link, no
image, no formula and no tag in it is anything but letters. The tags around it come from here and have no attributes
but a class name of ours. Where only Markdown will do (a button's label, an exported file), :func:`inert` makes it so.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable

__all__ = ["escape", "inert", "marked", "one_line"]

_DIRECTIONS = {chr(c) for c in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)}

_SIGNS = re.compile(r"([!-/:-@\[-`{-~])")
# What is an address, an emoji or an icon to a renderer that looks for them after it has read the escapes.
_LIVELY = re.compile(r"(?i)(?<=[:@])(?=\S)|(?<=www)(?=\.)|(?<=[<>=-])(?=[<>=-])|(?<=\w\.)(?=[^\W\d_]{2})")


def escape(text: str) -> str:
    """Escape a text for HTML; control characters and overrides of the writing direction are shown as �."""
    return html.escape("".join("�" if _hidden(c) else c for c in text), quote=True)


def one_line(text: str, most: int = 200) -> str:
    """Return a name or title as plain text in one line of at most ``most`` characters."""
    words = " ".join("".join("�" if _hidden(c) and not c.isspace() else c for c in text).split())
    return words if len(words) <= most else words[: most - 1] + "…"


def inert(text: str) -> str:
    """Return a text, in one line, as Markdown that shows just this text: no link, image, formula, tag or icon."""
    return _SIGNS.sub(r"\\\1", _LIVELY.sub("\u2060", one_line(text, len(text) + 1)))


def marked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return the text as HTML with ``<mark>`` around the spans (character offsets; they may overlap or touch)."""
    inside = [False] * (len(text) + 1)
    for start, end in spans:
        for position in range(max(start, 0), min(end, len(text))):
            inside[position] = True
    pieces, begun = [], 0
    for position in range(1, len(text) + 1):
        if position == len(text) or inside[position] != inside[begun]:
            piece = escape(text[begun:position])
            pieces.append(f"<mark>{piece}</mark>" if inside[begun] else piece)
            begun = position
    return "".join(pieces)


def _hidden(character: str) -> bool:
    if character in "\n\t":
        return False
    return character in _DIRECTIONS or unicodedata.category(character) in ("Cc", "Cs")
