"""A pool of worker processes that read files: results in order, few files in flight, and no file stops the rest.

Workers start when they are first needed, are reused, and are replaced when they die or are worn out. One thread of this
process waits for each; nothing is forked.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import MappingProxyType, TracebackType
from typing import Any, TypeVar, overload

from rag.errors import DocumentError, RagError
from rag.ingestion.loaders.limits import MIB
from rag.ingestion.loaders.pdf_page import PageImage
from rag.ingestion.loaders.word_boxes import Rectangle
from rag.ingestion.sandbox.protocol import Limits, unpack_document, unpack_page
from rag.ingestion.sandbox.worker_process import GoneError, Worker
from rag.types import Document

__all__ = ["ParserPool"]

T = TypeVar("T")
Job = tuple[str, bytes]
"""A file's name in the index, and its content."""
Outcome = tuple[Job, Document | DocumentError]

_IN_FLIGHT_PER_WORKER = 2
_IN_FLIGHT_BYTES = 32 * MIB  # of contents: reading large files ahead would fill the memory
_STARTS = 3


class ParserPool:
    """Reads files in ``workers`` processes. Use it as a context manager. Safe to call from many threads."""

    def __init__(self, workers: int = 2, limits: Limits | None = None) -> None:
        if workers < 1:
            raise ValueError(f"workers is {workers} and must be at least 1")
        self._limits = limits or Limits()
        self._workers = workers
        self._places = threading.BoundedSemaphore(workers)
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._alive: set[Worker] = set()
        self._closed = False
        self._busy_seconds = 0.0
        self._finalizer = weakref.finalize(self, _close_all, self._alive)

    def __enter__(self) -> ParserPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill the workers. A file that is being read becomes an error."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            self._alive.difference_update(idle)
            busy = list(self._alive)
        for worker in idle:
            worker.close()
        for worker in busy:
            worker.kill()

    @property
    def pids(self) -> list[int]:
        """The process ids of the running workers."""
        with self._lock:
            return sorted(worker.pid for worker in self._alive)

    @property
    def busy_seconds(self) -> float:
        """The seconds that the workers, all together, were busy with files of :meth:`parse_all`."""
        with self._lock:
            return self._busy_seconds

    def parse(self, data: bytes, source: str) -> Document:
        """Read one file. Raises :class:`~rag.errors.DocumentError`."""
        return self._ask({"source": source}, data, unpack_document, _Call())

    def render_page(
        self, data: bytes, number: int, quote: str = "", before: int = 0, scanned: Iterable[Rectangle] = ()
    ) -> PageImage:
        """Draw a page with boxes around words, see :func:`~rag.ingestion.loaders.pdf_page.render_page`.

        Raises :class:`~rag.errors.DocumentError`.
        """
        page = {"number": number, "quote": quote, "before": before, "scanned": list(map(list, scanned))}
        return self._ask({"page": page}, data, unpack_page, _Call())

    @overload
    def parse_all(self, jobs: Iterable[Job]) -> Iterator[Outcome]: ...

    @overload
    def parse_all(
        self, jobs: Iterable[Job], patience: float, hints: Mapping[str, Mapping[str, str]] = ...
    ) -> Iterator[Outcome | None]: ...

    def parse_all(
        self,
        jobs: Iterable[Job],
        patience: float | None = None,
        hints: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    ) -> Iterator[Outcome | None]:
        """Read files, and yield each job with its document or error, in the order of the jobs.

        At most two jobs per worker are in flight, fewer if the files are large. None is yielded whenever the next
        result takes more than ``patience`` seconds. ``hints`` maps a job's name to further arguments of
        :func:`~rag.ingestion.loaders.load_bytes`. Closing the iterator kills the workers that are busy with it.
        """
        call, most = _Call(), _IN_FLIGHT_PER_WORKER * self._workers
        flying: deque[tuple[Job, Future[Document | DocumentError]]] = deque()
        threads = ThreadPoolExecutor(self._workers, thread_name_prefix="parser")
        try:
            for job in jobs:
                flying.append((job, threads.submit(self._outcome, job, hints.get(job[0], {}), call)))
                del job  # do not hold on to its content while waiting for the next result
                while len(flying) >= most or sum(len(data) for (_, data), _ in flying) >= _IN_FLIGHT_BYTES:
                    yield from _next_of(flying, patience)
            while flying:
                yield from _next_of(flying, patience)
        finally:
            self._end(call)
            threads.shutdown(cancel_futures=True)

    def _outcome(self, job: Job, hints: Mapping[str, str], call: _Call) -> Document | DocumentError:
        source, data = job
        started = time.monotonic()
        try:
            return self._ask({"source": source, "hints": dict(hints)}, data, unpack_document, call)
        except DocumentError as error:
            return error
        finally:
            with self._lock:
                self._busy_seconds += time.monotonic() - started

    @property
    def most_bytes(self) -> int:
        """The size of the largest file that is read."""
        return self._limits.file_mb * MIB

    def _ask(
        self, request: dict[str, Any], data: bytes, unpack: Callable[[dict[str, Any], bytes], T], call: _Call
    ) -> T:
        if len(data) > self.most_bytes:
            message = f"it is larger than {self._limits.file_mb} MiB"
            raise DocumentError("too large", message, "split it, or raise the limit")
        with self._places:
            for _ in range(_STARTS):
                with suppress(GoneError), self._worker(call) as worker:  # it may have ended while it was idle
                    return worker.ask(request, data, unpack)
        raise RagError("the processes that read files end as soon as they start", "run `rag doctor`")

    @contextmanager
    def _worker(self, call: _Call) -> Iterator[Worker]:
        """Lend a worker, a new one if none is idle. It is killed if the pool or the call has ended meanwhile."""
        with self._lock:
            if self._closed:
                raise RagError("the parser pool is closed")
            worker = self._idle.pop() if self._idle else None
        worker = worker or Worker(self._limits)
        with self._lock:
            self._alive.add(worker)
            call.workers.add(worker)
            has_ended = self._closed or call.has_ended
        try:
            if has_ended:
                worker.kill()
            yield worker
        finally:
            with self._lock:
                call.workers.discard(worker)
                is_reused = not (worker.worn or self._closed)
                if is_reused:
                    self._idle.append(worker)
                else:
                    self._alive.discard(worker)
            if not is_reused:
                worker.close()

    def _end(self, call: _Call) -> None:
        with self._lock:
            call.has_ended = True
            workers = list(call.workers)
        for worker in workers:
            worker.kill()


@dataclass
class _Call:
    """One call of the pool: the workers that are busy with it, and whether it was abandoned."""

    workers: set[Worker] = field(default_factory=set)
    has_ended: bool = False


def _next_of(
    flying: deque[tuple[Job, Future[Document | DocumentError]]], patience: float | None
) -> Iterator[Outcome | None]:
    """Yield None every ``patience`` seconds until the first outcome is ready, then the outcome."""
    while patience is not None and not wait([flying[0][1]], patience).done:
        yield None
    yield flying[0][0], flying.popleft()[1].result()  # without a variable, which would hold on to the file


def _close_all(workers: set[Worker]) -> None:
    for worker in list(workers):
        worker.close()
