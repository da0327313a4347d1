"""Tables of HTML: each becomes one of the common grid, except those that only lay out a page.

Works on the parsed tree, from the innermost table outwards: a layout table turns into blocks of running text, the table
in a cell of another into a line of names and values, and every other one into a placeholder for its text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rag.ingestion.loaders.grid import Cell, Row, Span, Table, expand, read_tables
from rag.ingestion.loaders.table_text import LARGE_TABLE, inline_text, table_text
from rag.text import one_line

__all__ = ["PLACEHOLDER", "replace_tables"]

PLACEHOLDER = "ragtable"
"""The name of the element that takes a table's place; it contains the table's text."""

_PARTS = ["table", "thead", "tbody", "tfoot", "tr", "td", "th", "caption", "colgroup", "col"]
_BLOCKS = ["h1", "h2", "h3", "h4", "h5", "h6", "hr", "form", "pre", "blockquote", "article", "section", PLACEHOLDER]
_LONGEST_CELL = 400  # characters; longer texts are paragraphs
_MOST_SPANNED = 65_534

TextOf = Callable[[Any], str]


def replace_tables(root: Any, text_of: TextOf) -> None:
    """Replace the tables below an element. ``text_of`` returns the text of an element as it is to be stored."""
    inner: dict[int, list[Table]] = {}
    for table in reversed(root.find_all("table")):
        if _is_layout(table):
            _unwrap(table)
            continue
        tables = _read(table, text_of)
        around = table.find_parent(["td", "th"])
        if (
            around is not None
            and around.find_parent("table") is not None
            and not _is_layout(around.find_parent("table"))
        ):
            _put_into_cell(table, tables, inner, around.find_parent("table"))
            continue
        texts = [table_text(each) for each in [*tables, *reversed(inner.pop(id(table), []))]]
        table.replace_with(_placeholder("\n\n".join(filter(None, texts))))


def _placeholder(text: str) -> Any:
    from bs4 import Tag

    element = Tag(name=PLACEHOLDER)
    element.string = text
    return element


def _put_into_cell(table: Any, tables: list[Table], inner: dict[int, list[Table]], outer: Any) -> None:
    """Write a table into its cell on one line; a large one follows the outer table."""
    text = " ".join(map(inline_text, tables))
    nested = inner.pop(id(table), [])
    if len(text) > LARGE_TABLE:
        inner.setdefault(id(outer), []).extend([*reversed(tables), *nested])
        text = ""
    else:
        inner.setdefault(id(outer), []).extend(nested)
    table.replace_with(f" {text} ")


def _is_layout(table: Any) -> bool:
    """Return whether a table only places blocks beside each other."""
    if table.get("role") in ("presentation", "none"):
        return True
    rows = list(_rows(table))
    marked = any(cell.name == "th" for row in rows for cell in row) or _own(table, "caption") or _own(table, "thead")
    if marked and not table.find(["h1", "h2", "h3", "form"]):
        return not rows
    filled = [[cell for cell in row if cell.get_text(strip=True) or cell.find(PLACEHOLDER)] for row in rows]
    if sum(map(bool, filled)) < 2 or max(map(len, filled), default=0) < 2 or table.find(_BLOCKS) is not None:
        return True
    lists = table.find(["ul", "ol"]) is not None
    longest = max(len(cell.get_text()) for row in rows for cell in row)
    return longest > _LONGEST_CELL * (1 if lists else 4)


def _own(table: Any, name: str) -> Any:
    found = table.find(name)
    return found if found is not None and found.find_parent("table") is table else None


def _rows(table: Any) -> Iterator[list[Any]]:
    """Yield the cells of each row, without the rows of tables inside."""
    for row in table.find_all("tr"):
        if row.parent is table or row.parent.parent is table or row.find_parent("table") is table:
            yield [cell for cell in row.contents if getattr(cell, "name", None) in ("td", "th")]


def _unwrap(table: Any) -> None:
    """Turn a layout table's parts into blocks of text."""
    for part in [table, *table.find_all(_PARTS)]:
        if part is table or part.find_parent("table") is None or part.find_parent("table") is table:
            if part.name in ("col", "colgroup"):
                part.decompose()
            else:
                part.attrs = {}
    parts = [part for part in table.find_all(_PARTS) if part.find_parent("table") is table]
    for part in [*parts, table]:
        part.name = "div"


def _read(table: Any, text_of: TextOf) -> list[Table]:
    caption = _own(table, "caption")
    above = one_line(text_of(caption)) if caption is not None else ""
    rows = [[_span(cell, text_of) for cell in row] for row in _rows(table)]
    grid: list[Row] = [
        (number, cells) for number, cells in enumerate(expand(rows), start=1) if any(c.text for c in cells)
    ]
    if not grid:
        return []
    tables = read_tables(grid, assume_header=False)
    if above:
        first = tables[0]
        tables[0] = Table(first.header, first.rows, (above, *first.above), first.below, first.first, first.last)
    return tables


def _span(cell: Any, text_of: TextOf) -> Span:
    text = one_line(text_of(cell))
    in_head = cell.parent.parent is not None and cell.parent.parent.name == "thead"
    has_markup = any(not isinstance(child, str) for child in cell.contents)
    strong = cell.find(["b", "strong"]) if has_markup else None
    is_strong = strong is not None and one_line(strong.get_text()) == one_line(cell.get_text())
    plain = text.removeprefix("**").removesuffix("**") if is_strong else text
    is_header = cell.name == "th" and cell.get("scope") not in ("row", "rowgroup")
    made = Cell(plain, is_header or in_head, is_strong)
    return Span(made, _number(cell.get("rowspan")), max(_number(cell.get("colspan")), 1))


def _number(value: Any) -> int:
    text = str(value or "1").strip()
    return min(int(text), _MOST_SPANNED) if text.isascii() and text.isdigit() else 1
