"""Passages to answer: pack, generate, cite. Single, streamed and batched questions share every step.

When nothing relevant was retrieved, or the generator itself says so, the answer is a plain "not in the documents" with
the nearest passages. ``confidence`` is what the generator says of a span it marked, and else the mean support of the
answer's sentences (see :mod:`rag.evidence.citations`): a measure of evidence. Below ``min_confidence``, which
``rag eval calibrate`` fits, the reader abstains.

A stream shows what the checked answer will say: without the model's source numbers, an abstention in our words. Only
at its end is it known that the evidence is too thin (``low confidence``): then the answer differs from what was shown.

A reader knows nothing of indexes: where passages come from is the caller's affair.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rag.evidence.citations import Cited, MarkerFilter, cite, cite_marked, strip_markers
from rag.generation.base import Completion, Generator, MarkedStream, TextStream
from rag.generation.prompt_builder import Builder, BuiltPrompt, cache_order
from rag.prompt_templates import ABSTENTION
from rag.retrieval.retriever import Retrieved
from rag.text import counted
from rag.types import Answer, DroppedPassage, Note, Passage, Usage

__all__ = ["AnswerStream", "Reader"]

# How a model may begin to say that it knows nothing; then the answer, or its first sentence or clause, must end.
_LEADS = ("", "it is ", "this is ", "that is ", "the answer is ")
_SAYS_NO = re.compile(rf"\W*(?:{'|'.join(_LEADS)}){ABSTENTION}(?:[ \t]*[.,;:!?…)»”\"*_\n—–]|\s*\Z)", re.IGNORECASE)


@dataclass(frozen=True)
class _Asked:
    """A question on its way: ``built`` is None where nothing relevant was retrieved, or none of it fits a prompt."""

    retrieved: Retrieved
    built: BuiltPrompt | None
    dropped: tuple[DroppedPassage, ...] = ()


class Reader:
    """Answers from passages that were retrieved already. Safe to call from many threads."""

    def __init__(
        self,
        builder: Builder,
        generator: Generator,
        *,
        min_relevance: float = 0.3,
        min_support: float = 0.6,
        min_confidence: float = 0.0,
        answered_by: str = "",
    ) -> None:
        self.generator = generator
        self.builder = builder
        self._min_relevance = min_relevance
        self._min_support = min_support
        self._min_confidence = min_confidence
        self._answered_by = answered_by or generator.name

    def answer_batch(self, retrieved: Sequence[Retrieved], *, closed_book: bool = False) -> list[Answer]:
        """Answer all questions, the generator working on all of them at once.

        With ``closed_book`` no passage is shown and nothing can be cited: what the generator knows by itself, as a
        control for an evaluation. Raises what the generator raises.
        """
        asked = [self._prepare(r, closed_book) for r in retrieved]
        waiting = [(n, a.built) for n, a in enumerate(asked) if a.built is not None]
        order = cache_order([built.prompt for _, built in waiting])
        started = time.monotonic()
        prompts = [waiting[i][1].prompt for i in order]
        completions = self.generator.generate(prompts, self.builder.sampling) if prompts else []
        seconds = time.monotonic() - started
        by_position = {waiting[i][0]: c for i, c in zip(order, completions, strict=True)}
        return [self._finish(a, by_position.get(n), seconds) for n, a in enumerate(asked)]

    def stream(self, retrieved: Retrieved) -> AnswerStream:
        """Answer one question piece by piece; the checked answer is there at the end."""
        asked = self._prepare(retrieved, False)
        stream = None
        started = time.monotonic()
        if asked.built is not None:
            stream = self.generator.stream(asked.built.prompt, self.builder.sampling)
        return AnswerStream(self, asked, stream, started)

    def _prepare(self, retrieved: Retrieved, closed_book: bool) -> _Asked:
        started = time.monotonic()
        built = None
        if closed_book:
            built = self.builder.build(retrieved.question, ())
        elif retrieved.passages and retrieved.relevance >= self._min_relevance:
            built = self.builder.build(retrieved.question, retrieved.passages)
        fits = built is not None and bool(built.shown or closed_book)
        timings = {**retrieved.timings, "prompt": time.monotonic() - started}
        return _Asked(replace(retrieved, timings=timings), built if fits else None, built.dropped if built else ())

    def _finish(self, asked: _Asked, completion: Completion | None, seconds: float) -> Answer:
        retrieved, built = asked.retrieved, asked.built
        notes = list(retrieved.notes)
        if built is None or completion is None:
            reason = "no passage fits" if asked.dropped else "nothing relevant"
            return self._abstention(asked, notes, reason, Usage(), 0.0)
        started = time.monotonic()
        seconds = completion.seconds or seconds
        notes += completion.notes
        marked = completion.confidence is not None
        text = completion.text if marked else strip_markers(completion.text, built.shown)
        interrupted = completion.finish_reason == "abort"
        if (not marked and _says_no(text)) or not (text or interrupted):
            return self._abstention(asked, notes, completion.finish_reason, completion.usage, seconds)
        if completion.finish_reason == "length":
            most = self.builder.sampling.max_tokens
            told = f"the answer was cut at {counted(most, 'token')} (prompt.max_tokens)"
            notes.append(Note(told, "answer_cut", {"n": most}))
        cited = self._cite(text, completion, built, retrieved.question)
        # Rounded before it is compared: a threshold is fitted on the confidences that answers show.
        confidence = round(cited.support, 4)
        contradicted = (
            marked and not completion.evidence
        )  # marked, and then phrased as no passage says it: shown as such
        if built.shown and confidence < self._min_confidence and not (interrupted or contradicted):
            least = self._min_confidence
            told = f"the best answer that was found has a confidence of {confidence:.2f}, below {least:.2f}"
            notes.append(Note(told, "low_confidence", {"confidence": round(confidence, 2), "least": round(least, 2)}))
            return self._abstention(asked, notes, "low confidence", completion.usage, seconds)
        return Answer(
            question=retrieved.question,
            text=text,
            abstained=False,
            confidence=confidence,
            sentences=cited.sentences,
            citations=cited.citations,
            passages=built.shown,
            dropped=built.dropped,
            finish_reason=completion.finish_reason,
            notes=tuple(notes),
            usage=completion.usage,
            timings={**retrieved.timings, "generate": seconds, "cite": time.monotonic() - started},
            generation=retrieved.generation,
            generator=self._answered_by,
        )

    def _cite(self, text: str, completion: Completion, built: BuiltPrompt, question: str) -> Cited:
        if completion.confidence is None:
            return cite(text, built.shown, question, min_support=self._min_support)
        places = [(built.shown[e.passage], e.start, e.end) for e in completion.evidence]
        return cite_marked(text, places, completion.confidence)

    def _abstention(self, asked: _Asked, notes: list[Note], reason: str, usage: Usage, seconds: float) -> Answer:
        return Answer(
            question=asked.retrieved.question,
            text=ABSTENTION,
            abstained=True,
            confidence=0.0,
            passages=asked.built.shown if asked.built else asked.retrieved.passages,
            dropped=asked.dropped,
            finish_reason=reason,
            notes=tuple(notes),
            usage=usage,
            timings={**asked.retrieved.timings, "generate": seconds},
            generation=asked.retrieved.generation,
            generator=self._answered_by,
        )


class AnswerStream:
    """Pieces of text, then :attr:`answer`. Closing it aborts the generation and keeps what came."""

    def __init__(self, reader: Reader, asked: _Asked, stream: TextStream | None, started: float) -> None:
        self._reader, self._asked, self._stream = reader, asked, stream
        self._started = started
        self.first_token_s: float | None = None
        self._seconds: float | None = None

    def __iter__(self) -> Iterator[str]:
        if self._stream is None:
            yield ABSTENTION
            return
        if (told := self._told_at_once()) is not None:
            yield told
            return
        held, undecided, silent = "", True, False
        for piece in self._cleaned(self._stream):
            if undecided:
                held += piece
                if _may_say_no(held):
                    continue
                undecided, silent = False, _says_no(held)
                piece = ABSTENTION if silent else held
                yield piece
            elif not silent:
                yield piece
        if undecided and (held or self._stream.completion.finish_reason != "abort"):
            yield held if held and not _says_no(held) else ABSTENTION
        self._seconds = time.monotonic() - self._started

    def _told_at_once(self) -> str | None:
        """Return the whole answer where the generator marked it before anything was streamed, else None."""
        stream = self._stream
        if not isinstance(stream, MarkedStream):
            return None
        answer = self._reader._finish(self._asked, stream.completion, 0.0)
        self._seconds = self.first_token_s = time.monotonic() - self._started
        return answer.text

    def _cleaned(self, stream: TextStream) -> Iterator[str]:
        """Yield the pieces without the model's source numbers, and without white space at both ends."""
        markers = MarkerFilter(self._asked.built.shown if self._asked.built else ())
        for piece in stream:
            if self.first_token_s is None:
                self.first_token_s = time.monotonic() - self._started
            if cleaned := markers.feed(piece):
                yield cleaned
        if cleaned := markers.finish():
            yield cleaned

    @property
    def passages(self) -> tuple[Passage, ...]:
        """What is being read: the passages that are shown to the generator, or those nearest to the question."""
        return self._asked.built.shown if self._asked.built is not None else self._asked.retrieved.passages

    def close(self) -> None:
        """Stop generating."""
        if self._stream is not None:
            self._stream.close()

    @property
    def answer(self) -> Answer:
        """The checked answer. Raises ``RuntimeError`` while the stream is still running."""
        if self._stream is None:
            return self._reader._finish(self._asked, None, 0.0)
        completion = self._stream.completion
        seconds = time.monotonic() - self._started if self._seconds is None else self._seconds
        answer = self._reader._finish(self._asked, completion, seconds)
        if self.first_token_s is None:
            return answer
        return replace(answer, timings={**answer.timings, "first_token": self.first_token_s})


def _says_no(text: str) -> bool:
    return _SAYS_NO.match(text) is not None


def _may_say_no(begun: str) -> bool:
    """Tell whether a text may still turn out to say no: it has not left the ways of doing so, nor come to their end."""
    words = re.sub(r"^\W+", "", begun).lower()
    return any((lead + ABSTENTION).startswith(words.rstrip()) or words.strip() == lead + ABSTENTION for lead in _LEADS)
