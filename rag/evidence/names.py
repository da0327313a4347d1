"""Names of two or more words in a text: ``Benedikta Rooke``, ``Market Square``. By capital letters only."""

from __future__ import annotations

import re
from functools import lru_cache

from rag.evidence.value_patterns import OPENERS
from rag.evidence.values import Value

__all__ = ["find_names"]

_WORD = r"[A-ZА-ЯЁ][^\W\d_]*(?:['’-][^\W\d_]+)*"
_NAME = re.compile(
    rf"(?<![\w@.'’-]){_WORD}(?:[ \n](?:(?:van|von|de|der|den|del|da|di|la|le|of)[ \n]){{0,2}}{_WORD}\.?)+(?![\w@])"
)
_TITLES = re.compile(r"(?:(?:Dr|Prof|Mr|Mrs|Ms|Sir|Captain|Professor)\.?[ \n])+")


@lru_cache(maxsize=8192)
def find_names(text: str) -> tuple[Value, ...]:
    """Return the names of a text as values of the kind ``name``; ``code`` is the name in lower case."""
    names = []
    for match in _NAME.finditer(text):
        start, end = match.span()
        if title := _TITLES.match(text, start, end):
            start = title.end()
        words = re.split(r"[ \n]", text[start:end])
        while words and words[0].casefold() in OPENERS:
            start += len(words[0]) + 1
            words = words[1:]
        if len(words) > 1:
            names.append(Value(start, end, "name", code=" ".join(words).casefold().rstrip(".")))
    return tuple(names)
