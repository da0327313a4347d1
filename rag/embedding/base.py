"""The embedder protocol: texts to unit vectors, and what every embedder has in common.

An embedder counts the tokens of a text and says how many it reads, so that the chunker never gives it more.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Embedder", "EmbeddingWork", "choose_devices", "choose_dtype", "fingerprint"]

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


def fingerprint(model: str, weights: str, query_prefix: str, passage_prefix: str) -> str:
    """Return the fingerprint of an embedder, for which it need not be loaded: its files decide everything else."""
    parts = (weights, query_prefix, passage_prefix, _TEXT_FORM)
    return f"{model}:{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:16]}"


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
