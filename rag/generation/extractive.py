"""The extractive generator: answers are spans of the passages, marked by an encoder, or nothing at all.

It takes prompts that hold a question and its passages as they are. Every span is weighed by its score over "no answer",
its passage's relevance and its passage's retrieval score; equal answers of several places add up; the confidence is
the calibrated chance that the best one is right. It writes nothing, so a stream of it is one piece.

It does not know whether a span answers the question truthfully, only that it looks like an answer to it. It reads what
its encoder reads: the bundled one English, and no arithmetic, no list from several passages, no yes or no.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rag.extractive_qa.engine import Reading, SpanEngine
from rag.extractive_qa.record import MOST_LEAD, is_latin
from rag.generation.base import Completion, Evidence, MarkedStream, Prompt, Sampling, Signals
from rag.text import counted
from rag.types import Note, Usage

__all__ = ["ExtractiveGenerator"]

_SPACE = re.compile(r"\s+")
_AROUND = " .,;:!?\"'“”‘’«»()[]"  # signs that mean something, such as − or €, stay: 5 is not −5


@dataclass(frozen=True, slots=True)
class _Candidate:
    evidence: Evidence
    key: str
    score: float
    margin: float
    relevance: float


class ExtractiveGenerator:
    """Marks answers with a :class:`~rag.extractive_qa.engine.SpanEngine`."""

    name = "extractive"
    context_length = 1_000_000  # passages are read one by one: no number of them is too many

    def __init__(self, engine: SpanEngine) -> None:
        self.engine = engine

    @property
    def threshold(self) -> float:
        """The confidence below which its calibration abstains."""
        return self.engine.record.calibration.threshold

    @property
    def strict(self) -> float:
        """The confidence from which it would answer even where half of the questions have no answer."""
        return self.engine.record.calibration.strict

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count with the encoder's tokenizer, without special tokens."""
        return self.engine.windower.count(texts)

    def count_prompts(self, prompts: Sequence[Prompt]) -> list[int]:
        """Count question and passages once each; windows repeat the question."""
        return [sum(self.count_tokens([p.question, *(s.text for s in p.passages)])) for p in prompts]

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:  # noqa: ARG002 - greedy
        """Answer all prompts; their passages are read together, in batches of like length."""
        started = time.monotonic()
        pairs = [(prompt.question, passage.text) for prompt in prompts for passage in prompt.passages]
        readings = iter(self.engine.read(pairs))
        seconds = time.monotonic() - started
        _, cut = self.engine.windower.shorten([prompt.question for prompt in prompts])
        return [
            self._complete(prompt, [next(readings) for _ in prompt.passages], seconds, n in set(cut))
            for n, prompt in enumerate(prompts)
        ]

    def stream(self, prompt: Prompt, sampling: Sampling) -> MarkedStream:
        """Answer one prompt in one piece."""
        return MarkedStream(self.generate([prompt], sampling)[0])

    def close(self) -> None:
        """Hold nothing, free nothing."""

    def _complete(self, prompt: Prompt, readings: Sequence[Reading], seconds: float, cut: bool) -> Completion:
        most = self.engine.windower.settings.question
        told = f"the reader read the first {counted(most, 'token')} of the question"
        notes = (Note(told, "question_cut_by_reader", {"n": most}),) if cut else ()
        usage = Usage(prompt_tokens=sum(reading.tokens for reading in readings))
        candidates = self._candidates(prompt, readings)
        if self.engine.record.latin_only and not is_latin(prompt.question):
            return Completion("", "unknown script", usage, seconds, notes=notes, confidence=0.0)
        if not candidates:
            return Completion("", "stop", usage, seconds, notes=notes, confidence=0.0)
        ranked = _merge(candidates, self.engine.record.combination.merge)
        best, score = ranked[0]
        lead = min(MOST_LEAD, score - ranked[1][1] if len(ranked) > 1 else math.inf)
        signals = Signals(score, lead, best[0].margin, best[0].relevance)
        confidence = self.engine.record.calibration.confidence(lead, signals.margin, signals.relevance)
        evidence = tuple(candidate.evidence for candidate in best)
        first = evidence[0]
        text = prompt.passages[first.passage].text[first.start : first.end]
        return Completion(text, "stop", usage, seconds, notes, confidence, signals, evidence)

    def _candidates(self, prompt: Prompt, readings: Sequence[Reading]) -> list[_Candidate]:
        """Weigh every span, best first; where an answer was marked twice in one place, the better mark counts alone."""
        top = max((passage.score for passage in prompt.passages), default=0.0)
        combination = self.engine.record.combination
        weighed = []
        for number, (passage, reading) in enumerate(zip(prompt.passages, readings, strict=True)):
            for span in reading.spans:
                key = _SPACE.sub(" ", passage.text[span.start : span.end].casefold()).strip(_AROUND)
                if key:
                    score = combination.score(span.margin, reading.relevance, passage.score - top)
                    place = Evidence(number, span.start, span.end)
                    weighed.append(_Candidate(place, key, score, span.margin, reading.relevance))
        weighed.sort(key=lambda c: (-c.score, c.evidence.passage, c.evidence.start))
        taken: dict[tuple[str, str], list[range]] = {}
        kept = []
        for candidate in weighed:
            passage = prompt.passages[candidate.evidence.passage]
            held = range(passage.start + candidate.evidence.start, passage.start + candidate.evidence.end)
            others = taken.setdefault((passage.source, candidate.key), [])
            if not any(held.start < other.stop and other.start < held.stop for other in others):
                others.append(held)
                kept.append(candidate)
        return kept


def _merge(candidates: Sequence[_Candidate], share: float) -> list[tuple[list[_Candidate], float]]:
    """Return equal answers together, each with the score of all its places, best first."""
    groups: dict[str, list[_Candidate]] = {}
    for candidate in candidates:
        groups.setdefault(candidate.key, []).append(candidate)
    scored = []
    for group in groups.values():
        best = group[0].score
        together = best + math.log(sum(math.exp(c.score - best) for c in group))
        scored.append((group, best + share * (together - best)))
    return sorted(scored, key=lambda item: -item[1])
