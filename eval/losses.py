"""Find the stage that lost a question: every wrong answer belongs to the first stage that failed it.

A :class:`Trace` records how far the gold text came: it occurs in an ingested document, whole in one chunk, that chunk
was a candidate, was among the retrieved passages, was shown to the generator. Without a trace (a closed-book control,
or a system that does not know) only the answer itself is judged.

The module does not know how passages are found. It does not look for a gold answer in other passages: the trace
follows the source that the dataset names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["PHRASED_F1", "STAGES", "Trace", "classify", "count_losses", "em_lost"]

STAGES: dict[str, str] = {
    "not_ingested": "Gold text not ingested",
    "cut_across_chunks": "Gold text cut across chunks",
    "not_a_candidate": "Not among the candidates",
    "lost_in_fusion": "Lost in fusion or reranking",
    "dropped_by_budget": "Dropped by the prompt's budget",
    "reader_wrong": "Generator wrong",
    "phrased_differently": "Right, phrased differently",
    "answered_unanswerable": "Should have abstained",
    "abstained_wrongly": "Abstained wrongly",
}

PHRASED_F1 = 0.5  # with at least this F1, or if the answer contains a gold answer, a miss counts as phrasing


@dataclass(frozen=True, slots=True)
class Trace:
    """How far a gold answer came through the pipeline. Each flag implies the ones before it."""

    ingested: bool
    whole: bool
    candidate: bool
    retrieved: bool
    shown: bool


def classify(
    *, em: float, f1: float, contains: float, abstained: bool, impossible: bool, trace: Trace | None
) -> str | None:
    """Return the key in :data:`STAGES` of the stage that lost the question, or None for an exact match.

    ``em``, ``f1`` and ``contains`` lie in 0 to 1; ``impossible`` says that the question has no answer.
    """
    if em == 1.0:
        return None
    if impossible:
        return "answered_unanswerable"
    if not abstained and (f1 >= PHRASED_F1 or contains == 1.0):
        return "phrased_differently"  # right, whatever passages it saw
    if trace is not None:
        reached = (trace.ingested, trace.whole, trace.candidate, trace.retrieved, trace.shown)
        for stage, passed in zip(STAGES, reached, strict=False):
            if not passed:
                return stage
    return "abstained_wrongly" if abstained else "reader_wrong"


def count_losses(losses: Iterable[str | None]) -> dict[str, int]:
    """Return the number of questions that each stage of :data:`STAGES` lost."""
    counts = Counter(losses)
    return {stage: counts[stage] for stage in STAGES}


def em_lost(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, int, float]]:
    """Return (stage, label, questions, points of EM) for every stage, in the order of the pipeline.

    Wrong answers without a stage come last as ``unclassed``, so that points and EM add up to 100. Empty if nothing was
    asked or only retrieval was measured.
    """
    scores = [row["em"] for row in rows if row["em"] is not None]
    if not scores:
        return []
    counts = dict.fromkeys(STAGES, 0) | Counter(str(row["loss"]) for row in rows if row.get("loss"))
    unclassed = sum(score < 1 for score in scores) - sum(counts.values())
    if unclassed > 0:
        counts["unclassed"] = unclassed
    labels = {**STAGES, "unclassed": "Not classified"}
    return [(stage, labels.get(stage, stage), count, 100 * count / len(scores)) for stage, count in counts.items()]
