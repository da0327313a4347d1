"""Passages to units of evidence: sentences and table rows, with the words near each of their values.

In a sentence, a word is near a value if few words lie between; a comma, ``and`` or a bracket adds to the distance. In a
table row, a value belongs to its row and to the name of its column. Around both lie the neighbouring sentences (above a
table: the lines before it), the title and headings, and the rest of the document. Tables are Markdown, or lines that
end in as many numbers each, as PDF files give them.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import PurePath
from typing import Any

from rag.evidence.citations import sentence_spans
from rag.evidence.names import find_names
from rag.evidence.quotation import TABLE_ROW, TABLE_RULE, short_line_ends, table_cells
from rag.evidence.values import Range, Value, find_ranges, find_values, same, unit_of
from rag.evidence.vocabulary import words_of
from rag.types import Passage

__all__ = ["Cell", "Unit", "read_units"]

_TOKEN = re.compile(r"\d[\d.,:/]*\d|[^\W_]+(?:['’-][^\W_]+)*|[,;:()–—|]")
_STEPS = {",": 4, "(": 2, ")": 2, ";": 4, ":": 2, "–": 2, "—": 2, "and": 2, "but": 4, "against": 4, "while": 4, "и": 2,
          "а": 4, "но": 4}  # fmt: skip
_FADING = 6  # words
_FARTHEST = 0.45
_NUMBER = r"[-−–]?(?:£|\$|€)?\d[\d,.'’]*%?"
_NUMBERS_AT_END = re.compile(rf"(?P<label>.*?)(?<!\S)(?P<cells>{_NUMBER}(?:[ \t]+{_NUMBER})*)[ \t]*")
_ENUMERATOR = re.compile(r"(?:§\s*)?\d+(?:\.\d+)*[.)]?\s+[A-ZА-ЯЁ]")
_MOST_OF_ROW = 60  # characters of a line that ends in one number
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_LABELS = 8  # lines above a table without markup that may say what it is about


@dataclass(frozen=True)
class Cell:
    """A cell of a row: its place in the passage, its words, its values and its column's name."""

    start: int
    end: int
    words: frozenset[str]
    values: tuple[Value, ...]
    column: str = ""

    @cached_property
    def column_words(self) -> frozenset[str]:
        """The words of the column's name."""
        return words_of(self.column)


@dataclass(frozen=True)
class Unit:
    """A sentence or a table row, ``passage.text[start:end]``, with its words and values in the passage's offsets.

    A sentence has no ``cells``. ``steps`` are the places of its words: (word, character, distance from the beginning).
    ``near`` are the words of the neighbouring sentences; ``context`` those of title, file name and headings;
    ``document`` those of all passages of the document.
    """

    passage: Passage
    rank: int
    start: int
    end: int
    words: frozenset[str]
    values: tuple[Value, ...]
    ranges: tuple[Range, ...] = ()
    cells: tuple[Cell, ...] = ()
    steps: tuple[tuple[frozenset[str], int, int], ...] = ()
    near: frozenset[str] = frozenset()
    near_values: tuple[Value, ...] = ()
    context: frozenset[str] = frozenset()
    context_values: tuple[Value, ...] = ()
    document: frozenset[str] = frozenset()

    @cached_property
    def text(self) -> str:
        """The words of the document."""
        return self.passage.text[self.start : self.end]

    @cached_property
    def around(self) -> frozenset[str]:
        """The words of the unit, of its columns, its neighbours, its title and headings."""
        return self.words.union(self.near, self.context, *(cell.column_words for cell in self.cells))

    def beside(self, units: Sequence[Unit]) -> list[Unit]:
        """Return the sentences before and after this one in its passage, among ``units``."""
        inside = [unit for unit in units if unit.passage is self.passage]
        place = inside.index(self)
        return [*inside[max(0, place - 1) : place], *inside[place + 1 : place + 2]]

    def same_as(self, value: Value) -> tuple[Value, ...]:
        """Return the values of the unit that are the same as another one."""
        if value not in self._same:
            self._same[value] = tuple(other for other in self.values if same(value, other))
        return self._same[value]

    @cached_property
    def _same(self) -> dict[Value, tuple[Value, ...]]:
        return {}

    def cell_of(self, value: Value) -> Cell | None:
        """Return the cell that holds a value, None in a sentence."""
        return next((cell for cell in self.cells if value in cell.values), None)

    def nearness(self, word: str, value: Value) -> float:
        """Return how near a word of the unit is to a value of a sentence, 1 if they touch."""
        place = self._step(value.start)
        gaps = [abs(step - place) for step in self._places.get(word, ())]
        return _fading(min(gaps)) if gaps else 0.0

    def nearness_of(self, start: int, value: Value) -> float:
        """Return the same for another value of the unit, which begins at ``start``."""
        return _fading(abs(self._step(start) - self._step(value.start)))

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for words, _, step in self.steps:
            for word in words:
                places.setdefault(word, []).append(step)
        return places

    @cached_property
    def _starts(self) -> list[int]:
        return [start for _, start, _ in self.steps]

    def _step(self, character: int) -> int:
        place = bisect_right(self._starts, character) - 1
        return self.steps[place][2] if place >= 0 else 0


def _fading(distance: int) -> float:
    return _FARTHEST + (1 - _FARTHEST) * math.exp(-max(0, distance - 1) / _FADING)


def read_units(passages: Sequence[Passage]) -> list[Unit]:
    """Return the units of all passages in their order."""
    headers = _headers(passages)
    units = [unit for rank, passage in enumerate(passages) for unit in _units(passage, rank, headers)]
    documents: dict[str, set[str]] = {}
    for unit in units:
        documents.setdefault(unit.passage.source, set()).update(unit.words)
    whole = {source: frozenset(words) for source, words in documents.items()}
    return [replace(unit, document=whole[unit.passage.source]) for unit in units]


def _context(passage: Passage) -> str:
    """Return the title, the headings and the name of the file as a line of text."""
    return f"{passage.context} · {re.sub(r'[-_]+', ' ', PurePath(passage.source).stem)}"


def _units(passage: Passage, rank: int, headers: dict[tuple[str, int], tuple[str, ...]]) -> Iterator[Unit]:
    line = _context(passage)
    context, context_values = words_of(line), find_values(line) + find_names(line)
    found: list[Unit] = []
    for start, end, rows in _blocks(passage.text):
        make = _row_units(passage, rank, start, end, headers) if rows else _prose_units(passage, rank, start, end)
        found += make
    for n, unit in enumerate(found):
        lead = found[max(0, n - 2 * _LABELS) : n] if unit.cells else found[max(0, n - 1) : n + 2]
        beside = [other for other in lead if other is not unit and not other.cells][-_LABELS:]
        near = frozenset().union(*(other.words for other in beside))
        near_values = tuple(value for other in beside for value in other.values)
        yield replace(unit, near=near, near_values=near_values, context=context, context_values=context_values)


def _blocks(text: str) -> Iterator[tuple[int, int, bool]]:
    """Yield (start, end, whether it is a Markdown table) of stretches of lines of one sort."""
    start, sort, place = 0, False, 0
    for line in text.splitlines(keepends=True):
        is_row = TABLE_ROW.fullmatch(line.rstrip("\r\n")) is not None
        if is_row != sort and place > start:
            yield start, place, sort
            start = place
        sort = is_row
        place += len(line)
    if place > start:
        yield start, place, sort


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        close = text.find("\n", start, end)
        close = end if close < 0 else close
        yield start, close
        start = close + 1


@dataclass(frozen=True)
class _Text:
    """A passage's text, read once: its values, ranges and words with their places, in order."""

    text: str
    values: tuple[Value, ...]
    ranges: tuple[Range, ...]
    tokens: tuple[tuple[frozenset[str], int, str], ...]

    @cached_property
    def _places(self) -> tuple[list[int], list[int], list[int]]:
        return (
            [value.start for value in self.values],
            [found.start for found in self.ranges],
            [start for _, start, _ in self.tokens],
        )

    def values_in(self, start: int, end: int) -> tuple[Value, ...]:
        places = self._places[0]
        return self.values[bisect_left(places, start) : bisect_left(places, end)]

    def ranges_in(self, start: int, end: int) -> tuple[Range, ...]:
        places = self._places[1]
        return self.ranges[bisect_left(places, start) : bisect_left(places, end)]

    def tokens_in(self, start: int, end: int) -> tuple[tuple[frozenset[str], int, str], ...]:
        places = self._places[2]
        return self.tokens[bisect_left(places, start) : bisect_left(places, end)]

    def words_in(self, start: int, end: int) -> frozenset[str]:
        return frozenset().union(*(words for words, _, _ in self.tokens_in(start, end)))


@lru_cache(maxsize=512)
def _read(text: str) -> _Text:
    values = find_values(text)
    hidden = {n for value in values if value.kind != "date" for n in range(value.start, value.end)}
    tokens = tuple(
        (frozenset() if match.start() in hidden else words_of(match.group()), match.start(), match.group().lower())
        for match in _TOKEN.finditer(text)
    )
    found = sorted([*values, *find_names(text)], key=lambda value: value.start)
    return _Text(text, tuple(found), tuple(sorted(find_ranges(text), key=lambda r: r.start)), tokens)


# Tables ----------------------------------------------------------------------------------------------------------


def _headers(passages: Sequence[Passage]) -> dict[tuple[str, int], tuple[str, ...]]:
    """Return the column names of each document's table of so many columns; none where it has several such tables.

    A long table is cut into several chunks; the later ones have the names in their headings.
    """
    names: dict[tuple[str, int], set[tuple[str, ...]]] = {}
    for passage in passages:
        if passage.columns:
            names.setdefault((passage.source, len(passage.columns)), set()).add(passage.columns)
        lines = list(_lines(passage.text, 0, len(passage.text)))
        for head, rule in pairwise(lines):
            if TABLE_RULE.fullmatch(passage.text, *rule) and TABLE_ROW.fullmatch(passage.text, *head):
                columns = tuple(passage.text[a:b] for a, b in table_cells(passage.text, head))
                names.setdefault((passage.source, len(columns)), set()).add(columns)
    return {key: next(iter(found)) for key, found in names.items() if len(found) == 1}


def _row_units(
    passage: Passage, rank: int, start: int, end: int, headers: dict[tuple[str, int], tuple[str, ...]]
) -> Iterator[Unit]:
    text = passage.text
    lines = list(_lines(text, start, end))
    columns = passage.columns if start == 0 else ()
    for n, line in enumerate(lines):
        if TABLE_RULE.fullmatch(text, *line):
            continue
        places = list(table_cells(text, line))
        if n + 1 < len(lines) and TABLE_RULE.fullmatch(text, *lines[n + 1]):
            columns = tuple(text[a:b] for a, b in places)
            continue
        names = columns or headers.get((passage.source, len(places)), ())
        cells = [_cell(text, a, b, names[k] if k < len(names) else "") for k, (a, b) in enumerate(places)]
        if any(cell.end > cell.start for cell in cells):
            yield _row(passage, rank, line, cells)


def _row(passage: Passage, rank: int, place: tuple[int, int], cells: Sequence[Cell]) -> Unit:
    text = _read(passage.text)
    words = frozenset().union(*(cell.words for cell in cells))
    values = tuple(value for cell in cells for value in cell.values)
    ranges = tuple(found for cell in cells for found in text.ranges_in(cell.start, cell.end))
    return Unit(passage, rank, *place, words, values, ranges, tuple(cells))


def _cell(text: str, start: int, end: int, column: str) -> Cell:
    dimension, factor = unit_of(column)
    values = [
        replace(value, dimension=dimension, amount=value.raw * factor)
        if value.kind == "number" and not value.dimension and dimension
        else value
        for value in _read(text).values_in(start, end)
    ]
    return Cell(start, end, _read(text).words_in(start, end), tuple(values), column)


# Prose -----------------------------------------------------------------------------------------------------------


def _prose_units(passage: Passage, rank: int, start: int, end: int) -> Iterator[Unit]:
    block = passage.text[start:end]
    rows = {row[0]: row for row in _number_rows(block)}
    ends = [*short_line_ends(block), *(row[1] for row in rows.values()), *(begin - 1 for begin in rows)]
    years = [match.group() for match in _YEAR.finditer(block, 0, min(rows, default=0))][-2:]
    for begin, close in sentence_spans(block):
        for first, last in _cut(block, begin, close, ends):
            row = rows.get(first)
            if row is not None and row[1] >= last:
                yield _number_row(passage, rank, start, row, years)
            else:
                yield _sentence(passage, rank, start + first, start + last)


def _sentence(passage: Passage, rank: int, start: int, end: int) -> Unit:
    text = _read(passage.text)
    values = text.values_in(start, end)
    if values and values[0].start == start and not values[0].dimension and values[0].kind in ("number", "code"):
        values = values[1:] if _ENUMERATOR.match(passage.text, start, end) else values  # the number of a clause
    steps, step = [], 0
    for words, place, token in text.tokens_in(start, end):
        step += _STEPS.get(token, 1)
        steps.append((words, place, step))
    words = text.words_in(start, end)
    return Unit(passage, rank, start, end, words, values, text.ranges_in(start, end), steps=tuple(steps))


def _cut(text: str, start: int, end: int, ends: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the pieces of a sentence between line ends at which it is cut, without white space."""
    places = [start, *sorted({place for place in ends if start < place < end}), end]
    for first, last in pairwise(places):
        piece = text[first:last]
        if piece.strip():
            begin = first + len(piece) - len(piece.lstrip())
            yield begin, begin + len(piece.strip())


_NumberRow = tuple[int, int, tuple[int, int], list[tuple[int, int]]]


def _number_rows(block: str) -> list[_NumberRow]:
    """Return the lines that end in as many numbers as another one: a table without markup.

    Each is (start, end, place of its label, places of its numbers). A label may be on the lines above. A line that ends
    in one number is a row only if it is short and next to another one.
    """
    found: list[_NumberRow] = []
    lines = list(_lines(block, 0, len(block)))
    for n, (start, end) in enumerate(lines):
        match = _NUMBERS_AT_END.fullmatch(block, start, end)
        if match is None or match["label"].rstrip().endswith((",", ".", ";")):
            continue
        label = match.span("label")
        if not match["label"].strip():
            above = n
            while above > 0 and n - above < 2 and not re.search(r"\d|[.;]$", block[slice(*lines[above - 1])]):
                above -= 1
            label = (lines[above][0], start)
        first = match.start("cells")
        cells = [(first + m.start(), first + m.end()) for m in re.finditer(r"\S+", match["cells"])]
        found.append((start, end, label, cells))
    return [row for n, row in enumerate(found) if _is_number_row(row, found[max(0, n - 1) : n + 2], found)]


def _is_number_row(row: _NumberRow, beside: Sequence[_NumberRow], rows: Sequence[_NumberRow]) -> bool:
    if len(row[3]) > 1:
        return sum(len(other[3]) == len(row[3]) for other in rows) > 1
    short = [other for other in beside if other is not row and len(other[3]) == 1 and _is_short(other)]
    return _is_short(row) and any(max(row[0], other[0]) - min(row[1], other[1]) <= 40 for other in short)


def _is_short(row: _NumberRow) -> bool:
    return row[1] - row[0] <= _MOST_OF_ROW


def _number_row(passage: Passage, rank: int, shift: int, row: _NumberRow, years: Sequence[str]) -> Unit:
    start, end, label, places = row
    names: list[Any] = [*years] if len(years) > 1 else []
    names += [""] * len(places)
    text = passage.text
    cells = [_cell(text, shift + label[0], shift + label[1], "")]
    cells += [_cell(text, shift + a, shift + b, name) for (a, b), name in zip(places, names, strict=False)]
    return _row(passage, rank, (shift + min(start, label[0]), shift + end), cells)
