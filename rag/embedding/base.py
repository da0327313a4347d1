"""Texts to unit vectors: sentence-transformers, or a deterministic fake.

An embedder knows how many tokens it reads and counts them; it refuses to be handed more than it reads without saying
so: :meth:`Embedder.embed_passages` takes what the chunker made, and the chunker asks :meth:`Embedder.count_tokens`.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rag.embedding.legible import legible
from rag.embedding.token_counter import TokenCounts
from rag.errors import ModelError
from rag.models.resolve import resolve_model

__all__ = [
    "Embedder",
    "EmbeddingWork",
    "FakeEmbedder",
    "SentenceTransformerEmbedder",
    "choose_devices",
    "choose_dtype",
    "fingerprint",
]

_TEXT_FORM = "legible"  # part of every fingerprint: how texts are prepared

Float32 = npt.NDArray[np.float32]


@dataclass(slots=True)
class EmbeddingWork:
    """What an embedder did since it was made: the tokens that it read, and the seconds it took to make them of texts.

    An estimate where several threads embed.
    """

    tokens: int = 0
    tokenising: float = 0.0

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Add the time of a block that makes tokens."""
        started = time.perf_counter()
        yield
        self.tokenising += time.perf_counter() - started


class Embedder(Protocol):
    """What the pipeline needs of an embedder."""

    @property
    def fingerprint(self) -> str:
        """Identify weights, prefixes and pooling: vectors of equal fingerprints may be compared."""

    @property
    def dimension(self) -> int:
        """The length of a vector."""

    @property
    def max_tokens(self) -> int:
        """The most tokens it reads of one text, special tokens included."""

    @property
    def work(self) -> EmbeddingWork:
        """What it has done so far."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each passage text, prefix and special tokens included."""

    def embed_passages(self, texts: Sequence[str]) -> Float32:
        """Return unit vectors (n, dimension)."""

    def embed_queries(self, texts: Sequence[str]) -> Float32:
        """Return unit vectors (n, dimension)."""

    def close(self) -> None:
        """Free what the embedder holds beside its weights."""


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


def fingerprint(model: str, weights: str, query_prefix: str, passage_prefix: str) -> str:
    """Return the fingerprint of an embedder, for which it need not be loaded: its files decide everything else."""
    parts = (weights, query_prefix, passage_prefix, _TEXT_FORM)
    return f"{model}:{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:16]}"


def _counter(tokenizer: Any) -> Any:
    """Return a copy of a fast tokenizer that neither cuts nor pads: the model's own goes on doing both."""
    from tokenizers import Tokenizer

    copy = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy


class FakeEmbedder:
    """Hashed bags of words: deterministic, instant, and no model. Texts that share words are near each other."""

    fingerprint = "fake:1"
    dimension = 64
    max_tokens = 256

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
        """Hold nothing, free nothing."""


@lru_cache(maxsize=1 << 16)
def _bucket(word: str) -> tuple[int, float]:
    digest = hashlib.sha256(word.encode()).digest()
    return digest[0], 1.0 if digest[1] % 2 else -1.0


def choose_devices(device: str, torch: Any) -> list[str]:
    """Return the devices to encode on: ``auto`` is every CUDA GPU, else Apple's, else the CPU."""
    if device != "auto":
        return [part.strip() for part in device.split(",")]
    if torch.cuda.is_available():
        return [f"cuda:{n}" for n in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        return ["mps"]
    return ["cpu"]


def choose_dtype(dtype: str, device: str, torch: Any) -> str:
    """Return the dtype's name: ``auto`` is bf16 (fp16 before Ampere) on a CUDA GPU, fp32 elsewhere."""
    if dtype != "auto":
        return dtype
    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    return "float32"
