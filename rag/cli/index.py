"""``rag index``: what an index folder holds, whether it is whole, and making it anew under other settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.cli.options import AsJson, ConfigName, IndexFolder, Settings, resolve
from rag.cli.output import note, out, out_json, status
from rag.errors import InputError
from rag.text import counted, documents_by_state

if TYPE_CHECKING:
    from indexes.store.rows import CommitRow

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Look into an index folder, check it, make it anew.")

EXIT_DAMAGED = 5


@app.command()
def info(
    index: IndexFolder = Path(".rag"),
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Show what the index holds and what it was made with."""
    from rag.factory import open_index
    from rag.ops.index_stats import index_stats

    resolved = resolve(config, settings)
    store = open_index(index, resolved.config).store
    found = index_stats(index, resolved.config)
    failures = [
        {"source": d.source, "state": d.state, "reason": d.reason, "message": d.message, "remedy": d.remedy}
        for d in store.documents()
        if d.state != "ready"
    ]
    value = {
        "index": str(index),
        "generation": found.generation,
        "counts": found.counts,
        "bytes": found.size,
        "settings": found.settings,
        "derived": found.derived,
        "commits": [asdict(commit) for commit in store.commits()],
        "failures": failures,
    }
    if as_json:
        out_json(value)
        return
    counts = found.counts
    out(f"index       {index} ({found.size / 1e6:.1f} MB), generation {found.generation}")
    out(f"documents   {counts['ready']} ready, {counts['stale']} stale, {counts['failed']} failed")
    unused = found.unused_vectors
    kept = f", and {counted(unused, 'vector')} of texts that are in no document now, kept for reuse" if unused else ""
    out(f"chunks      {counts['chunks']}{kept}")
    for kind, generation in found.derived.items():
        state = "to be built at the next ingest" if generation is None else f"generation {generation}"
        out(f"{kind:<11} {state}")
    for name, setting in found.settings.items():
        out(f"  {name} = {setting}")
    for failure in failures:
        out(f"{failure['state']}: {failure['source']}: {failure['message']}; {failure['remedy']}")


@app.command()
def verify(
    index: IndexFolder = Path(".rag"),
    deep: Annotated[
        bool, typer.Option("--deep", help="Also compare what derived indexes hold of every chunk with the database.")
    ] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Build damaged derived indexes again.")] = False,
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Check every row, checksum and derived index. Exit code 5 if something is wrong."""
    from rag.factory import open_index

    opened = open_index(index, resolve(config, settings).config, write=repair)
    with status("checking"):
        problems = opened.verify(deep=deep)
    repaired = bool(problems) and repair and all(p.repairable for p in problems)
    if repaired:
        with opened.writing("rag index verify --repair"):
            opened.rebuild({problem.part for problem in problems})
        problems_left = opened.verify(deep=deep)
    else:
        problems_left = problems
    if as_json:
        out_json({"ok": not problems_left, "problems": [asdict(p) for p in problems], "repaired": repaired})
    else:
        for problem in problems:
            out(f"{problem.part}: {problem.message}")
        if repaired:
            out("repaired" if not problems_left else "not repaired")
        elif not problems:
            chunks = counted(opened.store.counts()["chunks"], "chunk")
            out(f"all is well: generation {opened.store.generation}, {chunks}")
    if problems_left:
        if all(p.repairable for p in problems_left):
            note(
                "only derived indexes are damaged, and searches pass them over: "
                "`rag index verify --repair` builds them again"
            )
        else:
            note(
                "the database itself is damaged: put it back with `rag index restore FILE --force`, or ingest the "
                "documents into a new folder with `rag ingest PATH --index NEW`"
            )
        raise typer.Exit(EXIT_DAMAGED)


@app.command()
def reembed(
    index: IndexFolder = Path(".rag"),
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Chunk and embed the stored texts anew under the configuration given. The documents' files are not needed."""
    resolved = resolve(config, settings)
    from indexes.store.store import Store
    from rag.cli.ingest import report_json
    from rag.cli.loading import loading
    from rag.cli.progress import progress_bar
    from rag.factory import index_settings, make_chunker, make_embedder, open_to_reembed
    from rag.ingestion.reembed import reembed as reembed_index

    Store.open(index).close()  # a missing index is said before a model is loaded
    with loading(resolved.config):
        embedder = make_embedder(resolved.config)
        chunker = make_chunker(resolved.config, embedder)
    opened = open_to_reembed(index, resolved.config, embedder)
    with opened.writing("rag index reembed"), progress_bar() as show, closing(embedder):
        report = reembed_index(opened, embedder, chunker, index_settings(resolved.config, embedder), show)
    if as_json:
        out_json(report_json(report, str(index)))
    else:
        out(
            f"{counted(report.changed, 'document')}, {counted(report.chunks, 'chunk')}, {report.embedded:,} embedded"
            f" · {report.seconds:.1f} s · generation {report.generation} in {index}"
        )


@app.command()
def compact(
    index: IndexFolder = Path(".rag"),
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Drop vectors that no text needs, traces of removed chunks and earlier versions, and give the space back.

    After that, `rag index rollback` reaches no further back than this.
    """
    from rag.factory import open_index
    from rag.ops.index_stats import bytes_below

    before = bytes_below(index)
    opened = open_index(index, resolve(config, settings).config, write=True)
    with opened.writing("rag index compact"), closing(opened.store), status("compacting"):
        generation = opened.compact()
    after = bytes_below(index)
    if as_json:
        out_json({"generation": generation, "bytes_before": before, "bytes_after": after, "index": str(index)})
    else:
        out(f"{before / 1e6:.1f} MB before, {after / 1e6:.1f} MB now · generation {generation} in {index}")


@app.command()
def snapshot(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    index: IndexFolder = Path(".rag"),
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the index into one file with a checksum. Safe while another process writes."""
    from indexes.backup import write_snapshot
    from indexes.store.store import Store

    if file.is_dir() or not file.absolute().parent.is_dir():
        raise InputError(f"{file} cannot be written: it is a folder, or its folder is not there", "name a new file")
    if file.exists() and not force:
        raise InputError(f"{file} exists already", "name another file, or replace it with --force")
    with closing(Store.open(index)) as store, status("copying"):
        written = write_snapshot(store, file, replace=force)
    if as_json:
        out_json({"file": str(file), "generation": written.generation, "bytes": written.size, "sha256": written.sha256})
    else:
        out(f"{file}: generation {written.generation}, {written.size / 1e6:.1f} MB, SHA-256 {written.sha256}")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `rag index snapshot` wrote.")],
    index: IndexFolder = Path(".rag"),
    force: Annotated[bool, typer.Option("--force", help="Replace the index that is there.")] = False,
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Put an index back from a snapshot, whole or not at all."""
    from indexes.backup import check_snapshot, restore_snapshot
    from indexes.errors import IndexDamagedError
    from indexes.store.store import Store
    from rag.factory import open_index

    resolved = resolve(config, settings)
    check_snapshot(file)
    try:
        there = Store.exists(index)
    except IndexDamagedError:
        there = True
    if there and not force:
        raise InputError(f"there is an index in {index} already", "name another folder with --index, or give --force")
    with status("restoring"):
        info = restore_snapshot(file, index, replace=force)
        opened = open_index(index, resolved.config, write=True)
        with opened.writing("rag index restore"), closing(opened.store):
            opened.sync()
            counts = opened.store.counts()
    if as_json:
        value = {"index": str(index), "generation": info.generation, **_by_state(counts), "made_at": info.made_at}
        out_json(value)
    else:
        out(f"{documents_by_state(counts)} · generation {info.generation}, copied {info.made_at}, in {index}")


@app.command()
def rollback(
    to: Annotated[
        int | None, typer.Option("--to", help="The generation to go back to; the one before the last run if not given.")
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="Show where it can be put back to, and change nothing.")] = False,
    index: IndexFolder = Path(".rag"),
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Undo the last run: put every document back to what it was before it, as a new generation.

    What documents were is kept of the last five runs. Running it again undoes the undoing.
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
                f"the index in {index} remembers no earlier state", "put one back with `rag index restore FILE --force`"
            )
        with opened.writing("rag index rollback"):
            goal = store.runs()[0] if to is None else to
            generation = store.roll_back(goal)
            opened.sync()
            counts = store.counts()
    if as_json:
        out_json({"index": str(index), "as_of": goal, "generation": generation, **_by_state(counts)})
        return
    out(f"{documents_by_state(counts)} · as of generation {goal} · generation {generation} in {index}")
    note("the next `rag ingest` brings the index up to its folders again")


def _by_state(counts: Mapping[str, int]) -> dict[str, int]:
    """Return how many documents there are, failed ones left out, and how many failed."""
    return {"documents": counts["ready"] + counts["stale"], "stale": counts["stale"], "failed": counts["failed"]}


def _print_runs(runs: list[int], commits: Sequence[CommitRow], as_json: bool) -> None:
    """Print each generation that can be gone back to, of when it is, and what going back undoes."""
    if as_json:
        out_json(runs)
        return
    of_when = {commit.generation: commit.committed_at for commit in commits}
    for generation in runs:
        undone = [commit for commit in commits if commit.generation > generation]
        counts = {name: sum(getattr(commit, name) for commit in undone) for name in ("added", "changed", "removed")}
        told = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing but names"
        when = of_when.get(generation) or "before the first document" if generation else "the empty index"
        out(f"generation {generation} · {when} · undoes {told}")
    if not runs:
        note("no earlier state is on record")
