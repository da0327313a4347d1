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
from rag.answering.joining import for_part, quote_parts
from rag.answering.outcome import AnswererSettings, Outcome, is_relevant, unread, without_result
from rag.answering.question_parts import Part, question_parts
from rag.answering.quoting import Quoted, calculation_refusal, checked_rows, quote
from rag.answering.stream_filter import AnswerFilter, is_abstention, strip_markers
from rag.answering.yes_no_replies import with_verdict
from rag.evidence.check import check
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
from rag.retrieval.retriever import Retrieved
from rag.text import counted, one_line
from rag.types import Answer, DroppedPassage, Note, Passage, QuestionKind

__all__ = ["AnswerStream", "Answerer", "AnswererSettings", "ExtractingAnswerer", "WritingAnswerer", "extraction_task"]


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


# Extracting ------------------------------------------------------------------------------------------------------


_CALCULATED: frozenset[QuestionKind] = frozenset({"calculation", "comparison"})


class ExtractingAnswerer:
    """Answers with what stands around the span that an extractor marks in the passages.

    :mod:`rag.answering.quoting` says how much is shown: a sentence, a whole list or paragraph, the matching rows of a
    table. A question that asks to calculate or compare gets the rows that hold the numbers, as an abstention.
    A question of parts gets an answer for each (:mod:`rag.answering.joining`); all are read in one batch.
    A yes/no question also gets "Yes" or "No" before it where that follows (:mod:`rag.answering.yes_no_replies`).
    """

    def __init__(self, extractor: Extractor, settings: AnswererSettings) -> None:
        self.generator = extractor
        self.settings = settings

    def answer_batch(self, retrieved: Sequence[Retrieved], *, closed_book: bool = False) -> list[Answer]:
        """Answer all questions in one batch; see :meth:`Answerer.answer_batch`."""
        near = [not closed_book and is_relevant(r, self.settings) for r in retrieved]
        reads = [is_near and r.kind not in _CALCULATED for r, is_near in zip(retrieved, near, strict=True)]
        parts = [question_parts(r.question) if is_read else () for r, is_read in zip(retrieved, reads, strict=True)]
        tasks = [
            extraction_task(asked)
            for r, is_read, some in zip(retrieved, reads, parts, strict=True)
            if is_read
            for asked in (r, *(for_part(r, part) for part in some))
        ]
        extractions = iter(self.generator.extract(tasks) if tasks else [])
        return [
            self._finish(r, next(extractions), [(part, next(extractions)) for part in some])
            if is_read
            else self._without_reading(r, near=is_near)
            for r, is_near, is_read, some in zip(retrieved, near, reads, parts, strict=True)
        ]

    def _without_reading(self, retrieved: Retrieved, *, near: bool) -> Answer:
        if not near:
            return without_result(retrieved, self.settings)
        if (rows := checked_rows(retrieved)) is not None:
            return self._show(replace(unread(retrieved), finish_reason="stop"), rows)
        return unread(retrieved).abstain(
            "not calculated", replace(self.settings, abstention=calculation_refusal(retrieved))
        )

    def stream(self, retrieved: Retrieved) -> WholeAnswer:
        """Answer one question in one piece: a span is known only when all passages were read."""

        def answer() -> Answer:
            started = time.monotonic()
            answer = self.answer_batch([retrieved])[0]
            return replace(answer, timings={**answer.timings, "first_token": time.monotonic() - started})

        return WholeAnswer(retrieved.passages, answer)

    def _finish(self, retrieved: Retrieved, extraction: Extraction, parts: Sequence[tuple[Part, Extraction]]) -> Answer:
        timings = {**retrieved.timings, "prompt": 0.0, "generate": extraction.seconds}
        outcome = Outcome(
            retrieved, retrieved.passages, (), extraction.finish_reason, extraction.usage, extraction.notes, timings
        )
        started = time.monotonic()
        joined = quote_parts(retrieved, parts, self.settings.min_confidence)
        if joined is None and not extraction.text:
            return outcome.abstain(extraction.finish_reason, self.settings)
        quoted = joined or quote(retrieved, extraction)
        answer = self._show(replace(outcome, timings={**timings, "cite": time.monotonic() - started}), quoted)
        return answer if joined else with_verdict(answer, extraction.signals.margin if extraction.signals else 0.0)

    def _show(self, outcome: Outcome, quoted: Quoted) -> Answer:
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
        elif is_relevant(retrieved, self.settings):
            built = self.builder.build(retrieved.question, retrieved.passages)
        timings = {**retrieved.timings, "prompt": time.monotonic() - started}
        fits = built is not None and bool(built.shown or closed_book)
        return _Prepared(retrieved, built if fits else None, built.dropped if built else (), timings)

    def _finish(self, prepared: _Prepared, completion: Completion | None, seconds: float) -> Answer:
        built, settings = prepared.built, self.settings
        if built is None or completion is None:
            return without_result(prepared.retrieved, settings, prepared.dropped, prepared.timings)
        started = time.monotonic()
        text = strip_markers(completion.text, built.shown)
        notes = list(completion.notes)
        timings = {**prepared.timings, "generate": completion.seconds or seconds}
        reason = completion.finish_reason
        outcome = Outcome(
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
