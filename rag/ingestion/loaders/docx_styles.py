"""Styles and numbering of a Word document: the level of a heading, the number of a paragraph, the look of a run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rag.ingestion.loaders.numbering import Counter, NumberLevel
from rag.ingestion.loaders.office_package import attribute, children, first_child, is_true, named, says_yes
from rag.ingestion.loaders.word_symbols import symbol

__all__ = ["Look", "Numbering", "Styles", "look_of", "value_of"]

_HEADING = re.compile(r"heading (\d)")
_FORMS = {
    "decimal": "decimal", "decimalZero": "zero", "lowerLetter": "letter", "upperLetter": "LETTER",
    "lowerRoman": "roman", "upperRoman": "ROMAN", "bullet": "bullet", "none": "none",
}  # fmt: skip
_LONGEST_CHAIN = 20  # styles that are based on each other
_BODY_TEXT = 9  # the outline level of paragraphs that are no headings


def value_of(element: Any, *path: str) -> str | None:
    """Return the ``val`` attribute of a descendant; None if there is no such element, empty if it has none."""
    found = first_child(element, *path) if element is not None else None
    return attribute(found, "val") if found is not None else None


@dataclass(frozen=True, slots=True)
class Look:
    """How a run looks, as far as its text depends on it. None: as its style says."""

    hidden: bool | None = None
    struck: bool | None = None
    strong: bool | None = None
    place: str | None = None

    def over(self, below: Look) -> Look:
        """Return this look with what it leaves open taken from another."""
        return Look(
            below.hidden if self.hidden is None else self.hidden,
            below.struck if self.struck is None else self.struck,
            below.strong if self.strong is None else self.strong,
            below.place if self.place is None else self.place,
        )


def look_of(properties: Any) -> Look:
    """Return the look that run properties say."""

    def said(*names: str) -> bool | None:
        toggles = [toggle for name in names if (toggle := first_child(properties, name)) is not None]
        return any(map(says_yes, toggles)) if toggles else None

    return Look(said("vanish"), said("strike", "dstrike"), said("b"), value_of(properties, "vertAlign"))


class Styles:
    """The styles of a document by their ids."""

    def __init__(self, root: Any) -> None:
        styles = named(root, "style") if root is not None else ()
        self._styles = {attribute(style, "styleId"): style for style in styles}
        self._looks: dict[str, Look] = {}
        self._default = next((i for i, s in self._styles.items() if _is_default(s)), "")

    def name(self, style: str) -> str:
        """Return a style's name in small letters."""
        return (value_of(self._styles.get(style), "name") or "").lower()

    def style_of(self, properties: Any) -> str:
        """Return the id of the style of a paragraph."""
        return value_of(properties, "pStyle") or self._default

    def look(self, style: str) -> Look:
        """Return the look of a style's runs."""
        if style not in self._looks:
            look = Look()
            for element in self._chain(style):
                look = look.over(look_of(first_child(element, "rPr")))
            self._looks[style] = look
        return self._looks[style]

    def heading_level(self, style: str, properties: Any) -> int | None:
        """Return the level of a heading, from 1; None for other paragraphs. Titles are of level 1."""
        own = value_of(properties, "outlineLvl")
        if own is not None:
            return _level(own)
        for element in self._chain(style):
            name = (value_of(element, "name") or "").lower()
            if match := _HEADING.fullmatch(name):
                return int(match[1])
            if name == "title":
                return 1
            level = value_of(element, "pPr", "outlineLvl")
            if level is not None:
                return _level(level)
        return None

    def numbering(self, style: str) -> tuple[str, str | None, str] | None:
        """Return the list, the level, and the style that says so, of a paragraph that has none of its own."""
        for element in self._chain(style):
            number = value_of(element, "pPr", "numPr", "numId")
            if number is not None:
                return number, value_of(element, "pPr", "numPr", "ilvl"), attribute(element, "styleId")
        return None

    def _chain(self, style: str) -> Iterator[Any]:
        for _ in range(_LONGEST_CHAIN):
            element = self._styles.get(style)
            if element is None:
                return
            yield element
            style = value_of(element, "basedOn") or ""


class Numbering:
    """Computes the automatic numbers of a document's paragraphs, in their order."""

    def __init__(self, root: Any, styles: Styles) -> None:
        self._styles = styles
        self._abstract: dict[str, Any] = {}
        self._lists: dict[str, Any] = {}
        if root is not None:
            self._abstract = {attribute(e, "abstractNumId"): e for e in children(root, "abstractNum")}
            self._lists = {attribute(e, "numId"): e for e in children(root, "num")}
        self._counters: dict[str, Counter] = {}
        self._levels: dict[str, dict[int, Any]] = {}
        self._begun: set[str] = set()

    def next(self, style: str, properties: Any) -> tuple[int, str] | None:
        """Return the level, from 0, and the number or bullet of a paragraph; None if it is not numbered."""
        number = value_of(properties, "numPr", "numId")
        level = value_of(properties, "numPr", "ilvl")
        linked = ""
        if number is None:
            found = self._styles.numbering(style)
            if found is None:
                return None
            number, from_style, linked = found
            level = level if level is not None else from_style
        element = self._lists.get(number)
        if element is None or number == "0":
            return None
        key = self._key(element)
        levels = self._levels.setdefault(key, self._level_elements(key))
        if level is None and linked:
            level = next((str(n) for n, e in levels.items() if value_of(e, "pStyle") == linked), None)
        place = int(level) if level and level.isdigit() else 0
        if key not in self._counters:
            self._counters[key] = Counter({n: _number_level(n, e) for n, e in levels.items()})
        counter = self._counters[key]
        if number not in self._begun:
            self._begun.add(number)
            for override in children(element, "lvlOverride"):
                start, at = value_of(override, "startOverride"), attribute(override, "ilvl")
                if start and start.isdigit() and at.isdigit():
                    counter.restart(int(at), int(start))
        text = counter.next(place)
        return place, text or _bullet(levels.get(place))

    def _key(self, element: Any) -> str:
        """Return the id of a list's definition; one that is defined by a style is looked up there."""
        key = value_of(element, "abstractNumId") or ""
        link = value_of(self._abstract.get(key), "numStyleLink")
        found = self._styles.numbering(link) if link else None
        other = self._lists.get(found[0]) if found else None
        return (value_of(other, "abstractNumId") or key) if other is not None else key

    def _level_elements(self, key: str) -> dict[int, Any]:
        definition = self._abstract.get(key)
        levels = children(definition, "lvl") if definition is not None else ()
        return {int(attribute(level, "ilvl") or 0): level for level in levels}


def _number_level(place: int, element: Any) -> NumberLevel:
    start, restart = value_of(element, "start"), value_of(element, "lvlRestart")
    return NumberLevel(
        _FORMS.get(value_of(element, "numFmt") or "decimal", "decimal"),
        value_of(element, "lvlText") or f"%{place + 1}",
        int(start) if start and start.isdigit() else 1,
        int(restart) - 1 if restart and restart.isdigit() else None,
    )


def _bullet(element: Any) -> str:
    """Return a box for a bullet that is one, a dash for any other, nothing for a level without marks."""
    if element is None or value_of(element, "numFmt") != "bullet":
        return ""
    text = value_of(element, "lvlText") or ""
    fonts = first_child(element, "rPr", "rFonts")
    shown = symbol(text, attribute(fonts, "ascii") if fonts is not None else "")
    return shown if shown in ("☐", "☑", "☒") else "-"


def _level(value: str) -> int | None:
    return int(value) + 1 if value.isdigit() and int(value) < _BODY_TEXT else None


def _is_default(style: Any) -> bool:
    return attribute(style, "type") == "paragraph" and is_true(attribute(style, "default"))
