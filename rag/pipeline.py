"""Question to answer: retrieve, pack, generate, cite. Single, streamed and batched questions share every step.

When nothing relevant was retrieved, or the generator itself says so, the answer is a plain "not in the documents" with
the nearest passages. ``confidence`` is the mean support of the answer's sentences (see :mod:`rag.citations`), 0 for
an abstention: a measure of evidence, not yet calibrated against correctness.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rag.citations import cite, strip_markers
from rag.generators.base import Completion, Generator, TextStream
from rag.prompting import ABSTENTION, BuiltPrompt, PromptBuilder, cache_order
from rag.records import Answer, Usage
from rag.retrieval import Retrieved, Retriever, check_question

__all__ = ["AnswerStream", "Pipeline"]


@dataclass(frozen=True)
class _Asked:
    """A question on its way: ``built`` is None where nothing relevant was retrieved."""

    retrieved: Retrieved
    built: BuiltPrompt | None


class Pipeline:
    """Answers questions over one index. Safe to call from many threads."""

    def __init__(
        self,
        retriever: Retriever,
        builder: PromptBuilder,
        generator: Generator,
        *,
        min_relevance: float = 0.3,
        min_support: float = 0.6,
    ) -> None:
        self.retriever = retriever
        self.generator = generator
        self._builder = builder
        self._min_relevance = min_relevance
        self._min_support = min_support

    def ask(self, question: str, *, source_glob: str | None = None) -> Answer:
        """Answer one question; see :meth:`ask_batch`."""
        return self.ask_batch([question], source_glob=source_glob)[0]

    def ask_batch(self, questions: Sequence[str], *, source_glob: str | None = None) -> list[Answer]:
        """Answer all questions, the generator working on all of them at once.

        Raises :class:`~rag.errors.InputError` for an empty or too long question, and what the generator raises.
        """
        asked = self._prepare([check_question(q) for q in questions], source_glob)
        waiting = [(n, a.built) for n, a in enumerate(asked) if a.built is not None and a.built.shown]
        order = cache_order([built.prompt for _, built in waiting])
        started = time.monotonic()
        prompts = [waiting[i][1].prompt for i in order]
        completions = self.generator.generate(prompts, self._builder.sampling) if prompts else []
        seconds = time.monotonic() - started
        by_position = {waiting[i][0]: c for i, c in zip(order, completions, strict=True)}
        return [self._finish(a, by_position.get(n), seconds) for n, a in enumerate(asked)]

    def stream(self, question: str, *, source_glob: str | None = None) -> AnswerStream:
        """Answer one question piece by piece; the checked answer is there at the end."""
        asked = self._prepare([check_question(question)], source_glob)[0]
        stream = None
        started = time.monotonic()
        if asked.built is not None and asked.built.shown:
            stream = self.generator.stream(asked.built.prompt, self._builder.sampling)
        return AnswerStream(self, asked, stream, started)

    def close(self) -> None:
        """Stop the generator and let go of the index."""
        self.generator.close()
        self.retriever.reader.close()

    def _prepare(self, questions: list[str], source_glob: str | None) -> list[_Asked]:
        asked = []
        for retrieved in self.retriever.retrieve_batch(questions, source_glob=source_glob):
            started = time.monotonic()
            built = None
            if retrieved.passages and retrieved.relevance >= self._min_relevance:
                built = self._builder.build(retrieved.question, retrieved.passages)
            retrieved.timings["prompt"] = time.monotonic() - started
            asked.append(_Asked(retrieved, built))
        return asked

    def _finish(self, asked: _Asked, completion: Completion | None, seconds: float) -> Answer:
        retrieved, built = asked.retrieved, asked.built
        notes = list(retrieved.notes)
        if built is None or completion is None:
            return self._abstention(retrieved, notes, built)
        started = time.monotonic()
        text = strip_markers(completion.text)
        if not text or _says_no(text):
            return self._abstention(retrieved, notes, built, completion, seconds)
        if completion.finish_reason == "length":
            notes.append(f"the answer was cut at {self._builder.sampling.max_tokens} tokens (prompt.max_tokens)")
        cited = cite(text, built.shown, retrieved.question, min_support=self._min_support)
        return Answer(
            question=retrieved.question,
            text=text,
            abstained=False,
            confidence=round(cited.support, 4),
            sentences=cited.sentences,
            citations=cited.citations,
            passages=built.shown,
            dropped=built.dropped,
            finish_reason=completion.finish_reason,
            notes=tuple(notes),
            usage=completion.usage,
            timings={**retrieved.timings, "generate": seconds, "cite": time.monotonic() - started},
        )

    def _abstention(
        self,
        retrieved: Retrieved,
        notes: list[str],
        built: BuiltPrompt | None = None,
        completion: Completion | None = None,
        seconds: float = 0.0,
    ) -> Answer:
        if completion is not None:
            reason = completion.finish_reason
        else:
            reason = "no passage fits" if built else "nothing relevant"
        return Answer(
            question=retrieved.question,
            text=ABSTENTION,
            abstained=True,
            confidence=0.0,
            passages=built.shown if built and built.shown else retrieved.passages,
            dropped=built.dropped if built else (),
            finish_reason=reason,
            notes=tuple(notes),
            usage=completion.usage if completion else Usage(),
            timings={**retrieved.timings, "generate": seconds},
        )


class AnswerStream:
    """Pieces of text, then :attr:`answer`. Closing it aborts the generation and keeps what came."""

    def __init__(self, pipeline: Pipeline, asked: _Asked, stream: TextStream | None, started: float) -> None:
        self._pipeline, self._asked, self._stream = pipeline, asked, stream
        self._started = started
        self.first_token_s: float | None = None
        self._seconds: float | None = None

    def __iter__(self) -> Iterator[str]:
        if self._stream is None:
            yield ABSTENTION
            return
        for piece in self._stream:
            if self.first_token_s is None:
                self.first_token_s = time.monotonic() - self._started
                piece = piece.lstrip()
            yield piece
        self._seconds = time.monotonic() - self._started

    def close(self) -> None:
        """Stop generating."""
        if self._stream is not None:
            self._stream.close()

    @property
    def answer(self) -> Answer:
        """The checked answer. Raises ``RuntimeError`` while the stream is still running."""
        if self._stream is None:
            return self._pipeline._finish(self._asked, None, 0.0)
        completion = self._stream.completion
        seconds = time.monotonic() - self._started if self._seconds is None else self._seconds
        answer = self._pipeline._finish(self._asked, completion, seconds)
        if self.first_token_s is None:
            return answer
        return replace(answer, timings={**answer.timings, "first_token": self.first_token_s})


def _says_no(text: str) -> bool:
    return ABSTENTION in text.lower()[: len(ABSTENTION) + 12]
