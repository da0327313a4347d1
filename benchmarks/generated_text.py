"""Text made up from a seed, for benchmarks that need more of it than can be kept: words, paragraphs and whole files.

Words are syllables, drawn by Zipf's law as in a language, so that BM25 has common and rare ones; no two paragraphs
are alike, so that nothing is embedded only once for many.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

__all__ = ["Writer"]

_SYLLABLES = [c + v + e for c in "bdfgklmnprst" for v in "aeiou" for e in ("", "n", "r")]
_WORDS = 40_000
_SENTENCES = 50_000


class Writer:
    """Writes the same text for the same seed."""

    def __init__(self, seed: int = 7) -> None:
        self._chance = random.Random(seed)
        chance = self._chance
        self.words = sorted({"".join(chance.choices(_SYLLABLES, k=chance.randint(1, 4))) for _ in range(_WORDS)})
        chance.shuffle(self.words)
        self._weights = list(accumulate(1 / (rank + 10) for rank in range(len(self.words))))
        self._sentences = [self._sentence() for _ in range(_SENTENCES)]

    def _sentence(self) -> str:
        return " ".join(self.some_words(self._chance.randint(6, 16))).capitalize() + "."

    def some_words(self, count: int) -> list[str]:
        """Return words as frequent as in the texts."""
        return self._chance.choices(self.words, cum_weights=self._weights, k=count)

    def paragraph(self) -> str:
        """Return five to nine sentences, some 500 characters, and a word and a number that make it like no other."""
        sentences = self._chance.choices(self._sentences, k=self._chance.randint(5, 9))
        return f"{' '.join(sentences)} {self._chance.choice(self.words)} {self._chance.getrandbits(40)}.\n\n"

    def paragraphs(self, size: int) -> Iterator[str]:
        """Yield paragraphs of at least ``size`` characters together."""
        while size > 0:
            paragraph = self.paragraph()
            size -= len(paragraph)
            yield paragraph

    def write(self, path: Path, size: int, heading_every: int = 20) -> int:
        """Write a file of about that many bytes, with a Markdown heading now and then; return its exact size."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as out:
            for number, paragraph in enumerate(self.paragraphs(size)):
                if number % heading_every == 0 and path.suffix == ".md":
                    out.write(f"# {' '.join(self.some_words(3))}\n\n")
                out.write(paragraph)
        return path.stat().st_size
