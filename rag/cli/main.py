"""The ``rag`` command: a table of its commands, and one place that turns errors into a message and an exit code.

A command is a module with a function and one row in :data:`COMMANDS`. It is imported when it is used, so commands stay
fast as long as they import heavy packages inside their functions.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from eval.errors import EvalError
from rag import __version__
from rag.cli.output import checked_stream, note
from rag.errors import FAILURES, explain

__all__ = ["COMMANDS", "GROUPS", "Command", "Group", "app", "guarded", "main", "run"]

EPILOG = (
    "Exit codes: 0 ok, 1 error, 2 usage, 4 no index, 5 index damaged, 6 generator unreachable, 7 some files failed, "
    "8 significantly worse (`rag eval compare --fail-if-worse`), 75 index locked, 130 interrupted. Data goes to "
    "stdout, everything else to stderr."
)
EXIT_INTERRUPTED = 130


@dataclass(frozen=True)
class Command:
    """A command as it is typed after ``rag``, and its function. The function's docstring is the help text.

    ``resumable``: after an interruption, the same command continues with what is left.
    """

    name: str
    module: str
    function: str
    resumable: bool = False


@dataclass(frozen=True)
class Group:
    """A group of commands. ``default`` names the command that may be left out."""

    help: str
    epilog: str = ""
    default: str = ""


COMMANDS = [
    Command("ingest", "rag.cli.ingest", "ingest", resumable=True),
    Command("watch", "rag.cli.watch", "watch"),
    Command("search", "rag.cli.search", "search"),
    Command("ask", "rag.cli.ask", "ask"),
    Command("why", "rag.cli.why", "why"),
    Command("doctor", "rag.cli.doctor", "doctor"),
    Command("ui", "rag.cli.ui", "ui"),
    Command("documents list", "rag.cli.documents.list", "list_documents"),
    Command("documents show", "rag.cli.documents.show", "show"),
    Command("documents text", "rag.cli.documents.text", "text"),
    Command("documents rm", "rag.cli.documents.rm", "rm"),
    Command("index info", "rag.cli.index.info", "info"),
    Command("index verify", "rag.cli.index.verify", "verify"),
    Command("index reembed", "rag.cli.index.reembed", "reembed", resumable=True),
    Command("index compact", "rag.cli.index.compact", "compact"),
    Command("index snapshot", "rag.cli.index.snapshot", "snapshot"),
    Command("index restore", "rag.cli.index.restore", "restore"),
    Command("index rollback", "rag.cli.index.rollback", "rollback"),
    Command("config show", "rag.cli.config", "show"),
    Command("eval run", "rag.cli.evaluation.run", "run", resumable=True),
    Command("eval score", "rag.cli.evaluation.score", "score"),
    Command("eval compare", "rag.cli.evaluation.compare", "compare"),
    Command("eval calibrate", "rag.cli.evaluation.calibrate", "calibrate"),
    Command("eval sweep", "rag.cli.evaluation.sweep", "sweep", resumable=True),
    Command("train reader", "rag.cli.train", "reader"),
    Command("train reranker", "rag.cli.train", "reranker"),
    Command("train finish", "rag.cli.train", "finish"),
]
GROUPS = {
    "documents": Group("List the documents of an index, show one or its text, or remove some."),
    "index": Group("Show, check, copy, and rebuild an index folder."),
    "config": Group("Show the configuration."),
    "eval": Group(
        "Measure answers on a dataset with `rag eval DATASET`, and compare runs.",
        epilog="`rag eval DATASET …` is short for `rag eval run DATASET …`.",
        default="run",
    ),
    "train": Group("Train a model of your own."),
}


class _TableGroup(TyperGroup):
    """A group whose commands come from :data:`COMMANDS`, each imported when it is needed. The root has no row."""

    @property
    def _prefix(self) -> str:
        return f"{self.name} " if self.name in GROUPS else ""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature of click
        """Return the names in the order of the table."""
        rows = (row.name.removeprefix(self._prefix) for row in COMMANDS if row.name.startswith(self._prefix))
        return list(dict.fromkeys(name.split()[0] for name in rows))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the signature of click
        """Return a command or a group, None if there is none."""
        if not self._prefix and cmd_name in GROUPS:
            group = GROUPS[cmd_name]
            return typer.main.get_group(
                typer.Typer(
                    name=cmd_name, cls=_TableGroup, no_args_is_help=True, help=group.help, epilog=group.epilog or None
                )
            )
        for row in COMMANDS:
            if row.name == self._prefix + cmd_name:
                single = typer.Typer(add_completion=False)
                single.command(cmd_name)(getattr(import_module(row.module), row.function))
                return typer.main.get_command(single)
        return None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert the default command if the first argument names no command."""
        default = GROUPS[self.name].default if self.name in GROUPS else ""
        if default and args and args[0] not in self.list_commands(ctx) and args[0] != "--help":
            args = [default, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="rag",
    cls=_TableGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Ask questions over your own documents, offline, with checked citations.",
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
    """Take the options of ``rag`` itself."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    return guarded(lambda: app(args=words, standalone_mode=True), resumable=_is_resumable(words))


def _is_resumable(words: Sequence[str]) -> bool:
    """Return whether a command, given again after an interruption, continues with what is left."""
    if words[:1] == ["ask"]:
        return any(word.split("=")[0] == "--batch" for word in words)
    group = words[0] if words else ""
    default = f"{group} {GROUPS[group].default}" if group in GROUPS else ""
    rows = {row.name: row for row in COMMANDS}
    row = next((rows[name] for name in (group, " ".join(words[:2]), default) if name in rows), None)
    return row is not None and row.resumable


def guarded(work: Callable[[], object], *, resumable: bool = False) -> int:
    """Do the work and return its exit code. An error becomes a message on stderr."""
    try:
        work()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        if code == EXIT_INTERRUPTED:
            note("interrupted" + ("; run the same command again to continue" if resumable else ""))
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
    """Run the ``rag`` command. :mod:`rag.__main__` calls it."""
    _occupy_standard_descriptors()
    sys.stdout, sys.stderr = checked_stream(sys.stdout), checked_stream(sys.stderr)
    code = main()
    sys.exit(code or guarded(lambda: print(end="", flush=True)))  # noqa: T201 - flushes what the help has printed


def _occupy_standard_descriptors() -> None:
    """Open /dev/null for each of 0, 1 and 2 that is closed. Otherwise a database could get that number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
