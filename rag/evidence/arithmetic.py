"""Numbers that no passage states but that can be computed from some: sums, differences, products, counts and the like.

An operation is tried only if the question or the answer asks for it by a word, and only over numbers that belong
together: the cells of one column, or two numbers that the answer itself names. Otherwise small numbers would agree by
chance.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

from rag.evidence.units import Unit
from rag.evidence.values import Value, find_values, same

__all__ = ["computed", "extreme"]

Score = Callable[[Unit, Value | None], float]

_MOST_UNITS = 14  # the units whose numbers are combined
_LEAST_ROWS = 3
_LEAST_FIT = 0.15  # mean score of the cells of a column
_LEAD = 1.005  # by which a column may fit worse than the best one


@dataclass(frozen=True)
class _Operation:
    name: str
    cues: re.Pattern[str]
    of_column: Callable[[Sequence[float]], float] | None = None
    of_two: Callable[[float, float], float] | None = None


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{words})\b", re.IGNORECASE)


OPERATIONS = (
    _Operation(
        "sum",
        _pattern(
            r"total|totals|sum|average|mean|together|altogether|in all|all|combined|overall|and|both|plus|add(?:ed|s)?|"
            r"всего|итого|вместе|сумма"
        ),
        of_column=math.fsum,
        of_two=lambda a, b: a + b,
    ),
    _Operation("average", _pattern(r"average|mean|on average|средн\w+"), of_column=lambda xs: math.fsum(xs) / len(xs)),
    _Operation("number of rows", _pattern(r"how many|number of|count|average|mean|сколько"), of_column=len),
    _Operation(
        "difference",
        _pattern(
            r"difference|by how much|how much|how many|how long|more|less|fewer|save\w*|saving|than|longer|shorter|"
            r"faster|slower|older|younger|higher|lower|cheaper|dearer|larger|smaller|rise|rose|fall|fell|drop\w*|"
            r"grow\w*|grew|change\w*|increase\w*|decrease\w*|margin|won?|between|left|above|below|"
            r"over|under|exceed\w*|remain\w*|discount|разница|больше|меньше|насколько"
        ),
        of_two=lambda a, b: a - b,
    ),
    _Operation(
        "product",
        _pattern(
            r"cost\w*|price\w*|pay\w*|total|together|altogether|in all|all|times|each|every|per|for|стоит|стоят|сколько"
        ),
        of_two=lambda a, b: a * b,
    ),
    _Operation(
        "share",
        _pattern(r"per ?cent|percentage|share|discount|proportion|ratio|times|процент\w*|%"),
        of_two=lambda a, b: a / b if b else math.nan,
    ),
)


def computed(
    value: Value, question: str, answer: str, units: Sequence[Unit], score: Score, *, certain: bool = False
) -> tuple[tuple[Unit, ...], str] | None:
    """Return the units whose numbers make up ``value`` and a remark on how, or None.

    Question or answer must name the operation by a word, unless the number is too long to agree by chance. ``score``
    says how well a unit, or a value of it, fits the claim. With ``certain``, question or answer must name both of two
    numbers.
    """
    asked = f"{question} . {answer}"
    if value.kind == "date":
        return _later_date(value, units, score)
    if value.kind != "number":
        return None
    is_long = abs(value.raw) >= 100 or value.raw != int(value.raw)
    operations = [operation for operation in OPERATIONS if is_long or operation.cues.search(asked)]
    named = [v for v in find_values(asked) if v.kind == "number" and not same(v, value)]
    given = [v for v in find_values(question) if v.kind == "number" and v.amount]
    made = _of_column(value, [o for o in operations if o.cues.search(asked)], units, score)
    return made or _of_two(value, operations, named, given, units, score, certain)


def _of_column(
    value: Value, operations: Sequence[_Operation], units: Sequence[Unit], score: Score
) -> tuple[tuple[Unit, ...], str] | None:
    """Try each column of each table of at least three rows. A column that fits worse than another one is left out."""
    found: list[tuple[float, tuple[Unit, ...], str]] = []
    for rows in tables(units):
        columns = [
            [(row, n) for row in rows if (n := cell_number(row, k)) is not None] for k in range(len(rows[0].cells))
        ]
        columns = [cells for cells in columns if len(cells) >= _LEAST_ROWS]
        fits = [sum(score(row, number) for row, number in cells) / len(cells) for cells in columns]
        for cells, fit in zip(columns, fits, strict=True):
            for operation in operations:
                if operation.of_column is None or fit < max(fits) / _LEAD:
                    continue
                if _close(value, operation.of_column([number.amount for _, number in cells]), cells[0][1]):
                    found.append((fit, tuple(row for row, _ in cells), f"{operation.name} of {len(cells)} cells"))
    if not found:
        return None
    fit, rows_of_best, remark = max(found, key=lambda entry: entry[0])
    return (rows_of_best, remark) if fit >= _LEAST_FIT else None


def tables(units: Sequence[Unit]) -> Iterator[list[Unit]]:
    """Yield the rows of each table: those of one document with the same columns, also over several passages."""
    found: dict[tuple[str, tuple[str, ...], int], list[Unit]] = {}
    for unit in units:
        if unit.cells:
            columns = tuple(cell.column for cell in unit.cells)
            rows = found.setdefault((unit.passage.source, columns, 0 if any(columns) else unit.passage.id), [])
            if unit.text not in {row.text for row in rows}:
                rows.append(unit)
    yield from found.values()


def cell_number(row: Unit, column: int) -> Value | None:
    """Return the only number of a cell, or None."""
    numbers = [value for value in row.cells[column].values if value.kind == "number"]
    return numbers[0] if len(numbers) == 1 else None


def _of_two(
    value: Value,
    operations: Sequence[_Operation],
    named: Sequence[Value],
    given: Sequence[Value],
    units: Sequence[Unit],
    score: Score,
    certain: bool,
) -> tuple[tuple[Unit, ...], str] | None:
    """Try pairs of numbers: of one column, of one unit if one is named, or both named, in question or answer.

    ``given`` numbers, of the question, need not be in a passage.
    """
    ranked = sorted(units, key=lambda unit: score(unit, None), reverse=True)
    best = ranked[:_MOST_UNITS]
    rows = {(unit.passage.id, len(unit.cells)) for unit in [u for u in ranked if u.cells][:3]}
    best += [unit for unit in ranked if (unit.passage.id, len(unit.cells)) in rows and unit not in best][:_MOST_UNITS]
    best += [u for u in ranked if u not in best and any(same(n, v) for n in named for v in u.values)][:_MOST_UNITS]
    numbers: list[tuple[Unit | None, Value, bool]] = [(None, number, True) for number in given]
    numbers += [
        (unit, number, any(same(known, number) for known in named))
        for unit in best
        for number in unit.values
        if number.kind == "number" and number.amount and not number.label and not same(value, number)
    ]
    for (one, a, a_named), (other, b, b_named) in permutations(numbers, 2):
        both = a_named and b_named
        if one is other is None or (certain and not both):
            continue
        if not both and not _belong(one, a, other, b, a_named or b_named):
            continue
        for operation in operations:
            result = _apply(operation, a, b)
            if result is not None and _close(value, result, a):
                return tuple(
                    dict.fromkeys(u for u in (one, other) if u is not None)
                ), f"{operation.name} of two numbers"
    return None


def _belong(one: Unit | None, a: Value, other: Unit | None, b: Value, named: bool) -> bool:
    """Return whether two numbers are of one column of a table, or of one unit, or one is a percentage or given."""
    if one is other or one is None or other is None:
        return named
    if one.passage.source == other.passage.source and one.cells and len(one.cells) == len(other.cells):
        return any(a in x.values and b in y.values for x, y in zip(one.cells, other.cells, strict=True))
    return named and "percent" in (a.dimension, b.dimension)


def _apply(operation: _Operation, a: Value, b: Value) -> float | None:
    """Return the result; a percentage is taken off, added or taken of the other number."""
    if operation.of_two is None:
        return None
    if b.dimension == "percent" != a.dimension:
        share = b.amount / 100
        return {"difference": a.amount * (1 - share), "sum": a.amount * (1 + share), "product": a.amount * share}.get(
            operation.name
        )
    if operation.name in ("sum", "difference") and a.dimension != b.dimension:
        return operation.of_two(a.raw, b.raw) if not (a.dimension and b.dimension) else None
    return operation.of_two(a.amount, b.amount)


def _close(value: Value, result: float, operand: Value) -> bool:
    """Return whether a result is the value: as it is, as a percentage, or rounded to the value's decimals."""
    forms = [result] if value.dimension != "percent" or operand.dimension == "percent" else [result, 100 * result]
    near = 0.05 if value.hedged else 1e-6
    rounding = 0.5 * 10 ** -_decimals(value) if _decimals(value) else 1e-9
    return any(
        math.isclose(value.amount, form, rel_tol=near)
        or math.isclose(value.raw, form, rel_tol=near, abs_tol=rounding * 0.999)
        for form in forms
        if form
    )


def _decimals(value: Value) -> int:
    text = f"{value.raw:.6f}".rstrip("0")
    return len(text) - text.index(".") - 1


def _later_date(value: Value, units: Sequence[Unit], score: Score) -> tuple[tuple[Unit, ...], str] | None:
    """A date that is another one of the same unit plus a number of months or years, or the day before that."""
    if not all(value.date):
        return None
    for unit in sorted(units, key=lambda unit: score(unit, None), reverse=True)[:_MOST_UNITS]:
        months = [int(v.amount) for v in unit.values if v.dimension == "months"]
        for start in (v.date for v in unit.values if v.kind == "date" and all(v.date)):
            for count in months:
                if _shifted(start, count) in (value.date, _next_day(value.date)):
                    return (unit,), "a date and a period"
    return None


def _shifted(date: tuple[int, int, int], months: int) -> tuple[int, int, int]:
    year, month = divmod(date[0] * 12 + date[1] - 1 + months, 12)
    return year, month + 1, date[2]


def _next_day(date: tuple[int, int, int]) -> tuple[int, int, int]:
    try:
        day = dt.date(*date) + dt.timedelta(days=1)
    except (ValueError, OverflowError):
        return date
    return day.year, day.month, day.day


_MOST = _pattern(
    r"(?<!at )most|highest|largest|longest|biggest|greatest|dearest|heaviest|maximum|max|latest|oldest|tallest|widest|"
    r"самый больш\w+|наибольш\w+|максимальн\w+|больше всего"
)
_LEAST = _pattern(
    r"(?<!at )least|lowest|smallest|shortest|cheapest|fewest|fastest|quickest|lightest|minimum|min|earliest|youngest|"
    r"наименьш\w+|минимальн\w+|меньше всего|дешевле всего"
)


def extreme(unit: Unit, value: Value, question: str, units: Sequence[Unit]) -> tuple[Unit, str] | None:
    """Return the row with the largest or smallest number, and that number, if the question asks for it.

    None if the value, a cell of ``unit``, is that number itself, or if it is not in a column of at least three.
    """
    cell = unit.cell_of(value)
    most = _MOST.search(question) and not re.search(r"\bmost expensive\b.*\bleast\b", question)
    least = _LEAST.search(question)
    if cell is None or value.kind != "number" or bool(most) == bool(least):
        return None
    column = unit.cells.index(cell)
    for rows in tables(units):
        if unit.text not in {row.text for row in rows}:
            continue
        cells = [(number.amount, row, number) for row in rows if (number := cell_number(row, column)) is not None]
        if len(cells) < 3:
            return None
        amount, row, number = (max if most else min)(cells, key=lambda entry: entry[0])
        return None if math.isclose(amount, value.amount) else (row, row.passage.text[number.start : number.end])
    return None
