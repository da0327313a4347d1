"""What the chat page shows, without a widget: the confidence in a word, why there is no answer, times, answer texts.

The words "high", "medium" and "low" mean this. What a reader marked has a calibrated chance of being right: high from
the reader's stricter threshold on (.69 with the bundled one: it would be given even where half of the questions have no
answer), low below one half (more likely wrong than right), medium between them; a sentence that was written around it
is at most medium where it has words that were neither marked nor asked. What a language model wrote alone has no such
chance, only evidence: medium where a passage stands behind every sentence, low where one has none; never high, because
words that occur in a source are not yet an answer to the question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rag.answering import query_rewriting as followup
from rag.config import Config
from rag.evidence.token_match import content_stems
from rag.generation.registry import GENERATORS
from rag.types import Answer
from ui.i18n import Texts
from ui.jobs.asking import Clock, NothingIn, Outcome
from ui.storage.history import Turn
from ui.text.safe import one_line
from ui.views.evidence import pieces
from ui.views.places import full_place

__all__ = [
    "Choice",
    "Line",
    "absence",
    "band",
    "choices",
    "confidence",
    "ending",
    "history",
    "no_answer",
    "plain_text",
    "shown_band",
    "times",
    "to_turn",
    "was_rewritten",
    "with_doubts",
]

Band = Literal["high", "medium", "low"]
EVEN = 0.5


@dataclass(frozen=True)
class Choice:
    """A generator that can be chosen: its name in the catalogue, and the settings that choose it."""

    name: str
    assignments: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """A text of the catalogue with its values, in seconds."""

    key: str
    seconds: float


def choices(config: Config) -> list[Choice]:
    """Return what can answer with a configuration, its own generator first: the extractive model, a language model."""
    own = config.generator.type
    extracts = GENERATORS[own].make_extractor is not None
    reader, writer = ("generator.type=extractive",), ("generator.type=vllm",)
    if extracts:
        return [Choice("reader", ()), Choice("written", writer)]
    return [Choice("written", ()), Choice("reader", reader)]


def band(answer: Answer, *, marked: bool, strict: float) -> Band:
    """Say the confidence of an answer that was given in a word; see the module."""
    if marked and answer.citations:
        if answer.confidence >= max(strict, EVEN) and not _adds_words(answer):
            return "high"
        return "medium" if answer.confidence >= EVEN else "low"
    supported = bool(answer.sentences) and all(sentence.supported for sentence in answer.sentences)
    return "medium" if supported else "low"


def _adds_words(answer: Answer) -> bool:
    """Return whether a sentence says more than was extracted or asked: the confidence covers only those words."""
    known = content_stems(" ".join([answer.question, *(citation.quote for citation in answer.citations)]))
    return not content_stems(answer.text) <= known


def absence(answer: Answer, nothing_in: NothingIn) -> str:
    """Say why an answer is an abstention: a name of the catalogue's, empty where it is none."""
    if not answer.abstained:
        return ""
    if not answer.passages and nothing_in:
        return {"index": "empty", "filter": "filtered"}[nothing_in]
    known = {
        "nothing relevant": "irrelevant",
        "low confidence": "unsure",
        "no passage fits": "unfit",
        "unknown script": "unlearned",
    }
    return known.get(answer.finish_reason, "silent")


def to_turn(question: str, outcome: Outcome, config: Config) -> Turn:
    """Return what came of a question as the history keeps it."""
    answer = outcome.answer
    given = answer is not None and not answer.abstained and bool(answer.text.strip())
    marked = GENERATORS[config.generator.type].make_extractor is not None
    return Turn(
        question=question,
        answer=answer,
        shown=outcome.shown,
        stopped=outcome.stopped,
        failure=outcome.failure,
        band=band(answer, marked=marked, strict=outcome.strict) if answer is not None and given else "",
        absence=absence(answer, outcome.nothing_in) if answer is not None else "",
        clock=outcome.clock,
        config=config.digest(),
        filter=tuple(outcome.filter.texts()),
    )


def shown_band(turn: Turn) -> str:
    """Return the confidence to show, empty where nothing was answered: a stopped answer may have no word."""
    return turn.band if turn.said.strip() else ""


def confidence(turn: Turn, t: Texts) -> str:
    """Return :func:`shown_band` in the language of the page."""
    known = shown_band(turn)
    return t(f"chat.{known}") if known else ""


def ending(turn: Turn, t: Texts) -> list[str]:
    """Say that an answer is not whole: it was stopped, or it broke off with a failure, which is shown next to it."""
    parts = [t("chat.stopped") if turn.said else t("chat.stopped_early")] if turn.stopped else []
    if turn.failure is not None and turn.said:
        parts.append(t("chat.cut_off"))
    return parts


def times(clock: Clock) -> list[Line]:
    """Return the waits that a reader may care about, each from the moment of asking.

    Where the models had to load first, that wait is listed and the other times start after it.
    """
    if clock.done is None:
        return []
    waited = clock.loaded or 0.0
    lines = [Line("loading", waited)] if waited >= 0.5 else []
    for key, moment in (("sources", clock.sources), ("first", clock.first_text), ("done", clock.done)):
        if moment is not None:
            lines.append(Line(key, max(moment - waited, 0.0)))
    return lines


def history(turns: Sequence[Turn], replaced: Turn | None = None) -> list[followup.Turn]:
    """Return what was said before a question, or before the one that is asked again, for follow-ups."""
    parts = []
    for turn in turns:
        if replaced is not None and turn.id == replaced.id:
            break
        answer = turn.answer
        said = "" if answer is None or answer.abstained else answer.text
        parts.append(followup.Turn(turn.question if answer is None else answer.question, said))
    return parts


def was_rewritten(turn: Turn) -> bool:
    """Return whether another question was answered than was typed."""
    return turn.answer is not None and turn.answer.question.split() != turn.question.split()


def no_answer(turn: Turn, t: Texts) -> list[str]:
    """Say that there is no answer in the documents, and why: a title, then sentences."""
    title = t("chat.unread") if turn.absence == "unlearned" else t("chat.absent")
    parts = [title, t(f"chat.{turn.absence or 'silent'}")]
    if turn.filter and turn.absence not in ("unlearned", "empty"):  # these do not depend on the filter
        parts.append(t("chat.absent_filter", filter=one_line(" and ".join(turn.filter), 300)))
    return parts


def with_doubts(answer: Answer, t: Texts) -> str:
    """Return an answer's text in which it is said of every sentence without a source that it has none."""
    doubt = " " + t("evidence.unsupported")
    return "".join(piece.text + doubt * piece.unsupported for piece in pieces(answer))


def plain_text(turn: Turn, t: Texts) -> str:
    """Return what the copy button copies: the answer and its sources, as they are, or why there is none."""
    answer = turn.answer
    if answer is None:
        return turn.shown
    if answer.abstained:
        return "\n".join(no_answer(turn, t))
    lines = [with_doubts(answer, t)]
    if answer.citations:
        lines.append("")
        lines += [f"[{n}] {full_place(t, c.passage)}" for n, c in enumerate(answer.citations, start=1)]
    elif answer.text:
        lines += ["", t("evidence.none")]
    return "\n".join(lines)
