"""The extractive generator: answers are spans of the passages, marked by an encoder, or nothing at all.

A span's score combines its score over "no answer", its passage's relevance and retrieval score, and how many of the
question's words are around it. Equal answers in several places add up. The confidence is the calibrated probability
that the best answer is right.

It does not know whether a span answers the question truthfully, only that it looks like an answer. The bundled encoder
reads English; it does no arithmetic. Other modules put together what one span does not hold: lists over table rows
(:mod:`rag.answering.quoting`), answers to questions of parts (:mod:`rag.answering.joining`), and yes or no
(:mod:`rag.evidence.yes_no`).
For a question in a script that the encoder never learned, :mod:`rag.generation.sentence_selector` selects a sentence by
its words.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rag.evidence.coverage import Coverage
from rag.evidence.quotation import in_row, quotation
from rag.extractive_qa.engine import Reading, SpanEngine
from rag.extractive_qa.record import MOST_LEAD, Signals
from rag.extractive_qa.windows import Pair
from rag.generation.base import Evidence, Extraction, ExtractionTask
from rag.generation.sentence_selector import SentenceSelector
from rag.text import counted
from rag.types import Note, Usage

__all__ = ["Candidate", "SpanExtractor", "answers_kind"]

_NUMERALS = frozenset(
    """
    no none nothing free half once twice one two three four five six seven eight nine ten eleven twelve thirteen
    fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred
    thousand million january february march april may june july august september october november december monday
    tuesday wednesday thursday friday saturday sunday noon midnight immediately daily weekly monthly yearly
    """.split()  # noqa: SIM905 - a list literal is laid out one word a line
)
_SPACE = re.compile(r"\s+")
_AROUND = " .,;:!?\"'“”‘’«»()[]"  # signs with a meaning, such as − or €, are chosen: 5 is not −5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A span with its score and what the score is made of (:class:`~rag.extractive_qa.record.Combination`)."""

    evidence: Evidence
    key: str
    score: float
    margin: float
    relevance: float
    coverage: float
    local: float
    unfit: float


class SpanExtractor:
    """Marks answers with a :class:`~rag.extractive_qa.engine.SpanEngine`.

    ``selector`` answers the questions in scripts that the engine's model cannot read.
    """

    name = "extractive"
    alive = True

    def __init__(self, engine: SpanEngine, selector: SentenceSelector | None = None) -> None:
        self.engine = engine
        self.selector = selector or SentenceSelector()

    @property
    def threshold(self) -> float:
        """The confidence below which its calibration abstains."""
        return self.engine.record.calibration.threshold

    @property
    def high_threshold(self) -> float:
        """The confidence from which at least nine of ten answers were right where it was calibrated."""
        return self.engine.record.calibration.high

    def extract(self, tasks: Sequence[ExtractionTask]) -> list[Extraction]:
        """Answer all tasks. The passages of those that can be read are read together, in batches of similar length."""
        started = time.monotonic()
        reads = [self.engine.record.can_read(task.question) for task in tasks]
        readable = [task for task, is_read in zip(tasks, reads, strict=True) if is_read]
        readings = iter(self.engine.read([Pair(t.question, p.text, p.context) for t in readable for p in t.passages]))
        seconds = time.monotonic() - started
        cut = {readable[n].question for n in self.engine.windower.shorten([task.question for task in readable])[1]}
        return [
            self._extract(task, [next(readings) for _ in task.passages], seconds, task.question in cut)
            if is_read
            else self.selector.select(task)
            for task, is_read in zip(tasks, reads, strict=True)
        ]

    def close(self) -> None:
        """Do nothing: the engine is shared by the process."""

    def _extract(self, task: ExtractionTask, readings: Sequence[Reading], seconds: float, cut: bool) -> Extraction:
        notes = (_question_cut(self.engine.windower.settings.question),) if cut else ()
        usage = Usage(prompt_tokens=sum(reading.tokens for reading in readings))
        record = self.engine.record
        candidates = self.candidates(task, readings)
        if not candidates:
            return Extraction("", "stop", usage, 0.0, seconds, notes)
        ranked = _merge(candidates, record.combination.merge)
        best, score = ranked[0]
        first = best[0]
        lead = min(MOST_LEAD, score - ranked[1][1] if len(ranked) > 1 else math.inf)
        passage = task.passages[first.evidence.passage]
        row = float(in_row(passage.text, first.evidence.start, first.evidence.end))
        text = passage.text[first.evidence.start : first.evidence.end]
        reranked = None
        if passage.prominence is not None:
            margin = readings[first.evidence.passage].margin
            reranked = passage.prominence + record.combination.reranking(first.relevance, margin, first.coverage)
        signals = Signals(
            score,
            lead,
            first.margin,
            first.relevance,
            first.coverage,
            first.local,
            row,
            first.unfit,
            reranked,
        )
        confidence = record.confidence(signals, task.kind)
        evidence = tuple(candidate.evidence for candidate in best)
        return Extraction(text, "stop", usage, confidence, seconds, notes, signals, evidence)

    def candidates(self, task: ExtractionTask, readings: Sequence[Reading]) -> list[Candidate]:
        """Return every span with its score, best first. Of overlapping equal spans only the best counts."""
        top = max((passage.score for passage in task.passages), default=0.0)
        covered = Coverage(task.question, [f"{p.context}\n{p.text}" for p in task.passages])
        scored = []
        for number, (passage, reading) in enumerate(zip(task.passages, readings, strict=True)):
            coverage = covered.of_text(number)
            for span in reading.spans:
                key = _SPACE.sub(" ", passage.text[span.start : span.end].casefold()).strip(_AROUND)
                if key:
                    around = quotation(passage.text, span.start, span.end).text
                    unfit = float(not answers_kind(passage.text[span.start : span.end], task.kind))
                    local = covered.of(f"{passage.context}\n{around}")
                    score = self.engine.record.combination.score(
                        span.margin, reading.relevance, passage.score - top, coverage, local, unfit
                    )
                    place = Evidence(number, span.start, span.end)
                    scored.append(Candidate(place, key, score, span.margin, reading.relevance, coverage, local, unfit))
        scored.sort(key=lambda c: (-c.score, c.evidence.passage, c.evidence.start))
        taken: dict[tuple[str, str], list[range]] = {}
        chosen = []
        for candidate in scored:
            passage = task.passages[candidate.evidence.passage]
            held = range(passage.start + candidate.evidence.start, passage.start + candidate.evidence.end)
            others = taken.setdefault((passage.source, candidate.key), [])
            if not any(held.start < other.stop and other.start < held.stop for other in others):
                others.append(held)
                chosen.append(candidate)
        return chosen


def answers_kind(span: str, kind: str) -> bool:
    """Return whether a span can answer a question of a kind: a number needs a numeral, a person a capital letter."""
    if kind in ("number", "date"):
        return any(c.isdigit() for c in span) or not _NUMERALS.isdisjoint(re.findall(r"[^\W\d_]+", span.casefold()))
    if kind == "person":
        return any(c.isupper() for c in span)
    return True


def _question_cut(limit: int) -> Note:
    text = f"the extractive model read only the first {counted(limit, 'token')} of the question"
    return Note(text, "question_cut_by_reader", {"n": limit})


def _merge(candidates: Sequence[Candidate], share: float) -> list[tuple[list[Candidate], float]]:
    """Return equal answers together, each with the score of all its places, best first."""
    groups: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault(candidate.key, []).append(candidate)
    scored = []
    for group in groups.values():
        best = group[0].score
        together = best + math.log(sum(math.exp(c.score - best) for c in group))
        scored.append((group, best + share * (together - best)))
    return sorted(scored, key=lambda item: -item[1])
