"""Yes or no before the sentence that an extractive model quotes, where it follows (:mod:`rag.evidence.yes_no`)."""

from __future__ import annotations

from dataclasses import replace

from rag.evidence.claims import leading_word
from rag.evidence.yes_no import decide
from rag.types import Answer, Note

__all__ = ["with_verdict"]


def with_verdict(answer: Answer, margin: float) -> Answer:
    """Return an answer to a yes/no question that begins with ``Yes.`` or ``No.`` where that follows from the quotation.

    Others are returned unchanged, as are answers to questions of another kind.
    ``margin`` is the score of the extracted words over "no answer". The word becomes ``short`` and belongs to no
    sentence, because no citation holds it; a note says so. A quotation that begins with the word itself stays as it is.
    """
    if answer.kind != "yes_no" or answer.abstained:
        return answer
    quoted, cited = answer.text, answer.citations[0]
    found = decide(answer.question, quoted, cited.passage.context, marked=answer.short, margin=margin)
    if found.verdict == "unknown":
        return answer
    word = found.verdict.capitalize()
    if leading_word(quoted) == found.verdict:
        start = quoted.lower().find(found.verdict)
        return replace(answer, short=quoted[start : start + len(word)], short_start=start)
    before = len(word) + 2
    return replace(
        answer,
        text=f"{word}. {quoted}",
        short=word,
        short_start=0,
        sentences=tuple(replace(s, start=s.start + before, end=s.end + before) for s in answer.sentences),
        notes=(*answer.notes, _inferred(word)),
    )


def _inferred(word: str) -> Note:
    text = f"“{word}” is inferred from the quoted text; the document does not say the word."
    return Note(text, "verdict_inferred", {"word": word})
