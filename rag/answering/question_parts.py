"""Split a question of two or three parts: "How big is the deposit, and when is it paid back?"

A part begins with a question word after "and" (German "und", Russian "и"), and so does the question. A part that points
back ("when is it paid back"), or is only a question word ("and where?"), gets the words of the first part, in
parentheses or in place of its clause. In doubt a question stays whole: "who founded and led it", "who decides when and
where", "what it is and how it works".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from rag.types import QuestionKind

__all__ = ["Part", "question_parts"]

_MOST_PARTS = 3
_MOST_ELLIPTICAL = 4  # words: "and on which day?"
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|„[^“”]*[“”]|«[^»]*»")
_VERB = re.compile(
    r"(?:is|are|was|were|am|do|does|did|has|have|had|can|could|may|might|must|shall|should|will|would|need)(?:n['’]t)?\b",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"\b(?:the|a|an|my|your|his|her|its|our|their|this|that|these|those|i|you|he|she|it|we|they|there)\b", re.IGNORECASE
)
_POINTS = re.compile(
    r"\b(?:he|she|it|they|him|them|his|her|its|their|theirs|hers|there|one|ones|that|this|those|these|"
    r"er|sie|es|ihn|ihm|ihr|ihre[nmrs]?|sein(?:e[nmrs]?)?|dort|он|она|оно|они|его|её|ее|их|ему|ей|им|там)\b",
    re.IGNORECASE,
)
_MAY_BE_SUBJECT = re.compile(r"(?:\w+\s+)?(?:who|what|which|whose)\b", re.IGNORECASE)
_TIME = r"when|wann|когда|(?:which|what)\s+(?:day|date|month|year|time)|how\s+(?:soon|early|late)"
_AMOUNT = r"how\s+(?:many|much|long|often|big|large|high|far|old)|wie\s+(?:viele?|lange|oft)|сколько"
_KINDS: tuple[tuple[QuestionKind, re.Pattern[str]], ...] = (
    ("date", re.compile(rf"\b(?:{_TIME})\b", re.IGNORECASE)),
    ("number", re.compile(rf"\b(?:{_AMOUNT})\b", re.IGNORECASE)),
    ("person", re.compile(r"\b(?:who|whom|wer|wen|wem|кто|кого|кому|кем)\b", re.IGNORECASE)),
    ("place", re.compile(r"\b(?:where|wo|wohin|где|куда)\b", re.IGNORECASE)),
)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a question: its own words, a question that can be read alone, and its kind."""

    words: str
    question: str
    kind: QuestionKind


class _Language:
    """How a language asks: ``asked`` finds a question word, ``asking`` matches the words before the clause."""

    def __init__(self, words: str, prepositions: str, more: str, conjunctions: str, *, verb_first: bool) -> None:
        asks = rf"(?:(?:{prepositions})\s+)?(?:{words})\b"
        self.asked = re.compile(rf"\b(?:{words})\b", re.IGNORECASE)
        self.asking = re.compile(rf"\s*{asks}(?:\s+(?:{more})\b)?", re.IGNORECASE)
        self.breaks = re.compile(
            rf"(?:\s*[,;]?\s+(?:{conjunctions})|\?(?:\s+(?:{conjunctions}))?)\s+(?={asks})", re.IGNORECASE
        )
        self.verb_first = verb_first


_LANGUAGES = (
    _Language(
        "who|whom|whose|what|when|where|why|how|which",
        "about|after|at|before|by|for|from|in|of|on|since|till|to|under|until|with|within",
        "many|much|long|often|big|large|high|far|soon|early|late|old|day|date|month|year|time",
        "and",
        verb_first=True,
    ),
    _Language(
        "wer|wen|wem|wessen|was|wann|wo|warum|wie|welche[nmrs]?|wohin|woher|wofür|womit",
        "ab|an|auf|aus|bei|bis|für|gegen|in|mit|nach|seit|um|unter|von|vor|wegen|zu",
        "viele?|lange|oft",
        "und",
        verb_first=False,
    ),
    _Language(
        "кто|кого|кому|кем|что|чего|когда|где|куда|откуда|почему|зачем|как|какой|какая|какое|какие|сколько",
        "в|во|до|за|из|к|на|о|от|по|с|со|у",
        "долго|часто",
        "и|а",
        verb_first=False,
    ),
)


def question_parts(question: str) -> tuple[Part, ...]:
    """Return the two or three parts of a question, none if it is a single question."""
    hidden = _QUOTED.sub(lambda match: "_" * len(match.group()), question)
    for language in _LANGUAGES:
        if language.asking.match(hidden):
            edges = [0, *(place for match in language.breaks.finditer(hidden) for place in match.span()), len(question)]
            spans = list(pairwise(edges))[::2]
            if parts := _parts(
                [question[a:b].strip(" ?!.,;\n") for a, b in spans], [hidden[a:b] for a, b in spans], language
            ):
                return parts
    return ()


def _parts(texts: list[str], hidden: list[str], language: _Language) -> tuple[Part, ...]:
    """Return the parts of these texts; ``hidden`` are the same without quoted titles."""
    if not 2 <= len(texts) <= _MOST_PARTS or not all(texts):
        return ()
    first, *others = texts
    topic = _after_asking(first, language)
    if not topic:  # "When and where does it meet?"
        rest = _after_asking(others[0], language)
        shared = len(others) == 1 and rest and (not language.verb_first or _VERB.match(rest))
        return (_part(first, f"{first} {rest}", language), _part(others[0], others[0], language)) if shared else ()
    if language.asked.search(_after_asking(hidden[0], language)):
        return ()
    if not all(_is_asked(text, language) for text in others):
        return ()
    return (
        _part(first, first, language),
        *(_part(text, _completed(text, topic, language), language) for text in others),
    )


def _part(words: str, question: str, language: _Language) -> Part:
    asking = language.asking.match(words)
    kinds = (kind for kind, pattern in _KINDS if asking and pattern.search(asking.group()))
    return Part(words, f"{question[:1].upper()}{question[1:]}?", next(kinds, "fact"))


def _after_asking(text: str, language: _Language) -> str:
    asking = language.asking.match(text)
    return text[asking.end() :].strip() if asking else text


def _completed(text: str, topic: str, language: _Language) -> str:
    """Return a part with the words of the first part that it lacks."""
    if _is_elliptical(text, language):
        return f"{text} {topic}"
    if not _POINTS.search(text):
        return text
    verb = _VERB.match(topic)
    return f"{text} ({topic[verb.end() :].strip() if verb else topic})"


def _is_elliptical(text: str, language: _Language) -> bool:
    rest = _after_asking(text, language)
    return (
        len(text.split()) <= _MOST_ELLIPTICAL and len(rest.split()) <= language.verb_first and not _SUBJECT.search(rest)
    )


def _is_asked(text: str, language: _Language) -> bool:
    """Return whether a part asks by itself: in "how the alarm works" the subject is before the verb."""
    if not language.verb_first or _is_elliptical(text, language):
        return True
    rest = _after_asking(text, language)
    subject, verb = _SUBJECT.search(rest), _VERB.search(rest)
    if _MAY_BE_SUBJECT.match(text):
        return subject is None or subject.start() > 0
    return verb is not None and (subject is None or verb.start() < subject.start())
