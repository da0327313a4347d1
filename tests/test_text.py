"""Counts in sentences: one is singular, all else is not."""

from __future__ import annotations

import pytest

from rag.text import counted, documents_by_state


@pytest.mark.parametrize(
    ("count", "nouns", "told"),
    [
        (1, ("chunk",), "1 chunk"),
        (0, ("chunk",), "0 chunks"),
        (2000, ("chunk",), "2,000 chunks"),
        (1, ("line lacks", "lines lack"), "1 line lacks"),
        (21, ("line lacks", "lines lack"), "21 lines lack"),
    ],
)
def test_a_count_and_its_noun(count: int, nouns: tuple[str, ...], told: str) -> None:
    assert counted(count, *nouns) == told


def test_failed_documents_are_told_apart() -> None:
    assert documents_by_state({"ready": 1, "stale": 0, "failed": 0, "chunks": 5}) == "1 document ready"
    assert (
        documents_by_state({"ready": 0, "stale": 1, "failed": 2})
        == "0 documents ready, 1 in an older version, 2 failed"
    )
