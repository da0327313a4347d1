"""Markdown that a language model wrote, as a tree of a few harmless elements with the place of every character.

Paragraphs, headings, lists, quotations, bold, italics, strikethrough, code, rules and tables are read (CommonMark and
GitHub's tables, by markdown-it). Links, images, addresses and HTML are not: their source stays text. A single line
break is one, as in a chat. Every character of the tree knows its offset in the source, so that footnotes can be placed
by offsets of the source (:func:`with_notes`).

This module knows neither HTML nor a terminal. The renderer of the tree escapes its texts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["TAGS", "Element", "Node", "Note", "Text", "last_block", "parse", "with_notes"]

TAGS = frozenset(
    ("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "strong", "em", "s", "code", "pre", "br",
     "hr", "table", "thead", "tbody", "tr", "th", "td")
)  # fmt: skip
"""The tags of all elements."""
LONGEST = 20_000
"""A longer source, in characters, is one element ``pre``: nobody reads it, and parsing would take seconds."""
_DEEPEST = 12  # levels of nesting
_MOST_CELLS = 10_000  # lines times columns: the parser fills up each row of a table with empty cells


@dataclass(frozen=True)
class Text:
    """Plain text; ``offsets[n]`` is the place of ``text[n]`` in the source."""

    text: str
    offsets: Sequence[int]


@dataclass(frozen=True)
class Note:
    """A footnote; ``value`` is the caller's own."""

    value: object


@dataclass(frozen=True)
class Element:
    """An element of :data:`TAGS`. ``start`` is the first number of a list, ``align`` a table cell's alignment."""

    tag: str
    children: tuple[Node, ...] = ()
    start: int = 1
    align: str = ""


Node = Element | Text | Note


def parse(source: str) -> list[Node]:
    """Return the blocks of a Markdown text. Any text is valid; half-open emphasis and code are shown as they are."""
    if len(source) > LONGEST:
        return [Element("pre", (Text(source, range(len(source))),))]
    text = source.replace("\r\n", " \n").replace("\r", "\n").replace("\0", "\ufffd")
    return _Tree(text).build(_parser(_may_have_tables(text)).parse(text))


def last_block(source: str) -> int:
    """Return where the last block of a text begins: what is before it does not change when the text goes on."""
    text = source.replace("\r\n", " \n").replace("\r", "\n")
    starts = [
        token.map[0]
        for token in _parser(_may_have_tables(text)).parse(text)
        if token.level == 0 and token.map and token.nesting >= 0
    ]
    return _line_starts(text)[starts[-1]] if starts else 0


def _may_have_tables(text: str) -> bool:
    lines = text.split("\n")
    return len(lines) * max(line.count("|") for line in lines) <= _MOST_CELLS


@cache
def _parser(tables: bool) -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _DEEPEST})
    parser.enable(["table", "strikethrough"] if tables else ["strikethrough"])
    return parser.disable(["link", "image", "autolink", "html_inline", "html_block", "reference", "text_join"])


def _line_starts(text: str) -> list[int]:
    return [0, *(n + 1 for n, character in enumerate(text) if character == "\n")]


@dataclass
class _Open:
    """An element whose end has not come yet. Without a tag, its children go to the element around it."""

    tag: str
    children: list[Node] = field(default_factory=list)
    start: int = 1
    align: str = ""


class _Tree:
    """Builds the tree of a text from the tokens of the parser."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = _line_starts(text)
        self._cursor = 0  # texts are found in order
        self._row = (0, 0)

    def build(self, tokens: Sequence[Token]) -> list[Node]:
        """Return the nodes of block tokens."""
        stack = [_Open("")]
        for token in tokens:
            if token.type == "tr_open" and token.map:
                self._row = (token.map[0], token.map[1])
            if token.type == "inline":
                stack[-1].children += self._inline(token)
            elif token.type in ("fence", "code_block"):
                stack[-1].children.append(self._code(token))
            else:
                _structure(stack, token)
        return stack[0].children

    def _inline(self, token: Token) -> list[Node]:
        first, last = token.map or self._row
        offsets = self._locate(token.content, first, last)
        stack, place = [_Open("")], 0
        for child in token.children or []:
            begin, end, step = _extent(child, token.content, place)
            place = end
            if child.type in ("text", "text_special", "code_inline"):
                places = [offsets[min(begin + n * step, len(offsets) - 1)] for n in range(len(child.content))]
                node: Node = Text(child.content, places)
                if child.content:
                    stack[-1].children.append(Element("code", (node,)) if child.type == "code_inline" else node)
            elif child.type in ("softbreak", "hardbreak"):
                stack[-1].children.append(Element("br"))
            else:
                _structure(stack, child)
        while len(stack) > 1:
            _close(stack)
        return stack[0].children

    def _code(self, token: Token) -> Element:
        first, last = token.map or (0, len(self._lines))
        content = token.content.removesuffix("\n")
        offsets = self._locate(content, first + (token.type == "fence"), last)
        return Element("pre", (Text(content, offsets[: len(content)]),) if content else ())

    def _locate(self, content: str, first: int, last: int) -> list[int]:
        """Return the place in the source of each character of a block's content, which lies in some of its lines."""
        starts = self._lines
        position = max(self._cursor, starts[min(first, len(starts) - 1)])
        limit = starts[last] if last < len(starts) else len(self._text)
        offsets: list[int] = []
        for line in content.split("\n"):
            place, escaped = self._text.find(line, position, limit), False
            if place < 0 and "|" in line:  # a table's cell: the parser has taken out the escapes
                place, escaped = self._text.find(line.replace("|", "\\|"), position, limit), True
            place = max(place, position)
            for character in line:
                place += escaped and character == "|"
                offsets.append(min(place, len(self._text)))
                place += 1
            offsets.append(min(place, len(self._text)))  # the line's end
            position = min(place, limit)
        self._cursor = position
        return offsets


def _structure(stack: list[_Open], token: Token) -> None:
    """Open or close an element."""
    tag = token.tag if token.tag in TAGS and not token.hidden else ""
    if token.nesting == 1:
        start = token.attrs.get("start", 1)
        style = str(token.attrs.get("style", ""))
        align = style.removeprefix("text-align:") if style.startswith("text-align:") else ""
        align = align if align in ("left", "center", "right") else ""
        stack.append(_Open(tag, start=start if isinstance(start, int) else 1, align=align))
    elif token.nesting == -1:
        _close(stack)
    elif tag:
        stack[-1].children.append(Element(tag))


def _close(stack: list[_Open]) -> None:
    if len(stack) == 1:
        return
    done = stack.pop()
    if done.tag:
        stack[-1].children.append(Element(done.tag, tuple(done.children), done.start, done.align))
    else:
        stack[-1].children += done.children


def _extent(token: Token, content: str, place: int) -> tuple[int, int, int]:
    """Return where an inline token's text begins and ends in a block's content, and the step between characters."""
    if token.type == "text":
        begin = max(content.find(token.content, place), place)
        return begin, begin + len(token.content), 1
    if token.type == "text_special":  # an escape or an entity: one place for all of it
        begin = max(content.find(token.markup, place), place)
        return begin, begin + len(token.markup), 0
    if token.type in ("softbreak", "hardbreak"):
        begin = max(content.find("\n", place), place)
        return begin, begin + 1, 1
    begin = max(content.find(token.markup, place), place) + len(token.markup)
    if token.type != "code_inline":
        return begin, begin, 1
    length = len(token.content)
    padded = content[begin : begin + length].replace("\n", " ") != token.content  # one space inside each end
    begin += padded
    return begin, begin + length + padded + len(token.markup), 1


def with_notes(nodes: Sequence[Node], notes: Sequence[tuple[int, object]]) -> list[Node]:
    """Return the tree with a :class:`Note` for each (offset in the source, value).

    A note comes after the last character that is before its offset; in code, after the code. Notes of one place stay in
    their order.
    """
    texts = list(_texts(nodes))
    if not texts:
        return [*nodes, *(Note(value) for _, value in notes)]
    starts = [text.offsets[0] for text in texts]
    placed: dict[int, list[tuple[int, object]]] = {}
    for offset, value in sorted(notes, key=lambda note: note[0]):
        number = max(bisect_left(starts, offset) - 1, 0)
        placed.setdefault(number, []).append((bisect_left(texts[number].offsets, offset), value))
    numbers = iter(range(len(texts)))
    return _placed(nodes, numbers, placed)


def _texts(nodes: Sequence[Node]) -> Iterator[Text]:
    for node in nodes:
        if isinstance(node, Text) and node.text:
            yield node
        elif isinstance(node, Element):
            yield from _texts(node.children)


def _placed(nodes: Sequence[Node], numbers: Iterator[int], placed: dict[int, list[tuple[int, object]]]) -> list[Node]:
    result: list[Node] = []
    for node in nodes:
        if isinstance(node, Text) and node.text:
            begin = 0
            for end, value in placed.get(next(numbers), ()):
                if end > begin:
                    result.append(Text(node.text[begin:end], node.offsets[begin:end]))
                result.append(Note(value))
                begin = max(begin, end)
            if begin < len(node.text):
                result.append(Text(node.text[begin:], node.offsets[begin:]))
        elif isinstance(node, Element):
            children = _placed(node.children, numbers, placed)
            if node.tag in ("pre", "code"):
                result += [node, *(child for child in children if isinstance(child, Note))]
            else:
                result.append(replace(node, children=tuple(children)))
        else:
            result.append(node)
    return result
