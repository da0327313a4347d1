"""What the chat page shows, without a widget: the confidence in a word, why there is no answer, times, answer texts.

:mod:`rag.answering.bands` says what the words "high", "medium" and "low" mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.answering import query_rewriting as followup
from rag.config import Config
from rag.generation.registry import GENERATORS
from rag.types import Answer, Citation, Passage
from ui.i18n import Texts
from ui.jobs.asking import Clock, NothingIn, Outcome
from ui.storage.chats import Turn
from ui.text.markdown import JsonNode, markdown_json
from ui.text.safe import marked, one_line, plain
from ui.views.words import full_place

__all__ = [
    "Piece",
    "Source",
    "absence",
    "blocks",
    "choices",
    "cited_html",
    "confidence",
    "ending",
    "history",
    "is_markdown",
    "is_unrated",
    "no_answer",
    "pieces",
    "plain_text",
    "shown_band",
    "sources",
    "times",
    "to_turn",
    "was_rewritten",
    "with_doubts",
    "without_sources",
]


def choices(config: Config) -> dict[str, tuple[str, ...]]:
    """Return what can answer, by its name in the table of texts, with the settings that choose it.

    The configuration's own generator is first: the extractive model or a language model.
    """
    if GENERATORS[config.generator.type].make_extractor is not None:
        return {"reader": (), "written": ("generator.type=vllm",)}
    return {"written": (), "reader": ("generator.type=extractive",)}


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
        "not calculated": "uncalculated",
    }
    return known.get(answer.finish_reason, "silent")


def to_turn(question: str, outcome: Outcome, config: Config) -> Turn:
    """Return what came of a question as the history keeps it."""
    answer = outcome.answer
    return Turn(
        question=question,
        answer=answer,
        shown=outcome.shown,
        stopped=outcome.stopped,
        failure=outcome.failure,
        band=answer.band if answer is not None and answer.text.strip() else "",
        absence=absence(answer, outcome.nothing_in) if answer is not None else "",
        clock=outcome.clock,
        config=config.digest(),
        filter=tuple(outcome.filter.texts()),
    )


def without_sources(answer: Answer) -> bool:
    """Return whether an answer is one that has no sources: the list of documents, or small talk."""
    return answer.kind in ("collection", "small_talk") and not answer.abstained and not answer.passages


def shown_band(turn: Turn) -> str:
    """Return the confidence to show, empty where nothing was answered: a stopped answer may have no word."""
    return turn.band if turn.said.strip() else ""


def confidence(turn: Turn, t: Texts) -> str:
    """Return :func:`shown_band` in the language of the page; "not rated" for a cited answer without a confidence."""
    if known := shown_band(turn):
        return t(f"chat.{known}")
    return t("chat.unrated") if is_unrated(turn) else ""


def is_unrated(turn: Turn) -> bool:
    """Return whether a turn shows a cited answer whose chance of being right was not measured: a summary."""
    answer = turn.answer
    return answer is not None and not answer.abstained and answer.confidence is None and bool(answer.citations)


def ending(turn: Turn, t: Texts) -> list[str]:
    """Say that an answer is not whole: it was stopped, or it broke off with a failure, which is shown next to it."""
    parts = [t("chat.stopped") if turn.said else t("chat.stopped_early")] if turn.stopped else []
    if turn.failure is not None and turn.said:
        parts.append(t("chat.cut_off"))
    return parts


def times(clock: Clock) -> list[tuple[str, float]]:
    """Return the waits that a reader may care about, each by its name and in seconds from the moment of asking.

    Where the models had to load first, that wait is listed and the other times start after it.
    """
    if clock.done is None:
        return []
    waited = clock.loaded or 0.0
    lines = [("loading", waited)] if waited >= 0.5 else []
    for key, moment in (("sources", clock.sources), ("first", clock.first_text), ("done", clock.done)):
        if moment is not None:
            lines.append((key, max(moment - waited, 0.0)))
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
    """Say that there is no answer, and why: a title, then sentences and table rows. The passages may still hold it."""
    nothing_near = turn.absence in ("irrelevant", "empty", "filtered")
    title = t("chat.unread") if turn.absence == "unlearned" else t("chat.absent" if nothing_near else "chat.no_sure")
    parts = [title, t(f"chat.{turn.absence or 'silent'}")]
    if turn.absence == "uncalculated" and turn.answer is not None:
        parts += turn.answer.text.split("\n")[1:]  # the rows
    if turn.filter and turn.absence not in ("unlearned", "empty"):  # these do not depend on the filter
        parts.append(t("chat.absent_filter", filter=one_line(" and ".join(turn.filter), 300)))
    return parts


def with_doubts(answer: Answer, t: Texts) -> str:
    """Return an answer's text with a note behind each claim that a source contradicts."""
    notes = {piece.instead: f" {t('evidence.contradicted', text=piece.instead)}" for piece in pieces(answer)}
    return "".join(piece.text + notes[piece.instead] * bool(piece.instead) for piece in pieces(answer))


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
    elif answer.text and not without_sources(answer):
        lines += ["", t("evidence.none")]
    return "\n".join(lines)


NEAREST = 3


@dataclass(frozen=True)
class Piece:
    """A stretch of an answer's text and the numbers of the sources behind it; what lies between sentences has none.

    ``strong`` stretches are the words that answer the question; ``instead`` is what a source says that contradicts it.
    """

    text: str
    numbers: tuple[int, ...] = ()
    instead: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Source:
    """A passage that can be opened; ``start`` and ``end`` in its text are what was cited, equal where nothing was."""

    number: int
    passage: Passage
    start: int = 0
    end: int = 0
    own_page: int | None = None

    @property
    def source(self) -> str:
        """The document's name."""
        return self.passage.source

    @property
    def headings(self) -> tuple[str, ...]:
        """The headings above it."""
        return self.passage.headings

    @property
    def page(self) -> int | None:
        """The page on which the cited words begin."""
        return self.passage.page if self.own_page is None else self.own_page

    @property
    def quote(self) -> str:
        """The cited words."""
        return self.passage.text[self.start : self.end]


def pieces(answer: Answer) -> list[Piece]:
    """Cut an answer's text into its claims and what lies between, in order; together they are the whole text.

    The text of an extracted answer is one sentence without claims, after a "Yes" or "No" that no source holds.
    """
    if answer.claims:
        return _claims(answer)
    found: list[Piece] = []
    position = 0
    strong = (answer.short_start, answer.short_start + len(answer.short))
    for sentence, numbers in zip(answer.sentences, _numbers(answer), strict=True):
        if answer.short and position == strong[0] and strong[1] <= sentence.start:
            found.append(Piece(plain(answer.short), strong=True))
            position = strong[1]
        if sentence.start > position:
            found.append(Piece(plain(answer.text[position : sentence.start])))
        if answer.short and sentence.start <= strong[0] and strong[1] <= sentence.end:
            if sentence.start < strong[0]:
                found.append(Piece(plain(answer.text[sentence.start : strong[0]])))
            found.append(Piece(plain(answer.short), strong=True))
            text = plain(answer.text[strong[1] : sentence.end])
        else:
            text = plain(answer.text[sentence.start : sentence.end])
        found.append(Piece(text, numbers))
        position = sentence.end
    if position < len(answer.text):
        found.append(Piece(plain(answer.text[position:])))
    return found


def is_markdown(answer: Answer) -> bool:
    """Return whether an answer is Markdown that was written, not words of documents as they are."""
    quoted = answer.confidence is None and bool(answer.citations)
    return not answer.abstained and not answer.short and not quoted


def blocks(answer: Answer) -> list[JsonNode]:
    """Return a Markdown answer for the browser, with the numbers of its sources behind each claim.

    Behind a claim that a source contradicts is also what it says instead.
    """
    notes: list[tuple[int, dict[str, object]]] = [
        (claim.end, {"numbers": [n + 1 for n in claim.citations], "instead": plain(claim.instead)})
        for claim in answer.claims
        if claim.citations
    ]
    return markdown_json(answer.text, notes)


def _claims(answer: Answer) -> list[Piece]:
    found: list[Piece] = []
    position = 0
    for claim in answer.claims:
        if claim.start > position:
            found.append(Piece(plain(answer.text[position : claim.start])))
        text = plain(answer.text[claim.start : claim.end])
        found.append(Piece(text, tuple(n + 1 for n in claim.citations), plain(claim.instead)))
        position = claim.end
    if position < len(answer.text):
        found.append(Piece(plain(answer.text[position:])))
    return found


def sources(answer: Answer) -> list[Source]:
    """Return what can be opened: the citations, numbered as in the text; of an abstention the nearest passages."""
    if answer.abstained:
        return [Source(number, passage) for number, passage in enumerate(answer.passages[:NEAREST], start=1)]
    return [
        Source(number, citation.passage, *_within(citation), own_page=citation.own_page)
        for number, citation in enumerate(answer.citations, start=1)
    ]


def cited_html(source: Source) -> str:
    """Return the passage's text as HTML, the cited words marked."""
    return f'<div class="rag-passage">{marked(source.passage.text, [(source.start, source.end)])}</div>'


def _numbers(answer: Answer) -> list[tuple[int, ...]]:
    """Return the source numbers of each sentence; further places of a marked answer go to its last supported one."""
    numbers: list[tuple[int, ...]] = [() if s.citation is None else (s.citation + 1,) for s in answer.sentences]
    named = {number for group in numbers for number in group}
    rest = tuple(n for n in range(1, len(answer.citations) + 1) if n not in named)
    supported = [n for n, group in enumerate(numbers) if group]
    if supported and rest:
        numbers[supported[-1]] += rest
    return numbers


def _within(citation: Citation) -> tuple[int, int]:
    """Return the citation's place in its passage: (0, 0) where the words are not there."""
    passage, length = citation.passage, len(citation.quote)
    start = citation.start - passage.start
    if start < 0 or not passage.text.startswith(citation.quote, start):
        start = passage.text.find(citation.quote)
    return (start, start + length) if start >= 0 else (0, 0)
