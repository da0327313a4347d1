"""Fit the weights by which sentences are chosen for questions that the extractive model cannot read.

    python -m benchmarks.fit_sentences                                       # about 5 minutes on 2 cores

The signals know no language, so they are fitted on both: the ``dev`` questions of ../shared/data/office that one
sentence or row answers, which are mostly English, and the ``dev`` half of languages/{el,ru,uk,zh}.yaml. Each answerable
question is used a second time without the sentences that answer it. Prints what
:class:`rag.generation.sentence_selector.SentenceWeights` holds.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

import rag
from benchmarks import languages
from benchmarks.office import DATA
from benchmarks.squad import WORK
from eval.verdicts import judge
from rag.evidence.quotation import quotation, whole_quotation
from rag.generation.base import ExtractionTask, PassageText
from rag.generation.sentence_selector import MOST_LEAD, SentenceSignals, SentenceWeights, choices
from rag.types import Answer

LANGUAGES = ("el", "ru", "uk", "zh")
ONE_SENTENCE = frozenset(
    """
    fact number_with_unit date person table_cell russian keyword typo version how_to definition why unanswerable_near
    unanswerable_far
    """.split()  # noqa: SIM905
)
WHOLE = frozenset({"definition", "procedure", "reason", "list"})
WITHOUT_WEIGHT = 0.3  # of a question without the sentences that answer it
RIDGE_ORDER, RIDGE_CHANCE = 0.005, 0.005
SIGNS = (1, 1, 1, 1, 1, -1, -1, 0, 0, 1, 0)  # what each signal, the lead and the bias may only mean; 0 is free

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """The signals of a question's statements (n, 9), which of them answer it, and how much it counts."""

    signals: Array
    right: npt.NDArray[np.bool_]
    weight: float = 1.0

    def without(self) -> Example:
        """Return the question without the statements that answer it."""
        return Example(self.signals[~self.right], self.right[~self.right], WITHOUT_WEIGHT)


def main() -> None:
    """Fit and print."""
    if not DATA.is_dir():
        sys.exit("the office set is needed at ../shared/data/office beside the checkout")
    print(fitted([*language_examples(), *office_examples()]))


def fitted(examples: Sequence[Example]) -> SentenceWeights:
    """Return the weights: first those of the order, then those of the confidence for that order."""
    order = fit_order(examples)
    negatives = [example.without() for example in examples if example.right.any()]
    chance = fit_chance([example for example in (*examples, *negatives) if len(example.right)], order)
    *values, lead, bias = (round(float(value), 2) for value in chance)
    return SentenceWeights(tuple(round(float(value), 2) for value in order), tuple(values), lead, bias)


def fit_order(examples: Sequence[Example], steps: int = 3000) -> Array:
    """Maximize the softmax probability of the right statements, with Adam."""
    known = [e for e in examples if e.right.any()]
    weights = np.array(SentenceWeights().order)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, steps + 1):
        gradient = RIDGE_ORDER * weights
        for example in known:
            scores = example.signals @ weights
            odds = np.exp(scores - scores.max())
            right = odds * example.right
            gradient = gradient + (odds / odds.sum() - right / right.sum()) @ example.signals / len(known)
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        rate = 0.05 if step < steps // 2 else 0.01
        weights = weights - rate * first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.999**step)) + 1e-9)
    return weights


def fit_chance(examples: Sequence[Example], order: Array) -> Array:
    """Return the logistic weights of the best statement's signals, its lead and the bias; a wrong sign becomes 0."""
    rows, right, counts = [], [], []
    for example in examples:
        scores = example.signals @ order
        best, *others = np.argsort(-scores, kind="stable")
        lead = min(MOST_LEAD, scores[best] - scores[others[0]]) if others else MOST_LEAD
        rows.append([*example.signals[best], lead, 1.0])
        right.append(float(example.right[best]))
        counts.append(example.weight)
    kept = np.ones(len(SIGNS))
    while True:
        weights = _logistic(np.array(rows) * kept, np.array(right), np.array(counts)) * kept
        wrong = np.minimum(weights * np.array(SIGNS), 0.0)
        if not wrong.any():
            return weights
        kept[np.argmin(wrong)] = 0.0


def _logistic(rows: Array, right: Array, counts: Array) -> Array:
    ridge = np.eye(rows.shape[1]) * RIDGE_CHANCE * counts.sum()
    ridge[-1, -1] = 1e-6
    weights = np.zeros(rows.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-rows @ weights))
        gradient = rows.T @ (counts * (chance - right)) + ridge @ weights
        weights = weights - np.linalg.solve(
            (rows * (counts * chance * (1 - chance))[:, None]).T @ rows + ridge, gradient
        )
    return weights


def example(answer: Answer, is_right: Callable[[str, str], bool]) -> Example:
    """Return a question's example from its passages. ``is_right`` takes a document and what would be shown of it."""
    passages = tuple(PassageText(p.text, p.source, p.start, p.score, p.context) for p in answer.passages)
    quote = whole_quotation if answer.kind in WHOLE else quotation
    signals, right = [], []
    for choice in choices(ExtractionTask(answer.question, passages, answer.kind), SentenceWeights()):
        passage, statement = passages[choice.passage], choice.statement
        signals.append(astuple(choice.signals))
        right.append(is_right(passage.source, quote(passage.text, statement.start, statement.end).text))
    return Example(
        np.array(signals, dtype=float).reshape(-1, len(fields(SentenceSignals))), np.array(right, dtype=bool)
    )


def answers_language(asked: languages.Asked, source: str, text: str) -> bool:
    """Return whether a text of a document answers a question of a language."""
    return f"/{asked.language}/" in source and languages.states(asked, text)


def answers_office(row: dict[str, Any], source: str, text: str) -> bool:
    """Return whether a text of a document answers a question of the office set."""
    return (
        bool(row["answers"]) and source.endswith(row["source"]) and judge(text, row["answers"], row["parts"]) == "right"
    )


def language_examples() -> list[Example]:
    """Return the ``dev`` questions of the languages."""
    with languages.knowledge([]) as knowledge_base:
        asked = [a for name in LANGUAGES for a in languages.questions(name) if a.half == "dev"]
        answers = knowledge_base.ask_batch([a.question for a in asked])
    return [example(answer, partial(answers_language, a)) for a, answer in zip(asked, answers, strict=True)]


def office_examples() -> list[Example]:
    """Return the ``dev`` questions of the office set that a sentence or row answers."""
    rows = [json.loads(line) for line in (DATA / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    wanted = set(json.loads((DATA / "splits.json").read_text(encoding="utf-8"))["dev"])
    rows = [r for r in rows if r["id"] in wanted and r["kind"] in ONE_SENTENCE and not r["history"]]
    folder = WORK / "office"
    shutil.rmtree(folder, ignore_errors=True)
    with rag.open(folder, config="cpu") as knowledge_base:
        knowledge_base.ingest(DATA / "docs")
        answers = knowledge_base.ask_batch([r["question"] for r in rows])
    return [example(answer, partial(answers_office, r)) for r, answer in zip(rows, answers, strict=True)]


if __name__ == "__main__":
    main()
