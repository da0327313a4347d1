"""Answers to questions that the extractive model cannot read: the sentence or table row with the question's words.

No model reads anything. Every sentence, list item and table row of the passages gets signals: which share of the
question's words it holds itself, which share its headings and column names, its neighbors and its passage add, whether
it can answer such a question (a number, a date, a person), and its passage's retrieval score. A weighted sum chooses,
a logistic function gives the probability that the choice is right. The weights are fitted by
``python -m benchmarks.fit_sentences``.

It knows words, not meanings: a synonym is a missing word, and a sentence about something else with the same words
looks like an answer.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from rag.evidence.asked_words import AskedWords, stems_of
from rag.evidence.question_words import asked_kind, fits_kind
from rag.evidence.quotation import table_cells
from rag.evidence.statements import Statement, statements
from rag.evidence.values import find_values
from rag.generation.base import Evidence, Extraction, ExtractionTask
from rag.types import Note, Usage

__all__ = ["MOST_LEAD", "Choice", "SentenceSelector", "SentenceSignals", "SentenceWeights", "choices"]

MOST_LEAD = 4.0  # scores; a single statement leads by no more
_MOST_NEW = 8


@dataclass(frozen=True, slots=True)
class SentenceSignals:
    """What a statement's score is made of; shares are of the question's words, by weight, 0 to 1.

    ``own``: in it; ``label``: what headings, title and column names add; ``near``: what the neighboring sentences add;
    ``passage``: what the rest of the passage adds. ``retrieval`` is the passage's score minus that of the best one.
    ``unfit`` is 1 for a statement that cannot answer such a question, ``bare`` 1 for one that says no more than the
    question. ``new`` is the number of further words, 0 to 1 for 8 and more. ``row`` is 1 for a row of a table.
    """

    own: float
    label: float
    near: float
    passage: float
    retrieval: float
    unfit: float
    bare: float
    new: float
    row: float


@dataclass(frozen=True, slots=True)
class SentenceWeights:
    """The weights of the signals for choosing (``order``) and for the confidence (``chance``), in the same order.

    The confidence's log-odds add ``lead`` times the score's distance to the next statement, and ``bias``.
    """

    order: tuple[float, ...] = (5.18, 0.48, -1.32, -3.51, 1.64, -1.61, -0.99, -0.08, -0.07)
    chance: tuple[float, ...] = (2.09, 1.35, 0.0, 0.0, 1.27, -0.29, -0.77, -0.36, 0.13)
    lead: float = 0.61
    bias: float = -1.66

    def score(self, signals: SentenceSignals) -> float:
        """Return the score of a statement, by which statements are compared."""
        return _weighted(self.order, signals)

    def confidence(self, signals: SentenceSignals, lead: float) -> float:
        """Return the probability, 0 to 1, that the best statement is the right one."""
        z = self.bias + self.lead * min(lead, MOST_LEAD) + _weighted(self.chance, signals)
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, z))))


@dataclass(frozen=True, slots=True)
class Choice:
    """A statement of a task's passage with its signals and its score."""

    passage: int
    statement: Statement
    signals: SentenceSignals
    score: float


class SentenceSelector:
    """Selects sentences by their words. Deterministic, and safe to call from many threads."""

    def __init__(self, weights: SentenceWeights | None = None) -> None:
        self.weights = weights or SentenceWeights()

    def select(self, task: ExtractionTask) -> Extraction:
        """Return the best sentence or table row, or nothing if no word of the question occurs.

        The finish reason is then ``unknown script``: nothing could be read.
        """
        started = time.monotonic()
        ranked = choices(task, self.weights)
        if not ranked:
            return Extraction("", "unknown script", Usage(), 0.0, time.monotonic() - started)
        best = ranked[0]
        lead = best.score - ranked[1].score if len(ranked) > 1 else MOST_LEAD
        confidence = self.weights.confidence(best.signals, lead)
        text = task.passages[best.passage].text
        start, end = _essence(task, text, best.statement)
        evidence = (Evidence(best.passage, start, end),)
        seconds = time.monotonic() - started
        return Extraction(text[start:end], "stop", Usage(), confidence, seconds, (_BY_WORDS,), None, evidence)


_BY_WORDS = Note(
    "The extractive model does not read this language: sentences are chosen by their words.", "chosen_by_words"
)


def choices(task: ExtractionTask, weights: SentenceWeights) -> list[Choice]:
    """Return the statements with a word of the question, the best first; of equal and overlapping ones only the best.

    A word in the headings or column names of a statement is enough. Where a question word asks for a number or a date,
    statements without one are left out.
    """
    found = [(n, statement) for n, passage in enumerate(task.passages) for statement in statements(passage.text)]
    words = AskedWords(task.question, [f"{s.text} {s.label}" for _, s in found])
    top = max((passage.score for passage in task.passages), default=0.0)
    asked = asked_kind(task.question)
    kind = asked or task.kind
    whole = [stems_of(f"{p.context}\n{p.text}") for p in task.passages]
    scored = []
    for n, statement in found:
        passage = task.passages[n]
        own = stems_of(statement.text)
        label = stems_of(f"{passage.context} {statement.label}")
        shares = [words.share(zones) for zones in ([own], [own, label], [own, label, stems_of(statement.near)])]
        fits = fits_kind(statement.text, kind, task.question)
        if not shares[1] or (not fits and asked in ("number", "date")):
            continue
        shares.append(max(shares[-1], words.share([whole[n]])))
        new = words.new(own)
        signals = SentenceSignals(
            shares[0],
            shares[1] - shares[0],
            shares[2] - shares[1],
            shares[3] - shares[2],
            max(-3.0, passage.score - top),
            float(not fits),
            float(new == 0),
            min(new, _MOST_NEW) / _MOST_NEW,
            float(statement.row),
        )
        scored.append(Choice(n, statement, signals, weights.score(signals)))
    scored.sort(key=lambda c: (-c.score, c.passage, c.statement.start))
    unique: list[Choice] = []
    for choice in scored:
        if not any(_same(task, choice, other) for other in unique):
            unique.append(choice)
    return unique


def _same(task: ExtractionTask, one: Choice, other: Choice) -> bool:
    """Return whether two statements are the same text, or overlap in the same document."""
    a, b = task.passages[one.passage], task.passages[other.passage]
    if (one.statement.text, one.statement.label) == (other.statement.text, other.statement.label):
        return True
    return (
        a.source == b.source
        and a.start + one.statement.start < b.start + other.statement.end
        and b.start + other.statement.start < a.start + one.statement.end
    )


def _essence(task: ExtractionTask, text: str, statement: Statement) -> tuple[int, int]:
    """Return (start, end) of the only value that can be meant, else of the whole statement."""
    whole = statement.start, statement.end
    if (asked_kind(task.question) or task.kind) not in ("number", "date"):
        return whole
    if statement.row:
        numeric = [cell for cell in table_cells(text, whole) if text[slice(*cell)][:1].isdigit()]
        return numeric[0] if len(numeric) == 1 else whole
    values = [v for v in find_values(statement.text) if v.kind in ("number", "date", "clock")]
    if len(values) != 1:
        return whole
    return statement.start + values[0].start, statement.start + values[0].end


def _weighted(weights: Sequence[float], signals: SentenceSignals) -> float:
    return float(sum(weight * value for weight, value in zip(weights, astuple(signals), strict=True)))
