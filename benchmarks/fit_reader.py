"""Fits how the extractive model's scores become an order, a choice and a confidence, on office documents and on prose.

    python -m benchmarks.fit_reader [--reader FOLDER] [--keep-order] [--write]        # about 8 minutes on 2 cores

``--reader`` holds the model's int8 graph and ``reader.json``, whose weights ``--write`` replaces.
benchmarks/fit_questions.py says which questions are asked. The figures printed for ``dev`` are from ten-fold
cross-validation of the confidence; the last ones are in office.md.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from benchmarks.fit_questions import PAIRS, PART_WEIGHT, SENTENCES, Asked, office_questions, pair_questions
from rag.answering.answerer import AnswererSettings, ExtractingAnswerer, extraction_task
from rag.extractive_qa.engine import SpanEngine, load_engine
from rag.extractive_qa.record import LOWEST, RECORD_FILE, Calibration, Combination, ReaderRecord, Signals
from rag.extractive_qa.windows import Pair
from rag.generation.base import Extraction, ExtractionTask, PassageText
from rag.generation.extractive import SpanExtractor
from rag.retrieval.rerankers import coverages
from rag.retrieval.retriever import Retrieved
from rag.text import one_line
from rag.training.data.pairs import read_pairs
from rag.training.data.unanswerable import Alterer
from rag.training.fit_weights import best_threshold, conditional_logit

SHOWN = 10
GIVEN = 3000  # pairs for the confidence of given passages
OFFICE_WEIGHT = 4.0  # of an office question among the pairs, in order and choice
LONG = ("definition", "procedure", "reason", "list")
Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


def main() -> None:
    """Fit, print and, on demand, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    bundled = Path(__file__).resolve().parents[1] / "rag" / "bundled" / "reader"
    parser.add_argument("--reader", type=Path, default=bundled)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--keep-order", action="store_true", help="fit the confidence only")
    options = parser.parse_args()
    engine = load_engine(str(options.reader))
    with tempfile.TemporaryDirectory() as scratch:
        asked = [*office_questions(Path(scratch)), *pair_questions(Path(scratch))]
    record = fit(engine, asked, keep_order=options.keep_order)
    if options.write:
        record.save(options.reader)
        print(f"written: {options.reader / RECORD_FILE}")


def fit(engine: SpanEngine, asked: Sequence[Asked], *, keep_order: bool) -> ReaderRecord:
    """Return the fitted record, printing what it does on the questions."""
    whole = [each for each in asked if each.weight != PART_WEIGHT]
    combination = engine.record.combination if keep_order else rerank_weights(engine, whole)
    print(f"evidence recall@1, 3, 5, 10 on dev: fused {recall(asked)}", end="")
    asked = [reranked(engine, each, combination) for each in asked]
    print(f", reranked {recall(asked)}")
    if not keep_order:
        whole = [each for each in asked if each.weight != PART_WEIGHT]
        combination = choice_weights(engine, whole, combination)
    record = replace(engine.record, combination=combination)
    record = replace(record, calibration=calibration(engine.with_record(record), asked))
    return replace(record, given=given_calibration(engine.with_record(record)))


def calibration(engine: SpanEngine, asked: Sequence[Asked]) -> Calibration:
    """Fit the confidence of retrieved passages, printing what each threshold does on the office questions."""
    settings = AnswererSettings(min_relevance=-1)
    answers = ExtractingAnswerer(SpanExtractor(engine), settings).answer_batch([each.found for each in asked])
    signals = signals_of(engine, asked)
    used = [n for n, s in enumerate(signals) if s is not None and answers[n].citations]
    right = np.array([asked[n].answerable and asked[n].right(answers[n]) for n in used])
    rows = np.array([features(signals[n], asked[n].found.kind) for n in used])
    counts = np.array([asked[n].weight for n in used])
    office = np.array([asked[n].office for n in used])
    whole = counts == 1.0
    answerable = np.array([asked[n].answerable for n in used])
    chance = cross_validated(rows, right, counts, [asked[n].gold.id for n in used])
    weights = logistic(rows, right, counts)
    print(f"best answer right: {right[whole & answerable].mean():.3f} of the answerable dev questions")
    print(f"weights {dict(zip(NAMES, np.round(weights, 3).tolist(), strict=True))}")
    for name, those in (("of all documents", whole), ("of a part", office & ~whole), ("pairs", ~office)):
        report(name, chance[those], right[those], answerable[those])
    of_pairs = ~office
    pair_chance = 1 / (1 + np.exp(-(rows[of_pairs] @ weights)))
    fitted = dict(zip(NAMES, np.round(weights, 4).tolist(), strict=True))
    long, yes_no = fitted.pop("long"), fitted.pop("yes_no")
    return Calibration(
        margin=0.0,  # is in the reranked score
        **fitted,
        kinds={**dict.fromkeys(LONG, long), "yes_no": yes_no},
        threshold=threshold(chance[whole], right[whole], answerable[whole]),
        strict=best_threshold(pair_chance, right[of_pairs], ~answerable[of_pairs], np.ones(of_pairs.sum())),
        high=max(high(chance[those], right[those]) for those in (whole, office & ~whole, ~office)),
    )


def given_calibration(engine: SpanEngine) -> Calibration:
    """Fit the confidence of passages that are given: pairs with their five sentences, every second one altered."""
    corpus = read_pairs(PAIRS / "sentences.txt", PAIRS / "questions.txt")
    alterer, draw = Alterer(corpus), random.Random(5)
    tasks: list[ExtractionTask] = []
    places: list[range | None] = []
    for n in draw.sample(range(len(corpus.questions)), GIVEN):
        question = corpus.questions[n]
        first = question.sentence - question.sentence % SENTENCES
        text = " ".join(corpus.sentences[first : first + SENTENCES])
        altered = alterer.alter(n, "", text, draw) if len(tasks) % 2 else None
        if len(tasks) % 2 and altered is None:
            continue
        start = text.index(corpus.sentences[question.sentence])
        places.append(None if altered else range(start, start + len(corpus.sentences[question.sentence])))
        tasks.append(ExtractionTask(one_line(altered or question.text), (PassageText(text, "pair", 0, 0.0),)))
    extractions = SpanExtractor(engine).extract(tasks)
    used = [n for n, e in enumerate(extractions) if e.signals is not None]
    right = np.array([_lies_in(extractions[n], places[n]) for n in used])
    hopeless = np.array([places[n] is None for n in used])
    names = ("lead", "margin", "relevance", "coverage", "local")
    rows = np.array([[*given_features(extractions[n].signals), 1.0] for n in used])
    counts = np.ones(len(used))
    weights = penalized_logistic(rows, right, counts, [(0.0, None)] * len(names) + [(None, None)])
    chance = 1 / (1 + np.exp(-(rows @ weights)))
    fitted = dict(zip((*names, "bias"), np.round(weights, 4).tolist(), strict=True))
    likely = np.where(hopeless, 1.0, 4.0)  # a fifth of the questions has no answer
    found = Calibration(
        **fitted,
        threshold=best_threshold(chance, right, hopeless, likely),
        strict=best_threshold(chance, right, hopeless, counts),
    )
    print(
        f"given passages: {fitted}; {hopeless.mean():.2f} of {len(used)} altered; threshold {found.threshold}", end=""
    )
    print(f", strict {found.strict}: {np.where(chance >= found.strict, right, hopeless).mean():.3f} right or refused")
    return found


def _lies_in(extraction: Extraction, place: range | None) -> bool:
    return place is not None and extraction.evidence[0].start in place


def given_features(signals: Signals | None) -> list[float]:
    """Return what a given passage's confidence is computed from."""
    assert signals is not None
    relevance = max(LOWEST, signals.relevance)
    return [signals.lead, signals.margin, relevance, signals.coverage, signals.local]


def rerank_features(engine: SpanEngine, found: Retrieved) -> Float:
    """Return each passage's fused score, relevance, margin and coverage: (passages, 4)."""
    pairs = [Pair(found.question, p.text, p.context) for p in found.passages]
    rows = [
        (p.score, max(LOWEST, r.relevance), r.margin, c)
        for p, r, c in zip(found.passages, engine.read(pairs), coverages(pairs), strict=True)
    ]
    return np.array(rows)


def rerank_weights(engine: SpanEngine, asked: Sequence[Asked]) -> Combination:
    """Fit reranking: which of the candidates hold the evidence."""
    groups = []
    for each in asked:
        if each.found.passages and any(each.holds):
            groups += [(rerank_features(engine, each.found), np.array(each.holds))] * (
                int(OFFICE_WEIGHT) if each.office else 1
            )
    fused, relevance, margin, coverage = np.maximum(conditional_logit(groups), 0.0)
    fused = max(float(fused), 1e-3)
    print(f"reranking, per fused score: relevance {relevance / fused:.3f} margin {margin / fused:.3f}", end=" ")
    print(f"coverage {coverage / fused:.3f}")
    return replace(
        engine.record.combination,
        rerank_relevance=round(float(relevance / fused), 4),
        rerank_margin=round(float(margin / fused), 4),
        rerank_coverage=round(float(coverage / fused), 4),
    )


def reranked(engine: SpanEngine, each: Asked, combination: Combination) -> Asked:
    """Return the question with its ten best passages after reranking."""
    if not each.found.passages:
        return each
    weights = [1.0, combination.rerank_relevance, combination.rerank_margin, combination.rerank_coverage]
    scores = rerank_features(engine, each.found) @ weights
    order = np.argsort(-scores, kind="stable")[:SHOWN]
    passages = tuple(replace(each.found.passages[n], score=float(scores[n])) for n in order)
    return replace(each, found=replace(each.found, passages=passages), holds=tuple(each.holds[n] for n in order))


def recall(asked: Sequence[Asked]) -> str:
    """Return the share of answerable office questions with evidence among the first passages."""
    held = [each.holds for each in asked if each.weight == 1.0 and each.answerable]
    return " ".join(f"{100 * np.mean([any(h[:k]) for h in held]):.1f}" for k in (1, 3, 5, 10))


def choice_weights(engine: SpanEngine, asked: Sequence[Asked], combination: Combination) -> Combination:
    """Fit the choice: the best span of a passage with the evidence, where its sentence holds the answer."""
    flat = replace(combination, margin=1.0, relevance=0.0, retrieval=0.0, coverage=0.0, local=0.0)
    extractor = SpanExtractor(engine.with_record(replace(engine.record, combination=flat)))
    groups = []
    for each in asked:
        if not each.answerable or not each.found.passages:
            continue
        rows, right = [], []
        for n, passage in enumerate(each.found.passages):
            alone = replace(each.found, passages=(passage,))
            answer = ExtractingAnswerer(extractor, AnswererSettings(min_relevance=-1)).answer_batch([alone])[0]
            if answer.citations:
                rows.append((n, passage.score - each.found.passages[0].score))
                right.append(each.holds[n] and each.quotes(answer))
        if any(right):
            x, kept = choice_features(engine, each.found, rows)
            groups += [(x, np.array(right)[kept])] * (int(OFFICE_WEIGHT) if each.office else 1)
    fitted = np.maximum(conditional_logit(groups), 0.0)
    margin, relevance, retrieval, coverage, local = (round(float(weight), 4) for weight in fitted)
    margin = max(margin, LEAST_MARGIN)
    print(f"choice: margin {margin} relevance {relevance} retrieval {retrieval} coverage {coverage} local {local}")
    return replace(
        combination,
        margin=margin,
        relevance=relevance,
        retrieval=retrieval,
        coverage=coverage,
        local=local,
        unfit=UNFIT,
    )


def choice_features(engine: SpanEngine, found: Retrieved, rows: Sequence[tuple[int, float]]) -> tuple[Float, list[int]]:
    """Return margin, relevance, retrieval, coverage and local coverage of passages' best spans, and their rows.

    A span that another passage of the same text holds too, in an overlap, counts there only.
    """
    extractor = SpanExtractor(engine)
    task = extraction_task(found)
    readings = engine.read([Pair(task.question, p.text, p.context) for p in task.passages])
    best: dict[int, Any] = {}
    for candidate in extractor.candidates(task, readings):
        known = best.get(candidate.evidence.passage)
        if known is None or candidate.margin > known.margin:
            best[candidate.evidence.passage] = candidate
    kept = [place for place, (n, _) in enumerate(rows) if n in best]
    features = [
        (best[n].margin, best[n].relevance, behind, best[n].coverage, best[n].local)
        for n, behind in (rows[place] for place in kept)
    ]
    return np.array(features), kept


NAMES = ("passage", "unfit", "row", "long", "yes_no", "bias")
SIGNS = ((0.0, None), (None, 0.0), (None, None), (None, None), (None, None), (None, None))
UNFIT = -2.0  # logits for a span that cannot answer a question of its kind; set by hand: no dev question changes
LEAST_MARGIN = 0.1  # only the margin tells the spans of a sentence apart, which the fit does not see


def features(signals: Signals | None, kind: str) -> list[float]:
    """Return the inputs of the confidence, in the order of ``NAMES``."""
    assert signals is not None and signals.passage is not None
    return [signals.passage, signals.unfit, signals.row, float(kind in LONG), float(kind == "yes_no"), 1.0]


def logistic(x: Float, y: Bool, counts: Float) -> Float:
    """Return the weights of the most likely logistic function, in the order of ``NAMES``."""
    return penalized_logistic(x, y, counts, SIGNS)


def penalized_logistic(x: Float, y: Bool, counts: Float, bounds: Sequence[tuple[float | None, float | None]]) -> Float:
    """Return the weights of the most likely logistic function; the last column of ``x`` is the bias.

    A penalty of .01 times the squared weights of the standardized inputs, per row, keeps few data from deciding much.
    """
    scale = x.std(axis=0)
    scale[scale == 0] = 1.0
    center = x.mean(axis=0)
    center[-1] = 0.0  # the bias stays
    z = (x - center) / scale
    penalized = np.append(np.ones(x.shape[1] - 1), 0.0)

    def loss(weights: Float) -> tuple[float, Float]:
        logits = z @ weights
        chance = 1 / (1 + np.exp(-logits))
        penalty = 0.01 * counts.sum() * penalized
        cost = counts @ (np.logaddexp(0.0, logits) - logits * y)
        return float(cost + penalty @ weights**2), z.T @ (counts * (chance - y)) + 2 * penalty * weights

    best = minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds).x / scale
    best[-1] -= best[:-1] @ center[:-1]
    return np.asarray(best, dtype=np.float64)


def cross_validated(x: Float, y: Bool, counts: Float, ids: Sequence[str]) -> Float:
    """Return the chance of each question from weights that were fitted without the tenth of questions it is in."""
    chance = np.zeros(len(x))
    tenth = {
        name: int(n) % 10
        for name, n in zip(sorted(set(ids)), np.random.default_rng(5).permutation(len(set(ids))), strict=True)
    }
    fold = np.array([tenth[name] for name in ids])
    for n in range(10):
        held = fold == n
        weights = logistic(x[~held], y[~held], counts[~held])
        chance[held] = 1 / (1 + np.exp(-(x[held] @ weights)))
    return chance


def report(name: str, chance: Float, right: Bool, answerable: Bool) -> None:
    """Print what each threshold would do, and the calibration error."""
    bins = np.minimum((chance * 10).astype(int), 9)
    error = sum(
        abs(chance[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean() for b in set(bins.tolist())
    )
    print(f"cross-validated, {name}: {len(chance)} answers, {right.mean():.3f} right, ECE {error:.3f}")
    for t in np.arange(0.2, 0.85, 0.05):
        shown = chance >= t
        print(
            f"  threshold {t:.2f}: right {100 * (right & shown)[answerable].mean():5.1f}"
            f"  wrong shown {100 * (~right & shown)[answerable].mean():5.1f}"
            f"  refused rightly {100 * (~shown)[~answerable].mean():5.1f}"
            f"  right among shown {100 * right[shown].mean() if shown.any() else float('nan'):5.1f}"
        )


MOST_WRONG = 0.08


def threshold(chance: Float, right: Bool, answerable: Bool) -> float:
    """Return the lowest threshold that shows at most 8 % wrong answers to answerable questions."""
    for t in np.round(np.arange(0.1, 0.9, 0.01), 2):
        if (~right & (chance >= t))[answerable].mean() <= MOST_WRONG:
            return float(t)
    return 0.9


def high(chance: Float, right: Bool) -> float:
    """Return the lowest threshold from which at least 92 % were right, with ten answers or more; 1 if there is none."""
    for t in np.round(np.arange(0.5, 1.0, 0.01), 2):
        shown = chance >= t
        if shown.sum() >= 10 and right[shown].mean() >= 0.92:
            return float(t)
    return 1.0


def signals_of(engine: SpanEngine, asked: Sequence[Asked]) -> list[Signals | None]:
    """Return the signals of each question's best answer."""
    return [e.signals for e in SpanExtractor(engine).extract([extraction_task(each.found) for each in asked])]


if __name__ == "__main__":
    main()
