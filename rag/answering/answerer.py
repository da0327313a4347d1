"""Passages to answers: two answerers behind one protocol. Single, streamed and batched questions share every step.

:class:`WritingAnswerer` packs a prompt, lets a completer write and looks every sentence up in the passages.
:class:`ExtractingAnswerer` lets an extractor mark spans and cites exactly those.

If nothing relevant was retrieved, the answer is "not in the documents". If the generator finds no answer, a language
model's is "not in the passages", an extractor's "No sure answer.". Either comes with the nearest passages.
``confidence`` is the extractor's, or else the share of the answer's claims that were found (:mod:`rag.evidence.check`).
Below ``min_confidence``, which ``rag eval calibrate`` fits, an answerer abstains.

An answerer knows nothing of indexes: it takes passages wherever they come from.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from rag.answering.bands import band_of_chance, band_of_evidence
from rag.answering.quoting import Quoted, calculation_refusal, checked_rows, quote
from rag.answering.stream_filter import AnswerFilter, is_abstention, strip_markers
from rag.answering.yes_no_replies import with_verdict
from rag.evidence.check import check
from rag.evidence.citations import Cited
from rag.generation.base import (
    Completer,
    Completion,
    Extraction,
    ExtractionTask,
    Extractor,
    Generator,
    PassageText,
    TextStream,
)
from rag.generation.prompt_builder import BuiltPrompt, PromptBuilder, cache_order
from rag.prompt_templates import ABSTENTION
from rag.retrieval.retriever import Retrieved
from rag.text import counted, one_line
from rag.types import Answer, Band, Citation, DroppedPassage, Note, Passage, QuestionKind, Usage

__all__ = ["AnswerStream", "Answerer", "AnswererSettings", "ExtractingAnswerer", "WritingAnswerer", "extraction_task"]


@dataclass(frozen=True, slots=True)
class AnswererSettings:
    """When to abstain, when a claim counts as found, and the name of the generator in the answer's record.

    ``min_relevance`` is the best cosine below which no generator is asked, ``min_support`` the share of a claim's
    words that its place must hold, ``min_confidence`` the confidence below which an answer becomes an
    abstention. ``abstention`` is the text of an abstention after reading: neither an extractor nor a language model
    knows whether other passages of the documents hold the answer.
    """

    min_relevance: float = 0.3
    min_support: float = 0.5
    min_confidence: float = 0.0
    answered_by: str = ""
    abstention: str = ABSTENTION


class AnswerStream(Protocol):
    """Pieces of text, then :attr:`answer`. Closing it aborts the generation; what came so far stays in the answer.

    ``passages`` are the passages that the generator reads, ``first_token_s`` the seconds until the first piece.
    """

    passages: tuple[Passage, ...]

    def __iter__(self) -> Iterator[str]: ...

    def close(self) -> None:
        """Stop generating."""

    @property
    def answer(self) -> Answer:
        """The checked answer. Raises ``RuntimeError`` while a generator is still writing it."""


class Answerer(Protocol):
    """Answers from passages that were retrieved already. Safe to call from many threads."""

    settings: AnswererSettings

    @property
    def generator(self) -> Generator:
        """The generator behind it."""

    def answer_batch(self, retrieved: Sequence[Retrieved], *, closed_book: bool = False) -> list[Answer]:
        """Answer all questions in one batch.

        With ``closed_book`` no passage is shown and nothing can be cited: it measures what a generator knows by itself,
        as a control for an evaluation. Raises what the generator raises.
        """

    def stream(self, retrieved: Retrieved) -> AnswerStream:
        """Answer one question piece by piece."""


def _is_relevant(retrieved: Retrieved, settings: AnswererSettings) -> bool:
    return bool(retrieved.passages) and retrieved.relevance >= settings.min_relevance


@dataclass(frozen=True)
class _Outcome:
    """What a generator did with one question: a result that both answerers finish in the same way."""

    retrieved: Retrieved
    shown: tuple[Passage, ...]
    dropped: tuple[DroppedPassage, ...]
    finish_reason: str
    usage: Usage
    notes: tuple[Note, ...]
    timings: Mapping[str, float]

    def showing(self, citations: Sequence[Citation], notes: Sequence[Note]) -> _Outcome:
        """Return the outcome with the notes, and with the passages of citations from elsewhere in the documents."""
        shown = {passage.id for passage in self.shown}
        more = {c.passage.id: c.passage for c in citations if c.passage.id not in shown}
        return replace(self, shown=(*self.shown, *more.values()), notes=(*self.notes, *notes))

    def abstain(self, reason: str, settings: AnswererSettings, *notes: Note) -> Answer:
        """Return an abstention with the nearest passages."""
        return self._answer(settings.abstention, Cited((), (), 0.0), reason, settings, notes, abstained=True)

    def answer(
        self, text: str, cited: Cited, settings: AnswererSettings, band: Band, short: tuple[int, int] = (0, 0)
    ) -> Answer:
        """Return the answer, or an abstention where its confidence is too low. ``short``: (start, end) in the text."""
        # Rounded before it is compared: a threshold is fitted on the confidences that answers show.
        confidence = round(cited.support, 4)
        if self.shown and confidence < settings.min_confidence and self.finish_reason != "abort":
            return self.abstain("low confidence", settings, _low_confidence(confidence, settings.min_confidence))
        answer = self._answer(text, cited, self.finish_reason, settings, (), abstained=False)
        start, end = short
        return replace(answer, short=text[start:end], short_start=start, band=band)

    def _answer(
        self,
        text: str,
        cited: Cited,
        reason: str,
        settings: AnswererSettings,
        notes: Sequence[Note],
        *,
        abstained: bool,
    ) -> Answer:
        return Answer(
            question=self.retrieved.question,
            text=text,
            abstained=abstained,
            confidence=round(cited.support, 4),
            sentences=cited.sentences,
            citations=cited.citations,
            claims=cited.claims,
            passages=self.shown,
            dropped=self.dropped,
            finish_reason=reason,
            notes=(*self.retrieved.notes, *self.notes, *notes),
            usage=self.usage,
            timings=self.timings,
            generation=self.retrieved.generation,
            generator=settings.answered_by,
            kind=self.retrieved.kind,
        )


def _low_confidence(confidence: float, least: float) -> Note:
    text = f"The best answer found has a confidence of {confidence:.2f}, below {least:.2f}."
    return Note(text, "low_confidence", {"confidence": round(confidence, 2), "least": round(least, 2)})


def _without_result(
    retrieved: Retrieved,
    settings: AnswererSettings,
    dropped: tuple[DroppedPassage, ...] = (),
    timings: Mapping[str, float] | None = None,
) -> Answer:
    """Return the abstention for a question that no generator was asked."""
    reason = "no passage fits" if dropped else "nothing relevant"
    return _unread(retrieved, dropped, timings).abstain(reason, replace(settings, abstention=ABSTENTION))


def _unread(
    retrieved: Retrieved, dropped: tuple[DroppedPassage, ...] = (), timings: Mapping[str, float] | None = None
) -> _Outcome:
    """Return the outcome of a question that no generator was asked."""
    timings = {**(timings or retrieved.timings), "generate": 0.0}
    return _Outcome(retrieved, retrieved.passages, dropped, "", Usage(), (), timings)


# Extracting ------------------------------------------------------------------------------------------------------


_CALCULATED: frozenset[QuestionKind] = frozenset({"calculation", "comparison"})


class ExtractingAnswerer:
    """Answers with what stands around the span that an extractor marks in the passages.

    :mod:`rag.answering.quoting` says how much is shown: a sentence, a whole list or paragraph, the matching rows of a
    table. A question that asks to calculate or compare gets the rows that hold the numbers, as an abstention.
    A yes/no question also gets "Yes" or "No" before it where that follows (:mod:`rag.answering.yes_no_replies`).
    """

    def __init__(self, extractor: Extractor, settings: AnswererSettings) -> None:
        self.generator = extractor
        self.settings = settings

    def answer_batch(self, retrieved: Sequence[Retrieved], *, closed_book: bool = False) -> list[Answer]:
        """Answer all questions in one batch; see :meth:`Answerer.answer_batch`."""
        near = [not closed_book and _is_relevant(r, self.settings) for r in retrieved]
        reads = [is_near and r.kind not in _CALCULATED for r, is_near in zip(retrieved, near, strict=True)]
        tasks = [extraction_task(r) for r, is_read in zip(retrieved, reads, strict=True) if is_read]
        extractions = iter(self.generator.extract(tasks) if tasks else [])
        return [
            self._finish(r, next(extractions)) if is_read else self._without_reading(r, near=is_near)
            for r, is_near, is_read in zip(retrieved, near, reads, strict=True)
        ]

    def _without_reading(self, retrieved: Retrieved, *, near: bool) -> Answer:
        if not near:
            return _without_result(retrieved, self.settings)
        if (rows := checked_rows(retrieved)) is not None:
            return self._show(replace(_unread(retrieved), finish_reason="stop"), rows)
        return _unread(retrieved).abstain(
            "not calculated", replace(self.settings, abstention=calculation_refusal(retrieved))
        )

    def stream(self, retrieved: Retrieved) -> WholeAnswer:
        """Answer one question in one piece: a span is known only when all passages were read."""

        def answer() -> Answer:
            started = time.monotonic()
            answer = self.answer_batch([retrieved])[0]
            return replace(answer, timings={**answer.timings, "first_token": time.monotonic() - started})

        return WholeAnswer(retrieved.passages, answer)

    def _finish(self, retrieved: Retrieved, extraction: Extraction) -> Answer:
        timings = {**retrieved.timings, "prompt": 0.0, "generate": extraction.seconds}
        outcome = _Outcome(
            retrieved, retrieved.passages, (), extraction.finish_reason, extraction.usage, extraction.notes, timings
        )
        if not extraction.text:
            return outcome.abstain(extraction.finish_reason, self.settings)
        started = time.monotonic()
        quoted = quote(retrieved, extraction)
        answer = self._show(replace(outcome, timings={**timings, "cite": time.monotonic() - started}), quoted)
        return with_verdict(answer, extraction.signals.margin if extraction.signals else 0.0)

    def _show(self, outcome: _Outcome, quoted: Quoted) -> Answer:
        band = band_of_chance(quoted.cited.support, self.generator.high_threshold)
        outcome = outcome.showing(quoted.cited.citations, quoted.notes)
        return outcome.answer(quoted.text, quoted.cited, self.settings, band, quoted.short)


def extraction_task(retrieved: Retrieved) -> ExtractionTask:
    """Return what an extractor gets for a question and its passages."""
    passages = tuple(
        PassageText(p.text, p.source, p.start, p.score, p.context, p.prominence) for p in retrieved.passages
    )
    return ExtractionTask(one_line(retrieved.question), passages, retrieved.kind)


class WholeAnswer:
    """A stream of one piece, the whole answer. It is made once, when it is first needed."""

    def __init__(self, passages: tuple[Passage, ...], make: Callable[[], Answer]) -> None:
        self.passages = passages
        self._make = make

    def __iter__(self) -> Iterator[str]:
        yield self.answer.text

    def close(self) -> None:
        """Do nothing: there is nothing to stop."""

    @cached_property
    def answer(self) -> Answer:
        """The checked answer."""
        return self._make()


# Writing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Prepared:
    """A question with its prompt; ``built`` is None if nothing is relevant or no passage fits the prompt."""

    retrieved: Retrieved
    built: BuiltPrompt | None
    dropped: tuple[DroppedPassage, ...]
    timings: Mapping[str, float]

    @property
    def passages(self) -> tuple[Passage, ...]:
        """The passages in the prompt, or the nearest ones."""
        return self.built.shown if self.built is not None else self.retrieved.passages


class WritingAnswerer:
    """Answers with text that a completer writes from a prompt, checked against the passages."""

    def __init__(self, builder: PromptBuilder, completer: Completer, settings: AnswererSettings) -> None:
        self.generator = completer
        self.builder = builder
        self.settings = settings

    def answer_batch(self, retrieved: Sequence[Retrieved], *, closed_book: bool = False) -> list[Answer]:
        """Answer all questions in one batch; see :meth:`Answerer.answer_batch`."""
        prepared = [self._prepare(r, closed_book) for r in retrieved]
        positions = [n for n, p in enumerate(prepared) if p.built is not None]
        prompts = {n: p.built.prompt for n, p in enumerate(prepared) if p.built is not None}
        order = [positions[n] for n in cache_order([prompts[n] for n in positions])]
        started = time.monotonic()
        completions = self.generator.generate([prompts[n] for n in order], self.builder.sampling) if order else []
        seconds = time.monotonic() - started
        by_position = dict(zip(order, completions, strict=True))
        return [self._finish(p, by_position.get(n), seconds) for n, p in enumerate(prepared)]

    def stream(self, retrieved: Retrieved) -> AnswerStream:
        """Answer one question piece by piece."""
        prepared = self._prepare(retrieved, closed_book=False)
        if prepared.built is None:
            return WholeAnswer(prepared.passages, lambda: self._finish(prepared, None, 0.0))
        started = time.monotonic()
        stream = self.generator.stream(prepared.built.prompt, self.builder.sampling)
        return WrittenStream(self, prepared, stream, started)

    def _prepare(self, retrieved: Retrieved, closed_book: bool) -> _Prepared:
        started = time.monotonic()
        built = None
        if closed_book:
            built = self.builder.build(retrieved.question, ())
        elif _is_relevant(retrieved, self.settings):
            built = self.builder.build(retrieved.question, retrieved.passages)
        timings = {**retrieved.timings, "prompt": time.monotonic() - started}
        fits = built is not None and bool(built.shown or closed_book)
        return _Prepared(retrieved, built if fits else None, built.dropped if built else (), timings)

    def _finish(self, prepared: _Prepared, completion: Completion | None, seconds: float) -> Answer:
        built, settings = prepared.built, self.settings
        if built is None or completion is None:
            return _without_result(prepared.retrieved, settings, prepared.dropped, prepared.timings)
        started = time.monotonic()
        text = strip_markers(completion.text, built.shown)
        notes = list(completion.notes)
        timings = {**prepared.timings, "generate": completion.seconds or seconds}
        reason = completion.finish_reason
        outcome = _Outcome(
            prepared.retrieved, built.shown, built.dropped, reason, completion.usage, tuple(notes), timings
        )
        if is_abstention(text) or not (text or reason == "abort"):
            return outcome.abstain(reason, settings)
        if reason == "length":
            limit = self.builder.sampling.max_tokens
            note = f"The answer was cut at {counted(limit, 'token')} (prompt.max_tokens)."
            notes.append(Note(note, "answer_cut", {"n": limit}))
        cited = check(text, built.shown, prepared.retrieved.question, min_support=settings.min_support)
        timings["cite"] = time.monotonic() - started
        return replace(outcome, notes=tuple(notes)).answer(text, cited, settings, band_of_evidence(cited.sentences))


class WrittenStream:
    """A completer's text as the checked answer will say it: without source numbers, an abstention in our words.

    Only the end decides whether the evidence is too thin (``low confidence``): then the answer differs from the stream.
    """

    def __init__(self, answerer: WritingAnswerer, prepared: _Prepared, stream: TextStream, started: float) -> None:
        self.passages = prepared.passages
        self._answerer, self._prepared, self._stream, self._started = answerer, prepared, stream, started
        self._first_token_s: float | None = None
        self._seconds: float | None = None

    def __iter__(self) -> Iterator[str]:
        cleaned = AnswerFilter(self.passages, self._answerer.settings.abstention)
        for piece in self._stream:
            if self._first_token_s is None:
                self._first_token_s = time.monotonic() - self._started
            if text := cleaned.feed(piece):
                yield text
        if text := cleaned.finish(aborted=self._stream.completion.finish_reason == "abort"):
            yield text
        self._seconds = time.monotonic() - self._started

    def close(self) -> None:
        """Stop generating."""
        self._stream.close()

    @property
    def answer(self) -> Answer:
        """The checked answer. Raises ``RuntimeError`` while the stream is still running."""
        seconds = time.monotonic() - self._started if self._seconds is None else self._seconds
        answer = self._answerer._finish(self._prepared, self._stream.completion, seconds)
        if self._first_token_s is None:
            return answer
        return replace(answer, timings={**answer.timings, "first_token": self._first_token_s})
