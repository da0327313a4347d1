"""The blocks of all pages of a PDF as one text with sections: headings, paragraphs, lists and tables.

A section has one page and one heading path. A paragraph that crosses a page break, or columns, is one paragraph of the
text; between its two sections there is then no blank line, only a space, or nothing within a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rag.ingestion.loaders.pdf_headings import body_size, heading_levels
from rag.ingestion.loaders.pdf_layout import Block, Lines
from rag.ingestion.loaders.pdf_paragraphs import Paragraph, Words, continues, joined_lines, paragraphs_of
from rag.ingestion.loaders.table_text import table_text
from rag.ingestion.loaders.text import normalise
from rag.text import one_line
from rag.types import Section

__all__ = ["PageItem", "PlainText", "TableItem", "flow_text", "page_items"]

_GAP = "\n\n"
_MOST_MARKS = 6
_NEXT_COLUMN = 8.0  # the same: an item that is farther in is in another column
_DEEPER = 0.9  # of the font's size: how far an item of a nested list is in


@dataclass(frozen=True, slots=True)
class TableItem:
    """The text of a table on a page, and the size of its font in points."""

    text: str
    page: int
    size: float


@dataclass(frozen=True, slots=True)
class PlainText:
    """Text of a page without structure: one in pdfium's order, or the values of forms and annotations."""

    text: str
    page: int


PageItem = Paragraph | TableItem | PlainText


def page_items(blocks: Sequence[Block], page: int, words: Words) -> list[PageItem]:
    """Return the paragraphs and tables of a page; a paragraph that goes on in the next column is joined."""
    items: list[PageItem] = []
    for block in blocks:
        if isinstance(block, Lines):
            words.learn(block.lines)
    for block in blocks:
        if not isinstance(block, Lines):
            text = _GAP.join(filter(None, map(table_text, block.tables)))
            items += [TableItem(normalise(text), page, block.size)] if text.strip() else []
            continue
        for number, paragraph in enumerate(paragraphs_of(block, page, words)):
            before = items[-1] if items else None
            if number == 0 and isinstance(before, Paragraph) and continues(before, paragraph):
                text = joined_lines(before.text, paragraph.text, words)
                lines = before.lines + paragraph.lines
                items[-1] = replace(before, text=text, lines=lines, full=paragraph.full)
            else:
                items.append(paragraph)
    return items


def flow_text(items: Sequence[PageItem], words: Words) -> tuple[str, tuple[Section, ...]]:
    """Return the text of a document and its sections."""
    paragraphs = [item for item in items if isinstance(item, Paragraph)]
    tables = [(item.size, len(item.text)) for item in items if isinstance(item, TableItem)]
    levels = heading_levels(paragraphs, tables)
    by_identity = {id(paragraphs[place]): level for place, level in levels.items()}
    writer = _Writer(words)
    for item in _in_order(items, by_identity, body_size(paragraphs, tables)):
        level = by_identity.get(id(item))
        if level is not None and isinstance(item, Paragraph):
            writer.heading(level, item)
        else:
            writer.add(item)
    return writer.result()


def _in_order(items: Sequence[PageItem], headings: dict[int, int], body: float) -> Iterator[PageItem]:
    """Yield the items; footnotes at the foot of a page come after a paragraph that goes on on the next page."""
    waiting: list[PageItem] = []
    for number, item in enumerate(items):
        if waiting:
            last = waiting[0]
            if _is_small(item, body) and item.page == last.page:
                waiting.append(item)
                continue
            if id(item) not in headings and _is_rest(last, item):
                yield last
                yield item
                yield from waiting[1:]
                waiting = []
                continue
            yield from waiting
            waiting = []
        is_next_small = number + 1 < len(items) and _is_small(items[number + 1], body)
        open_end = isinstance(item, Paragraph) and id(item) not in headings and item.is_open
        if open_end and is_next_small and not _is_small(item, body):
            waiting = [item]
        else:
            yield item
    yield from waiting


def _is_rest(last: PageItem, item: PageItem) -> bool:
    """Return whether an item is the rest of a paragraph on the page before."""
    if not isinstance(last, Paragraph) or not isinstance(item, Paragraph):
        return False
    return item.page == last.page + 1 and continues(last, item)


def _is_small(item: PageItem, body: float) -> bool:
    return isinstance(item, Paragraph) and item.size < 0.93 * body


class _Writer:
    """Writes the text and closes a section where the page or the heading changes."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._texts: list[str] = []
        self._length = 0
        self._sections: list[Section] = []
        self._path: list[tuple[int, str]] = []
        self._start = -1
        self._page = 0
        self._has_text = False
        self._last: PageItem | None = None
        self._items: list[float] = []  # how far in the items of the current list are

    def heading(self, level: int, paragraph: Paragraph) -> None:
        name = one_line(normalise(f"{paragraph.mark} {paragraph.text}"))
        deeper = bool(self._path) and level > self._path[-1][0]
        self._close(introduces=deeper and self._page == paragraph.page)
        self._path = [*((depth, heading) for depth, heading in self._path if depth < level), (level, name)]
        self._page = paragraph.page
        self._write(f"{'#' * min(level, _MOST_MARKS)} {name}")
        self._has_text = False
        self._last = None

    def add(self, item: PageItem) -> None:
        text = normalise(item.text).strip()
        if not text:
            return
        last = self._last
        if isinstance(item, Paragraph) and last is not None and _is_rest(last, item):
            self._go_on(item, text)
            return
        if self._page != item.page:
            self._close(introduces=False)
            self._page = item.page
        if isinstance(item, Paragraph) and item.mark:
            text = f"{'  ' * self._depth(item)}{item.mark} {text}"
            in_list = isinstance(last, Paragraph) and bool(last.mark) and last.page == item.page
            self._write(text, "\n" if in_list else _GAP)
        else:
            self._items.clear()
            self._write(text)
        self._has_text = True
        self._last = item

    def result(self) -> tuple[str, tuple[Section, ...]]:
        self._close(introduces=False)
        return "".join(self._texts), tuple(self._sections)

    def _go_on(self, item: Paragraph, text: str) -> None:
        """Write a paragraph as the rest of the last one."""
        written = self._texts[-1]
        together = joined_lines(written, text, self._words)
        upper = together[: len(together) - len(text)]
        self._length += len(upper.rstrip(" ")) - len(written)
        self._texts[-1] = upper.rstrip(" ")
        self._close(introduces=False)
        self._page = item.page
        self._write(text, upper[len(upper.rstrip(" ")) :])
        self._has_text = True
        self._last = replace(item, text=text, mark="")

    def _depth(self, item: Paragraph) -> int:
        step = _DEEPER * item.size
        if self._items and item.left > self._items[-1] + _NEXT_COLUMN * item.size:
            self._items.clear()
        while self._items and item.left < self._items[-1] - step:
            self._items.pop()
        if not self._items or item.left > self._items[-1] + step:
            self._items.append(item.left)
        return min(len(self._items) - 1, 5)

    def _write(self, text: str, gap: str = _GAP) -> None:
        if self._texts:
            self._texts.append(gap)
            self._length += len(gap)
        if self._start < 0:
            self._start = self._length
        self._texts.append(text)
        self._length += len(text)

    def _close(self, *, introduces: bool) -> None:
        """End the section; a heading without text above a deeper one is no section of its own."""
        if self._start >= 0 and self._texts and self._length > self._start and not (introduces and not self._has_text):
            headings = tuple(name for _, name in self._path)
            self._sections.append(Section(self._start, self._length, self._page, headings))
        self._start = -1
        self._has_text = False
