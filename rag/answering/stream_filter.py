"""Recognise a model's own way of saying that it found no answer, in a whole text and in a stream."""

from __future__ import annotations

import re

from rag.prompt_templates import ABSTENTION

__all__ = ["AbstentionFilter", "is_abstention"]

# How a model may begin to say that it found nothing; then the answer, or its first sentence or clause, must end.
_LEADS = ("", "it is ", "this is ", "that is ", "the answer is ")
_ABSTAINS = re.compile(rf"\W*(?:{'|'.join(_LEADS)}){ABSTENTION}(?:[ \t]*[.,;:!?…)»”\"*_\n—–]|\s*\Z)", re.IGNORECASE)


def is_abstention(text: str) -> bool:
    """Return whether a text says that the documents hold no answer."""
    return _ABSTAINS.match(text) is not None


def _may_abstain(beginning: str) -> bool:
    """Return whether a text that begins so may still turn out to be an abstention."""
    words = re.sub(r"^\W+", "", beginning).lower()
    return any((lead + ABSTENTION).startswith(words.rstrip()) or words.strip() == lead + ABSTENTION for lead in _LEADS)


class AbstentionFilter:
    """Holds a stream back until it is clear whether it abstains; then passes it on, or ``message`` in its place."""

    def __init__(self, message: str) -> None:
        self._message = message
        self._held: str | None = ""  # None once it is decided
        self._abstains = False

    def feed(self, piece: str) -> str:
        """Take a piece and return the text to show now, which may be empty."""
        if self._held is None:
            return "" if self._abstains else piece
        self._held += piece
        if _may_abstain(self._held):
            return ""
        held, self._held = self._held, None
        self._abstains = is_abstention(held)
        return self._message if self._abstains else held

    def finish(self, *, aborted: bool) -> str:
        """Return the text that was still held back. A stream without a word is an abstention unless it was aborted."""
        held, self._held = self._held, None
        if held is None or (aborted and not held):
            return ""
        return held if held and not is_abstention(held) else self._message
