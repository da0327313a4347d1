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
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.abstention import summarise_abstention
from eval.datasets import Dataset, Question
from eval.errors import EvalError
from eval.files import write_json, write_text
from eval.losses import classify, count_losses
from eval.metrics import METRICS, Case, value_in
from eval.predictions import Prediction, same_source
from eval.ranking import write_qrels, write_run
from eval.reliability import summarise_reliability
from eval.runs import FORMAT, RunData
from eval.squad_scores import score_squad
from eval.statistics import bootstrap_means
from eval.text_metrics import Rule

__all__ = ["Answerer", "Progress", "evaluate", "score_question", "summarise"]

Answerer = Callable[[Sequence[Question]], Sequence[Prediction | str]]
Progress = Callable[[int, int, float, float], None]


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
    ``key`` identifies the run for :func:`~eval.runs.find_incomplete`. ``progress`` is called after each window with the
    questions done, their total, and the mean EM and F1 so far (0 to 1). With ``retrieval_only`` no answer is scored.

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
        rows += [score_question(Case(q, p, rule)) for q, p in zip(questions, predictions, strict=True)]
        if progress is not None:
            progress(len(rows), len(dataset.questions), _mean(rows, "em"), _mean(rows, "f1"))
    if retrieval_only:
        rows = [_without_answer(row) for row in rows]
    seconds = round(time.monotonic() - started, 3)
    manifest |= {**describe(), "created": manifest["created"]}
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


def score_question(case: Case) -> dict[str, Any]:
    """Return the row of one question: its metrics, and what they were computed from, as plain JSON.

    Raises :class:`~eval.errors.EvalError` for a confidence or a metric that is NaN or infinite.
    """
    question, prediction = case.question, case.prediction
    values = {name: metric.compute(case) for name, metric in METRICS.items()}
    for name, value in {**values, "confidence": prediction.confidence}.items():
        if value is not None and not math.isfinite(value):
            raise EvalError(f"question {question.id}: {name} is {value}", "correct the system under test")
    retrieval = {name: values.pop(name) for name, metric in METRICS.items() if metric.family == "retrieval"}
    return {
        "id": question.id,
        "question": question.question,
        "kind": question.kind,
        "answers": list(question.answers),
        "impossible": not question.answers,
        "source": question.source,
        "prediction": case.text,
        "text": prediction.text,
        "abstained": prediction.abstained,
        "confidence": prediction.confidence,
        "band": prediction.band,
        "verdict": case.verdict,
        **values,
        "passages": [
            {**asdict(p), "headings": list(p.headings), "relevant": case.is_relevant(p.source)}
            for p in prediction.passages
        ],
        "retrieval": None if case.judged is None else retrieval,
        "ranked": None if case.judged is None else list(prediction.ranked_sources or ()),
        "loss": None
        if values["em"] is None
        else classify(
            em=values["em"],
            f1=values["f1"] or 0.0,
            contains=values["contains"] or 0.0,
            abstained=prediction.abstained,
            impossible=not question.answers,
            trace=prediction.trace,
        ),
        "timings": case.timings,
        "usage": dict(prediction.usage),
        "notes": list(prediction.notes),
        "note_kinds": [dict(kind) for kind in prediction.note_kinds],
        "citations": case.citations,
    }


def summarise(dataset: Dataset, rows: Sequence[Mapping[str, Any]], *, seed: int = 0) -> dict[str, Any]:
    """Return the manifest's figures: metrics with intervals, verdicts by kind, official scores, losses, abstention."""
    scored = [row for row in rows if row.get("em") is not None]
    return {
        "metrics": _metrics(rows, seed),
        "kinds": summarise_kinds(rows),
        "official": _official(dataset, rows) if scored and dataset.official else None,
        "losses": count_losses(row["loss"] for row in scored) if scored else None,
        "abstention": summarise_abstention(scored) if scored else None,
        "reliability": summarise_reliability(scored),
    }


def summarise_kinds(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Return the number of questions, of each verdict, and of questions served, by kind; empty without verdicts.

    Where answers have bands, also the number of answers of ``high`` confidence, and how many of them are wrong.
    """
    banded = any(row.get("band") for row in rows)
    kinds: dict[str, dict[str, int]] = {}
    for row in rows:
        if row.get("verdict") is not None:
            empty = {"questions": 0, "right": 0, "partly": 0, "wrong": 0, "refused": 0}
            counts = kinds.setdefault(row["kind"] or "no kind", empty)
            counts["questions"] += 1
            counts[row["verdict"]] += 1
            if row.get("served") is not None:
                counts["served"] = counts.get("served", 0) + int(row["served"])
            if banded:
                wrong = row.get("wrong_high")
                counts["high"] = counts.get("high", 0) + int(wrong is not None)
                counts["wrong_high"] = counts.get("wrong_high", 0) + int(wrong or 0)
    return kinds


def _metrics(rows: Sequence[Mapping[str, Any]], seed: int) -> dict[str, dict[str, float]]:
    """Return mean and interval of each metric over the questions to which it applies."""
    by_length: dict[int, dict[str, NDArray[np.float64]]] = {}
    names = []
    for name, metric in METRICS.items():
        values = [value for row in rows if (value := value_in(row, name)) is not None]
        if values:
            names.append(name)
            by_length.setdefault(len(values), {})[name] = metric.scale * np.asarray(values, dtype=np.float64)
    intervals = {}
    for columns in by_length.values():  # columns of one length share their resampling
        intervals.update(bootstrap_means(columns, seed=seed))
    return {name: asdict(intervals[name]) for name in names}


def _official(dataset: Dataset, rows: Sequence[Mapping[str, Any]]) -> dict[str, float | int]:
    predictions = {row["id"]: row["prediction"] for row in rows}
    na_probs = {row["id"]: _na_prob(row) for row in rows} if dataset.version == "2.0" else None
    return score_squad(dataset, predictions, na_probs).official


def _write_run(
    folder: Path, dataset: Dataset, manifest: dict[str, Any], rows: Sequence[Mapping[str, Any]], retrieval_only: bool
) -> None:
    """Write the files of a finished run, and add the digest of its rows to the manifest."""
    if not retrieval_only:
        write_json(folder / "predictions.json", {row["id"]: row["prediction"] for row in rows})
        if dataset.version == "2.0":
            write_json(folder / "na_prob.json", {row["id"]: _na_prob(row) for row in rows})
    _write_trec(folder, dataset, str(manifest.get("name") or "run"), rows)
    text = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    write_text(folder / "rows.jsonl", text)
    manifest["rows_sha256"] = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    write_json(folder / "run.json", manifest)  # last: a folder with a complete manifest is whole


def _write_trec(folder: Path, dataset: Dataset, tag: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the ranking and the judgments as TREC files, for other tools; nothing if retrieval was not measured."""
    names = {paragraph.source: paragraph.id or paragraph.source for paragraph in dataset.paragraphs}
    questions = {question.id: question for question in dataset.questions}
    run: dict[str, dict[str, float]] = {}
    qrels: dict[str, dict[str, int]] = {}
    for row in rows:
        if row["ranked"] is None:
            continue
        ranked = list(dict.fromkeys(row["ranked"]))
        question = questions[row["id"]]
        named = next((name for name in ranked if same_source(name, question.source)), question.source)
        grades = dict(question.relevant) or {str(named): 1}
        run[question.id] = {names.get(name, name): float(len(ranked) - n) for n, name in enumerate(ranked)}
        qrels[question.id] = {names.get(name, name): grade for name, grade in grades.items()}
    if run:
        write_run(folder / "run.trec", run, tag)
        write_qrels(folder / "qrels.trec", qrels)


def _na_prob(row: Mapping[str, Any]) -> float:
    """Return the probability of no answer; an answer without a confidence is given without a doubt."""
    if row["abstained"]:
        return 1.0
    return 0.0 if row["confidence"] is None else round(1.0 - float(row["confidence"]), 6)


def _without_answer(row: dict[str, Any]) -> dict[str, Any]:
    unscored = [name for name, metric in METRICS.items() if metric.family in ("answer", "verdict")]
    return row | dict.fromkeys([*unscored, "verdict", "prediction", "text", "loss"])


def _mean(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    values = [row[name] for row in rows if row[name] is not None]
    return float(sum(values) / len(values)) if values else 0.0
