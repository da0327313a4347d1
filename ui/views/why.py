"""Why an answer is what it is: its candidates at every stage, what was shown and what was not, and where the time went.

Pure functions from records to rows of plain values. Nothing here is HTML or Markdown: the rows go into data frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rag.ops.explain import Attribution
from rag.types import Answer, Passage
from ui.i18n import Texts
from ui.text.safe import one_line
from ui.views.words import full_place, noted, place, short_name

__all__ = ["candidates", "facts", "left_out", "notes", "shares", "without"]

Row = dict[str, Any]
_SCORES = ("dense_rank", "dense", "lexical_rank", "lexical", "fused_rank", "reranked", "score")
_STAGES = ("embed", "search", "rerank", "prompt", "generate", "cite")


def candidates(t: Texts, answer: Answer, found: Sequence[Passage] = ()) -> list[Row]:
    """Return the passages of an answer and, behind them, of a deeper search, in the order they came out.

    ``found`` are the passages of that search. Of an answer alone those that were dropped follow those that were shown.
    ``fused_rank`` is the rank before a reranker; a rank or score that a passage does not have is None.
    """
    shown = {passage.id for passage in answer.passages} if not answer.abstained or answer.usage.prompt_tokens else set()
    cited = {citation.passage.id for citation in answer.citations}
    dropped = {drop.passage.id for drop in answer.dropped}
    own = [*answer.passages, *(drop.passage for drop in answer.dropped)]
    order = list(found) + [p for p in own if p.id not in {f.id for f in found}] if found else own

    def state(passage: Passage) -> str:
        if passage.id in cited:
            return t("why.cited")
        if passage.id in shown:
            return t("why.shown")
        if passage.id in dropped:
            return t("why.dropped")
        return t("why.not_retrieved") if found else t("why.nearest")

    return [_candidate(t, rank, passage, state(passage)) for rank, passage in enumerate(order, start=1)]


def shares(t: Texts, answer: Answer) -> list[Row]:
    """Return the time of each stage in milliseconds and its share of the whole, 0 to 1, in the order they ran."""
    parts = [(stage, answer.timings[stage]) for stage in _STAGES if stage in answer.timings]
    total = sum(seconds for _, seconds in parts)
    return [
        {"stage": t(f"why.{stage}"), "milliseconds": 1000 * seconds, "share": seconds / total if total else 0.0}
        for stage, seconds in parts
    ]


def facts(t: Texts, answer: Answer) -> list[tuple[str, str]]:
    """Return what else is known of an answer, as names and values."""
    usage = answer.usage
    rows = [
        (t("why.generator"), one_line(answer.generator)),
        (t("why.confidence"), _confidence(t, answer)),
        (t("why.prompt_tokens"), t.number(usage.prompt_tokens)),
        (t("why.cached_tokens"), t.number(usage.cached_tokens)),
        (t("why.completion_tokens"), t.number(usage.completion_tokens)),
        (t("why.generation"), t.number(answer.generation)),
    ]
    if (first := answer.timings.get("first_token")) is not None:
        rows.append((t("why.first_token"), t("why.seconds", seconds=round(first, 3))))
    return rows


def _confidence(t: Texts, answer: Answer) -> str:
    if answer.abstained:
        return "–"
    return t("chat.unrated") if answer.confidence is None else t.percent(answer.confidence)


def notes(t: Texts, answer: Answer) -> list[str]:
    """Return what is noted of an answer: sentences, too long for a cell."""
    return [noted(t, note) for note in answer.notes]


def left_out(t: Texts, answer: Answer) -> list[str]:
    """Say of each passage that was left out, why: sentences, too long for a cell."""
    return [
        t("why.left_out", place=full_place(t, drop.passage), reason=noted(t, drop.reason)) for drop in answer.dropped
    ]


def without(t: Texts, attributions: Sequence[Attribution]) -> list[Row]:
    """Return the answer without each passage; its similarity to the answer with all of them is 0 to 1."""
    return [
        {
            "document": short_name(a.passage.source),
            "similarity": a.similarity,
            "answer": t("chat.absent") if a.abstained else one_line(a.without, 500),
            "place": place(t, a.passage),
        }
        for a in attributions
    ]


def _candidate(t: Texts, rank: int, passage: Passage, state: str) -> Row:
    return {
        "rank": rank,
        "document": short_name(passage.source),
        "state": state,
        **{name: getattr(passage, name) for name in _SCORES},
        "place": place(t, passage),
        "begins": one_line(passage.text, 160),
    }
