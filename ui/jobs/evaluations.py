"""Evaluations that the page started: each a process of its own, ``rag eval run`` or ``sweep``, followed by its stderr.

A crash, a cancel or the end of the page costs nothing: the run's folder stays, what was answered is remembered in
``runs/memory/``, and the request is kept so that it can be given again. One runs at a time; a second would make both
slow and measure neither. It knows no widgets.
"""

from __future__ import annotations

import atexit
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rag.errors import UsageError

__all__ = ["Evaluation", "Evaluations", "Request", "evaluations"]

Status = Literal["running", "done", "failed", "cancelled"]
_GRACE_S = 8.0
_KEPT_LINES = 40
_REMEDY = "`rag eval` in a terminal shows all that it says"


@dataclass(frozen=True)
class Request:
    """What ``rag eval run`` is asked. ``index`` is searched in open mode; None: the file's own paragraphs are.

    ``sweep`` is a file for ``rag eval sweep`` that says the rest.
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
    """How far a started evaluation is. ``error`` and ``remedy`` are what the command said where it failed.

    Of a sweep, ``point`` of ``points`` is being tried, called ``label``; at its end, ``sweep`` is its folder.
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
        """How much of the stage is done, of a sweep how much of its points, 0 to 1."""
        stage = min(1.0, self.done / self.total) if self.total > 0 else 0.0
        if self.points <= 0:
            return stage
        answered = stage if self.stage == "questions" else float(self.stage == "report")
        return min(1.0, (max(self.point, 1) - 1 + answered) / self.points)


class Evaluations:
    """The evaluation that runs, or ran last, for one folder of runs. Any thread may call."""

    def __init__(self, command: Sequence[str] | None = None) -> None:
        self._command = list(command or _low_priority([sys.executable, "-P", "-m", "rag"]))
        self._lock = threading.Lock()
        self._running: dict[Path, _Process] = {}
        atexit.register(self.stop)

    def start(self, request: Request, runs: Path, notes: Path) -> None:
        """Start it; ``notes`` is the folder where the request is kept for :meth:`request_of`.

        Raises :class:`~rag.errors.UsageError` while another one runs.
        """
        with self._lock:
            if any(process.now().status == "running" for process in self._running.values()):
                raise UsageError("another evaluation is running", "wait for its end, or cancel it")
            runs.mkdir(parents=True, exist_ok=True)
            self._running[runs] = _Process([*self._command, *request.arguments(runs)], request, notes)

    def now(self, runs: Path) -> Evaluation | None:
        """Return how far the last evaluation over this folder is, None where none was started or it was dismissed."""
        with self._lock:
            process = self._running.get(runs)
        return process.now() if process else None

    def cancel(self, runs: Path) -> None:
        """Stop it; what was answered is kept."""
        with self._lock:
            process = self._running.get(runs)
        if process is not None:
            process.cancel()

    def dismiss(self, runs: Path) -> None:
        """Forget one that has ended."""
        with self._lock:
            if runs in self._running and self._running[runs].now().status != "running":
                del self._running[runs]

    def stop(self) -> None:
        """Stop all: the page ends."""
        with self._lock:
            processes = list(self._running.values())
        for process in processes:
            process.cancel(grace_s=1.0, wait=True)

    @staticmethod
    def request_of(run: str, notes: Path) -> Request | None:
        """Return what the page was asked when it started this run; None where it did not."""
        try:
            tree = json.loads((notes / f"{run}.json").read_text(encoding="utf-8"))
            return Request(**(tree | {"settings": tuple(tree["settings"])}))
        except (OSError, ValueError, TypeError, KeyError):
            return None


class _Process:
    """One process and the thread that reads it."""

    def __init__(self, command: list[str], request: Request, notes: Path) -> None:
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._now = Evaluation(request, "running", 0.0)
        self._notes = notes
        self._cancelled = False
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONIOENCODING": "utf-8"},
            start_new_session=True,  # so that its own children end with it
        )
        threading.Thread(target=self._follow, name="evaluation", daemon=True).start()

    def now(self) -> Evaluation:
        with self._lock:
            running = self._now.status == "running"
            return dataclasses.replace(self._now, seconds=time.monotonic() - self._began) if running else self._now

    def cancel(self, *, grace_s: float = _GRACE_S, wait: bool = False) -> None:
        if self._process.poll() is not None:
            return
        self._cancelled = True
        stopper = threading.Thread(target=self._stop, args=(grace_s,), name="evaluation-stop", daemon=True)
        stopper.start()
        if wait:
            stopper.join(3 * grace_s)

    def _stop(self, grace_s: float) -> None:
        """Interrupt it, and be firmer with one that does not listen."""
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, sign)
            except ProcessLookupError:
                return
            try:
                self._process.wait(grace_s)
            except subprocess.TimeoutExpired:
                continue
            return

    def _follow(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - it was asked for
        with self._process.stderr as stream:
            for raw in stream:
                self._take(raw.decode("utf-8", "replace").strip())
        code = self._process.wait()
        with self._lock:
            status: Status = "done" if code == 0 else "cancelled" if self._cancelled else "failed"
            seconds = time.monotonic() - self._began
            self._now = dataclasses.replace(self._now, status=status, seconds=seconds)
            if status == "failed":
                error, remedy = _complaint(self._lines) or (f"the evaluation ended with code {code}", _REMEDY)
                self._now = dataclasses.replace(self._now, error=error, remedy=remedy)

    def _take(self, line: str) -> None:
        event = _event(line)
        if event is None:
            self._lines.append(line)
            return
        name = event["event"]
        with self._lock:
            if name == "run":
                run = Path(str(event.get("run") or "")).name
                self._now = dataclasses.replace(self._now, run=run)
                self._keep(run)
            elif name == "sweep":
                self._now = dataclasses.replace(self._now, sweep=Path(str(event.get("sweep") or "")).name)
            elif name == "point":
                which = {k: event[k] for k in ("point", "points") if _is_count(event.get(k))}
                begun = dataclasses.replace(self._now, stage="starting", done=0, total=0, em=None, f1=None)
                self._now = dataclasses.replace(begun, label=str(event.get("label")), **which)
            elif name == "stage":
                self._now = dataclasses.replace(self._now, stage=str(event.get("stage")), done=0, total=0)
            elif name in ("documents", "questions"):
                counts = {k: event[k] for k in ("done", "total") if _is_count(event.get(k))}
                scores = {k: event[k] for k in ("em", "f1") if _is_share(event.get(k))}
                self._now = dataclasses.replace(self._now, **counts, **scores)

    def _keep(self, run: str) -> None:
        """Write the request down; only its user may read it, for an address in it may hold a password."""
        try:
            self._notes.mkdir(parents=True, exist_ok=True)
            path = self._notes / f"{run}.json"
            path.touch(mode=0o600)
            path.write_text(json.dumps(dataclasses.asdict(self._now.request)), encoding="utf-8")
        except (OSError, ValueError):  # or a name that no file can have
            return  # it only costs the button that resumes


def _event(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):  # nested deeper than Python reads
        return None
    return found if isinstance(found, dict) and isinstance(found.get("event"), str) else None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**12


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _complaint(lines: Sequence[str]) -> tuple[str, str] | None:
    """Return the last ``error:`` line and the remedy behind it, None where there is none."""
    for number in range(len(lines) - 1, -1, -1):
        if lines[number].startswith("error: "):
            return lines[number].removeprefix("error: "), lines[number + 1] if number + 1 < len(lines) else ""
    return None


def _low_priority(command: list[str]) -> list[str]:
    """Put ``nice`` in front where there is one: answers on the page come first."""
    nice = shutil.which("nice")
    return [nice, "-n", "10", *command] if nice else command


_evaluations: Evaluations | None = None
_making = threading.Lock()


def evaluations() -> Evaluations:
    """Return those of this process."""
    global _evaluations  # noqa: PLW0603 - one per process, made when the first page asks
    with _making:
        _evaluations = _evaluations or Evaluations()
        return _evaluations
