"""What the chat page shows, without a widget: the confidence in a word, why there is no answer, times, answer texts.

The words "high", "medium" and "low" mean this. What a reader marked has a calibrated chance of being right: high from
the reader's stricter threshold on (.69 with the bundled one: it would be given even where half of the questions have no
answer), low below one half (more likely wrong than right), medium between them. What a language model wrote has no such
chance, only evidence: medium where a passage stands behind every sentence, low where one has none; never high, because
words that occur in a source are not yet an answer to the question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rag.config import MARKING, Config
from rag.records import Answer, Passage
from ui.asking import Clock, NothingIn, Outcome
from ui.history import Turn
from ui.safe import escape, one_line

__all__ = [
    "Choice",
    "Line",
    "absence",
    "answer_html",
    "band",
    "choices",
    "passage_place",
    "place",
    "plain_text",
    "times",
    "to_turn",
]

Band = Literal["high", "medium", "low"]
EVEN = 0.5


@dataclass(frozen=True)
class Choice:
    """A generator that can be chosen: its name in the catalogue, and the settings that choose it."""

    name: str
    assignments: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """A text of the catalogue with its values, in seconds."""

    key: str
    seconds: float


def choices(config: Config) -> list[Choice]:
    """Return what can answer with a configuration, its own first: the reader, the language model, both together."""
    part = config.generator
    writer = part.writer if part.type in MARKING else part.type
    ways = [
        Choice("reader", ("generator.type=extractive",)),
        Choice("written", (f"generator.type={writer}",)),
        Choice("both", ("generator.type=hybrid", f"generator.writer={writer}")),
    ]
    own = {"extractive": 0, "hybrid": 2}.get(part.type, 1)
    return [Choice(ways[own].name, ()), *(way for n, way in enumerate(ways) if n != own)]


def band(answer: Answer, *, marked: bool, strict: float) -> Band:
    """Say the confidence of an answer that was given in a word; see the module."""
    if marked and answer.citations:
        if answer.confidence >= max(strict, EVEN):
            return "high"
        return "medium" if answer.confidence >= EVEN else "low"
    supported = bool(answer.sentences) and all(sentence.supported for sentence in answer.sentences)
    return "medium" if supported else "low"


def absence(answer: Answer, nothing_in: NothingIn) -> str:
    """Say why an answer is an abstention: a name of the catalogue's, empty where it is none."""
    if not answer.abstained:
        return ""
    if not answer.passages and nothing_in:
        return {"index": "empty", "filter": "filtered"}[nothing_in]
    known = {"nothing relevant": "irrelevant", "low confidence": "unsure", "no passage fits": "unfit"}
    return known.get(answer.finish_reason, "silent")


def to_turn(question: str, outcome: Outcome, config: Config) -> Turn:
    """Return what came of a question as the history keeps it."""
    answer = outcome.answer
    given = answer is not None and not answer.abstained
    marked = config.generator.type in MARKING
    return Turn(
        question=question,
        answer=answer,
        shown=outcome.shown,
        stopped=outcome.stopped,
        failure=outcome.failure,
        band=band(answer, marked=marked, strict=outcome.strict) if answer is not None and given else "",
        absence=absence(answer, outcome.nothing_in) if answer is not None else "",
        clock=outcome.clock,
        config=config.digest(),
    )


def times(clock: Clock) -> list[Line]:
    """Return the waits that a reader may care about, each from the moment of asking.

    Where the models had to load first, that wait is told, and the others are counted from its end.
    """
    if clock.done is None:
        return []
    waited = clock.loaded or 0.0
    lines = [Line("loading", waited)] if waited >= 0.5 else []
    for key, moment in (("sources", clock.sources), ("first", clock.first_text), ("done", clock.done)):
        if moment is not None:
            lines.append(Line(key, max(moment - waited, 0.0)))
    return lines


def answer_html(answer: Answer, unsupported: str) -> str:
    """Return an answer's text as HTML: numbers of citations after their sentences, unsupported ones underlined.

    ``unsupported`` is the mark behind those, read out by a screen reader too.
    """
    pieces, at = [], 0
    for sentence in sorted(answer.sentences, key=lambda s: s.start):
        if sentence.start < at:
            continue
        pieces.append(escape(answer.text[at : sentence.start]))
        told = escape(answer.text[sentence.start : sentence.end])
        if sentence.citation is None:
            pieces.append(f'<u class="rag-unsupported">{told}</u> <small>{escape(unsupported)}</small>')
        else:
            pieces.append(f"{told} <sup>[{sentence.citation + 1}]</sup>")
        at = sentence.end
    pieces.append(escape(answer.text[at:]))
    return f'<div class="rag-text">{"".join(pieces)}</div>'


def plain_text(turn: Turn) -> str:
    """Return what the copy button copies: the answer and its sources, as they are."""
    lines = [turn.said]
    if turn.answer is not None and turn.answer.citations:
        lines.append("")
        lines += [f"[{n}] {place(turn.answer, n - 1)}" for n in range(1, len(turn.answer.citations) + 1)]
    return "\n".join(lines)


def place(answer: Answer, number: int) -> str:
    """Say where a citation stands; see :func:`passage_place`."""
    return passage_place(answer.citations[number].passage)


def passage_place(passage: Passage) -> str:
    """Say where a passage stands: file, page and the heading it is under, in one line."""
    parts = [passage.source, *([f"p. {passage.page}"] if passage.page is not None else [])]
    return one_line(" · ".join([*parts, *passage.headings[-1:]]), 300)
