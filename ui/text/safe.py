"""Texts of documents and models as HTML that is nothing but text.

Everything from outside goes through :func:`block` or :func:`escape` and is shown with ``st.html``, never as Markdown:
then no link, no image, no formula and no tag in it is anything but letters. The tags around it come from here and have
no attributes but a class name of ours.

``st.html`` itself wants a tag around the text: it refuses an empty one, and looks on disk for a file that is called
like a bare one. Where only Markdown will do (a widget's label, an exported file), :func:`label`, :func:`inert` and
:func:`readable` make it so.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable

__all__ = ["block", "distinct", "escape", "inert", "label", "marked", "one_line", "plain", "readable"]

# Overrides of the writing direction, and characters that show nothing and can carry words unseen. Not the zero-width
# spaces and joiners, which honest pages and many scripts are full of.
_UNSEEN = frozenset(
    chr(c)
    for low, high in (
        *((0x061C, 0x061C), (0x180E, 0x180E), (0x200E, 0x200F), (0x2028, 0x202E), (0x2066, 0x206F)),
        *((0xFFF9, 0xFFFB), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
    )
    for c in range(low, high + 1)
)
_SIGNS = re.compile(r"([!-/:-@\[-`{-~])")
# Those of them that Markdown may take for markup. A point ends the number of a list, a hyphen begins one: inside words
# and paths both mean nothing, as the missing ones (" % ' , / ; ?) mean nothing without another that is escaped.
_MARKUP = re.compile(r"([!#$&()*+:<=>@\[\\\]^_`{|}~]|(?<=\d)\.(?!\S)|(?<!\w)-|-(?!\w))")
# What is an address, an emoji or an icon to a renderer that looks for them after it has read the escapes.
_LIVELY = re.compile(r"(?i)(?<=[:@])(?=\S)|(?<=www)(?=\.)|(?<=[<>=-])(?=[<>=-])|(?<=\w\.)(?=[^\W\d_]{2})")


def plain(text: str) -> str:
    """Return the text with what cannot be seen shown as �, character by character: offsets hold."""
    return "".join("�" if _hidden(c) else c for c in text)


def escape(text: str) -> str:
    """Escape a text for HTML; control characters and overrides of the writing direction are shown as �."""
    return html.escape(plain(text), quote=True)


def block(text: str, kind: str = "text", *, tag: str = "div") -> str:
    """Return the text as one HTML element that keeps line breaks; ``kind`` is a class name of ours."""
    return f'<{tag} class="rag-{kind}">{escape(text)}</{tag}>'


def label(text: str, most: int = 80) -> str:
    """Return a foreign name for a label that Streamlit reads as Markdown, at most ``most`` characters of it."""
    return inert(one_line(text, most))


def one_line(text: str, most: int = 200) -> str:
    """Return a name or title as plain text in one line of at most ``most`` characters."""
    words = plain(" ".join(text.split()))
    return words if len(words) <= most else words[: most - 1] + "…"


def distinct(names: Iterable[str], show: Callable[[str], str] = one_line) -> Callable[[str], str]:
    """Return what shows each of several names so that no two of them look the same.

    A widget knows an option by the text that it shows: of two that look the same, another than the chosen one would be
    opened, or deleted. Names that ``show`` makes equal are shown whole, and numbered where that does not distinguish
    apart either.
    """
    found = list(dict.fromkeys(names))
    often = Counter(map(show, found))
    shown: dict[str, str] = {}
    taken = {show(name) for name in found if often[show(name)] == 1}
    for name in found:
        text = show(name)
        if often[text] > 1:
            whole = text = one_line(name, 10_000)
            number = 1
            while text in taken:
                number += 1
                text = f"{whole} ({number})"
            taken.add(text)
        shown[name] = text
    return lambda name: shown.get(name) or show(name)


def inert(text: str) -> str:
    """Return a text, in one line, as Markdown that shows just this text: no link, image, formula, tag or icon."""
    return _SIGNS.sub(r"\\\1", _parted(text))


def readable(text: str) -> str:
    """Return a text as :func:`inert` does, without needless signs: for a file that is also read as it is written."""
    return _MARKUP.sub(r"\\\1", _parted(text))


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


def _parted(text: str) -> str:
    """Return a text in one line with a word joiner inside everything that is alive without any markup."""
    return _LIVELY.sub("\u2060", one_line(text, len(text) + 1))


def _hidden(character: str) -> bool:
    if character in "\n\t\r":
        return False
    return character in _UNSEEN or unicodedata.category(character) in ("Cc", "Cs")
