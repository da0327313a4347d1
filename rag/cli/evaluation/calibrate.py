"""``rag eval calibrate``: fit the confidence below which no answer is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

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
        str | None,
        typer.Option(
            "--max-false-answer", help="Answer at most this share of the questions without an answer (default 5%)."
        ),
    ] = None,
    best_em: Annotated[
        bool,
        typer.Option("--best-em", help="Maximize exact matches instead, right abstentions included."),
    ] = False,
    max_wrong: Annotated[
        str | None,
        typer.Option("--max-wrong", help="Promise instead that at most this share of the answers shown is wrong."),
    ] = None,
    sure: Annotated[str | None, typer.Option("--sure", help="The certainty of that promise (default 95%).")] = None,
    index: IndexFolder = Path(".rag"),
    seed: Annotated[int, typer.Option("--seed", help="Seed of the two halves.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Fit the abstention threshold on one half of a run, report it on the other, and let `rag ask` use it.

    It is written into the index folder (calibration.json) and applies while generator, prompt, citations, and for the
    extractive model retrieval, are set as in the run. `--set answers.min_confidence=…` takes precedence. With
    --max-wrong, all questions are used, and nothing is written if they are too few for the promise.
    """
    from indexes.errors import IndexMissingError
    from indexes.store.store import Store
    from rag.answering.abstention import save_calibration

    wishes = [name for name, given in (("--max-false-answer", max_false_answer is not None), ("--best-em", best_em),
                                       ("--max-wrong", max_wrong is not None)) if given]  # fmt: skip
    if len(wishes) > 1:
        raise UsageError(f"{' and '.join(wishes)} cannot be combined", "use one of them")
    if sure is not None and max_wrong is None:
        raise UsageError("--sure has no effect without --max-wrong", "add --max-wrong, for example --max-wrong 5%")
    false_share = (
        None if best_em else _share("--max-false-answer", "5%" if max_false_answer is None else max_false_answer)
    )
    wrong_share = None if max_wrong is None else _share("--max-wrong", max_wrong)
    certainty = _share("--sure", sure or "95%")
    data, config = _calibratable(run)
    if not Store.exists(index):
        raise IndexMissingError(index)
    if wrong_share is None:
        threshold, report = _fit(data.rows, false_share, seed)
    else:
        threshold, report = _promise(data.rows, wrong_share, certainty)
    path = save_calibration(index, config, threshold, run.name, report)
    if as_json:
        out_json({"file": str(path), **report})
        return
    for name, value in report.items():
        shown = f"{value:.4f}".rstrip("0").rstrip(".") if isinstance(value, float) else "–" if value is None else value
        out(f"{name:<32}{shown}")
    if wrong_share is not None:
        out(
            f"\nAt most {wrong_share:.4g} of the answers shown are wrong, with a certainty of {certainty:.4g}, for "
            "questions like those of the run."
        )
    elif report["unanswerable"] < _FEW:
        low, high = f"{report['false_answer_low']:.0%}", f"{report['false_answer_high']:.0%}"
        questions = counted(report["unanswerable"], "unanswerable question")
        note(f"warning: the report has only {questions}: the share answered is between {low} and {high}")
    out(f"\nwritten to {path}: `rag ask --index {index}` abstains below a confidence of {threshold:.3f}")


def _calibratable(run: Path) -> tuple[Any, Any]:
    """Return the run and its configuration. Raises :class:`~eval.errors.EvalError` if it hides answers or has none."""
    from eval.errors import EvalError
    from eval.runs import load_run
    from rag.config import Config
    from rag.factory import least_confidence

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
    return data, config


def _fit(rows: list[dict[str, Any]], share: float | None, seed: int) -> tuple[float, Mapping[str, Any]]:
    from eval.abstention import calibrate as fit

    fitted = fit(rows, max_false_answer=share, seed=seed)
    return fitted.threshold, asdict(fitted)


def _promise(rows: list[dict[str, Any]], max_wrong: float, sure: float) -> tuple[float, Mapping[str, Any]]:
    from eval.risk_control import guarantee

    promised = guarantee(rows, max_wrong=max_wrong, sure=sure)
    if not any(row["impossible"] for row in rows):
        note("warning: every question of the run has an answer in the documents; the promise is about such questions")
    return promised.threshold, asdict(promised)


def _share(option: str, text: str) -> float:
    try:
        value = float(text.strip().removesuffix("%")) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"{option} {text!r} is not a share", "for example 5% or 0.05")
    return value
