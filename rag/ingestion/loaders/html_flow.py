"""The elements of an HTML page as a flow of headings, paragraphs, lists and tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from rag.ingestion.loaders.flow_text import FlowText
from rag.ingestion.loaders.html_inline import BLOCKS, Line, add_inline, inline_text
from rag.ingestion.loaders.html_tables import PLACEHOLDER
from rag.ingestion.loaders.numbering import number_text

__all__ = ["add_page", "note_marks"]

_HEADING = re.compile("h([1-6])")
_LISTS = ("ul", "ol", "menu", "dir")
_CODE = ("pre", "xmp", "listing")
_DEEPEST = 150  # elements within each other; deeper ones are read as plain text
_MARK = re.compile(r"[\[(]?(\d{1,3}|[a-z]|[*†‡§¶]+)[\])]?")
_STYLES = re.compile(r"list-style(?:-type)?\s*:[^;]*?\b((?:lower|upper)-(?:alpha|latin|roman))", re.I)
_FORMS = {
    "a": "letter", "A": "LETTER", "i": "roman", "I": "ROMAN", "lower-alpha": "letter", "lower-latin": "letter",
    "upper-alpha": "LETTER", "upper-latin": "LETTER", "lower-roman": "roman", "upper-roman": "ROMAN",
}  # fmt: skip
_NUMBER = re.compile(r"-?[0-9]{1,9}")


def note_marks(root: Any) -> frozenset[str]:
    """Return the marks of a page's footnotes: raised text at the beginning of a block."""
    marks = set()
    for raised in root.find_all("sup"):
        before = raised.find_previous(string=lambda text: bool(text.strip()))
        block = raised.find_parent(list(BLOCKS))
        is_first = before is None or block is None or before.find_parent(list(BLOCKS)) is not block
        if is_first and (match := _MARK.fullmatch(raised.get_text(strip=True))):
            marks.add(match[1])
    return frozenset(marks)


def add_page(root: Any, flow: FlowText, marks: frozenset[str] = frozenset()) -> None:
    """Add all that is below an element to a flow; tables were replaced by placeholders before."""
    writer = _Writer(flow, marks)
    writer.read(root, 0)
    writer.end_line()
    flow.end()


class _Writer:
    def __init__(self, flow: FlowText, marks: frozenset[str]) -> None:
        self._flow = flow
        self._line = Line(marks)
        self._list_depth = -1
        self._mark = ""  # of the list item that begins
        self._quoted = 0

    def end_line(self) -> None:
        """Add what was collected as a paragraph, or as a line of the list around it."""
        text = self._line.take()
        if not text:
            return
        if self._list_depth < 0:
            self._flow.paragraph(text)
        elif self._mark:
            self._flow.item(_indented(text, self._list_depth), self._list_depth, self._mark)
            self._mark = ""
        else:
            self._flow.line(_indented(text, self._list_depth), self._list_depth + 1)

    def read(self, element: Any, depth: int) -> None:
        """Read all children of an element."""
        for child in element.contents:
            name = getattr(child, "name", None)
            if name is None or not _is_block(child):
                self._read_inline(child, depth)
                continue
            self.end_line()
            if depth > _DEEPEST:
                self._flow.paragraph(child.get_text(" "))
            else:
                self._read_block(child, name, depth)
            self.end_line()

    def _read_inline(self, child: Any, depth: int) -> None:
        """Read a child that is no block; one with blocks inside, such as a link around a card, is looked through."""
        if depth < _DEEPEST and getattr(child, "contents", None) and _has_block(child):
            self.read(child, depth + 1)
        else:
            add_inline(self._line, child, depth)

    def _read_block(self, element: Any, name: str, depth: int) -> None:
        if name == PLACEHOLDER:
            self._flow.verbatim(element.get_text())
        elif (level := _level(element)) and not self._quoted:
            self._mark = ""
            self._flow.heading(level, inline_text(element, self._line.marks))
        elif name in _CODE:
            self._read_code(element)
        elif name in _LISTS and element.find("li") is not None:
            self._read_list(element, depth)
        elif name == "dl":
            self._read_terms(element, depth)
        elif name == "blockquote":
            self._quoted += 1
            self.read(element, depth + 1)
            self.end_line()
            self._quoted -= 1
        else:
            self.read(element, depth + 1)

    def _read_code(self, element: Any) -> None:
        line = Line()
        for child in element.contents:
            add_inline(line, child, keep_spaces=True)
        text = line.take_verbatim().strip("\n")
        if text.strip():
            self._flow.verbatim(f"```\n{text}\n```")

    def _read_list(self, element: Any, depth: int) -> None:
        self._list_depth += 1
        outer, marks = self._mark, _marks(element)
        for child in element.contents:
            name = getattr(child, "name", None)
            if name == "li":
                self._mark = marks(child)
                self.read(child, depth + 1)
                self.end_line()
            elif name is not None:
                self._mark = ""
                if _is_block(child):
                    self._read_block(child, name, depth + 1)
                else:
                    self._read_inline(child, depth + 1)
                self.end_line()
            elif str(child).strip():
                add_inline(self._line, child)
        self.end_line()
        self._list_depth -= 1
        self._mark = "" if outer else self._mark

    def _read_terms(self, element: Any, depth: int) -> None:
        """Read terms and their meanings, a line each."""
        for child in _terms(element):
            if child.name == "dt":
                self._line_of(child)
            else:
                self._list_depth += 1
                self._mark = ""
                self.read(child, depth + 1)
                self.end_line()
                self._list_depth -= 1

    def _line_of(self, term: Any) -> None:
        heading = term.find(re.compile("^h[1-6]$"))
        if heading is not None and not self._quoted:
            self.read(term, 0)
            self.end_line()
            return
        text = inline_text(term, self._line.marks)
        if text:
            self._flow.line(text, self._list_depth + 1)


def _terms(element: Any) -> Iterator[Any]:
    for child in element.contents:
        name = getattr(child, "name", None)
        if name in ("dt", "dd"):
            yield child
        elif name is not None and child.find(["dt", "dd"]) is not None:
            yield from _terms(child)
        elif name is not None:
            yield child


def _is_block(element: Any) -> bool:
    if element.name in BLOCKS:
        return True
    if element.name == "button" or element.attrs.get("role") in ("button", "tab", "heading"):
        following = element.find_next_sibling()
        return element.get("role") == "heading" or (following is not None and following.name in BLOCKS)
    return False


def _has_block(element: Any) -> bool:
    return any(getattr(node, "contents", None) is not None and _is_block(node) for node in element.descendants)


def _level(element: Any) -> int:
    """Return the level of a heading, 0 for any other element."""
    match = _HEADING.fullmatch(element.name)
    if match:
        return int(match[1])
    if element.get("role") == "heading":
        level = str(element.get("aria-level") or "2")
        return min(max(int(level), 1), 9) if level.isascii() and level.isdigit() else 2
    return 0


def _marks(element: Any) -> Callable[[Any], str]:
    """Return a function that gives the mark of each item of a list in turn."""
    if element.name != "ol":
        return lambda _: "-"
    style = _STYLES.search(str(element.get("style") or ""))
    form = _FORMS.get(style[1].casefold() if style else str(element.get("type") or ""), "decimal")
    step = -1 if element.has_attr("reversed") else 1
    items = sum(getattr(child, "name", None) == "li" for child in element.contents)
    following = _integer(element.get("start"), items if step < 0 else 1)

    def mark(item: Any) -> str:
        nonlocal following
        number = _integer(item.get("value"), following)
        following = number + step
        return f"{number_text(number, form)}."

    return mark


def _integer(value: Any, otherwise: int) -> int:
    text = str(value or "").strip()
    return int(text) if _NUMBER.fullmatch(text) else otherwise


def _indented(text: str, depth: int) -> str:
    return text.replace("\n", "\n" + "  " * (depth + 1))
