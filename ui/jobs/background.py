"""Background work for pages: runs in a thread, is shared by all sessions, and is cached while it is recent.

A task's key contains everything that its result depends on, for example a file with its time and size. Results are
readings of files and of the machine, never text that a session typed.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import Any, Generic, TypeVar

from rag.errors import Failure
from ui.text.failures import failure_of, traced

__all__ = ["Background", "Task"]

T = TypeVar("T")
_RETRY_S = 5.0


class Task(Generic[T]):
    """A running or finished piece of work."""

    def __init__(self, future: Future[T]) -> None:
        self._future = future
        self._started = time.monotonic()
        self._ended: float | None = None
        future.add_done_callback(self._end)

    def _end(self, future: Future[T]) -> None:
        self._ended = time.monotonic()
        if not future.cancelled():
            traced("work behind the page", future.exception())

    def wait(self, seconds: float) -> bool:
        """Wait up to ``seconds``; return whether it is done."""
        return bool(wait_for([self._future], seconds).done)

    @property
    def done(self) -> bool:
        """Whether there is a result or a failure."""
        return self._future.done()

    @property
    def seconds(self) -> float:
        """The seconds it has taken so far, or took."""
        return (self._ended or time.monotonic()) - self._started

    def stale(self, seconds: float) -> bool:
        """Return whether it failed more than ``seconds`` ago, so that another attempt may succeed."""
        ended = self._ended or time.monotonic()
        return self.done and self._future.exception() is not None and time.monotonic() - ended > seconds

    @property
    def failure(self) -> Failure | None:
        """Why there is no result, once it is done; None where there is one."""
        error = self._future.exception()
        return None if error is None else failure_of(error)

    def result(self, timeout: float | None = None) -> T:
        """Return the result, waiting for it. Raises what the work raised, and ``TimeoutError``."""
        return self._future.result(timeout)


class Background:
    """Runs tasks on ``threads`` threads and caches the last ``most`` of them. Any thread may call."""

    def __init__(self, *, threads: int = 1, most: int = 16) -> None:
        self._lock = threading.Lock()
        self._tasks: OrderedDict[Hashable, Task[Any]] = OrderedDict()
        self._most = most
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="background")

    def get(self, key: Hashable, make: Callable[[], T]) -> Task[T]:
        """Return the task of this key, started by the first caller. A failed task is soon tried again."""
        with self._lock:
            task = self._tasks.get(key)
            if task is None or task.stale(_RETRY_S):
                task = self._tasks[key] = Task(self._pool.submit(make))
            self._tasks.move_to_end(key)
            for old in [k for k, t in self._tasks.items() if t.done][: max(0, len(self._tasks) - self._most)]:
                del self._tasks[old]
            return task

    def known(self, key: Hashable) -> Task[Any] | None:
        """Return the task of this key, None if there is none."""
        with self._lock:
            return self._tasks.get(key)

    def forget(self, key: Hashable) -> None:
        """Forget a task, so that the next caller starts it again."""
        with self._lock:
            self._tasks.pop(key, None)
