"""What a yes/no question asks: its content words in order, and whether it asks what is allowed, required, or stated."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rag.evidence.clauses import VERBS, stem_of, tokens_of
from rag.evidence.modality import CUES, Force, force_of, inner
from rag.evidence.vocabulary import words_of

__all__ = ["LIGHT", "PREPOSITIONS", "Asked"]

_OPENING = re.compile(
    r"\A(?:(?:and|but|so|also|then|hello|hi|please)\b\W*)*"
    r"(?:(?:can|could) you (?:please )?tell (?:me|us) (?:if|whether)|(?:do you|does anyone) know (?:if|whether)"
    r"|(?:i|we) (?:wonder|would like to know|want to know|'d like to know) (?:if|whether))\b",
    re.IGNORECASE,
)
_DENIED_OPENING = re.compile(r"\A\W*(\w+)n't\b", re.IGNORECASE)
_EARLIER = re.compile(r"\s*\([^()]*\)\s*(?=\W*\Z)")
_ALTERNATIVE = re.compile(r"\bor\b(?! (?:not|more|less|so|later|over|under|older|younger)\b)", re.IGNORECASE)
_WH = frozenset("what who whom whose when where why how which".split())  # noqa: SIM905
_ENGLISH = VERBS | CUES.keys() | {"am"}
PREPOSITIONS = frozenset("at in on for of to by with during after before against from about under over near".split())  # noqa: SIM905
LIGHT = words_of(
    "own part still everyone anyone everybody anybody person people extra kind okay really sort please ever fine able"
    " give tell bring use put provide offer receive keep get want already yet even enough just"
)


@dataclass(frozen=True)
class Asked:
    """A question: its text without an opening, its words, its content stems in order, and its force.

    The stems ``aside`` come after a preposition: often a place, a time or a purpose that the sentence need not repeat.
    """

    text: str
    words: tuple[str, ...]
    stems: tuple[str, ...]
    aside: frozenset[str]
    force: Force

    @property
    def is_yes_no(self) -> bool:
        """Whether it is an English question that yes or no can answer, about something, without alternatives."""
        whole = bool(self.stems) and _WH.isdisjoint(self.words[:3]) and not _ALTERNATIVE.search(self.text)
        return whole and not _ENGLISH.isdisjoint(self.words)

    @property
    def denied(self) -> bool:
        """Whether it asks for what is not: "yes" would be read in two ways."""
        return "not" in self.words

    @classmethod
    def of(cls, question: str) -> Asked:
        """Read a question. A last one in parentheses, which a follow-up repeats, is left out."""
        text = _OPENING.sub("", _EARLIER.sub("", question))
        text = _DENIED_OPENING.sub(r"\1", text.strip().replace("’", "'"))
        words = tuple(tokens_of(text))
        force = force_of(words)
        if "without" in words:
            force = inner(force)
        stems = dict.fromkeys(stem for word in words if (stem := stem_of(word)) and stem not in LIGHT)
        first = next((n for n, word in enumerate(words) if n and word in PREPOSITIONS), len(words))
        aside = {stem_of(word) for word in words[first:]} - {stem_of(word) for word in words[:first]}
        return cls(text, words, tuple(stems), frozenset(aside), force)
