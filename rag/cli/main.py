"""The ``rag`` command: puts the commands together and turns every error into one sentence and an exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from eval.errors import EvalError
from rag import __version__
from rag.cli import config, documents, index
from rag.cli.ask import ask
from rag.cli.doctor import doctor
from rag.cli.evaluation.app import app as evaluation
from rag.cli.ingest import ingest
from rag.cli.output import note
from rag.cli.search import search
from rag.cli.train import app as train
from rag.cli.ui import ui
from rag.cli.why import why
from rag.errors import FAILURES, explain

__all__ = ["app", "guarded", "main", "run"]

EPILOG = (
    "Exit codes: 0 ok, 1 error, 2 usage, 4 no index, 5 index damaged, 6 generator unreachable, 7 some files failed, "
    "8 significantly worse (`rag eval compare --fail-if-worse`), 75 index locked, 130 interrupted. Data goes to "
    "stdout, everything else to stderr."
)
EXIT_INTERRUPTED = 130
# Commands that keep what they did when they are interrupted, beside `ask --batch`.
RESUMABLE = (["ingest"], ["index", "reembed"], ["eval", "run"], ["eval", "sweep"])

app = typer.Typer(
    name="rag",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Ask questions over your own documents, offline, with citations that are checked.",
    epilog=EPILOG,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rag {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Ask questions over your own documents, offline, with citations that are checked."""


app.command()(ingest)
app.command()(search)
app.command()(ask)
app.command()(why)
app.command()(doctor)
app.command()(ui)
app.add_typer(documents.app, name="documents")
app.add_typer(index.app, name="index")
app.add_typer(config.app, name="config")
app.add_typer(evaluation, name="eval")
app.add_typer(train, name="train")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    return guarded(lambda: app(args=words, standalone_mode=True), goes_on=_goes_on(words))


def _goes_on(words: Sequence[str]) -> bool:
    """Return whether a command that is interrupted goes on from there when it is given again."""
    if words[:1] == ["ask"]:
        return any(word.split("=")[0] == "--batch" for word in words)
    return words[:1] in RESUMABLE or words[:2] in RESUMABLE


def guarded(work: Callable[[], object], *, goes_on: bool = False) -> int:
    """Do the work and return its exit code, every error told in one sentence."""
    try:
        work()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        if code == EXIT_INTERRUPTED:
            more = "; what was committed is kept, and the same command goes on from there" if goes_on else ""
            note(f"interrupted{more}")
        return code
    except EvalError as error:
        return _fail(error.message, error.remedy, 1)
    except FAILURES as error:
        failure = explain(error)
        return _fail(failure.message, failure.remedy, failure.exit_code)
    return 0


def _fail(message: str, remedy: str, code: int) -> int:
    note(f"error: {message}")
    if remedy:
        note(f"  {remedy}")
    return code


def run() -> None:
    """Entry point of the ``rag`` command, once it is imported; :mod:`rag.__main__` calls it."""
    _occupy_standard_descriptors()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a letter is no reason to stop
    code = main()
    if sys.stdout is not None:
        sys.stdout.flush()
    sys.exit(code)


def _occupy_standard_descriptors() -> None:
    """Open /dev/null for each of 0, 1 and 2 that is closed: else a database gets the number, and is written into."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
