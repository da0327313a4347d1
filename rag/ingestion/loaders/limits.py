"""How much one file may unpack to: what a loader checks by itself, before and while it reads."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MIB", "Bounds"]

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most a file may hold. ``ratio`` is inflated to packed size, asked of packages above one mebibyte only."""

    unpacked_mb: int = 512
    entries: int = 10_000
    ratio: int = 200
    text_mb: int = 64
    pages: int = 20_000
    attachments: int = 100
    attachment_depth: int = 3
