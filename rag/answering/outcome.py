"""What an answerer did with one question, and the answer or abstention that it becomes. Both answerers share it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rag.evidence.citations import Cited
from rag.prompt_templates import ABSTENTION
from rag.retrieval.retriever import Retrieved
from rag.types import Answer, Band, Citation, DroppedPassage, Note, Passage, Usage

__all__ = ["AnswererSettings", "Outcome", "is_relevant", "unread", "without_result"]


@dataclass(frozen=True, slots=True)
class AnswererSettings:
    """When to abstain, when a claim counts as found, and the name of the generator in the answer's record.

    ``min_relevance`` is the best cosine below which no generator is asked, ``min_support`` the share of a claim's
    words that its place must hold, ``min_confidence`` the confidence below which an answer becomes an
    abstention. ``abstention`` is the text of an abstention after reading: neither an extractor nor a language model
    knows whether other passages of the documents hold the answer.
    """

    min_relevance: float = 0.3
    min_support: float = 0.5
    min_confidence: float = 0.0
    answered_by: str = ""
    abstention: str = ABSTENTION


def is_relevant(retrieved: Retrieved, settings: AnswererSettings) -> bool:
    """Return whether a generator should read what was retrieved."""
    return bool(retrieved.passages) and retrieved.relevance >= settings.min_relevance


@dataclass(frozen=True)
class Outcome:
    """What a generator did with one question: a result that both answerers finish in the same way."""

    retrieved: Retrieved
    shown: tuple[Passage, ...]
    dropped: tuple[DroppedPassage, ...]
    finish_reason: str
    usage: Usage
    notes: tuple[Note, ...]
    timings: Mapping[str, float]

    def showing(self, citations: Sequence[Citation], notes: Sequence[Note]) -> Outcome:
        """Return the outcome with the notes, and with the passages of citations from elsewhere in the documents."""
        shown = {passage.id for passage in self.shown}
        more = {c.passage.id: c.passage for c in citations if c.passage.id not in shown}
        return replace(self, shown=(*self.shown, *more.values()), notes=(*self.notes, *notes))

    def abstain(self, reason: str, settings: AnswererSettings, *notes: Note) -> Answer:
        """Return an abstention with the nearest passages."""
        return self._answer(settings.abstention, Cited((), (), 0.0), reason, settings, notes, abstained=True)

    def answer(
        self, text: str, cited: Cited, settings: AnswererSettings, band: Band, short: tuple[int, int] = (0, 0)
    ) -> Answer:
        """Return the answer, or an abstention where its confidence is too low. ``short``: (start, end) in the text."""
        # Rounded before it is compared: a threshold is fitted on the confidences that answers show.
        confidence = round(cited.support, 4)
        if self.shown and confidence < settings.min_confidence and self.finish_reason != "abort":
            return self.abstain("low confidence", settings, _low_confidence(confidence, settings.min_confidence))
        answer = self._answer(text, cited, self.finish_reason, settings, (), abstained=False)
        start, end = short
        return replace(answer, short=text[start:end], short_start=start, band=band)

    def _answer(
        self,
        text: str,
        cited: Cited,
        reason: str,
        settings: AnswererSettings,
        notes: Sequence[Note],
        *,
        abstained: bool,
    ) -> Answer:
        return Answer(
            question=self.retrieved.question,
            text=text,
            abstained=abstained,
            confidence=round(cited.support, 4),
            sentences=cited.sentences,
            citations=cited.citations,
            claims=cited.claims,
            passages=self.shown,
            dropped=self.dropped,
            finish_reason=reason,
            notes=(*self.retrieved.notes, *self.notes, *notes),
            usage=self.usage,
            timings=self.timings,
            generation=self.retrieved.generation,
            generator=settings.answered_by,
            kind=self.retrieved.kind,
        )


def _low_confidence(confidence: float, least: float) -> Note:
    text = f"The best answer found has a confidence of {confidence:.2f}, below {least:.2f}."
    return Note(text, "low_confidence", {"confidence": round(confidence, 2), "least": round(least, 2)})


def without_result(
    retrieved: Retrieved,
    settings: AnswererSettings,
    dropped: tuple[DroppedPassage, ...] = (),
    timings: Mapping[str, float] | None = None,
) -> Answer:
    """Return the abstention for a question that no generator was asked."""
    reason = "no passage fits" if dropped else "nothing relevant"
    return unread(retrieved, dropped, timings).abstain(reason, replace(settings, abstention=ABSTENTION))


def unread(
    retrieved: Retrieved, dropped: tuple[DroppedPassage, ...] = (), timings: Mapping[str, float] | None = None
) -> Outcome:
    """Return the outcome of a question that no generator was asked."""
    timings = {**(timings or retrieved.timings), "generate": 0.0}
    return Outcome(retrieved, retrieved.passages, dropped, "", Usage(), (), timings)
