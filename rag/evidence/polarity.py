"""Negation: which words of a text are denied. English and Russian, by the distance to a negating word."""

from __future__ import annotations

import re
from functools import lru_cache

from rag.evidence.antonyms import OPPOSITES
from rag.evidence.vocabulary import words_of

__all__ = ["denials", "opposed", "opposites_of", "stated"]

_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|[.;:!?,()—–]|\s-\s")
_NEGATORS = frozenset("not no never without cannot nor neither none nobody не нет нельзя без ни никогда".split())  # noqa: SIM905
_ENDS = frozenset(".;:!?,()—–") | {"but", "а", "но", "except", "unless", "only", "until", "before", "because", "and"}
_REACH = 6  # words
# Opposites that compare or place things: they may stand together, of different things.
_RELATIONS = frozenset(
    "after before above below first last most least more less fewer with without always never early late".split()  # noqa: SIM905
)


@lru_cache(maxsize=8192)
def denials(text: str) -> tuple[frozenset[str], ...]:
    """Return the content words in the reach of each negation, up to the end of its clause."""
    scopes: list[list[str]] = []
    left = 0
    for match in _TOKEN.finditer(text.lower().replace("’", "'")):
        word = match.group()
        if word.strip() in _ENDS or word == " - ":
            left = 0
        elif word in _NEGATORS or word.endswith("n't"):
            scopes.append([])
            left = _REACH
        elif left:
            scopes[-1].append(word)
            left -= 1
    return tuple(scope for words in scopes if (scope := words_of(" ".join(words))))


@lru_cache(maxsize=8192)
def stated(text: str) -> frozenset[str]:
    """Return the content words that are not denied."""
    return words_of(text) - frozenset().union(*denials(text))


@lru_cache(maxsize=4096)
def opposites_of(word: str) -> frozenset[str]:
    """Return the stems of the opposites of a word, which is a stem itself."""
    return _OPPOSITE_STEMS.get(word, frozenset())


def opposed(claim: str, source: str) -> frozenset[str]:
    """Return words of the claim whose opposite the source uses in their place."""
    said, there = words_of(claim), words_of(source)
    return frozenset(word for word in said - there if opposites_of(word) & (there - said))


def _opposite_stems() -> dict[str, frozenset[str]]:
    table: dict[str, frozenset[str]] = {}
    for word, others in OPPOSITES.items():
        if word in _RELATIONS:
            continue
        for stem in words_of(word):
            table[stem] = table.get(stem, frozenset()) | words_of(" ".join(others))
    return table


_OPPOSITE_STEMS = _opposite_stems()
