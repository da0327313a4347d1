"""Evaluations started from the page: each runs ``rag eval run`` or ``rag eval sweep`` as a :class:`JobProcess`.

A crash, a cancellation or the end of the page loses nothing: the run's folder stays, completions are cached in
``runs/memory/``, and the request is stored so that it can be repeated. Only one runs at a time: two would slow each
other down. It knows no widgets.
"""

from __future__ import annotations

import atexit
import json
import shutil
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rag.config import load_config
from rag.errors import UsageError
from ui.jobs.process import JobProcess

__all__ = ["Evaluation", "Evaluations", "Request", "evaluations"]

Status = Literal["running", "done", "failed", "cancelled"]
_REMEDY = "run `rag eval` in a terminal to see its whole output"


@dataclass(frozen=True)
class Request:
    """The arguments of ``rag eval run``. In open mode ``index`` is searched; None means the file's own paragraphs.

    ``sweep`` is a file for ``rag eval sweep`` with all other settings.
    """

    questions: str
    mode: str = "open"
    limit: int | None = None
    seed: int = 0
    index: str | None = None
    config: str = "cpu"
    settings: tuple[str, ...] = ()
    name: str = ""
    sweep: str = ""

    def arguments(self, runs: Path) -> list[str]:
        """Return the words after ``rag``."""
        index = [f"--index={self.index}"] if self.index and self.mode == "open" else []
        if self.sweep:
            return ["eval", "sweep", f"--out={runs}", *index, "--progress=json", "--json", "--", self.sweep]
        words = [
            "eval",
            "run",
            f"--mode={self.mode}",
            f"--seed={self.seed}",
            f"--out={runs}",
            f"--config={self.config}",
        ]
        words += [f"--limit={self.limit}"] if self.limit else []
        words += index
        words += [f"--name={self.name}"] if self.name else []
        words += [f"--set={assignment}" for assignment in self.settings]
        return [*words, "--progress=json", "--json", "--", self.questions]


@dataclass(frozen=True)
class Evaluation:
    """The state of an evaluation. ``error`` and ``remedy`` come from the command if it failed.

    In a sweep, ``point`` of ``points`` is running, named ``label``; at the end ``sweep`` is its folder.
    """

    request: Request
    status: Status
    seconds: float
    stage: str = "starting"
    done: int = 0
    total: int = 0
    em: float | None = None
    f1: float | None = None
    run: str = ""
    point: int = 0
    points: int = 0
    label: str = ""
    sweep: str = ""
    error: str = ""
    remedy: str = ""

    @property
    def share(self) -> float:
        """The share of the stage, or of a sweep's points, that is done, 0 to 1."""
        stage = min(1.0, self.done / self.total) if self.total > 0 else 0.0
        if self.points <= 0:
            return stage
        answered = stage if self.stage == "questions" else float(self.stage == "report")
        return min(1.0, (max(self.point, 1) - 1 + answered) / self.points)


class Evaluations:
    """The evaluation that is running, or ran last, for each folder of runs. Any thread may call."""

    def __init__(self, command: Sequence[str] | None = None) -> None:
        self._command = list(command or _low_priority([sys.executable, "-P", "-m", "rag"]))
        self._lock = threading.Lock()
        self._jobs: dict[Path, _Job] = {}
        atexit.register(self.stop)

    def start(self, request: Request, runs: Path, notes: Path) -> None:
        """Start an evaluation. ``notes`` is the folder where the request is stored for :meth:`request_of`.

        Raises :class:`~rag.errors.UsageError` while another one is running.
        """
        with self._lock:
            if any(job.now().status == "running" for job in self._jobs.values()):
                raise UsageError("another evaluation is running", "wait for its end, or cancel it")
            runs.mkdir(parents=True, exist_ok=True)
            self._jobs[runs] = _Job([*self._command, *request.arguments(runs)], request, notes)

    def now(self, runs: Path) -> Evaluation | None:
        """Return the state of the last evaluation over this folder, None if there was none or it was dismissed."""
        with self._lock:
            job = self._jobs.get(runs)
        return job.now() if job else None

    def cancel(self, runs: Path) -> None:
        """Stop the evaluation. Its answers are not lost."""
        with self._lock:
            job = self._jobs.get(runs)
        if job is not None:
            job.process.cancel()

    def dismiss(self, runs: Path) -> None:
        """Forget an evaluation that has ended."""
        with self._lock:
            if runs in self._jobs and self._jobs[runs].now().status != "running":
                del self._jobs[runs]

    def stop(self) -> None:
        """Stop all evaluations: the page ends."""
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.process.cancel(grace_s=1.0, wait=True)

    @staticmethod
    def request_of(run: str, notes: Path) -> Request | None:
        """Return the request with which the page started this run, None if it did not."""
        try:
            tree = json.loads((notes / f"{run}.json").read_text(encoding="utf-8"))
            return Request(**(tree | {"settings": tuple(tree["settings"])}))
        except (OSError, ValueError, TypeError, KeyError):
            return None


class _Job:
    """One evaluation: its process and its state."""

    def __init__(self, command: list[str], request: Request, notes: Path) -> None:
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._now = Evaluation(request, "running", 0.0)
        self._notes = notes
        keep = [load_config(request.config, request.settings).config.generator.openai.api_key_env]
        self.process = JobProcess(command, self._take, self._end, events_on="stderr", keep=keep)

    def now(self) -> Evaluation:
        """Return the state, with the seconds so far."""
        with self._lock:
            running = self._now.status == "running"
            return replace(self._now, seconds=time.monotonic() - self._began) if running else self._now

    def _end(self, code: int, cancelled: bool, lines: Sequence[str]) -> None:
        status: Status = "done" if code == 0 else "cancelled" if cancelled else "failed"
        error = remedy = ""
        if status == "failed":
            error, remedy = _complaint(lines) or (f"the evaluation ended with code {code}", _REMEDY)
        with self._lock:
            seconds = time.monotonic() - self._began
            self._now = replace(self._now, status=status, seconds=seconds, error=error, remedy=remedy)

    def _take(self, name: str, event: dict[str, Any]) -> None:
        with self._lock:
            self._now = _after(self._now, name, event)
            run = self._now.run
        if name == "run":
            self._store(run)

    def _store(self, run: str) -> None:
        """Write the request to a file that only its user may read: an address in it may hold a password."""
        try:
            self._notes.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = self._notes / f"{run}.json"
            path.touch(mode=0o600)
            path.write_text(json.dumps(asdict(self._now.request)), encoding="utf-8")
        except (OSError, ValueError):  # ValueError: a name that no file can have
            return  # without it the page has no button to resume


def _after(now: Evaluation, name: str, event: Mapping[str, Any]) -> Evaluation:
    """Return the state after one event. Values of a wrong type are ignored."""
    if name == "run":
        return replace(now, run=Path(str(event.get("run") or "")).name)
    if name == "sweep":
        return replace(now, sweep=Path(str(event.get("sweep") or "")).name)
    if name == "point":
        begun = replace(now, stage="starting", done=0, total=0, em=None, f1=None, label=str(event.get("label")))
        return replace(begun, **{k: event[k] for k in ("point", "points") if _is_count(event.get(k))})
    if name == "stage":
        return replace(now, stage=str(event.get("stage")), done=0, total=0)
    if name in ("documents", "questions"):
        counts = {k: event[k] for k in ("done", "total") if _is_count(event.get(k))}
        scores = {k: event[k] for k in ("em", "f1") if _is_share(event.get(k))}
        return replace(now, **counts, **scores)
    return now


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**12


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _complaint(lines: Sequence[str]) -> tuple[str, str] | None:
    """Return the last ``error:`` line and the remedy after it, None if there is none."""
    for number in range(len(lines) - 1, -1, -1):
        if lines[number].startswith("error: "):
            return lines[number].removeprefix("error: "), lines[number + 1] if number + 1 < len(lines) else ""
    return None


def _low_priority(command: list[str]) -> list[str]:
    """Run under ``nice`` if it exists: answers on the page come first."""
    nice = shutil.which("nice")
    return [nice, "-n", "10", *command] if nice else command


_evaluations = Evaluations()


def evaluations() -> Evaluations:
    """Return the evaluations of this process."""
    return _evaluations
