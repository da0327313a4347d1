"""The models and indexes of this process: loaded once, in the background, shared by every browser session.

An :class:`Engine` answers over one index with one configuration. Embedders and generators are shared between engines
whose configurations agree on them, so that switching the collection loads no model again, and no rerun of a script
loads anything. What one session asks is never kept here: an engine holds models and indexes, not chats.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel

from rag.answering.abstention import apply_calibration
from rag.config import Config, Resolved, load_config
from rag.failures import Failure
from ui.jobs.background import Task

if TYPE_CHECKING:
    from rag.answering.pipeline import Pipeline
    from rag.embedding.base import Embedder
    from rag.generation.base import Generator
    from rag.retrieval.rerankers import Reranker

__all__ = ["Engine", "Engines", "State", "configured", "engines"]

T = TypeVar("T")
RETRY_AFTER_S = 3.0


@dataclass(frozen=True)
class State:
    """How far an engine is; ``seconds`` since its loading began, ``failure`` where it failed."""

    status: Literal["starting", "ready", "failed"]
    seconds: float
    failure: Failure | None = None


class Engine:
    """A pipeline that is being made or is there."""

    def __init__(self, resolved: Resolved, making: Task[Pipeline], note: str | None) -> None:
        self.resolved = resolved
        self.note = note
        self._making = making

    @property
    def is_stale(self) -> bool:
        """Whether it is time to make it anew: its making failed a while ago, or its generator has died since."""
        if self.state.status == "ready":
            return _is_dead(self._making.result().generator)
        # Not at once: a page that is drawn again because loading failed must not begin it again for ever.
        return self._making.stale(RETRY_AFTER_S)

    @property
    def state(self) -> State:
        """Tell how far it is, at once."""
        making = self._making
        if not making.done:
            return State("starting", making.seconds)
        return State("ready" if making.failure is None else "failed", making.seconds, making.failure)

    def pipeline(self, timeout: float | None = None) -> Pipeline:
        """Return the pipeline, waiting for it. Raises what its making raised, and ``TimeoutError``."""
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
        self._parts: dict[tuple[str, str], Future[Any]] = {}
        # One thread: models that load beside each other on two cores are both late.
        self._loader = ThreadPoolExecutor(
            1, thread_name_prefix="engines", initializer=lambda: time.sleep(self.head_start_s)
        )

    def get(self, index: Path, config: str, assignments: tuple[str, ...] = ()) -> Engine:
        """Return the engine of an index, its loading begun. One that failed is tried again after a moment.

        Raises :class:`~rag.errors.UsageError` for a configuration that is none.
        """
        resolved, note = apply_calibration(configured(config, assignments), index)
        key = (index.absolute(), resolved.config.digest())
        with self._lock:
            engine = self._engines.get(key)
            if engine is None or engine.is_stale:
                making = Task(self._loader.submit(self._make, index, resolved.config))
                engine = self._engines[key] = Engine(resolved, making, note)
            return engine

    def embedder(self, config: Config) -> Embedder:
        """Return the embedder of a configuration, loaded once."""
        from rag.factory import make_embedder

        made: Embedder = self._shared(("embedder", _told(config.embedding)), lambda: make_embedder(config))
        return made

    def reranker(self, config: Config) -> Reranker | None:
        """Return the reranker of a configuration, loaded once; None where it asks for none."""
        from rag.factory import make_reranker

        part = config.retrieval
        key = ("reranker", f"{part.rerank} {part.cross_encoder} {part.rerank_weight} {_told(config.reader)}")
        made: Reranker | None = self._shared(key, lambda: make_reranker(config))
        return made

    def forget(self, index: Path) -> None:
        """Close what answers over an index, for example before its folder is removed."""
        with self._lock:
            gone = [self._engines.pop(key) for key in list(self._engines) if key[0] == index.absolute()]
        for engine in gone:
            if engine.state.status == "ready":
                engine.pipeline().retriever.reader.close()

    def _make(self, index: Path, config: Config) -> Pipeline:
        from rag.answering.pipeline import Pipeline
        from rag.factory import make_reader, make_retriever, open_index

        open_index(index, config).store.close()  # a missing index is said before models are loaded
        embedder = self.embedder(config)
        generator = self._generator(config)
        retriever = make_retriever(open_index(index, config, embedder), config, embedder)
        retriever.reader.snapshot()
        made = Pipeline(retriever, make_reader(config, generator))
        _set_aside()
        return made

    def _generator(self, config: Config) -> Generator:
        """Return the generator of a configuration. A hybrid one writes with the same engine as the plain writer."""
        from rag.factory import make_generator, writer_config

        if config.generator.type == "hybrid":  # itself it holds nothing
            return make_generator(config, writer=self._generator(writer_config(config)))
        made: Generator = self._shared(
            ("generator", _told(config.generator, config.reader)), lambda: make_generator(config)
        )
        return made

    def _shared(self, key: tuple[str, str], make: Callable[[], T]) -> T:
        """Return what was made under ``key``, or make it; of several threads one makes it and the others wait."""
        with self._lock:
            known = self._parts.get(key)
            if known is not None and known.done() and _is_dead(known.result()):
                known = None
            mine = known is None
            future: Future[T] = known or Future()
            self._parts[key] = future
        if mine:
            try:
                future.set_result(make())
            except BaseException as error:
                with self._lock:
                    del self._parts[key]  # the next one tries again
                future.set_exception(error)
                raise
        return future.result()


def _set_aside() -> None:
    """Take what is there by now out of Python's collections of garbage, after one of all that was set aside before.

    Streamlit collects after every script run. Beside loaded models and their packages that looks at 125,000 objects,
    and stops every thread for 70 ms between an answer and its being drawn whole.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _is_dead(part: object) -> bool:
    """Tell whether a generator says that its engine has ended."""
    return bool(getattr(part, "is_dead", bool)())


def _told(*parts: BaseModel) -> str:
    return "".join(part.model_dump_json() for part in parts)


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
