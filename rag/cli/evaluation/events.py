"""Progress of an evaluation: bars for a person, or JSON lines on stderr for a program (``--progress json``).

Each JSON line is an object with ``event``: ``run`` (the folder and the number of questions), ``stage`` (``documents``,
``models``, ``questions`` or ``report``), ``documents`` and ``questions`` (how many are done), ``written``. Other lines
of stderr are notes and errors.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rag.cli.progress import duration, progress

if TYPE_CHECKING:
    from rag.ingestion.report import Progress

__all__ = ["Events", "ProgressForm", "ProgressOption"]

ProgressForm = Literal["bar", "json"]
ProgressOption = Annotated[
    ProgressForm, typer.Option("--progress", help="bar: on a terminal; json: lines on stderr, for a program.")
]


class Events:
    """Shows progress in one of the two forms."""

    def __init__(self, form: ProgressForm = "bar") -> None:
        self._json = form == "json"

    def emit(self, name: str, **values: Any) -> None:
        """Write one JSON line, if that is the form."""
        if self._json:
            shown = {key: str(value) if isinstance(value, Path) else value for key, value in values.items()}
            print(json.dumps({"event": name, **shown}), file=sys.stderr, flush=True)  # noqa: T201 - a line for a program

    @contextmanager
    def documents(self) -> Iterator[Callable[[Progress], None]]:
        """Yield what is called while paragraphs are ingested."""
        from rag.cli.ingest_report import show_ingestion

        self.emit("stage", stage="documents")
        last = -1
        with show_ingestion(hidden=self._json) as draw:

            def show(step: Progress) -> None:
                nonlocal last
                draw(step)
                if step.files_done != last:
                    last = step.files_done
                    self.emit("documents", done=step.files_done, total=step.files)

            yield show

    @contextmanager
    def questions(self, total: int, *, scored: bool) -> Iterator[Callable[[int, int, float, float], None]]:
        """Yield what is called after each window: questions done, their total, mean EM and F1 so far (0 to 1)."""
        self.emit("stage", stage="questions")
        self.emit("questions", done=0, total=total)
        started = time.monotonic()
        with progress("questions", hidden=self._json) as draw:

            def show(done: int, total: int, em: float, f1: float) -> None:
                scores = {"em": round(em, 4), "f1": round(f1, 4)} if scored else {}
                self.emit("questions", done=done, total=total, **scores)
                text = f"{done:,} of {total:,}" + (f" · EM {100 * em:.1f} F1 {100 * f1:.1f}" if scored else "")
                left = (time.monotonic() - started) * (total - done) / done
                draw(done, total, f"{text} · {duration(left)} left")

            yield show
