"""The confidence of an answer in a word: ``high``, ``medium``, or ``low``.

The confidence of extracted words is a calibrated chance of being right: high from the extractive model's stricter
threshold on (it would answer even if half of the questions had no answer), low below one half (more likely wrong than
right), medium between them. The text of a language model has no such chance, only evidence: medium if a passage
supports every sentence, low otherwise; never high, because words that occur in a source are not yet an answer.
"""

from __future__ import annotations

from typing import Literal

from rag.types import Answer

__all__ = ["EVEN", "Band", "band"]

Band = Literal["high", "medium", "low"]
EVEN = 0.5


def band(answer: Answer, *, marked: bool, strict: float) -> Band:
    """Return the band of an answer that is not an abstention.

    ``marked`` says whether an extractor took it out of the passages, ``strict`` is the answerer's strict threshold.
    """
    if marked and answer.citations:
        if answer.confidence >= max(strict, EVEN):
            return "high"
        return "medium" if answer.confidence >= EVEN else "low"
    supported = bool(answer.sentences) and all(sentence.supported for sentence in answer.sentences)
    return "medium" if supported else "low"
