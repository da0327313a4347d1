"""Limits that a question sets: ``more than 50 seats``, ``before 1 June``, ``in the second quarter of 2025``.

A limit is checked against one column of a table, and only where unit and column are plain; :func:`find_limits` reads
them and :meth:`Limit.check` decides for a cell. English only.
"""

from __future__ import annotations

import calendar
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.evidence.token_match import content_stems
from rag.evidence.values import Value, find_values, is_year, unit_of

__all__ = ["Limit", "find_limits", "without_limits"]

Day = tuple[int, int, int]

_COMPARATIVE = r"(?:no\s+)?(?:more|less|fewer|[a-z]{2,}er)(?:\s+\w+)?\s+than"
_OPERATOR = re.compile(
    rf"\b(?P<op>{_COMPARATIVE}|at\s+least|at\s+most|over|above|exceed\w*|beyond|under|below|up\s+to|since|from|after|"
    r"until|till|by|before)\s+(?:an?\s+|the\s+)?(?P<before>before\s+)?(?:£|\$|€|EUR\s|USD\s|GBP\s)?\Z",
    re.IGNORECASE,
)
_DOWN = frozenset(
    """
    less fewer shorter smaller lower lighter cheaper earlier younger under below before until till
    """.split()  # noqa: SIM905 - a list literal is laid out one word a line
)
_UP = frozenset(
    """
    more longer greater larger bigger higher heavier later dearer wider taller deeper over above exceed exceeds
    exceeding exceeded beyond since from after
    """.split()  # noqa: SIM905
)
_PERIOD = re.compile(
    r"\b(?:(?P<word>first|second|third|fourth|last)\s+(?P<part>quarter|half)|Q(?P<q>[1-4]))(?:\s+of)?(?:\s+(?P<year>\d{4}))?\b",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"\bbetween\s+\Z", re.IGNORECASE)
_INSIDE = re.compile(r"\b(?:in|on|during|of|within)\s+\Z", re.IGNORECASE)
_ORDER = ("first", "second", "third", "fourth")
_LAST_DAY: Day = (9999, 12, 31)
_FIRST_DAY: Day = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit ``question[start:end]``. ``dates`` are the first and last day, or else ``low`` and ``high`` are amounts.

    ``dimension`` is the unit's, empty without one; ``stems`` are those of the words after the number. A ``strict``
    limit excludes its ends.
    """

    start: int
    end: int
    low: float = -math.inf
    high: float = math.inf
    dimension: str = ""
    strict: bool = False
    dates: tuple[Day, Day] | None = None
    stems: frozenset[str] = frozenset()

    def check(self, cell: str, column: str) -> bool | None:
        """Return whether a cell of a column keeps to the limit, None if the cell has not one value to compare."""
        if self.dates is not None:
            days = [value.date for value in find_values(cell) if value.kind == "date"]
            if len(days) != 1 or not all(days[0]):
                return None
            return self.dates[0] <= days[0] <= self.dates[1]
        amount = self._amount(cell, column)
        if amount is None:
            return None
        return self.low < amount < self.high if self.strict else self.low <= amount <= self.high

    def _amount(self, cell: str, column: str) -> float | None:
        values = find_values(cell)
        if len(values) != 1 or values[0].kind != "number" or values[0].weak or values[0].label:
            return None
        value = values[0]
        if cell[: value.start].strip() or cell[value.end :].strip():
            return None
        dimension, factor = (value.dimension, 1.0) if value.dimension else unit_of(column)
        if dimension != self.dimension:
            return None
        return value.amount * factor


def find_limits(question: str) -> list[Limit]:
    """Return the limits of a question in their order."""
    found = [_period_limit(match) for match in _PERIOD.finditer(question) if match["year"]]
    values = [v for v in find_values(question) if not any(f.start <= v.start < f.end for f in found)]
    skip = -1
    for n, value in enumerate(values):
        if n == skip:
            continue
        following = values[n + 1] if n + 1 < len(values) else None
        before = question[: value.start]
        if following is not None and _BETWEEN.search(before):
            if re.fullmatch(r"\s+and\s+(?:£|\$|€|EUR\s)?", question[value.end : following.start]):
                skip = n + 1
                found += _between(question, value, following)
        elif match := _OPERATOR.search(before):
            found += _limit(question, value, match)
        elif _INSIDE.search(before) and (period := _whole(value)) is not None:
            found.append(Limit(value.start, value.end, dates=period))
    return sorted(found, key=lambda limit: limit.start)


def without_limits(question: str, limits: Sequence[Limit]) -> str:
    """Return a question with spaces in place of its limits."""
    return "".join(" " if any(x.start <= n < x.end for x in limits) else c for n, c in enumerate(question))


def _period_limit(match: re.Match[str]) -> Limit:
    year, n = int(match["year"]), int(match["q"] or 0)
    size = 6 if (match["part"] or "").lower() == "half" else 3
    if not n:
        word = match["word"].lower()
        n = 12 // size if word == "last" else _ORDER.index(word) + 1
    last = min(12, n * size)
    return Limit(*match.span(), dates=((year, last - size + 1, 1), (year, last, calendar.monthrange(year, last)[1])))


def _whole(value: Value) -> tuple[Day, Day] | None:
    """Return the first and last day of a year, month or day."""
    if is_year(value):
        return (int(value.raw), 1, 1), (int(value.raw), 12, 31)
    if value.kind != "date" or not value.date[0]:
        return None
    year, month, day = value.date
    return (year, month, day or 1), (year, month, day or calendar.monthrange(year, month)[1])


def _between(question: str, low: Value, high: Value) -> Iterator[Limit]:
    first, last = _whole(low), _whole(high)
    if first is not None and last is not None:
        yield Limit(low.start, high.end, dates=(first[0], last[1]))
    elif low.kind == high.kind == "number":
        dimension = high.dimension or low.dimension
        factor = high.amount / high.raw if high.raw and not low.dimension else 1.0
        after = _stems_after(question, high)
        yield Limit(low.start, high.end, low.amount * factor, high.amount, dimension, stems=after)


def _limit(question: str, value: Value, match: re.Match[str]) -> Iterator[Limit]:
    words = match["op"].lower().split()
    direction = _direction(words) if not match["before"] else -1
    start = match.start("op")
    period = _whole(value) if words[0] not in ("more", "less", "fewer") else None
    if words == ["by"] and period is not None:
        direction = -1
    if direction == 0:
        return
    if period is not None:
        first, last = period
        after, to = words[0] == "after" or words[-1] == "than", match["before"] or words[0] == "before"
        if direction > 0:
            dates = ((*last[:2], last[2] + 1) if after else first, _LAST_DAY)
        else:
            dates = (_FIRST_DAY, (*first[:2], first[2] - 1) if to or words[-1] == "than" else last)
        yield Limit(start, value.end, dates=dates)
    elif value.kind == "number":
        strict = words[-1] == "than" and words[0] != "no"
        strict = strict or words[0] in ("over", "above", "beyond", "under", "below") or words[0].startswith("exceed")
        low, high = (value.amount, math.inf) if direction > 0 else (-math.inf, value.amount)
        yield Limit(start, value.end, low, high, value.dimension, strict, stems=_stems_after(question, value))


def _direction(words: list[str]) -> int:
    """Return 1 for a lower limit, -1 for an upper one, 0 if it is not known which."""
    if words[:2] == ["at", "least"]:
        return 1
    if words[:2] in (["at", "most"], ["up", "to"]):
        return -1
    negated = words[0] == "no"
    word = words[1] if negated else words[0]
    direction = 1 if word in _UP else -1 if word in _DOWN else 0
    return -direction if negated else direction


def _stems_after(question: str, value: Value) -> frozenset[str]:
    return content_stems(" ".join(question[value.end :].split()[:1]))
