"""Where the Markdown tables of a text are, and the names of their columns.

A chunk may begin in the middle of a table. Its column names then stand in the chunk's heading path, and its first line
is a whole row.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from rag.text import one_line

__all__ = ["TableSpan", "row_start", "table_at", "tables_in"]

_TABLE = re.compile(
    r"^(?P<head>[ \t]*\|.*\|[ \t]*)\n[ \t]*\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*(?P<rows>(?:\n[ \t]*\|.*)*)", re.MULTILINE
)
_MOST_COLUMNS = 120  # characters of column names


@dataclass(frozen=True, slots=True)
class TableSpan:
    """A table from the first character of its header to the end of its last row; ``rows`` is where the first begins.

    ``columns`` are the names of its columns, separated by ``" | "`` and cut to 120 characters.
    """

    start: int
    rows: int
    end: int
    columns: str


def tables_in(text: str, start: int, end: int) -> list[TableSpan]:
    """Return the tables that begin and end in ``text[start:end]``, in order; offsets are those of the whole text."""
    return [
        TableSpan(match.start(), match.start("rows"), match.end("rows"), _columns(match["head"]))
        for match in _TABLE.finditer(text, start, end)
    ]


def table_at(tables: Sequence[TableSpan], position: int) -> TableSpan | None:
    """Return the table of which a chunk from ``position`` on has rows but not the header, None if there is none."""
    n = bisect_right([table.start for table in tables], position) - 1
    return tables[n] if n >= 0 and tables[n].start < position < tables[n].end else None


def row_start(text: str, tables: Sequence[TableSpan], position: int, end: int) -> int:
    """Return the first start of a row at or after ``position``, or ``position`` itself outside tables.

    It is at most ``end``.
    """
    table = table_at(tables, position)
    if table is None or text[position - 1] == "\n":
        return position
    after = text.find("\n", position, end)
    return end if after < 0 else after + 1


def _columns(head: str) -> str:
    cells = [one_line(cell) for cell in re.split(r"(?<!\\)\|", head.strip().strip("|"))]
    return " | ".join(cell for cell in cells if cell)[:_MOST_COLUMNS].rstrip(" |")
