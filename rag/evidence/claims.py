"""A written answer to claims: the statements that can be checked one by one.

A claim is a sentence, a list item or a table row of the answer, which may be Markdown. A sentence is cut further where
its parts make statements of their own: at a semicolon, or at ``and``, ``but``, ``against``, ``while`` and so on where
both sides hold a number, date, or code. Headings and a lone ``Yes.`` state nothing alone; the latter is part of the
next sentence. This module knows nothing of passages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rag.evidence.citations import sentence_spans
from rag.evidence.values import find_values
from rag.evidence.vocabulary import words_of

__all__ = ["Statement", "leading_word", "split_claims"]

_RULE = re.compile(r"[ \t]*\|?(?:[ \t]*:?-{2,}:?[ \t]*\|?)+[ \t]*")
_HEADING = re.compile(r"[ \t]*#{1,6}[ \t]+\S.*")
_JOINT = re.compile(
    r";\s+|,?\s+(?:and|but|while|whereas|against|compared (?:with|to)|versus|instead of|и|а|но|против)\s+(?:then\s+)?"
    r"|[,:]\s+"
)
_ONLY_WORD = re.compile(r"\W*(?:yes|no|да|нет)\W*", re.IGNORECASE)
# "No dogs are allowed" is no answer; "No, dogs are not" and "No they are not" are.
_LEAD = re.compile(
    r"\W*(?P<word>yes|да|(?:no|нет)(?! (?!(?:i|you|he|she|it|we|they|there|this|that)\b)\w))\b\W*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Statement:
    """The claim ``answer[start:end]``.

    ``sentence`` is the (start, end) of the sentence or row that it belongs to. ``columns`` are the column names of a
    row of a table, ``heads`` the lines above a list that ends in a colon.
    """

    start: int
    end: int
    sentence: tuple[int, int]
    columns: tuple[str, ...] = ()
    head: str = ""


def split_claims(answer: str) -> list[Statement]:
    """Return the claims of an answer in their order; they do not overlap."""
    claims: list[Statement] = []
    columns: tuple[str, ...] = ()
    head = ""
    waiting: int | None = None  # start of a lone "Yes."
    for start, end in sentence_spans(answer):
        text = answer[start:end]
        if text.startswith("|"):
            if _RULE.fullmatch(text):
                continue
            cells = tuple(cell.strip(" *_`") for cell in text.strip().strip("|").split("|"))
            rest = answer[end:].lstrip("\n").split("\n", 1)[0]
            if _RULE.fullmatch(rest) and "-" in rest:
                columns = cells
                continue
            claims.append(Statement(start, end, (start, end), columns, head))
            continue
        columns = ()
        if _HEADING.fullmatch(text):
            head = text.strip("# ")
            continue
        if text.endswith(":") and re.match(r"\s*\n\s*(?:[-*•|]|\d+[.)])", answer[end:]) and not _strong(text):
            head = text
            continue
        if _ONLY_WORD.fullmatch(text) and answer[end:].strip():
            waiting = start
            continue
        begin = start if waiting is None else waiting
        waiting = None
        claims += [Statement(*part, (begin, end), head=head) for part in _clauses(answer, begin, end)]
    return claims


def leading_word(text: str) -> str:
    """Return ``yes`` or ``no`` where a text begins with it, else an empty string."""
    match = _LEAD.match(text)
    if match is None:
        return ""
    return "yes" if match["word"].lower() in ("yes", "да") else "no"


def _strong(text: str) -> bool:
    return any(not value.weak for value in find_values(text))


def _states(text: str) -> bool:
    """Return whether a piece of a sentence has a value and a word, or another value, to say what it is."""
    values = [value for value in find_values(text) if not value.weak]
    return bool(values) and (len(values) > 1 or bool(words_of(text)))


def _clauses(answer: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of a sentence that make statements of their own."""
    begin = start
    values = find_values(answer[start:end])
    for joint in _JOINT.finditer(answer, start, end):
        inside = answer.count("(", begin, joint.start()) > answer.count(")", begin, joint.start())
        left, right = answer[begin : joint.start()], answer[joint.end() : end]
        ranged = re.search(r"between\W+\S+(?:\s\S+)?\Z", left) is not None
        told = joint.group().startswith(";") or (_states(left) and _states(right))
        within = any(value.start < joint.start() - start < value.end for value in values)
        if told and not within and not inside and not ranged and left.strip() and right.strip():
            yield begin, joint.start()
            begin = joint.end()
    yield begin, end
