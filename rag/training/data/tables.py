"""Look-up questions about tables: the answer is one cell, and the passage is a few rows in Markdown.

The format is that of WikiTableQuestions (Pasupat and Liang 2015) as JSON lines: questions with ``id``, ``question``,
``table`` and ``answers``, and tables with ``table`` and ``rows``, a list of lists of which the first is the header.

Only the answer is given, not its cell, and many questions need several rows. A question counts as a look-up if it has
no word of counting, comparing or ordering, and if exactly one row with the answer shares more with the question than
every other row of the table. Passages are written as ingestion writes tables (:mod:`rag.ingestion.loaders.table_text`).
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import unescape
from pathlib import Path

from rag.errors import InputError
from rag.evidence.token_match import content_stems, is_number
from rag.ingestion.loaders.table_text import markdown_cell, markdown_table
from rag.text import counted
from rag.training.data.corpus import Example, Span
from rag.training.data.json_lines import is_texts, read_json_lines

__all__ = ["read_tables"]

_REMEDY = "name JSON lines: questions with id, question, table and answers, and tables with table and rows"
_ROWS = (4, 14)  # of a passage
_TRIES = 5  # windows drawn until one has the answer once
_CHARACTERS = 900  # about 220 tokens
_SEVERAL_ROWS = frozenset(  # no look-up
    """
    sum combined overall altogether average median mean difference differ longer shorter more less fewer than most
    least greater bigger larger smaller higher lower better worse older younger earlier later taller faster slower
    best worst max maximum min minimum majority exceed exceeded exceeds over above below within between among last
    final before after next previous previously prior preceding preceded precede precedes following followed follow
    follows succeeded succeed succeeds preceeded subsequent subsequently since until till ago immediately directly
    beside top bottom leading lead leader same different similar equal identical tie tied common consecutive
    consecutively row straight times twice every all either neither or nor not no never none without except
    excluding besides other another others ever always often multiple several entire whole latest newest closest
    near first initial initially
    """.split()  # noqa: SIM905 - a list literal is laid out one word a line
)
_PERHAPS_COUNTS = frozenset(  # a look-up if row and column are named
    """
    many number amount total totals count counts long percentage each years days months times rank ranks ranked
    place placed second third much any
    """.split()  # noqa: SIM905 - a list literal is laid out one word a line
)
_NO_SUPERLATIVES = frozenset(
    """
    almost arrest brest bucharest budapest chest conquest contest crest digest east est everest forest forrest guest
    harvest host interest invest midwest nest northeast northwest priest protest quest request rest southeast southwest
    test trieste vest west
    """.split()  # noqa: SIM905 - a list literal is laid out one word a line
)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class _Place:
    """The cell that answers a question; ``row`` counts from the first row under the header."""

    row: int
    column: int


class _Table:
    """A table with the content stems of its cells."""

    def __init__(self, rows: Sequence[Sequence[str]]) -> None:
        width = len(rows[0])
        full = [[*row[:width], *[""] * (width - len(row))] for row in rows]
        self.header, *self.rows = [[markdown_cell(text) for text in row] for row in full]
        self.heads = [content_stems(cell) for cell in self.header]
        self.plain = [[_plain(text) for text in row] for row in full[1:]]

    @cached_property
    def stems(self) -> list[list[frozenset[str]]]:
        """The content stems of every cell under the header; most tables are never asked for them."""
        return [[content_stems(cell) for cell in row] for row in self.rows]

    def find(self, question: str, answer: str) -> _Place | None:
        """Return the cell that answers a look-up, None if it is not certain."""
        words = set(_WORD.findall(question.casefold()))
        superlatives = {word for word in words if word.endswith(("est", "most"))} - _NO_SUPERLATIVES
        if words & _SEVERAL_ROWS or superlatives:
            return None
        wanted = _plain(answer)
        places = [_Place(r, c) for r, row in enumerate(self.plain) for c, cell in enumerate(row) if cell == wanted]
        if not places:
            return None
        asked = content_stems(question)
        if words & _PERHAPS_COUNTS:
            counted_rows = wanted.isdecimal() and int(wanted) <= len(self.rows)
            certain = [
                place
                for place in places
                if asked & self.heads[place.column]
                and (self._names_row(asked, place) or (not counted_rows and self._points_at(asked, place)))
            ]
        else:
            certain = [p for p in places if self._names_row(asked, p) or self._points_at(asked, p)]
        return certain[0] if len(certain) == 1 else None

    def _points_at(self, asked: frozenset[str], place: _Place) -> bool:
        """Return whether the question shares more with this row, apart from the answer's column, than with others."""
        shared = [
            asked & frozenset().union(*(stems for c, stems in enumerate(row) if c != place.column))
            for row in self.stems
        ]
        rows_with = Counter(stem for stems in shared for stem in stems)
        weights = [sum(1 / rows_with[stem] for stem in stems) for stems in shared]
        own, weight = shared[place.row], weights[place.row]
        others = [n for n in range(len(shared)) if n != place.row]
        return bool(own) and all(not own <= shared[n] and weights[n] < weight for n in others)

    def _names_row(self, asked: frozenset[str], place: _Place) -> bool:
        """Return whether the question holds more whole cells of this row than of every other row."""
        scores = [self._named(asked, row, place.column) for row in self.stems]
        own = scores.pop(place.row)
        return own > max(scores, default=0)

    def _named(self, asked: frozenset[str], row: Sequence[frozenset[str]], column: int) -> int:
        """Count the stems of whole cells in the question; a small number counts only with its column's name."""
        named: set[str] = set()
        for c, stems in enumerate(row):
            if c != column and stems and stems <= asked:
                small = all(is_number(stem) and len(stem) < 4 for stem in stems)
                if not small or asked & self.heads[c]:
                    named |= stems
        return len(named)


def read_tables(
    questions: Path, tables: Path, *, unanswerable: float = 1 / 3, passes: int = 1, seed: int = 0
) -> tuple[tuple[Example, ...], tuple[str, ...]]:
    """Return an example for each look-up and pass, and a note about the other questions.

    A share ``unanswerable`` gets its passage without the answer's row or, one in three, without its column.
    Raises :class:`~rag.errors.InputError` with the number of a line in another form.
    """
    known = _read_tables(tables)
    look_ups: list[tuple[str, str, _Table, _Place]] = []
    count = 0
    keys = {"id": str, "question": str, "table": str, "answers": list}
    for number, asked in read_json_lines(questions, keys, _REMEDY):
        if asked["table"] not in known:
            raise InputError(f"{questions}, line {number}: table {asked['table']} is not in {tables}", _REMEDY)
        if not is_texts(asked["answers"]):
            raise InputError(f"{questions}, line {number}: 'answers' must be a list of texts", _REMEDY)
        count += 1
        table, question = known[asked["table"]], unescape(asked["question"]).strip()
        if len(asked["answers"]) == 1 and _plain(asked["answers"][0]) not in _plain(question):
            place = table.find(question, asked["answers"][0])
            if place:
                look_ups.append((asked["id"], question, table, place))
    draw = random.Random(seed)  # noqa: S311 - a seed, not a secret
    examples: list[Example] = []
    for turn in range(passes):
        for identity, question, table, place in look_ups:
            example = _example(f"{identity}/{turn}", question, table, place, unanswerable, draw)
            if example:
                examples.append(example)
    dropped = count - len({example.id.rpartition("/")[0] for example in examples})
    are = counted(dropped, f"question of {questions.name} is", f"questions of {questions.name} are")
    notes = (f"{are} not answered by one certain cell: left out",) if dropped else ()
    return tuple(examples), notes


def _read_tables(path: Path) -> dict[str, _Table]:
    known = {}
    for number, table in read_json_lines(path, {"table": str, "rows": list}, _REMEDY):
        rows = table["rows"]
        if not rows or not all(is_texts(row) for row in rows) or not rows[0]:
            raise InputError(f"{path}, line {number}: 'rows' must be lists of texts, the first one the header", _REMEDY)
        known[table["table"]] = _Table(rows)
    return known


def _example(
    identity: str, question: str, table: _Table, place: _Place, unanswerable: float, draw: random.Random
) -> Example | None:
    windows = (_window(table, place, draw) for _ in range(_TRIES))
    rows = next((rows for rows in windows if rows and _is_alone(table, rows, place)), None)
    if rows is None:
        return None
    if draw.random() >= unanswerable:
        context, span = _passage(table, rows, place)
        return Example(identity, question, context, (span,))
    columns = list(range(len(table.header)))
    if draw.random() < 1 / 3 and len(columns) > 2:
        columns.remove(place.column)
    else:
        rows.remove(place.row)
    return Example(identity, question, _markdown(table, rows, columns), ())


def _window(table: _Table, place: _Place, draw: random.Random) -> list[int] | None:
    """Return consecutive rows around the answer's, as many as drawn or fit; None if they are too few."""
    count = min(draw.randint(*_ROWS), len(table.rows))
    first = draw.randint(max(0, place.row - count + 1), min(place.row, len(table.rows) - count))
    rows = list(range(first, first + count))
    while len(rows) >= _ROWS[0]:
        if len(_markdown(table, rows, range(len(table.header)))) <= _CHARACTERS:
            return rows
        rows.remove(rows[0] if place.row - rows[0] > rows[-1] - place.row else rows[-1])
    return None


def _is_alone(table: _Table, rows: Sequence[int], place: _Place) -> bool:
    """Return whether no other cell of the rows has the answer's text."""
    answer = table.plain[place.row][place.column]
    return sum(table.plain[row].count(answer) for row in rows) == 1


def _passage(table: _Table, rows: Sequence[int], place: _Place) -> tuple[str, Span]:
    context = _markdown(table, rows, range(len(table.header)))
    line = 2 + rows.index(place.row)  # after the header and its rule
    start = sum(len(text) + 1 for text in context.split("\n")[:line])
    start += 2 + sum(len(cell) + 3 for cell in table.rows[place.row][: place.column])
    return context, (start, start + len(table.rows[place.row][place.column]))


def _markdown(table: _Table, rows: Sequence[int], columns: Sequence[int]) -> str:
    return markdown_table([table.header[c] for c in columns], [[table.rows[r][c] for c in columns] for r in rows])


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
