"""The product as a system to evaluate: from the questions of a dataset to predictions, in one of three modes.

* ``gold``: the generator gets the whole paragraph of the question.
* ``open``: passages are retrieved from an index of all paragraphs (or the user's own).
* ``closed-book``: no passage is shown.

Each is a callable for :func:`eval.evaluator.evaluate`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from eval.datasets import Dataset, Paragraph, Question
from eval.errors import EvalError
from eval.losses import Trace
from eval.metrics import RECALL_AT
from eval.predictions import CitedSpan, Prediction, RankedPassage, same_source
from eval.text_metrics import contains_gold
from eval.verdicts import holds_answer
from rag.answering.answerer import Answerer
from rag.answering.query_rewriting import Turn, rewrite
from rag.cli.evaluation.locating import located
from rag.errors import PromptRefusedError, PromptTooLongError, RagError
from rag.generation.base import Completer, Extractor
from rag.generation.cached import CachedCompleter
from rag.knowledge_base import KnowledgeBase
from rag.ops.serialize import notes_json
from rag.retrieval.retriever import Retrieved, Retriever
from rag.types import Answer, Note, Passage

__all__ = ["Direct", "Meter", "Open", "System"]

_DOCUMENTS = max(RECALL_AT)  # documents that the ranking metrics look at
_GATED = "nothing relevant"


class Meter:
    """What a cached completer has done since the meter was made: ``made`` completions, ``starting_s`` to start."""

    def __init__(self, generator: Completer | Extractor | None) -> None:
        self._completer = generator if isinstance(generator, CachedCompleter) else None
        self._made, self._starting_s = 0, 0.0
        self._made, self._starting_s = self.made, self.starting_s

    @property
    def made(self) -> int:
        """The completions that were not in the cache."""
        return self._completer.made - self._made if self._completer else 0

    @property
    def starting_s(self) -> float:
        """The seconds that the engine took to start. They belong to no question."""
        return self._completer.starting_s - self._starting_s if self._completer else 0.0


class Direct:
    """Answers without retrieval: from the paragraph of each question, or from nothing if there are no paragraphs."""

    def __init__(self, answerer: Answerer, meter: Meter, paragraphs: Sequence[Paragraph] | None) -> None:
        self._answerer = answerer
        self._meter = meter
        self._paragraphs = paragraphs

    def __call__(self, questions: Sequence[Question]) -> list[Prediction]:
        """Answer in one batch."""
        retrieved = [self._retrieved(question) for question in questions]
        answers = answer_each(self._answerer, retrieved, self._meter, closed_book=self._paragraphs is None)
        return [_prediction(answer, answer.passages) for answer in answers]

    def _retrieved(self, question: Question) -> Retrieved:
        text = question.question.strip()
        if self._paragraphs is None:
            return Retrieved(text, (), 0.0, 0)
        if question.paragraph is None:
            raise EvalError(f"question {question.id} has no paragraph", "use --mode open")
        paragraph = self._paragraphs[question.paragraph]
        passage = Passage(
            id=question.paragraph,
            source=paragraph.source,
            title=paragraph.title,
            page=None,
            headings=(),
            start=0,
            end=len(paragraph.text),
            text=paragraph.text,
            score=1.0,
        )
        return Retrieved(text, (passage,), 1.0, 0)


class Open:
    """Retrieves passages from a knowledge base and answers from them, or only retrieves."""

    def __init__(self, knowledge_base: KnowledgeBase, meter: Meter, *, answers: bool = True) -> None:
        self._knowledge_base = knowledge_base
        self._answers = answers
        self._meter = meter
        self._k = knowledge_base.config.config.retrieval.k
        self._candidates = knowledge_base.config.config.retrieval.candidates

    @property
    def retriever(self) -> Retriever:
        """The knowledge base's retriever."""
        return self._knowledge_base.retriever

    def __call__(self, questions: Sequence[Question]) -> list[Prediction]:
        """Retrieve and answer in one batch each, from the same candidates as `rag ask`."""
        texts = [self._understood(question) for question in questions]
        depth = max(self._candidates, self._k)
        deep = self.retriever.retrieve_batch(texts, k=max(2 * _DOCUMENTS, self._k), depth=depth)
        ranked = [self._ranked_sources(retrieved, depth) for retrieved in deep]
        top = [replace(retrieved, passages=retrieved.passages[: self._k]) for retrieved in deep]
        if not self._answers:
            return [_without_answer(retrieved, sources) for retrieved, sources in zip(top, ranked, strict=True)]
        top = self._knowledge_base.with_kinds(top)
        answers = answer_each(self._knowledge_base.answerer, top, self._meter)
        predictions = []
        for question, answer, retrieved, sources in zip(questions, answers, top, ranked, strict=True):
            trace = self._trace(question, answer, retrieved, depth) if question.answers else None
            prediction = _prediction(answer, retrieved.passages)
            predictions.append(replace(prediction, ranked_sources=sources, trace=trace))
        return predictions

    def _understood(self, question: Question) -> str:
        """Return the question, completed from its earlier turns as a chat does. Retrieval alone asks no generator."""
        if question.history and self._answers:
            return self._knowledge_base.understand(question.question, question.history).question
        return rewrite(question.question.strip(), [Turn(*turn) for turn in question.history]).question

    @property
    def embedder_fingerprint(self) -> str:
        """The fingerprint of the knowledge base's embedder."""
        return self._knowledge_base.models.embedder(self._knowledge_base.config.config).fingerprint

    def describe_index(self) -> dict[str, int]:
        """Return the generation and counts of the index, for the manifest."""
        store = self.retriever.reader.store
        return {"generation": store.head()[0], **store.counts()}

    def _ranked_sources(self, retrieved: Retrieved, depth: int) -> tuple[str, ...]:
        """Return the documents in the order of their best chunks, as many as the metrics need and there are."""
        sources = _sources(retrieved)
        if len(sources) < _DOCUMENTS:  # a long document can fill the list with its chunks
            sources = _sources(self.retriever.retrieve(retrieved.question, k=2 * depth, depth=depth))
        return sources

    def _trace(self, question: Question, answer: Answer, retrieved: Retrieved, depth: int) -> Trace:
        """Follow the question's gold answer from the store to the prompt.

        A chunk has the gold answer if it belongs to the document that the question names (any document if it names
        none) and contains a gold answer. A question that the relevance gate rejected is an abstention and not traced
        further: its passages were not left out for lack of room.
        """

        def holds(source: str, text: str) -> bool:
            named = question.source is None or same_source(source, question.source)
            held = any(contains_gold(text, gold) for gold in question.answers)
            return named and (held or bool(question.parts and holds_answer(text, (), question.parts)))

        if answer.finish_reason != _GATED and any(_holding(p, holds) for p in _shown(answer)):
            return Trace(True, True, True, True, True)
        if any(_holding(p, holds) for p in retrieved.passages):
            return Trace(True, True, True, True, answer.finish_reason == _GATED)
        wide = self.retriever.retrieve(retrieved.question, k=2 * depth, depth=depth)
        if any(_holding(p, holds) for p in wide.passages):
            return Trace(True, True, True, False, False)
        return self._trace_in_store(holds, question.source)

    def located(self, dataset: Dataset) -> Dataset:
        """Return the questions with the documents of this index that contain their paragraphs."""
        return located(dataset, self._documents(), self.retriever.reader.store.text)

    def _documents(self) -> list[str]:
        states = self.retriever.reader.store.content_hashes()
        return [source for source, (state, *_) in states.items() if state != "failed"]

    def _trace_in_store(self, holds: Callable[[str, str], bool], named: str | None) -> Trace:
        store = self.retriever.reader.store
        sources = [source for source in self._documents() if named is None or same_source(source, named)]
        holding = [source for source in sources if holds(source, store.text(source))]
        whole = any(holds(row.source, row.text) for source in holding for row in store.chunks_of(source))
        return Trace(bool(holding), whole, False, False, False)


System = Direct | Open


def answer_each(
    answerer: Answerer, retrieved: Sequence[Retrieved], meter: Meter, *, closed_book: bool = False
) -> list[Answer]:
    """Answer in one batch. A question that cannot be asked fails alone; the others are answered.

    The seconds in which a generator starts are subtracted from the timings.
    """
    started = meter.starting_s
    try:
        answers = answerer.answer_batch(retrieved, closed_book=closed_book)
    except (PromptTooLongError, PromptRefusedError) as error:
        if len(retrieved) == 1:
            return [_failed(retrieved[0], error)]
        half = len(retrieved) // 2
        parts = (retrieved[:half], retrieved[half:])
        return [answer for part in parts for answer in answer_each(answerer, part, meter, closed_book=closed_book)]
    return _without_start(answers, meter.starting_s - started)


def _without_start(answers: list[Answer], seconds: float) -> list[Answer]:
    """Subtract the start from the first stage that is long enough to include it."""
    for n, answer in enumerate(answers if seconds > 0 else ()):
        for stage in ("prompt", "generate"):
            if answer.timings.get(stage, 0.0) >= seconds:
                answers[n] = replace(answer, timings={**answer.timings, stage: answer.timings[stage] - seconds})
                return answers
    return answers


def _failed(retrieved: Retrieved, error: RagError) -> Answer:
    return Answer(retrieved.question, "", True, 0.0, notes=(Note(f"failed: {error.message}"),), finish_reason=_GATED)


def _shown(answer: Answer) -> tuple[Passage, ...]:
    return () if _read_nothing(answer) else answer.passages


def _read_nothing(answer: Answer) -> bool:
    return answer.finish_reason in ("no passage fits", _GATED)


def _holding(passage: Passage, holds: Callable[[str, str], bool]) -> bool:
    return any(holds(source, passage.text) for source in _documents_of(passage))


def _documents_of(passage: Passage) -> tuple[str, ...]:
    """Return the documents that contain a passage, also those of its duplicates."""
    return (passage.source, *(copy.source for copy in passage.duplicates))


def _sources(retrieved: Retrieved) -> tuple[str, ...]:
    return tuple(dict.fromkeys(source for passage in retrieved.passages for source in _documents_of(passage)))


def _without_answer(retrieved: Retrieved, sources: tuple[str, ...]) -> Prediction:
    passages = _ranked(retrieved.passages, set())
    return Prediction(
        "",
        True,
        0.0,
        passages=passages,
        ranked_sources=sources,
        timings=retrieved.timings,
        **notes_json(retrieved.notes),
    )


def _prediction(answer: Answer, passages: Sequence[Passage]) -> Prediction:
    shown = set() if _read_nothing(answer) else {passage.id for passage in answer.passages}
    usage: dict[str, Any] = {
        "prompt_tokens": answer.usage.prompt_tokens,
        "completion_tokens": answer.usage.completion_tokens,
        "cached_tokens": answer.usage.cached_tokens,
    }
    return Prediction(
        text=answer.text,
        short=answer.short,
        abstained=answer.abstained,
        confidence=answer.confidence,
        band=answer.band,
        passages=_ranked(passages, shown),
        citations=tuple(CitedSpan(c.passage.source, c.start, c.end, c.quote) for c in answer.citations),
        sentences=len(answer.sentences),
        supported=sum(sentence.supported for sentence in answer.sentences),
        timings=dict(answer.timings),
        usage=usage,
        **notes_json([*answer.notes, *([_abstention(answer.finish_reason)] if answer.abstained else [])]),
    )


def _abstention(why: str) -> Note:
    return Note(f"abstained: {why}", "abstained", {"why": why})


def _ranked(passages: Sequence[Passage], shown: set[int]) -> tuple[RankedPassage, ...]:
    return tuple(
        RankedPassage(
            id=p.id,
            source=p.source,
            page=p.page,
            headings=p.headings,
            text=p.text,
            score=p.score,
            rank=rank,
            shown=p.id in shown,
            dense=p.dense,
            lexical=p.lexical,
            dense_rank=p.dense_rank,
            lexical_rank=p.lexical_rank,
        )
        for rank, p in enumerate(passages, start=1)
    )
