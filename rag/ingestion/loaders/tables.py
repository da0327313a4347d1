"""Rows to Markdown tables; a long table is split into parts that each begin with the header row.

A part is about as long as a chunk, so that every chunk of a table names its columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from rag.text import one_line

__all__ = ["markdown_cell", "markdown_table", "split_tables", "table_parts"]

_PART_CHARACTERS = 500
_RULE = re.compile(r"^\s*\|(?:\s*:?-+:?\s*\|)+\s*$")


def markdown_cell(text: str) -> str:
    """Return the text of a cell on one line, with bars escaped."""
    return one_line(text).replace("|", r"\|")


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose cells :func:`markdown_cell` made; short rows get empty cells."""
    return _part(header, [_line(row, len(header)) for row in rows])


def table_parts(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[tuple[int, int, str]]:
    """Yield each part: the numbers of its first and last row, from 0, and its Markdown."""
    head = [markdown_cell(text) for text in header]
    lines: list[str] = []
    first, length, number = 0, 0, -1
    for number, row in enumerate(rows):
        line = _line([markdown_cell(text) for text in row], len(head))
        if lines and length + len(line) > _PART_CHARACTERS:
            yield first, number - 1, _part(head, lines)
            lines, first = [], number
        if not lines:
            length = 2 * sum(map(len, head))
        lines.append(line)
        length += len(line) + 1
    if lines:
        yield first, number, _part(head, lines)


def split_tables(markdown: str) -> str:
    """Return Markdown with long tables split into several, each with the header."""
    lines = markdown.split("\n")
    done: list[str] = []
    head: list[str] = []
    length = 0
    for number, line in enumerate(lines):
        if head and not line.lstrip().startswith("|"):
            head = []
        if not head and _RULE.match(line) and number and lines[number - 1].lstrip().startswith("|"):
            head = [lines[number - 1], line]
            length = sum(map(len, head))
        elif head:
            if length + len(line) > _PART_CHARACTERS and length > sum(map(len, head)):
                done += ["", *head]
                length = sum(map(len, head))
            length += len(line) + 1
        done.append(line)
    return "\n".join(done)


def _part(head: Sequence[str], lines: Sequence[str]) -> str:
    return "\n".join([_line(head, len(head)), _line(["---"] * len(head), len(head)), *lines])


def _line(cells: Sequence[str], width: int) -> str:
    return "| " + " | ".join([*cells, *[""] * (width - len(cells))]) + " |"
