"""The sentence, table row, or whole paragraph or list around a span, as plain text that can stand alone.

A bare span such as ``28`` says little. Its sentence says what it is about, and so does its table row with the names of
the columns. A procedure, a reason, a list, or a definition needs more: all steps, or the whole paragraph. Markdown's
marks and line breaks are layout, and are left out; each item of a list keeps a line of its own with its number or a
dash. The words stay the document's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rag.evidence.citations import sentence_spans

__all__ = [
    "TABLE_ROW",
    "TABLE_RULE",
    "Quotation",
    "TableRow",
    "column_names",
    "in_row",
    "plain_text",
    "quotation",
    "short_line_ends",
    "table_cells",
    "table_rows",
    "whole_quotation",
]

MOST_CHARACTERS = 400
MOST_OF_A_BLOCK = 1200
_SHORT_LINE = 0.6  # of the longest line
TABLE_ROW = re.compile(r"[ \t]*\|.*\|[ \t]*")
TABLE_RULE = re.compile(r"[ \t]*\|(?:[ \t]*:?-{3,}:?[ \t]*\|)+[ \t]*")
_BLOCK_MARK = re.compile(r"[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-*+•][ \t]+|\d{1,3}[.)][ \t]+)+")
_ITEM = re.compile(r"[ \t]*(?:>[ \t]?)*(?P<mark>[-*+•–]|\d{1,3}[.)]|[a-z][.)])[ \t]+")
_HEADING = re.compile(r"[ \t]*#{1,6}[ \t]")
_EMPHASIS = re.compile(r"\*\*|__|`+|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)")


@dataclass(frozen=True, slots=True)
class Quotation:
    """``text`` and the span's place in it: ``text[start:end]`` are the span's words, white space as one space.

    ``source`` is the (start, end) in the passage of a whole list or paragraph; (0, 0) for a sentence or table row.
    """

    text: str
    start: int
    end: int
    source: tuple[int, int] = (0, 0)


def in_row(passage: str, start: int, end: int) -> bool:
    """Return whether ``passage[start:end]`` is in one row of a table."""
    row = _line(passage, start)
    return end <= row[1] and TABLE_ROW.fullmatch(passage, *row) is not None


def quotation(passage: str, start: int, end: int, columns: Sequence[str] = ()) -> Quotation:
    """Return the sentence, or the table row, around ``passage[start:end]``. Long ones are cut around the span.

    ``columns`` are the names of the columns of a passage that begins in the middle of a table.
    """
    if in_row(passage, start, end):
        return _table_row(passage, _line(passage, start), start, end, columns)
    around = [(first, last) for first, last in sentence_spans(passage) if first < end and start < last]
    begin = min([start, *(first for first, _ in around)])
    close = max([end, *(last for _, last in around)])
    ends = short_line_ends(passage)
    begin = max([begin, *(place + 1 for place in ends if place < start)])
    close = min([close, *(place for place in ends if place >= end)])
    return _shortened(*_plain(passage, begin, close, start, end))


@dataclass(frozen=True, slots=True)
class TableRow:
    """``text`` names the columns, as :func:`quotation` writes a row; ``cells`` are the cells alone, with spaces."""

    text: str
    cells: str


def table_rows(passage: str, columns: Sequence[str] = ()) -> list[TableRow]:
    """Return the rows of a passage's tables, without those of column names; ``columns`` as in :func:`quotation`."""
    lines = [line for line in _lines(passage) if not line.blank]
    rows = []
    for line, following in zip(lines, [*lines[1:], None], strict=True):
        is_row = TABLE_ROW.fullmatch(passage, line.start, line.end)
        is_head = following is not None and TABLE_RULE.fullmatch(passage, following.start, following.end)
        if is_row and not is_head and not TABLE_RULE.fullmatch(passage, line.start, line.end):
            row = (line.start, line.end)
            cells = " ".join(passage[begin:close] for begin, close in table_cells(passage, row))
            rows.append(TableRow(_table_row(passage, row, line.start, line.start, columns).text, cells))
    return rows


def whole_quotation(passage: str, start: int, end: int) -> Quotation:
    """Return the list with its introduction, the table row, or the paragraph around ``passage[start:end]``.

    Falls back to :func:`quotation` where that has more than 1,200 characters. In text without blank lines, such as that
    of a PDF, a paragraph ends at a short line too.
    """
    if TABLE_ROW.fullmatch(passage, *_line(passage, start)):
        return quotation(passage, start, end)
    if (mark := _ITEM.match(passage, _line(passage, start)[0])) and start < mark.end() < end:
        start = mark.end()
    lines = list(_lines(passage))
    first = next(n for n, line in enumerate(lines) if start <= line.end)
    last = next(n for n, line in enumerate(lines) if end <= line.end)
    items = _list_around(lines, first, last, frozenset(short_line_ends(passage)))
    if items is None:
        begin, close = _paragraph(passage, start, end)
        if close - begin > MOST_OF_A_BLOCK:
            return quotation(passage, start, end)
        return Quotation(*_plain(passage, begin, close, start, end), (begin, close))
    text, place = "", (0, 0)
    for begin, close in items:
        mark = _ITEM.match(passage, begin, close)
        text += "\n" if text else ""
        if mark:
            text += f"{mark['mark'] if mark['mark'][-1] in '.)' else '-'} "
            begin = mark.end()
        inside = begin <= start < close
        value, left, right = _plain(passage, begin, close, *((start, min(close, end)) if inside else (begin, begin)))
        if inside:
            place = len(text) + left, len(text) + right
        text += value
    if len(text) > MOST_OF_A_BLOCK or not text[slice(*place)]:
        return quotation(passage, start, end)
    return Quotation(text, *place, (items[0][0], items[-1][1]))


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a passage, without its line end."""

    start: int
    end: int
    item: bool
    blank: bool
    heading: bool
    introduces: bool


def _lines(passage: str) -> Iterator[_Line]:
    position = 0
    for text in passage.split("\n"):
        stripped = text.strip()
        item = _ITEM.match(text) is not None
        yield _Line(
            position,
            position + len(text),
            item,
            not stripped,
            _HEADING.match(text) is not None,
            stripped.endswith(":") and not item,
        )
        position += len(text) + 1


def _list_around(lines: Sequence[_Line], first: int, last: int, short: frozenset[int]) -> list[tuple[int, int]] | None:
    """Return the characters of the introduction and of each item of the list that holds these lines; None if none does.

    An item may go on over several lines, up to a ``short`` one (by its end). A blank line between items does not end
    the list; before other text it does.
    """
    top = first
    if lines[first].introduces:
        top = next((n for n in range(first + 1, len(lines)) if not lines[n].blank), first)
    while top > 0 and not lines[top].item and not lines[top - 1].blank and not lines[top - 1].heading:
        top -= 1  # the later lines of an item
    if not lines[top].item:
        return None
    above = top - 1
    while above >= 0 and not lines[above].heading and not lines[above].introduces:
        if lines[above].item:
            top = above
        elif not lines[above].blank and (lines[above + 1].blank or not _continues(lines, above)):
            break
        above -= 1
    bottom = top
    for n in range(top, len(lines)):
        if lines[n].heading or (n > last and lines[n].introduces):
            break
        if lines[n].item:
            bottom = n
        elif lines[n].blank:
            following = next((m for m in range(n + 1, len(lines)) if not lines[m].blank), None)
            if following is None or not lines[following].item:
                break
        elif n > top and lines[n - 1].end in short:
            break
        else:
            bottom = n
    found = []
    if above >= 0 and lines[above].introduces:
        intro = above
        while intro > 0 and not (lines[intro - 1].blank or lines[intro - 1].heading or lines[intro - 1].item):
            intro -= 1
        found.append((lines[intro].start, lines[above].end))
    for n in range(top, bottom + 1):
        if lines[n].item:
            found.append((lines[n].start, lines[n].end))
        elif not lines[n].blank:
            found[-1] = (found[-1][0], lines[n].end)
    return found


def _continues(lines: Sequence[_Line], place: int) -> bool:
    """Return whether a line belongs to an item above it, with no blank line between."""
    while place >= 0 and not lines[place].blank and not lines[place].heading:
        if lines[place].item:
            return True
        place -= 1
    return False


def _paragraph(passage: str, start: int, end: int) -> tuple[int, int]:
    """Return the characters between the blank lines, headings, and short lines around a span."""
    begin, close = 0, len(passage)
    for line in _lines(passage):
        if line.blank or line.heading:
            if line.end <= start:
                begin = line.end
            elif line.start >= end:
                close = min(close, line.start)
    inside = [place for place in short_line_ends(passage) if begin <= place < close]
    begin = max([begin, *(place + 1 for place in inside if place < start)])
    close = min([close, *(place for place in inside if place >= end)])
    return begin, close


def _line(passage: str, place: int) -> tuple[int, int]:
    begin = passage.rfind("\n", 0, place) + 1
    close = passage.find("\n", place)
    return begin, len(passage) if close < 0 else close


def short_line_ends(passage: str) -> list[int]:
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


def _table_row(passage: str, row: tuple[int, int], start: int, end: int, columns: Sequence[str]) -> Quotation:
    """Return ``Column: value; Column: value``, or the values alone where the columns have no names."""
    names = column_names(passage, row, columns)
    text, place = "", (0, 0)
    for n, (begin, close) in enumerate(table_cells(passage, row)):
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


def column_names(passage: str, row: tuple[int, int], columns: Sequence[str] = ()) -> Sequence[str]:
    """Return the names of the columns of a row: the row above the nearest rule, in the same table.

    ``columns`` if the table begins before the passage; none if neither has names.
    """
    begin = row[0]
    while begin > 0:
        line = _line(passage, begin - 1)
        if not TABLE_ROW.fullmatch(passage, *line):
            return ()
        if TABLE_RULE.fullmatch(passage, *line) and line[0] > 0:
            head = _line(passage, line[0] - 1)
            return [plain_text(passage, a, b) for a, b in table_cells(passage, head)]
        begin = line[0]
    return columns


def table_cells(passage: str, line: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each cell of a row, without the space around it."""
    bars = [n for n in range(*line) if passage[n] == "|" and passage[n - 1 : n] != "\\"]
    for left, right in pairwise(bars):
        cell = passage[left + 1 : right]
        begin = left + 1 + len(cell) - len(cell.lstrip())
        yield begin, max(begin, begin + len(cell.strip()))


def plain_text(passage: str, begin: int, close: int) -> str:
    """Return ``passage[begin:close]`` without Markdown's marks and with single spaces."""
    return _plain(passage, begin, close, begin, begin)[0]


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
