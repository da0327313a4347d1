"""Comma-, semicolon- and tab-separated values: each table with its header, if it has one, below its title lines.

The delimiter is the one that a ``sep=`` line names, or by which most rows have the same number of columns. A quote
inside a quoted cell is doubled, or has a backslash before it, as databases write it.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator

from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.grid import Cell, Row
from rag.ingestion.loaders.sheet_tables import sheet_tables
from rag.ingestion.loaders.text import decode
from rag.text import one_line
from rag.types import Document

__all__ = ["delimiter_of", "load_csv"]

_DELIMITERS = ",;\t|"
_SAMPLE_CHARACTERS = 65_536
_SAMPLE_ROWS = 50
_LONGEST_FIELD = 2**31 - 1
_SEPARATOR_LINE = re.compile(r'"?sep=(?P<delimiter>[^"\n])"?[^\n]*(?:\n|$)', re.IGNORECASE)
_BACKSLASH_QUOTE = '\\"'


def load_csv(data: bytes, source: str) -> Document:
    """Read tables. Rows are counted as a spreadsheet counts them, so a header in the first line is row 1."""
    csv.field_size_limit(_LONGEST_FIELD)
    text = decode(data)
    delimiter = delimiter_of(text)
    if _BACKSLASH_QUOTE in text and delimiter:
        text = _with_doubled_quotes(text, delimiter)
    builder = DocumentBuilder()
    for table in sheet_tables(_grid(_rows(text, delimiter))):
        builder.add_table(table)
    return builder.document(source, "text/csv")


def delimiter_of(text: str) -> str | None:
    """Return the delimiter by which most rows have the same number of columns, at least two; None if there is none."""
    if line := _SEPARATOR_LINE.match(text):
        return line["delimiter"]
    sample = text[:_SAMPLE_CHARACTERS]
    if len(text) > len(sample):  # the last row is cut off
        sample = sample[: sample.rfind("\n") + 1]
    best, best_score = None, (0.5, 0)
    for delimiter in _DELIMITERS:
        rows = [row for (_, row), _ in zip(_rows(sample, delimiter), range(_SAMPLE_ROWS), strict=False) if row]
        rows = [row for row in rows if len(row) > 1] if len(rows) > 3 and _begins_with_lines(rows) else rows
        widths = [len(row) for row in rows]
        if delimiter == "," and _is_prose(rows):
            continue
        for width, count in Counter(widths).most_common(1):
            score = (count / len(widths), width)
            if width > 1 and score > best_score:
                best, best_score = delimiter, score
    return best


def _begins_with_lines(rows: list[list[str]]) -> bool:
    """Return whether a text begins with lines of one cell, above rows of several."""
    single = [len(row) == 1 for row in rows]
    return single[0] and not single[-1] and sum(single) <= len(rows) / 2 + 1


def _is_prose(rows: list[list[str]]) -> bool:
    """Return whether the commas are those of sentences: a space follows each, and rows end with a full stop."""
    later = [cell for row in rows for cell in row[1:]]
    spaced = sum(cell[:1] == " " for cell in later)
    sentences = sum(row[-1].rstrip()[-1:] in ".!?" for row in rows if row[-1].rstrip())
    return bool(later) and spaced > 0.9 * len(later) and 2 * sentences > len(rows)


def _rows(text: str, delimiter: str | None) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows with their numbers. Without a delimiter each line is a row of one cell."""
    separator = _SEPARATOR_LINE.match(text)
    start = separator.end() if separator else 0
    first = 2 if separator else 1
    if delimiter is None:
        lines = (line for line in io.StringIO(text[start:]))
        yield from enumerate(([cell] if (cell := _unquoted(line)) else [] for line in lines), start=first)
        return
    yield from enumerate(csv.reader(io.StringIO(text[start:], newline=""), delimiter=delimiter), start=first)


def _with_doubled_quotes(text: str, delimiter: str) -> str:
    """Return the text with each backslash before a quote doubling it, if its rows are then more alike."""
    doubled = text.replace(_BACKSLASH_QUOTE, '""')
    before, after = (
        len({len(row) for _, row in _rows(version[:_SAMPLE_CHARACTERS], delimiter) if row})
        for version in (text, doubled)
    )
    return doubled if after < before else text


def _unquoted(line: str) -> str:
    line = line.strip()
    return line[1:-1].replace('""', '"') if len(line) > 1 and line[0] == line[-1] == '"' else line


def _grid(rows: Iterator[tuple[int, list[str]]]) -> Iterator[Row]:
    for number, row in rows:
        yield number, [Cell(one_line(cell)) for cell in row]
