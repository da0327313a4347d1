"""The commands of ``rag eval``, put together."""

from __future__ import annotations

import typer

from rag.cli.evaluation.calibrate import calibrate
from rag.cli.evaluation.compare import compare
from rag.cli.evaluation.group import DefaultGroup
from rag.cli.evaluation.run import run
from rag.cli.evaluation.score import score
from rag.cli.evaluation.sweep import sweep

__all__ = ["app"]

app = typer.Typer(
    name="eval",
    cls=DefaultGroup,
    no_args_is_help=True,
    help="Measure answers the way the field does: `rag eval DATASET`, and say whether a change helped.",
    epilog="`rag eval DATASET …` is short for `rag eval run DATASET …`.",
)
app.command()(run)
app.command()(score)
app.command()(compare)
app.command()(calibrate)
app.command()(sweep)
