"""Weights from questions whose answer's place is known: against brute force, and on data that was made to have them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from rag.errors import InputError
from rag.extractive_qa.engine import MarkedSpan, Reading, SpanEngine
from rag.extractive_qa.record import ReaderRecord, Signals
from rag.extractive_qa.windows import Pair, WindowSettings
from rag.retrieval.retriever import Retrieved
from rag.training.fit_weights import KnownQuestion, conditional_logit, fit_weights, logistic
from rag.types import Passage


def test_the_conditional_logit_finds_the_weights_that_made_the_choices() -> None:
    draw = np.random.default_rng(3)
    true = np.array([1.5, 0.0, 0.4])
    groups = []
    for _ in range(3000):
        x = draw.normal(size=(5, 3)) * [1.0, 2.0, 5.0]
        z = x @ true
        chance = np.exp(z - z.max())
        right = np.zeros(5, dtype=bool)
        right[draw.choice(5, p=chance / chance.sum())] = True
        groups.append((x, right))
    assert conditional_logit(groups) == pytest.approx(true, abs=0.1)


def test_too_few_right_candidates_are_refused() -> None:
    x = np.ones((3, 1))
    with pytest.raises(InputError, match="only 1 question has"):
        conditional_logit([(x, np.array([True, False, False])), (x, np.zeros(3, dtype=bool))])


def test_the_logistic_function_is_the_likeliest_that_never_falls() -> None:
    draw = np.random.default_rng(5)
    x = draw.normal(size=(4000, 3)) * [1.0, 3.0, 1.0] + [0.0, 2.0, 0.0]
    z = 1.2 * x[:, 0] + 0.5 * x[:, 1] - 1.0 * x[:, 2] - 0.7
    ones = np.ones(4000)
    y = draw.random(4000) < 1 / (1 + np.exp(-z))
    *weights, bias = logistic(x[:, :2], y, ones)
    assert weights == pytest.approx([1.05, 0.43], abs=0.12)  # less than 1.2 and 0.5: the third input is noise to it
    assert logistic(x, y, ones)[2] == 0.0
    grid = [(a, b) for a in np.linspace(0.7, 1.4, 15) for b in np.linspace(0.2, 0.7, 11)]
    losses = {(a, b): _loss(x[:, :2], y, (a, b), bias) for a, b in grid}
    assert _loss(x[:, :2], y, weights, bias) <= min(losses.values()) + 5.0  # the penalty moves it a little


def _loss(x: np.ndarray, y: np.ndarray, weights: Sequence[float], bias: float) -> float:
    z = x @ np.array(weights) + bias
    return float(np.logaddexp(0, z).sum() - z[y].sum())


def test_separable_data_stay_finite() -> None:
    x = np.array([[-1.0], [-2.0], [1.0], [2.0]] * 30)
    weight, bias = logistic(x, x[:, 0] > 0, np.ones(120))
    assert math.isfinite(weight)
    assert weight > 0.5
    assert abs(bias) < 1


def test_a_row_that_counts_twice_is_two_rows() -> None:
    draw = np.random.default_rng(6)
    x = draw.normal(size=(300, 2))
    y = draw.random(300) < 1 / (1 + np.exp(-x[:, 0]))
    twice = np.where(np.arange(300) < 100, 2.0, 1.0)
    told = logistic(np.concatenate([x, x[:100]]), np.concatenate([y, y[:100]]), np.ones(400))
    assert logistic(x, y, twice) == pytest.approx(told, abs=0.02)  # the inputs are standardised by their rows


class Scripted(SpanEngine):
    """Reads by rule: a passage that names what the question asks for is relevant, and its margin is high."""

    def __init__(self, record: ReaderRecord | None = None) -> None:
        self.record = record or ReaderRecord()

        class Sizes:
            settings = WindowSettings()

            @staticmethod
            def shorten(questions: Sequence[str]) -> tuple[list[str], list[int]]:
                return list(questions), []

        self.windower = Sizes()  # type: ignore[assignment]

    def with_record(self, record: ReaderRecord) -> Scripted:
        return Scripted(record)

    def read(self, pairs: Sequence[Pair]) -> list[Reading]:
        made = []
        for question, text, _ in pairs:
            noise = (hash_of(question + text) % 100) / 25 - 2
            there = question.split()[-1].strip("?") in text.split()
            margin = noise + (3.0 if there else -3.0)
            made.append(Reading((MarkedSpan(0, len(text.split()[0]), margin),), margin / 2, 10))
        return made


def hash_of(text: str) -> int:
    return sum(ord(c) * (n + 1) for n, c in enumerate(text))


def test_weights_are_fitted_to_a_reader_that_knows() -> None:
    asked = [KnownQuestion(f"who saw {n}?", f"{n}.txt", 0, 20, f"who saw x{n}?") for n in range(200)]

    def retrieve(questions: Sequence[str]) -> list[Retrieved]:
        found = []
        for question in questions:
            about = int(question.split()[-1].strip("x?"))
            near = [(about + step) % 200 for step in range(-5, 6)]
            passages = tuple(
                Passage(n, f"{n}.txt", "", None, (), 0, 20, f"w{n} saw {n} there.", (hash_of(f"{question}{n}") % 7) / 7)
                for n in near
            )
            found.append(Retrieved(question, passages, 0.9, 1))
        return found

    record = fit_weights(Scripted(), asked, retrieve)
    assert record.combination.rerank_relevance + record.combination.rerank_margin > 0
    calibration = record.calibration
    sure = calibration.confidence(Signals(0.0, 5.0, 3.0, 1.5))
    unsure = calibration.confidence(Signals(0.0, 0.1, -3.0, -1.5))
    assert unsure < calibration.threshold <= calibration.strict <= sure
    assert unsure < 0.3 < 0.7 < sure
