"""How a long run of ingestion is followed: a live display on a terminal, a line now and then elsewhere.

What is shown is decided by pure functions of a :class:`~rag.ingestion.report.Progress`; here it is only drawn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rag.cli.output import note
from rag.ingestion.report import AFTER_READING, Progress, bottleneck, shares
from rag.text import counted

__all__ = ["duration", "progress_bar", "standing", "what_limits", "where_the_time_went"]

_LINE_EVERY_S = 10.0
_WORTH_TELLING = 0.01
_PARTS = {"vectors": "the vectors' index", "words": "the words' index", "signatures": "signatures"}


@contextmanager
def progress_bar(clock: Callable[[], float] = time.monotonic) -> Iterator[Callable[[Progress], None]]:
    """Show on stderr where a run stands, what limits it, and how long it will take."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        with _live(console) as show:
            yield show
        return
    last = clock()

    def tell(progress: Progress) -> None:
        nonlocal last
        if clock() - last >= _LINE_EVERY_S:
            last = clock()
            note(f"{progress.stage}: {standing(progress)} · {where_the_time_went(progress.stages, most=2)}")

    yield tell


@contextmanager
def _live(console: object) -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress import BarColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    assert isinstance(console, Console)  # noqa: S101 - named here, because rich is loaded only where it is used
    bar = Bar(
        SpinnerColumn(), TextColumn("{task.fields[stage]:<9}"), BarColumn(), TextColumn("{task.percentage:3.0f} %")
    )
    task = bar.add_task("", total=None, stage="")
    told = Text("", style="dim")
    with Live(Group(bar, told), console=console, transient=True, refresh_per_second=5):

        def show(progress: Progress) -> None:
            done, total = progress.bytes_done, progress.bytes
            if progress.stage in AFTER_READING:
                done, total = progress.part_done, progress.part_of
            bar.update(task, total=total or None, completed=done, stage=progress.stage)
            told.plain = f"  {standing(progress)}\n  {where_the_time_went(progress.stages)}"

        yield show


def standing(progress: Progress) -> str:
    """Say how far a run is, how fast, and how long it has to go."""
    parts = [
        f"{progress.files_done:,} of {counted(progress.files, 'file')}",
        f"{progress.bytes_done / 1e6:,.1f} of {progress.bytes / 1e6:,.1f} MB",
    ]
    if progress.seconds and progress.chunks:
        parts.append(f"{progress.chunks / progress.seconds:,.1f} chunks/s")
        parts.append(f"{progress.tokens / progress.seconds:,.0f} tokens/s")
    if progress.left is not None:
        parts.append(f"{duration(progress.left)} left")
    if progress.part_of:
        parts.append(f"{_PARTS[progress.part]} {100 * progress.part_done // progress.part_of} %")
    return " · ".join(parts)


def where_the_time_went(stages: Mapping[str, float], most: int = 5) -> str:
    """Name the stages that took most of the time, with their shares."""
    told = [f"{name} {share:.0%}" for name, share in shares(stages)[:most] if share >= _WORTH_TELLING]
    return ", ".join(told).replace("%", " %")


def what_limits(stages: Mapping[str, float]) -> str:
    """Name the stage that limits a run."""
    found = bottleneck(stages)
    return "" if found is None else found[0]


def duration(seconds: float) -> str:
    """Return seconds as somebody would say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
