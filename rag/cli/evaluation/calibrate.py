"""``rag eval calibrate``: fit the confidence below which no answer is given."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rag.cli.options import AsJson, IndexFolder
from rag.cli.output import note, out, out_json
from rag.errors import UsageError
from rag.text import counted

__all__ = ["calibrate"]

_FEW = 30  # with fewer questions, the interval of a small share is wider than the share


def calibrate(
    run: Annotated[Path, typer.Argument(help="A run over questions some of which have no answer, such as squad_v2.")],
    max_false_answer: Annotated[
        str, typer.Option("--max-false-answer", help="Answer at most this share of the questions without an answer.")
    ] = "5%",
    best_em: Annotated[
        bool,
        typer.Option("--best-em", help="Maximize exact matches instead, right abstentions included."),
    ] = False,
    index: IndexFolder = Path(".rag"),
    seed: Annotated[int, typer.Option("--seed", help="Seed of the two halves.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Fit the abstention threshold on one half of a run, report it on the other, and let `rag ask` use it.

    It is written into the index folder (calibration.json) and applies while generator, prompt, citations, and for the
    extractive model retrieval, are set as in the run. `--set answers.min_confidence=…` takes precedence.
    """
    from eval.abstention import calibrate as fit
    from eval.errors import EvalError
    from eval.runs import load_run
    from indexes.errors import IndexMissingError
    from indexes.store.store import Store
    from rag.answering.abstention import save_calibration
    from rag.config import Config
    from rag.factory import least_confidence

    share = None if best_em else _share(max_false_answer)
    data = load_run(run)
    if data.manifest["mode"] not in ("open", "gold"):
        raise EvalError(f"a run in {data.manifest['mode']} mode has no confidences", "use a run in open mode")
    if data.manifest["mode"] == "gold":
        note("warning: this run was given the right paragraphs; a run in open mode is closer to real use")
    config = Config.model_validate(data.manifest["config"])
    if (least := least_confidence(config)) > 0:
        raise EvalError(
            f"the run {run} was made with answers.min_confidence={least}, which hides all answers below it",
            "evaluate again with --set answers.min_confidence=0",
        )
    if not Store.exists(index):
        raise IndexMissingError(index)
    fitted = fit(data.rows, max_false_answer=share, seed=seed)
    report = asdict(fitted)
    path = save_calibration(index, config, fitted.threshold, run.name, report)
    if as_json:
        out_json({"file": str(path), **report})
        return
    for name, value in report.items():
        shown = f"{value:.4f}".rstrip("0").rstrip(".") if isinstance(value, float) else "–" if value is None else value
        out(f"{name:<32}{shown}")
    if fitted.unanswerable < _FEW:
        low, high = f"{fitted.false_answer_low:.0%}", f"{fitted.false_answer_high:.0%}"
        questions = counted(fitted.unanswerable, "unanswerable question")
        note(f"warning: the report has only {questions}: the share answered is between {low} and {high}")
    out(f"\nwritten to {path}: `rag ask --index {index}` abstains below a confidence of {fitted.threshold:.3f}")


def _share(text: str) -> float:
    try:
        value = float(text.strip().removesuffix("%")) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"--max-false-answer {text!r} is not a share", "for example 5% or 0.05")
    return value
