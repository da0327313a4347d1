"""How much one file may contain, and how pictures are read: what the loaders check themselves while they read."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MIB", "NO_OCR", "Bounds", "OcrSettings"]

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that a file may contain.

    ``ratio`` is unpacked to packed size, checked for packages that unpack to more than one mebibyte.
    ``attachment_depth`` is how many messages may be inside each other, the outermost included.
    With ``embedded_files``, files inside PDFs and Office files are read like attachments.
    """

    unpacked_mb: int = 512
    entries: int = 10_000
    ratio: int = 200
    text_mb: int = 64
    pages: int = 20_000
    attachments: int = 100
    attachment_depth: int = 3
    embedded_files: bool = False


@dataclass(frozen=True, slots=True)
class OcrSettings:
    """Whether and how text is recognised in pictures and scans.

    ``mode`` is ``auto`` (where the engine is installed), ``on`` or ``off``; ``languages`` name files of Tesseract's.
    ``pages`` is the most pages and pictures of a file that are read, ``page_seconds`` the most time for one of them,
    ``page_megapixels`` the most millions of pixels of one.
    """

    mode: str = "auto"
    languages: tuple[str, ...] = ("eng", "rus")
    pages: int = 500
    page_seconds: int = 20
    page_megapixels: int = 50


NO_OCR = OcrSettings(mode="off")
