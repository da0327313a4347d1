"""Superscripts and subscripts in plain text: they never join a number to its neighbor."""

from __future__ import annotations

import re

__all__ = ["with_lowered", "with_raised"]

_LAST_WORD = re.compile(r"[^\W\d_]+$")
_NUMBERS = re.compile(r"[-−–]?\d+(?:\s?[,–-]\s?\d+)*")
_ORDINALS = frozenset(
    {"st", "nd", "rd", "th", "er", "re", "e", "ème", "eme", "ère", "ra", "a", "ª", "º", "й", "я", "е", "го"}
)
_LONGEST_SYMBOL = 2  # letters, as in ``m`` and ``mc``
_TAKE_EXPONENTS = frozenset({
    "acos", "asin", "atan", "bar", "cd", "cm", "cos", "cosh", "dm", "exp", "fm", "ft", "gal", "hm", "hr", "hz", "in",
    "inch", "kg", "km", "lb", "ln", "log", "mg", "mi", "min", "ml", "mm", "mol", "ms", "nm", "oz", "pa", "pc", "px",
    "rad", "sec", "sin", "sinh", "sr", "tan", "tanh", "um", "yd", "μm", "µm", "дм", "кг", "км", "мин", "мм", "сек",
    "см",
})  # fmt: skip


def with_raised(before: str, text: str) -> str:
    """Return a superscript as it follows ``before``: ``10^6``, ``m^2``, ``4th``; a footnote's mark as ``word [1]``."""
    mark = text.strip()
    if not mark or not before.strip():
        return text
    if before[-1].isspace():
        return _after_space(before.rstrip(), text)
    word = _LAST_WORD.search(before)
    length = len(word[0]) if word else 0
    if mark.isalpha():
        return _letters(before, length, text)
    is_base = 0 < length <= _LONGEST_SYMBOL or (word is not None and word[0].casefold() in _TAKE_EXPONENTS)
    if before[-1].isdigit() or before[-1] in ")]" or is_base:
        return f"^{text}"
    return f" {mark}" if mark[0] in "[(" else f" [{mark}]"


def _after_space(before: str, text: str) -> str:
    """Return a superscript behind a space: an exponent of a number, or the mark of a note."""
    mark = text.strip()
    if not _NUMBERS.fullmatch(mark):
        return text
    return f"^{text}" if before[-1].isdigit() else f"[{mark}]"


def _letters(before: str, length: int, text: str) -> str:
    """Return raised letters: ``4th``, ``Mme``, ``Acme™``, ``5°C``; ``2^n``, ``x^n``, and ``word [a]``."""
    mark = text.strip()
    if mark in ("TM", "SM"):
        return {"TM": "™", "SM": "℠"}[mark]
    if before[-1].isdigit():
        if mark == "o":
            return "°"
        return text if mark.casefold() in _ORDINALS else f"^{text}"
    if len(mark) > 1 or mark == "o" or not length:
        return text
    return f"^{text}" if length <= _LONGEST_SYMBOL else f" [{mark}]"


def with_lowered(before: str, text: str) -> str:
    """Return a subscript as it follows ``before``: ``H2O``, but ``10_2``."""
    return f"_{text}" if before[-1:].isdigit() and text.strip() else text
