"""The product as a system under test: questions of a dataset to predictions, in one of the evaluation's modes.

* ``gold``: the reader gets the question's own paragraph, whole.
* ``open``: passages are retrieved from an index of all paragraphs (or the user's own).
* ``closed-book``: no passage is shown.

Each is a callable for :func:`eval.run.evaluate`. What is expensive, generation, is remembered between runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from eval.datasets import Dataset, Question
from eval.errors import EvalError
from eval.losses import Trace
from eval.metrics import RECALL_AT, contains_gold
from eval.predictions import CitedSpan, Prediction, RankedPassage, same_source
from rag.answering.answerer import Answerer
from rag.cli.evaluation.locating import located
from rag.config import Config
from rag.embedding.base import Embedder
from rag.errors import PromptRefusedError, PromptTooLongError, RagError
from rag.factory import make_retriever, open_index
from rag.generation.cached import CachedCompleter, CachedExtractor
from rag.ops.serialize import notes_json
from rag.retrieval.retriever import Retrieved
from rag.types import Answer, Note, Passage

__all__ = ["ClosedBook", "Gold", "Open"]

_DOCUMENTS = max(RECALL_AT)  # how many documents the ranking measures look at
_GATED = "nothing relevant"


class Gold:
    """Reads each question's own paragraph."""

    def __init__(self, dataset: Dataset, answerer: Answerer) -> None:
        if not dataset.paragraphs:
            raise EvalError(
                f"{dataset.name} has questions only, and gold mode needs the paragraph of each",
                "use --mode open: its documents are searched in an index",
            )
        self._paragraphs = dataset.paragraphs
        self._answerer = answerer

    def __call__(self, questions: Sequence[Question]) -> list[Prediction]:
        """Answer in one batch."""
        answers = answer_each(self._answerer, [self._found(question) for question in questions])
        return [_prediction(answer, answer.passages) for answer in answers]

    def _found(self, question: Question) -> Retrieved:
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
        return Retrieved(question.question.strip(), (passage,), 1.0, 0)


class ClosedBook:
    """Shows nothing."""

    def __init__(self, answerer: Answerer) -> None:
        self._answerer = answerer

    def __call__(self, questions: Sequence[Question]) -> list[Prediction]:
        """Answer in one batch."""
        found = [Retrieved(question.question.strip(), (), 0.0, 0) for question in questions]
        return [_prediction(answer, ()) for answer in self._answerer.answer_batch(found, closed_book=True)]


class Open:
    """Retrieves, then reads; without a reader it only retrieves."""

    def __init__(self, folder: Path, config: Config, embedder: Embedder, answerer: Answerer | None) -> None:
        self.index = open_index(folder, config, embedder)
        self.embedder = embedder
        self._retriever = make_retriever(self.index, config, embedder)
        self._answerer = answerer
        self._k = config.retrieval.k
        self._candidates = config.retrieval.candidates

    def __call__(self, questions: Sequence[Question]) -> list[Prediction]:
        """Retrieve and answer in one batch each, with the candidates that `rag ask` would take."""
        texts = [question.question.strip() for question in questions]
        depth = max(self._candidates, self._k)
        deep = self._retriever.retrieve_batch(texts, k=max(2 * _DOCUMENTS, self._k), depth=depth)
        ranked = [self._ranked_sources(found, depth) for found in deep]
        top = [replace(found, passages=found.passages[: self._k]) for found in deep]
        if self._answerer is None:
            return [_without_answer(found, sources) for found, sources in zip(top, ranked, strict=True)]
        answers = answer_each(self._answerer, top)
        predictions = []
        for question, answer, found, sources in zip(questions, answers, top, ranked, strict=True):
            trace = self._trace(question, answer, found, depth) if question.answers else None
            predictions.append(replace(_prediction(answer, found.passages), ranked_sources=sources, trace=trace))
        return predictions

    def _ranked_sources(self, found: Retrieved, depth: int) -> tuple[str, ...]:
        """Return the documents in the order of their best chunks: as many as are measured, or all candidates'."""
        sources = _sources(found)
        if len(sources) < _DOCUMENTS:  # a long document may fill the list with its chunks
            sources = _sources(self._retriever.retrieve(found.question, k=2 * depth, depth=depth))
        return sources

    def _trace(self, question: Question, answer: Answer, found: Retrieved, depth: int) -> Trace:
        """Follow the question's gold answer from the store to the prompt.

        A chunk holds the gold if it is of the document that the question names (of any document where it names none)
        and a gold answer stands in it. Where the relevance gate turned the question away nothing was shown, but not
        for want of room: that is an abstention, and not traced further.
        """

        def holds(source: str, text: str) -> bool:
            named = question.source is None or same_source(source, question.source)
            return named and any(contains_gold(text, gold) for gold in question.answers)

        if answer.finish_reason != _GATED and any(_holding(p, holds) for p in _shown(answer)):
            return Trace(True, True, True, True, True)
        if any(_holding(p, holds) for p in found.passages):
            return Trace(True, True, True, True, answer.finish_reason == _GATED)
        wide = self._retriever.retrieve(found.question, k=2 * depth, depth=depth)
        if any(_holding(p, holds) for p in wide.passages):
            return Trace(True, True, True, False, False)
        return self._trace_in_store(holds, question.source)

    def located(self, dataset: Dataset) -> Dataset:
        """Return the questions with the documents of this index that hold their paragraphs, where one does."""
        return located(dataset, self._documents(), self._retriever.reader.store.text)

    def _documents(self) -> list[str]:
        states = self._retriever.reader.store.content_hashes()
        return [source for source, (state, *_) in states.items() if state != "failed"]

    def _trace_in_store(self, holds: Callable[[str, str], bool], named: str | None) -> Trace:
        store = self._retriever.reader.store
        sources = [source for source in self._documents() if named is None or same_source(source, named)]
        holding = [source for source in sources if holds(source, store.text(source))]
        whole = any(holds(row.source, row.text) for source in holding for row in store.chunks_of(source))
        return Trace(bool(holding), whole, False, False, False)

    def close(self) -> None:
        """Let go of the index and of the embedder."""
        self._retriever.reader.close()
        self.embedder.close()


def answer_each(answerer: Answerer, found: Sequence[Retrieved]) -> list[Answer]:
    """Answer in one batch. A question that cannot be asked fails alone, the others are answered.

    The seconds in which a cached generator starts belong to no question and are subtracted.
    """
    generator = answerer.generator
    cached = generator if isinstance(generator, CachedCompleter | CachedExtractor) else None
    started = cached.starting_s if cached else 0.0
    try:
        answers = answerer.answer_batch(found)
    except (PromptTooLongError, PromptRefusedError) as error:
        if len(found) == 1:
            return [_failed(found[0], error)]
        half = len(found) // 2
        return answer_each(answerer, found[:half]) + answer_each(answerer, found[half:])
    return _without_start(answers, cached.starting_s - started if cached else 0.0)


def _without_start(answers: list[Answer], seconds: float) -> list[Answer]:
    """Subtract the start from the first stage that is long enough to contain it."""
    for n, answer in enumerate(answers if seconds > 0 else ()):
        for stage in ("prompt", "generate"):
            if answer.timings.get(stage, 0.0) >= seconds:
                answers[n] = replace(answer, timings={**answer.timings, stage: answer.timings[stage] - seconds})
                return answers
    return answers


def _failed(found: Retrieved, error: RagError) -> Answer:
    return Answer(found.question, "", True, 0.0, notes=(Note(f"failed: {error.message}"),), finish_reason=_GATED)


def _shown(answer: Answer) -> tuple[Passage, ...]:
    return () if _read_nothing(answer) else answer.passages


def _read_nothing(answer: Answer) -> bool:
    return answer.finish_reason in ("no passage fits", _GATED)


def _holding(passage: Passage, holds: Callable[[str, str], bool]) -> bool:
    return any(holds(source, passage.text) for source in _stands_in(passage))


def _stands_in(passage: Passage) -> tuple[str, ...]:
    """Return the documents that a passage stands in: what was folded into it was found too."""
    return (passage.source, *(copy.source for copy in passage.duplicates))


def _sources(found: Retrieved) -> tuple[str, ...]:
    return tuple(dict.fromkeys(source for passage in found.passages for source in _stands_in(passage)))


def _without_answer(found: Retrieved, sources: tuple[str, ...]) -> Prediction:
    passages = _ranked(found.passages, set())
    return Prediction(
        "", True, 0.0, passages=passages, ranked_sources=sources, timings=found.timings, **notes_json(found.notes)
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
        abstained=answer.abstained,
        confidence=answer.confidence,
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
