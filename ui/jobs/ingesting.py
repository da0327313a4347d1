"""Ingestions started from the page: each is a :class:`JobProcess` (:mod:`ui.jobs.ingest_job`), one per collection.

A job belongs to its collection, not to the session that started it: every session may watch and cancel it. Later jobs
of the same collection wait.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ui.jobs.process import JobProcess

__all__ = ["Failed", "Ingestion", "Ingestions", "Work", "ingestions"]

Status = Literal["waiting", "running", "cancelling", "done", "failed", "cancelled", "crashed"]
_GRACE_S = 20.0  # between the signals that end a job: its last batch may be committing
_FINISHED = 20  # finished jobs that are remembered


@dataclass(frozen=True)
class Work:
    """What to ingest: files with their names in the index, or paths to walk. ``reread`` reads unchanged files too."""

    index: Path
    config: str
    assignments: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    paths: tuple[str, ...] = ()
    reread: bool = False

    def message(self) -> str:
        """Return the job as the line that its process reads."""
        return json.dumps(asdict(self), default=str)


@dataclass(frozen=True)
class Failed:
    """A file that could not be read."""

    source: str
    reason: str
    message: str
    remedy: str


@dataclass(frozen=True)
class Ingestion:
    """The state of a job. ``files`` maps each source to ``waiting``, ``parsing``, ``read``, ``failed`` or ``done``.

    ``progress`` is the ingestor's, ``report`` its counts. ``message`` says why a job failed.
    """

    number: int
    work: Work
    status: Status = "waiting"
    stage: str = "find"
    files: dict[str, str] = field(default_factory=dict)
    progress: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, int] = field(default_factory=dict)
    failures: tuple[Failed, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)
    message: str = ""
    remedy: str = ""
    kind: str = ""
    seconds: float = 0.0

    @property
    def over(self) -> bool:
        """Whether the job has ended."""
        return self.status in ("done", "failed", "cancelled", "crashed")


class Ingestions:
    """All ingestions of the process. Every method may be called from any thread."""

    def __init__(self, command: Sequence[str] | None = None) -> None:
        self._command = list(command or (sys.executable, "-P", "-m", "ui.jobs.ingest_job"))
        self._lock = threading.Lock()
        self._jobs: dict[int, Ingestion] = {}
        self._processes: dict[int, JobProcess] = {}
        self._began: dict[int, float] = {}
        self._numbers = itertools.count(1)

    def begin(self, work: Work) -> Ingestion:
        """Start a job, or queue it behind the one that is running in its collection."""
        with self._lock:
            number = next(self._numbers)
            job = self._jobs[number] = Ingestion(number, work)
            for old in [n for n, j in self._jobs.items() if j.over][:-_FINISHED]:
                del self._jobs[old]
            self._start_next(work.index)
        return job

    def of(self, index: Path) -> list[Ingestion]:
        """Return the jobs of a collection, oldest first, including the last finished ones."""
        with self._lock:
            here = [job for job in self._jobs.values() if job.work.index == index]
            return [replace(job, files=dict(job.files)) for job in here]

    def running(self, index: Path) -> Ingestion | None:
        """Return the running job of a collection, or the next one in its queue."""
        return next((job for job in self.of(index) if not job.over), None)

    def cancel(self, number: int) -> None:
        """Stop a job. Committed documents stay."""
        with self._lock:
            job, process = self._jobs.get(number), self._processes.get(number)
            if job is None or job.over:
                return
            self._jobs[number] = replace(job, status="cancelled" if process is None else "cancelling")
        if process is not None:
            process.cancel(grace_s=_GRACE_S)

    def dismiss(self, number: int) -> None:
        """Forget a finished job."""
        with self._lock:
            if number in self._jobs and self._jobs[number].over:
                del self._jobs[number]

    def wait(self, number: int, timeout: float = 120.0) -> Ingestion | None:
        """Wait for a job's end and return it; for tests. Raises ``TimeoutError``."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with self._lock:
                job = self._jobs.get(number)
            if job is None or job.over:
                return job
            time.sleep(0.05)
        raise TimeoutError(f"ingestion {number} is still running")

    def _start_next(self, index: Path) -> None:
        """Start the job that has waited longest, unless one is running. The lock is held."""
        here = [job for job in self._jobs.values() if job.work.index == index]
        waiting = next((job for job in here if job.status == "waiting"), None)
        if waiting is None or any(job.status in ("running", "cancelling") for job in here):
            return
        number, self._began[waiting.number] = waiting.number, time.monotonic()
        self._jobs[number] = replace(waiting, status="running")
        try:
            self._processes[number] = JobProcess(
                self._command,
                lambda event, values: self._take(number, event, values),
                lambda code, cancelled, _: self._end(number, code, cancelled),
                message=waiting.work.message(),
            )
        except OSError as error:  # no process can be started
            self._jobs[number] = replace(waiting, status="crashed", message=str(error))

    def _take(self, number: int, event: str, values: dict[str, Any]) -> None:
        with self._lock:
            job = _after(self._jobs[number], event, values)
            self._jobs[number] = replace(job, seconds=time.monotonic() - self._began[number])

    def _end(self, number: int, code: int, cancelled: bool) -> None:
        with self._lock:
            del self._processes[number]
            job = self._jobs[number]
            if not job.over:
                ended: Status = "cancelled" if cancelled else "crashed"
                self._jobs[number] = replace(job, status=ended, message=f"exit code {code}")
            self._start_next(job.work.index)


def _after(job: Ingestion, event: str, values: Mapping[str, Any]) -> Ingestion:
    """Return the state of a job after one event."""
    if event == "stage":
        return replace(job, stage=values["stage"])
    if event == "planned":
        return replace(job, files=dict.fromkeys(values["sources"], "waiting"))
    if event == "file":
        job.files[values["source"]] = values["state"]  # in place: there may be very many; `of` returns copies
        return job
    if event == "progress":
        return replace(job, stage=values["stage"], progress=values)
    if event == "done":
        failures = tuple(Failed(*failure) for failure in values["failures"])
        files = {source: "done" if state != "failed" else state for source, state in job.files.items()}
        return replace(
            job, status="done", files=files, failures=failures, report=values["report"], skipped=values["skipped"]
        )
    if event == "failed":
        return replace(job, status="failed", message=values["message"], remedy=values["remedy"], kind=values["kind"])
    if event == "cancelled":
        return replace(job, status="cancelled")
    return job


_ingestions = Ingestions()


def ingestions() -> Ingestions:
    """Return the ingestions of this process."""
    return _ingestions
