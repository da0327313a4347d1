"""``rag eval score``: the official SQuAD scores of any prediction file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.cli.options import AsJson
from rag.cli.output import note, out, out_json
from rag.text import counted

__all__ = ["score"]


def score(
    predictions: Annotated[Path, typer.Argument(help='A JSON object from question id to answer, {"id": "text"}.')],
    dataset: Annotated[str, typer.Argument(help="squad, squad_v2, or a SQuAD-format .json.")],
    na_prob: Annotated[
        Path | None, typer.Option("--na-prob", help="No-answer probabilities by id, for version 2.0.", metavar="FILE")
    ] = None,
    threshold: Annotated[
        float, typer.Option("--na-threshold", help="Answers whose no-answer probability is above it count as none.")
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Score a prediction file exactly as the official SQuAD script does."""
    from eval.datasets import load_dataset
    from eval.scoring import load_na_probs, load_predictions, score_squad

    loaded = load_dataset(dataset)
    answers = load_predictions(predictions)
    result = score_squad(loaded, answers, None if na_prob is None else load_na_probs(na_prob), threshold)
    if result.missing:
        of = counted(len(loaded.questions), "question has no prediction", "questions have no prediction")
        rule = "count as wrong" if loaded.version == "1.1" else "are left out, as the official script does"
        note(f"warning: {result.missing:,} of {of} and {rule}")
    if result.unknown:
        unknown = counted(result.unknown, "prediction is for an id that is", "predictions are for ids that are")
        note(f"warning: {unknown} not in {loaded.name}")
    if as_json:
        out_json(result.official)
        return
    for name, value in result.official.items():
        out(f"{name:<20}{value!r:>22}")
