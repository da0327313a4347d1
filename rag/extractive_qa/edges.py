"""Where a span may start and end: between words, never inside what is written in one piece, never in markup.

Written in one piece are a number with its sign, currency, separators and percent sign (``$2,350,000.75``, ``-12.5``,
``30 %``), a code such as ``TW-2025-0119``, an address of mail or of a page, and a name with underscores. Headings and
the names of a table's columns say what a text is about; they hold no answer. Scripts without spaces (Chinese, Japanese,
Thai, Lao, Burmese, Khmer) show no words, so a span may start and end at any letter.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import numpy.typing as npt

__all__ = ["Bool", "edges"]

Bool = npt.NDArray[np.bool_]

_ONE_PIECE = re.compile(
    r"(?:(?<![\w)\]])[-\u2212+](?=[$\u20ac\u00a3\u00a5\u20bd.\d]))?(?:[$\u20ac\u00a3\u00a5\u20bd]\s?)?"  # sign
    r"\.?\d+(?:[.,:/]\d+)*(?:\s?[%\u2030\u20ac\u00a3]|\s?\u00b0[CF]?)?"  # the number, its percent sign or currency
    r"|(?<![\w/-])(?=[A-Z\d/-]*\d)(?=[\d/-]*[A-Z])[A-Z\d]+(?:[-/][A-Z\d]+)+\b"  # a code
    r"|[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+"
    r"|\b[a-z]{2,9}://[^\s|<>()\[\]]+"
    r"|\b\w+_\w+\b"
)
_NO_ANSWER = re.compile(
    r"^[ \t]*#{1,6}[ \t][^\n]*"  # a heading
    r"|^[ \t]*\|[^\n]*\n[ \t]*\|(?:[ \t]*:?-{3,}:?[ \t]*\|)+[ \t]*$",  # the names of columns and the rule below
    re.MULTILINE,
)
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


def edges(passage: str, starts: npt.NDArray[np.int32], ends: npt.NDArray[np.int32]) -> tuple[Bool, Bool]:
    """Return for each token whether a span may start, and may end, with it: two arrays (tokens,).

    ``starts`` and ``ends`` (tokens,) are characters of the passage. A token that stands for nothing does neither.
    """
    closed = np.zeros(len(passage) + 1, dtype=np.bool_)  # the place before each character, and the end
    for match in _ONE_PIECE.finditer(passage):
        closed[match.start() + 1 : match.end()] = True
    for match in _NO_ANSWER.finditer(passage):
        closed[match.start() : match.end() + 1] = True
    places = list(zip(starts.tolist(), ends.tolist(), strict=True))
    begins = np.array([s < e and not closed[s] and not _inside_word(passage, s) for s, e in places], dtype=np.bool_)
    closes = np.array([s < e and not closed[e] and not _inside_word(passage, e) for s, e in places], dtype=np.bool_)
    return begins, closes


def _inside_word(passage: str, place: int) -> bool:
    if not 0 < place < len(passage):
        return False
    left, right = passage[place - 1], passage[place]
    return _of_word(left) and _of_word(right) and not (_UNSPACED.match(left) or _UNSPACED.match(right))


def _of_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] == "M"  # a mark belongs to its letter
