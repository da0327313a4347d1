"""The page on which a quote begins, where its passage crosses a page break.

A passage has the page on which it begins. This module knows nothing of indexes: the caller looks page breaks up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from rag.types import Answer, Citation

__all__ = ["with_pages"]

PageBreaks = Callable[[str, int, int], Sequence[tuple[int, int]]]
"""Returns where other pages of a document begin between two offsets: the offset and the page."""


def with_pages(answer: Answer, page_breaks: PageBreaks) -> Answer:
    """Return the answer with the page of each citation whose quote begins on a later page than its passage."""
    citations = tuple(_placed(citation, page_breaks) for citation in answer.citations)
    return answer if citations == answer.citations else replace(answer, citations=citations)


def _placed(citation: Citation, page_breaks: PageBreaks) -> Citation:
    passage = citation.passage
    if passage.page is None:
        return citation
    page = passage.page
    for offset, number in page_breaks(passage.source, passage.start, passage.end):
        if offset <= citation.start:
            page = number
    return citation if page == passage.page else replace(citation, own_page=page)
