"""Text documents as a flow of headings, paragraphs, list items, tables and notes, for loaders of word processors.

The text looks like Markdown and is not escaped: a paragraph is stored as it is read. Sections and their heading paths
come from the headings themselves, so no paragraph can be taken for one.
"""

from __future__ import annotations

from collections.abc import Iterable

from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.grid import Table
from rag.ingestion.loaders.table_text import table_text
from rag.text import one_line

__all__ = ["FlowText"]

_MOST_MARKS = 6  # number signs before a heading
_GAP = "\n\n"


class FlowText:
    """Collects the blocks of a document in order and adds its sections to a builder.

    ``first_heading`` is empty until there is a heading.
    """

    def __init__(self, builder: DocumentBuilder) -> None:
        self._builder = builder
        self._path: list[tuple[int, str]] = []
        self._blocks: list[str] = []
        self._has_text = False
        self._in_list = False
        self._notes: list[str] = []
        self.first_heading = ""

    def heading(self, level: int, text: str) -> None:
        """Begin a section below the headings of lower levels."""
        text = one_line(text)
        if not text:
            return
        notes, self._notes = self._notes, []  # the heading's own
        deeper = bool(self._path) and level > self._path[-1][0]
        self._end_section(introduces=deeper)
        self._path = [*((depth, name) for depth, name in self._path if depth < level), (level, text)]
        self.first_heading = self.first_heading or text
        self._blocks.append(f"{'#' * min(max(level, 1), _MOST_MARKS)} {text}")
        self._notes = notes

    def paragraph(self, text: str) -> None:
        """Add a paragraph; its line breaks stay."""
        self._add("\n".join(line.strip() for line in text.strip().split("\n")))

    def item(self, text: str, depth: int = 0, mark: str = "-") -> None:
        """Add a list item; consecutive items are one block. Without a mark it goes on with the item above."""
        text = text.strip()
        if not text:
            return
        self._add_line(f"{'  ' * depth}{mark} {text}" if mark or self._in_list else text)

    def line(self, text: str, indent: int = 0) -> None:
        """Add a line to a list: the rest of an item, or a term or its meaning; consecutive ones are one block."""
        text = text.strip()
        if not text:
            return
        self._add_line(f"{'  ' * indent}{text}")

    def _add_line(self, line: str) -> None:
        if self._in_list:
            self._blocks[-1] += f"\n{line}"
        else:
            self._blocks.append(line)
        self._in_list = self._has_text = True
        self._flush_notes()

    def verbatim(self, text: str) -> None:
        """Add a block whose lines keep their spaces, such as code."""
        self._add(text.strip("\n").rstrip())

    def table(self, tables: Iterable[Table]) -> None:
        """Add tables."""
        for table in tables:
            self._add(table_text(table))

    def note(self, mark: str, text: str) -> None:
        """Add a footnote, which follows the paragraph, list or table that refers to it."""
        self._notes.append(f"[{mark}] {one_line(text)}")

    def end(self) -> None:
        """Add the last section."""
        self._end_section(introduces=False)

    def _add(self, text: str) -> None:
        if not text.strip():
            return
        self._blocks.append(text)
        self._in_list, self._has_text = False, True
        self._flush_notes()

    def _flush_notes(self) -> None:
        if self._notes:
            self._blocks.append("\n".join(self._notes))
            self._notes.clear()
            self._in_list = False

    def _end_section(self, *, introduces: bool) -> None:
        """Add the section; a heading without text above a deeper one is no section of its own."""
        self._flush_notes()
        text = _GAP.join(self._blocks)
        if text and introduces and not self._has_text:
            self._builder.add_between(text)
        else:
            self._builder.add(text, None, [name for _, name in self._path])
        self._blocks.clear()
        self._has_text = self._in_list = False
