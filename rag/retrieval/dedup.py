"""Passages that say what a better one says already: they are folded into it, so that the best k are k passages.

``exact`` folds passages whose text is the same but for white space. ``near`` also folds those whose shingles are nearly
the same (:mod:`indexes.minhash`), unless they hold other numbers: two versions of a contract that differ in the
rent are two things to know. Whatever is folded stays on record with the passage that was kept.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace

from rag.types import Duplicate, Passage

__all__ = ["COLLAPSING", "Collapsed"]

COLLAPSING = ("off", "exact", "near")
_NEAR = 0.85
_COMPARED = 100  # best passages; comparing thousands with each other would take seconds
_NUMBER = re.compile(r"\S*\d\S*")


@dataclass
class Collapsed:
    """Passages in the order in which they are added, each folded into the first that says the same."""

    how: str
    kept: list[Passage] = field(default_factory=list)
    _by_text: dict[str, int] = field(default_factory=dict)

    def add(self, passage: Passage) -> bool:
        """Take in the next passage; return whether it is one of its own."""
        into, similarity = self._like(passage)
        if into is None:
            self.kept.append(passage)
            return True
        kept = self.kept[into]
        copy = Duplicate(
            passage.id, passage.source, passage.page, passage.headings, passage.start, passage.end, similarity
        )
        self.kept[into] = replace(kept, duplicates=(*kept.duplicates, copy))
        return False

    def _like(self, passage: Passage) -> tuple[int | None, float]:
        if self.how == "off":
            return None, 0.0
        text = " ".join(passage.text.split())
        known = self._by_text.setdefault(text, len(self.kept))
        if known < len(self.kept):
            return known, 1.0
        if self.how == "near":
            from indexes.minhash import jaccard

            for n, kept in enumerate(self.kept[:_COMPARED]):
                if _numbers(kept.text) == _numbers(text):
                    similarity = jaccard(kept.text, text)
                    if similarity >= _NEAR:
                        self._by_text[text] = n
                        return n, similarity
        return None, 0.0


def _numbers(text: str) -> Counter[str]:
    return Counter(_NUMBER.findall(text))
