"""How much one file may unpack to: what the loaders check themselves, before and while they read."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MIB", "Bounds"]

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that a file may contain.

    ``ratio`` is unpacked to packed size, checked for packages that unpack to more than one mebibyte.
    ``attachment_depth`` is how many messages may be inside each other, the outermost included.
    """

    unpacked_mb: int = 512
    entries: int = 10_000
    ratio: int = 200
    text_mb: int = 64
    pages: int = 20_000
    attachments: int = 100
    attachment_depth: int = 3
