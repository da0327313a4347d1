"""Versions of one document among the passages: an older one does not speak for the newer.

Two documents are versions of one if their file names are the same apart from a year, or if one is an amendment that
names the other's code in its title. A document without a year in its name is the current one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from rag.evidence.values import find_values
from rag.types import Passage

__all__ = ["Versions", "asks_for_older"]

_YEAR = re.compile(r"(?:19|20)\d\d")
_ASKS_OLDER = re.compile(
    r"\b(?:before|previous(?:ly)?|former(?:ly)?|old(?:er)?|earlier|used to|original(?:ly)?|compared|changed?|"
    r"раньше|прежде|прежн\w+|стар\w+)\b",
    re.IGNORECASE,
)
_AMENDS = re.compile(r"amendment|addendum|corrigendum|erratum|supplement|дополнительное соглашение|изменени[ея]", re.I)


def asks_for_older(question: str) -> bool:
    """Return whether a question asks for what was before, or for what has changed."""
    return _ASKS_OLDER.search(question) is not None


@dataclass(frozen=True)
class Versions:
    """The sources that a newer document replaces, for a question."""

    older: frozenset[str]

    @classmethod
    def of(cls, passages: Sequence[Passage], question: str) -> Versions:
        """Return the older versions among the passages; none if the question asks for what was before."""
        if asks_for_older(question):
            return cls(frozenset())
        titles = {passage.source: passage.title for passage in passages}
        families: dict[str, dict[str, int]] = {}
        for source in titles:
            path = PurePath(source)
            years = [int(year) for year in _YEAR.findall(path.stem)]
            family = str(path.with_name(re.sub(r"[\W\d_]+", "", path.stem).casefold() + path.suffix))
            families.setdefault(family, {})[source] = max(years, default=9999)
        older = {
            source
            for family in families.values()
            for source, year in family.items()
            if year < max(family.values()) and str(year) not in question
        }
        for source, title in titles.items():
            codes = {value.code for value in find_values(title) if value.kind == "code"}
            if codes and not _AMENDS.search(title):
                amended = any(
                    _AMENDS.search(other) and codes & {value.code for value in find_values(other)}
                    for name, other in titles.items()
                    if name != source
                )
                older |= {source} if amended else set()
        return cls(frozenset(older))

    def is_older(self, passage: Passage) -> bool:
        """Return whether a newer version of the passage's document is among the passages."""
        return passage.source in self.older
