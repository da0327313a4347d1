"""The texts of the interface, in English and Russian: one YAML table for each language.

``Texts("ru")("chat.ask")`` is the entry ``ask`` under ``chat`` in ``ru.yaml``; ``{name}`` in it is filled from the
keywords. An entry with the keys ``one``, ``few``, ``many`` and ``other`` is chosen by the keyword ``n`` with the plural
rules of the language. Numbers, dates and sizes are written as the language writes them, by Babel. A text that is not in
the table is an error: a test holds both languages and every use in the code against each other.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml
from babel import Locale, dates, numbers, units

__all__ = ["LANGUAGES", "Texts", "load", "table"]

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, if PyYAML was built with it
LANGUAGES = {"en": "English", "ru": "Русский"}


class Texts:
    """The texts of one language; an unknown language is English."""

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else "en"
        self._locale = Locale.parse(self.language)

    def __call__(self, key: str, **values: Any) -> str:
        """Return the text of ``part.entry``. Raises :class:`KeyError` where there is none."""
        part, _, entry = key.partition(".")
        found = table(self.language)[part][entry]
        if isinstance(found, dict):
            found = found[self._locale.plural_form(values["n"])]
        shown = {name: self.number(v) if isinstance(v, int | float) else v for name, v in values.items()}
        return str(found).format(**shown) if values else str(found)

    def __contains__(self, key: str) -> bool:
        """Return whether there is a text ``part.entry``, for keys from data."""
        part, _, entry = key.partition(".")
        return entry in table(self.language)[part]

    def number(self, value: float, digits: int | None = None) -> str:
        """Write a number; ``digits`` after the decimal sign, by default as many as it has, three at most."""
        if digits is None:
            return str(numbers.format_decimal(value, locale=self._locale))
        return str(numbers.format_decimal(value, format=f"#,##0.{'0' * digits}".rstrip("."), locale=self._locale))

    def percent(self, share: float, digits: int = 0) -> str:
        """Write a share of one as per cent."""
        head, _, tail = self._locale.percent_formats[None].pattern.rpartition("0")  # with its own space, or none
        pattern = f"{head}0{'.' * bool(digits)}{'0' * digits}{tail}"
        return str(numbers.format_percent(share, format=pattern, locale=self._locale))

    def date(self, when: dt.datetime) -> str:
        """Write a moment: date and time of day, medium length."""
        return str(dates.format_datetime(when, format="medium", locale=self._locale))

    def size(self, count: int) -> str:
        """Write a number of bytes, in powers of ten, with the language's own name of the unit."""
        for unit, divisor in (("giga", 10**9), ("mega", 10**6), ("kilo", 10**3)):
            if count >= divisor:
                return self._unit(count / divisor, f"digital-{unit}byte", "short")
        return self._unit(count, "digital-byte", "long")

    def _unit(self, value: float, unit: str, length: Literal["short", "long"]) -> str:
        return str(units.format_unit(value, unit, length, format="#,##0.#", locale=self._locale))


def load() -> None:
    """Read all texts, which are otherwise read on first use."""
    for language in LANGUAGES:
        table(language)
        Texts(language).number(0)


@cache
def table(language: str) -> dict[str, Any]:
    """Return the texts of a language, read once."""
    text = files("ui.i18n").joinpath(f"{language}.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.load(text, _Loader)  # noqa: S506 - a safe one, as safe_load's
    return loaded
