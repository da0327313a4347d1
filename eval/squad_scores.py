"""Official scores of a prediction file, equal to SQuAD's evaluation scripts of v1.1 and v2.0 to the last digit.

A prediction file is one JSON object, question id to answer; the empty answer abstains. The module does not know how
predictions are made. It adds floats one by one, as the scripts do on every Python before 3.12, whose ``sum``
compensates for rounding and gives another last digit.

Two cases in which the scripts crash are defined here: a v2.0 question without a prediction is left out of every total,
as the v2.0 script announces, and predictions for no question at all are an error.
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
from eval.text_metrics import Rule, f1_of_tokens, normalise

__all__ = ["Score", "load_na_probs", "load_predictions", "score_squad"]

Float64 = NDArray[np.float64]

_FILE = "a prediction file is one JSON object: {question id: answer}"
_NA_FILE = "a no-answer file is one JSON object: {question id: number}"


@dataclass(frozen=True)
class Score:
    """The scores of a prediction file.

    ``official`` has the keys of the official script in their order, scores in percent. ``em`` and ``f1``, shape (n,),
    lie in 0 to 1 and belong to the ``ids``. ``missing`` counts questions without a prediction, ``unknown`` predictions
    for ids that are not in the dataset.
    """

    official: dict[str, float | int]
    ids: tuple[str, ...]
    em: Float64
    f1: Float64
    missing: int
    unknown: int


@dataclass
class _Raw:
    """Scores by question before any threshold; all lists have the same length."""

    ids: list[str] = field(default_factory=list)
    answerable: list[bool] = field(default_factory=list)
    em: list[float] = field(default_factory=list)
    f1: list[float] = field(default_factory=list)


def load_predictions(path: Path) -> dict[str, str]:
    """Read a prediction file. Raises :class:`~eval.errors.EvalError` for anything but texts by question id."""
    predictions = _load_object(path, _FILE)
    for key, value in predictions.items():
        if not is_text(value):
            raise EvalError(f"{path}: the prediction for {key!r} is not a text: {_brief(value)}", _FILE)
    return predictions


def load_na_probs(path: Path) -> dict[str, float]:
    """Read the no-answer probabilities of a v2.0 prediction file. Raises :class:`~eval.errors.EvalError`."""
    probabilities = _load_object(path, _NA_FILE)
    for key, value in probabilities.items():
        if not _is_number(value):
            raise EvalError(f"{path}: the value of {key!r} is not a number: {_brief(value)}", _NA_FILE)
    return {key: float(value) for key, value in probabilities.items()}


def score_squad(
    dataset: Dataset,
    predictions: Mapping[str, str],
    na_probs: Mapping[str, float] | None = None,
    na_threshold: float = 1.0,
) -> Score:
    """Score predictions (question id to answer) as the script of the dataset's version; JSONL as v2.0.

    ``na_probs`` are no-answer probabilities by question id, from 0 to 1: an answer above ``na_threshold`` counts as an
    abstention, and the best thresholds are added. Raises :class:`~eval.errors.EvalError` for probabilities with v1.1,
    missing or invalid ones, and predictions for none of the questions.
    """
    known = {question.id for question in dataset.questions}
    _require_texts(predictions)
    unknown = sum(key not in known for key in predictions)
    missing = sum(key not in predictions for key in known)
    if dataset.version == "1.1":
        if na_probs is not None:
            raise EvalError(f"{dataset.name} is of version 1.1, which has no abstention", "omit --na-prob")
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
    """Score each question; a question without a prediction (v1.1) gets 0."""
    raw = _Raw()
    for question in questions:
        em = f1 = 0.0
        if question.id in predictions:
            golds = dict.fromkeys(normalise(answer) for answer in question.answers)  # most golds are repeated
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
    """Return the output of the v2.0 script, and apply the threshold to the scores in ``raw``."""
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
    """Return the best score of any threshold, in percent, and the first threshold that reaches it.

    As the script does (Rajpurkar et al. 2018): start with no question answered, then answer them one by one in the
    order of their probabilities. The script also considers the score between equal probabilities, and so does this.
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
            raise EvalError(f"the prediction for {key!r} is not a text: {_brief(value)}", _FILE)


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
    value = parse_json(text, str(path), remedy, unique_keys=True)
    if not isinstance(value, dict):
        raise EvalError(f"{path} is not an object: {_brief(value)}", remedy)
    return value


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
