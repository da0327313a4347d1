"""What a system returns for one question: an answer, and as much of its evidence as the system knows.

Plain records. They know nothing of metrics and of how an answer was found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eval.losses import Trace

__all__ = ["CitedSpan", "Prediction", "RankedPassage", "same_source"]


@dataclass(frozen=True, slots=True)
class RankedPassage:
    """A retrieved passage. ``rank`` counts from 1; ``shown`` passages were in the prompt."""

    id: int
    source: str
    page: int | None
    headings: tuple[str, ...]
    text: str
    score: float
    rank: int
    shown: bool
    dense: float | None = None
    lexical: float | None = None
    dense_rank: int | None = None
    lexical_rank: int | None = None


@dataclass(frozen=True, slots=True)
class CitedSpan:
    """A citation: a quote and its character offsets in the text of its source."""

    source: str
    start: int
    end: int
    quote: str


@dataclass(frozen=True)
class Prediction:
    """An answer and what the evaluation measures of it; only ``text`` is required.

    ``short`` holds the words of ``text`` that answer the question; exact match and F1 are computed on it, or on the
    whole text if it is empty. ``confidence`` lies between 0 and 1, and is None for an answer that is not rated, such as
    a summary; ``band`` says it in a word: ``high``, ``medium``, ``low``, or nothing.
    ``ranked_sources`` are the documents found, best first, each once, deeper than the passages; None if the system does
    not retrieve. ``sentences`` and ``supported`` count the answer's sentences. ``timings`` are seconds by stage,
    ``usage`` counts tokens. ``notes`` are English sentences; ``note_kinds`` holds the kind and the values of each, for
    another language.
    """

    text: str
    abstained: bool = False
    confidence: float | None = 1.0
    passages: tuple[RankedPassage, ...] = ()
    ranked_sources: tuple[str, ...] | None = None
    citations: tuple[CitedSpan, ...] = ()
    sentences: int = 0
    supported: int = 0
    timings: Mapping[str, float] = field(default_factory=dict)
    usage: Mapping[str, int] = field(default_factory=dict)
    trace: Trace | None = None
    notes: Sequence[str] = ()
    note_kinds: Sequence[Mapping[str, Any]] = ()
    short: str = ""
    band: str = ""


def same_source(found: str, gold: str | None) -> bool:
    """Return whether a found document is the one that a question names, by its whole name or the end of its path."""
    return gold is not None and (found == gold or found.endswith("/" + gold))
