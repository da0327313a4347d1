"""``rag index verify``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.cli.options import AsJson, ConfigName, IndexFolder, Settings, resolve
from rag.cli.output import note, out, out_json
from rag.cli.progress import status
from rag.text import counted

if TYPE_CHECKING:
    from indexes import Problem

__all__ = ["verify"]

EXIT_DAMAGED = 5


def verify(
    index: IndexFolder = Path(".rag"),
    deep: Annotated[
        bool, typer.Option("--deep", help="Also compare every chunk of the derived indexes with the database.")
    ] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Rebuild damaged derived indexes.")] = False,
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Check every row, checksum and derived index. Exit code 5 if something is wrong."""
    from rag.factory import open_index

    opened = open_index(index, resolve(config, settings).config, write=repair)
    with closing(opened.store) as store:
        with status("checking"):
            problems = opened.verify(deep=deep)
        repaired = bool(problems) and repair and all(p.repairable for p in problems)
        left = problems
        if repaired:
            with opened.writing("rag index verify --repair"):
                opened.rebuild({problem.part for problem in problems})
            left = opened.verify(deep=deep)
        summary = f"no problems: generation {store.generation}, {counted(store.counts()['chunks'], 'chunk')}"
    if as_json:
        out_json({"ok": not left, "problems": [asdict(p) for p in problems], "repaired": repaired})
    else:
        for problem in problems:
            out(f"{problem.part}: {problem.message}")
        if repaired:
            out("not repaired" if left else "repaired")
        elif not problems:
            out(summary)
    if left:
        note(_remedy(left))
        raise typer.Exit(EXIT_DAMAGED)


def _remedy(problems: Sequence[Problem]) -> str:
    if all(problem.repairable for problem in problems):
        return "Only derived indexes are damaged; searches ignore them. To rebuild them: `rag index verify --repair`."
    return (
        "The database itself is damaged. Restore it with `rag index restore FILE --force`, or ingest the documents "
        "into a new folder with `rag ingest PATH --index NEW`."
    )
