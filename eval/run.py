"""Evaluate a system: ask it every question, score the answers, and write the run to a folder if one is given.

The system is a callable from a list of questions to a list of texts or predictions. It gets the questions in windows
of a fixed size and order. An interrupted run starts again in the same folder and asks for everything again: a system
that caches its answers makes resuming cheap and exact.

This module knows nothing of models, retrieval or configuration: the caller describes them in the manifest.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from eval.abstention import auroc, no_answer_rates, risk_coverage
from eval.datasets import Dataset, Question
from eval.errors import EvalError
from eval.losses import count_losses
from eval.metrics import Rule
from eval.predictions import Prediction, row_of
from eval.records import FORMAT, RunData, write_json, write_text
from eval.scoring import score_squad
from eval.statistics import bootstrap_means

__all__ = ["PERCENT", "Answerer", "Progress", "evaluate", "find_incomplete", "summarise"]

Answerer = Callable[[Sequence[Question]], Sequence[Prediction | str]]
Progress = Callable[[int, int, float, float], None]

PERCENT = ("em", "f1", "contains", "recall@1", "recall@5", "recall@10", "recall@20", "cited_contains",
    "cited_overlaps", "grounded")  # fmt: skip
_CURVE_POINTS = 101


def evaluate(
    dataset: Dataset,
    answer: Answerer,
    *,
    out: Path | str | None = None,
    describe: Callable[[], Mapping[str, Any]] = dict,
    key: str = "",
    window: int = 64,
    progress: Progress | None = None,
    retrieval_only: bool = False,
) -> RunData:
    """Ask every question of the dataset, score the answers and return the run.

    ``answer`` gets up to ``window`` questions at a time and returns a text or a
    :class:`~eval.predictions.Prediction` for each; the empty text abstains. ``out`` is a folder for the run's files
    (all but the reports); without it nothing is written. ``describe`` returns further entries of the manifest; it is
    called before the first question and again after the last, because a system may know its models only then.
    ``key`` identifies the run for :func:`find_incomplete`. ``progress`` is called after each window with the questions
    done, their total, and the mean EM and F1 so far (0 to 1). With ``retrieval_only`` no answer is scored.

    Raises :class:`~eval.errors.EvalError` if the system returns another number of answers or a value that cannot be
    scored.
    """
    folder = None if out is None else Path(out)
    manifest: dict[str, Any] = {**_about(dataset, window), **describe()}
    manifest |= {"format": FORMAT, "status": "incomplete", "key": key}
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "run.json", manifest)
    started = time.monotonic()
    rows: list[dict[str, Any]] = []
    rule: Rule = "1.1" if dataset.version == "1.1" else "2.0"
    for start in range(0, len(dataset.questions), window):
        questions = dataset.questions[start : start + window]
        predictions = _predict(answer, questions)
        rows += [row_of(q, p, rule=rule) for q, p in zip(questions, predictions, strict=True)]
        if progress is not None:
            progress(len(rows), len(dataset.questions), _mean(rows, "em"), _mean(rows, "f1"))
    if retrieval_only:
        rows = [_without_answer(row) for row in rows]
    seconds = round(time.monotonic() - started, 3)
    manifest |= dict(describe())
    manifest |= {"seconds": seconds, **summarise(dataset, rows, seed=int(manifest.get("seed") or 0))}
    manifest["status"] = "complete"
    if folder is not None:
        _write_run(folder, dataset, manifest, rows, retrieval_only)
    return RunData(manifest, rows, "" if folder is None else folder.name)


def _about(dataset: Dataset, window: int) -> dict[str, Any]:
    """Return the entries of the manifest that this module knows by itself."""
    total = len(dataset.questions)
    about = {"name": dataset.name, "version": dataset.version, "sha256": dataset.sha256}
    return {
        "name": dataset.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": 0,
        "window": window,
        "dataset": {**about, "questions": total, "asked": total},
    }


def _predict(answer: Answerer, questions: Sequence[Question]) -> list[Prediction]:
    """Ask one window of questions and return a prediction for each."""
    started = time.monotonic()
    answers = list(answer(questions))
    seconds = time.monotonic() - started
    if len(answers) != len(questions):
        raise EvalError(
            f"{len(questions)} questions got {len(answers)} answers", "return one answer for each question, in order"
        )
    return [_prediction(value, seconds / len(questions)) for value in answers]


def _prediction(value: object, seconds: float) -> Prediction:
    """Return an answer as a prediction; ``seconds`` is its share of the window's time, used for a plain text."""
    if isinstance(value, Prediction):
        return value
    if isinstance(value, str):
        answered = bool(value.strip())
        return Prediction(value, not answered, float(answered), timings={"answer": seconds})
    raise EvalError(f"an answer is {value!r}", "return a text or an eval.Prediction for each question")


def find_incomplete(out: Path, key: str) -> Path | None:
    """Return the newest folder below ``out`` of a run with this key that was not finished, or None."""
    for path in sorted(out.glob("*/run.json"), reverse=True):
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(manifest, dict) and manifest.get("key") == key and manifest.get("status") == "incomplete":
            return path.parent
    return None


def summarise(dataset: Dataset, rows: Sequence[Mapping[str, Any]], *, seed: int = 0) -> dict[str, Any]:
    """Return the manifest's figures: metrics with intervals, official scores, losses and abstention."""
    answered = bool(rows) and rows[0].get("em") is not None
    return {
        "metrics": _metrics(rows, seed),
        "official": _official(dataset, rows) if answered and dataset.official else None,
        "losses": count_losses(row["loss"] for row in rows) if answered else None,
        "abstention": _abstention(rows) if answered else None,
    }


def _metrics(rows: Sequence[Mapping[str, Any]], seed: int) -> dict[str, dict[str, float]]:
    columns: dict[str, list[float]] = {}
    for row in rows:
        values = {name: row.get(name) for name in ("em", "f1", "contains")}
        values |= row.get("retrieval") or {}
        values |= {name: row.get(name) for name in ("cited_contains", "cited_overlaps", "grounded", "latency_s")}
        for name, value in values.items():
            if value is not None:
                columns.setdefault(name, []).append(value)
    by_length: dict[int, dict[str, np.ndarray[Any, np.dtype[np.float64]]]] = {}
    for name, column in columns.items():
        if not all(math.isfinite(value) for value in column):
            raise EvalError(f"{name} holds a value that is no number", "correct the system under test")
        scaled = np.asarray(column, dtype=np.float64) * (100.0 if name in PERCENT else 1.0)
        by_length.setdefault(len(column), {})[name] = scaled
    intervals = {}
    for group in by_length.values():  # columns of one length share their resampling
        intervals.update(bootstrap_means(group, seed=seed))
    return {name: intervals[name].as_dict() for name in columns}


def _official(dataset: Dataset, rows: Sequence[Mapping[str, Any]]) -> dict[str, float | int]:
    predictions = {row["id"]: row["prediction"] for row in rows}
    na_probs = {row["id"]: _na_prob(row) for row in rows} if dataset.version == "2.0" else None
    return score_squad(dataset, predictions, na_probs).official


def _abstention(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    abstained = np.array([row["abstained"] for row in rows], dtype=bool)
    impossible = np.array([row["impossible"] for row in rows], dtype=bool)
    confidence = np.array([row["confidence"] for row in rows], dtype=np.float64)
    correct = np.array([row["em"] for row in rows], dtype=np.float64)
    rates = no_answer_rates(abstained, impossible)
    given = ~abstained
    coverage, risk = risk_coverage(confidence[given], correct[given]) if given.any() else (np.empty(0), np.empty(0))
    coverage = coverage * (given.sum() / len(rows))  # of all questions, abstentions included
    points = np.unique(np.linspace(0, len(coverage) - 1, min(_CURVE_POINTS, len(coverage))).round().astype(int))
    return {
        # How well the confidence tells right answers from wrong ones, among the answers that were given.
        "auroc": auroc(confidence[given], correct[given] > 0),
        # How well it tells answerable questions from the others, abstentions counting as no confidence.
        "auroc_answerable": auroc(confidence, ~impossible),
        **rates,
        "risk_coverage": {"coverage": coverage[points].tolist(), "risk": risk[points].tolist()},
    }


def _write_run(
    folder: Path, dataset: Dataset, manifest: dict[str, Any], rows: Sequence[Mapping[str, Any]], retrieval_only: bool
) -> None:
    """Write the files of a finished run, and add the digest of its rows to the manifest."""
    if not retrieval_only:
        write_json(folder / "predictions.json", {row["id"]: row["prediction"] for row in rows})
        if dataset.version == "2.0":
            write_json(folder / "na_prob.json", {row["id"]: _na_prob(row) for row in rows})
    text = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    write_text(folder / "rows.jsonl", text)
    manifest["rows_sha256"] = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    write_json(folder / "run.json", manifest)  # last: a folder with a complete manifest is whole


def _na_prob(row: Mapping[str, Any]) -> float:
    return 1.0 if row["abstained"] else round(1.0 - float(row["confidence"]), 6)


def _without_answer(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "em": None, "f1": None, "contains": None, "prediction": None, "text": None, "loss": None}


def _mean(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    return float(sum(row[name] for row in rows) / len(rows))
