"""``rag ingest``: files into the index."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag.cli.options import AsJson, ConfigName, IndexFolder, Settings, resolve
from rag.cli.output import note, out, out_json, status

if TYPE_CHECKING:
    from rag.config import Config
    from rag.ingest import IngestReport, Progress
    from rag.sources import Found

__all__ = ["EXIT_SOME_FAILED", "ingest", "progress_bar"]

EXIT_SOME_FAILED = 7
_MOST_SHOWN = 20


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders to read.", show_default=False, readable=False)],
    index: IndexFolder = Path(".rag"),
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Read documents into the index: Markdown, HTML, PDF and plain text.

    In folders, files with these endings are read: .md .markdown .html .htm .xhtml .txt .text .log .rst .pdf; hidden
    ones and links to folders are passed over. A file that is named itself is read whatever it is called, as text
    where its content is no PDF or HTML.

    Unchanged files are skipped, changed ones replaced. A file that cannot be read is reported and the others go on
    (exit code 7).
    """
    started = time.monotonic()
    resolved = resolve(config, settings)
    from rag.sources import find_sources

    found = find_sources(paths, index.resolve().parent)  # a wrong path is said before a model is loaded
    report = _unchanged(index, resolved.config, found) or _ingest(index, resolved.config, found)
    report.seconds = time.monotonic() - started
    _print_report(report, str(index), as_json)
    if report.failed:
        raise typer.Exit(EXIT_SOME_FAILED)


def _unchanged(index: Path, config: Config, found: Found) -> IngestReport | None:
    """Do without the embedder, which takes seconds to load, where there is nothing to embed."""
    from rag.build import open_unless_other
    from rag.ingest import ingest_unchanged

    opened = open_unless_other(index, config)
    if opened is None:
        return None
    with opened.writing("rag ingest"), closing(opened.store):
        return ingest_unchanged(opened, found)


def _ingest(index: Path, config: Config, found: Found) -> IngestReport:
    from rag.build import make_chunker, make_embedder, open_or_create
    from rag.ingest import Ingestor

    with status("loading the embedder"):
        embedder = make_embedder(config)
        chunker = make_chunker(config, embedder)
    opened = open_or_create(index, config, embedder)
    with opened.writing("rag ingest"), progress_bar() as show, closing(embedder):
        return Ingestor(opened, embedder, chunker, show).read(found)


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None]]:
    """Show files, chunks a second and the time left on stderr, where it is a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.fields[stage]:<9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files"),
        TextColumn("{task.fields[rate]:6.1f} chunks/s"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), disable=not Console(stderr=True).is_terminal) as bar:
        task = bar.add_task("", total=None, stage="reading", rate=0.0)

        def show(progress: Progress) -> None:
            elapsed = bar.tasks[0].elapsed or 0.0
            bar.update(
                task,
                total=progress.files,
                completed=progress.files_done,
                stage=progress.stage,
                rate=progress.chunks / elapsed if elapsed else 0.0,
            )

        yield show


def _print_report(report: IngestReport, index: str, as_json: bool) -> None:
    from rag.sources import LINKED_FOLDER

    for failure in report.failures[:_MOST_SHOWN]:
        note(f"failed: {failure.source}: {failure.message}; {failure.remedy}")
    if len(report.failures) > _MOST_SHOWN:
        note(f"... and {len(report.failures) - _MOST_SHOWN} more; `rag index info --json` lists them all")
    skipped = dict(report.skipped)
    linked = skipped.pop(LINKED_FOLDER, 0)
    if skipped:
        told = ", ".join(f"{count} {suffix}" for suffix, count in sorted(skipped.items()))
        note(f"passed over, not a kind of document: {told}")
    if linked:
        note(f"passed over: {linked} {LINKED_FOLDER}{'s' if linked > 1 else ''}; name one to have it read")
    if as_json:
        out_json(report_json(report, index))
        return
    rate = report.embedded / report.stages["embed"] if report.stages.get("embed") else 0.0
    out(
        f"{report.added} added, {report.changed} changed, {report.unchanged} unchanged, {report.failed} failed"
        f" · {report.chunks} chunks, {report.embedded} embedded ({rate:.1f}/s)"
        f" · {report.seconds:.1f} s · generation {report.generation} in {index}"
    )


def report_json(report: IngestReport, index: str) -> dict[str, Any]:
    """Return the report as JSON values."""
    value = asdict(report)
    value["failures"] = [
        {"source": f.source, "reason": f.reason, "message": f.message, "remedy": f.remedy} for f in report.failures
    ]
    value["seconds"] = round(report.seconds, 3)
    value["stages"] = {stage: round(seconds, 3) for stage, seconds in report.stages.items()}
    return value | {"index": index}
