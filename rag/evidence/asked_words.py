"""How much of a question several parts of a document cover together, in any language that has words or characters.

Words weigh by their rarity among the candidates, as in :mod:`rag.evidence.coverage`. A word also counts, a little less,
where only its beginning occurs: ``растянуть`` in a row about ``растяжка``. Question words and function words are no
words to look for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from indexes.search.function_words import FUNCTION_WORDS
from rag.evidence.question_words import is_question_word
from rag.evidence.token_match import content_stems

__all__ = ["AskedWords", "stems_of"]

_ALIKE = 0.8  # what a word counts where only its beginning occurs
_LEAST_SHARED, _SHARED = 4, 0.6  # characters, and their share of the longer word
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")


class AskedWords:
    """The words of a question, weighed among the ``texts`` of all candidates."""

    def __init__(self, question: str, texts: Sequence[str]) -> None:
        stems = [stems_of(text) for text in texts]
        self.stems = stems_of(_WORD.sub(_without_question_words, question)) or stems_of(question)
        total = len(texts)
        self._weights = {
            asked: math.log1p(total / (0.5 + sum(self._match(asked, held) > 0 for held in stems)))
            for asked in sorted(self.stems)
        }
        self._total = sum(self._weights.values())

    def share(self, zones: Iterable[frozenset[str]]) -> float:
        """Return the weighted share of the question's words in any of the zones' stems, 0 to 1; 0 if it has none."""
        held = frozenset().union(*zones)
        covered = sum(weight * self._match(asked, held) for asked, weight in self._weights.items())
        return covered / self._total if self._total else 0.0

    def new(self, stems: frozenset[str]) -> int:
        """Return how many of these stems say more than the question does."""
        return sum(self._match(stem, self.stems) == 0 for stem in stems)

    def _match(self, asked: str, held: frozenset[str]) -> float:
        if asked in held:
            return 1.0
        return _ALIKE if any(_alike(asked, stem) for stem in held) else 0.0


@lru_cache(maxsize=4096)
def stems_of(text: str) -> frozenset[str]:
    """Return the stems of a text's content words and its numbers."""
    return content_stems(text.replace("ё", "е").replace("Ё", "Е"))


@lru_cache(maxsize=65536)
def _alike(one: str, other: str) -> bool:
    if one[:_LEAST_SHARED] != other[:_LEAST_SHARED] or any(map(str.isdigit, one + other)):
        return False
    least = min(len(one), len(other))
    shared = next((n for n in range(least) if one[n] != other[n]), least)
    return shared >= max(_LEAST_SHARED, _SHARED * max(len(one), len(other)))


def _without_question_words(match: re.Match[str]) -> str:
    word = match.group().lower()
    return " " if is_question_word(word) or any(word in words for words in FUNCTION_WORDS.values()) else match.group()
