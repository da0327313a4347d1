"""The confidence in a word: a chance for extracted answers, evidence for written ones."""

from __future__ import annotations

import pytest

from rag.answering.bands import band_of_chance, band_of_evidence
from rag.types import Sentence


@pytest.mark.parametrize(
    ("confidence", "high", "word"),
    [(0.7, 0.7, "high"), (0.6999, 0.7, "medium"), (0.5, 0.7, "medium"), (0.4999, 0.7, "low"), (0.4, 0.0, "low")],
)
def test_an_extracted_answer_has_the_band_of_its_chance(confidence: float, high: float, word: str) -> None:
    assert band_of_chance(confidence, high) == word


@pytest.mark.parametrize(
    ("supported", "word"), [((True, True), "medium"), ((True, False), "low"), ((False,), "low"), ((), "low")]
)
def test_a_written_answer_is_never_of_high_confidence(supported: tuple[bool, ...], word: str) -> None:
    sentences = [Sentence(n, n + 1, 1.0, 0 if yes else None) for n, yes in enumerate(supported)]
    assert band_of_evidence(sentences) == word
