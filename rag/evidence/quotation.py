"""The sentence or table row around a span, as plain text that can stand alone.

A bare span such as ``28`` says little. Its sentence says what it is about, and so does its table row with the names of
the columns. Markdown's marks and line breaks are layout, and are left out. The words stay the document's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rag.evidence.citations import sentence_spans

__all__ = ["Quotation", "quotation"]

MOST_CHARACTERS = 400
_SHORT_LINE = 0.6  # of the longest line
_ROW = re.compile(r"[ \t]*\|.*\|[ \t]*")
_RULE = re.compile(r"[ \t]*\|(?:[ \t]*:?-{3,}:?[ \t]*\|)+[ \t]*")
_BLOCK_MARK = re.compile(r"[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-*+•][ \t]+|\d{1,3}[.)][ \t]+)+")
_EMPHASIS = re.compile(r"\*\*|__|`+|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)")


@dataclass(frozen=True, slots=True)
class Quotation:
    """``text`` and the span's place in it: ``text[start:end]`` are the span's words, white space as one space."""

    text: str
    start: int
    end: int


def quotation(passage: str, start: int, end: int) -> Quotation:
    """Return the sentence, or the table row, around ``passage[start:end]``. Long ones are cut around the span."""
    row = _line(passage, start)
    if _ROW.fullmatch(passage, *row) and end <= row[1]:
        return _table_row(passage, row, start, end)
    around = [(first, last) for first, last in sentence_spans(passage) if first < end and start < last]
    begin = min([start, *(first for first, _ in around)])
    close = max([end, *(last for _, last in around)])
    ends = _short_lines(passage)
    begin = max([begin, *(place + 1 for place in ends if place < start)])
    close = min([close, *(place for place in ends if place >= end)])
    return _shortened(*_plain(passage, begin, close, start, end))


def _line(passage: str, place: int) -> tuple[int, int]:
    begin = passage.rfind("\n", 0, place) + 1
    close = passage.find("\n", place)
    return begin, len(passage) if close < 0 else close


def _short_lines(passage: str) -> list[int]:
    """Return the line ends after headings, labels and rows of text without markup, such as that of a PDF.

    Such a line is much shorter than the longest one, so it was not wrapped there, and the next one starts a new text.
    """
    lines = passage.split("\n")
    most = _SHORT_LINE * max(map(len, lines))
    places, position = [], -1
    for line, following in pairwise(lines):
        position += len(line) + 1
        if len(line) <= most and (following[:1].isupper() or following[:1].isdigit()):
            places.append(position)
    return places


def _table_row(passage: str, row: tuple[int, int], start: int, end: int) -> Quotation:
    """Return ``Column: value; Column: value``, or the values alone where the columns have no names."""
    names = _column_names(passage, row)
    text, place = "", (0, 0)
    for n, (begin, close) in enumerate(_cells(passage, row)):
        if begin == close:
            continue
        text += "; " if text else ""
        if n < len(names) and names[n] and names[n] != passage[begin:close]:
            text += f"{names[n]}: "
        inside = begin <= start < close
        value, first, last = _plain(passage, begin, close, *((start, min(close, end)) if inside else (begin, begin)))
        if inside:
            place = len(text) + first, len(text) + last
        text += value
    return _shortened(text, *place)


def _column_names(passage: str, row: tuple[int, int]) -> Sequence[str]:
    """Return the names of the columns of a row: the row above the nearest rule, in the same table; none if absent."""
    begin = row[0]
    while begin > 0:
        line = _line(passage, begin - 1)
        if not _ROW.fullmatch(passage, *line):
            return ()
        if _RULE.fullmatch(passage, *line) and line[0] > 0:
            head = _line(passage, line[0] - 1)
            return [_plain(passage, a, b, a, a)[0] for a, b in _cells(passage, head)]
        begin = line[0]
    return ()


def _cells(passage: str, line: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each cell of a row, without the space around it."""
    bars = [n for n in range(*line) if passage[n] == "|" and passage[n - 1 : n] != "\\"]
    for left, right in pairwise(bars):
        cell = passage[left + 1 : right]
        begin = left + 1 + len(cell) - len(cell.lstrip())
        yield begin, max(begin, begin + len(cell.strip()))


def _plain(passage: str, begin: int, close: int, start: int, end: int) -> tuple[str, int, int]:
    """Return ``passage[begin:close]`` without Markdown's marks and with single spaces, and the span's place in it."""
    layout = {n for match in _EMPHASIS.finditer(passage, begin, close) for n in range(*match.span())}
    line = begin
    while line < close:
        if mark := _BLOCK_MARK.match(passage, line, close):
            layout.update(range(*mark.span()))
        line = passage.find("\n", line, close) + 1 or close
    text, places = "", []
    for n in range(begin, close):
        places.append(len(text))
        if n in layout and not start <= n < end:
            continue
        character = passage[n]
        if character.isspace():
            text += " " if text and not text.endswith(" ") else ""
        else:
            text += character
    places.append(len(text))
    first, last = places[start - begin], places[end - begin]
    return text.rstrip(), first, min(last, len(text.rstrip()))


def _shortened(text: str, start: int, end: int) -> Quotation:
    """Cut a long text at words, so that the span stays in it with as much before it as after."""
    if len(text) <= MOST_CHARACTERS:
        return Quotation(text, start, end)
    room = max(MOST_CHARACTERS - (end - start), 0) // 2
    first = 0 if start <= room else text.find(" ", start - room, start) + 1 or start
    last = len(text) if len(text) - end <= room else text.rfind(" ", end, end + room)
    last = end if last < end else last
    before, after = "… " if first else "", " …" if last < len(text) else ""
    shift = len(before) - first
    return Quotation(f"{before}{text[first:last]}{after}", start + shift, end + shift)
