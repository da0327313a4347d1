"""Filters: restrict a question to some documents, by source, file type and date.

A :class:`Filter` is the user's form, with names, patterns, days and names of formats; :meth:`Filter.selection` looks
them up in a store and returns the store's form. A document passes if it matches one of the sources
(:mod:`rag.retrieval.source_names`), one of the types, and every date. Days are in this machine's time zone; the last
day is included.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from indexes.store.rows import Selection
from rag.errors import UsageError
from rag.ingestion.loaders.formats import filter_named, filter_types
from rag.retrieval.source_names import SourceNames
from rag.text import one_line

if TYPE_CHECKING:
    from indexes.store.queries import Queries

__all__ = ["Filter", "names_of"]

_DATES = {"since": "since", "until": "until", "ingested-since": "ingested_since", "ingested-until": "ingested_until"}
_LARGEST = 2**63 - 1  # SQLite's largest integer: the years 1677 to 2262, in nanoseconds
_LONGEST_TYPE = 200
_LONGEST_SHOWN = 300
_NAMES: dict[tuple[str, tuple[int, str]], SourceNames] = {}  # by folder and head: two threads may make the same
_MOST_NAMES = 4
_FORMS = "source=NAME, type=TYPE, since=DATE, until=DATE, ingested-since=DATE and ingested-until=DATE"
_EXAMPLE = "for example: --filter 'source=docs/*.md' --filter type=pdf --filter since=2024-01-31"


@dataclass(frozen=True, slots=True)
class Filter:
    """Sources (names, folders or patterns) and types, one of which must match, and the range of a document's dates.

    ``since`` and ``until`` refer to the file's modification, ``ingested_since`` and ``ingested_until`` to when its
    current version was ingested. An empty filter accepts everything.
    """

    sources: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    since: dt.date | None = None
    until: dt.date | None = None
    ingested_since: dt.date | None = None
    ingested_until: dt.date | None = None

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Filter:
        """Parse ``key=value`` texts. Raises :class:`~rag.errors.UsageError`."""
        found = cls()
        for text in texts:
            key, equals, value = (part.strip() for part in text.partition("="))
            if not equals or not value or key not in ("source", "type", *_DATES) or _unstorable(value):
                raise UsageError(f"the filter {text!r} is not one of {_FORMS}", _EXAMPLE)
            if key == "source":
                found = replace(found, sources=(*found.sources, value))
            elif key == "type":
                found = replace(found, types=(*found.types, _type(value)))
            elif getattr(found, _DATES[key]) is not None:
                raise UsageError(f"the filter {key} is given twice", "give it once")
            else:
                days: dict[str, Any] = {_DATES[key]: _day(key, value)}
                found = replace(found, **days)
        return found

    @property
    def empty(self) -> bool:
        """Whether it accepts everything."""
        return self == Filter()

    def texts(self) -> list[str]:
        """Return the texts that :meth:`parse` would read this from."""
        texts = [f"source={glob}" for glob in self.sources] + [f"type={name}" for name in self.types]
        days = [(key, getattr(self, name)) for key, name in _DATES.items()]
        return texts + [f"{key}={day.isoformat()}" for key, day in days if day is not None]

    def __str__(self) -> str:
        text = " and ".join(self.texts())
        return text if len(text) <= _LONGEST_SHOWN else f"{one_line(text, _LONGEST_SHOWN)}…"

    def unmatched(self, store: Queries) -> dict[str, list[str]]:
        """Map each source that no document of the store matches to up to three similar names."""
        if not self.sources:
            return {}
        names = names_of(store)
        return {text: names.near(text) for text in dict.fromkeys(self.sources) if not names.matching(text)}

    def selection(self, store: Queries) -> Selection:
        """Return the store's form of this filter: the sources are looked up among its documents."""
        sources = None
        if self.sources:
            names = names_of(store)
            sources = frozenset(name for text in dict.fromkeys(self.sources) for name in names.matching(text))
        types = filter_types()
        media_types = dict.fromkeys(media_type for name in self.types for media_type in types.get(name, (name,)))
        return Selection(
            sources=sources,
            media_types=tuple(media_types),
            modified_from=_nanoseconds(_midnight(self.since)),
            modified_before=_nanoseconds(_midnight(_next(self.until))),
            ingested_from=_isoformat(_midnight(self.ingested_since)),
            ingested_before=_isoformat(_midnight(_next(self.ingested_until))),
        )


def names_of(store: Queries) -> SourceNames:
    """Return the names of a store's documents. Those of the last few generations that were asked for are reused."""
    key = (str(store.folder.resolve()), store.head())
    found = _NAMES.get(key)
    if found is None:
        found = SourceNames(store.sources(), store.folder.resolve().parent)
        while len(_NAMES) >= _MOST_NAMES:
            _NAMES.pop(next(iter(_NAMES), key), None)
        _NAMES[key] = found
    return found


def _type(value: str) -> str:
    name = filter_named(value)
    if name is not None:
        return name
    if "/" in value and len(value) <= _LONGEST_TYPE:
        return value.lower().removeprefix(".")
    raise UsageError(f"there is no type {value!r} to filter by", f"choose one of {', '.join(filter_types())}")


def _day(key: str, value: str) -> dt.date:
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        raise UsageError(f"the filter {key}={value} has no valid date", f"write it as {key}=2024-01-31") from None


def _unstorable(value: str) -> bool:
    return any("\ud800" <= c <= "\udfff" for c in value)


def _next(day: dt.date | None) -> dt.date | None:
    return None if day is None or day == dt.date.max else day + dt.timedelta(days=1)


def _midnight(day: dt.date | None) -> dt.datetime | None:
    """Return the beginning of a day in the local zone; in UTC at the ends of the calendar, where zones overflow."""
    if day is None:
        return None
    try:
        return dt.datetime.combine(day, dt.time.min).astimezone(dt.UTC)
    except (OverflowError, ValueError, OSError):
        return dt.datetime.combine(day, dt.time.min, dt.UTC)


def _nanoseconds(moment: dt.datetime | None) -> int | None:
    return None if moment is None else max(-_LARGEST, min(_LARGEST, int(moment.timestamp()) * 10**9))


def _isoformat(moment: dt.datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")
