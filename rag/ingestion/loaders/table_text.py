"""Tables as text: a Markdown table, or lines of ``name: value`` for rows that are wider than a chunk.

A table is written whole: the chunker cuts it at rows and gives each part the column names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from rag.ingestion.loaders.grid import Table
from rag.text import one_line

__all__ = ["LARGE_TABLE", "Block", "inline_text", "markdown_cell", "markdown_table", "table_blocks", "table_text"]

LARGE_TABLE = 600
"""The characters of :func:`inline_text` from which a table follows the table whose cell contains it."""

_WIDEST_ROW = 480  # characters, about as many as a chunk has
_WIDEST_HEADER = 240
_GAP = "\n\n"


class Block(NamedTuple):
    """Some rows of a table, by the numbers of the first and the last, as text."""

    first: int
    last: int
    text: str


def markdown_cell(text: str) -> str:
    """Return the text of a cell on one line, with bars escaped."""
    return one_line(text).replace("|", r"\|")


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose cells :func:`markdown_cell` made; short rows get empty cells."""
    width = len(header)
    return "\n".join([_row(header, width), _row(["---"] * width, width), *(_row(row, width) for row in rows)])


def table_text(table: Table) -> str:
    """Return a whole table with its title and notes."""
    return _GAP.join(block.text for block in table_blocks(table))


def table_blocks(table: Table) -> list[Block]:
    """Return a table with its title and notes as blocks: wide rows each by itself, the rows between them as tables.

    If the names are many, or a quarter of the rows are wide, all rows are written as names and values.
    """
    header = [markdown_cell(name) for name in table.header]
    rows = [(number, [markdown_cell(text) for text in texts]) for number, texts in table.rows]
    wide = {number for number, texts in rows if sum(map(len, texts)) + 3 * len(texts) > _WIDEST_ROW}
    if len(header) > 1 and (4 * len(wide) > len(rows) or sum(map(len, header)) + 3 * len(header) > _WIDEST_HEADER):
        wide = {number for number, _ in rows}
    if len(header) == 1:
        wide = set()
    blocks = []
    originals = dict(table.rows)
    for is_wide, group in groupby(rows, key=lambda row: row[0] in wide):
        if is_wide:
            blocks += [Block(n, n, "\n".join(_pairs(table.header, originals[n]))) for n, _ in group]
        else:
            run = list(group)
            blocks.append(Block(run[0][0], run[-1][0], markdown_table(header, [texts for _, texts in run])))
    return _framed(table, blocks)


def inline_text(table: Table) -> str:
    """Return a table on one line, for the cell that contains it."""
    rows = ("; ".join(_pairs(table.header, texts)) for _, texts in table.rows)
    return one_line(". ".join(filter(None, (*table.above, *rows, *table.below))))


def _framed(table: Table, blocks: list[Block]) -> list[Block]:
    """Add the lines above and below; a table without rows is its names."""
    above, below = "\n".join(table.above), "\n".join(table.below)
    if not blocks:
        text = _GAP.join(filter(None, (above, " ".join(filter(None, table.header)), below)))
        return [Block(table.first, table.last, text)] if text else []
    if above:
        blocks[0] = blocks[0]._replace(text=above + _GAP + blocks[0].text)
    if below:
        blocks[-1] = blocks[-1]._replace(text=blocks[-1].text + _GAP + below)
    return blocks


def _pairs(header: Sequence[str], texts: Sequence[str]) -> Iterator[str]:
    for name, text in zip(header, texts, strict=True):
        if text:
            yield f"{name}: {text}" if name and name != text else text


def _row(cells: Sequence[str], width: int) -> str:
    return "| " + " | ".join([*cells, *[""] * (width - len(cells))]) + " |"
