"""How many of a table's first rows name its columns.

Marked header cells decide. Without marks the rows are compared with those below: a word above numbers is a name, a
number above numbers of the same shape is data. Nothing here depends on a language.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

__all__ = ["count_headers", "is_value"]

_MOST_LEVELS = 4
_COMPARED = 50  # rows
_LONGEST_NAME = 80  # characters
_YEAR = re.compile(r"(?:1[89]|20|21)\d\d")
_DIGITS, _LETTERS = re.compile(r"\d+"), re.compile(r"[^\W\d_]+")


class _Cell(Protocol):
    @property
    def text(self) -> str: ...
    @property
    def header(self) -> bool: ...
    @property
    def strong(self) -> bool: ...


def is_value(text: str) -> bool:
    """Return whether a text is a number, an amount, a date or a code: half of its letters and digits are digits."""
    digits = sum(character.isdigit() for character in text)
    return digits > 0 and 2 * digits >= sum(character.isalnum() for character in text)


def count_headers(rows: Sequence[Sequence[_Cell]], *, assume: bool = True) -> int:
    """Return the number of header rows, 0 if the first row is data. ``assume`` decides where nothing else does."""
    if len(rows) < 2:
        return int(bool(rows) and _is_marked(rows[0]))
    marked = 0
    while marked < min(len(rows), _MOST_LEVELS) and _is_marked(rows[marked]):
        marked += 1
    if marked:
        return marked if marked < len(rows) else 1
    if any(cell.header for row in rows for cell in row[:1] if cell.text):
        return 0  # the first cells of rows are marked, and they name rows
    levels = 1
    while levels < min(len(rows) - 1, _MOST_LEVELS) and _has_level_below(rows[levels - 1], rows[levels]):
        levels += 1
    below = rows[levels : levels + _COMPARED]
    score = _score(rows[levels - 1], below)
    if score == 0 and levels == 1:
        score = _strength(rows)
    if score == 0:
        score = 1 if assume and _could_name(rows[levels - 1], below) else -1
    return levels if score > 0 else 0


def _is_marked(row: Sequence[_Cell]) -> bool:
    filled = [cell for cell in row if cell.text]
    return bool(filled) and all(cell.header for cell in filled)


def _has_level_below(upper: Sequence[_Cell], lower: Sequence[_Cell]) -> bool:
    """Return whether a row of names has another row of names below it: it spans or leaves open what that one names."""
    merged = any(left is right and left.text for left, right in pairwise(upper))
    gaps = [place for place in range(1, min(len(upper), len(lower))) if not upper[place].text and lower[place].text]
    distinct = {id(cell) for cell in upper if cell.text}
    if not merged and not (len(gaps) > 1 and len(distinct) > 1 and gaps[-1] - gaps[0] >= len(gaps)):
        return False
    own = [low for up, low in zip(upper, lower, strict=False) if low is not up and low.text]
    if len(distinct) < 2 and not merged:
        return False
    return len(own) > 1 and not any(is_value(cell.text) and not _is_period(cell.text) for cell in own)


def _is_period(text: str) -> bool:
    """Return whether a value can name a column: a year, or one with letters, such as ``Q1 2030``."""
    return _YEAR.fullmatch(text) is not None or _LETTERS.search(text) is not None


def _score(first: Sequence[_Cell], below: Sequence[Sequence[_Cell]]) -> float:
    """Return how much more the first row looks like names than like the rows below; 0 if nothing decides."""
    score = 0.0
    for place, cell in enumerate(first):
        column = [row[place].text for row in below if place < len(row) and row[place].text]
        if cell.text and column:
            score += _score_of_column(cell.text, column)
    return score


def _score_of_column(name: str, column: Sequence[str]) -> float:
    values = sum(map(is_value, column))
    if not is_value(name):
        if 2 * values > len(column):
            return 1
        return -0.5 if name in column else 0.5 * (len(column) > 3 and len(set(column)) * 2 < len(column))
    shapes = {_shape(text) for text in column if is_value(text)}
    years = sum(_YEAR.fullmatch(text) is not None for text in column)
    if 2 * values > len(column):
        if _YEAR.fullmatch(name):
            return 0.5 if 2 * years < len(column) else -1
        return 0.5 if _LETTERS.search(name) and _shape(name) not in shapes else -1
    return 0 if _YEAR.fullmatch(name) and not years else -1


def _shape(text: str) -> str:
    return _LETTERS.sub("a", _DIGITS.sub("9", text))


def _strength(rows: Sequence[Sequence[_Cell]]) -> int:
    """Return 1 if only the first row is printed in bold, 0 if print decides nothing."""
    first, second = ([cell for cell in row if cell.text] for row in rows[:2])
    return int(bool(first) and all(cell.strong for cell in first) and not all(cell.strong for cell in second))


def _could_name(row: Sequence[_Cell], below: Sequence[Sequence[_Cell]]) -> bool:
    """Return whether a row of words can be names: short, different, in all columns but the first, and no form's."""
    texts = [cell.text for cell in row]
    if not all(texts[1:]) or len(set(texts)) < len(texts) or max(map(len, texts), default=0) > _LONGEST_NAME:
        return False
    labels = [each[0].text for each in [row, *below] if each]
    if len(row) == 1 and 1.5 * len(labels[0]) * len(below) > sum(map(len, labels[1:])):
        return False  # one of several texts
    return 2 * sum(label.endswith(":") for label in labels) <= len(labels) and not _is_form(row, below)


def _is_form(row: Sequence[_Cell], below: Sequence[Sequence[_Cell]]) -> bool:
    """Return whether two columns are names and values of different kinds, such as a date below a place."""
    if len(row) != 2 or len(below) < 2:
        return False
    second = [each[1].text for each in below if len(each) > 1 and each[1].text]
    values = sum(map(is_value, second))
    return 0 < values < len(second) and not any(is_value(each[0].text) for each in below if each)
