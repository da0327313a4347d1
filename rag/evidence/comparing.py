"""Whether the numbers, dates and times that a question asks about agree with those of a sentence.

A value stands for a range: ``more than 8`` is above 8, ``until 30 April`` up to it, a bare value for itself. If all
that the sentence allows lies in what is asked, they agree; if the two have nothing in common, they do not.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.evidence.values import Value, compatible, find_ranges, find_values, is_year
from rag.evidence.vocabulary import words_of

__all__ = ["Agreement", "agreement"]

_ABOVE = r"more|longer|later|older|higher|greater|larger|bigger|heavier|farther|further|taller|wider"
_BELOW = r"less|fewer|shorter|earlier|younger|lower|smaller|cheaper|lighter|sooner"
_LINK = r"(?:\W+(?:the|a|an|of|age|is|are|was|to|day|midnight|end|start|in|at|on)\b){0,4}\W*\Z"
_BEFORE: tuple[tuple[str, str], ...] = (
    (r"\b(?:before|until|by|within) the end of(?: the)?\W*\Z", "<="),
    (r"\bafter the end of(?: the)?\W*\Z", ">"),
    (rf"(?:no|not) (?:{_ABOVE}) than{_LINK}", "<="),
    (rf"(?:no|not) (?:{_BELOW}) than{_LINK}", ">="),
    (rf"(?:not) (?:before|until){_LINK}", ">="),
    (rf"(?:not) (?:after|above|over|exceed){_LINK}", "<="),
    (rf"\b(?:{_ABOVE}) than{_LINK}|\b(?:over|above|exceed\w*|after|beyond|past){_LINK}", ">"),
    (rf"\b(?:{_BELOW}) than{_LINK}|\b(?:under|below|before|prior to){_LINK}", "<"),
    (
        rf"\b(?:at least|from|minimum|since|as of|starting|shortest|smallest|lowest|earliest|youngest)"
        rf"(?:\W+\w+)?{_LINK}",
        ">=",
    ),
    (
        rf"\b(?:at most|up to|within|until|till|by|maximum|limited to|restricted to|longest|largest|highest|latest)"
        rf"(?:\W+\w+)?{_LINK}",
        "<=",
    ),
)
_AFTER: tuple[tuple[str, str], ...] = (
    (r"\W*(?:\w+\W+)?(?:or|and) (?:more|over|above|older|longer|later|higher|upwards?)\b", ">="),
    (r"\W*(?:\w+\W+)?(?:or|and) (?:less|fewer|under|below|younger|shorter|earlier|lower)\b", "<="),
    (r" at (?:the )?(?:latest|most)\b", "<="),
    (r" at (?:the )?(?:earliest|least)\b|\W{1,2}(?:onwards?|upwards?)\b", ">="),
)
_TIMES = {"once": "1 times", "twice": "2 times", "thrice": "3 times"}
_MONTH = 30.4 * 86400  # seconds
_PREPOSITIONS = frozenset(
    """
    of for at in on to by from within after before until is are was were about over under
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """``sign`` is 1 or -1 if the values agree or not, 0 if that is open; ``compared`` counts the values compared.

    ``unmatched`` counts the question's values that the sentence says nothing comparable about, and ``labels`` those
    of them that name another thing, as in bus 12 and bus 14.
    """

    sign: int = 0
    compared: int = 0
    unmatched: int = 0
    labels: int = 0


@dataclass(frozen=True, slots=True)
class _Span:
    """All amounts that a value stands for, from ``low`` to ``high``; strict ends are moved by a little."""

    low: float
    high: float


def agreement(question: str, sentence: str, context: str = "", *, allows: bool = False) -> Agreement:
    """Compare the values of a question with those of a sentence.

    ``context`` is what the sentence is under; a value found there names the same thing. With ``allows`` the sentence
    permits something, so that a number is its most: what may be renewed twice may be renewed once.
    """
    question, sentence = (_numbered(text) for text in (question, sentence))
    signs: list[int] = []
    unmatched = labels = 0
    known = find_values(context)
    said = [value for value in find_values(sentence) if _counts(value)]
    for value in (value for value in find_values(question) if _counts(value)):
        others = _rivals(question, value, sentence, said)
        name, noun = _name(question, value), _noun(question, value)
        named = [v for v in said if name and _name(sentence, v) == name and not (noun and _noun(sentence, v) == noun)]
        if named or _is_label(question, value):
            same = any(_key(other) == _key(value) for other in (*said, *known))
            labels += not same and any(other in named or _is_label(sentence, other) for other in said)
            unmatched += not same
        elif not others:
            unmatched += not any(_key(other) == _key(value) for other in known)
        else:
            found = {_compare(question, value, sentence, other, allows=allows) for other in others}
            signs.append(found.pop() if len(found) == 1 else 0)
    sign = 0 if not signs or 0 in signs else min(signs)
    return Agreement(sign, len(signs), unmatched, labels)


def _numbered(text: str) -> str:
    return re.sub(r"\b(?:once|twice|thrice)\b", lambda match: _TIMES[match.group().lower()], text, flags=re.IGNORECASE)


def _counts(value: Value) -> bool:
    return value.kind in ("number", "date", "clock", "code") and (
        not value.weak or bool(value.dimension) or value.raw not in (0.0, 0.5, 0.25, 1.0)
    )


def _key(value: Value) -> tuple[object, ...]:
    return value.kind, value.code, value.raw, value.date


def _is_label(text: str, value: Value) -> bool:
    """Return whether a number names one thing of several, as in ``bus 12``."""
    if value.kind == "code" or value.label:
        return True
    return bool(_name(text, value)) and not re.match(r" [^\W\d_]{3}", text[value.end :])


def _name(text: str, value: Value) -> frozenset[str]:
    """Return the stem of the noun that a bare number follows, as in ``bus 12``."""
    before = re.search(r"([^\W\d_]+) \Z", text[max(0, value.start - 24) : value.start])
    bare = value.kind == "number" and not value.dimension and not is_year(value) and text[value.start].isdecimal()
    if not bare or before is None:
        return frozenset()
    return frozenset() if before[1].lower() in _PREPOSITIONS else words_of(before[1])


def _rivals(question: str, value: Value, sentence: str, said: Sequence[Value]) -> list[Value]:
    """Return the sentence's values to compare with: of the same noun, else the same unit, else of any."""
    noun = _noun(question, value)
    able = [v for v in said if _spans_fit(value, v) and _same_noun(noun, _noun(sentence, v), value, v)]
    for chosen in (
        [other for other in able if noun and noun == _noun(sentence, other)],
        [other for other in able if value.dimension and other.dimension == value.dimension],
        able,
    ):
        if chosen:
            return chosen
    return []


def _same_noun(asked: frozenset[str], said: frozenset[str], value: Value, other: Value) -> bool:
    """Return whether two numbers may count the same: not two signs and two metres, or the second year and semester."""
    units = {value.dimension, other.dimension} - {"", "ordinal"}
    return asked == said or (not units and not (asked and said)) or (bool(units) and not (asked or said))


def _noun(text: str, value: Value) -> frozenset[str]:
    after = re.match(r"[ -]([^\W\d_]+)", text[value.end :])
    return words_of(after[1]) if after and value.dimension in ("", "ordinal") else frozenset()


def _spans_fit(one: Value, other: Value) -> bool:
    dated = [value.kind == "date" or is_year(value) for value in (one, other)]
    if any(dated):
        return all(dated)
    if one.kind != other.kind:
        return False
    if "ordinal" in (one.dimension, other.dimension):
        return one.dimension == other.dimension
    time = {one.dimension, other.dimension} <= {"time", "months"}
    return time or compatible(one.dimension, other.dimension)


def _compare(question: str, value: Value, sentence: str, other: Value, *, allows: bool) -> int:
    years = all(v.date[0] or v.kind != "date" for v in (value, other))
    if not value.dimension or not other.dimension:
        value, other = (replace(v, amount=v.raw, dimension="") if v.kind == "number" else v for v in (value, other))
    asked, said = _span(question, value, years), _span(sentence, other, years, allows=allows)
    if _beyond(max(asked.low, said.low), min(asked.high, said.high)):
        return -1
    inside = not _beyond(asked.low, said.low) and not _beyond(said.high, asked.high)
    within = not _beyond(said.low, asked.low) and not _beyond(asked.high, said.high)
    return 1 if inside or (within and (asked.low == asked.high or value.kind == "date")) else 0


def _beyond(one: float, other: float) -> bool:
    """Return whether an amount is above another by more than rounding."""
    return one > other and (math.isinf(one - other) or one - other > 1e-9 * max(abs(one), abs(other), 1.0))


def _span(text: str, value: Value, years: bool, *, allows: bool = False) -> _Span:
    low, high = _ends(value, years)
    for found in find_ranges(text):
        if value.kind == "number" and found.start == value.start and math.isfinite(found.low + found.high):
            return _Span(found.low, found.high)
    before, after = text[max(0, value.start - 40) : value.start].lower(), text[value.end : value.end + 24].lower()
    sign = next((sign for form, sign in _AFTER if re.match(form, after)), "") or next(
        (sign for form, sign in _BEFORE if re.search(form, before)), ""
    )
    little = 1e-7 * max(1.0, abs(low), abs(high))
    if not sign and allows and value.kind == "number" and not is_year(value) and value.dimension != "ordinal":
        sign = "<="
    if sign in (">", ">="):
        return _Span(high + little if sign == ">" else low, math.inf)
    if sign in ("<", "<="):
        return _Span(-math.inf, low - little if sign == "<" else high)
    return _Span(low, high)


def _ends(value: Value, years: bool) -> tuple[float, float]:
    """Return the first and the last amount of a value; those of a date are days."""
    if value.kind == "clock" or (value.kind == "number" and not is_year(value)):
        amount = value.amount * (_MONTH if value.dimension == "months" else 1.0)
        return amount, amount
    if value.kind == "number":
        return _day(int(value.raw), 1, 1), _day(int(value.raw), 12, 31)
    year, month, day = value.date
    year = year if years and year else 2000
    if not month:
        return _day(year, 1, 1), _day(year, 12, 31)
    return _day(year, month, day or 1), _day(year, month, day or 31)


def _day(year: int, month: int, day: int) -> float:
    while True:
        try:
            return float(dt.date(year, month, day).toordinal())
        except ValueError:
            day -= 1
