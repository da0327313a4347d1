"""What a system under test gives back for one question, and how it becomes a row of the run.

A system is any callable from questions to :class:`Prediction`; it fills in what it has. Rows are plain JSON with every
measure of that question beside what it was computed from, so that a figure can be followed down to its questions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from eval.datasets import Question
from eval.errors import EvalError
from eval.losses import Trace, classify
from eval.metrics import Rule, best_over, contains, exact_match, f1, normalise, stands_in
from eval.ranking import ndcg_at_k, recall_at_k, reciprocal_rank

__all__ = ["RECALL_AT", "CitedSpan", "Prediction", "RankedPassage", "row_of"]

RECALL_AT = (1, 5, 10, 20)


@dataclass(frozen=True, slots=True)
class RankedPassage:
    """A passage that was retrieved, ``rank`` from 1; ``shown`` tells whether the reader saw it."""

    id: int
    source: str
    page: int | None
    headings: tuple[str, ...]
    text: str
    score: float
    rank: int
    shown: bool
    dense: float | None = None
    lexical: float | None = None
    dense_rank: int | None = None
    lexical_rank: int | None = None


@dataclass(frozen=True, slots=True)
class CitedSpan:
    """A citation: the quoted span and where it stands in the source's text."""

    source: str
    start: int
    end: int
    quote: str


@dataclass(frozen=True)
class Prediction:
    """An answer and what the evaluation measures of it; only ``text`` is required.

    ``confidence`` lies between 0 and 1. ``ranked_sources`` are the documents found, best first, each once, deeper than
    the passages; None if the system does not retrieve. ``sentences`` and ``supported`` count the answer's sentences.
    ``timings`` are seconds by stage, ``usage`` counts tokens. ``notes`` are English sentences; ``note_kinds`` holds the
    kind and the values of each, for another language.
    """

    text: str
    abstained: bool = False
    confidence: float = 1.0
    passages: tuple[RankedPassage, ...] = ()
    ranked_sources: tuple[str, ...] | None = None
    citations: tuple[CitedSpan, ...] = ()
    sentences: int = 0
    supported: int = 0
    timings: Mapping[str, float] = field(default_factory=dict)
    usage: Mapping[str, int] = field(default_factory=dict)
    trace: Trace | None = None
    notes: Sequence[str] = ()
    note_kinds: Sequence[Mapping[str, Any]] = ()


def row_of(question: Question, prediction: Prediction, *, rule: Rule = "2.0") -> dict[str, Any]:
    """Score one prediction and return its row, by the official script that ``rule`` names.

    Raises :class:`~eval.errors.EvalError` for a number that is none.
    """
    golds = [gold for gold in question.answers if rule == "1.1" or normalise(gold)] or [""]
    scored = "" if prediction.abstained else prediction.text
    impossible = not question.answers
    em = best_over(exact_match, scored, golds)
    best_f1 = best_over(partial(f1, rule=rule), scored, golds)
    holds = best_over(contains, scored, golds)
    timings = {name: round(seconds, 6) for name, seconds in prediction.timings.items()}
    row = {
        "id": question.id,
        "question": question.question,
        "answers": list(question.answers),
        "impossible": impossible,
        "source": question.source,
        "prediction": scored,
        "text": prediction.text,
        "abstained": prediction.abstained,
        "confidence": prediction.confidence,
        "em": em,
        "f1": best_f1,
        "contains": holds,
        "passages": [_passage(passage, question.source) for passage in prediction.passages],
        "retrieval": _retrieval(question, prediction.ranked_sources),
        "loss": classify(
            em=em,
            f1=best_f1,
            contains=holds,
            abstained=prediction.abstained,
            impossible=impossible,
            trace=prediction.trace,
        ),
        "timings": timings,
        "latency_s": round(sum(timings.values()), 6),
        "usage": dict(prediction.usage),
        "notes": list(prediction.notes),
        "note_kinds": [dict(kind) for kind in prediction.note_kinds],
        **_citations(prediction, question.answers),
    }
    for name in ("confidence", "latency_s"):
        if not math.isfinite(row[name]):
            raise EvalError(f"question {question.id}: {name} is {row[name]}", "correct the system under test")
    return row


def _passage(passage: RankedPassage, gold: str | None) -> dict[str, Any]:
    return {**asdict(passage), "headings": list(passage.headings), "relevant": same_source(passage.source, gold)}


def same_source(found: str, gold: str | None) -> bool:
    """Tell whether a found document is the one that a question names, by whole name or by the end of its path."""
    return gold is not None and (found == gold or found.endswith("/" + gold))


def _retrieval(question: Question, sources: Sequence[str] | None) -> dict[str, float] | None:
    if sources is None or question.source is None:
        return None
    named = ("gold" if same_source(source, question.source) else source for source in sources)
    ranked = list(dict.fromkeys(named))  # the end of a path may be that of several documents: the first one counts
    gold = {"gold"}
    measures = {f"recall@{k}": recall_at_k(ranked, gold, k) for k in RECALL_AT}
    return measures | {"mrr": reciprocal_rank(ranked, gold), "ndcg@10": ndcg_at_k(ranked, gold, 10)}


def _citations(prediction: Prediction, golds: Sequence[str]) -> dict[str, Any]:
    """Return the citations, each compared with the golds, and the question's own shares; None where undefined.

    A span contains a gold answer as :func:`~eval.metrics.stands_in` says, and overlaps it if they share a token at all
    (an F1 above 0).
    """
    spans = [
        {
            **asdict(span),
            "contains_gold": any(stands_in(span.quote, gold) for gold in golds),
            "overlaps_gold": any(f1(span.quote, gold) > 0 for gold in golds if normalise(gold)),
        }
        for span in prediction.citations
    ]
    shown = any(passage.shown for passage in prediction.passages)
    answered = shown and not prediction.abstained
    cited = answered and bool(golds)
    return {
        "citations": spans,
        "cited_contains": float(any(s["contains_gold"] for s in spans)) if cited else None,
        "cited_overlaps": float(any(s["overlaps_gold"] for s in spans)) if cited else None,
        "grounded": prediction.supported / prediction.sentences if answered and prediction.sentences else None,
    }
