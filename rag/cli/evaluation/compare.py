"""``rag eval compare``: whether a change helped, or chance explains the difference."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rag.cli.options import AsJson
from rag.cli.output import note, out, out_json

__all__ = ["EXIT_WORSE", "compare"]

EXIT_WORSE = 8


def compare(
    run_a: Annotated[Path, typer.Argument(help="The present run, a folder below runs/.")],
    run_b: Annotated[Path, typer.Argument(help="The run to compare with it.")],
    fail_if_worse: Annotated[
        bool, typer.Option("--fail-if-worse", help="Exit 8 if EM, F1 or nDCG@10 is significantly worse, for CI.")
    ] = False,
    samples: Annotated[int, typer.Option("--samples", help="Bootstrap samples.", min=100)] = 10_000,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the bootstrap.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Compare two runs over the same questions: paired bootstrap, McNemar, win/tie/loss, flipped questions."""
    from eval import comparison
    from eval.errors import EvalError
    from eval.metrics import GUARDED

    result = comparison.compare(run_a, run_b, samples=samples, seed=seed)
    if as_json:
        out_json(asdict(result))
    else:
        out(comparison.to_markdown(result))
    missing = [name for name in GUARDED if name in result.not_compared]
    if fail_if_worse and missing:
        raise EvalError(
            f"{', '.join(missing)} cannot be compared: the runs measured it for different questions",
            "compare runs of the same mode over the same questions",
        )
    if result.worse:
        note(f"significantly worse: {', '.join(result.worse)}")
        if fail_if_worse:
            raise typer.Exit(EXIT_WORSE)
