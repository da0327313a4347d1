"""One question on its way to an answer, in a thread of its own, so that whoever waits can stop it at any moment.

The thread waits for the engine, retrieves, and takes the generator's pieces; the page reads events and draws them.
:meth:`Asking.stop` aborts the request in the engine and keeps what came. It knows no widgets: Streamlit ends a script
by raising in it, which a page turns into a call of ``stop``.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rag.answering import query_rewriting as followup
from rag.answering.query_rewriting import Rewritten
from rag.errors import Failure, RagError
from rag.knowledge_base import KnowledgeBase, QuestionStream
from rag.retrieval.filters import Filter
from rag.retrieval.retriever import check_question
from rag.types import Answer, Passage
from ui.jobs.engines import Engine
from ui.text.failures import failure_of, traced

__all__ = ["Asking", "Clock", "Event", "Outcome"]

NothingIn = Literal["", "index", "filter"]
POLL_S = 0.1  # how long a wait for the engine or for a piece may take before the page may look up
WAIT_FOR_THE_REST_S = 3.0  # a batch through the reader cannot be broken off; it takes a second or two


@dataclass(frozen=True)
class Event:
    """Something to draw: what is being read and which question was understood, or text to append. Else nothing was."""

    passages: tuple[Passage, ...] | None = None
    understood: Rewritten | None = None
    text: str = ""


@dataclass
class Clock:
    """Seconds since the question was asked: until the engine was there, the sources, the first text, the end."""

    loaded: float | None = None
    sources: float | None = None
    first_text: float | None = None
    done: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a question: an answer, whole or stopped, or a failure, or (stopped early) neither.

    ``shown`` is the text as it was streamed. ``nothing_in`` says what was without a single passage: the whole index, or
    what the filter left of it. ``strict`` is the reader's own higher threshold, 0 if it has none.
    ``only`` is the filter that was on, in words, empty where there was none.
    """

    answer: Answer | None
    failure: Failure | None
    stopped: bool
    shown: str
    clock: Clock
    nothing_in: NothingIn = ""
    strict: float = 0.0
    only: str = ""


@dataclass
class _Progress:
    stream: QuestionStream | None = None
    answer: Answer | None = None
    failure: Failure | None = None
    shown: str = ""
    nothing_in: NothingIn = ""
    strict: float = 0.0
    clock: Clock = field(default_factory=Clock)


class Asking:
    """Asks at once. Read :meth:`events` to their end or call :meth:`stop`; then there is an :meth:`outcome`."""

    def __init__(
        self, engine: Engine, question: str, *, only: Filter | None = None, history: Sequence[followup.Turn] = ()
    ) -> None:
        self.question = question
        self._engine, self._only = engine, only or Filter()
        self._history = tuple(history)
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._progress = _Progress()
        self._begun = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="asking", daemon=True)
        self._thread.start()

    def events(self) -> Iterator[Event]:
        """Yield what happens, and an empty event whenever nothing did for a moment, until the answer is there."""
        while True:
            try:
                event = self._events.get(timeout=POLL_S)
            except queue.Empty:
                event = Event()
            text = ""
            while event is not None and event.text:  # what has gathered meanwhile is drawn at once
                text += event.text
                try:
                    event = self._events.get_nowait()
                except queue.Empty:
                    break
            if text:
                yield Event(text=text)
            if event is None:
                return
            if not event.text:
                yield event

    def stop(self) -> None:
        """Abort what still runs; nothing happens where it has ended."""
        if not self._thread.is_alive():
            return
        self._stopped.set()
        stream = self._progress.stream
        if stream is not None:
            stream.close()

    def outcome(self) -> Outcome:
        """Return what came of it. A thread that cannot be broken off is waited for only a moment."""
        self._thread.join(WAIT_FOR_THE_REST_S if self._stopped.is_set() else None)
        told = self._progress
        stopped = self._stopped.is_set() and (told.answer is None or told.answer.finish_reason == "abort")
        return Outcome(
            told.answer, told.failure, stopped, told.shown, told.clock, told.nothing_in, told.strict, str(self._only)
        )

    # The thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._answer(check_question(self.question))
        except Exception as error:  # noqa: BLE001 - said on the page, and traced where nobody foresaw it
            traced("a question", error)
            self._progress.failure = failure_of(error)
        finally:
            self._progress.clock.done = self._now()
            self._events.put(None)

    def _answer(self, question: str) -> None:
        told = self._progress
        pipeline = self._pipeline()
        if pipeline is None:
            return
        told.clock.loaded = self._now()
        told.strict = pipeline.answerer.strict_threshold
        stream = told.stream = pipeline.stream(question, filter=self._only, history=self._history)
        told.clock.sources = self._now()
        if not stream.retrieved.passages:
            told.nothing_in = _nothing_in(pipeline, self._only)
        self._events.put(Event(passages=stream.retrieved.passages, understood=stream.understood))
        if self._stopped.is_set():  # between the two lines above, when there was no stream to close yet
            stream.close()
        try:
            for piece in stream:
                if told.clock.first_text is None:
                    told.clock.first_text = self._now()
                told.shown += piece
                self._events.put(Event(text=piece))
        except RagError:
            told.answer = _what_came(stream, told.shown)
            raise
        told.answer = stream.answer

    def _pipeline(self) -> KnowledgeBase | None:
        """Wait for the engine; None where it was stopped meanwhile."""
        while not self._stopped.is_set():
            if self._engine.state.status != "starting":
                return self._engine.knowledge_base()
            self._stopped.wait(POLL_S)
        return None

    def _now(self) -> float:
        return time.monotonic() - self._begun


def _what_came(stream: QuestionStream, shown: str) -> Answer | None:
    """Return the part of an answer that an engine gave before it failed, if it can still be told."""
    if not shown:
        return None
    stream.close()
    try:
        return stream.answer
    except (RuntimeError, RagError):  # the generator knows nothing of a request that failed
        return None


def _nothing_in(pipeline: KnowledgeBase, only: Filter) -> NothingIn:
    store = pipeline.retriever.reader.store
    if not store.counts()["chunks"]:
        return "index"
    return "filter" if not only.empty and not len(store.chunk_ids(only.selection())) else ""
