"""What a run is doing, what it did, and where its time went.

All of a run's time is split among stages: at every moment one stage is charged, the innermost that is open
(:class:`StageClock`). The work of other processes is not measured; waiting for them is a stage of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from indexes import FailedDocument, ReadingNote

__all__ = ["AFTER_READING", "STAGES", "IngestReport", "Progress", "StageClock", "bottleneck", "shares"]

STAGES = {
    "find": "looking for files",
    "load": "loading the embedder",
    "read": "reading files",
    "parse": "waiting for parsers",
    "chunk": "chunking",
    "tokenise": "tokenizing",
    "embed": "embedding",
    "compare": "comparing documents",
    "write": "writing",
    "index": "building search indexes",
}
"""The stages of a run in order, and their names for users."""
_ONCE = ("find", "load")  # stages whose time does not grow with the files

AFTER_READING = ("indexing", "comparing")
"""The values of :attr:`Progress.stage` when every file is in the index."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of a run: files and bytes done of those to read, and chunks embedded so far.

    ``bytes_done`` counts a share of a file whose chunks are not all embedded. ``stages`` are the seconds so far. In a
    stage after the reading, ``part_done`` of ``part_of`` items of ``part`` are done; 0 if their number is unknown.
    """

    files_done: int
    files: int
    chunks: int
    stage: str
    bytes_done: int = 0
    bytes: int = 0
    tokens: int = 0
    seconds: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)
    part: str = ""
    part_done: int = 0
    part_of: int = 0

    @property
    def left(self) -> float | None:
        """The seconds of reading that are left at the speed so far, None before the first file and after the last."""
        if not self.bytes_done or not self.seconds or self.stage in AFTER_READING:
            return None
        return self.seconds * (self.bytes - self.bytes_done) / self.bytes_done


@dataclass
class IngestReport:
    """What a run did. ``embedded`` counts the computed vectors, ``tokens`` what the embedder read for them.

    ``seconds`` is wall-clock time, ``stages`` its parts. ``parse_seconds`` is the time that the parsers, all together,
    were busy meanwhile. ``gone``, ``ignored`` and ``spared`` count documents that stay although their files are not
    read any more, as in :class:`~rag.ingestion.sync.Plan`. ``reported`` of the failed files failed before and were not
    tried again. ``notes`` maps documents that were read now to what of them was not read. ``same`` and ``near`` count
    the documents with the same or nearly the same text as another one, ``versions`` those of which other versions are
    there; None if nothing was read.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    moved: int = 0
    removed: int = 0
    gone: int = 0
    ignored: int = 0
    spared: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    reported: int = 0
    chunks: int = 0
    embedded: int = 0
    tokens: int = 0
    bytes: int = 0
    same: int | None = None
    near: int | None = None
    versions: int | None = None
    generation: int = 0
    seconds: float = 0.0
    parse_seconds: float = 0.0
    skipped: dict[str, int] = field(default_factory=dict)
    failures: list[FailedDocument] = field(default_factory=list)
    notes: dict[str, tuple[ReadingNote, ...]] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)


class StageClock:
    """Splits time among stages. For one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.now = clock
        self._seconds: dict[str, float] = {}
        self._open: list[str] = []
        self.began = self._since = clock()

    @property
    def seconds(self) -> dict[str, float]:
        """The seconds of each stage so far, in the order of :data:`STAGES`."""
        self._charge()
        return {stage: self._seconds[stage] for stage in STAGES if stage in self._seconds}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Charge the time of a block to a stage, except for stages inside it."""
        self._charge()
        self._open.append(name)
        self._seconds.setdefault(name, 0.0)
        try:
            yield
        finally:
            self._charge()
            self._open.pop()

    def shift(self, source: str, target: str, seconds: float) -> None:
        """Move time from one stage to another, which is known only afterwards."""
        self._charge()
        moved = min(seconds, self._seconds.get(source, 0.0))
        self._seconds[source] = self._seconds.get(source, 0.0) - moved
        self._seconds[target] = self._seconds.get(target, 0.0) + moved

    def _charge(self) -> None:
        now = self.now()
        if self._open:
            self._seconds[self._open[-1]] += now - self._since
        self._since = now


def shares(stages: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return the name of each stage and its share of the time, the largest first."""
    total = sum(stages.values())
    if not total:
        return []
    named = [(STAGES[stage], seconds / total) for stage, seconds in stages.items()]
    return sorted(named, key=lambda pair: -pair[1])


def bottleneck(stages: Mapping[str, float]) -> tuple[str, float] | None:
    """Return the stage with the largest share of the time, and the share; None if no time was spent.

    Finding files and loading the embedder do not count: they happen once.
    """
    return next(iter(shares({stage: seconds for stage, seconds in stages.items() if stage not in _ONCE})), None)
