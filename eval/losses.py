"""Where a question's point was lost: each wrong answer is classed by machine, by the first stage that failed it.

A :class:`Trace` says how far the gold text came: it stands in an ingested document, whole in one chunk, that chunk was
a candidate, was among the passages retrieved, was shown to the reader. Where the caller knows none of this (a
closed-book control) there is no trace, and only the reader can have failed.

It knows nothing of how passages are found. A gold answer that stands in another passage too is not looked for: the
trace follows the passage that the dataset names.
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
    "reader_wrong": "Reader wrong",
    "phrased_differently": "Right, phrased differently",
    "answered_unanswerable": "Should have abstained",
    "abstained_wrongly": "Abstained wrongly",
}

PHRASED_F1 = 0.5  # from this F1 on, or where the answer contains a gold answer, a miss counts as phrasing


@dataclass(frozen=True, slots=True)
class Trace:
    """How far a gold answer came. Each flag implies the ones before it."""

    ingested: bool
    whole: bool
    candidate: bool
    retrieved: bool
    shown: bool


def classify(
    *, em: float, f1: float, contains: float, abstained: bool, impossible: bool, trace: Trace | None
) -> str | None:
    """Return the key in :data:`STAGES` of the stage that lost the point, or None for an exact match."""
    if em == 1.0:
        return None
    if impossible:
        return "answered_unanswerable"
    if not abstained and (f1 >= PHRASED_F1 or contains == 1.0):
        return "phrased_differently"  # right whatever it was shown
    if trace is not None:
        reached = (trace.ingested, trace.whole, trace.candidate, trace.retrieved, trace.shown)
        for stage, passed in zip(STAGES, reached, strict=False):
            if not passed:
                return stage
    return "abstained_wrongly" if abstained else "reader_wrong"


def count_losses(losses: Iterable[str | None]) -> dict[str, int]:
    """Return how many questions each stage lost, every stage named."""
    counted = Counter(losses)
    return {stage: counted[stage] for stage in STAGES}


def em_lost(manifest: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, int, float]]:
    """Return (stage, label, questions, points of EM) for every stage, in the order of the pipeline.

    Wrong answers that no stage claims come last as ``unclassed``, so that the points and the EM add up to 100.
    """
    counts = dict.fromkeys(STAGES, 0)
    given = manifest.get("losses")
    if isinstance(given, Mapping):
        counts |= {str(stage): int(count or 0) for stage, count in given.items()}
    else:
        for row in rows:
            if row.get("loss"):
                counts[str(row["loss"])] = counts.get(str(row["loss"]), 0) + 1
    asked = len(rows) or int((manifest.get("dataset") or {}).get("asked") or 0)
    scores = [row["em"] for row in rows]
    if not asked or (scores and None in scores):
        return []  # nothing was asked, or only retrieval was measured
    wrong = sum(1 for score in scores if score < 1)
    unclassed = wrong - sum(counts.values())
    lost = [(stage, STAGES.get(stage, stage), count, 100 * count / asked) for stage, count in counts.items()]
    if unclassed > 0:
        lost.append(("unclassed", "Not classified", unclassed, 100 * unclassed / asked))
    return lost
