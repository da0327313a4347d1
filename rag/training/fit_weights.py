"""From a reader's scores to a choice and a confidence: weights fitted on questions whose answer's sentence is known.

Questions of a corpus are asked of an index of its own passages. Which span is right is told by where it stands: inside
the sentence that is known to hold the answer. Every second question is asked so that there is none, without the
passages around that sentence or with one thing in it exchanged: the confidence learns what no answer looks like.

The choice is a conditional logit (McFadden 1974): the chance of a candidate is the softmax of its weighted features,
and the weights maximise that of the right ones. The confidence is a logistic regression on the best answer's lead over
the next, its margin over "no answer" and its passage's relevance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rag.errors import InputError
from rag.extractive_qa.engine import SpanEngine
from rag.extractive_qa.record import Calibration, Combination, ReaderRecord
from rag.generation.base import Extraction, ExtractionTask, PassageText
from rag.generation.extractive import SpanExtractor
from rag.retrieval.retriever import Retrieved
from rag.text import counted
from rag.types import Passage

__all__ = ["Asked", "conditional_logit", "weigh"]

Float = npt.NDArray[np.float64]
Retrieve = Callable[[Sequence[str]], list[Retrieved]]

_SHOWN = 10
_RERANKED = 20
_ANSWERED = 4.0  # with half of the questions asked without an answer, a fifth of what is fitted on has none


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and the place of the sentence that answers it: a source and characters of its text.

    ``altered`` is the same question with one thing exchanged, so that nothing answers it.
    """

    question: str
    source: str
    start: int
    end: int
    altered: str | None = None

    def meets(self, source: str, start: int, end: int) -> bool:
        """Return whether characters of a source and the sentence have any in common."""
        return source == self.source and start < self.end and self.start < end


def weigh(engine: SpanEngine, asked: Sequence[Asked], retrieve: Retrieve) -> ReaderRecord:
    """Return the reader's record with fitted weights. ``retrieve`` gives at least 20 passages a question, best first.

    Raises :class:`~rag.errors.InputError` where too few answers are among the passages to fit anything.
    """

    def find(questions: Sequence[str]) -> list[Retrieved]:
        return [replace(r, passages=r.passages[:_RERANKED]) for r in retrieve(questions)]

    found = find([a.question for a in asked])
    combination = _rerank_weights(engine, asked, found)
    found = [_reranked(engine, r, combination) for r in found]
    combination = _choice_weights(engine, asked, found, combination)
    record = replace(engine.record, combination=combination)
    generator = SpanExtractor(engine.with_record(record))

    def refind(questions: Sequence[str]) -> list[Retrieved]:
        return [_reranked(engine, r, combination) for r in find(questions)]

    return replace(record, calibration=_calibrate(generator, asked, found, refind))


def conditional_logit(groups: Sequence[tuple[Float, npt.NDArray[np.bool_]]]) -> Float:
    """Return the weights that maximise the chance of the right candidates.

    Each group is (features (candidates, f), right (candidates,)); one without a right candidate tells nothing. A small
    penalty (1e-3 times the squared weights, a group) keeps separable data finite.
    """
    from scipy.optimize import minimize

    told = [(x, right) for x, right in groups if right.any() and not right.all()]
    if len(told) < 20:
        have = counted(len(told), "question has its", "questions have their")
        raise InputError(f"only {have} answer among the passages", "name more questions")
    scale = np.concatenate([x for x, _ in told]).std(axis=0) + 1e-9

    def loss(weights: Float) -> tuple[float, Float]:
        total, slope = 0.0, np.zeros_like(weights)
        for x, right in told:
            z = (x / scale) @ weights
            every = np.exp(z - z.max())
            p_all = every / every.sum()
            p_right = every * right / every[right].sum()
            total -= np.log(every[right].sum() / every.sum())
            slope += (x / scale).T @ (p_all - p_right)
        penalty = 1e-3 * len(told)
        return total + penalty * float(weights @ weights), slope + 2 * penalty * weights

    best = minimize(loss, np.full(scale.shape, 0.5), jac=True, method="L-BFGS-B")
    return np.asarray(best.x / scale, dtype=np.float64)


def _rerank_weights(engine: SpanEngine, asked: Sequence[Asked], found: Sequence[Retrieved]) -> Combination:
    groups = []
    for question, result in zip(asked, found, strict=True):
        if not result.passages:
            continue
        readings = engine.read([(_one_line(question.question), p.text) for p in result.passages])
        features = [
            (p.score, max(-30.0, r.relevance), r.spans[0].margin if r.spans else -30.0)
            for p, r in zip(result.passages, readings, strict=True)
        ]
        right = [question.meets(p.source, p.start, p.end) for p in result.passages]
        groups.append((np.array(features), np.array(right)))
    fused, relevance, margin = conditional_logit(groups)
    fused = max(fused, 1e-3)
    return replace(
        engine.record.combination,
        rerank_relevance=round(max(0.0, float(relevance / fused)), 4),
        rerank_margin=round(max(0.0, float(margin / fused)), 4),
    )


def _reranked(engine: SpanEngine, found: Retrieved, combination: Combination) -> Retrieved:
    readings = engine.read([(_one_line(found.question), p.text) for p in found.passages])
    scores = [
        p.score
        + combination.rerank_relevance * max(-30.0, r.relevance)
        + combination.rerank_margin * (r.spans[0].margin if r.spans else -30.0)
        for p, r in zip(found.passages, readings, strict=True)
    ]
    order = np.argsort(-np.array(scores), kind="stable")[:_SHOWN]
    return replace(found, passages=tuple(replace(found.passages[n], score=scores[n]) for n in order))


def _choice_weights(
    engine: SpanEngine, asked: Sequence[Asked], found: Sequence[Retrieved], combination: Combination
) -> Combination:
    groups = []
    for question, result in zip(asked, found, strict=True):
        if not result.passages:
            continue
        top = result.passages[0].score
        features, right = [], []
        readings = engine.read([(_one_line(question.question), p.text) for p in result.passages])
        for passage, reading in zip(result.passages, readings, strict=True):
            for span in reading.spans[:1]:
                features.append((span.margin, reading.relevance, passage.score - top))
                begin = passage.start + span.start
                right.append(question.meets(passage.source, begin, begin + 1))
        if features:
            groups.append((np.array(features), np.array(right)))
    margin, relevance, retrieval = np.maximum(conditional_logit(groups), 0.0)
    return replace(
        combination,
        margin=round(float(margin), 4),
        relevance=round(float(relevance), 4),
        retrieval=round(float(retrieval), 4),
    )


def _calibrate(
    generator: SpanExtractor,
    asked: Sequence[Asked],
    found: Sequence[Retrieved],
    refind: Callable[[Sequence[str]], list[Retrieved]],
) -> Calibration:
    """Fit on every second question as it is, and on the others without an answer: a quarter each of two kinds.

    Of the questions that people ask fewer than half have no answer: those that have one count :data:`_ANSWERED` times.
    """
    near = [n for n, question in enumerate(asked) if n % 4 == 3 and question.altered]
    other = dict(zip(near, refind([str(asked[n].altered) for n in near]), strict=True))
    tasks, shown = [], []
    for n, (question, result) in enumerate(zip(asked, found, strict=True)):
        told = other.get(n, result)
        passages = told.passages
        if n % 2 and n not in other:  # without what answers it
            passages = tuple(p for p in passages if p.source != question.source)
        texts = tuple(PassageText(p.text, p.source, p.start, p.score) for p in passages)
        tasks.append(ExtractionTask(_one_line(told.question), texts))
        shown.append(passages)
    extractions = generator.extract(tasks)
    rows = [
        (
            (c.signals.lead, c.signals.margin, max(-30.0, c.signals.relevance)),
            not n % 2 and _is_right(c, question, passages),
            bool(n % 2),
        )
        for n, (c, question, passages) in enumerate(zip(extractions, asked, shown, strict=True))
        if c.signals is not None
    ]
    x, y = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    hopeless = np.array([row[2] for row in rows])
    if y.all() or not y.any():
        raise InputError("the reader is right about all questions, or about none", "name other questions")
    counts = np.where(hopeless, 1.0, _ANSWERED)
    *weights, bias = logistic(x, y, counts)
    lead, margin, relevance = (round(weight, 4) for weight in weights)
    calibration = Calibration(lead=lead, margin=margin, relevance=relevance, bias=round(bias, 4))
    confidences = np.array([calibration.confidence(*row) for row in x])
    return replace(
        calibration,
        threshold=_threshold(confidences, y, hopeless, counts),
        strict=_threshold(confidences, y, hopeless, np.ones(len(x))),
    )


def logistic(x: Float, y: npt.NDArray[np.bool_], counts: Float) -> list[float]:
    """Return the weights (f) and the bias of the likeliest logistic function that falls with none of its inputs.

    Row ``i`` counts ``counts[i]`` times. A small penalty (1e-3 times the squared weights of the standardised inputs, a
    row) keeps separable data finite.
    """
    from scipy.optimize import minimize

    centre, scale = x.mean(axis=0), x.std(axis=0) + 1e-9
    z = np.column_stack([(x - centre) / scale, np.ones(len(x))])

    def loss(weights: Float) -> tuple[float, Float]:
        told = z @ weights
        chance = 1 / (1 + np.exp(-told))
        pulled = np.append(weights[:-1], 0.0)
        cost = counts @ (np.logaddexp(0.0, told) - told * y)
        penalty = 1e-3 * counts.sum()
        return float(cost + penalty * pulled @ pulled), z.T @ (counts * (chance - y)) + 2 * penalty * pulled

    bounds = [(0.0, None)] * x.shape[1] + [(None, None)]
    best = minimize(loss, np.zeros(z.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds).x
    weights = best[:-1] / scale
    return [*map(float, weights), float(best[-1] - weights @ centre)]


def _threshold(
    confidences: Float, right: npt.NDArray[np.bool_], hopeless: npt.NDArray[np.bool_], counts: Float
) -> float:
    """Return the threshold that does best: right answers given, and nothing said where there was no answer.

    Of several that do equally well the lowest, to two digits.
    """
    tried = np.round(np.arange(0.0, 0.96, 0.01), 2)
    gained = [float(counts @ np.where(confidences >= t, right, hopeless)) for t in tried]
    return float(tried[int(np.argmax(gained))])


def _is_right(completion: Extraction, question: Asked, passages: Sequence[Passage]) -> bool:
    first = completion.evidence[0]
    passage = passages[first.passage]
    begin = passage.start + first.start
    return question.meets(passage.source, begin, begin + 1)


def _one_line(text: str) -> str:
    return " ".join(text.split())
