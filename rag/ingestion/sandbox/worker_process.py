"""One worker process, seen from its parent: started by exec (never by fork), used, and killed when it takes too long.

This module knows how a worker can end and what that means for the current file. The pool decides which file is next.
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
from rag.ingestion.loaders.formats import FORMATS
from rag.ingestion.loaders.limits import MIB
from rag.ingestion.loaders.pdf_page import PageImage
from rag.ingestion.sandbox.isolation import OUT_OF_MEMORY
from rag.ingestion.sandbox.limits import Limits, out_of_memory
from rag.ingestion.sandbox.protocol import OverdueError, OversizedError, read_frame, write_frame
from rag.types import Document, Section

__all__ = ["GoneError", "Worker"]

T = TypeVar("T")

_START_SECONDS = 120.0
_LAST_SECONDS = 5.0  # between closing the pipe and ending
# What a worker needs of the environment. Keys and tokens are not passed on.
_PASSED_ON = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ", "VIRTUAL_ENV")
_PNG = b"\x89PNG\r\n\x1a\n"
_OUT_OF_TIME = (signal.SIGXCPU, signal.SIGALRM)


class GoneError(Exception):
    """The worker had ended before it got the file."""


class Worker:
    """A worker process. One thread at a time may use it; any may kill it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._files = 0
        self.worn = False
        self._lifeline, theirs = _lifeline()
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
        """Read one file.

        Raises :class:`~rag.errors.DocumentError`, and :class:`GoneError` if another worker should be used.
        """
        return self._exchange({"source": source}, data, _document)

    def render(self, source: str, data: bytes | Path, number: int, quote: str, before: int) -> PageImage:
        """Draw one page, see :func:`~rag.ingestion.loaders.pdf_page.render_page`. Raises what :meth:`ask` raises."""
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
                # A character takes at most four bytes; the rest is for sections and headings.
                most = (5 * self._limits.bounds.text_mb + self._limits.memory_mb) * MIB
                answer = read_frame(self._from, deadline, most)
                if answer is None:
                    raise self._death()
                return unpack(*self._checked(*answer))
            except (KeyError, TypeError, ValueError):
                self.kill()
                message = "the process that read it sent an invalid answer"
                raise DocumentError("crashed", message, "report the file") from None
        except OverdueError:
            self.kill()
            message = f"reading it took more than {self._limits.wall_seconds:g} s"
            raise DocumentError("timeout", message, "split it, or raise the limit on time") from None
        except OversizedError:
            self.kill()
            raise DocumentError("too large", "it contains too much text", "split it") from None
        except BaseException as error:  # also an interrupt: the answer would be read as the next file's
            if not isinstance(error, DocumentError):
                self.kill()
            raise

    def kill(self) -> None:
        """End the process. May be called twice."""
        self.worn = True
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Kill it and close the pipes."""
        self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._stderr.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def _greet(self) -> dict[str, Any]:
        deadline = time.monotonic() + _START_SECONDS
        try:
            formats = [row.as_dict() for row in FORMATS.values()]
            write_frame(self._to, {"limits": self._limits.as_dict(), "formats": formats}, deadline=deadline)
            hello = read_frame(self._from, deadline)
        except (BrokenPipeError, OverdueError):
            hello = None
        if hello is None:
            self.kill()
            self._stderr.seek(0)
            lines = self._stderr.read()[-2000:].decode("utf-8", "replace").strip().splitlines()
            self.close()
            why = lines[-1] if lines else "no reason is known"
            raise RagError(f"the process that reads files did not start: {why}", "run `rag doctor`")
        return hello[0]

    def _checked(self, head: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        grown = head["resident"] - self._resident_at_start > self._limits.growth_mb * MIB
        self.worn = grown or self._files >= self._limits.files_per_worker or "worn" in head
        if "error" in head:
            raise DocumentError(*head["error"])
        return head, body

    def _death(self) -> DocumentError:
        """Return what the end of the process means for the current file; kill it if it has only closed its pipe."""
        self.worn = True
        try:
            self._process.wait(_LAST_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        code = self._process.returncode
        if code == OUT_OF_MEMORY:
            return out_of_memory(self._limits)
        if -code in _OUT_OF_TIME:
            message = f"reading it took more than {self._limits.cpu_seconds} s of processor time"
            return DocumentError("timeout", message, "split it, or raise the limit on time")
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        if how == "SIGKILL":
            remedy = "if the machine ran out of memory, use fewer workers; then try again"
            return DocumentError("killed", "the process that read it was killed", remedy)
        return DocumentError("crashed", f"its parser crashed ({how})", "export it again; if it still fails, report it")


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
    """Return the ends of a pipe, ours and the worker's. Ours closes when this process ends, in whatever way."""
    theirs, ours = os.pipe()
    return ours, theirs


def _environment() -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "PYTHONPATH": str(Path(rag.__file__).parents[1]),
        "MALLOC_ARENA_MAX": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONUTF8": "1",
    }
