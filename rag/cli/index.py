"""``rag index``: what an index folder holds, whether it is whole, and making it anew under other settings."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rag.cli.options import AsJson, ConfigName, IndexFolder, Settings, resolve
from rag.cli.output import note, out, out_json, status

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
    from rag.build import open_index

    opened = open_index(index, resolve(config, settings).config)
    store = opened.store
    published = {kind: p.generation if p else None for kind, p in opened.published().items()}
    size = _size(index)
    failures = [
        {"source": d.source, "state": d.state, "reason": d.reason, "message": d.message, "remedy": d.remedy}
        for d in store.documents()
        if d.state != "ready"
    ]
    value = {
        "index": str(index),
        "generation": store.generation,
        "counts": store.counts(),
        "bytes": size,
        "settings": store.settings,
        "derived": published,
        "commits": [asdict(commit) for commit in store.commits()],
        "failures": failures,
    }
    if as_json:
        out_json(value)
        return
    counts = store.counts()
    out(f"index       {index} ({size / 1e6:.1f} MB), generation {store.generation}")
    out(f"documents   {counts['ready']} ready, {counts['stale']} stale, {counts['failed']} failed")
    unused = store.unused_vectors()
    kept = f", and {unused} vectors of earlier texts kept for reuse" if unused else ""
    out(f"chunks      {counts['chunks']}{kept}")
    for kind, generation in published.items():
        state = "to be built at the next ingest" if generation is None else f"generation {generation}"
        out(f"{kind:<11} {state}")
    for name, setting in store.settings.items():
        out(f"  {name} = {setting}")
    for failure in failures:
        out(f"{failure['state']}: {failure['source']}: {failure['message']}; {failure['remedy']}")


def _size(folder: Path) -> int:
    """Return the bytes of all files below; one that a writer removes meanwhile does not count."""
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                size += (Path(parent) / name).stat().st_size
    return size


@app.command()
def verify(
    index: IndexFolder = Path(".rag"),
    repair: Annotated[bool, typer.Option("--repair", help="Build damaged derived indexes again.")] = False,
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Check every row, checksum and derived index. Exit code 5 if something is wrong."""
    from rag.build import open_index

    opened = open_index(index, resolve(config, settings).config, write=repair)
    with status("checking"):
        problems = opened.verify()
    repaired = bool(problems) and repair and all(p.repairable for p in problems)
    if repaired:
        with opened.writing("rag index verify --repair"):
            opened.rebuild({problem.part for problem in problems})
        problems_left = opened.verify()
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
            out(f"all is well: generation {opened.store.generation}, {opened.store.counts()['chunks']} chunks")
    if problems_left:
        if all(p.repairable for p in problems_left):
            note(
                "only derived indexes are damaged, and searches pass them over: "
                "`rag index verify --repair` builds them again"
            )
        else:
            note(
                "the database itself is damaged: ingest the documents into a new folder with "
                "`rag ingest PATH --index NEW`"
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
    from indexes.store import Store
    from rag.build import index_settings, make_chunker, make_embedder, open_to_reembed
    from rag.cli.ingest import progress_bar, report_json
    from rag.ingest import reembed as reembed_index

    Store.open(index).close()  # a missing index is said before a model is loaded
    with status("loading the embedder"):
        embedder = make_embedder(resolved.config)
        chunker = make_chunker(resolved.config, embedder)
    opened = open_to_reembed(index, resolved.config, embedder)
    with opened.writing("rag index reembed"), progress_bar() as show, closing(embedder):
        report = reembed_index(opened, embedder, chunker, index_settings(resolved.config, embedder), show)
    if as_json:
        out_json(report_json(report, str(index)))
    else:
        out(
            f"{report.changed} documents, {report.chunks} chunks, {report.embedded} embedded"
            f" · {report.seconds:.1f} s · generation {report.generation} in {index}"
        )
