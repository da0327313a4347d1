"""Letters that look the same in Latin and Cyrillic, such as the first of "May": each word gets them in one script.

An engine that reads both scripts cannot tell them apart by their looks. The other letters of the word decide, for a
word of such letters alone those of its line, then those of the page.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

__all__ = ["in_one_script"]

_LATIN, _CYRILLIC = "ABCEHKMOPTXYaceopxy", "АВСЕНКМОРТХУасеорху"
_TO_LATIN, _TO_CYRILLIC = str.maketrans(_CYRILLIC, _LATIN), str.maketrans(_LATIN, _CYRILLIC)
_EITHER = frozenset(_LATIN + _CYRILLIC)


def in_one_script(words: Sequence[tuple[str, Hashable]]) -> list[str]:
    """Return the words, each with its line, in one script each. Codes (words with digits) stay as they are."""
    own = [_leaning(word) for word, _ in words]
    lines: dict[Hashable, int] = {}
    for (_, line), leaning in zip(words, own, strict=True):
        lines[line] = lines.get(line, 0) + leaning
    page = sum(own)
    return [
        _written(word, leaning or (_sign(lines[line]) or page) * _is_open(word))
        for (word, line), leaning in zip(words, own, strict=True)
    ]


def _leaning(word: str) -> int:
    """Return how many letters are surely Latin, less those that are surely Cyrillic; 0 for a word with both."""
    latin = sum(c.isascii() and c.isalpha() and c not in _EITHER for c in word)
    cyrillic = sum("\u0400" <= c <= "\u04ff" for c in word if c not in _EITHER)
    return 0 if latin and cyrillic else latin - cyrillic


def _is_open(word: str) -> bool:
    """Return whether a word has letters, and all of them exist in both scripts."""
    letters = [c for c in word if c.isalnum()]
    return bool(letters) and all(c in _EITHER for c in letters)


def _written(word: str, leaning: int) -> str:
    if not leaning or (word.isascii() and leaning > 0):
        return word
    return word.translate(_TO_LATIN if leaning > 0 else _TO_CYRILLIC)


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
