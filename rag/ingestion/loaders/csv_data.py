"""Comma-, semicolon- and tab-separated values: a Markdown table in parts, each with the first row as its header."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator

from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.text import decode
from rag.types import Document

__all__ = ["delimiter_of", "load_csv"]

_DELIMITERS = ",;\t|"
_SAMPLE_CHARACTERS = 65_536
_SAMPLE_ROWS = 50
_LONGEST_FIELD = 2**31 - 1


def load_csv(data: bytes, source: str) -> Document:
    """Read a table. Rows are counted as a spreadsheet counts them, so the header is row 1."""
    csv.field_size_limit(_LONGEST_FIELD)
    text = decode(data)
    rows = _rows(text, delimiter_of(text) or ",")
    builder = DocumentBuilder()
    builder.add_table(next(rows, (1, []))[1], rows)
    return builder.document(source, "text/csv")


def delimiter_of(text: str) -> str | None:
    """Return the delimiter by which most rows have the same number of columns, at least two; None if there is none."""
    sample = text[:_SAMPLE_CHARACTERS]
    if len(text) > len(sample):  # the last row is cut off
        sample = sample[: sample.rfind("\n") + 1]
    best, best_score = None, (0.5, 0)
    for delimiter in _DELIMITERS:
        widths = [len(row) for (_, row), _ in zip(_rows(sample, delimiter), range(_SAMPLE_ROWS), strict=False)]
        for width, count in Counter(widths).most_common(1):
            score = (count / len(widths), width)
            if width > 1 and score > best_score:
                best, best_score = delimiter, score
    return best


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, with their numbers."""
    for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), start=1):
        if any(cell.strip() for cell in row):
            yield number, row
