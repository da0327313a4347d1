"""A pool of worker processes that read files: results in order, few in flight, and no file that stops the rest.

Workers start when they are first needed, are reused, and are replaced when they die or are worn. Threads of this
process wait for them, one each; nothing is forked.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TypeAlias, TypeVar

from rag.errors import DocumentError, RagError
from rag.loaders.bounds import MIB
from rag.loaders.pdf_page import PageImage
from rag.parsing.limits import Limits
from rag.parsing.process import GoneError, Worker
from rag.records import Document

__all__ = ["Job", "ParserPool"]

Job: TypeAlias = tuple[str, bytes | Path]
"""A file's name in the index, and its content or where it lies."""

T = TypeVar("T")

_IN_FLIGHT_PER_WORKER = 2
_STARTS = 3


class ParserPool:
    """Reads files in ``workers`` processes. Use it as a context manager; any number of threads may."""

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
        self._finalizer = weakref.finalize(self, _close_all, self._alive)

    def __enter__(self) -> ParserPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill the workers, idle or not. A file in hand becomes an error."""
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
        """The process ids of the workers alive."""
        with self._lock:
            return sorted(worker.pid for worker in self._alive)

    def parse(self, data: bytes | Path, source: str) -> Document:
        """Read one file. Raises :class:`~rag.errors.DocumentError`."""
        return self._parse(data, source, _Batch())

    def render_page(self, data: bytes | Path, source: str, number: int, quote: str = "", before: int = 0) -> PageImage:
        """Draw a page of a PDF with boxes around words, see :func:`~rag.loaders.pdf_page.render_page`.

        Raises :class:`~rag.errors.DocumentError`.
        """
        return self._with_worker(data, _Batch(), lambda worker: worker.render(source, data, number, quote, before))

    def parse_all(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Document | DocumentError]]:
        """Read files, yielding each with its document or why there is none, in the order of the jobs.

        Jobs are taken as there is room: two for each worker are in flight at most. Closing the iterator kills the
        workers that are busy with it.
        """
        batch = _Batch()
        flying: deque[tuple[Job, Future[Document | DocumentError]]] = deque()
        threads = ThreadPoolExecutor(self._workers, thread_name_prefix="parser")
        try:
            for job in jobs:
                flying.append((job, threads.submit(self._outcome, job, batch)))
                if len(flying) >= _IN_FLIGHT_PER_WORKER * self._workers:
                    first, future = flying.popleft()
                    yield first, future.result()
            while flying:
                first, future = flying.popleft()
                yield first, future.result()
        finally:
            batch.stop()
            threads.shutdown(cancel_futures=True)

    def _outcome(self, job: Job, batch: _Batch) -> Document | DocumentError:
        source, data = job
        try:
            return self._parse(data, source, batch)
        except DocumentError as error:
            return error

    def _parse(self, data: bytes | Path, source: str, batch: _Batch) -> Document:
        return self._with_worker(data, batch, lambda worker: worker.ask(source, data))

    def _with_worker(self, data: bytes | Path, batch: _Batch, work: Callable[[Worker], T]) -> T:
        if isinstance(data, bytes) and len(data) > self._limits.file_mb * MIB:
            told = f"it is larger than {self._limits.file_mb} MiB"
            raise DocumentError("too large", told, "split it, or raise the limit")
        with self._places:
            for _ in range(_STARTS):
                worker = self._take()
                try:
                    with batch.busy_with(worker):
                        return work(worker)
                except GoneError:
                    continue  # it ended while it was idle: the file is not to blame
                finally:
                    self._give_back(worker)
        raise RagError("the processes that read files end as soon as they start", "run `rag doctor`")

    def _take(self) -> Worker:
        with self._lock:
            if self._closed:
                raise RagError("the parser pool is closed")
            if self._idle:
                return self._idle.pop()
        worker = Worker(self._limits)
        with self._lock:
            self._alive.add(worker)
            closed = self._closed
        if closed:
            worker.kill()
        return worker

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            if not worker.worn and not self._closed:
                self._idle.append(worker)
                return
            self._alive.discard(worker)
        worker.close()


class _Batch:
    """The workers that are busy with one call, so that giving it up can end them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._busy: set[Worker] = set()
        self._stopped = False

    @contextmanager
    def busy_with(self, worker: Worker) -> Iterator[None]:
        with self._lock:
            self._busy.add(worker)
            stopped = self._stopped
        try:
            if stopped:
                worker.kill()
            yield
        finally:
            with self._lock:
                self._busy.discard(worker)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            busy = list(self._busy)
        for worker in busy:
            worker.kill()


def _close_all(workers: set[Worker]) -> None:
    for worker in list(workers):
        worker.close()
