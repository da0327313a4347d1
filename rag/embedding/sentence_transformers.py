"""Any sentence-transformers model, through torch: on the CPU, one GPU or several."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from rag.embedding.base import (
    EmbedderSettings,
    EmbeddingWork,
    Float32,
    choose_devices,
    choose_dtype,
    fingerprint,
)
from rag.embedding.token_counter import TokenCounter, untruncated
from rag.errors import model_errors
from rag.models.loading import sentence_transformer
from rag.models.resolve import resolve_model

__all__ = ["SentenceTransformerEmbedder"]


class SentenceTransformerEmbedder:
    """A sentence-transformers model on the devices of the settings. Raises :class:`~rag.errors.ModelError`."""

    def __init__(self, settings: EmbedderSettings) -> None:
        import torch

        local = resolve_model(settings.model, settings.revision)
        from transformers.utils import logging as hf_logging

        hf_logging.disable_progress_bar()
        self._settings = settings
        self._devices = choose_devices(settings.device, torch)
        dtype = choose_dtype(settings.dtype, self._devices[0], torch)
        message = f"the embedder {settings.model} cannot be loaded on {self._devices[0]}"
        with model_errors(message, "check embedding.model and embedding.device, or use bundled:minilm"):
            self._model = sentence_transformer(local.path, self._devices[0], dtype=getattr(torch, dtype))
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.max_tokens = int(self._model.max_seq_length or 512)
        self.latin_only = settings.latin_only
        self.fingerprint = fingerprint(settings, local.fingerprint)
        self._counter = TokenCounter(untruncated(self._model.tokenizer.backend_tokenizer))
        self._pool: Any = None
        self.work = EmbeddingWork()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each passage text, prefix and special tokens included."""
        return self._counter.count([self._settings.passage_prefix + text for text in texts])

    def embed_passages(self, texts: Sequence[str]) -> Float32:
        """Return unit vectors (n, dimension). Many texts are shared out over all devices."""
        prefixed = [self._settings.passage_prefix + text for text in texts]
        if len(self._devices) > 1 and len(texts) > self._settings.batch_size:
            if self._pool is None:  # one process per device, reused: starting them takes longer than a batch
                self._pool = self._model.start_multi_process_pool(self._devices)
            return self._encode(prefixed, pool=self._pool)
        return self._encode(prefixed)

    def embed_queries(self, texts: Sequence[str]) -> Float32:
        """Return unit vectors (n, dimension). A question longer than ``max_tokens`` is truncated."""
        return self._encode([self._settings.query_prefix + text for text in texts])

    def close(self) -> None:
        """Stop the processes of further devices, if there are any."""
        if self._pool is not None:
            self._model.stop_multi_process_pool(self._pool)
            self._pool = None

    def _encode(self, texts: list[str], pool: Any = None) -> Float32:
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        started = time.perf_counter()
        readable = self._counter.encode(texts)
        self.work.tokenising += time.perf_counter() - started
        self.work.tokens += sum(min(len(encoding.ids), self.max_tokens) for _, encoding in readable)
        vectors = self._model.encode(
            [text for text, _ in readable],
            batch_size=self._settings.batch_size,
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
            pool=pool,
        )
        return np.asarray(vectors, dtype=np.float32)
