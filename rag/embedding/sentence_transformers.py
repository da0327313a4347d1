"""Any sentence-transformers model, through torch: on the CPU, one GPU or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rag.embedding.base import EmbeddingWork, Float32, choose_devices, choose_dtype, fingerprint
from rag.embedding.legible import legible
from rag.embedding.token_counter import TokenCounts
from rag.errors import ModelError
from rag.models.resolve import resolve_model

__all__ = ["SentenceTransformerEmbedder"]


class SentenceTransformerEmbedder:
    """A sentence-transformers model on the CPU, one GPU or several."""

    def __init__(
        self,
        model: str,
        *,
        revision: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        batch_size: int = 32,
        query_prefix: str = "",
        passage_prefix: str = "",
    ) -> None:
        import torch

        local = resolve_model(model, revision)
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as hf_logging

        hf_logging.disable_progress_bar()
        self._devices = choose_devices(device, torch)
        self._batch_size = batch_size
        self._query_prefix, self._passage_prefix = query_prefix, passage_prefix
        try:
            self._model = SentenceTransformer(
                str(local.path),
                device=self._devices[0],
                local_files_only=True,
                model_kwargs={
                    "dtype": getattr(torch, choose_dtype(dtype, self._devices[0], torch)),
                    "use_safetensors": True,
                },
            )
        except Exception as error:  # whatever kind the libraries choose, the model or the device is what is wrong
            told = " ".join(str(error).split())[:300]
            raise ModelError(
                f"the embedder {model} cannot be loaded on {self._devices[0]}: {told}",
                "check embedding.model and embedding.device, or use bundled:minilm",
            ) from error
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.max_tokens = int(self._model.max_seq_length or 512)
        self.fingerprint = fingerprint(model, local.fingerprint, query_prefix, passage_prefix)
        self._counter = _counter(self._model.tokenizer)
        self._counts = TokenCounts(self._counter)
        self._pool: Any = None
        self.work = EmbeddingWork()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count with the fast tokenizer; its own truncation is off."""
        return self._counts.of([self._passage_prefix + text for text in texts])

    def embed_passages(self, texts: Sequence[str]) -> Float32:
        """Encode, sorted by length inside sentence-transformers, on all devices."""
        prefixed = [self._passage_prefix + text for text in texts]
        if len(self._devices) > 1 and len(texts) > self._batch_size:
            if self._pool is None:  # one process a device, kept: starting them takes longer than a batch
                self._pool = self._model.start_multi_process_pool(self._devices)
            return self._encode(prefixed, pool=self._pool)
        return self._encode(prefixed)

    def embed_queries(self, texts: Sequence[str]) -> Float32:
        """Encode questions, in the same form. One longer than ``max_tokens`` is read up to there; callers say so."""
        return self._encode([self._query_prefix + text for text in texts])

    def close(self) -> None:
        """Stop the processes of further devices, if there are any."""
        if self._pool is not None:
            self._model.stop_multi_process_pool(self._pool)
            self._pool = None

    def _encode(self, texts: list[str], pool: Any = None) -> Float32:
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        with self.work.measured():
            read = legible(self._counter, texts)
        self.work.tokens += sum(min(len(encoding.ids), self.max_tokens) for _, encoding in read)
        vectors = self._model.encode(
            [text for text, _ in read],
            batch_size=self._batch_size,
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
            pool=pool,
        )
        return np.asarray(vectors, dtype=np.float32)


def _counter(tokenizer: Any) -> Any:
    """Return a copy of a fast tokenizer that neither cuts nor pads: the model's own goes on doing both."""
    from tokenizers import Tokenizer

    copy = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy
