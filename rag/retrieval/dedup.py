"""Fold duplicate passages into the best one, so that the best k passages are k different ones.

``exact`` folds passages whose texts differ only in white space. ``near`` also folds passages whose shingles are nearly
the same (:mod:`indexes.minhash`), unless their numbers differ: two versions of a contract with different rents are two
facts. A folded passage is recorded with the one that represents it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace

from rag.types import Duplicate, Passage

__all__ = ["Deduplicator"]

_THRESHOLD = 0.85
_COMPARED = 100  # best passages; comparing thousands with each other would take seconds
_NUMBER = re.compile(r"\S*\d\S*")


@dataclass
class Deduplicator:
    """Takes passages best first; ``passages`` are those that remain. ``mode`` is ``off``, ``exact`` or ``near``."""

    mode: str
    passages: list[Passage] = field(default_factory=list)
    _by_text: dict[str, int] = field(default_factory=dict)

    def add(self, passage: Passage) -> bool:
        """Add the next passage; return whether it is a new one."""
        position, similarity = self._find(passage)
        if position is None:
            self.passages.append(passage)
            return True
        first = self.passages[position]
        copy = Duplicate(
            passage.id, passage.source, passage.page, passage.headings, passage.start, passage.end, similarity
        )
        self.passages[position] = replace(first, duplicates=(*first.duplicates, copy))
        return False

    def _find(self, passage: Passage) -> tuple[int | None, float]:
        """Return the position and similarity of an equal passage, (None, 0) if there is none."""
        if self.mode == "off":
            return None, 0.0
        text = " ".join(passage.text.split())
        known = self._by_text.setdefault(text, len(self.passages))
        if known < len(self.passages):
            return known, 1.0
        if self.mode == "near":
            from indexes.minhash import jaccard

            for n, other in enumerate(self.passages[:_COMPARED]):
                if _numbers(other.text) == _numbers(text):
                    similarity = jaccard(other.text, text)
                    if similarity >= _THRESHOLD:
                        self._by_text[text] = n
                        return n, similarity
        return None, 0.0


def _numbers(text: str) -> Counter[str]:
    return Counter(_NUMBER.findall(text))
