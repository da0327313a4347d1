"""Rerankers: a second, slower look at the best candidates, by a model that reads question and passage together.

A reranker gives log-odds; the retriever adds them, weighted, to the fused score. It knows nothing of indexes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rag.errors import MissingPackageError, ModelError
from rag.extractive_qa.engine import SpanEngine
from rag.models.quiet import held_back
from rag.models.resolve import resolve_model

__all__ = ["CrossEncoderReranker", "ReaderReranker", "Reranker"]


class Reranker(Protocol):
    """Scores passages for questions. Safe to call from many threads."""

    weight: float

    def scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return how well each passage answers its question, in log-odds: higher is better. Pairs may repeat."""


class ReaderReranker:
    """The span reader's opinion: its head for relevance and its best span, weighed as its record says."""

    weight = 1.0

    def __init__(self, engine: SpanEngine) -> None:
        self._engine = engine

    def scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Read the pairs; the engine remembers them for the answer."""
        combination = self._engine.record.combination
        scores = []
        for reading in self._engine.read([(" ".join(question.split()), passage) for question, passage in pairs]):
            margin = reading.spans[0].margin if reading.spans else -_MOST
            relevance = max(-_MOST, reading.relevance)
            scores.append(combination.rerank_relevance * relevance + combination.rerank_margin * margin)
        return scores


_MOST = 30.0  # logits; a passage that could not be read is put last, not infinitely far


class CrossEncoderReranker:
    """Any sentence-transformers CrossEncoder with one output."""

    def __init__(self, model: str, *, revision: str | None = None, device: str = "auto", weight: float = 1.0) -> None:
        local = resolve_model(model, revision)
        try:
            import torch
            from sentence_transformers import CrossEncoder
        except ImportError:
            raise MissingPackageError("a cross-encoder needs sentence-transformers", "run `make install`") from None
        from rag.embedding.base import choose_devices

        try:
            with held_back():
                self._model = CrossEncoder(
                    str(local.path),
                    device=choose_devices(device, torch)[0],
                    local_files_only=True,
                    activation_fn=torch.nn.Identity(),
                    model_kwargs={"use_safetensors": True},
                )
        except Exception as error:  # whatever kind the libraries choose, the model is what is wrong
            told = " ".join(str(error).split())[:300]
            raise ModelError(
                f"the cross-encoder {model} cannot be loaded: {told}", "check retrieval.cross_encoder"
            ) from error
        if self._model.num_labels != 1:
            raise ModelError(
                f"{model} gives {self._model.num_labels} scores for a pair, and reranking needs one",
                "name a cross-encoder that was made for ranking",
            )
        self.weight = weight

    def scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Score in batches; what is longer than the model reads is cut by it."""
        if not pairs:
            return []
        return [float(score) for score in self._model.predict(list(pairs), show_progress_bar=False)]
