"""A deterministic embedder without a model, for tests and the ``test`` preset."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cached_property, lru_cache

import numpy as np

from rag.embedding.base import EmbeddingWork, Float32

__all__ = ["FakeEmbedder"]


class FakeEmbedder:
    """Hashes bags of words: deterministic, instant, and without a model. Texts that share words are near each other."""

    fingerprint = "fake:1"
    dimension = 64
    max_tokens = 256
    latin_only = False

    @cached_property
    def work(self) -> EmbeddingWork:
        """What it has done so far."""
        return EmbeddingWork()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count words and punctuation marks, and two for the ends."""
        return [len(re.findall(r"\w+|[^\w\s]", text)) + 2 for text in texts]

    def embed_passages(self, texts: Sequence[str]) -> Float32:
        """Add one signed bucket a word."""
        self.work.tokens += sum(self.count_tokens(texts))
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                bucket, sign = _bucket(word)
                vectors[row, bucket % self.dimension] += sign
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: Float32 = np.divide(vectors, norms, out=vectors, where=norms > 0)
        return unit

    def embed_queries(self, texts: Sequence[str]) -> Float32:
        """Embed like a passage."""
        return self.embed_passages(texts)

    def close(self) -> None:
        """Do nothing: there is nothing to free."""


@lru_cache(maxsize=1 << 16)
def _bucket(word: str) -> tuple[int, float]:
    digest = hashlib.sha256(word.encode()).digest()
    return digest[0], 1.0 if digest[1] % 2 else -1.0
