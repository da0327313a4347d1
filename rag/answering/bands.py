"""The confidence of an answer in a word: ``high``, ``medium``, or ``low``.

The confidence of extracted words is a calibrated chance of being right: high from where at least nine of ten answers
were right (``high`` in the extractive model's record), low below one half (more likely wrong than right), medium
between them. The text of a language model has no such chance, only evidence: medium if a passage supports every
sentence, low otherwise; never high, because words that occur in a source are not yet an answer. An extractive summary,
the list of documents and small talk have neither a confidence nor a band.
"""

from __future__ import annotations

from collections.abc import Sequence

from rag.types import Band, Sentence

__all__ = ["EVEN", "band_of_chance", "band_of_evidence"]

EVEN = 0.5


def band_of_chance(confidence: float, high: float) -> Band:
    """Return the band of an extracted answer; ``high`` is the confidence from which it is called high."""
    if confidence >= max(high, EVEN):
        return "high"
    return "medium" if confidence >= EVEN else "low"


def band_of_evidence(sentences: Sequence[Sentence]) -> Band:
    """Return the band of a written answer."""
    return "medium" if sentences and all(sentence.supported for sentence in sentences) else "low"
