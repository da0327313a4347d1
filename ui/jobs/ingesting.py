"""Ingestions of this process's page: each in a process of its own, one at a time for a collection, seen by everybody.

A job belongs to its collection, not to the session that began it: every session may watch and cancel it. What a job
does is told by :mod:`ui.jobs.ingest_job`; here its words are kept for whoever asks.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

__all__ = ["Failed", "Ingestion", "Ingestions", "Work", "ingestions"]

Status = Literal["waiting", "running", "cancelling", "done", "failed", "cancelled", "crashed"]
_PATIENCE_S = 20.0  # between asking a job to stop and ending it
_KEPT = 20  # finished ones


@dataclass(frozen=True)
class Work:
    """What to ingest: files with the names they get in the index, or paths to be walked; ``reread`` also unchanged."""

    index: Path
    config: str
    assignments: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    paths: tuple[str, ...] = ()
    reread: bool = False

    def message(self) -> str:
        """Return the line that begins the job."""
        return json.dumps(
            {
                "index": str(self.index),
                "config": self.config,
                "assignments": self.assignments,
                "files": self.files,
                "paths": self.paths,
                "reread": self.reread,
            }
        )


@dataclass(frozen=True)
class Failed:
    """A file that could not be read."""

    source: str
    reason: str
    message: str
    remedy: str


@dataclass(frozen=True)
class Ingestion:
    """Where a job stands, at one moment. ``files`` maps the sources to be read to ``waiting``, ``parsing``, ``read``,
    ``failed`` or ``done``; ``progress`` is the ingestor's, ``report`` its counts. ``message`` says why a job failed.
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
        """Whether nothing more will come."""
        return self.status in ("done", "failed", "cancelled", "crashed")


class Ingestions:
    """All ingestions of the process. Every method may be called from any thread."""

    def __init__(self, command: Sequence[str] | None = None) -> None:
        self._command = list(command or (sys.executable, "-P", "-m", "ui.jobs.ingest_job"))
        self._lock = threading.Lock()
        self._jobs: dict[int, Ingestion] = {}
        self._processes: dict[int, subprocess.Popen[str]] = {}
        self._numbers = itertools.count(1)

    def begin(self, work: Work) -> Ingestion:
        """Start a job, or let it wait for the one that runs in its collection."""
        with self._lock:
            number = next(self._numbers)
            job = self._jobs[number] = Ingestion(number, work)
            for old in [n for n, j in self._jobs.items() if j.over][:-_KEPT]:
                del self._jobs[old]
            self._start_next(work.index)
        return job

    def of(self, index: Path) -> list[Ingestion]:
        """Return the jobs of a collection, the oldest first; the last finished ones among them."""
        with self._lock:
            here = [job for job in self._jobs.values() if job.work.index == index]
            return [replace(job, files=dict(job.files)) for job in here]

    def running(self, index: Path) -> Ingestion | None:
        """Return the job that is at work in a collection, or the next that waits."""
        return next((job for job in self.of(index) if not job.over), None)

    def cancel(self, number: int) -> None:
        """Ask a job to stop; what is committed stays. One that does not listen is ended."""
        with self._lock:
            job, process = self._jobs.get(number), self._processes.get(number)
            if job is None or job.over:
                return
            if process is None:
                self._jobs[number] = replace(job, status="cancelled")
                return
            self._jobs[number] = replace(job, status="cancelling")
        try:
            if process.stdin:
                process.stdin.write("cancel\n")
                process.stdin.flush()
        except (OSError, ValueError):  # it has just ended
            return
        timer = threading.Timer(_PATIENCE_S, process.kill)
        timer.daemon = True
        timer.start()

    def dismiss(self, number: int) -> None:
        """Forget a finished job."""
        with self._lock:
            if number in self._jobs and self._jobs[number].over:
                del self._jobs[number]

    def wait(self, number: int, timeout: float = 120.0) -> Ingestion | None:
        """Wait for a job's end and return how it ended; for tests. Raises ``TimeoutError``."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with self._lock:
                job = self._jobs.get(number)
            if job is None or job.over:
                return job
            time.sleep(0.05)
        raise TimeoutError(f"ingestion {number} goes on")

    def _start_next(self, index: Path) -> None:
        """Start the job that has waited longest, unless one is at work. The lock is held."""
        here = [job for job in self._jobs.values() if job.work.index == index]
        if any(job.status in ("running", "cancelling") for job in here):
            return
        waiting = next((job for job in here if job.status == "waiting"), None)
        if waiting is not None:
            self._jobs[waiting.number] = replace(waiting, status="running")
            threading.Thread(target=self._run, args=(waiting.number, waiting.work), daemon=True).start()

    def _run(self, number: int, work: Work) -> None:
        started, code = time.monotonic(), -1
        try:
            with subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", errors="replace"
            ) as process:
                assert process.stdin and process.stdout  # noqa: S101 - pipes, as asked for
                with self._lock:
                    self._processes[number] = process
                try:
                    process.stdin.write(work.message() + "\n")
                    process.stdin.flush()
                except OSError:  # it died at once: its code tells, and what was not written is let go of
                    with suppress(OSError):
                        process.stdin.close()
                for line in process.stdout:
                    self._hear(number, line, time.monotonic() - started)
                code = process.wait()
        except OSError as error:  # no process can be made
            self._change(number, message=str(error))
        finally:
            with self._lock:
                self._processes.pop(number, None)
                job = self._jobs[number]
                if not job.over:
                    ended: Status = "cancelled" if job.status == "cancelling" else "crashed"
                    self._jobs[number] = replace(job, status=ended, message=job.message or f"exit code {code}")
                self._start_next(work.index)

    def _hear(self, number: int, line: str, seconds: float) -> None:
        try:
            told = json.loads(line)
            event = told.pop("event")
        except (ValueError, KeyError, AttributeError, TypeError):  # a library printed something
            return
        with self._lock:
            self._jobs[number] = replace(_after(self._jobs[number], event, told), seconds=seconds)

    def _change(self, number: int, **values: Any) -> None:
        with self._lock:
            self._jobs[number] = replace(self._jobs[number], **values)


def _after(job: Ingestion, event: str, told: Mapping[str, Any]) -> Ingestion:
    """Return where a job stands after one of its events."""
    if event == "stage":
        return replace(job, stage=told["stage"])
    if event == "planned":
        return replace(job, files=dict.fromkeys(told["sources"], "waiting"))
    if event == "file":
        job.files[told["source"]] = told["state"]  # in place: there may be very many; whoever asks gets a copy
        return job
    if event == "progress":
        return replace(job, stage=told["stage"], progress=told)
    if event == "done":
        failures = tuple(Failed(*failure) for failure in told["failures"])
        files = {source: "done" if state != "failed" else state for source, state in job.files.items()}
        return replace(
            job, status="done", files=files, failures=failures, report=told["report"], skipped=told["skipped"]
        )
    if event == "failed":
        return replace(job, status="failed", message=told["message"], remedy=told["remedy"], kind=told["kind"])
    if event == "cancelled":
        return replace(job, status="cancelled")
    return job


_ingestions = Ingestions()


def ingestions() -> Ingestions:
    """Return the ingestions of this process."""
    return _ingestions
