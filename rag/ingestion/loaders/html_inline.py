"""Text of HTML elements within a line: white space as browsers show it, exponents, ruby, form fields, pictures.

Links and emphasis leave their words only. Text that is struck through was removed before
(:mod:`~rag.ingestion.loaders.html_visible`).
"""

from __future__ import annotations

import re
from typing import Any

from rag.ingestion.loaders.mathml import linear_math
from rag.ingestion.loaders.raised_text import with_lowered, with_raised
from rag.text import one_line

__all__ = ["BLOCKS", "Line", "add_inline", "inline_text", "picture_text"]

BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "dir", "div",
    "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header",
    "hgroup", "hr", "html", "legend", "li", "main", "menu", "nav", "ol", "p", "pre", "ragtable", "search",
    "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul", "xmp", "listing", "noscript",
    "iframe", "template", "noframes", "frameset",
})  # fmt: skip
"""Elements that begin and end a line."""

_APART = frozenset({"button", "input", "label", "meter", "option", "output", "progress", "select", "textarea"})
_JOINED = frozenset({"a", "span"})
_SPACES = re.compile(r"[ \t\r\n\f]+")
_UNSEEN = re.compile("[\u00ad\u2060\ufeff]")  # soft hyphen, word joiner, zero-width no-break space
_BREAK = re.compile(
    "(?<![\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff])\u200b|\u200b(?![\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff])"
)
_DEEPEST = 150  # elements within each other; deeper ones are read as plain text
_SAYS_NOTHING = re.compile(
    r"(?:image|img|photo|picture|logo|icon|spacer|bullet|\W*|\S+\.(?:png|jpe?g|gif|svg|webp))\d*", re.I
)
_FORMULA = re.compile(r"[{\\]\\?[a-z]+")
_SHOWN_INPUTS = frozenset({
    "", "button", "color", "date", "datetime-local", "email", "month", "number", "range", "reset", "search", "submit",
    "tel", "text", "time", "url", "week",
})  # fmt: skip
_MARKED = {"checkbox": ("☒", "☐"), "radio": ("☒", "☐")}


class Line:
    """Collects the text of a line or paragraph; runs of white space become one space."""

    def __init__(self, marks: frozenset[str] = frozenset()) -> None:
        self._parts: list[str] = []
        self._last = "\n"  # the end of what was added
        self.marks = marks

    def add(self, text: str, *, keep_spaces: bool = False) -> None:
        """Append a piece of text."""
        text = _BREAK.sub("", _UNSEEN.sub("", text))
        if not keep_spaces:
            text = _SPACES.sub(" ", text)
            if self._last[-1] in " \n":
                text = text.removeprefix(" ")
        if text:
            self._parts.append(text)
            self._last = (self._last + text)[-40:] if len(text) < 40 else text[-40:]

    def space(self) -> None:
        """Separate what comes next."""
        if self._last[-1] not in " \n":
            self.add(" ")

    def line_break(self) -> None:
        """Begin a new line."""
        self._parts.append("\n")
        self._last = "\n"

    @property
    def before(self) -> str:
        """The last characters of the line; empty at its beginning."""
        return self._last.rpartition("\n")[2]

    def take(self) -> str:
        """Return the text without white space at its ends, and begin again."""
        return re.sub(r" *\n *", "\n", self.take_verbatim().strip(" \n"))

    def take_verbatim(self) -> str:
        """Return the text as it is, and begin again."""
        text = "".join(self._parts)
        self._parts.clear()
        self._last = "\n"
        return text


def inline_text(element: Any, marks: frozenset[str] = frozenset()) -> str:
    """Return all text below an element on one line; list items are separated by semicolons."""
    line = Line(marks)
    _add_children(line, element, 0)
    return one_line(line.take())


def _add_children(line: Line, element: Any, depth: int) -> None:
    for child in element.contents:
        name = getattr(child, "name", None)
        if name in BLOCKS:
            line.space()
            if name == "li" and line.before.strip():
                line.add("; " if line.before[-1:] != " " else "")
            _add_children(line, child, depth + 1) if depth < _DEEPEST else line.add(child.get_text(" "))
            line.space()
        else:
            add_inline(line, child, depth)


def add_inline(line: Line, node: Any, depth: int = 0, *, keep_spaces: bool = False) -> None:
    """Append a text or an element that is no block; blocks inside it are separated by spaces."""
    name = getattr(node, "name", None)
    if name is None:
        if type(node).__name__ in ("NavigableString", "TemplateString", "RubyTextString", "RubyParenthesisString"):
            line.add(str(node), keep_spaces=keep_spaces)
        return
    if depth > _DEEPEST:
        line.add(node.get_text(" "))
        return
    if name in _JOINED and getattr(node.previous_sibling, "name", None) in _JOINED and _are_two(line.before, node):
        line.space()
    handler = _HANDLERS.get(name)
    if handler is not None:
        handler(line, node, depth)
        return
    if keep_spaces:
        for child in node.contents:
            add_inline(line, child, depth + 1, keep_spaces=True)
        return
    if name in _APART:
        line.space()
    if not node.contents and node.get("role") == "img":
        line.add(node.get("aria-label") or "")
    _add_children(line, node, depth + 1)
    if name in _APART:
        line.space()


def _are_two(before: str, node: Any) -> bool:
    """Return whether an element that touches the one before it begins a new word: ``Credit`` and ``Ann Lee``."""
    text = node.get_text()
    if not before or not text or not before[-1].isalpha() or before[-1].isupper():
        return False
    return bool(text[0].isupper() or text[0].isdigit() or (node.name == "a" and text[0].isalpha()))


def picture_text(element: Any) -> str:
    """Return the description of a picture; empty where it says nothing, such as the name of a file."""
    text = one_line(str(element.get("alt") or element.get("aria-label") or ""))
    return "" if _SAYS_NOTHING.fullmatch(text) else text


def _picture(line: Line, node: Any, depth: int) -> None:
    del depth
    text = picture_text(node)
    around = node.find_parent(["figure", "a", "h1", "h2", "h3", "h4", "h5", "h6"])
    if not text or (around is not None and text.casefold() in one_line(around.get_text(" ")).casefold()):
        return
    is_formula = _FORMULA.search(text) or "math" in " ".join(node.get("class") or ())
    if is_formula or (around is not None and around.name.startswith("h")):
        line.add(text)
    else:
        line.space()
        line.add(f"[picture: {text}]")
        line.space()


def _raised(line: Line, node: Any, depth: int) -> None:
    text = _text_of(line, node, depth)
    mark = text.strip("[]()* ")
    is_mark = node.find("a", href=re.compile("^#")) is not None or "footnote" in " ".join(node.get("class") or ())
    if text.startswith("-") or re.search(r"(?<!\d)10$", line.before):
        is_mark = is_mark and not text.lstrip("-").isdigit()
    elif mark in line.marks and (line.before[-1:].isdigit() or not line.before[-1:].isalpha()):
        is_mark = True
    if mark in line.marks and not line.before.strip():
        line.add(f"[{mark}] ")
    elif is_mark and mark and line.before.strip():
        line.add(f"[{mark}]" if line.before[-1].isspace() else f" [{mark}]")
    else:
        line.add(with_raised(line.before, text))


def _lowered(line: Line, node: Any, depth: int) -> None:
    line.add(with_lowered(line.before, _text_of(line, node, depth)))


def _text_of(line: Line, node: Any, depth: int) -> str:
    inner = Line(line.marks)
    _add_children(inner, node, depth + 1)
    return inner.take()


def _ruby(line: Line, node: Any, depth: int) -> None:
    """Write a reading in brackets behind its characters, once for a whole word."""
    base, reading = Line(line.marks), []
    for child in node.contents:
        name = getattr(child, "name", None)
        if name in ("rt", "rtc"):
            reading.append(inline_text(child))
        elif name != "rp":
            add_inline(base, child, depth + 1)
    line.add(base.take() + (f"({''.join(reading)})" if any(reading) else ""))


def _break(line: Line, node: Any, depth: int) -> None:
    line.line_break()
    for child in node.contents:  # invalid, but it happens
        add_inline(line, child, depth + 1)


def _math(line: Line, node: Any, depth: int) -> None:
    del depth
    line.add(linear_math(node))


def _quoted(line: Line, node: Any, depth: int) -> None:
    text = _text_of(line, node, depth)
    line.add(text if text[:1] in "\"“«„‘'" else f"“{text}”")


def _svg(line: Line, node: Any, depth: int) -> None:
    """Read the labels of a drawing."""
    del depth
    for label in node.find_all("text"):
        line.space()
        line.add(label.get_text(" "))
        line.space()


def _input(line: Line, node: Any, depth: int) -> None:
    del depth
    kind = str(node.get("type") or "").casefold()
    line.space()
    if kind in _MARKED:
        line.add(_MARKED[kind][not node.has_attr("checked")] + " ")
    elif kind in _SHOWN_INPUTS:
        line.add(str(node.get("value") or ""))
    elif kind == "image":
        line.add(picture_text(node))
    line.space()


def _select(line: Line, node: Any, depth: int) -> None:
    """Read the choices; a chosen one is marked where it was chosen by the page."""
    del depth
    options = [option for option in node.find_all("option") if inline_text(option) or option.get("label")]
    chosen = any(option.has_attr("selected") for option in options)
    texts = []
    for option in options:
        text = inline_text(option) or one_line(str(option.get("label")))
        texts.append(f"{text} (selected)" if chosen and option.has_attr("selected") else text)
    line.space()
    line.add(", ".join(texts))
    line.space()


def _address(line: Line, node: Any, depth: int) -> None:
    """Read a link; an address of mail or a number of telephone that its words lack follows them."""
    _add_children(line, node, depth + 1)
    target = str(node.get("href") or "")
    scheme, _, address = target.partition(":")
    if scheme.casefold() in ("mailto", "tel"):
        address = one_line(address.partition("?")[0]).removeprefix("//")
        bare = re.sub(r"[^\w@+]", "", address).casefold()
        shown = re.sub(r"[^\w@+]", "", node.get_text()).casefold()
        if bare and bare not in shown and bare.lstrip("+0") not in shown:
            line.space()
            line.add(f"({address})")


def _nothing(line: Line, node: Any, depth: int) -> None:
    del line, node, depth


_HANDLERS = {
    "a": _address, "br": _break, "img": _picture, "input": _input, "math": _math, "q": _quoted,
    "rp": _nothing, "ruby": _ruby, "select": _select, "sub": _lowered, "sup": _raised, "svg": _svg,
}  # fmt: skip
