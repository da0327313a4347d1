"""Ctrl-C and SIGTERM during training: delayed until the current step is complete.

Python raises KeyboardInterrupt between any two instructions. If a library has just taken a lock, such as that of
TensorBoard's queue, the lock stays taken and closing the log waits forever. An interrupt while a checkpoint is written
leaves it incomplete.
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


class Interrupts(TrainerCallback):  # type: ignore[misc]  # mypy does not follow transformers
    """A context that delays the first interrupt until a step begins or ends; the second is raised at once.

    It handles only signals that would raise KeyboardInterrupt, and only in the main thread, which gets all signals.
    """

    def __init__(self) -> None:
        self._requested = self._at_once = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is signal.default_int_handler:
                    self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
        if kind is None:  # the interrupt came after the last step
            self._raise_if_requested()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Raise interrupts at once during a block: for long work that can stop anywhere."""
        self._raise_if_requested()
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Raise a delayed interrupt."""
        self._raise_if_requested()

    def on_substep_end(self, *_: Any, **__: Any) -> None:
        """Raise a delayed interrupt: a part of a step that accumulates can take seconds."""
        self._raise_if_requested()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Raise a delayed interrupt."""
        self._raise_if_requested()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._requested or self._at_once:
            raise KeyboardInterrupt
        self._requested = True

    def _raise_if_requested(self) -> None:
        if self._requested:
            raise KeyboardInterrupt
