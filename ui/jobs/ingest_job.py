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
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rag.errors import FAILURES, explain

if TYPE_CHECKING:
    from rag.config import Config
    from rag.ingestion.report import IngestReport
    from rag.ingestion.run import IngestObserver

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
    from rag.factory import make_ingest_parts
    from rag.ingestion.run import IngestOptions, ingest_files, ingest_paths

    tell("stage", stage="find")
    parts, index, observer = make_ingest_parts(config), Path(job["index"]), _observer(tell)
    options = IngestOptions(reread=bool(job["reread"]), retry_failed=not job["paths"])
    if job["paths"]:
        paths = [Path(path) for path in job["paths"]]
        return ingest_paths(parts, index, paths, options, observer=observer, purpose=PURPOSE)
    files = {source: Path(path) for path, source in job["files"]}
    return ingest_files(parts, index, files, options, observer=observer, purpose=PURPOSE)


def _observer(tell: Tell) -> IngestObserver:
    """Return what tells the page how a run goes."""
    from rag.ingestion.run import IngestObserver

    @contextmanager
    def loading() -> Iterator[None]:
        tell("stage", stage="load")
        yield

    return IngestObserver(
        loading=loading,
        planned=lambda plan: tell(
            "planned", sources=[work.file.source for work in plan.to_read], unchanged=plan.unchanged
        ),
        progress=lambda progress: tell("progress", **asdict(progress)),
        file=lambda source, state: tell("file", source=source, state=state),
    )


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
