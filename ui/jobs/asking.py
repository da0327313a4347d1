"""One question on its way to an answer, in a thread of its own, so that the page can stop it at any moment.

The thread waits for the engine, asks the knowledge base and takes the pieces of the answer; the page reads events and
draws them. :meth:`Asking.stop` aborts the request in the engine; the text so far stays. It knows no widgets: Streamlit
ends a script by raising in it, which the page turns into a call of ``stop``.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rag.answering.query_rewriting import Rewritten, Turn
from rag.errors import Failure, RagError
from rag.knowledge_base import KnowledgeBase, QuestionStream
from rag.retrieval.filters import Filter
from rag.types import Answer, Passage
from ui.jobs.background import Engine
from ui.text.failures import failure_of, traced

__all__ = ["Asking", "Clock", "Event", "Outcome"]

NothingIn = Literal["", "index", "filter"]
POLL_S = 0.1  # the longest wait for the engine or for a piece before the page looks up
WAIT_FOR_THE_REST_S = 3.0  # reading a batch of passages cannot be aborted; it takes a second or two


@dataclass(frozen=True)
class Event:
    """Something to draw: the passages with the understood question, or text to append. Empty if nothing happened."""

    passages: tuple[Passage, ...] | None = None
    understood: Rewritten | None = None
    text: str = ""


@dataclass
class Clock:
    """Seconds from the question until the engine was ready, the passages, the first text, the end."""

    loaded: float | None = None
    sources: float | None = None
    first_text: float | None = None
    done: float | None = None


@dataclass
class Outcome:
    """The result of a question: an answer, whole or stopped, or a failure, or (stopped early) neither.

    ``shown`` is the streamed text. ``nothing_in`` says what held no passage at all: the index, or what the filter left
    of it. ``filter`` is the filter of the question.
    """

    answer: Answer | None = None
    failure: Failure | None = None
    stopped: bool = False
    shown: str = ""
    clock: Clock = field(default_factory=Clock)
    nothing_in: NothingIn = ""
    filter: Filter = field(default_factory=Filter)


class Asking:
    """Asks at once. Read :meth:`events` to their end or call :meth:`stop`; then read :meth:`outcome`."""

    def __init__(
        self, engine: Engine, question: str, *, only: Filter | None = None, history: Sequence[Turn] = ()
    ) -> None:
        self.question = question
        self._engine = engine
        self._history = tuple(history)
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._stream: QuestionStream | None = None
        self._outcome = Outcome(filter=only or Filter())
        self._begun = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="asking", daemon=True)
        self._thread.start()

    def events(self) -> Iterator[Event]:
        """Yield events until the answer is complete; an empty event whenever nothing happened for a moment."""
        while True:
            try:
                event = self._events.get(timeout=POLL_S)
            except queue.Empty:
                event = Event()
            text = ""
            while event is not None and event.text:  # pieces that have gathered are drawn at once
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
        """Abort the request if it is still running."""
        if not self._thread.is_alive():
            return
        self._stopped.set()
        if self._stream is not None:
            self._stream.close()

    def outcome(self) -> Outcome:
        """Return the result. Wait only a moment for a thread that cannot be aborted."""
        self._thread.join(WAIT_FOR_THE_REST_S if self._stopped.is_set() else None)
        answer = self._outcome.answer
        self._outcome.stopped = self._stopped.is_set() and (answer is None or answer.finish_reason == "abort")
        return self._outcome

    # In the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._answer()
        except Exception as error:  # noqa: BLE001 - shown on the page; a defect is also logged
            traced("a question", error)
            self._outcome.failure = failure_of(error)
        finally:
            self._outcome.clock.done = self._now()
            self._events.put(None)

    def _answer(self) -> None:
        outcome = self._outcome
        knowledge_base = self._loaded()
        if knowledge_base is None:
            return
        outcome.clock.loaded = self._now()
        stream = self._stream = knowledge_base.stream(self.question, filter=outcome.filter, history=self._history)
        outcome.clock.sources = self._now()
        if not stream.retrieved.passages:
            outcome.nothing_in = _nothing_in(knowledge_base, outcome.filter)
        self._events.put(Event(passages=stream.retrieved.passages, understood=stream.understood))
        if self._stopped.is_set():  # before there was a stream to close
            stream.close()
        try:
            for piece in stream:
                if outcome.clock.first_text is None:
                    outcome.clock.first_text = self._now()
                outcome.shown += piece
                self._events.put(Event(text=piece))
        except RagError:
            outcome.answer = _partial_answer(stream, outcome.shown)
            raise
        outcome.answer = stream.answer

    def _loaded(self) -> KnowledgeBase | None:
        """Wait for the engine; return None if the question is stopped meanwhile."""
        while not self._stopped.is_set():
            if self._engine.state.status != "starting":
                return self._engine.knowledge_base()
            self._stopped.wait(POLL_S)
        return None

    def _now(self) -> float:
        return time.monotonic() - self._begun


def _partial_answer(stream: QuestionStream, shown: str) -> Answer | None:
    """Return the text that a generator gave before it failed, as an answer, if that is still possible."""
    if not shown:
        return None
    stream.close()
    try:
        return stream.answer
    except (RuntimeError, RagError):  # the generator knows nothing of a request that failed
        return None


def _nothing_in(knowledge_base: KnowledgeBase, only: Filter) -> NothingIn:
    store = knowledge_base.retriever.reader.store
    if not store.counts()["chunks"]:
        return "index"
    return "filter" if not only.empty and not len(store.chunk_ids(only.selection(store))) else ""
