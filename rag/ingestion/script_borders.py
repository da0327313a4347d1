"""Where texts in any script may be cut: ends of sentences and clauses, words, and characters with their marks.

Chinese, Japanese, Thai, Lao, Khmer and Burmese part no words by spaces. There a text is cut behind the signs that end a
sentence or a clause, at spaces (which end sentences in Thai), and otherwise between characters as readers see them
(grapheme clusters of Unicode, such as a letter with its vowel signs, or an emoji of several people).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from indexes.search.matching_form import UNSPACED

__all__ = ["CLAUSE_END", "SENTENCE_END", "Unit", "middle_border", "units_backwards"]

_CLOSING = "”’」』）】》〉\"')\\]"
SENTENCE_END = (
    r"(?<=[.!?…؟۔։።፧။។៕।॥᙮꓿])\s+"
    rf"|(?<=[。！？｡︒⁇⁈⁉‼])(?![{_CLOSING}。！？｡⁇⁈⁉‼])\s*|(?<=[。！？｡][{_CLOSING}])\s*|(?<=[။។៕।॥])(?!\s)"
)
"""Behind the sign that ends a sentence; white space is needed only in scripts that have it."""
CLAUSE_END = r"(?<=[,;:،؛፣፤፥՝])\s+|(?<=[，、；：､၊])\s*"

_UNSPACED = re.compile(f"[{UNSPACED}]")
_AFTER_SIGN = re.compile(rf"[。！？｡，、；：､။၊។៕।॥\u200b][{_CLOSING}]?$")
_LONGEST_WORD = 60  # characters; longer ones, such as rows of emoji, are cut between characters
_WINDOW = 600  # characters of a longer word that are looked at together
_AROUND_MIDDLE = 200  # characters


class Unit(NamedTuple):
    """A word, or a character of one without spaces; ``begins_word`` is whether a word or a clause begins with it."""

    start: int
    end: int
    begins_word: bool


@lru_cache(maxsize=1)
def _cluster() -> Any:
    import regex

    return regex.compile(r"\X")


def middle_border(text: str) -> int:
    """Return the border between two characters that is nearest to the middle of a text; 0 if it is one character."""
    middle = len(text) // 2
    first = max(middle - _AROUND_MIDDLE, 0)
    window = text[first : middle + _AROUND_MIDDLE]
    borders = [first + match.start() for match in _cluster().finditer(window)]
    inner = borders[1:] if not first else borders[2:]  # the window may begin inside a character
    return min(inner, key=lambda border: abs(border - middle), default=0)


def units_backwards(text: str, first: int, end: int) -> Iterator[Unit]:
    """Yield the units that begin in ``text[first:end]``, the last one first. Only a few of many are needed."""
    stop = end
    while stop > first:
        if text[stop - 1].isspace():
            stop -= 1
            continue
        start, least = stop, max(first, stop - _WINDOW)
        while start > least and not text[start - 1].isspace():
            start -= 1
        is_whole = start == 0 or text[start - 1].isspace()
        if stop - start > _LONGEST_WORD or _UNSPACED.search(text, start, stop):
            clusters = list(_clusters(text, start, stop))[not is_whole :]  # a part may begin inside a character
            yield from reversed(clusters)
            start = clusters[0].start if clusters else start
        elif is_whole:
            yield Unit(start, stop, begins_word=True)
        stop = start


def _clusters(text: str, start: int, stop: int) -> Iterator[Unit]:
    for match in _cluster().finditer(text, start, stop):
        at = match.start()
        begins = at == 0 or text[at - 1].isspace() or _AFTER_SIGN.search(text, max(at - 2, 0), at) is not None
        yield Unit(at, match.end(), begins)
