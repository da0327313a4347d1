"""Automatic numbers of headings and list items, as word processors compute them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Counter", "NumberLevel", "number_text"]

_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
          (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip
_PLACE = re.compile(r"%([1-9])")
_MOST_ROMAN = 5000


@dataclass(frozen=True, slots=True)
class NumberLevel:
    """How a level is numbered: ``form`` is ``decimal``, ``zero``, ``letter``, ``LETTER``, ``roman``, ``ROMAN``,
    ``bullet`` or ``none``; ``pattern`` such as ``%1.%2`` refers to the levels, from 1.
    """

    form: str = "decimal"
    pattern: str = "%1."
    start: int = 1
    restart_after: int | None = None  # the level, from 0, after which the numbers begin again; None: any higher one


class Counter:
    """Counts the numbers of one list over all of its levels."""

    def __init__(self, levels: Mapping[int, NumberLevel]) -> None:
        self._levels = levels
        self._values: dict[int, int] = {}

    def next(self, level: int) -> str:
        """Return the text of the next number of a level, from 0; empty for bullets and unnumbered levels."""
        style = self._levels.get(level)
        if style is None:
            return ""
        self._values[level] = self._values[level] + 1 if level in self._values else style.start
        for deeper in [each for each in self._values if each > level]:
            below = self._levels.get(deeper)
            if below is None or below.restart_after is None or level <= below.restart_after:
                del self._values[deeper]
        if style.form in ("bullet", "none"):
            return ""
        return _PLACE.sub(lambda match: self._shown(int(match[1]) - 1), style.pattern).strip()

    def restart(self, level: int, value: int) -> None:
        """Let the next number of a level be a value."""
        self._values[level] = value - 1

    def _shown(self, level: int) -> str:
        style = self._levels.get(level, NumberLevel())
        return number_text(self._values.setdefault(level, style.start), style.form)


def number_text(number: int, form: str) -> str:
    """Return a number in one of the forms of :class:`NumberLevel`."""
    if form in ("letter", "LETTER") and number > 0:
        letter = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        return letter.upper() if form == "LETTER" else letter
    if form in ("roman", "ROMAN") and 0 < number < _MOST_ROMAN:
        text = ""
        for value, letters in _ROMAN:
            count, number = divmod(number, value)
            text += letters * count
        return text.upper() if form == "ROMAN" else text
    if form == "zero":
        return f"{number:02d}"
    return "" if form in ("none", "bullet") else str(number)
