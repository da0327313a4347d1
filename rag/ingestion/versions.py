"""Versions of one document: nearly the same text that differs in numbers or dates, and what gives their order.

Candidates are documents with the same name apart from dates and version marks, and documents whose signatures are near
each other and whose first lines name versions or dates. Two candidates are versions if enough runs of five words are
the same when every number counts as the same word; candidates of one name also need half of their words in common.
Many documents of one kind (invoices, minutes) are no versions.

The families are found once after a run that read something and stored in the index folder, with the hash of each
document's content: a document that has changed since is no member until the next run. Losing the file costs nothing
else. The number of comparisons is bounded, whatever the size of the collection.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from indexes import DocumentRow
from indexes.derived.signatures import near_pairs
from indexes.minhash import jaccard
from indexes.store.store import Store
from rag.ingestion.version_marks import (
    HEAD,
    LATEST,
    NameMarks,
    TextMarks,
    is_series,
    marks_of_name,
    marks_of_text,
    may_have_marks,
)

__all__ = ["VERSIONS_FILE", "Family", "Member", "StoredFamilies", "find_families", "load_families", "store_families"]

VERSIONS_FILE = "versions.json"
_FORMAT = 1
_SAME_NAME = 0.2  # the least similarity of documents whose names are the same but for marks: revisions change much
_SAME_WORDS = 0.5  # the least share of words that they have in common
_ALIKE = 0.7  # the least similarity of others
_MOST_MEMBERS = 30  # more documents of one name are a series
_MOST_COMPARED = 4_000
_MOST_CHARACTERS = 200_000  # of a text that is compared
_NUMBER = re.compile(r"\d[\d.,:/-]*")
_WORD = re.compile(r"[^\W_]+")
_MONTHS = re.compile(
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december|"
    r"januar|februar|märz|mai|juni|juli|oktober|dezember|"
    r"января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Member:
    """A version: its source, the hash of its content in hexadecimal, the reason for its place, and how a question may
    name it (``2023``, ``v2``).
    """

    source: str
    sha256: str
    why: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Family:
    """The versions of one document, newest first."""

    members: tuple[Member, ...]


@dataclass(frozen=True)
class _Candidate:
    row: DocumentRow
    name: NameMarks
    text: TextMarks


def find_families(store: Store) -> list[Family]:
    """Return the families of versions in an index, by the source of their newest member."""
    rows = {row.source: row for row in store.documents() if row.chunks and row.content_sha256}
    names = {source: marks_of_name(source) for source in rows}
    links = _Links(lambda source: (store.text_or_none(source) or "")[:_MOST_CHARACTERS])
    by_name: dict[str, list[str]] = {}
    for source, marks in names.items():
        by_name.setdefault(marks.family, []).append(source)
    for family, sources in by_name.items():
        if 1 < len(sources) <= _MOST_MEMBERS and (not is_series(family) or _has_versions(names, sources)):
            for n, source in enumerate(sources[1:], start=1):
                links.compare(source, sources[:n], _SAME_NAME, _SAME_WORDS)
    texts = {
        source: marks_of_text(title, head)
        for source, title, head in store.heads(HEAD)
        if source in rows and may_have_marks(f"{title}\n{head}")
    }
    dated = {
        source
        for source, marks in names.items()
        if (source in texts or marks.date or marks.version) and not is_series(marks.family)
    }
    none = TextMarks()
    for a, b in near_pairs(store, dated):
        if _is_ordered([texts.get(a, none), texts.get(b, none)], [names[a], names[b]]):
            links.compare(b, [a], _ALIKE)
    families: list[Family] = []
    for group in links.groups():
        found, is_marked = _ordered(
            [_Candidate(rows[source], names[source], texts.get(source, none)) for source in group]
        )
        # Without a mark two files may be one document in two formats: their numbers must differ.
        if is_marked or len(
            {_numbers((store.text_or_none(source) or "")[:_MOST_CHARACTERS]) for source in group}
        ) == len(group):
            families.append(found)
    return sorted(families, key=lambda family: family.members[0].source)


def _numbers(text: str) -> frozenset[tuple[str, int]]:
    return frozenset(Counter(number.rstrip(".,:/-") for number in _NUMBER.findall(text)).items())


def _has_versions(names: dict[str, NameMarks], sources: Iterable[str]) -> bool:
    """Return whether version numbers or words such as "final" distinguish documents, and not only dates."""
    return len({(names[source].version, names[source].status) for source in sources}) > 1


def _is_ordered(texts: Sequence[TextMarks], names: Sequence[NameMarks]) -> bool:
    """Return whether something but the time of the files gives the order of all."""
    kinds: list[list[object]] = [
        [text.version for text in texts],
        [text.date for text in texts],
        [name.date for name in names],
        [name.version for name in names],
    ]
    return any(None not in values and len(set(values)) > 1 for values in kinds)


class _Links:
    """Joins documents that are like each other; a bounded number of texts is compared."""

    def __init__(self, text_of: Callable[[str], str]) -> None:
        self._of: dict[str, str] = {}
        self._masked = lru_cache(maxsize=64)(lambda source: _masked(text_of(source)))
        self._left = _MOST_COMPARED

    def compare(self, source: str, others: Sequence[str], least: float, least_words: float = 0.0) -> None:
        """Join a document with the first of the others that it is like: in runs of words, and in single words."""
        for other in reversed(others):
            if self._root(source) == self._root(other) or self._left <= 0:
                return
            self._left -= 1
            a, b = self._masked(source), self._masked(other)
            if jaccard(a, b) >= least and _common_words(a, b) >= least_words:
                self._of[self._root(source)] = self._root(other)
                return

    def groups(self) -> list[list[str]]:
        """Return the joined documents."""
        groups: dict[str, list[str]] = {}
        for source in {*self._of, *self._of.values()}:
            groups.setdefault(self._root(source), []).append(source)
        return [sorted(group) for group in groups.values()]

    def _root(self, source: str) -> str:
        while (above := self._of.get(source)) is not None:
            source = above
        return source


def _common_words(a: str, b: str) -> float:
    words, others = set(_WORD.findall(a.casefold())), set(_WORD.findall(b.casefold()))
    return len(words & others) / max(1, len(words | others))


def _masked(text: str) -> str:
    """Return a text in which all numbers and months are the same word."""
    return _MONTHS.sub("0", _NUMBER.sub("0", text))


def _ordered(candidates: list[_Candidate]) -> tuple[Family, bool]:
    """Return candidates as a family, newest first, and whether a mark gives the order, not only the files' times.

    The first kind of mark that all have and that differs decides.
    """
    is_marked = True
    named = [(c.name.date, c.name.shown or "a date") for c in candidates]
    versions = [_version(c.name) for c in candidates]
    in_text = [(c.text.date, c.text.date_shown) for c in candidates]
    text_versions = [c.text.version for c in candidates]
    missing = sum(date is None for date, _ in named)
    if not missing and len({date for date, _ in named}) > 1:
        keys: list[Any] = [date for date, _ in named]
        why = [f"{c.name.shown} in the name" for c in candidates]
    elif len(set(versions)) > 1:
        keys = versions
        why = [f"{c.name.shown} in the name" if c.name.shown else "no version in the name" for c in candidates]
    elif None not in text_versions and len(set(text_versions)) > 1:
        keys = text_versions
        why = [f"version {'.'.join(map(str, version or ()))} in the text" for version in text_versions]
    elif None not in [date for date, _ in in_text] and len({date for date, _ in in_text}) > 1:
        keys = [date for date, _ in in_text]
        why = [f"{shown} in the text" for _, shown in in_text]
    elif missing == 1 and len(named) > 1:
        keys = [date or (9999, 0, 0) for date, _ in named]
        why = [f"{shown} in the name" if date else "no date in the name" for date, shown in named]
    else:
        is_marked = False
        keys = [c.row.modified_ns for c in candidates]
        why = [f"file of {_day(c.row.modified_ns)}" for c in candidates]
    rows = sorted(
        zip(keys, candidates, why, strict=True),
        key=lambda row: (row[0], _version(row[1].name), row[1].row.modified_ns, row[1].row.source),
        reverse=True,
    )
    return Family(tuple(_member(candidate, reason) for _, candidate, reason in rows)), is_marked


def _version(name: NameMarks) -> tuple[tuple[int, ...], int]:
    version = name.version or ((LATEST,) if name.status >= 2 else (1,))
    return version, name.status


def _member(candidate: _Candidate, why: str) -> Member:
    name, text = candidate.name, candidate.text
    dates = [date for date in (name.date, text.date) if date is not None]
    versions = [".".join(map(str, v)) for v in (name.version, text.version) if v is not None and LATEST not in v]
    names = [*(str(date[0]) for date in dates), *(f"v{v}" for v in versions), *(f"version {v}" for v in versions)]
    sha = candidate.row.content_sha256 or b""
    return Member(candidate.row.source, sha.hex(), why, tuple(dict.fromkeys(names)))


def _day(nanoseconds: int) -> str:
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC).date().isoformat()
    except (OverflowError, ValueError, OSError):
        return "unknown time"


# In the index folder ----------------------------------------------------------------------------------------------


def store_families(folder: Path, families: Sequence[Family]) -> None:
    """Write the families into an index folder. The caller holds the writer lock."""
    path = folder / VERSIONS_FILE
    if not families:
        path.unlink(missing_ok=True)
        return
    value = {"format": _FORMAT, "families": [[asdict(member) for member in family.members] for family in families]}
    part = path.with_name(f"{VERSIONS_FILE}.part")
    part.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    os.replace(part, path)  # noqa: PTH105


class StoredFamilies:
    """The stored families of an index folder, by source, read again when the file has changed. For one thread."""

    def __init__(self) -> None:
        self._identity: tuple[int, int, int] | None = None
        self._families: dict[str, Family] = {}

    def read(self, folder: Path) -> Mapping[str, Family]:
        """Return the families by the source of each member."""
        try:
            status = (folder / VERSIONS_FILE).stat()
            identity = (status.st_ino, status.st_mtime_ns, status.st_size)
        except OSError:
            identity = None
        if identity != self._identity:
            found = load_families(folder) if identity else []
            self._families = {member.source: family for family in found for member in family.members}
            self._identity = identity
        return self._families


def load_families(folder: Path) -> list[Family]:
    """Return the families that were stored, none if there is no file or it cannot be read."""
    try:
        value = json.loads((folder / VERSIONS_FILE).read_text(encoding="utf-8"))
        if value["format"] != _FORMAT:
            return []
        return [
            Family(
                tuple(
                    Member(str(m["source"]), str(m["sha256"]), str(m["why"]), tuple(map(str, m["names"])))
                    for m in members
                )
            )
            for members in value["families"]
        ]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
