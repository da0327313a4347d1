"""``rag ingest``: files into the index."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag.cli.options import AsJson, ConfigName, IndexFolder, Settings, resolve
from rag.cli.output import note, out, out_json
from rag.errors import UsageError
from rag.text import counted

if TYPE_CHECKING:
    from rag.config import Config
    from rag.ingestion.report import IngestReport, Progress
    from rag.ingestion.run import IngestObserver
    from rag.ingestion.sync import Plan

__all__ = ["EXIT_SOME_FAILED", "ingest", "report_json"]

EXIT_SOME_FAILED = 7
_MOST_SHOWN = 20
_READS = ("added", "changed")


def ingest(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders to read.", show_default=False, readable=False)
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Remove documents whose files are gone or ignored.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="With --prune: also where a folder is empty or not there.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and change nothing.")] = False,
    rehash: Annotated[bool, typer.Option("--rehash", help="Read every file, whatever its times say.")] = False,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Read files again that failed before; without paths, all of them."),
    ] = False,
    index: IndexFolder = Path(".rag"),
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Read documents into the index: texts, office files, tables, data, mail and source code.

    In folders, files with the endings of docs/formats.md are read (.pdf .docx .xlsx .html .md .csv .json .eml .py and
    some fifty more); hidden ones, links to folders and what a .ragignore names are passed over. A file that is named
    itself is read whatever it is called: what it is, its content tells.

    Unchanged files are skipped, changed ones replaced, moved ones renamed; --prune removes those that are gone. A
    file that cannot be read is reported and the others go on (exit code 7, as long as it is there and cannot be read).
    """
    if not paths and not retry_failed:
        raise UsageError("no path is given", "for example: rag ingest docs")
    if force and not prune:
        raise UsageError("--force says nothing without --prune", "give both, or neither")
    resolved = resolve(config, settings)
    from rag.factory import make_ingest_parts
    from rag.ingestion.run import IngestOptions, ingest_paths, plan_ingest

    options = IngestOptions(prune=prune, force=force, rehash=rehash, retry_failed=retry_failed)
    if dry_run:
        _print_plan(plan_ingest(index, paths or [], options), str(index), as_json)
        return
    with _on_stderr(resolved.config) as observer:
        parts = make_ingest_parts(resolved.config)
        report = ingest_paths(parts, index, paths or [], options, observer=observer, purpose="rag ingest")
    _print_report(report, str(index), as_json)
    if report.failed:
        raise typer.Exit(EXIT_SOME_FAILED)


@contextmanager
def _on_stderr(config: Config) -> Iterator[IngestObserver]:
    """Show a run on stderr: a spinner while the embedder loads, then a progress bar."""
    from rag.cli.loading import loading
    from rag.cli.progress import progress_bar
    from rag.ingestion.run import IngestObserver

    with ExitStack() as stack:
        bar: list[Callable[[Progress], None]] = []  # begins with the reading, when the spinner has gone

        def show(progress: Progress) -> None:
            if not bar:
                bar.append(stack.enter_context(progress_bar()))
            bar[0](progress)

        yield IngestObserver(loading=lambda: loading(config), progress=show)


def _print_plan(plan: Plan, index: str, as_json: bool) -> None:
    from rag.cli.progress import duration

    unreadable = [w.file.source for w in plan.to_read if w.file.status is None]
    reads = {what: [w.file.source for w in plan.to_read if w.what == what and w.file.status] for what in _READS}
    seconds = plan.seconds
    if as_json:
        out_json(
            {
                "index": index,
                "added": reads["added"],
                "changed": reads["changed"],
                "unreadable": unreadable,
                "moved": [
                    *({"from": move.old, "to": move.new} for move in plan.moves),
                    *({"from": w.instead_of, "to": w.file.source} for w in plan.to_read if w.instead_of),
                ],
                "removed": plan.removed,
                "unchanged": plan.unchanged,
                "failed": [failure.source for failure in plan.failures],
                "bytes": plan.size,
                "seconds": None if seconds is None else round(seconds, 3),
            }
        )
        return
    for what, names in (
        ("add", reads["added"]),
        ("read again", reads["changed"]),
        ("cannot read", unreadable),
        ("rename", [f"{move.old} → {move.new}" for move in plan.moves]),
        ("rename", [f"{w.instead_of} → {w.file.source}" for w in plan.to_read if w.instead_of]),
        ("remove", plan.removed),
    ):
        for name in names[:_MOST_SHOWN]:
            out(f"{what:<11} {name}")
        if len(names) > _MOST_SHOWN:
            out(f"{what:<11} ... and {len(names) - _MOST_SHOWN} more")
    out(
        f"{len(reads['added'])} to add, {len(reads['changed'])} to read again, {plan.moved} to rename, "
        f"{len(plan.removed)} to remove, {plan.unchanged} unchanged, {len(plan.failures)} failed before"
        f"{f', {len(unreadable)} cannot be read' if unreadable else ''}"
        f" · {plan.size / 1e6:.1f} MB to read"
    )
    if not plan.to_read:
        out("nothing is to be embedded")
    elif seconds is None:
        out("how long that takes is not known: this index has taken in nothing yet")
    else:
        told = f"about {duration(seconds)}" if seconds >= 1 else "less than a second"
        speed = f"{plan.bytes_per_second or 0:,.0f} bytes/s"
        out(f"{told} at the {speed} of the last runs, and some seconds to load the embedder")


def _print_report(report: IngestReport, index: str, as_json: bool) -> None:
    from rag.ingestion.discovery import IGNORED, LINKED_FOLDER

    for failure in report.failures[:_MOST_SHOWN]:
        note(f"failed: {failure.source}: {failure.message}; {failure.remedy}")
    if len(report.failures) > _MOST_SHOWN:
        note(f"... and {len(report.failures) - _MOST_SHOWN} more; `rag documents list --failed` lists them all")
    if report.reported:
        note(
            f"{report.reported} of the failed files failed before and did not change since: "
            "`rag ingest --retry-failed` tries again, a .ragignore passes over"
        )
    skipped = dict(report.skipped)
    linked, ignored = skipped.pop(LINKED_FOLDER, 0), skipped.pop(IGNORED, 0)
    if skipped:
        told = ", ".join(f"{count} {suffix}" for suffix, count in sorted(skipped.items()))
        note(f"passed over, not a kind of document: {told}")
    if linked:
        note(f"passed over: {counted(linked, LINKED_FOLDER)}; name one to have it read")
    if ignored:
        note(f"passed over: {ignored} {IGNORED}")
    if report.gone:
        told = counted(report.gone, "document stays whose file is", "documents stay whose files are")
        note(f"{told} not there any more; --prune removes what is gone")
    for folder, count in report.spared.items():
        note(
            f"{folder} is empty, as if a disk were not mounted: "
            f"{counted(count, 'document from there stays', 'documents from there stay')}; --force removes what is gone"
        )
    if report.same or report.near:
        alike = ((report.same, "the same"), (report.near, "nearly the same"))
        counts = ", ".join(f"{count} {how}" for count, how in alike if count)
        note(f"documents that say what another one says: {counts}; `rag documents list --duplicates` shows them")
    if as_json:
        out_json(report_json(report, index))
        return
    rearranged = "".join(f"{n} {what}, " for n, what in ((report.moved, "moved"), (report.removed, "removed")) if n)
    rate = f" ({report.embedded / report.seconds:.1f}/s)" if report.embedded and report.seconds else ""
    out(
        f"{report.added} added, {report.changed} changed, {rearranged}"
        f"{report.unchanged} unchanged, {report.failed} failed"
        f" · {counted(report.chunks, 'chunk')}, {report.embedded:,} embedded{rate}"
        f" · {report.seconds:.1f} s · generation {report.generation} in {index}"
    )
    if report.bytes:
        _print_speed(report)


def _print_speed(report: IngestReport) -> None:
    from rag.cli.progress import what_limits, where_the_time_went

    lasting = sum(seconds for stage, seconds in report.stages.items() if stage not in ("find", "load"))
    speed = f"{report.bytes / 1e6:.2f} MB, {counted(report.tokens, 'token')}"
    if lasting:
        speed += f" ({report.tokens / lasting:,.0f}/s)"
    out(f"{speed} · time: {where_the_time_went(report.stages)} · what limits: {what_limits(report.stages)}")


def report_json(report: IngestReport, index: str) -> dict[str, Any]:
    """Return the report as JSON values."""
    from rag.ingestion.report import bottleneck

    value = asdict(report)
    value["failures"] = [
        {"source": f.source, "reason": f.reason, "message": f.message, "remedy": f.remedy} for f in report.failures
    ]
    value["seconds"], value["parse_seconds"] = round(report.seconds, 3), round(report.parse_seconds, 3)
    found = bottleneck(report.stages)
    value["limit"] = None if found is None else {"stage": found[0], "share": round(found[1], 3)}
    value["stages"] = {stage: round(seconds, 3) for stage, seconds in report.stages.items()}
    return value | {"index": index}
