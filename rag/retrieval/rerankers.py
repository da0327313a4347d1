"""Rerankers: models that read question and passage together and score the best candidates again.

A reranker returns log-odds; the retriever adds them, weighted, to the fused score. It knows nothing of indexes. Adding
one means one class and one row in :data:`RERANKERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Protocol

from rag.errors import MissingPackageError, ModelError, model_errors
from rag.evidence.coverage import Coverage
from rag.extractive_qa.windows import Pair
from rag.models.loading import cross_encoder
from rag.text import one_line

if TYPE_CHECKING:
    from rag.config import ReaderModelConfig, RetrievalConfig
    from rag.extractive_qa.engine import SpanEngine

__all__ = ["RERANKERS", "CrossEncoderReranker", "ReaderReranker", "Reranker", "coverages"]


class Reranker(Protocol):
    """Scores passages for questions. Safe to call from many threads."""

    weight: float

    def scores(self, pairs: Sequence[Pair]) -> list[float]:
        """Return how well each passage answers its question, in log-odds: higher is better. Pairs may repeat."""


class ReaderReranker:
    """Scores with the extractive model (its relevance head and its best span) and the question's words in the passage.

    The weights are those of the model's record. For a question that the model cannot read, the words alone count.
    """

    weight = 1.0

    def __init__(self, engine: SpanEngine) -> None:
        self._engine = engine

    def scores(self, pairs: Sequence[Pair]) -> list[float]:
        """Read the pairs. The engine caches the readings, so answering does not read them again."""
        combination = self._engine.record.combination
        pairs = [pair._replace(question=one_line(pair.question)) for pair in pairs]
        reads = [self._engine.record.can_read(pair.question) for pair in pairs]
        readings = iter(self._engine.read([pair for pair, is_read in zip(pairs, reads, strict=True) if is_read]))
        scores = []
        for is_read, coverage in zip(reads, coverages(pairs), strict=True):
            reading = next(readings) if is_read else None
            relevance, margin = (reading.relevance, reading.margin) if reading else (0.0, 0.0)
            scores.append(combination.reranking(relevance, margin, coverage))
        return scores


def coverages(pairs: Sequence[Pair]) -> list[float]:
    """Return the share of the question's words in each passage with its context line, 0 to 1.

    Consecutive pairs with one question are its candidates, among which words are weighed.
    """
    shares: list[float] = []
    for question, group in groupby(pairs, key=lambda pair: pair.question):
        texts = [pair.text for pair in group]
        covered = Coverage(question, texts)
        shares += [covered.of_text(n) for n in range(len(texts))]
    return shares


class CrossEncoderReranker:
    """Any sentence-transformers CrossEncoder with one output."""

    def __init__(self, model: str, *, revision: str | None = None, device: str = "auto", weight: float = 1.0) -> None:
        from rag.models.quiet import quiet_libraries
        from rag.models.resolve import resolve_model

        local = resolve_model(model, revision)
        try:
            import sentence_transformers  # noqa: F401 - its absence is reported here
            import torch
        except ImportError:
            raise MissingPackageError("a cross-encoder needs sentence-transformers", "run `make install`") from None
        from rag.embedding.base import choose_devices

        message = f"the cross-encoder {model} cannot be loaded"
        with model_errors(message, "check retrieval.cross_encoder"), quiet_libraries():
            device = choose_devices(device, torch)[0]
            self._model = cross_encoder(local.path, device, activation_fn=torch.nn.Identity())
        if self._model.num_labels != 1:
            raise ModelError(
                f"{model} returns {self._model.num_labels} scores for a pair, and reranking needs one",
                "name a cross-encoder made for ranking",
            )
        self.weight = weight

    def scores(self, pairs: Sequence[Pair]) -> list[float]:
        """Score in batches. The model truncates pairs that are too long for it."""
        if not pairs:
            return []
        texts = [(pair.question, pair.text) for pair in pairs]
        return [float(score) for score in self._model.predict(texts, show_progress_bar=False)]


def _make_reader(_: RetrievalConfig, reader: ReaderModelConfig) -> Reranker:
    from rag.extractive_qa.engine import shared_engine

    return ReaderReranker(shared_engine(**reader.model_dump()))


def _make_cross_encoder(retrieval: RetrievalConfig, _: ReaderModelConfig) -> Reranker:
    return CrossEncoderReranker(retrieval.cross_encoder, weight=retrieval.rerank_weight)


RERANKERS: dict[str, Callable[[RetrievalConfig, ReaderModelConfig], Reranker]] = {
    "reader": _make_reader,
    "cross-encoder": _make_cross_encoder,
}
"""The makers by the value of ``retrieval.rerank``, which may also be ``off``."""
