"""Invented tables with questions about a cell, and similar tables that lack the row, the column or the document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.text import context_line
from rag.training.data.synthetic_passages import CLOSE, OPEN, Asked, Passage
from rag.training.data.synthetic_phrases import Column, Phrases, Table
from rag.training.data.synthetic_values import Values

__all__ = ["ask_table"]

_BARE = frozenset({"money", "bigmoney", "smallmoney"})  # whose currency may stand in the header instead
_FORMS = ("pipes",) * 8 + ("spaces", "records")


@dataclass(frozen=True, slots=True)
class _Filled:
    """A table with values: ``headers`` and ``cells`` without the key columns, which are ``keys`` by row."""

    table: Table
    columns: tuple[Column, ...]
    headers: tuple[str, ...]
    keys: tuple[tuple[str, ...], ...]
    cells: tuple[tuple[str, ...], ...]
    bare: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a table stands and how it is written."""

    title: str
    source: str
    heading: str
    intro: str
    form: str


def ask_table(values: Values, phrases: Phrases) -> Asked:
    """Return a question about a cell of a new table. In some, the answer is the key of a row with a given cell."""
    filled = _fill(values, values.pick(phrases.tables))
    row, column = values.pick(range(len(filled.keys))), values.pick(range(len(filled.columns)))
    inverse = values.chance(0.12) and len(filled.table.keys) == 1
    cell = filled.cells[row][column]
    same = sum(cells[column] == cell for cells in filled.cells)
    inverse = inverse and same == 1 and cell not in {"yes", "no"}
    question = _inverse(values, filled, row, column) if inverse else _question(values, phrases, filled, row, column)
    entity = values.entity(values.pick(("org", "place", "project", "org")))
    edition = values.pick(("", values.year(), values.year(), f"version {values.pick(range(1, 9))}"))
    named, by_edition = values.chance(0.3), bool(edition) and values.chance(0.2)
    question = _about(values, question, entity if named else "", edition if by_edition else "")
    place = _place(values, phrases, filled, entity, edition, shown_edition=by_edition)
    rows, columns = list(range(len(filled.keys))), list(range(len(filled.columns)))
    answering = _passage(filled, place, rows, columns, answer=(row, -1 if inverse else column))

    reasons = ["row", "row"] + ["column"] * (len(columns) > 1)
    reasons += ["entity"] * 3 * named + ["edition"] * 3 * by_edition
    reason = values.pick(reasons)
    if reason == "row":
        missing = _passage(filled, place, [n for n in rows if n != row], columns)
    elif reason == "column":
        missing = _passage(filled, place, rows, [n for n in columns if n != column])
    else:
        other = values.sibling(entity, "org") if reason == "entity" else entity
        year = values.next_edition(edition) if reason == "edition" else edition
        far = _place(values, phrases, filled, other, year, shown_edition=by_edition)
        missing = _passage(_refill(values, filled), far, rows, columns)
    return Asked("table", question, answering, missing, reason)


def _fill(values: Values, table: Table) -> _Filled:
    columns = values.sample(table.columns, values.pick(range(min(2, len(table.columns)), len(table.columns) + 1)))
    if values.chance(0.7):
        columns.sort(key=table.columns.index)
    bare = tuple(column.kind in _BARE and values.chance(0.4) for column in columns)
    headers = tuple(
        f"{column.header} {values.pick(('EUR', '(USD)', 'in €', 'GBP', 'CHF'))}" if plain else column.header
        for column, plain in zip(columns, bare, strict=True)
    )
    keys: list[tuple[str, ...]]
    if len(table.keys) == 1:
        keys = [(key,) for key in values.distinct(table.keys[0].kind, values.pick(range(3, 12)))]
    else:
        first = values.distinct(table.keys[0].kind, values.pick((2, 3, 4)))
        second = values.distinct(table.keys[1].kind, values.pick((2, 3)))
        keys = [(a, b) for a in first for b in second]
    empty = _Filled(table, tuple(columns), headers, tuple(keys), (), bare)
    return _refill(values, empty)


def _refill(values: Values, filled: _Filled) -> _Filled:
    """Return the table with other values in all cells but the keys."""

    def cell(column: Column, bare: bool) -> str:
        value = values.draw(column.kind)
        return re.sub(r"^\D+|\D+$", "", value) if bare else value

    cells = tuple(
        tuple(cell(column, bare) for column, bare in zip(filled.columns, filled.bare, strict=True)) for _ in filled.keys
    )
    return _Filled(filled.table, filled.columns, filled.headers, filled.keys, cells, filled.bare)


def _question(values: Values, phrases: Phrases, filled: _Filled, row: int, column: int) -> str:
    key, asked = filled.keys[row], filled.columns[column]
    general = phrases.table_questions if len(key) == 1 else phrases.two_key_questions
    pattern = values.pick(asked.questions if values.chance(0.65) else general)
    text = pattern.replace("{c}", _lower(asked.header)).replace("{r}", key[0]).replace("{r2}", key[-1])
    return text[0].upper() + text[1:] if text.endswith("?") else text


def _inverse(values: Values, filled: _Filled, row: int, column: int) -> str:
    pattern = values.pick(
        (
            "Which {k} has {v} as its {c}?",
            "For which {k} is the {c} {v}?",
            "{k} with {c} {v}",
            "In the row of which {k} does the {c} say {v}?",
        )
    )
    key = _lower(filled.table.keys[0].header)
    text = pattern.replace("{k}", key).replace("{c}", _lower(filled.headers[column]))
    return text.replace("{v}", filled.cells[row][column])


def _lower(header: str) -> str:
    return header if header[:1] in "QE" else header[0].lower() + header[1:]


def _about(values: Values, question: str, entity: str, edition: str) -> str:
    """Return the question with the document's entity and edition in it, where they are given."""
    mark = "?" if question.endswith("?") else ""
    text = question.removesuffix("?")
    if edition:
        text = values.pick((f"{text} in {edition}", f"{text}, {edition}"))
    if entity:
        lowered = text if text[:2] == "I " else text[0].lower() + text[1:]
        text = values.pick(
            (f"{text}, according to {entity}", f"According to {entity}, {lowered}", f"{entity}: {lowered}")
        )
    return text + mark


def _place(
    values: Values, phrases: Phrases, filled: _Filled, entity: str, edition: str, *, shown_edition: bool
) -> _Place:
    name = filled.table.name
    title = values.pick((f"{name} of {entity}", f"{entity}: {name.lower()}", f"{name}, {entity}"))
    title = title[0].upper() + title[1:]
    source = values.file_name(title, edition)
    if edition and (shown_edition or values.chance(0.8)):
        title = f"{title} {edition}"
    heading = values.pick((name, f"{values.pick(range(1, 10))} {name}", "", "Overview", f"Annex {values.pick('ABCD')}"))
    intro = values.pick(phrases.boilerplate) if values.chance(0.2) else ""
    return _Place(title, source, heading, intro, values.pick(_FORMS))


def _passage(
    filled: _Filled, place: _Place, rows: Sequence[int], columns: Sequence[int], answer: tuple[int, int] | None = None
) -> Passage:
    """Write some rows and columns; ``answer`` is the row and the column to mark, -1 for the key."""
    lines = []
    for row in rows:
        key = list(filled.keys[row])
        shown = [filled.cells[row][column] for column in columns]
        if answer and row == answer[0]:
            if answer[1] < 0:
                key[0] = f"{OPEN}{key[0]}{CLOSE}"
            else:
                at = columns.index(answer[1])
                shown[at] = f"{OPEN}{shown[at]}{CLOSE}"
        lines.append([*key, *shown])
    headers = [*(key.header for key in filled.table.keys), *(filled.headers[column] for column in columns)]
    heading = f"## {place.heading}" if place.heading and len(place.heading) % 3 else ""
    blocks = [heading, place.intro, _written(headers, lines, place.form)]
    title = context_line(place.source, place.title, [place.heading] if place.heading else [])
    return Passage(title, "\n\n".join(block for block in blocks if block))


def _written(headers: Sequence[str], rows: Sequence[Sequence[str]], form: str) -> str:
    """Return a table in Markdown, as the words of a PDF page, or as records of ``key: value`` lines."""
    if form == "spaces":
        return "\n".join(" ".join(row) for row in [headers, *rows])
    if form == "records":
        records = ["\n".join(f"{name}: {cell}" for name, cell in zip(headers, row, strict=True)) for row in rows]
        return "\n\n".join(records)
    rule = ["---"] * len(headers)
    return "\n".join(f"| {' | '.join(row)} |" for row in [headers, rule, *rows])
