"""Passages of invented documents while they are written: the answer is between two marks until the end.

The marks are characters of the private use area. They survive every change of the text that keeps words in order, so
that lower case, line breaks and page footers need no arithmetic with offsets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rag.training.data.corpus import Span
from rag.training.data.synthetic_values import Values

__all__ = ["CLOSE", "OPEN", "Asked", "Passage", "mistype", "noisy", "unmark", "without_marks"]

OPEN, CLOSE = "\ue000", "\ue001"

_MARKS = re.compile(f"[{OPEN}{CLOSE}]")
_FOOTERS = ("Page {n}", "{n}", "- {n} -", "{t} · {n}", "{t}  |  page {n} of 48", "{t}\n{n}", "{t} {n}")


@dataclass(frozen=True, slots=True)
class Passage:
    """The line of title and headings, and the text, in which the answer may be marked."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with a passage that answers it and a similar one that does not; ``reason`` says why it does not."""

    kind: str
    question: str
    answering: Passage
    missing: Passage
    reason: str


def without_marks(text: str) -> str:
    """Return the text without its marks."""
    return _MARKS.sub("", text)


def unmark(text: str) -> tuple[str, tuple[Span, ...]]:
    """Return the text without its marks and the span between them, () if there are none."""
    start, end = text.find(OPEN), text.find(CLOSE)
    return without_marks(text), ((start, end - 1),) if start >= 0 else ()


def noisy(passage: Passage, values: Values) -> Passage:
    """Return one passage in five as bad conversions write it: lower case, ragged lines, page numbers in the text."""
    text = passage.text
    if values.chance(0.06):
        text = text.lower()
    if values.chance(0.06):
        name = passage.title.split(" > ")[0].split(" (")[0]
        footer = values.pick(_FOOTERS).format(t=name, n=values.pick(range(2, 40)))
        text = f"{footer}\n{text}" if values.chance(0.5) else f"{text}\n{footer}"
    if "| --- |" not in text and values.chance(0.12):
        text = _wrapped(re.sub(r"^#+ ", "", text, flags=re.MULTILINE), values.pick(range(45, 110)))
    elif values.chance(0.03):
        text = re.sub(r"(?<=[a-z]) (?=[a-z])", lambda match: "  " if values.chance(0.1) else match[0], text)
    return Passage(passage.title, text)


def mistype(question: str, values: Values) -> str:
    """Swap, drop or double a letter of one ordinary word, if there is one of five letters or more."""
    words = list(re.finditer(r"(?<![\w.@-])[a-z]{5,}(?![\w.@-])", question))
    if not words:
        return question
    match = values.pick(words)
    word = match[0]
    at = values.pick(range(1, len(word) - 2))
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    wrong = values.pick((swapped, word[:at] + word[at + 1 :], word[: at + 1] + word[at:]))
    return question[: match.start()] + wrong + question[match.end() :]


def _wrapped(text: str, width: int) -> str:
    lines = []
    for line in text.split("\n"):
        current = ""
        for word in line.split(" "):
            if current and len(current) + len(word) >= width:
                lines.append(current)
                current = word
            else:
                current = f"{current} {word}" if current else word
        if current:
            lines.append(current)
    return "\n".join(lines)
