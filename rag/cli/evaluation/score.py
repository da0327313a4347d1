"""``rag eval score``: official SQuAD scores of a prediction file."""

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
        float, typer.Option("--na-threshold", help="An answer with a higher no-answer probability counts as none.")
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Score a prediction file exactly as the official SQuAD script does."""
    from eval.datasets import load_dataset
    from eval.squad_scores import load_na_probs, load_predictions, score_squad

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
