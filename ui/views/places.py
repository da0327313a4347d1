"""Where something stands in the documents, in words: the one way in which all pages say it. Plain text, not HTML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Protocol

from rag.ingestion.loaders.formats import has_slides
from ui.i18n import Texts
from ui.text.safe import one_line

__all__ = ["Placed", "full_place", "place", "short_name"]


class Placed(Protocol):
    """Anything with a place: a passage, or a run's record of one."""

    @property
    def source(self) -> str:
        """The document's name."""

    @property
    def page(self) -> int | None:
        """Its page, where it has pages."""

    @property
    def headings(self) -> Sequence[str]:
        """The headings above it, the highest first."""


def short_name(source: str) -> str:
    """Return a document's name without its folders."""
    return one_line(PurePosixPath(source.replace("\\", "/")).name or source, 80)


def place(t: Texts, passage: Placed) -> str:
    """Say where a passage stands in its document: page and heading path, where it has them."""
    word = "app.slide" if has_slides(passage.source) else "app.page"
    page = [t(word, page=passage.page)] if passage.page is not None else []
    path = [" › ".join(one_line(heading, 80) for heading in passage.headings)] if passage.headings else []
    return " · ".join(page + path)


def full_place(t: Texts, passage: Placed) -> str:
    """Say where a passage stands, its document's whole name first."""
    return " · ".join(part for part in (one_line(passage.source, 300), place(t, passage)) if part)
