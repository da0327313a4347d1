"""The verdict on one answer over a user's documents: right, partly, wrong or refused.

SQuAD asks for a span, so a sentence that holds it is no exact match. Here an answer is **right** if it states an
acceptable answer (:mod:`eval.wording`). A question with ``parts`` has an answer of several pieces, each with its
acceptable wordings: all must be stated; with half of them, or with an acceptable answer, it is **partly** right. A
question whose first answer is yes or no is judged by the first yes or no of the answer; without one, an answer that
states all parts is partly right. Where the documents hold no answer, only a refusal is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from eval.wording import fold, polarity, states

__all__ = ["Verdict", "holds_answer", "judge"]

Verdict = Literal["right", "partly", "wrong", "refused"]


def judge(answer: str, golds: Sequence[str], parts: Sequence[Sequence[str]] = (), *, refused: bool = False) -> Verdict:
    """Return the verdict on an answer. Without ``golds`` the question has no answer, and only a refusal is right."""
    if not golds:
        return "right" if refused else "wrong"
    if refused:
        return "refused"
    stated = [any(states(answer, wording) for wording in part) for part in parts]
    complete = bool(stated) and all(stated)
    if wanted := _yes_or_no(golds[0]):
        return _judge_yes_or_no(polarity(answer), wanted, complete)
    whole = any(states(answer, gold) for gold in golds)
    if complete or (whole and not stated):
        return "right"
    if not stated:
        return "wrong"
    return "partly" if whole or 2 * sum(stated) >= len(stated) else "wrong"


def _judge_yes_or_no(stated: str | None, wanted: str, complete: bool) -> Verdict:
    """Judge by the first yes or no; ``complete`` says whether the answer states all parts."""
    if stated is None:
        return "partly" if complete else "wrong"
    return "right" if stated == wanted else "wrong"


def holds_answer(text: str, golds: Sequence[str], parts: Sequence[Sequence[str]] = ()) -> bool:
    """Return whether a text, such as the passages shown, holds what a right answer states.

    Yes and no stand in no document: such a question is held by its parts.
    """
    if parts:
        return all(any(states(text, wording) for wording in part) for part in parts)
    return any(states(text, gold) for gold in golds if not _yes_or_no(gold))


def _yes_or_no(gold: str) -> str | None:
    return polarity(gold) if len(fold(gold)) == 1 else None
