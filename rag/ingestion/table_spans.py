"""Where the Markdown tables of a text are, with their captions, the names of their columns, and their rows.

A chunk that begins after a table's header has the caption and the column names as its last headings, and its first line
is a whole row.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from rag.ingestion.loaders.document_builder import row_range
from rag.text import one_line, table_columns

__all__ = ["TableSpan", "row_start", "rows_label", "table_at", "tables_in"]

_TABLE = re.compile(
    r"^(?P<head>[ \t]*\|.*\|[ \t]*)\n[ \t]*\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*(?P<rows>(?:\n[ \t]*\|.*)*)", re.MULTILINE
)
_LABEL = re.compile(r"rows? (\d+)(?:-(\d+))?")
_MOST_CAPTION = 160  # characters; a longer paragraph above a table is no caption
_NO_CAPTION = ("#", "- ", "* ", "+ ", "|", ">", "```", "~~~", "---", "===")


@dataclass(frozen=True, slots=True)
class TableSpan:
    """A table from the first character of its header to the end of its last row; ``rows`` are the starts of its rows.

    ``top`` is the start of the caption, or of the header if there is none. ``columns`` are the names of its columns as
    one heading, empty if they have none; ``caption`` is the short paragraph directly above.
    """

    top: int
    start: int
    rows: tuple[int, ...]
    end: int
    caption: str
    columns: str

    def headings(self, position: int) -> tuple[str, ...]:
        """Return what a chunk does not contain of the caption and the column names.

        It begins at a position after the start of the table or its caption, and before the table's end.
        """
        return tuple(filter(None, (self.caption, self.columns if position > self.start else "")))


def tables_in(text: str, start: int, end: int) -> list[TableSpan]:
    """Return the tables that begin and end in ``text[start:end]``, in order; offsets are those of the whole text."""
    return [_span(text, start, match) for match in _TABLE.finditer(text, start, end)]


def table_at(tables: Sequence[TableSpan], position: int) -> TableSpan | None:
    """Return the table of which a chunk from ``position`` on has rows but not all above them, None if none has."""
    n = bisect_right([table.top for table in tables], position) - 1
    return tables[n] if n >= 0 and tables[n].top < position < tables[n].end else None


def row_start(tables: Sequence[TableSpan], position: int, end: int) -> int:
    """Return the first start of a row at or after ``position``, or ``position`` itself outside tables.

    It is at most ``end``.
    """
    table = table_at(tables, position)
    if table is None:
        return position
    n = bisect_left(table.rows, position)
    return min(table.rows[n], end) if n < len(table.rows) else end


def rows_label(label: str, tables: Sequence[TableSpan], start: int, end: int) -> str:
    """Return the part of a section's label ``rows 2-90`` that names the rows in a chunk of it.

    A label that is of another kind, or of other rows than those of the section's only table, is returned as it is.
    """
    match = _LABEL.fullmatch(label)
    if match is None or len(tables) != 1 or not tables[0].rows:
        return label
    first, last, rows = int(match[1]), int(match[2] or match[1]), tables[0].rows
    if last - first + 1 != len(rows):
        return label
    inside = max(bisect_right(rows, start) - 1, 0), max(bisect_left(rows, end) - 1, 0)
    numbers = [first + n for n in inside]
    return row_range(*numbers)


def _span(text: str, begin: int, match: re.Match[str]) -> TableSpan:
    starts, place = [], match.start("rows")
    while place < match.end("rows"):
        starts.append(place + 1)
        place = text.find("\n", place + 1, match.end("rows"))
        if place < 0:
            break
    top = _caption_start(text, begin, match.start())
    caption = one_line(text[top : match.start()])
    return TableSpan(top, match.start(), tuple(starts), match.end(), caption, table_columns(match["head"]))


def _caption_start(text: str, begin: int, start: int) -> int:
    """Return where the short paragraph directly above a table begins; ``start`` if there is none."""
    above = text[max(begin, start - _MOST_CAPTION - 2) : start]
    paragraph = above.rstrip()
    if above[len(paragraph) :].count("\n") > 2 or not paragraph:
        return start
    gap = paragraph.rfind("\n\n")
    if gap < 0 and start - len(above) > begin:
        return start
    first = gap + 2 if gap >= 0 else len(paragraph) - len(paragraph.lstrip())
    lines = paragraph[first:].split("\n")
    if any(line.lstrip().startswith(_NO_CAPTION) for line in lines) or len(paragraph) - first > _MOST_CAPTION:
        return start
    return start - len(above) + first
