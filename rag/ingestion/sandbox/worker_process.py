"""One worker process, seen from its parent: started by exec (never by fork), used, and killed when it takes too long.

This module knows how a worker can end and what that means for the current file. The pool decides which file is next.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import rag
from rag.errors import DocumentError, RagError
from rag.ingestion.loaders.formats import FORMATS
from rag.ingestion.loaders.limits import MIB
from rag.ingestion.sandbox.isolation import OUT_OF_MEMORY
from rag.ingestion.sandbox.protocol import Limits, Message, OversizedError, read_message, write_message

__all__ = ["GoneError", "Worker"]

T = TypeVar("T")

_START_SECONDS = 120.0
_LAST_SECONDS = 5.0  # between closing the pipe and ending
# What a worker needs of the environment. Keys and tokens are not passed on.
_PASSED_ON = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TESSDATA_PREFIX", "TMPDIR", "TZ", "VIRTUAL_ENV")
_OUT_OF_TIME = (signal.SIGXCPU, signal.SIGALRM)


class GoneError(Exception):
    """The worker had ended before it got the file."""


class Worker:
    """A worker process. One thread at a time may use it; any may kill it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._files = 0
        self.worn = False
        theirs, self._lifeline = os.pipe()  # our end closes when this process ends, in whatever way
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - shows why a worker did not start
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "rag.ingestion.sandbox.worker", str(theirs)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                pass_fds=(theirs,),
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for the parent
            )
        except OSError as error:
            os.close(self._lifeline)
            self._stderr.close()
            message = f"the process that reads files cannot be started: {error.strerror}"
            raise RagError(message, "use fewer workers") from error
        finally:
            os.close(theirs)
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101
        self._to, self._from = self._process.stdin, self._process.stdout
        settings = {"limits": asdict(limits), "formats": [asdict(row) for row in FORMATS.values()]}
        hello: Message | None = None
        with suppress(OversizedError, ValueError):  # something else wrote to the pipe
            hello = self._talk(settings, b"", _Deadline(_START_SECONDS, self.kill))
        if hello is None:
            raise self._unstarted()
        self._resident_at_start: int = hello[0]["resident"]

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def ask(self, request: dict[str, Any], data: bytes, unpack: Callable[[dict[str, Any], bytes], T]) -> T:
        """Send a request about a file, and return the result.

        Raises :class:`~rag.errors.DocumentError`, and :class:`GoneError` if another worker should be used.
        """
        self._files += 1
        limits = self._limits
        with ExitStack() as stack:
            stack.callback(self.kill)  # also after an interrupt: the answer would be read as the next file's
            if self._process.poll() is not None:
                raise GoneError
            # A character takes at most four bytes; the rest is for sections and headings.
            most = (5 * limits.bounds.text_mb + limits.memory_mb) * MIB
            deadline = _Deadline(limits.wall_seconds, self.kill)
            try:
                answer = self._talk(request, data, deadline, most)
                outcome = self._outcome(*answer, unpack) if answer else None
            except OversizedError:
                raise DocumentError("too large", "it contains too much text", "split it") from None
            except (KeyError, TypeError, ValueError):
                message = "the process that read it sent an invalid answer"
                raise DocumentError("crashed", message, "report the file") from None
            if outcome is None:
                raise self._death(is_overdue=deadline.has_passed)
            stack.pop_all()
        if isinstance(outcome, DocumentError):
            raise outcome
        return outcome

    def kill(self) -> None:
        """End the process. May be called twice."""
        self.worn = True
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Kill it and close the pipes."""
        self.kill()
        with suppress(BrokenPipeError):  # an unsent rest of a request
            self._to.close()
        self._from.close()
        self._stderr.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def _talk(self, head: dict[str, Any], body: bytes, deadline: _Deadline, most: int = 1 << 20) -> Message | None:
        """Send a message and return the answer. Return None if the process ends; it is killed at the deadline.

        Before a page that it reads by OCR it asks for more time, as often as the limits allow.
        """
        ocr = self._limits.ocr
        try:
            write_message(self._to, head, body)
            for _ in range(ocr.pages):
                answer = read_message(self._from, most)
                if answer is None or "more_seconds" not in answer[0]:
                    return answer
                deadline.begin_again(self._limits.wall_seconds + 2 * ocr.page_seconds)
            return read_message(self._from, most)
        except BrokenPipeError:
            return None
        finally:
            deadline.cancel()

    def _outcome(
        self, head: dict[str, Any], body: bytes, unpack: Callable[[dict[str, Any], bytes], T]
    ) -> T | DocumentError:
        """Return the result or error in an answer, and note whether the worker is worn."""
        grown = head["resident"] - self._resident_at_start > self._limits.growth_mb * MIB
        if grown or self._files >= self._limits.files_per_worker:
            self.worn = True
        return DocumentError(*head["error"]) if "error" in head else unpack(head, body)

    def _unstarted(self) -> RagError:
        self.kill()
        self._stderr.seek(0)
        lines = self._stderr.read()[-2000:].decode("utf-8", "replace").strip().splitlines()
        self.close()
        why = lines[-1] if lines else "no reason is known"
        return RagError(f"the process that reads files did not start: {why}", "run `rag doctor`")

    def _death(self, *, is_overdue: bool) -> DocumentError:
        """Return what the end of the process means for the current file."""
        split = "split it, or raise the limit on time"
        if is_overdue:
            return DocumentError("timeout", f"reading it took more than {self._limits.wall_seconds:g} s", split)
        with suppress(subprocess.TimeoutExpired):  # it has only closed its pipe: the caller kills it
            self._process.wait(_LAST_SECONDS)
        self.kill()
        code = self._process.returncode
        if code == OUT_OF_MEMORY:
            message = f"reading it takes more than {self._limits.memory_mb} MiB of memory"
            return DocumentError("memory", message, "split it, or raise the limit on memory")
        if -code in _OUT_OF_TIME:
            message = f"reading it took more than {self._limits.cpu_seconds} s of processor time"
            return DocumentError("timeout", message, split)
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        if how == "SIGKILL":
            remedy = "if the machine ran out of memory, use fewer workers; then try again"
            return DocumentError("killed", "the process that read it was killed", remedy)
        return DocumentError("crashed", f"its parser crashed ({how})", "export it again; if it still fails, report it")


class _Deadline:
    """Calls a function after some seconds, unless it is cancelled. It can begin again."""

    def __init__(self, seconds: float, then: Callable[[], None]) -> None:
        self._then = then
        self.begin_again(seconds)

    @property
    def has_passed(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self._end

    def begin_again(self, seconds: float) -> None:
        """Call the function after so many seconds from now."""
        if hasattr(self, "_timer"):
            self.cancel()
        self._end = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._then)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        """Do not call the function."""
        self._timer.cancel()


def _environment() -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "PYTHONPATH": str(Path(rag.__file__).parents[1]),
        "MALLOC_ARENA_MAX": "1",
        "OMP_NUM_THREADS": "1",
        "OMP_THREAD_LIMIT": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONUTF8": "1",
    }
