"""Clean what a model writes, whole or as a stream: its source numbers, and its own ways of finding no answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.answering.refusals import is_abstention, may_abstain
from rag.types import Passage

__all__ = ["AnswerFilter", "MarkerFilter", "is_abstention", "strip_markers"]

_MARKER = r"(?:\[\d{1,4}(?:\s*,\s*\d{1,4})*\]|【\d{1,4}】)"
_MARKERS = re.compile(rf"(?<!\s)\s*{_MARKER}(?:\s*{_MARKER})*")
# An ending that may still become, or continue as, markers with the white space around them.
_UNDECIDED = re.compile(rf"(?<!\s)\s*(?:{_MARKER}\s*)*(?:\[[\d\s,]*|【\d*)?\Z")
_CLAUSE_ENDS = frozenset(".,;:!?…)»”|*_")


class MarkerFilter:
    """Removes the source numbers that a model wrote, such as ``[2]``, from a text that arrives in pieces.

    A marker names one of the passages shown, and is set off by white space or at the end of a clause. Other text in
    brackets stays: ``buffer[12]``, or a number that a passage itself writes so. White space at both ends is removed.
    The result does not depend on how the text was cut into pieces.
    """

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._texts = [passage.text for passage in passages]
        self._pending = ""
        self._before = ""  # the last character before the pending text, ignoring white space
        self._begun = False

    def feed(self, piece: str) -> str:
        """Take a piece and return the text that is certain by now."""
        text = self._pending + piece
        undecided = _UNDECIDED.search(text)
        end = undecided.start() if undecided else len(text)
        self._pending = text[end:]
        return self._clean(text[:end])

    def finish(self) -> str:
        """Return the text that was held back."""
        text, self._pending = self._pending, ""
        return self._clean(text).rstrip()

    def _clean(self, text: str) -> str:
        cleaned = _MARKERS.sub(lambda match: _line_break(match) if self._is_marker(match) else match.group(), text)
        self._before = (self._before + text).rstrip()[-1:]
        if not self._begun:
            cleaned = cleaned.lstrip()
            self._begun = bool(cleaned)
        return cleaned

    def _is_marker(self, match: re.Match[str]) -> bool:
        before = (self._before + match.string[: match.start()])[-1:]
        after = match.string[match.end() :]
        ends = not after.strip() or after.lstrip()[0] in _CLAUSE_ENDS or "\n" in after[: -len(after.lstrip())]
        if not (ends or before == "" or before in _CLAUSE_ENDS or match.group()[0].isspace()):
            return False
        numbers = [int(number) for number in re.findall(r"\d+", match.group())]
        if not all(1 <= number <= len(self._texts) for number in numbers):
            return False
        return not any(marker in text for marker in re.findall(_MARKER, match.group()) for text in self._texts)


def _line_break(match: re.Match[str]) -> str:
    """Return the white space before markers that begin a line, so that the rest of the line stays one; else nothing."""
    text = match.group()
    before = text[: len(text) - len(text.lstrip())]
    rest = match.string[match.end() :].lstrip(" \t")
    return before if "\n" in before and rest and not rest[0].isspace() else ""


def strip_markers(answer: str, passages: Sequence[Passage]) -> str:
    """Return the answer without the source numbers that a model wrote. Checked citations replace them."""
    markers = MarkerFilter(passages)
    return markers.feed(answer) + markers.finish()


class AnswerFilter:
    """Cleans a streamed answer as it will be shown.

    Source numbers and surrounding white space are removed. The beginning is held back until it is clear whether the
    model abstains; then the text is passed on, or ``abstention`` in its place.
    """

    def __init__(self, passages: Sequence[Passage], abstention: str) -> None:
        self._abstention = abstention
        self._markers = MarkerFilter(passages)
        self._held: str | None = ""  # None once it is decided
        self._abstains = False

    def feed(self, piece: str) -> str:
        """Take a piece and return the text to show now, which may be empty."""
        return self._decide(self._markers.feed(piece))

    def finish(self, *, aborted: bool) -> str:
        """Return the text that was still held back. A stream without a word is an abstention unless it was aborted."""
        shown = self._decide(self._markers.finish())
        held, self._held = self._held, None
        if held is None or (aborted and not held):
            return shown
        return shown + (held if held and not is_abstention(held) else self._abstention)

    def _decide(self, text: str) -> str:
        if self._held is None or not text:
            return "" if self._abstains else text
        self._held += text
        if may_abstain(self._held):
            return ""
        held, self._held = self._held, None
        self._abstains = is_abstention(held)
        return self._abstention if self._abstains else held
