"""Official scores of a prediction file, as SQuAD's evaluation scripts of v1.1 and v2.0 compute them, to the last digit.

A prediction file is one JSON object, question id to answer; the empty answer abstains. The module reads predictions
and compares them with a :class:`~eval.datasets.Dataset`; who made them it does not know. Sums are added up one by one,
as the scripts do on every Python before 3.12 (whose ``sum`` compensates, and gives another last digit).

Where the scripts crash, this module decides: a missing prediction of a v2.0 question is left out of every total, as
the v2.0 script announces; when no question was predicted at all there is no score but an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.datasets import Dataset, Question
from eval.errors import EvalError
from eval.files import decode, is_text, parse_json, read_bytes
from eval.metrics import Rule, f1_of_tokens, normalise

__all__ = ["Score", "load_na_probs", "load_predictions", "score_squad"]

Float64 = NDArray[np.float64]

_FILE = "a prediction file is one JSON object: {question id: answer}"
_NA_FILE = "a no-answer file is one JSON object: {question id: number}"


@dataclass(frozen=True)
class Score:
    """``official`` has the official script's keys in their order; ``em`` and ``f1`` (0 to 1) belong to ``ids``.

    ``missing`` counts questions without a prediction, ``unknown`` predictions for ids that are not in the dataset.
    """

    official: dict[str, float | int]
    ids: tuple[str, ...]
    em: Float64
    f1: Float64
    missing: int
    unknown: int


@dataclass
class _Raw:
    """Scores before any threshold, question by question; all lists have the same length."""

    ids: list[str] = field(default_factory=list)
    answerable: list[bool] = field(default_factory=list)
    em: list[float] = field(default_factory=list)
    f1: list[float] = field(default_factory=list)


def load_predictions(path: Path) -> dict[str, str]:
    """Read a prediction file."""
    found = _load_object(path, _FILE)
    for key, value in found.items():
        if not is_text(value):
            raise EvalError(f"{path}: the prediction for {key!r} is no text but {_brief(value)}", _FILE)
    return found


def load_na_probs(path: Path) -> dict[str, float]:
    """Read the no-answer probabilities that may come with a v2.0 prediction file."""
    found = _load_object(path, _NA_FILE)
    for key, value in found.items():
        if not _is_number(value):
            raise EvalError(f"{path}: the value of {key!r} is no number but {_brief(value)}", _NA_FILE)
    return {key: float(value) for key, value in found.items()}


def score_squad(
    dataset: Dataset,
    predictions: Mapping[str, str],
    na_probs: Mapping[str, float] | None = None,
    na_threshold: float = 1.0,
) -> Score:
    """Score predictions by the script of the dataset's version; JSONL is scored by that of v2.0.

    ``na_probs`` turn an answer into an abstention where they are above ``na_threshold``, and add the best thresholds.
    """
    known = {question.id for question in dataset.questions}
    _require_texts(predictions)
    unknown = sum(key not in known for key in predictions)
    missing = sum(key not in predictions for key in known)
    if dataset.version == "1.1":
        if na_probs is not None:
            raise EvalError(f"{dataset.name} is of version 1.1, which knows no abstention", "leave --na-prob out")
        raw = _raw_scores(dataset.questions, predictions, rule="1.1")
        official = _totals(raw.em, raw.f1)
    else:
        raw = _raw_scores([q for q in dataset.questions if q.id in predictions], predictions, rule="2.0")
        if not raw.ids:
            raise EvalError(
                f"none of the {len(predictions)} predictions is for a question of {dataset.name}",
                "check that the prediction file belongs to this dataset",
            )
        official = _official_v2(raw, predictions, na_probs, na_threshold)
    return Score(official, tuple(raw.ids), np.array(raw.em), np.array(raw.f1), missing, unknown)


def _raw_scores(questions: Iterable[Question], predictions: Mapping[str, str], *, rule: Rule) -> _Raw:
    """Score each question; one without a prediction (v1.1) gets 0."""
    raw = _Raw()
    for question in questions:
        em = f1 = 0.0
        if question.id in predictions:
            golds = dict.fromkeys(normalise(answer) for answer in question.answers)  # most golds are given thrice
            if rule == "2.0":
                golds = {gold: None for gold in golds if gold} or {"": None}
            answer = normalise(predictions[question.id])
            tokens = answer.split()
            em = float(answer in golds)
            f1 = max(f1_of_tokens(tokens, gold.split(), rule=rule) for gold in golds)
        raw.ids.append(question.id)
        raw.answerable.append(bool(question.answers))
        raw.em.append(em)
        raw.f1.append(f1)
    return raw


def _official_v2(
    raw: _Raw, predictions: Mapping[str, str], na_probs: Mapping[str, float] | None, na_threshold: float
) -> dict[str, float | int]:
    """Return the v2.0 script's object, and leave in ``raw`` the scores after the threshold."""
    best: dict[str, float | int] = {}
    if na_probs is not None:
        _require_probabilities(raw.ids, na_probs, na_threshold)
        for name, scores in (("exact", raw.em), ("f1", raw.f1)):
            best[f"best_{name}"], best[f"best_{name}_thresh"] = _best_threshold(raw, scores, predictions, na_probs)
        for place, key in enumerate(raw.ids):
            if na_probs[key] > na_threshold:
                raw.em[place] = raw.f1[place] = float(not raw.answerable[place])
    official = _totals(raw.em, raw.f1)
    for prefix, wanted in (("HasAns", True), ("NoAns", False)):
        places = [place for place, answerable in enumerate(raw.answerable) if answerable is wanted]
        if places:
            part = _totals([raw.em[place] for place in places], [raw.f1[place] for place in places])
            official |= {f"{prefix}_{name}": value for name, value in part.items()}
    return official | best


def _totals(em: Sequence[float], f1: Sequence[float]) -> dict[str, float | int]:
    total = len(em)
    return {"exact": 100.0 * reduce(add, em) / total, "f1": 100.0 * reduce(add, f1) / total, "total": total}


def _best_threshold(
    raw: _Raw, scores: Sequence[float], predictions: Mapping[str, str], na_probs: Mapping[str, float]
) -> tuple[float, float]:
    """Return the best score that any threshold reaches, in percent, and the first threshold that reaches it.

    The script's walk (Rajpurkar et al. 2018): start with every question abstained, answer them one by one in the order
    of their probabilities. It looks at the score between equal probabilities too; that is kept, to the last digit.
    """
    place = {key: number for number, key in enumerate(raw.ids)}
    current = best = float(raw.answerable.count(False))
    threshold = 0.0
    for key in sorted(na_probs, key=na_probs.__getitem__):
        if key not in place:
            continue
        if raw.answerable[place[key]]:
            current += scores[place[key]]
        elif predictions[key]:
            current -= 1.0
        if current > best:
            best, threshold = current, na_probs[key]
    return 100.0 * best / len(scores), threshold


def _require_texts(predictions: Mapping[str, str]) -> None:
    for key, value in predictions.items():
        if not isinstance(value, str):
            raise EvalError(f"the prediction for {key!r} is no text but {_brief(value)}", _FILE)


def _require_probabilities(ids: Iterable[str], na_probs: Mapping[str, float], na_threshold: float) -> None:
    if math.isnan(na_threshold):
        raise EvalError("the no-answer threshold is not a number", "give one between 0 and 1")
    for key, value in na_probs.items():
        if not _is_number(value):
            raise EvalError(f"the no-answer probability of {key!r} is {_brief(value)}", _NA_FILE)
    for key in ids:
        if key not in na_probs:
            raise EvalError(f"the no-answer probability of {key!r} is missing", _NA_FILE)


def _load_object(path: Path, remedy: str) -> dict[str, Any]:
    text = decode(read_bytes(path, remedy), str(path), remedy)
    found = parse_json(text, str(path), remedy, unique_keys=True)
    if not isinstance(found, dict):
        raise EvalError(f"{path} is no object but {_brief(found)}", remedy)
    return found


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float can hold
        return False


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
