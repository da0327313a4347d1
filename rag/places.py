"""What a place in a document is called."""

from __future__ import annotations

__all__ = ["has_slides"]

_SLIDES = (".pptx", ".pptm", ".ppsx", ".potx")


def has_slides(source: str) -> bool:
    """Tell by its name whether a document's pages are slides: a passage does not carry its document's type."""
    return source.lower().endswith(_SLIDES)
