"""Models that are loaded once and shared: the embedder, the reranker and the generator of each configuration."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from rag.answering.question_kinds import QuestionClassifier
    from rag.config import Config
    from rag.embedding.base import Embedder
    from rag.generation.base import Completer, Extractor
    from rag.retrieval.rerankers import Reranker

__all__ = ["ModelPool"]

T = TypeVar("T")
_ENCODER = "bundled:minilm"


class ModelPool:
    """Loaded models, shared by knowledge bases whose configurations agree on them. Safe to call from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: dict[tuple[str, str], Future[Any]] = {}

    def put(
        self, config: Config, *, embedder: Embedder | None = None, generator: Completer | Extractor | None = None
    ) -> None:
        """Use these models for a configuration instead of loading them."""
        for key, model in ((self._embedder_key(config), embedder), (self._generator_key(config), generator)):
            if model is not None:
                future: Future[Any] = Future()
                future.set_result(model)
                self._loaded[key] = future

    def embedder(self, config: Config) -> Embedder:
        """Return the embedder of a configuration, loaded once."""
        from rag.factory import make_embedder

        return self._load(self._embedder_key(config), lambda: make_embedder(config))

    def reranker(self, config: Config) -> Reranker | None:
        """Return the reranker of a configuration, loaded once; None if it asks for none."""
        from rag.factory import make_reranker

        part = config.retrieval
        if part.rerank == "off":
            return None
        key = f"{part.rerank} {part.cross_encoder} {part.rerank_weight} {config.reader.model_dump_json()}"
        return self._load(("reranker", key), lambda: make_reranker(config))

    def generator(self, config: Config) -> Completer | Extractor:
        """Return the generator of a configuration, started once, or again after its engine has stopped."""
        from rag.factory import make_generator

        key, stopped = self._generator_key(config), None
        with self._lock:
            future = self._loaded.get(key)
            if future is not None and future.done() and not future.result().alive:
                stopped = self._loaded.pop(key).result()
        if stopped is not None:
            stopped.close()
        return self._load(key, lambda: make_generator(config))

    def question_classifier(self, config: Config) -> QuestionClassifier | None:
        """Return the classifier of questions, None if the configuration turns it off or no embedder suits it.

        It reads questions with bundled:minilm: the configuration's own embedder if it is that, else one more, which is
        shared. Raises :class:`~rag.errors.ModelError`, :class:`~rag.errors.MissingPackageError`.
        """
        from rag.answering.question_kinds import QuestionClassifier, load_weights
        from rag.config.schema import EmbeddingConfig
        from rag.factory import classifies_questions

        if not classifies_questions(config):
            return None
        weights = load_weights()
        embedder = self.embedder(config) if config.embedding.model == _ENCODER else None
        if embedder is None or config.embedding.query_prefix or embedder.dimension != weights.dimension:
            embedder = self.embedder(config.model_copy(update={"embedding": EmbeddingConfig(model=_ENCODER)}))
        if embedder.dimension != weights.dimension:  # another model was put in its place
            return None
        return QuestionClassifier(weights, embedder.embed_queries)

    def close(self) -> None:
        """Close everything that was loaded. If a model cannot be closed, the others are closed and its error raised."""
        with self._lock:
            loaded, self._loaded = self._loaded, {}
        with ExitStack() as stack:
            for (kind, _), future in loaded.items():
                # Rerankers hold nothing that must be closed. The error of a failed load belongs to who asked for it.
                if kind != "reranker" and future.exception() is None:
                    stack.callback(future.result().close)

    @staticmethod
    def _embedder_key(config: Config) -> tuple[str, str]:
        return "embedder", config.embedding.model_dump_json()

    @staticmethod
    def _generator_key(config: Config) -> tuple[str, str]:
        return "generator", config.generator.model_dump_json() + config.reader.model_dump_json()

    def _load(self, key: tuple[str, str], load: Callable[[], T]) -> T:
        """Return the model loaded under a key. Of several threads, one loads it and the others wait."""
        with self._lock:
            known: Future[T] | None = self._loaded.get(key)
            future: Future[T] = known or Future()
            self._loaded[key] = future
        if known is None:
            try:
                future.set_result(load())
            except BaseException as error:
                with self._lock:
                    if self._loaded.get(key) is future:  # not if the pool was closed meanwhile
                        del self._loaded[key]  # the next caller tries again
                future.set_exception(error)
                raise
        return future.result()
