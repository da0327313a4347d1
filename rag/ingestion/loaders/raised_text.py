"""Superscripts and subscripts in plain text: they never join a number to its neighbor."""

from __future__ import annotations

import re

__all__ = ["with_lowered", "with_raised"]

_LAST_WORD = re.compile(r"[^\W\d_]+$")
_TAKE_EXPONENTS = frozenset({
    "acos", "asin", "atan", "bar", "cd", "cm", "cos", "cosh", "dm", "exp", "fm", "ft", "gal", "hm", "hr", "hz", "in",
    "inch", "kg", "km", "lb", "ln", "log", "mg", "mi", "min", "ml", "mm", "mol", "ms", "nm", "oz", "pa", "pc", "px",
    "rad", "sec", "sin", "sinh", "sr", "tan", "tanh", "um", "yd", "μm", "µm", "дм", "кг", "км", "мин", "мм", "сек",
    "см",
})  # fmt: skip


def with_raised(before: str, text: str) -> str:
    """Return a superscript as it follows ``before``: ``10^6``, ``m^2``, ``4th``; a footnote's mark as ``word [1]``."""
    mark = text.strip()
    if not mark or not before or before[-1].isspace() or mark.isalpha():
        return text
    word = _LAST_WORD.search(before)
    is_base = word is not None and (len(word[0]) == 1 or word[0].casefold() in _TAKE_EXPONENTS)
    if before[-1].isdigit() or before[-1] in ")]" or is_base:
        return f"^{text}"
    return f" {mark}" if mark[0] in "[(" else f" [{mark}]"


def with_lowered(before: str, text: str) -> str:
    """Return a subscript as it follows ``before``: ``H2O``, but ``10_2``."""
    return f"_{text}" if before[-1:].isdigit() and text.strip() else text
