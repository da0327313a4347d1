"""Answers prefer the newest version of a document, and say what an older one says instead.

Passages of an older version are left out where the newest has a passage like them, unless the question names the older
one's year or version, or asks what was before. Beside the answer a note says what an older version says in the place of
the cited sentence, or that a newer version exists. This module knows nothing of indexes: the caller passes the families
of versions and looks texts up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from rag.evidence.versions import asks_for_older
from rag.ingestion.versions import Family, Member
from rag.retrieval.retriever import Retrieved
from rag.text import one_line
from rag.types import Answer, Citation, Note, Passage

__all__ = ["VersionChoice"]

_ALIKE = 0.5  # the least share of words of two passages, or sentences, about the same
_MOST_NOTES = 2
_MOST_CHARACTERS = 300_000  # of an older version, in which a sentence is looked for
_LONGEST = 80
_TOKEN = re.compile(r"\d[\d.,:/-]*\d|\d|[^\W\d_]+")
_VALUE = re.compile(r"(?:[$€£] ?)?\d(?:[\d.,:/-]*\d)?(?: ?[%€$£])?(?: [^\W\d_]+)?")
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+|\n+")


class VersionChoice:
    """The versions among the documents that questions found. ``families`` have their newest member first."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families: dict[str, tuple[Family, int]] = {
            member.source: (family, place) for family in families for place, member in enumerate(family.members)
        }

    def __bool__(self) -> bool:
        return bool(self._families)

    def prefer_newest(self, retrieved: Retrieved) -> Retrieved:
        """Return the passages without those of an older version for which a newer one has a passage like them."""
        if not self._families or asks_for_older(retrieved.question):
            return retrieved
        kept = [
            passage
            for passage in retrieved.passages
            if not self._is_replaced(passage, retrieved.passages, retrieved.question)
        ]
        if len(kept) == len(retrieved.passages):
            return retrieved
        return replace(retrieved, passages=tuple(kept))

    def noted(self, answer: Answer, text_of: Callable[[str], str | None]) -> Answer:
        """Return the answer with a note on other versions of the cited documents.

        ``text_of`` returns the text of a document, None for one that is gone.
        """
        if answer.abstained or asks_for_older(answer.question):
            return answer
        notes: list[Note] = []
        for citation in {citation.source: citation for citation in reversed(answer.citations)}.values():
            family, place = self._families.get(citation.source, (None, 0))
            if family is None or _names(answer.question, family.members):
                continue
            note = _newer(family, place) if place else _older(family, citation, text_of)
            if note is not None and len(notes) < _MOST_NOTES:
                notes.append(note)
        return replace(answer, notes=(*answer.notes, *notes)) if notes else answer

    def _is_replaced(self, passage: Passage, others: Sequence[Passage], question: str) -> bool:
        family, place = self._families.get(passage.source, (None, 0))
        if family is None or not place or _names(question, family.members):
            return False
        newer = {member.source for member in family.members[:place]}
        words = _words(passage.text)
        return any(other.source in newer and _likeness(words, _words(other.text)) >= _ALIKE for other in others)


def _names(question: str, members: Sequence[Member]) -> bool:
    """Return whether a question names one of the versions that is not the newest."""
    newest = set(members[0].names)
    asked = question.casefold()
    names = {name.casefold() for member in members[1:] for name in member.names if name not in newest}
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", asked) for name in names)


def _newer(family: Family, place: int) -> Note:
    older, newest = family.members[place], family.members[0]
    text = f"{older.source} is an older version; the newest is {newest.source} ({newest.why})."
    return Note(text, "newer_version", {"source": older.source, "newest": newest.source})


def _older(family: Family, citation: Citation, text_of: Callable[[str], str | None]) -> Note | None:
    """Return a note if the next older version says something else in the place of what is cited."""
    said = citation.around or citation.quote
    for member in family.members[1:]:
        text = text_of(member.source)
        if text is None:
            continue
        instead = _instead(said, text[:_MOST_CHARACTERS])
        if instead:
            source, newest = member.source, citation.source
            return Note(
                f"{newest} is the newest version. There is an older one that says {instead}: {source}.",
                "older_version",
                {"source": source, "newest": newest, "instead": instead},
            )
    return None


def _instead(said: str, text: str) -> str:
    """Return the values that the sentence most like ``said`` has and ``said`` has not, empty if they say the same."""
    words = _words(said)
    sentences = [sentence for sentence in _SENTENCE_END.split(text) if any(c.isdigit() for c in sentence)]
    best = max(sentences, key=lambda sentence: _likeness(words, _words(sentence)), default="")
    if _likeness(words, _words(best)) < _ALIKE:
        return ""
    own = {_number(value) for value in _VALUE.findall(said)}
    others = [value for value in _VALUE.findall(best) if _number(value) not in own]
    return " · ".join(f"“{one_line(value, _LONGEST)}”" for value in dict.fromkeys(others[:2]))


def _number(value: str) -> str:
    found = re.search(r"\d[\d.,:/-]*", value)
    return found.group().rstrip(".,:/-") if found else ""


def _words(text: str) -> Mapping[str, int]:
    """Return the words of a text with their counts; all numbers are the same word."""
    counts: dict[str, int] = {}
    for word in _TOKEN.findall(text.casefold()):
        key = "0" if word[0].isdigit() else word
        counts[key] = counts.get(key, 0) + 1
    return counts


def _likeness(a: Mapping[str, int], b: Mapping[str, int]) -> float:
    """Return the words that two texts share as a share of all their words."""
    common = sum(min(count, b.get(word, 0)) for word, count in a.items())
    everything = sum(a.values()) + sum(b.values()) - common
    return common / everything if everything else 0.0
