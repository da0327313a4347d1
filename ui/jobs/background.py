"""Background work that all sessions share: models that load, and readings of files and of the machine.

An :class:`Engine` answers over one index with one configuration. Embedders and generators are shared between engines
whose configurations agree on them, so that switching the collection loads no model again, and no rerun of a script
loads anything. Other work is cached in a :class:`Background` while it is recent: its key contains everything that the
result depends on, for example a file with its time and size. Nothing of a session is stored here.
"""

from __future__ import annotations

import gc
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from rag.config import Config, Resolved, load_config
from rag.errors import Failure
from rag.knowledge_base import KnowledgeBase
from rag.model_pool import ModelPool
from ui.text.failures import failure_of, traced

if TYPE_CHECKING:
    from rag.retrieval.rerankers import Reranker

__all__ = ["Background", "Engine", "Engines", "State", "Task", "configured", "engines"]

T = TypeVar("T")
_RETRY_S = 3.0


class Task(Generic[T]):
    """A running or finished piece of work."""

    def __init__(self, future: Future[T]) -> None:
        self._future = future
        self._started = time.monotonic()
        self._ended: float | None = None
        future.add_done_callback(self._end)

    def _end(self, future: Future[T]) -> None:
        self._ended = time.monotonic()
        if not future.cancelled():
            traced("work behind the page", future.exception())

    def wait(self, seconds: float) -> bool:
        """Wait up to ``seconds``; return whether it is done."""
        return bool(wait_for([self._future], seconds).done)

    @property
    def done(self) -> bool:
        """Whether there is a result or a failure."""
        return self._future.done()

    @property
    def seconds(self) -> float:
        """The seconds it has taken so far, or took."""
        return (self._ended or time.monotonic()) - self._started

    @property
    def is_stale(self) -> bool:
        """Whether it failed a while ago, so that another attempt may succeed."""
        ended = self._ended or time.monotonic()
        return self.done and self._future.exception() is not None and time.monotonic() - ended > _RETRY_S

    @property
    def failure(self) -> Failure | None:
        """Why there is no result, once it is done; None where there is one."""
        error = self._future.exception()
        return None if error is None else failure_of(error)

    def result(self, timeout: float | None = None) -> T:
        """Return the result, waiting for it. Raises what the work raised, and ``TimeoutError``."""
        return self._future.result(timeout)


class Background:
    """Runs tasks on ``threads`` threads and caches the last ``most`` of them. Any thread may call."""

    def __init__(self, *, threads: int = 1, most: int = 16) -> None:
        self._lock = threading.Lock()
        self._tasks: OrderedDict[Hashable, Task[Any]] = OrderedDict()
        self._most = most
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="background")

    def get(self, key: Hashable, make: Callable[[], T]) -> Task[T]:
        """Return the task of this key, started by the first caller. A failed task is soon tried again."""
        with self._lock:
            task = self._tasks.get(key)
            if task is None or task.is_stale:
                task = self._tasks[key] = Task(self._pool.submit(make))
            self._tasks.move_to_end(key)
            for old in [k for k, t in self._tasks.items() if t.done][: max(0, len(self._tasks) - self._most)]:
                del self._tasks[old]
            return task

    def known(self, key: Hashable) -> Task[Any] | None:
        """Return the task of this key, None if there is none."""
        with self._lock:
            return self._tasks.get(key)

    def forget(self, key: Hashable) -> None:
        """Forget a task, so that the next caller starts it again."""
        with self._lock:
            self._tasks.pop(key, None)


@dataclass(frozen=True)
class State:
    """How far an engine is; ``seconds`` since its loading began, ``failure`` where it failed."""

    status: Literal["starting", "ready", "failed"]
    seconds: float
    failure: Failure | None = None


class Engine:
    """A knowledge base whose models are loading or loaded."""

    def __init__(self, resolved: Resolved, making: Task[KnowledgeBase], note: str | None) -> None:
        self.resolved = resolved
        self.note = note
        self._making = making

    @property
    def is_stale(self) -> bool:
        """Whether to load it again because loading failed a while ago."""
        # Not at once: a page that is drawn again because loading failed must not begin it again for ever.
        return self._making.is_stale

    @property
    def state(self) -> State:
        """The current state, without waiting."""
        making = self._making
        if not making.done:
            return State("starting", making.seconds)
        return State("ready" if making.failure is None else "failed", making.seconds, making.failure)

    def knowledge_base(self, timeout: float | None = None) -> KnowledgeBase:
        """Return the knowledge base with its models loaded, waiting for it.

        Raises what loading raised, or ``TimeoutError``.
        """
        return self._making.result(timeout)


class Engines:
    """All engines of the process. Every method may be called from any thread.

    ``head_start_s`` is how long the page that asks first has the processor for itself: importing and loading models
    keeps Python's lock for long stretches, while the browser still fetches what it draws with.
    """

    def __init__(self) -> None:
        self.head_start_s = 0.0
        self._lock = threading.Lock()
        self._engines: dict[tuple[Path, str], Engine] = {}
        self.models = ModelPool()
        # One thread: models that load beside each other on two cores are both late.
        self._loader = ThreadPoolExecutor(
            1, thread_name_prefix="engines", initializer=lambda: time.sleep(self.head_start_s)
        )

    def get(self, index: Path, config: str, assignments: tuple[str, ...] = ()) -> Engine:
        """Return the engine of an index, its loading begun. One that failed is tried again after a moment.

        Raises :class:`~rag.errors.UsageError` for a configuration that is none.
        """
        knowledge_base = self.open(index, config, assignments)
        key = (index.absolute(), knowledge_base.config.config.digest())
        with self._lock:
            engine = self._engines.get(key)
            if engine is None or engine.is_stale:
                making = Task(self._loader.submit(self._load, knowledge_base))
                note = knowledge_base.notes[0] if knowledge_base.notes else None
                engine = self._engines[key] = Engine(knowledge_base.config, making, note)
            return engine

    def open(self, index: Path, config: str, assignments: tuple[str, ...] = ()) -> KnowledgeBase:
        """Return a knowledge base that shares the models of this process. Nothing is loaded.

        Raises :class:`~rag.errors.UsageError`.
        """
        return KnowledgeBase(index, configured(config, assignments), self.models)

    def reranker(self, config: Config) -> Reranker | None:
        """Return the reranker of a configuration, loaded once; None if it asks for none."""
        return self.models.reranker(config)

    def forget(self, index: Path) -> None:
        """Close what answers over an index, for example before its folder is removed."""
        with self._lock:
            gone = [self._engines.pop(key) for key in list(self._engines) if key[0] == index.absolute()]
        for engine in gone:
            if engine.state.status == "ready":
                engine.knowledge_base().close()

    def _load(self, knowledge_base: KnowledgeBase) -> KnowledgeBase:
        knowledge_base.answerer  # noqa: B018 - loads embedder, index and generator
        _set_aside()
        return knowledge_base


def _set_aside() -> None:
    """Take what is there by now out of Python's collections of garbage, after one of all that was set aside before.

    Streamlit collects after every script run. Beside loaded models and their packages that looks at 125,000 objects,
    and stops every thread for 70 ms between an answer and its being drawn whole.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


@lru_cache(maxsize=64)
def configured(config: str, assignments: tuple[str, ...] = ()) -> Resolved:
    """Return a configuration as it was when it was first asked for: every script run asks, and reading takes 8 ms.

    Raises :class:`~rag.errors.UsageError`.
    """
    return load_config(config, assignments)


_engines = Engines()


def engines() -> Engines:
    """Return the engines of this process."""
    return _engines
