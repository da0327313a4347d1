"""``rag eval score``: official SQuAD scores of a prediction file, or ranking metrics of a TREC run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.cli.options import AsJson
from rag.cli.output import note, out, out_json
from rag.errors import UsageError
from rag.text import counted

__all__ = ["score"]


def score(
    predictions: Annotated[
        Path,
        typer.Argument(
            help='A .json object from question id to answer, {"id": "text"}; or any other file: a TREC run.'
        ),
    ],
    dataset: Annotated[
        str, typer.Argument(help="squad, squad_v2, or a SQuAD-format .json; for a TREC run, its judgments (qrels).")
    ],
    na_prob: Annotated[
        Path | None, typer.Option("--na-prob", help="No-answer probabilities by id, for version 2.0.", metavar="FILE")
    ] = None,
    threshold: Annotated[
        float, typer.Option("--na-threshold", help="An answer with a higher no-answer probability counts as none.")
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Score a prediction file exactly as the official SQuAD script does, or a TREC run against judgments."""
    from eval.datasets import load_dataset
    from eval.squad_scores import load_na_probs, load_predictions, score_squad

    if predictions.suffix.lower() != ".json":
        if na_prob is not None:
            raise UsageError("--na-prob has no effect on a TREC run", "leave it out")
        _score_run(predictions, Path(dataset), as_json)
        return
    loaded = load_dataset(dataset)
    answers = load_predictions(predictions)
    result = score_squad(loaded, answers, None if na_prob is None else load_na_probs(na_prob), threshold)
    if result.missing:
        rule = "count as wrong" if loaded.version == "1.1" else "are left out, as in the official script"
        total = counted(len(loaded.questions), "question")
        note(f"warning: {result.missing:,} of {total} have no prediction and {rule}")
    if result.unknown:
        note(f"warning: {counted(result.unknown, 'prediction')} for ids that are not in {loaded.name}")
    if as_json:
        out_json(result.official)
        return
    for name, value in result.official.items():
        out(f"{name:<20}{value!r:>22}")


def _score_run(path: Path, judgments: Path, as_json: bool) -> None:
    from eval.metrics import METRICS
    from eval.ranking import read_qrels, read_run, score_run
    from eval.statistics import bootstrap_means

    qrels, run = read_qrels(judgments), read_run(path)
    values = score_run(qrels, run)
    missing = sum(any(grade > 0 for grade in grades.values()) and query not in run for query, grades in qrels.items())
    if missing:
        note(f"warning: {counted(missing, 'judged question')} without a ranking, each with 0")
    if unknown := sum(query not in qrels for query in run):
        note(f"warning: {counted(unknown, 'question')} without judgments, left out")
    columns = {name: [METRICS[name].scale * value for value in column] for name, column in values.items()}
    intervals = bootstrap_means(columns)
    if as_json:
        out_json({name: {"mean": i.mean, "low": i.low, "high": i.high, "n": i.n} for name, i in intervals.items()})
        return
    for name, interval in intervals.items():
        digits = 1 if METRICS[name].unit == "percent" else 4
        mean, low, high = (f"{value:.{digits}f}" for value in (interval.mean, interval.low, interval.high))
        out(f"{name:<12}{mean:>8}   95 % interval {low} to {high}   n = {interval.n:,}")
