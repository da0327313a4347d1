"""Texts that have no vector yet are embedded and stored, some seconds' worth at a time.

Every part is stored before the next is begun: whatever interrupts, at most one part's embeddings are made again. How
many texts are some seconds' worth is measured as it goes, because it is thirty on one machine and thousands on another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from indexes import Index
from rag.embedding.base import Embedder
from rag.ingestion.chunker import EmbeddedText
from rag.ingestion.report import StageClock

__all__ = ["VectorWriter"]

_SECONDS_A_PART = 2.0
_ASSUMED = 30.0  # texts a second, until it is known: that of a slow machine
_LEAST, _MOST = 32, 8192  # texts in a part


class VectorWriter:
    """Embeds for one index. ``embedded`` counts the texts so far, ``tokens`` what the embedder read of them."""

    def __init__(self, index: Index, embedder: Embedder, stages: StageClock) -> None:
        self._store = index.store
        self._embedder = embedder
        self._stages = stages
        self._rate = _ASSUMED
        self._tokens_before = embedder.work.tokens
        self.embedded = 0

    @property
    def tokens(self) -> int:
        """The tokens that were read for them."""
        return self._embedder.work.tokens - self._tokens_before

    def seconds_for(self, texts: int) -> float:
        """Estimate how long that many texts take, by how long the last part took."""
        return texts / self._rate

    def fill(self, texts: Mapping[bytes, EmbeddedText], tell: Callable[[float], None]) -> None:
        """Embed and store the texts (by their hash) that this embedder has not embedded before.

        ``tell`` is given the share that is done, after each part.
        """
        with self._stages.stage("write"):
            known = self._store.known_vectors(self._embedder.fingerprint, texts)
        # Like lengths together, so that little is padding; the longest first, so that a part is never underrated.
        missing = sorted((item for item in texts.items() if item[0] not in known), key=lambda item: -item[1].length)
        done = 0
        while done < len(missing):
            part = missing[done : done + max(_LEAST, min(int(self._rate * _SECONDS_A_PART), _MOST))]
            self._embed(part)
            done += len(part)
            self.embedded += len(part)
            tell(done / len(missing))

    def _embed(self, part: list[tuple[bytes, EmbeddedText]]) -> None:
        work, started = self._embedder.work, self._stages.now()
        tokenised = work.tokenising
        with self._stages.stage("embed"):
            vectors = self._embedder.embed_passages([str(text) for _, text in part])
        self._stages.shift("embed", "tokenise", work.tokenising - tokenised)
        took = self._stages.now() - started
        if took > 0:
            self._rate = len(part) / took
        with self._stages.stage("write"):
            self._store.put_vectors(
                self._embedder.fingerprint, {key: vector for (key, _), vector in zip(part, vectors, strict=True)}
            )
