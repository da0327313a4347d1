"""Ctrl-C and SIGTERM while a model is trained: kept until nothing is half done.

Python raises KeyboardInterrupt between any two instructions. Inside a library that has just taken a lock, TensorBoard's
queue for one, the lock stays taken, and closing the log then waits for it for ever. A checkpoint that is being written
is another such place.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

from transformers import TrainerCallback

__all__ = ["Interrupts"]


class Interrupts(TrainerCallback):  # type: ignore[misc]  # transformers is not looked into
    """Holds the first interrupt back until a step begins or ends; the second one is raised where it comes.

    Only signals that would raise KeyboardInterrupt are held, while it is entered, and in the main thread, since Python
    gives signals to no other.
    """

    def __init__(self) -> None:
        self._asked = self._at_once = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is signal.default_int_handler:
                    self._before[number] = signal.signal(number, self._come)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
        if kind is None:  # it came after the last step
            self._raise_if_asked()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let an interrupt through for a while: for long work that leaves nothing half done."""
        self._raise_if_asked()
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Raise what was held back."""
        self._raise_if_asked()

    def on_substep_end(self, *_: Any, **__: Any) -> None:
        """Raise what was held back: of a step that accumulates, a part can take seconds."""
        self._raise_if_asked()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Raise what was held back."""
        self._raise_if_asked()

    def _come(self, _number: int, _frame: FrameType | None) -> None:
        if self._asked or self._at_once:
            raise KeyboardInterrupt
        self._asked = True

    def _raise_if_asked(self) -> None:
        if self._asked:
            raise KeyboardInterrupt
