"""The process that ingests for the page: it reads one job from stdin and writes events as JSON lines to stdout.

SIGINT stops it as Ctrl-C stops ``rag ingest``; so does the end of stdin, which means that the page's process is gone.

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
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rag.errors import FAILURES, explain
from rag.ingestion.loaders.note_kinds import is_unread

if TYPE_CHECKING:
    from rag.config import Resolved
    from rag.ingestion.report import IngestReport
    from rag.ingestion.run import IngestObserver

__all__ = ["main", "run_job"]

PURPOSE = "an ingestion from the page"
Emit = Callable[..., None]


def run_job(job: dict[str, Any], emit: Emit) -> None:
    """Do one job and emit its events. Failures become events; only a cancellation is raised."""
    from rag.config import load_config

    try:
        config = load_config(job["config"], job["assignments"])
        report = _ingest(job, config, emit)
        failures = [[f.source, f.reason, f.message, f.remedy] for f in report.failures]
        counts = {
            n: getattr(report, n)
            for n in ("added", "changed", "unchanged", "moved", "failed", "chunks", "same", "near")
        }
        counts["notes"] = sum(any(map(is_unread, notes)) for notes in report.notes.values())
        emit("done", report=counts, failures=failures, skipped=report.skipped, seconds=report.seconds)
    except FAILURES as error:
        failure = explain(error)
        emit("failed", message=failure.message, remedy=failure.remedy, kind=failure.kind)


def _ingest(job: dict[str, Any], config: Resolved, emit: Emit) -> IngestReport:
    from rag.ingestion.run import IngestOptions
    from rag.knowledge_base import KnowledgeBase

    emit("stage", stage="find")
    options = IngestOptions(reread=bool(job["reread"]), retry_failed=not job["paths"])
    files = {source: Path(path) for path, source in job["files"]}
    with KnowledgeBase(Path(job["index"]), config) as knowledge_base:
        return knowledge_base.ingest(job["paths"] or files, options=options, observer=_observer(emit), purpose=PURPOSE)


def _observer(emit: Emit) -> IngestObserver:
    """Return an observer that emits the events of a run."""
    from rag.ingestion.run import IngestObserver

    @contextmanager
    def loading() -> Iterator[None]:
        emit("stage", stage="load")
        yield

    return IngestObserver(
        loading=loading,
        planned=lambda plan: emit(
            "planned", sources=[work.file.source for work in plan.to_read], unchanged=plan.unchanged
        ),
        progress=lambda progress: emit("progress", **asdict(progress)),
        file=lambda source, state: emit("file", source=source, state=state),
    )


def _own_stdout() -> IO[str]:
    """Reserve stdout for events: what a library prints goes to stderr."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace", buffering=1)
    os.dup2(2, 1)
    return events


def _stop_with_parent() -> None:
    """Interrupt the main thread when stdin closes: the page's process is gone."""
    for _ in sys.stdin:
        continue
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def main() -> int:
    """Run one job."""
    events = _own_stdout()
    lock, interrupted = threading.Lock(), threading.Event()

    def interrupt(*_: object) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    def emit(event: str, **values: Any) -> None:
        if event == "progress" and interrupted.is_set():  # the exception was dropped where Python cannot raise it
            raise KeyboardInterrupt
        with lock:
            events.write(json.dumps({"event": event, **values}, ensure_ascii=True) + "\n")

    job = json.loads(sys.stdin.readline())
    if hasattr(os, "nice"):
        os.nice(5)  # answers go first
    signal.signal(signal.SIGINT, interrupt)
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    try:
        run_job(job, emit)
    except KeyboardInterrupt:
        emit("cancelled")
    events.flush()
    os._exit(0)  # do not wait for a library's threads; everything is committed and emitted


if __name__ == "__main__":
    sys.exit(main())
