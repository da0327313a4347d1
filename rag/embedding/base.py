"""The embedder protocol, its settings, and what every embedder has in common.

An embedder counts the tokens of a text and states how many it reads, so that the chunker never gives it more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Embedder", "EmbedderSettings", "EmbeddingWork", "choose_devices", "choose_dtype", "fingerprint"]

_TEXT_FORM = "legible"  # part of every fingerprint: the version of how texts are prepared

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class EmbedderSettings:
    """Which model to load and how it reads. A prefix is put before each text of its kind.

    ``latin_only``: it learned from texts in Latin script, so that its vectors of other scripts mean nothing.
    """

    model: str
    revision: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    batch_size: int = 32
    query_prefix: str = ""
    passage_prefix: str = ""
    latin_only: bool = False


@dataclass(slots=True)
class EmbeddingWork:
    """The tokens that an embedder has read, and the seconds it took to make them of texts.

    If several threads embed at once, the figures are estimates.
    """

    tokens: int = 0
    tokenising: float = 0.0


class Embedder(Protocol):
    """What ingestion and retrieval need of an embedder."""

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
    def latin_only(self) -> bool:
        """Whether its vectors mean something for texts in Latin script only."""

    @property
    def work(self) -> EmbeddingWork:
        """What it has done so far."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each passage text, prefix and special tokens included."""

    def embed_passages(self, texts: Sequence[str]) -> Float32:
        """Return unit vectors (n, dimension)."""

    def embed_queries(self, texts: Sequence[str]) -> Float32:
        """Return unit vectors (n, dimension). A text longer than ``max_tokens`` is truncated."""

    def close(self) -> None:
        """Free everything but the weights. The embedder can be used again."""


def fingerprint(settings: EmbedderSettings, weights: str) -> str:
    """Return the fingerprint of an embedder without loading it. ``weights`` is the fingerprint of the model's files."""
    parts = (weights, settings.query_prefix, settings.passage_prefix, _TEXT_FORM)
    return f"{settings.model}:{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:16]}"


def choose_devices(device: str, torch: Any) -> list[str]:
    """Return the devices to encode on: ``auto`` is every CUDA GPU, else Apple's GPU, else the CPU."""
    if device != "auto":
        return [part.strip() for part in device.split(",")]
    if torch.cuda.is_available():
        return [f"cuda:{n}" for n in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        return ["mps"]
    return ["cpu"]


def choose_dtype(dtype: str, device: str, torch: Any) -> str:
    """Return the name of the dtype: ``auto`` is bf16 (fp16 before Ampere) on a CUDA GPU, else fp32."""
    if dtype != "auto":
        return dtype
    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    return "float32"
