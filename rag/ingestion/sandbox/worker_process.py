"""One worker process as its parent sees it: started by exec (never by fork), asked, and killed when it is overdue.

It knows how a worker ends and what that means for the file in hand; which file comes next is the pool's business.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import rag
from rag.errors import DocumentError, RagError
from rag.ingestion.loaders.limits import MIB
from rag.ingestion.loaders.pdf_page import PageImage
from rag.ingestion.sandbox.isolation import OUT_OF_MEMORY
from rag.ingestion.sandbox.limits import Limits, out_of_memory
from rag.ingestion.sandbox.protocol import OverdueError, OversizedError, read_frame, write_frame
from rag.types import Document, Section

__all__ = ["GoneError", "Worker"]

T = TypeVar("T")

_START_SECONDS = 120.0
_LAST_SECONDS = 5.0  # between closing the pipe and the end
# What a worker needs of the environment; keys and tokens are not among it.
_PASSED_ON = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ", "VIRTUAL_ENV")
_PNG = b"\x89PNG\r\n\x1a\n"
_OUT_OF_TIME = (signal.SIGXCPU, signal.SIGALRM)


class GoneError(Exception):
    """The worker had ended before it was given the file."""


class Worker:
    """A worker process. One thread at a time may ask it; any may kill it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._files = 0
        self.worn = False
        self._lifeline, theirs = _lifeline()
        # What it says before it is shut in is kept: nobody could tell otherwise why it did not start.
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "rag.ingestion.sandbox.worker", str(theirs)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                pass_fds=(theirs,),
                env=_environment(),
                start_new_session=True,  # an interrupt from the keyboard is for the parent
            )
        except OSError as error:
            os.close(self._lifeline)
            self._complaints.close()
            told = f"the process that reads files cannot be started: {error.strerror}"
            raise RagError(told, "use fewer workers") from error
        finally:
            os.close(theirs)
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)
        hello = self._greet()
        self.network: str = hello["network"]
        self._resident_at_start: int = hello["resident"]

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def ask(self, source: str, data: bytes | Path) -> Document:
        """Have one file read.

        Raises :class:`~rag.errors.DocumentError`, and :class:`GoneError` where another worker should be asked.
        """
        return self._exchange({"source": source}, data, _document)

    def render(self, source: str, data: bytes | Path, number: int, quote: str, before: int) -> PageImage:
        """Have one page drawn, see :func:`~rag.ingestion.loaders.pdf_page.render_page`; raises as :meth:`ask` does."""
        page = {"number": number, "quote": quote, "before": before}
        return self._exchange({"source": source, "page": page}, data, _page_image)

    def _exchange(self, request: dict[str, Any], data: bytes | Path, unpack: Callable[[dict[str, Any], bytes], T]) -> T:
        deadline = time.monotonic() + self._limits.wall_seconds
        path = os.fsencode(data.absolute()).hex() if isinstance(data, Path) else None
        self._files += 1
        try:
            if self._process.poll() is not None:
                raise GoneError
            body = b"" if isinstance(data, Path) else data
            try:
                write_frame(self._to, {**request, "path": path}, body, deadline)
            except BrokenPipeError:
                raise self._death() from None
            try:
                # A character takes at most four bytes; the rest is sections and headings.
                most = (5 * self._limits.bounds.text_mb + self._limits.memory_mb) * MIB
                answer = read_frame(self._from, deadline, most)
                if answer is None:
                    raise self._death()
                return unpack(*self._checked(*answer))
            except (KeyError, TypeError, ValueError):
                self.kill()
                told = "the process that read it answered nonsense"
                raise DocumentError("crashed", told, "report the file") from None
        except OverdueError:
            self.kill()
            told = f"reading it took more than {self._limits.wall_seconds:g} s"
            raise DocumentError("timeout", told, "split it, or raise the limit on time") from None
        except OversizedError:
            self.kill()
            raise DocumentError("too large", "it holds too much text", "split it") from None
        except BaseException as error:
            if not isinstance(error, DocumentError):  # an interrupt: its answer would be taken for the next file's
                self.kill()
            raise

    def kill(self) -> None:
        """End the process and free what belongs to it. May be called twice."""
        self.worn = True
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Kill it and close the pipes."""
        self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._complaints.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def _greet(self) -> dict[str, Any]:
        deadline = time.monotonic() + _START_SECONDS
        try:
            write_frame(self._to, self._limits.as_dict(), deadline=deadline)
            hello = read_frame(self._from, deadline)
        except (BrokenPipeError, OverdueError):
            hello = None
        if hello is None:
            self.kill()
            self._complaints.seek(0)
            told = self._complaints.read()[-2000:].decode("utf-8", "replace").strip().splitlines()
            self.close()
            why = told[-1] if told else "it said nothing"
            raise RagError(f"the process that reads files did not start: {why}", "run `rag doctor`")
        return hello[0]

    def _checked(self, head: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        grown = head["resident"] - self._resident_at_start > self._limits.growth_mb * MIB
        self.worn = grown or self._files >= self._limits.files_per_worker or "worn" in head
        if "error" in head:
            raise DocumentError(*head["error"])
        return head, body

    def _death(self) -> DocumentError:
        """Return what the end of the process means for the file that was in hand; end it, if it only fell silent."""
        self.worn = True
        try:
            self._process.wait(_LAST_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        code = self._process.returncode
        if code == OUT_OF_MEMORY:
            return out_of_memory(self._limits)
        if -code in _OUT_OF_TIME:
            told = f"reading it took more than {self._limits.cpu_seconds} s of processor time"
            return DocumentError("timeout", told, "split it, or raise the limit on time")
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        if how == "SIGKILL":
            told = "the process that read it was killed"
            return DocumentError("killed", told, "if the machine ran out of memory, use fewer workers; then try again")
        return DocumentError("crashed", f"its parser crashed ({how})", "export it again; if it is sound, report it")


def _document(head: dict[str, Any], body: bytes) -> Document:
    fields = head["document"]
    sections = tuple(Section(start, end, page, tuple(path)) for start, end, page, path in fields.pop("sections"))
    return Document(**fields, text=body.decode(), sections=sections)


def _page_image(head: dict[str, Any], body: bytes) -> PageImage:
    image = head["image"]
    boxes = tuple((int(left), int(top), int(right), int(bottom)) for left, top, right, bottom in image["boxes"])
    if not body.startswith(_PNG):
        raise ValueError("no image")
    return PageImage(body, int(image["width"]), int(image["height"]), boxes)


def _lifeline() -> tuple[int, int]:
    """Return a pipe's ends, ours and the worker's: ours closes when this process ends, however it ends."""
    theirs, ours = os.pipe()
    return ours, theirs


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": str(Path(rag.__file__).parents[1]),
        "MALLOC_ARENA_MAX": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONUTF8": "1",
    }
