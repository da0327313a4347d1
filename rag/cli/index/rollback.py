"""``rag index rollback``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.cli.options import AsJson, ConfigName, IndexFolder, Settings, resolve
from rag.cli.output import documents_json, note, out, out_json
from rag.errors import InputError
from rag.text import documents_by_state

if TYPE_CHECKING:
    from indexes.store.rows import CommitRow

__all__ = ["rollback"]


def rollback(
    to: Annotated[
        int | None, typer.Option("--to", help="The generation to return to; default: the one before the last run.")
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="List the possible generations, and change nothing.")] = False,
    index: IndexFolder = Path(".rag"),
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Undo the last run: restore every document to its state before it, as a new generation.

    The last five runs can be undone. Running the command again undoes the rollback.
    """
    from rag.factory import open_index

    opened = open_index(index, resolve(config, settings).config, write=True)
    with closing(opened.store) as store:
        runs = store.runs()
        if show:
            _print_runs(runs, store.commits(limit=1000), as_json)
            return
        if to is None and not runs:
            raise InputError(
                f"the index in {index} has no earlier state", "restore a snapshot with `rag index restore FILE --force`"
            )
        with opened.writing("rag index rollback"):
            target = store.runs()[0] if to is None else to
            generation = store.roll_back(target)
            opened.sync()
            counts = store.counts()
    if as_json:
        out_json({"index": str(index), "as_of": target, "generation": generation, **documents_json(counts)})
        return
    out(f"{documents_by_state(counts)} · as of generation {target} · generation {generation} in {index}")
    note("The next `rag ingest` brings the index up to date with its folders again.")


def _print_runs(runs: list[int], commits: Sequence[CommitRow], as_json: bool) -> None:
    """Print each possible generation with its time, and what a rollback to it undoes."""
    if as_json:
        out_json(runs)
        return
    times = {commit.generation: commit.committed_at for commit in commits}
    for generation in runs:
        undone = [commit for commit in commits if commit.generation > generation]
        counts = {
            "added": sum(commit.added for commit in undone),
            "changed": sum(commit.changed for commit in undone),
            "removed": sum(commit.removed for commit in undone),
        }
        changes = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "only renames"
        time = times.get(generation) or "before the first document" if generation else "the empty index"
        out(f"generation {generation} · {time} · undoes {changes}")
    if not runs:
        note("No earlier state.")
