"""How an evaluation says how far it is: a bar on a terminal, or JSON lines on stderr for another program.

Every JSON line is an object with ``event``: ``run`` (the folder and the number of questions), ``stage`` (what is being
done: ``documents``, ``models``, ``questions`` or ``report``), ``documents`` and ``questions`` (how many are done),
``written``. Lines of stderr that are no JSON objects are notes and errors, as without it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from rag.ingestion.report import Progress

__all__ = ["Bars", "JsonLines", "ProgressForm", "Teller", "make_teller"]

ProgressForm = Literal["bar", "json"]
Answered = Callable[[int, int, float, float], None]


class Teller(Protocol):
    """What :func:`~rag.cli.evaluation.job.execute` tells its progress to."""

    def event(self, name: str, **values: Any) -> None:
        """Take note of something that happened once."""

    def documents(self) -> AbstractContextManager[Callable[[Progress], None]]:
        """Yield what is called while paragraphs are made into an index."""

    def questions(self, total: int, scored: bool) -> AbstractContextManager[Answered]:
        """Yield what is called after each window: questions done, of how many, mean EM and F1 so far."""


class Bars:
    """For a person at a terminal; elsewhere it is silent."""

    def event(self, name: str, **values: Any) -> None:
        """Pass over it: the bars say enough."""

    def documents(self) -> AbstractContextManager[Callable[[Progress], None]]:
        """Show the bar of ``rag ingest``."""
        from rag.cli.progress import progress_bar

        return progress_bar()

    @contextmanager
    def questions(self, total: int, scored: bool) -> Iterator[Answered]:
        """Show a bar with the scores so far."""
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TextColumn("{task.fields[scores]}"), TimeElapsedColumn(), TimeRemainingColumn())  # fmt: skip
        with Bar(*columns, console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task("questions", total=total, scores="")

            def show(done: int, total: int, em: float, f1: float) -> None:
                bar.update(
                    task, completed=done, total=total, scores=f"EM {100 * em:.1f} F1 {100 * f1:.1f}" if scored else ""
                )

            yield show


class JsonLines:
    """For a program that reads stderr."""

    def event(self, name: str, **values: Any) -> None:
        """Write one line."""
        told = {key: str(value) if isinstance(value, Path) else value for key, value in values.items()}
        print(json.dumps({"event": name, **told}), file=sys.stderr, flush=True)  # noqa: T201 - a line for a program

    @contextmanager
    def documents(self) -> Iterator[Callable[[Progress], None]]:
        """Write a line for every file that is done."""
        self.event("stage", stage="documents")
        last = [-1]

        def show(progress: Progress) -> None:
            if progress.files_done != last[0]:
                last[0] = progress.files_done
                self.event("documents", done=progress.files_done, total=progress.files)

        yield show

    @contextmanager
    def questions(self, total: int, scored: bool) -> Iterator[Answered]:
        """Write a line for every window that is answered."""
        self.event("stage", stage="questions")
        self.event("questions", done=0, total=total)

        def show(done: int, total: int, em: float, f1: float) -> None:
            scores = {"em": round(em, 4), "f1": round(f1, 4)} if scored else {}
            self.event("questions", done=done, total=total, **scores)

        yield show


def make_teller(form: ProgressForm) -> Teller:
    """Return what tells in this form."""
    return JsonLines() if form == "json" else Bars()
