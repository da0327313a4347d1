"""How much of a question's words a text holds: a sign that it speaks of the same thing.

Words weigh by how few of the candidate texts hold them, as in inverse document frequency (Spärck Jones 1972): the name
of a lease separates it from the other leases, the word "rent" does not. A word that no text holds weighs most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rag.evidence.token_match import content_stems

__all__ = ["Coverage"]


class Coverage:
    """The weighted words of one question among its candidate ``texts``."""

    def __init__(self, question: str, texts: Sequence[str]) -> None:
        asked = content_stems(question)
        self.stems = [content_stems(text) & asked for text in texts]
        self._weights = {
            stem: math.log1p(len(texts) / (0.5 + sum(stem in held for held in self.stems))) for stem in asked
        }
        self._total = sum(self._weights.values())

    def of_text(self, number: int) -> float:
        """Return the weighted share of the question's words in a candidate text, 0 to 1; 1 for a question of none."""
        return self._share(self.stems[number])

    def of(self, text: str) -> float:
        """Return the weighted share of the question's words in any text, 0 to 1."""
        return self._share(content_stems(text))

    def _share(self, stems: frozenset[str]) -> float:
        if not self._total:
            return 1.0
        return sum(weight for stem, weight in self._weights.items() if stem in stems) / self._total
