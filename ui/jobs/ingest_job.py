"""The process that ingests for the page: one job from stdin, what happens as JSON lines on stdout.

It is a process of its own so that answers keep streaming in the page's, that it can be ended at any moment, and that a
crash costs nothing but the batch in hand. It stops as Ctrl-C stops ``rag ingest`` when stdin says ``cancel`` or ends,
which it does when the page's process is gone.

    python -P -m ui.jobs.ingest_job
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rag.errors import FAILURES, DocumentError, explain

if TYPE_CHECKING:
    from rag.config import Config
    from rag.ingestion.discovery import Found
    from rag.ingestion.parse_jobs import ParseAll, Parsed, ParseJob
    from rag.ingestion.report import IngestReport, Progress
    from rag.ingestion.run import Watch
    from rag.ingestion.sync import Plan

__all__ = ["main", "run_job"]

PURPOSE = "an ingestion from the page"
Tell = Callable[..., None]


def run_job(job: dict[str, Any], tell: Tell) -> None:
    """Do one job and tell how it goes; every failure is told, none is raised but a cancellation."""
    from rag.config import load_config

    try:
        config = load_config(job["config"], job["assignments"]).config
        report = _ingest(job, config, tell)
        failures = [[f.source, f.reason, f.message, f.remedy] for f in report.failures]
        counts = {
            n: getattr(report, n)
            for n in ("added", "changed", "unchanged", "moved", "failed", "chunks", "same", "near")
        }
        tell("done", report=counts, failures=failures, skipped=report.skipped, seconds=report.seconds)
    except FAILURES as error:
        failure = explain(error)
        tell("failed", message=failure.message, remedy=failure.remedy, kind=failure.kind)


def _ingest(job: dict[str, Any], config: Config, tell: Tell) -> IngestReport:
    from rag.ingestion.report import StageClock
    from rag.ingestion.run import ingest_found
    from rag.ingestion.sync import make_plan

    index, stages = Path(job["index"]), StageClock()
    root, reread = index.resolve().parent, bool(job["reread"])
    tell("stage", stage="find")
    with stages.stage("find"):
        found = _find(job, root)
    tell("stage", stage="load")

    plan = partial(make_plan, found=found, root=root, reread=reread, retry_failed=not job["paths"])
    return ingest_found(index, config, found, plan, PURPOSE, stages=stages, watch=_telling(tell))


def _telling(tell: Tell) -> Watch:
    """Make what tells the page how a run goes."""
    from rag.ingestion.run import Watch

    class Telling(Watch):
        def planned(self, plan: Plan) -> None:
            tell("planned", sources=[work.file.source for work in plan.to_read], unchanged=plan.unchanged)

        @contextmanager
        def reading(self) -> Iterator[Callable[[Progress], None]]:
            yield lambda progress: tell("progress", **asdict(progress))

        def parsing(self, parse_all: ParseAll) -> ParseAll:
            return _watched(parse_all, tell)

    return Telling()


def _find(job: dict[str, Any], root: Path) -> Found:
    from rag.ingestion.discovery import Found, SourceFile, find_sources

    if job["paths"]:
        return find_sources([Path(path) for path in job["paths"]], root)
    return Found([SourceFile(Path(path), source, _status(Path(path))) for path, source in job["files"]])


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # reading it says what is wrong
        return None


def _watched(parse_all: ParseAll, tell: Tell) -> ParseAll:
    """Tell of each file when a parser gets it, and what came of it."""

    def told(outcome: Parsed | None) -> Parsed | None:
        if outcome is not None:
            job, document = outcome
            failed = isinstance(document, DocumentError)
            tell("file", source=job.source, state="failed" if failed else "read")
        return outcome

    def handed(job: ParseJob) -> ParseJob:
        tell("file", source=job.source, state="parsing")
        return job

    return lambda jobs: map(told, parse_all(map(handed, jobs)))


def _own_stdout() -> IO[str]:
    """Take stdout for the events alone: whatever a library prints goes to stderr."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace", buffering=1)
    os.dup2(2, 1)
    return events


def _stop_when_told(told: threading.Event) -> None:
    for line in sys.stdin:
        if line.strip() == "cancel":
            break
    told.set()
    if hasattr(signal, "pthread_kill"):  # wakes the main thread whatever it waits for
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)


def main() -> int:
    """Run one job."""
    events = _own_stdout()
    lock, cancelled = threading.Lock(), threading.Event()

    def tell(event: str, **values: Any) -> None:
        if event == "progress" and cancelled.is_set():  # the signal came where Python can only drop its exception
            raise KeyboardInterrupt
        with lock:
            events.write(json.dumps({"event": event, **values}, ensure_ascii=True) + "\n")

    job = json.loads(sys.stdin.readline())
    if hasattr(os, "nice"):
        os.nice(5)  # answers go first
    threading.Thread(target=_stop_when_told, args=(cancelled,), daemon=True).start()
    try:
        run_job(job, tell)
    except KeyboardInterrupt:
        tell("cancelled")
    events.flush()
    os._exit(0)  # not held up by a library's threads; all that counts is committed and told


if __name__ == "__main__":
    sys.exit(main())
