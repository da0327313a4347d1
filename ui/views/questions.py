"""The questions of a run: which to show, and one of them with its passages and where the gold answers stand in them.

The records hold unescaped text: escape it before showing it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag.ops.serialize import notes_from_json
from rag.types import Note

__all__ = ["Filter", "Opened", "Quote", "Read", "chosen", "gold_spans", "losses_in", "number", "opened", "verdict_of"]

_MOST_SPANS = 50  # of one gold answer in one passage


@dataclass(frozen=True, slots=True)
class Filter:
    """What is to be shown: ``verdict`` right, wrong or abstained, ``answerable`` yes or no; empty means all."""

    verdict: str = ""
    loss: str = ""
    answerable: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """A passage of a question; ``golds`` are the spans of gold answers in its text."""

    source: str
    page: int | None
    headings: tuple[str, ...]
    text: str
    golds: tuple[tuple[int, int], ...]
    rank: int | None
    dense_rank: int | None
    lexical_rank: int | None
    shown: bool
    relevant: bool


@dataclass(frozen=True, slots=True)
class Quote:
    """A citation of an answer."""

    source: str
    quote: str
    golds: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """One question, ready to be shown; ``verdict`` is that of :func:`verdict_of`, ``loss`` empty where none."""

    question: str
    golds: tuple[str, ...]
    prediction: str
    whole_text: str
    verdict: str
    loss: str
    f1: float | None
    confidence: float | None
    seconds: float | None
    timings: tuple[tuple[str, float], ...]
    notes: tuple[Note, ...]
    passages: tuple[Read, ...]
    quotes: tuple[Quote, ...]


def verdict_of(row: Mapping[str, Any]) -> str:
    """Return ``abstained``, ``right``, ``wrong``, or ``unscored`` where no answer was judged."""
    if row.get("em") is None:
        return "unscored"
    if row.get("verdict"):
        return {"right": "right", "refused": "abstained"}.get(row["verdict"], "wrong")
    return "right" if row["em"] >= 1 else "abstained" if row.get("abstained") else "wrong"


def losses_in(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the kinds of loss that occur, with their counts, the most frequent first."""
    counts: dict[str, int] = {}
    for row in rows:
        if row.get("loss"):
            counts[str(row["loss"])] = counts.get(str(row["loss"]), 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def chosen(rows: Sequence[Mapping[str, Any]], wanted: Filter) -> list[int]:
    """Return the places of the rows that pass the filter; every word must stand somewhere in the row's texts."""
    words = wanted.words.casefold().split()
    return [n for n, row in enumerate(rows) if _passes(row, wanted) and all(w in _haystack(row) for w in words)]


def _passes(row: Mapping[str, Any], wanted: Filter) -> bool:
    if wanted.verdict == "abstained" and not row.get("abstained"):
        return False
    if wanted.verdict in ("right", "wrong") and (verdict_of(row) == "right") != (wanted.verdict == "right"):
        return False
    if wanted.loss and row.get("loss") != wanted.loss:
        return False
    return not wanted.answerable or bool(row.get("impossible")) == (wanted.answerable == "no")


def _haystack(row: Mapping[str, Any]) -> str:
    parts = [row.get(name) for name in ("id", "question", "prediction", "text", "source")]
    return "\n".join(str(part) for part in [*parts, *_listed(row.get("answers"))] if part).casefold()


def opened(row: Mapping[str, Any]) -> Opened:
    """Return one question as it is shown; what is missing in the row is blank."""
    golds = tuple(dict.fromkeys(str(gold) for gold in _listed(row.get("answers"))))
    prediction, text = str(row.get("prediction") or ""), str(row.get("text") or "")
    timings = row.get("timings") if isinstance(row.get("timings"), Mapping) else {}
    return Opened(
        question=str(row.get("question") or ""),
        golds=golds,
        prediction=prediction,
        whole_text=text if text != prediction else "",
        verdict=verdict_of(row),
        loss=str(row.get("loss") or ""),
        f1=number(row.get("f1")),
        confidence=number(row.get("confidence")),
        seconds=number(row.get("latency_s")),
        timings=tuple((str(k), float(v)) for k, v in (timings or {}).items() if number(v) is not None),
        notes=notes_from_json(_listed(row.get("notes")), _listed(row.get("note_kinds"))),
        passages=tuple(_read(p, golds) for p in _listed(row.get("passages")) if isinstance(p, Mapping)),
        quotes=tuple(_quote(c, golds) for c in _listed(row.get("citations")) if isinstance(c, Mapping)),
    )


def gold_spans(text: str, golds: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Return where gold answers stand in a text, case and the kind of white space aside.

    A gold that stands there as whole words is not looked for inside of words.
    """
    spans: list[tuple[int, int]] = []
    for gold in golds:
        words = [re.escape(word) for word in gold.split()]
        if not words:
            continue
        pattern = r"\s+".join(words)
        whole = [match.span() for match in re.finditer(rf"(?<!\w){pattern}(?!\w)", text, re.IGNORECASE)]
        found = whole or [match.span() for match in re.finditer(pattern, text, re.IGNORECASE)]
        spans += found[:_MOST_SPANS]
    return tuple(sorted(set(spans)))


def _read(passage: Mapping[str, Any], golds: Sequence[str]) -> Read:
    text = str(passage.get("text") or "")
    return Read(
        source=str(passage.get("source") or ""),
        page=_whole(passage.get("page")),
        headings=tuple(str(heading) for heading in _listed(passage.get("headings"))),
        text=text,
        golds=gold_spans(text, golds),
        rank=_whole(passage.get("rank")),
        dense_rank=_whole(passage.get("dense_rank")),
        lexical_rank=_whole(passage.get("lexical_rank")),
        shown=bool(passage.get("shown")),
        relevant=bool(passage.get("relevant")),
    )


def _quote(citation: Mapping[str, Any], golds: Sequence[str]) -> Quote:
    quote = str(citation.get("quote") or "")
    return Quote(str(citation.get("source") or ""), quote, gold_spans(quote, golds))


def _listed(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def number(value: object) -> float | None:
    """Return a number of a record, None for any other value."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
