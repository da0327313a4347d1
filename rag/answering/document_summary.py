"""An extractive summary: the sentences, list items and table rows that say what a document says. Nothing is rewritten.

A piece counts by five things: where it stands (the beginning of the document and of its sections), how central it is
(degree centrality over sentence embeddings, as in LexRank, Erkan and Radev 2004), how near it is to title and question,
what it states (numbers, names, and how much more it is like a result, a decision or a cost than like a courtesy), and
whether it can stand alone. Pieces are chosen one by one, each the best that is least like those chosen (maximal
marginal relevance, Carbonell and Goldstein 1998), with a bonus for a section of which nothing was chosen and for the
rest of a short list. The weights were tuned on the first half of ``benchmarks/summaries.yaml``.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from indexes import ChunkRow
from rag.answering.summary_choice import focus_of
from rag.answering.summary_units import Span, Unit, spread, units_of
from rag.embedding.base import Float32
from rag.evidence.token_match import content_stems
from rag.text import context_line, counted, one_line
from rag.types import Citation, Note, Passage

__all__ = ["Line", "Summary", "summarise"]

Embed = Callable[[Sequence[str]], Float32]
MOST_UNITS = 256  # that are embedded, evenly spread over the document
FEWEST, MOST = 5, 9  # pieces of a summary, where the document has as many
MOST_WORDS = 180
_LEAST = 2  # fewer pieces are no summary
_SHARE, _LARGEST_SHARE = 0.5, 0.75  # of the document's words, at most: from the fewest pieces on, and below
_DOUBLING = 60  # words that a summary gains when the document doubles
_SHORTEST = 70  # words of a document that would get none by this rule
_FULL = 0.8  # of the words that a summary may have
_WHOLE_LIST = 6  # items of a list that is better shown whole
_ROWS = 2  # of tables, where there are enough sentences
_ALIKE = 0.3  # the least cosine of two pieces that support each other
_NUMBER = re.compile(r"\d[\d.,:/]*")
_NAME = re.compile(r"(?<=[\w,;] )[^\W\d_a-zа-яё][^\W\d_]+")
_MANY = 3  # numbers, and names, that count in full

# What a result, a decision, a cost, a date or a rule sounds like, and what a courtesy or an aside sounds like.
_TELLING = (
    "It was decided that the proposal is accepted.", "The motion was rejected.", "The total cost is 20,000 euros.",
    "The work begins on 3 May and ends on 10 June.", "The cause was a defect.", "It must be paid within 30 days.",
    "The agreement runs for two years.", "Five were found, more than last year.", "It is not allowed to do this.",
    "We recommend three measures.",
)  # fmt: skip
_IDLE = (
    "Thank you for your patience.", "The weather was cold and windy.", "You are welcome to call us with questions.",
    "Someone made a joke and people laughed.", "We look forward to seeing you.", "The meeting was opened and closed.",
    "Present: 20 members. In the chair: Ms Smith.", "This chapter says what the following is about.",
    "Best wishes to everybody.", "I was wrong, sorry about that.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Weights:
    """What a piece counts by; ``repeats``, ``covers`` and ``completes`` a list matter when pieces are chosen."""

    start: float = 0.25
    section: float = 0.2
    central: float = 0.4
    title: float = 0.4
    question: float = 0.8
    words: float = 0.4
    heading: float = 0.4
    facts: float = 0.9
    telling: float = 1.6
    leans: float = 0.3
    quoted: float = 0.1
    repeats: float = 0.5
    covers: float = 0.2
    completes: float = 0.3
    later_row: float = 0.1


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a summary: a chosen piece with its citation, or without one the heading above some.

    ``rows`` is more than 0 for a line, without text, before some of so many rows of a table.
    """

    text: str
    citation: Citation | None = None
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """The lines of a summary in the document's order, and notes on how it was made."""

    lines: tuple[Line, ...]
    notes: tuple[Note, ...]


def summarise(
    question: str, document: str, chunks: Sequence[ChunkRow], embed: Embed, weights: Weights | None = None
) -> Summary | None:
    """Choose what a document's text says, 5 to 9 pieces and about 180 words. None if it has hardly any sentences.

    ``chunks`` are the document's, in order: they are what is cited. ``question`` holds the words that the summary is to
    keep to, and may be empty. ``embed`` returns unit vectors (n, dimension) of n texts.
    """
    units = units_of(document)
    tried = spread(units, MOST_UNITS)
    if len(tried) < _LEAST:
        return None
    title = one_line(chunks[0].title)
    focus = focus_of(question, context_line(chunks[0].source, title, ()))
    scores, vectors = _scores(focus, title, tried, embed, weights or Weights())
    words = len(document.split())
    chosen = sorted(_choose(tried, scores, vectors, words, weights or Weights()))
    picked = [tried[n] for n in chosen]
    notes = []
    if len(tried) < len(units):
        text = f"The document is long: the summary was chosen from {counted(len(tried), 'sentence')} spread over it."
        notes.append(Note(text))
    rows = Counter(unit.group for unit in units if unit.row)
    return Summary(tuple(_lines(picked, title, rows, document, chunks)), tuple(notes))


def _scores(focus: str, title: str, units: Sequence[Unit], embed: Embed, weights: Weights) -> tuple[Float32, Float32]:
    """Return what each piece counts, and its vector (pieces, dimension)."""
    texts = [f"{unit.label}: {unit.span.text}" if unit.label else unit.span.text for unit in units]
    headings = list(dict.fromkeys(unit.heading for unit in units))
    others = [title, focus, *_TELLING, *_IDLE]
    vectors = embed([*texts, *others, *headings])
    vectors, asked, above = np.split(vectors, [len(texts), len(texts) + len(others)])
    likeness = vectors @ vectors.T
    central = _scaled((likeness * (likeness > _ALIKE)).sum(axis=1))
    near = vectors @ asked.T
    telling = near[:, 2 : 2 + len(_TELLING)].max(axis=1) - near[:, 2 + len(_TELLING) :].max(axis=1)
    stems = [content_stems(f"{unit.heading} {text}") for unit, text in zip(units, texts, strict=True)]
    wanted = content_stems(focus)
    scores = weights.central * central + weights.title * near[:, 0] + weights.telling * telling
    if focus:
        fits = dict(zip(headings, above @ asked[1], strict=True))
        scores += weights.question * near[:, 1]
        scores += weights.heading * np.array([fits[unit.heading] for unit in units])
        scores += weights.words * np.array([len(wanted & own) / max(len(wanted), 1) for own in stems])
    for n, unit in enumerate(units):
        scores[n] += weights.start / (1 + n) + weights.section / (1 + unit.place)
        scores[n] += weights.facts * _facts(unit.span.text)
        scores[n] -= weights.leans * unit.leans + weights.quoted * unit.depth
        scores[n] -= weights.later_row * unit.place * unit.row
    return scores, vectors


def _scaled(values: Float32) -> Float32:
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def _facts(text: str) -> float:
    """Return how much a text states, 0 to 1: its numbers, and names that are not its first word."""
    numbers, names = len(_NUMBER.findall(text)), len(_NAME.findall(text))
    return 0.7 * min(numbers, _MANY) / _MANY + 0.3 * min(names, _MANY) / _MANY


def _choose(units: Sequence[Unit], scores: Float32, vectors: Float32, words: int, weights: Weights) -> list[int]:
    """Return the numbers of the chosen pieces."""
    room = min(MOST_WORDS, _SHARE * words, max(_DOUBLING, _DOUBLING * math.log2(max(words, 1) / _SHORTEST)))
    rows = MOST if sum(not unit.row for unit in units) < MOST else _ROWS
    sizes = Counter(unit.group for unit in units if not unit.row)
    lists = [-1 if unit.group is None or sizes[unit.group] > _WHOLE_LIST else unit.group for unit in units]
    likeness = vectors @ vectors.T
    chosen: list[int] = []
    used = 0
    open_to = np.ones(len(units), dtype=bool)
    while len(chosen) < MOST and open_to.any():
        value = scores.copy()
        if chosen:
            begun = np.isin(lists, [lists[n] for n in chosen if lists[n] >= 0])
            value -= weights.repeats * np.where(begun, 0, np.maximum(likeness[:, chosen].max(axis=1), 0))
            value += weights.completes * begun
        sections = {units[n].section for n in chosen}
        value += weights.covers * np.array([unit.section not in sections for unit in units])
        value[~open_to] = -np.inf
        best = int(value.argmax())
        open_to[best] = False
        full = units[best].row and sum(units[n].row for n in chosen) >= rows
        most = room if len(chosen) >= FEWEST else min(MOST_WORDS, _LARGEST_SHARE * words)
        if len(chosen) >= _LEAST and used + units[best].words > most:
            if used >= _FULL * most:
                break  # what is short enough would be a filler
            continue
        if full:
            continue
        chosen.append(best)
        used += units[best].words
    return chosen


def _lines(
    units: Sequence[Unit], title: str, rows: Counter[int | None], document: str, chunks: Sequence[ChunkRow]
) -> list[Line]:
    """Return the lines for chosen pieces in order: under their headings, items below what introduces them."""
    headings = {unit.heading for unit in units if unit.marked and unit.heading != title}
    lines: list[Line] = []
    for heading, members in groupby(units, key=lambda unit: unit.heading if unit.heading in headings else ""):
        if heading and len(headings) > 1:
            lines.append(Line(heading))
        said: Span | None = None
        table: int | None = None
        for unit in members:
            if unit.row and unit.group != table:
                table = unit.group
                lines.append(Line("", rows=rows[table]))
            if unit.intro is not None and unit.intro != said:
                said = unit.intro
                lines += _cited(said, document, chunks)
            lines += _cited(unit.span, document, chunks)
    return lines


def _cited(span: Span, document: str, chunks: Sequence[ChunkRow]) -> list[Line]:
    """Return a line with its citation; nothing where no chunk has its beginning."""
    holding = [chunk for chunk in chunks if chunk.start <= span.start < chunk.end]
    if not holding:
        return []
    chunk = max(holding, key=lambda chunk: min(chunk.end, span.end))
    end = min(chunk.end, span.end)
    passage = Passage(
        chunk.id, chunk.source, chunk.title, chunk.page, chunk.headings, chunk.start, chunk.end, chunk.text, 0.0
    )
    return [Line(span.text, Citation(passage, span.start, end, document[span.start : end]))]
