"""An English sentence as a yes/no question needs it: its main clause, what it excepts, and its conditions.

``The customer, but not Ardo, may cancel if the price rises`` has the clause ``the customer may cancel``, the exception
``Ardo``, and the condition ``the price rises``. Cut at marks and connecting words; there is no parser.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.evidence.modality import CUES, NEGATORS
from rag.evidence.vocabulary import words_of

__all__ = ["VERBS", "Clause", "clauses_of", "stem_of", "tokens_of"]

_FILLER = "xxx"
_MONTH = re.compile(r"(?<=[\w,] )May\b")  # in capitals within a sentence
_TOKEN = re.compile(r"[^\W_]+(?:['-][^\W_]+)*|[.,;:!?()]")
_REPLACED = tuple(
    (re.compile(form), text)
    for form, text in (
        (r"\bwon't\b", "will not"),
        (r"\bcan(?:'t|not)\b", "can not"),
        (r"n't\b", " not"),
        (r"\bno[ -]one\b", "nobody"),
        (r"\bno longer\b|\bnot any ?more\b", "not"),
        (r"\b(ha(?:ve|s|d|ving)) to\b", r"\1-to"),
        (r"\bturned down\b", "turned-down"),
        (r"\bnot only\b|\bbut also\b|\bwithout exception\b", " "),
        (r"\bno objections?\b|\bnothing against\b", "allowed"),
        (r"\b(that|which|who|whoever)( \w+)? not\b", r"\1\2"),
        (r"\bout of (?:order|service|use|stock|date)\b", "unavailable"),
        (r"\bfree of charge\b", "gratis"),
        (r"\bfree (?:of|from)\b", "without"),
        (r"\b(?:left|leaves?|kept|keeps?|ruled|stays?) out\b", "excluded"),
        (r"\b(?:no|not) (?=\w+ than\b)|\b(?:(?:must|may|shall|should|does|do|can) )?not (?=exceed)", " "),
    )
)
_EXCEPTS = (
    ("but", "not"), ("but", "none"), ("but", "no"), (",", "not"), ("and", "no"), ("and", "not"), ("except",),
    ("excepting",), ("other", "than"), ("apart", "from"), ("excluding",), ("unlike",),
    ("with", "the", "exception", "of"), ("rather", "than"), ("instead", "of"),
)  # fmt: skip
_CONDITIONS = (
    ("if",), ("unless",), ("provided",), ("as", "long", "as"), ("subject", "to"), ("in", "case"),
    ("with", "the", "consent"),
)  # fmt: skip
VERBS = frozenset(
    """
    is are was were be been has have had will would does do did can may must shall should
    """.split()  # noqa: SIM905
)
_BREAKS = frozenset([".", ";", ":", "!", "?", "(", ")", "whereas", "while", "although", "but", "because", "since"])


@dataclass(frozen=True, slots=True)
class Clause:
    """``words`` are lower-case words and commas; ``excepted`` and ``condition`` hold stems.

    ``unless`` says that the condition is one under which the clause does not hold.
    """

    words: tuple[str, ...]
    excepted: frozenset[str] = frozenset()
    condition: frozenset[str] = frozenset()
    unless: bool = False

    @property
    def stems(self) -> frozenset[str]:
        """The stems of the content words."""
        return frozenset(stem for word in self.words if (stem := stem_of(word)))


def tokens_of(text: str) -> list[str]:
    """Return the lower-case words and marks of a text; ``have to`` is one word and ``n't`` is ``not``."""
    text = _MONTH.sub("Mai", text).lower().replace("’", "'")
    for form, replacement in _REPLACED:
        text = form.sub(replacement, text)
    return _TOKEN.findall(text)


def stem_of(word: str) -> str:
    """Return the stem of a content word, empty for function words, numbers and words of permission or duty."""
    if word in CUES or word in NEGATORS or not word[0].isalpha():
        return ""
    stems = words_of(f"{_FILLER} {word}") - {_FILLER}  # light words count only where they are alone
    return max(stems, key=lambda stem: (len(stem), stem), default="")


def clauses_of(sentence: str) -> list[Clause]:
    """Return the clauses of a sentence that state something; each has the exceptions and conditions of the sentence."""
    tokens = tokens_of(sentence)
    tokens, excepted = _without(tokens, _EXCEPTS, stop_at_verbs=True)
    unless = "unless" in tokens
    tokens, condition = _without(tokens, _CONDITIONS, stop_at_verbs=False)
    pieces: list[list[str]] = [[]]
    for token in tokens:
        if token in _BREAKS:
            pieces.append([])
        else:
            pieces[-1].append(token)
    merged: list[list[str]] = []
    for piece in pieces:
        words = [word for word in piece if word != ","]
        states = any(stem_of(word) for word in words)
        if words and (states or not merged):
            merged.append(piece)
        elif words:
            merged[-1] += [",", *piece]  # "recommended, but not compulsory"
    return [Clause(tuple(piece), excepted, condition, unless) for piece in merged if piece]


def _without(
    tokens: Sequence[str], openings: Sequence[tuple[str, ...]], *, stop_at_verbs: bool
) -> tuple[list[str], frozenset[str]]:
    """Return the tokens without the phrases that begin with one of the openings, and the stems of these phrases."""
    rest: list[str] = []
    removed: set[str] = set()
    place = 0
    while place < len(tokens):
        opening = next((o for o in openings if tuple(tokens[place : place + len(o)]) == o), None)
        if opening is None:
            rest.append(tokens[place])
            place += 1
            continue
        end = begin = place + len(opening)
        while end < len(tokens) and tokens[end] not in _BREAKS | {","} and not (stop_at_verbs and tokens[end] in VERBS):
            end += 1
        stems = {stem for token in tokens[begin:end] if (stem := stem_of(token))}
        if not stems:  # "but not compulsory" says something of the clause itself
            rest.append(tokens[place])
            place += 1
            continue
        removed |= stems
        rest.append(",")
        place = end
    return rest, frozenset(removed)
