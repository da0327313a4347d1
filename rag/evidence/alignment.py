"""Align a claim with the passages: score every place by the words and values of claim and question that are near it.

A score is the share, weighted by rarity, of the words and values of claim and question that are near a place, 0 to 1.
The value that is being checked is left out, so that all values of its type compete on equal terms
(:func:`candidates`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from rag.evidence.claims import Statement
from rag.evidence.names import find_names
from rag.evidence.polarity import opposites_of
from rag.evidence.units import Cell, Unit, read_units
from rag.evidence.values import Value, comparable, find_values, same
from rag.evidence.versions import Versions
from rag.evidence.vocabulary import words_of
from rag.types import Passage

__all__ = ["Aligner", "Candidate", "asserted_values"]

# How much a word counts by where it is, seen from a value. In a sentence it is Unit.nearness.
IN_ROW, IN_NEAR, IN_CONTEXT, IN_DOCUMENT = 1.0, 0.35, 0.5, 0.2
IN_OPPOSITE = 0.6  # its opposite is there instead: the same matter
# How much a word counts by where it was said: in the claim near the value or farther off, only in the question, only
# in the rest of the sentence. Other values that the claim asserts are as doubtful as the one that is checked.
OF_CLAIM, OF_FAR, OF_QUESTION, OF_SENTENCE, OF_OTHER_VALUE = 1.0, 0.6, 0.5, 0.3, 0.3
NEAR = 40  # characters around a value of the claim
OLDER = 0.8  # of the score in an older version of a document
NO_UNIT = 0.9  # of the score of a number without the claim's unit
MAGNITUDE = 0.2  # how much less a number counts that is ten times as large or small
WITNESS = 0.3  # of the witness's confidence


@dataclass(frozen=True)
class Candidate:
    """A value in the passages that a claim's value may be. ``value`` is None in a column name, title or heading."""

    unit: Unit
    value: Value | None
    score: float


@dataclass(frozen=True)
class _Key:
    """A word or value that was said, with its weight."""

    word: str
    value: Value | None
    weight: float
    opposites: frozenset[str] = frozenset()


def asserted_values(text: str, question: str) -> list[Value]:
    """Return the values and names of a claim that the question does not give."""
    asked = [*find_values(question), *find_names(question)]
    values = sorted([*find_values(text), *find_names(text)], key=lambda value: value.start)
    return [
        value
        for value in values
        if not value.weak and not value.label and not any(same(value, other) for other in asked)
    ]


@dataclass(frozen=True)
class Aligner:
    """The evidence for one answer. ``spans`` are a witness's answers: (passage, start, end, confidence)."""

    answer: str
    question: str
    units: tuple[Unit, ...]
    versions: Versions
    spans: tuple[tuple[int, int, int, float], ...] = ()

    @classmethod
    def of(
        cls, answer: str, question: str, passages: Sequence[Passage], spans: Sequence[tuple[int, int, int, float]] = ()
    ) -> Aligner:
        """Read the passages."""
        return cls(answer, question, tuple(read_units(passages)), Versions.of(passages, question), tuple(spans))

    def candidates(self, statement: Statement, value: Value, besides: Sequence[Value]) -> Iterator[Candidate]:
        """Yield the places that state the claim's value, and those of other values that it could be confused with.

        ``value`` has offsets of the answer. Values in ``besides``, which the claim or the question states too, are no
        rivals.
        """
        keys = self.keys(statement, value)
        behind = self.answer[value.end : min(statement.end, value.end + 30)].split(",")[0]
        counts = value.kind == "number" and not value.dimension and bool(words_of(behind))
        for unit in self.units:
            for other in unit.values:
                if same(value, other) or _is_rival(value, other, besides, unit, counts):
                    yield Candidate(unit, other, self.score(keys, unit, other) * _likeness(value, other))
            names = [known for cell in unit.cells for known in find_values(cell.column)]
            if any(same(value, other) for other in (*names, *unit.context_values)):
                yield Candidate(unit, None, self.score(keys, unit, None))

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """All words of the passages."""
        return frozenset(self._frequency)

    def keys(self, statement: Statement, value: Value | None = None) -> list[_Key]:
        """Return the words and values of claim, question and sentence, except ``value``."""
        claim = self.answer[statement.start : statement.end]
        near = claim
        if value is not None:
            near = self.answer[max(statement.start, value.start - NEAR) : min(statement.end, value.end + NEAR)]
        column = _column(self.answer, statement, value)
        sentence = f"{statement.head} · {self.answer[slice(*statement.sentence)]}"
        layers = (
            (OF_CLAIM, f"{column} · {near}"),
            (OF_FAR, claim),
            (OF_QUESTION, self.question),
            (OF_SENTENCE, sentence),
        )
        hidden = words_of(self.answer[value.start : value.end]) if value is not None else frozenset()
        words: dict[str, float] = {}
        for weight, text in layers:
            for word in words_of(text) - hidden:
                words.setdefault(self.known(word), weight)
        keys = [
            _Key(word, None, weight * self.rarity(word), opposites_of(word))
            for word, weight in words.items()
            if word in self._frequency or opposites_of(word) & self.vocabulary
        ]
        return keys + self._value_keys(claim, value)

    def _value_keys(self, claim: str, value: Value | None) -> list[_Key]:
        asked = [v for v in find_values(self.question) if not v.weak]
        said = [v for v in find_values(claim) if not v.weak and not any(same(v, other) for other in asked)]
        weighed = [(v, OF_CLAIM) for v in asked]
        weighed += [(v, OF_CLAIM if v.kind == "code" or v.label else OF_OTHER_VALUE) for v in said]
        return [
            _Key("", v, weight * self._rarity_of(v)) for v, weight in weighed if value is None or not same(value, v)
        ]

    def known(self, word: str) -> str:
        """Return the word of the evidence that a word is a form or a part of, or the word itself.

        ``phone`` is a part of ``telephone``, ``visitor`` a form of ``visit``.
        """
        if word in self._frequency or len(word) < 5:
            return word
        if word not in self._forms:
            alike = [w for w in self._frequency if len(w) >= 5 and (word in w or w in word)]
            self._forms[word] = min(alike, key=lambda w: abs(len(w) - len(word)), default=word)
        return self._forms[word]

    def has(self, word: str, words: frozenset[str]) -> bool:
        """Return whether a word, or another form of it, is among the words of a unit."""
        return word in words or self.known(word) in words

    def rarity(self, word: str) -> float:
        """Return how much a word tells: the logarithm of its rarity among the units."""
        return math.log(1 + len(self.units) / (0.5 + self._frequency.get(word, 0)))

    @cached_property
    def _frequency(self) -> dict[str, int]:
        """In how many units, titles with headings, and names of columns each word is."""
        counts: dict[str, int] = {}
        texts = [unit.words for unit in self.units]
        texts += {unit.passage.id: unit.context for unit in self.units}.values()
        texts += {cell.column: cell.column_words for unit in self.units for cell in unit.cells}.values()
        for words in texts:
            for word in words:
                counts[word] = counts.get(word, 0) + 1
        return counts

    @cached_property
    def _forms(self) -> dict[str, str]:
        return {}

    def _rarity_of(self, value: Value) -> float:
        count = sum(bool(unit.same_as(value)) for unit in self.units)
        return math.log(1 + len(self.units) / (0.5 + count))

    def score(self, keys: Sequence[_Key], unit: Unit, value: Value | None = None) -> float:
        """Return how well a unit, or one of its values, fits."""
        total = sum(key.weight for key in keys)
        score = sum(key.weight * _nearness(key, unit, value) for key in keys) / total if total else 1.0
        if value is not None:
            score += WITNESS * self._witnessed(unit, value)
        return score * (OLDER if self.versions.is_older(unit.passage) else 1.0)

    def _witnessed(self, unit: Unit, value: Value) -> float:
        sure = (
            confidence
            for rank, start, end, confidence in self.spans
            if rank == unit.rank and start < value.end and value.start < end
        )
        return max(sure, default=0.0)


def _nearness(key: _Key, unit: Unit, value: Value | None) -> float:
    """Return how near a stated word or value is to a value of the unit, or to the unit if ``value`` is None."""
    cell = unit.cell_of(value) if value is not None else None
    if key.value is not None:
        return _value_nearness(key.value, unit, value, cell)
    word = key.word
    if cell is not None and word in cell.column_words:
        return IN_ROW
    if word in unit.words:
        return IN_ROW if unit.cells or value is None else unit.nearness(word, value)
    if value is None and any(word in other.column_words for other in unit.cells):
        return IN_ROW
    if key.opposites & unit.words:
        return IN_OPPOSITE
    if word in unit.context:
        return IN_CONTEXT
    if word in unit.near:
        return IN_NEAR
    return IN_DOCUMENT if word in unit.document else 0.0


def _value_nearness(known: Value, unit: Unit, value: Value | None, cell: Cell | None) -> float:
    """Return how near a value that was stated is to a value of the unit, or to the unit if ``value`` is None."""

    def near(start: int) -> float:
        return IN_ROW if unit.cells or value is None else unit.nearness_of(start, value)

    if there := [other for other in unit.same_as(known) if other is not value]:
        return max(near(other.start) for other in there)
    if ranges := [found for found in unit.ranges if found.holds(known)]:
        return max(found.fit(known) * near(found.start) for found in ranges)
    if cell is not None and any(same(known, other) for other in find_values(cell.column)):
        return IN_ROW
    if any(same(known, other) for other in unit.context_values):
        return IN_CONTEXT
    return IN_NEAR if any(same(known, other) for other in unit.near_values) else 0.0


def _is_rival(value: Value, other: Value, besides: Sequence[Value], unit: Unit, counts: bool) -> bool:
    """Return whether a value of the passages could be what the claim should have said."""
    if (other.weak and other.raw) or other.label or not comparable(value, other):
        return False
    if value.dimension and not (other.dimension or other.weak) and (value.dimension == "percent" or not unit.cells):
        return False
    if counts and other.dimension:
        return False
    return not any(same(known, other) for known in besides)


def _likeness(value: Value, other: Value) -> float:
    """Return how alike two numbers are: less than 1 without the claim's unit, or of another magnitude."""
    if same(value, other):
        return 1.0
    likeness = NO_UNIT if value.dimension and not other.dimension else 1.0
    amount = value.amount if other.dimension else value.raw
    if value.kind == "number" and amount and other.amount:
        likeness /= 1 + MAGNITUDE * abs(math.log10(abs(amount / other.amount)))
    return likeness


def _column(answer: str, statement: Statement, value: Value | None) -> str:
    """Return the name of the column of a value in a table of the answer."""
    if not statement.columns or value is None:
        return ""
    row = answer[statement.start : statement.end]
    cell = row[: value.start - statement.start].count("|") - row.startswith("|")
    return statement.columns[cell] if 0 <= cell < len(statement.columns) else ""
