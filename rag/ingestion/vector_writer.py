"""Embeds texts that have no vector yet and stores the vectors, a few seconds of work at a time.

Each batch is stored before the next begins, so an interruption loses at most one batch of embeddings. The size of a
batch follows from the measured speed: a few seconds are thirty texts on one machine and thousands on another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from indexes import Index
from rag.embedding.base import Embedder
from rag.ingestion.chunker import EmbeddedText
from rag.ingestion.report import StageClock

__all__ = ["VectorWriter"]

_BATCH_SECONDS = 2.0
_ASSUMED_RATE = 30.0  # texts a second on a slow machine, until the rate is measured
_LEAST, _MOST = 32, 8192  # texts in a batch


class VectorWriter:
    """Embeds for one index. ``embedded`` counts the texts so far, ``tokens`` what the embedder has read of them."""

    def __init__(self, index: Index, embedder: Embedder, stages: StageClock) -> None:
        self._store = index.store
        self._embedder = embedder
        self._stages = stages
        self._rate = _ASSUMED_RATE
        self.embedded = self.tokens = 0

    def seconds_for(self, texts: int) -> float:
        """Estimate how long it takes to embed this many texts."""
        return texts / self._rate

    def write(self, texts: Mapping[bytes, EmbeddedText], progress: Callable[[float], None]) -> None:
        """Embed and store the texts (by their hash) that have no vector of this embedder.

        ``progress`` gets the share that is done after each batch.
        """
        with self._stages.stage("write"):
            known = self._store.known_vectors(self._embedder.fingerprint, texts)
        # Similar lengths together, for little padding; the longest first, so that no batch takes longer than estimated.
        missing = sorted((item for item in texts.items() if item[0] not in known), key=lambda item: -item[1].length)
        done = 0
        while done < len(missing):
            batch = missing[done : done + max(_LEAST, min(int(self._rate * _BATCH_SECONDS), _MOST))]
            self._write_batch(batch)
            done += len(batch)
            self.embedded += len(batch)
            progress(done / len(missing))

    def _write_batch(self, batch: list[tuple[bytes, EmbeddedText]]) -> None:
        work, started = self._embedder.work, self._stages.now()
        tokens, tokenising = work.tokens, work.tokenising
        with self._stages.stage("embed"):
            vectors = self._embedder.embed_passages([str(text) for _, text in batch])
        self._stages.shift("embed", "tokenise", work.tokenising - tokenising)
        self.tokens += work.tokens - tokens
        seconds = self._stages.now() - started
        if seconds > 0:
            self._rate = len(batch) / seconds
        with self._stages.stage("write"):
            by_key = {key: vector for (key, _), vector in zip(batch, vectors, strict=True)}
            self._store.put_vectors(self._embedder.fingerprint, by_key)
