"""The form of a text in which words are compared: folded letters, and pairs of characters where no spaces part words.

Stored texts are never changed; only what an index and a comparison see is. The form of any text and of a query is made
by the same rules:

* NFKC: full-width and half-width forms, ligatures, ``㎡``, ``№`` and Roman numerals are plain characters. Raised and
  lowered digits become ``10^6``, fractions ``3 1/2``, so that no number gets longer.
* Lower case, with ``ß`` as ``ss`` and the Turkish ``İ`` and ``ı`` as ``i``.
* Accents go from Latin and Greek letters (``café``, ``naïve``, ``Ångström``), and ``ø``, ``ł``, ``æ`` and the like
  become plain letters. ``ü`` is ``u``, not ``ue``: both spellings occur, but so do words such as ``neue``.
* ``ё`` is ``е``. ``й`` is not ``и``, nor ``ї`` ``і``: they part words that mean different things (``мой``, ``мои``).
* Arabic and Hebrew vowel marks go, and the forms of alef, hamza and the like are one. Marks of other scripts stay.
* Chinese, Japanese, Thai, Lao, Khmer and Burmese, which part no words, become pairs of neighboring characters (with
  their marks). A single one stays. So do Korean words of more than two syllables, whose endings differ.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

__all__ = ["UNSPACED", "folded", "matching_form", "numbers_apart"]

UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u0edc-\u0edf\u1000-\u103f\u1050-\u108f\u109a-\u109f\u1780-\u17d3\u17d7"
    "\u17dc\u17dd\u3005-\u3007\u303b\u3041-\u3096\u3099-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uaa60-\uaa7f\uf900-\ufaff\U00020000-\U0003134f"
)
"""The letters of scripts without spaces between words, for a character class."""

_HANGUL = "\uac00-\ud7a3"
_MARK_RANGES = ((0x0E31, 0x0ECE), (0x102B, 0x109D), (0x17B4, 0x17DD), (0x3099, 0x309A))
_MARKS = "".join(
    chr(code)
    for first, last in _MARK_RANGES
    for code in range(first, last + 1)
    if unicodedata.category(chr(code)).startswith("M")
)
_JOINS_NEXT = "\u1039\u17d2"  # the sign that stacks the next letter: Burmese, Khmer
_CLUSTER = re.compile(rf"[{UNSPACED}{_HANGUL}](?:[{_MARKS}]|(?<=[{_JOINS_NEXT}])[\u1000-\u1021\u1780-\u17a2])*")
_RUN = re.compile(rf"[{UNSPACED}]+|(?<![{_HANGUL}])[{_HANGUL}]{{3,}}")
_JOINERS = re.compile("[\u00ad\u200c\u200d\u2060\ufeff\u0640]")
_RAISED = re.compile(r"(?<=\w)[⁺⁻]?[⁰¹²³⁴-⁹]+|(?<=[0-9])[₊₋]?[₀-₉]+")
_FRACTION = re.compile("(?<=[0-9])(?=[¼½¾⅐-⅞↉])")
_LETTERS = str.maketrans({
    "ß": "ss", "ẞ": "ss", "ı": "i", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h",
    "ŋ": "n", "ſ": "s", "ё": "е", "ى": "ي", "ٱ": "ا", "ک": "ك", "ی": "ي", "⁄": "/", "’": "'", "‐": "-", "‑": "-",
})  # fmt: skip
_ACCENTED = re.compile(
    "[a-z\u0300-\u036f]*[\u00c0-\u03ff\u0590-\u06ff\u1e00-\u1fff][a-z\u00c0-\u03ff\u0590-\u06ff\u1e00-\u1fff]*"
)


def folded(text: str) -> str:
    """Return a text in lower case, with compatible and accented characters as plain ones."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", numbers_apart(text)).lower().translate(_LETTERS)
    return text if text.isascii() else _ACCENTED.sub(lambda run: _without_accents(run[0]), text)


def numbers_apart(text: str) -> str:
    """Return a text whose raised and lowered digits and fractions do not touch the number before them."""
    return text if text.isascii() else _FRACTION.sub(" ", _RAISED.sub(_apart, _JOINERS.sub("", text)))


def matching_form(text: str) -> str:
    """Return a text as its words are compared: folded, and in pairs of characters where words have no spaces."""
    text = folded(text)
    return text if text.isascii() else _RUN.sub(_pairs, text)


def _apart(match: re.Match[str]) -> str:
    return ("^" if match[0][-1] in "⁰¹²³⁴⁵⁶⁷⁸⁹" else "_") + match[0]


@lru_cache(maxsize=65536)
def _without_accents(run: str) -> str:
    """Remove the marks of Latin, Greek, Hebrew and Arabic letters."""
    letters = unicodedata.normalize("NFD", run)
    return unicodedata.normalize("NFC", "".join(c for c in letters if unicodedata.category(c) != "Mn"))


def _pairs(run: re.Match[str]) -> str:
    clusters = _CLUSTER.findall(run[0])
    if len(clusters) < 2:
        return f" {run[0]} "
    return f" {' '.join(first + second for first, second in pairwise(clusters))} "
