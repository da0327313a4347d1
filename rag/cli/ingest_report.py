"""How an ingestion is shown: its progress, its plan, and its report as text and as JSON values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rag.cli.output import note, out
from rag.cli.progress import duration, loading, progress, status
from rag.cli.reading_notes import print_notes
from rag.ingestion.discovery import IGNORED, LINKED_FOLDER, LINKED_OUT
from rag.ingestion.loaders.formats import extensions
from rag.ingestion.report import AFTER_READING, IngestReport, Progress, bottleneck, shares
from rag.ingestion.sync import Plan
from rag.text import counted, one_line

if TYPE_CHECKING:
    from rag.config import Config
    from rag.ingestion.run import IngestObserver

__all__ = [
    "plan_json",
    "print_plan",
    "print_problems",
    "print_report",
    "print_report_line",
    "progress_text",
    "report_json",
    "show_ingestion",
    "shown_on_stderr",
    "stage_shares",
]

_LINE_EVERY_S = 10.0
_MAX_SHOWN = 20
_SMALL_SHARE = 0.01
_PARTS = {"vectors": "the dense index", "words": "the lexical index", "signatures": "signatures"}
_READS = ("added", "changed")


# Progress --------------------------------------------------------------------------------------------------------


@contextmanager
def show_ingestion(*, hidden: bool = False) -> Iterator[Callable[[Progress], None]]:
    """Yield what draws the progress of an ingestion on stderr."""
    with progress("", line_every_s=_LINE_EVERY_S, hidden=hidden) as draw:

        def show(step: Progress) -> None:
            done, total = step.bytes_done, step.bytes
            if step.stage in AFTER_READING:
                done, total = step.part_done, step.part_of
            draw(done, total, f"{progress_text(step)}\n{stage_shares(step.stages)}", label=step.stage)

        yield show


@contextmanager
def shown_on_stderr(config: Config) -> Iterator[IngestObserver]:
    """Show an ingestion on stderr: the loading of the embedder, then the reading."""
    from rag.ingestion.run import IngestObserver

    with ExitStack() as stack:
        bar: list[Callable[[Progress], None]] = []  # begins with the reading, after the loading is shown

        def show(step: Progress) -> None:
            if not bar:
                bar.append(stack.enter_context(show_ingestion()))
            bar[0](step)

        yield IngestObserver(
            loading=lambda: loading(config),
            progress=show,
            fetching=lambda url: status(f"fetching {one_line(url, 100)}"),
        )


def progress_text(step: Progress) -> str:
    """Return how far an ingestion is, how fast it is, and how long it will take."""
    parts = [
        f"{step.files_done:,} of {counted(step.files, 'file')}",
        f"{step.bytes_done / 1e6:,.1f} of {step.bytes / 1e6:,.1f} MB",
    ]
    if step.seconds and step.chunks:
        parts.append(f"{step.chunks / step.seconds:,.1f} chunks/s")
        parts.append(f"{step.tokens / step.seconds:,.0f} tokens/s")
    if step.left is not None:
        parts.append(f"{duration(step.left)} left")
    if step.part_of:
        parts.append(f"{_PARTS[step.part]} {100 * step.part_done // step.part_of} %")
    return " · ".join(parts)


def stage_shares(stages: Mapping[str, float]) -> str:
    """Return the five slowest stages with their shares of the time."""
    slowest = shares(stages)[:5]
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in slowest if share >= _SMALL_SHARE)


# Plan ------------------------------------------------------------------------------------------------------------


def plan_json(plan: Plan, index: str) -> dict[str, Any]:
    """Return a plan as JSON values."""
    reads, unreadable = _reads(plan)
    return {
        "index": index,
        "added": reads["added"],
        "changed": reads["changed"],
        "unreadable": unreadable,
        "moved": [{"from": old, "to": new} for old, new in _renames(plan)],
        "removed": plan.removed,
        "unchanged": plan.unchanged,
        "failed": [failure.source for failure in plan.failures],
        "bytes": plan.size,
        "seconds": None if plan.seconds is None else round(plan.seconds, 3),
    }


def print_plan(plan: Plan) -> None:
    """Print what an ingestion would do."""
    reads, unreadable = _reads(plan)
    actions = {
        "add": reads["added"],
        "read again": reads["changed"],
        "cannot read": unreadable,
        "rename": [f"{old} → {new}" for old, new in _renames(plan)],
        "remove": plan.removed,
    }
    for action, names in actions.items():
        for name in names[:_MAX_SHOWN]:
            out(f"{action:<11} {name}")
        if len(names) > _MAX_SHOWN:
            out(f"{action:<11} ... and {len(names) - _MAX_SHOWN} more")
    out(
        f"{len(reads['added'])} to add, {len(reads['changed'])} to read again, {plan.moved} to rename, "
        f"{len(plan.removed)} to remove, {plan.unchanged} unchanged, {len(plan.failures)} failed before"
        f"{f', {len(unreadable)} cannot be read' if unreadable else ''}"
        f" · {plan.size / 1e6:.1f} MB to read"
    )
    out(_estimate(plan))


def _reads(plan: Plan) -> tuple[dict[str, list[str]], list[str]]:
    """Return the files to read, by what happened to them, and those that cannot be read."""
    unreadable = [w.file.source for w in plan.to_read if not (w.file.status or w.file.content)]
    reads = {
        what: [w.file.source for w in plan.to_read if w.what == what and w.file.source not in unreadable]
        for what in _READS
    }
    return reads, unreadable


def _renames(plan: Plan) -> list[tuple[str, str]]:
    """Return the old and new name of every moved document, the unchanged ones first."""
    changed = [(w.instead_of, w.file.source) for w in plan.to_read if w.instead_of]
    return [*((move.old, move.new) for move in plan.moves), *changed]


def _estimate(plan: Plan) -> str:
    if not plan.to_read:
        return "Nothing to embed."
    if plan.seconds is None:
        return "No estimate yet: this is the first run."
    time = f"about {duration(plan.seconds)}" if plan.seconds >= 1 else "less than a second"
    return (
        f"{time} at {plan.bytes_per_second or 0:,.0f} bytes/s, the speed of the last runs; loading takes seconds more"
    )


# Report ----------------------------------------------------------------------------------------------------------


def print_report(report: IngestReport, index: str) -> None:
    """Print what an ingestion did, and how fast it was."""
    print_report_line(report, index)
    if report.bytes:
        seconds = sum(spent for stage, spent in report.stages.items() if stage not in ("find", "load"))
        rate = f" ({report.tokens / seconds:,.0f}/s)" if seconds else ""
        slowest = bottleneck(report.stages)
        out(
            f"{report.bytes / 1e6:.2f} MB, {counted(report.tokens, 'token')}{rate} · time: "
            f"{stage_shares(report.stages)} · bottleneck: {slowest[0] if slowest else 'none'}"
        )


def print_report_line(report: IngestReport, index: str, before: str = "") -> None:
    """Print in one line what an ingestion did."""
    moves = "".join(f"{n} {what}, " for n, what in ((report.moved, "moved"), (report.removed, "removed")) if n)
    rate = f" ({report.embedded / report.seconds:.1f}/s)" if report.embedded and report.seconds else ""
    out(
        f"{before}{report.added} added, {report.changed} changed, {moves}"
        f"{report.unchanged} unchanged, {report.failed} failed"
        f" · {counted(report.chunks, 'chunk')}, {report.embedded:,} embedded{rate}"
        f" · {report.seconds:.1f} s · generation {report.generation} in {index}"
    )


def print_problems(report: IngestReport) -> None:
    """Write what an ingestion could not read, read in part, skipped, or spared to stderr."""
    for failure in report.failures[:_MAX_SHOWN]:
        note(f"failed: {failure.source}: {failure.message}; {failure.remedy}")
    if len(report.failures) > _MAX_SHOWN:
        note(f"... and {len(report.failures) - _MAX_SHOWN} more; `rag documents list --failed` lists them all")
    if report.reported:
        note(
            f"{report.reported} of the failed files failed before and have not changed since. To try them again, use "
            "`rag ingest --retry-failed`; to skip them, use a .ragignore."
        )
    print_notes(report.notes)
    for line in _skipped(report):
        note(line)
    if report.gone:
        count = counted(report.gone, "document remains whose file is", "documents remain whose files are")
        note(f"{count} gone. To remove what is gone, use --prune.")
    if report.ignored:
        count = counted(report.ignored, "document remains whose file is", "documents remain whose files are")
        note(f"{count} {IGNORED}. To remove what is ignored, use --prune.")
    for folder, spared in report.spared.items():
        count = counted(spared, "document from it remains", "documents from it remain")
        note(f"{folder} is empty, perhaps an unmounted disk: {count}. To remove what is gone, use --force.")
    if report.same or report.near:
        counts = ((report.same, "identical"), (report.near, "nearly identical"))
        shown = ", ".join(f"{count} {how}" for count, how in counts if count)
        note(f"duplicate documents: {shown}; `rag documents list --duplicates` lists them")
    if report.versions:
        note(f"versions of one document: {report.versions} documents; `rag documents list --versions` lists them")


def _skipped(report: IngestReport) -> Iterator[str]:
    by_reason = dict(report.skipped)
    linked, ignored = by_reason.pop(LINKED_FOLDER, 0), by_reason.pop(IGNORED, 0)
    pictures = {
        ending: by_reason.pop(ending) for ending, row in extensions().items() if row.needs_ocr and ending in by_reason
    }
    outside = by_reason.pop(LINKED_OUT, 0)
    if by_reason:
        yield "skipped, unknown format: " + ", ".join(f"{n} {suffix}" for suffix, n in sorted(by_reason.items()))
    if pictures:
        counts = ", ".join(f"{n} {ending}" for ending, n in sorted(pictures.items()))
        yield f"skipped, pictures without OCR: {counts}; `rag doctor` says how to read them"
    if linked:
        yield f"skipped: {counted(linked, LINKED_FOLDER)}; to read one, name it"
    if outside:
        yield f"skipped: {counted(outside, LINKED_OUT, 'links to files elsewhere')}; to read them, add --follow-links"
    if ignored:
        yield f"skipped: {ignored} {IGNORED}"


def report_json(report: IngestReport, index: str) -> dict[str, Any]:
    """Return a report as JSON values."""
    value = asdict(report)
    value["failures"] = [
        {"source": f.source, "reason": f.reason, "message": f.message, "remedy": f.remedy} for f in report.failures
    ]
    value["seconds"], value["parse_seconds"] = round(report.seconds, 3), round(report.parse_seconds, 3)
    slowest = bottleneck(report.stages)
    value["limit"] = None if slowest is None else {"stage": slowest[0], "share": round(slowest[1], 3)}
    value["stages"] = {stage: round(seconds, 3) for stage, seconds in report.stages.items()}
    return value | {"index": index}
