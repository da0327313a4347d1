"""Typed values in text: numbers with their units, money, dates, times of day, durations and codes.

Two texts state the same value in many forms: ``1,250``, ``1250`` and ``1 250``; ``three`` and ``3``; ``30 %`` and ``30
per cent``; ``2025-04-21`` and ``21 April 2025``; ``72 hours`` and ``three days``. :func:`find_values` reads them with
their places, :func:`same` compares two, and :func:`comparable` says whether one could contradict the other. English
and Russian. It knows nothing of passages or answers.

Numbers are written as :mod:`rag.evidence.token_match` describes. A number without a unit compares with any unit, as
table cells often leave it out; pounds are money, not mass; months and years are not converted into days.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from rag.evidence.value_patterns import (
    CURRENCY_BEFORE,
    FRACTIONS,
    HEDGE,
    MONEY,
    MONTHS,
    NAME_BEFORE,
    OPENERS,
    ORDINALS,
    SCALES,
    SCAN,
    SMALL,
    TABLE,
    TENS,
    UNIT,
    UNIT_IN_NAME,
    WORDED,
)

__all__ = ["Range", "Value", "comparable", "compatible", "find_ranges", "find_values", "same", "unit_of"]

Kind = Literal["number", "date", "clock", "code", "name"]


@dataclass(frozen=True, slots=True)
class Value:
    """A value ``text[start:end]``.

    ``amount`` is in the base unit of ``dimension`` (``time``: seconds; of a clock: minutes), ``raw`` as it is written.
    ``date`` holds (year, month, day), 0 where not said. A ``weak`` value is often no statement of its own: ``one``,
    ``first``, ``nothing``. A ``hedged`` one follows a word such as ``about``. A ``label`` is the number in a
    name, such as ``Unit 12``.
    """

    start: int
    end: int
    kind: Kind
    amount: float = 0.0
    raw: float = 0.0
    dimension: str = ""
    date: tuple[int, int, int] = (0, 0, 0)
    code: str = ""
    weak: bool = False
    hedged: bool = False
    label: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """A range of amounts, both ends included, at ``start``; ``dimension`` is empty without a unit."""

    low: float
    high: float
    dimension: str = ""
    start: int = 0

    def holds(self, value: Value) -> bool:
        """Return whether a number lies in the range."""
        fits = value.kind == "number" and (not self.dimension or compatible(self.dimension, value.dimension))
        return fits and self.low <= value.amount <= self.high

    def fit(self, value: Value) -> float:
        """Return how well a number fits that the range holds: of ``from 5`` and ``from 20``, 22 fits the latter."""
        if math.isfinite(self.low) and math.isfinite(self.high):
            return 1.0
        limit = self.low if math.isfinite(self.low) else self.high
        small, large = sorted((abs(limit), abs(value.amount)))
        return 0.6 + 0.4 * (small / large if large else 1.0)


@lru_cache(maxsize=4096)
def find_values(text: str) -> tuple[Value, ...]:
    """Return the values of a text in their order."""
    values: list[Value] = []
    for match in SCAN.finditer(text):
        values += [value for value in _values(text, match) if not values or value.start >= values[-1].end]
    return tuple(_merge_durations(text, values))


def unit_of(name: str) -> tuple[str, float]:
    """Return the dimension and the factor of the first unit in a column name, ("", 1.0) without one."""
    units = [TABLE.get(match.group()) or WORDED.get(match.group().casefold()) for match in UNIT_IN_NAME.finditer(name)]
    known = [unit for unit in units if unit is not None]
    return known[0] if known else ("", 1.0)


def same(claim: Value, source: Value) -> bool:
    """Return whether ``source`` states what ``claim`` says. A claim may be less precise than a source, not more."""
    if claim.kind == "name" == source.kind:
        return set(claim.code.split()) <= set(source.code.split()) or set(source.code.split()) <= set(
            claim.code.split()
        )
    if {claim.kind, source.kind} & {"code", "name"}:
        return claim.kind == source.kind and claim.code == source.code
    if "date" in (claim.kind, source.kind):
        return _same_date(claim, source)
    if claim.kind != source.kind:
        return False
    if claim.kind == "clock":
        return claim.amount == source.amount
    near = 0.05 if claim.hedged or source.hedged else 1e-6
    if not compatible(claim.dimension, source.dimension):
        return False
    if claim.dimension and source.dimension:
        return math.isclose(claim.amount, source.amount, rel_tol=near, abs_tol=1e-12)
    pairs = ((claim.raw, source.raw), (claim.amount, source.amount))
    return any(math.isclose(a, b, rel_tol=near, abs_tol=1e-12) for a, b in pairs)


def comparable(claim: Value, source: Value) -> bool:
    """Return whether both are of one type, so that ``source`` could contradict ``claim``."""
    if is_year(claim) != is_year(source) and "number" == claim.kind == source.kind:
        return False
    if claim.kind != source.kind:
        return (is_year(claim) and source.kind == "date") or (claim.kind == "date" and is_year(source))
    if claim.kind == "name":
        return not set(claim.code.split()) & set(source.code.split())
    if claim.kind == "date":
        return bool(claim.date[2]) == bool(source.date[2])
    if claim.kind == "code":
        return _shape(claim.code) == _shape(source.code)
    return claim.kind == "clock" or compatible(claim.dimension, source.dimension)


def is_year(value: Value) -> bool:
    """Return whether a number looks like a year: four digits without a unit."""
    return value.kind == "number" and not value.dimension and value.end - value.start == 4 and 1500 <= value.raw <= 2200


def find_ranges(text: str) -> tuple[Range, ...]:
    """Return the ranges of a text: ``120 to 150``, ``above 120``, ``up to 3,000``, ``between 2 and 4``."""
    return tuple(_ranges(text, find_values(text)))


def _ranges(text: str, values: Sequence[Value]) -> Iterator[Range]:
    numbers = [value for value in values if value.kind == "number"]
    paired: set[int] = set()
    for n, (low, high) in enumerate(pairwise(numbers)):
        joined = re.fullmatch(r"\s*(?:to|and|up to|and up to|–|-|—|до)\s*(?:£|\$|€|EUR )?", text[low.end : high.start])
        between = "and" not in text[low.end : high.start] or re.search(r"between\W+\Z", text[: low.start])
        if joined and between:
            dimension = high.dimension or low.dimension
            start = high.amount / high.raw * low.raw if high.raw and not low.dimension else low.amount
            if start <= high.amount:
                paired |= {n, n + 1}
                yield Range(start, high.amount, dimension, low.start)
    for n, value in enumerate(numbers):
        before = text[max(0, value.start - 14) : value.start].lower()
        if n in paired:
            continue
        if re.search(r"\b(?:above|over|more than|from|after|свыше|более|от)\W*\Z", before):
            yield Range(value.amount, math.inf, value.dimension, value.start)
        elif re.search(r"\b(?:up to|under|below|at most|less than|within|until|до|менее)\W*\Z", before):
            yield Range(-math.inf, value.amount, value.dimension, value.start)


# Reading ---------------------------------------------------------------------------------------------------------


def _values(text: str, match: re.Match[str]) -> Iterator[Value]:
    start, end = match.span()
    if value := _date(match):
        yield value
    elif match["duration"]:
        parts = [float(part) for part in match["duration"].split(":")]
        seconds = sum(part * 60**n for n, part in enumerate(reversed(parts)))
        yield Value(start, end, "number", seconds, seconds, "time")
    elif match["clock"] or match["hour"]:
        hour, minute = (match["clock"] or f"{match['hour']}:{match['minute'] or '00'}").split(":")
        half = (match["half1"] or match["half2"] or "").lower()
        hours = int(hour) % 12 + (12 if half == "p" else 0) if half else int(hour)
        yield Value(start, end, "clock", hours * 60.0 + int(minute))
    elif match["version"] or match["code"]:
        yield _code(match)
    elif match["article"]:
        yield _with_unit(text, Value(start, match.end() - 1, "number", 1.0, 1.0, weak=True))
    elif match["words"]:
        if (amount := _in_words(match["words"].lower())) is not None:
            words = match["words"].lower()
            if re.split(r"[ -]", words)[-1] in ORDINALS:
                share = re.search(r"\b(?:a|one|two)[ -]\Z", text[max(0, start - 5) : start].lower()) is not None
                weak = words in ("first", "second") or share or text[end : end + 4] == " of "
                yield Value(start, end, "number", amount, amount, "ordinal", weak=weak)
                return
            weak = words in SCALES or words in ("one", "zero", "none", "nothing", "half", "quarter")
            value = _with_unit(text, Value(start, end, "number", amount, amount, weak=weak))
            yield replace(value, weak=weak and not (value.dimension and words == "one"))
    elif match["number"]:
        yield _number(text, match)


def _date(match: re.Match[str]) -> Value | None:
    start, end = match.span()
    for n, group in enumerate(("iso", "dmy", "fromday", "daymonth", "monthday", "monthyear"), start=1):
        if not match[group]:
            continue
        named = match.groupdict()
        year = int(named.get(f"y{n}") or 0)
        day = int(named.get(f"d{n}") or 0)
        month = int(named[f"m{n}"]) if n <= 2 else MONTHS[str(named[f"month{n}"]).lower()]
        if month <= 12 and day <= 31:
            return Value(start, end, "date", date=(year, month, day))
    return None


def _code(match: re.Match[str]) -> Value:
    """Return a code, or a number that its unit follows without a space: ``60p``, ``25kg``."""
    word = match.group()
    if joined := re.fullmatch(r"(\d+(?:[.,]\d+)?)([^\W\d_]+)", word):
        unit = TABLE.get(joined[2])
        if unit:
            raw = float(joined[1].replace(",", "."))
            return Value(*match.span(), "number", raw * unit[1], raw, unit[0])
    trimmed = word.rstrip("./-")
    return Value(match.start(), match.start() + len(trimmed), "code", code=trimmed.casefold())


def _number(text: str, match: re.Match[str]) -> Value:
    digits = match["number"].replace("−", "-").replace("–", "-")
    separator = match["sep"]
    if separator:
        whole, dot, rest = digits.replace(separator, "").partition(".")
        if not dot:
            whole, dot, rest = whole.partition(",")
        amount = float(f"{whole}.{rest or 0}")
    elif re.fullmatch(r"-?[1-9]\d{0,2}(?:\.\d{3})+,\d+", digits):
        amount = float(digits.replace(".", "").replace(",", "."))
    else:
        amount = float(digits.replace(",", "."))
    end = match.end()
    if scale := re.match(r"[ \u00a0](million|billion|thousand|тыс|млн|миллион\w*|тысяч\w?)\b", text[end : end + 14]):
        amount *= {"m": 1e6, "b": 1e9, "t": 1e3, "т": 1e3, "м": 1e6}[scale[1][0]]
        end += scale.end()
    hedged = HEDGE.search(text[max(0, match.start() - 18) : match.start()]) is not None
    if match["suffix"]:
        return Value(match.start(), end, "number", amount, amount, "ordinal")
    value = _with_unit(text, Value(match.start(), end, "number", amount, amount, hedged=hedged))
    before = NAME_BEFORE.search(text, max(0, value.start - 24), value.start)
    word = before[1].casefold() if before is not None else ""
    is_name = bool(word) and word not in OPENERS and word not in MONTHS
    return replace(value, label=is_name and not value.dimension and amount < 1000)


def _with_unit(text: str, value: Value) -> Value:
    """Return the value with the currency before it or the unit behind it."""
    start, end = value.start, value.end
    if before := CURRENCY_BEFORE.search(text, max(0, start - 5), start):
        dimension, factor = TABLE[before[1]]
        return replace(value, start=before.start(), dimension=dimension, amount=value.raw * factor)
    if after := UNIT.match(text, end):
        if after["per"]:
            dimension, factor = "percent", 1.0
        elif after["square"]:
            dimension, factor = "area", 1.0
        else:
            dimension, factor = TABLE[after["unit"]]
        return replace(value, end=after.end(), dimension=dimension, amount=value.raw * factor)
    return value


def _in_words(words: str) -> float | None:
    """Return the number that words say, such as ``two hundred and fifty`` or ``two and a half``."""
    total, current, seen = 0.0, 0.0, False
    parts = [part for part in re.split(r"[ -]", words) if part not in ("and", "a")]
    for n, part in enumerate(parts):
        if part in FRACTIONS and (n or part in ("half", "quarter")):
            share = FRACTIONS[part]
            numerator = n and parts[n - 1] in SMALL and "and" not in words
            current = current * share if numerator else current + share
        elif part in SMALL:
            current += SMALL[part]
        elif part in TENS:
            current += TENS[part]
        elif part in ORDINALS:
            current += ORDINALS[part]
        elif part in SCALES:
            current = (current or 1.0) * SCALES[part]
            if SCALES[part] >= 1000:
                total, current = total + current, 0.0
        seen = True
    return total + current if seen else None


def _merge_durations(text: str, values: Sequence[Value]) -> Iterator[Value]:
    """Yield the values, with ``1 min 43 s`` and ``3 hours and 10 minutes`` as one."""
    merged: list[Value] = []
    for value in values:
        last = merged[-1] if merged else None
        if (
            last is not None
            and last.dimension == value.dimension == "time"
            and value.amount / (value.raw or 1) < last.amount / (last.raw or 1)
            and re.fullmatch(r"(?:\s|,|and)*", text[last.end : value.start])
        ):
            amount = last.amount + value.amount
            merged[-1] = replace(last, end=value.end, amount=amount, raw=amount, weak=False)
        else:
            merged.append(value)
    yield from merged


# Comparing -------------------------------------------------------------------------------------------------------


def compatible(one: str, other: str) -> bool:
    """Return whether values of two dimensions can be the same: either has none, or both are money."""
    return one == other or not one or not other or ("money" in (one, other) and {one, other} <= MONEY)


def _same_date(claim: Value, source: Value) -> bool:
    if claim.kind == source.kind:
        shared = [(a, b) for a, b in zip(claim.date, source.date, strict=True) if a and b]
        precise = all(b or not a for a, b in list(zip(claim.date, source.date, strict=True))[1:])
        return bool(shared) and precise and all(a == b for a, b in shared)
    if claim.kind == "number":
        return is_year(claim) and claim.raw == source.date[0]
    return is_year(source) and claim.date == (int(source.raw), 0, 0)


def _shape(code: str) -> str:
    """Return the form of a code: digits as 0, letters as a, runs as one."""
    return re.sub(r"\d+", "0", re.sub(r"[^\W\d_]+", "a", code))
