"""The progress display of every command: a bar and text on a terminal, a line of text now and then elsewhere.

::

    with progress("questions") as show:
        show(64, 128, "EM 65.0")

It draws on stderr and knows nothing about what progresses.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

from rag.cli.output import note

if TYPE_CHECKING:
    from rag.config import Config

__all__ = ["Show", "duration", "loading", "on_terminal", "progress", "status"]

_PREPARING = "preparing the embedder for this machine, once: up to a minute"


class Show(Protocol):
    """Draws how far a task is."""

    def __call__(self, done: float, total: float | None, text: str = "", *, label: str = "") -> None:
        """Draw ``done`` of ``total`` (None if unknown), with lines of ``text`` below; ``label`` replaces the label."""


def on_terminal() -> bool:
    """Return whether stderr is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def progress(
    label: str,
    *,
    line_every_s: float | None = None,
    hidden: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Show]:
    """Yield a function that draws progress on stderr.

    Without a terminal it writes a line with the text every ``line_every_s`` seconds, or nothing at all if that is None.
    ``hidden`` draws nothing anywhere.
    """
    if hidden or not on_terminal():
        yield _lines(label, None if hidden else line_every_s, clock)
        return
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.text import Text

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[share]}"),
        TimeElapsedColumn())  # fmt: skip
    bar, below = Progress(*columns), Text("", style="dim")
    task = bar.add_task(label, total=None, share="")
    # On a descriptor of its own, because libraries are silenced by redirecting the usual one.
    with (
        os.fdopen(os.dup(2), "w") as terminal,
        Live(Group(bar, below), console=Console(file=terminal), transient=True, refresh_per_second=5),
    ):

        def show(done: float, total: float | None, text: str = "", *, label: str = label) -> None:
            share = f"{100 * done / total:3.0f} %" if total else ""
            bar.update(task, completed=done, total=total or None, description=label, share=share)
            below.plain = "\n".join(f"  {line}" for line in text.splitlines())

        yield show


def _lines(label: str, every_s: float | None, clock: Callable[[], float]) -> Show:
    last = clock()

    def show(done: float, total: float | None, text: str = "", *, label: str = label) -> None:  # noqa: ARG001
        nonlocal last
        if every_s is not None and clock() - last >= every_s:
            last = clock()
            note(f"{label}: {' · '.join(text.splitlines())}")

    return show


@contextmanager
def status(label: str, *, line: str = "") -> Iterator[None]:
    """Show that a task of unknown length runs. Without a terminal, write ``line`` once."""
    if line and not on_terminal():
        note(line)
    with progress(label):
        yield


def loading(config: Config, label: str = "loading the embedder", *, line: str = "") -> AbstractContextManager[None]:
    """Show that models load, and whether the embedder must first be prepared for this machine."""
    from rag.factory import embedder_is_prepared

    if embedder_is_prepared(config):
        return status(label, line=line)
    return status(f"{label}: {_PREPARING}", line=f"{line} ({_PREPARING})" if line else f"{_PREPARING}…")


def duration(seconds: float) -> str:
    """Return a duration as ``45 s``, ``12 min`` or ``2.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
