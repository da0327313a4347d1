"""Fits a reader's weights and confidence on questions whose answer's sentence is known.

Questions of a corpus are asked of an index of its own passages. A span is right if it is inside the sentence that
contains the answer. Every second question is made unanswerable: its passages with that sentence are removed, or one
thing in the question is changed. So the confidence learns what no answer looks like.

The choice of a span is a conditional logit (McFadden 1974): the probability of a candidate is the softmax of its
weighted features, and the weights maximize that of the right ones. The confidence is a logistic regression on the best
answer's lead over the next, its margin over "no answer" and its passage's relevance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rag.errors import InputError
from rag.extractive_qa.engine import Reading, SpanEngine
from rag.extractive_qa.record import LOWEST, Calibration, Combination, ReaderRecord
from rag.extractive_qa.windows import Pair
from rag.generation.base import Extraction, ExtractionTask, PassageText
from rag.generation.extractive import SpanExtractor
from rag.retrieval.retriever import Retrieved
from rag.text import counted, one_line
from rag.types import Passage

__all__ = ["KnownQuestion", "best_threshold", "conditional_logit", "fit_weights"]

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
Retrieve = Callable[[Sequence[str]], list[Retrieved]]

_SHOWN = 10
_RERANKED = 20
# Fewer than half of the questions that people ask have no answer. With this weight for answerable ones, a fifth has.
_ANSWERABLE_WEIGHT = 4.0


@dataclass(frozen=True, slots=True)
class KnownQuestion:
    """A question and the place of the sentence that answers it: a source and characters of its text.

    ``altered`` is the question with one thing changed, so that it has no answer.
    """

    question: str
    source: str
    start: int
    end: int
    altered: str | None = None

    def overlaps(self, passage: Passage, start: int, end: int) -> bool:
        """Return whether characters of a passage's source overlap with the sentence."""
        return passage.source == self.source and start < self.end and self.start < end

    def is_in(self, passage: Passage, offset: int) -> bool:
        """Return whether a character of the passage is in the sentence."""
        return self.overlaps(passage, passage.start + offset, passage.start + offset + 1)


def fit_weights(engine: SpanEngine, questions: Sequence[KnownQuestion], retrieve: Retrieve) -> ReaderRecord:
    """Return the reader's record with fitted weights. ``retrieve`` returns at least 20 passages per question.

    Raises :class:`~rag.errors.InputError` if too few answers are among the passages.
    """

    def find(texts: Sequence[str]) -> list[Retrieved]:
        return [replace(r, passages=r.passages[:_RERANKED]) for r in retrieve(texts)]

    found = find([question.question for question in questions])
    combination = _rerank_weights(engine, questions, found)
    found = [_reranked(engine, result, combination) for result in found]
    combination = _choice_weights(engine, questions, found, combination)
    record = replace(engine.record, combination=combination)

    def find_and_rerank(texts: Sequence[str]) -> list[Retrieved]:
        return [_reranked(engine, result, combination) for result in find(texts)]

    shown = _shown(questions, found, find_and_rerank)
    tasks = [
        ExtractionTask(
            one_line(result.question),
            # Its confidence does not use retrieval scores, so that it holds for given passages as well.
            tuple(PassageText(p.text, p.source, p.start, p.score, p.context) for p in result.passages),
        )
        for result in shown
    ]
    extractions = SpanExtractor(engine.with_record(record)).extract(tasks)
    return replace(record, calibration=_calibrate(questions, shown, extractions))


def conditional_logit(groups: Sequence[tuple[Float, Bool]]) -> Float:
    """Return the weights that maximize the probability of the right candidates.

    Each group is (features (candidates, f), right (candidates,)); one without a right candidate is ignored. A small
    penalty (1e-3 times the squared weights, per group) keeps separable data finite.
    """
    from scipy.optimize import minimize

    decided = [(x, right) for x, right in groups if right.any() and not right.all()]
    if len(decided) < 20:
        have = counted(len(decided), "question has its", "questions have their")
        raise InputError(f"only {have} answer among the passages", "name more questions")
    scale = np.concatenate([x for x, _ in decided]).std(axis=0) + 1e-9

    def loss(weights: Float) -> tuple[float, Float]:
        total, slope = 0.0, np.zeros_like(weights)
        for x, right in decided:
            z = (x / scale) @ weights
            every = np.exp(z - z.max())
            p_all = every / every.sum()
            p_right = every * right / every[right].sum()
            total -= np.log(every[right].sum() / every.sum())
            slope += (x / scale).T @ (p_all - p_right)
        penalty = 1e-3 * len(decided)
        return total + penalty * float(weights @ weights), slope + 2 * penalty * weights

    best = minimize(loss, np.full(scale.shape, 0.5), jac=True, method="L-BFGS-B")
    return np.asarray(best.x / scale, dtype=np.float64)


def _readings(engine: SpanEngine, found: Retrieved) -> list[Reading]:
    return engine.read([Pair(one_line(found.question), p.text, p.context) for p in found.passages])


def _rerank_features(engine: SpanEngine, found: Retrieved) -> Float:
    """Return each passage's fused score, relevance and margin: (passages, 3)."""
    rows = [
        (p.score, max(LOWEST, r.relevance), r.margin)
        for p, r in zip(found.passages, _readings(engine, found), strict=True)
    ]
    return np.array(rows)


def _rerank_weights(engine: SpanEngine, questions: Sequence[KnownQuestion], found: Sequence[Retrieved]) -> Combination:
    groups = [
        (
            _rerank_features(engine, result),
            np.array([question.overlaps(p, p.start, p.end) for p in result.passages]),
        )
        for question, result in zip(questions, found, strict=True)
        if result.passages
    ]
    fused, relevance, margin = conditional_logit(groups)
    fused = max(fused, 1e-3)
    return replace(
        engine.record.combination,
        rerank_relevance=round(max(0.0, float(relevance / fused)), 4),
        rerank_margin=round(max(0.0, float(margin / fused)), 4),
    )


def _reranked(engine: SpanEngine, found: Retrieved, combination: Combination) -> Retrieved:
    if not found.passages:
        return found
    scores = _rerank_features(engine, found) @ [1.0, combination.rerank_relevance, combination.rerank_margin]
    order = np.argsort(-scores, kind="stable")[:_SHOWN]
    return replace(found, passages=tuple(replace(found.passages[n], score=float(scores[n])) for n in order))


def _choice_weights(
    engine: SpanEngine, questions: Sequence[KnownQuestion], found: Sequence[Retrieved], combination: Combination
) -> Combination:
    groups = []
    for question, result in zip(questions, found, strict=True):
        features, right = [], []
        for passage, reading in zip(result.passages, _readings(engine, result), strict=True):
            for span in reading.spans[:1]:
                features.append((span.margin, reading.relevance, passage.score - result.passages[0].score))
                right.append(question.is_in(passage, span.start))
        if features:
            groups.append((np.array(features), np.array(right)))
    margin, relevance, retrieval = (round(float(weight), 4) for weight in np.maximum(conditional_logit(groups), 0.0))
    return replace(combination, margin=margin, relevance=relevance, retrieval=retrieval)


def _shown(questions: Sequence[KnownQuestion], found: Sequence[Retrieved], retrieve: Retrieve) -> list[Retrieved]:
    """Return what is asked and shown: every second question as it is, and the others without an answer.

    Every fourth is altered where possible; the rest of the others lose the passages of the source that answers them.
    """
    altered = [n for n, question in enumerate(questions) if n % 4 == 3 and question.altered]
    replaced = dict(zip(altered, retrieve([str(questions[n].altered) for n in altered]), strict=True))
    shown = []
    for n, (question, result) in enumerate(zip(questions, found, strict=True)):
        result = replaced.get(n, result)
        if n % 2 and n not in replaced:
            result = replace(result, passages=tuple(p for p in result.passages if p.source != question.source))
        shown.append(result)
    return shown


def _calibrate(
    questions: Sequence[KnownQuestion], shown: Sequence[Retrieved], extractions: Sequence[Extraction]
) -> Calibration:
    """Fit the confidence and both thresholds; questions with an odd number have no answer."""
    answered = [n for n, extraction in enumerate(extractions) if extraction.signals is not None]
    signals = [extraction.signals for extraction in extractions if extraction.signals is not None]
    x = np.array([(s.lead, s.margin, max(LOWEST, s.relevance)) for s in signals])
    unanswerable = np.array(answered) % 2 == 1
    right = np.array([n % 2 == 0 and _is_right(extractions[n], questions[n], shown[n].passages) for n in answered])
    if right.all() or not right.any():
        raise InputError("the reader is right about all questions, or about none", "name other questions")
    counts = np.where(unanswerable, 1.0, _ANSWERABLE_WEIGHT)
    lead, margin, relevance, bias = (round(weight, 4) for weight in logistic(x, right, counts))
    calibration = Calibration(lead=lead, margin=margin, relevance=relevance, bias=bias)
    confidences = np.array([calibration.confidence(found) for found in signals])
    return replace(
        calibration,
        threshold=best_threshold(confidences, right, unanswerable, counts),
        strict=best_threshold(confidences, right, unanswerable, np.ones(len(x))),
    )


def _is_right(extraction: Extraction, question: KnownQuestion, passages: Sequence[Passage]) -> bool:
    first = extraction.evidence[0]
    return question.is_in(passages[first.passage], first.start)


def logistic(x: Float, y: Bool, counts: Float) -> list[float]:
    """Return the weights (f) and the bias of the most likely logistic function that decreases with no input.

    Row ``i`` counts ``counts[i]`` times. A small penalty (1e-3 times the squared weights of the standardized inputs,
    per row) keeps separable data finite.
    """
    from scipy.optimize import minimize

    center, scale = x.mean(axis=0), x.std(axis=0) + 1e-9
    z = np.column_stack([(x - center) / scale, np.ones(len(x))])

    def loss(weights: Float) -> tuple[float, Float]:
        logits = z @ weights
        chance = 1 / (1 + np.exp(-logits))
        penalized = np.append(weights[:-1], 0.0)
        cost = counts @ (np.logaddexp(0.0, logits) - logits * y)
        penalty = 1e-3 * counts.sum()
        return float(cost + penalty * penalized @ penalized), z.T @ (counts * (chance - y)) + 2 * penalty * penalized

    bounds = [(0.0, None)] * x.shape[1] + [(None, None)]
    best = minimize(loss, np.zeros(z.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds).x
    weights = best[:-1] / scale
    return [*map(float, weights), float(best[-1] - weights @ center)]


def best_threshold(confidences: Float, right: Bool, unanswerable: Bool, counts: Float) -> float:
    """Return the threshold with the most right answers and right refusals; of equal ones the lowest, to two digits."""
    thresholds = np.round(np.arange(0.0, 0.96, 0.01), 2)
    gains = [float(counts @ np.where(confidences >= t, right, unanswerable)) for t in thresholds]
    return float(thresholds[int(np.argmax(gains))])
