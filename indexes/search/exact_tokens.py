"""Codes, numbers and quoted phrases of a text, as whole tokens: ``TW-2025-0119``, ``uploads.max_size``, ``§3.2``.

A word index cuts at every sign, so that ``FL-40`` is found by any 40. These tokens keep their signs. Thousands
separators are dropped: ``1,250`` and ``1 250`` equal ``1250``.
"""

from __future__ import annotations

import re

__all__ = ["exact_tokens", "quoted_phrases"]

_THOUSANDS = re.compile(r"(?<![\w.,])\d{1,3}(?:[,\u00a0\u202f ]\d{3})+(?![\w,]*\d)")
_SECTION = re.compile(r"§+\s*(?=\d)")
_PIECE = re.compile(r"[^\s|<>()\[\]{}\"'`*«»“”„‘’,;!?=]+")
_EDGES = ".:/\\-–—&+~^_#·•"
_IS_CODE = re.compile(r"\d|\w[._/@\\:]\w")
_LONGEST = 64
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|„([^“”]+)[“”]|«([^»]+)»")


def exact_tokens(text: str) -> list[str]:
    """Return the tokens with a digit, or with a sign between two letters, in their order and in lower case."""
    text = _THOUSANDS.sub(lambda number: re.sub(r"\D", "", number[0]), _SECTION.sub("§", text))
    pieces = (piece.strip(_EDGES).casefold() for piece in _PIECE.findall(text))
    return [piece for piece in pieces if 1 < len(piece) <= _LONGEST and _IS_CODE.search(piece)]


def quoted_phrases(text: str) -> list[str]:
    """Return what stands in double quotation marks of any style."""
    return [next(filter(None, match.groups())).strip() for match in _QUOTED.finditer(text)]
