"""What a run of ingestion is doing, what it did, and where its time went.

The time of a run is split without a rest: at every moment one stage has the clock, the innermost that was begun
(:class:`StageClock`). Nothing is measured here of what other processes do meanwhile; time that is spent waiting for
them is a stage of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from indexes import FailedDocument

__all__ = ["AFTER_READING", "STAGES", "IngestReport", "Progress", "StageClock", "bottleneck", "shares"]

STAGES = {
    "find": "looking for files",
    "load": "loading the embedder",
    "read": "reading files",
    "parse": "waiting for parsers",
    "chunk": "cutting",
    "tokenise": "tokenising",
    "embed": "the encoder",
    "compare": "comparing documents",
    "write": "writing",
    "index": "search indexes",
}
"""The stages of a run in their order, and what each is called when it is told."""

AFTER_READING = ("indexing", "comparing")
"""What :attr:`Progress.stage` is when every file is in the index."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where ingestion stands: files and bytes done of all that are to be read, and what was embedded so far.

    ``bytes_done`` counts a file whose chunks are not all embedded in part. ``stages`` are the seconds so far. Of a
    stage after the reading, ``part_done`` of ``part_of`` things of the ``part`` are done (0: that is not known).
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
        """The seconds of reading that are left at the speed so far, None before anything is done and after all is."""
        if not self.bytes_done or not self.seconds or self.stage in AFTER_READING:
            return None
        return self.seconds * (self.bytes - self.bytes_done) / self.bytes_done


@dataclass
class IngestReport:
    """What a run did. ``embedded`` counts the vectors that had to be computed, ``tokens`` what was read for them.

    ``seconds`` is wall-clock, and ``stages`` says where it went. ``parse_seconds`` is the time that the parsers were
    busy, all of them together, beside it. ``gone`` and ``spared`` count documents that stay although their files are
    not there any more, as in :class:`~rag.ingestion.sync.Plan`. ``reported`` counts those of the failed files that
    failed
    before, as they are, and were not tried again. ``same`` and ``near`` count the documents of the index whose text is
    that of another one, or nearly; None where nothing was read, and so nothing compared.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    moved: int = 0
    removed: int = 0
    gone: int = 0
    spared: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    reported: int = 0
    chunks: int = 0
    embedded: int = 0
    tokens: int = 0
    bytes: int = 0
    same: int | None = None
    near: int | None = None
    generation: int = 0
    seconds: float = 0.0
    parse_seconds: float = 0.0
    skipped: dict[str, int] = field(default_factory=dict)
    failures: list[FailedDocument] = field(default_factory=list)
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
        """Give a block's time to a stage, but for that of the stages inside it."""
        self._charge()
        self._open.append(name)
        self._seconds.setdefault(name, 0.0)
        try:
            yield
        finally:
            self._charge()
            self._open.pop()

    def shift(self, source: str, target: str, seconds: float) -> None:
        """Take time from one stage to another: what is known of a part only afterwards."""
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
    """Return what each stage is called and its share of the time, the largest first."""
    total = sum(stages.values())
    if not total:
        return []
    told = [(STAGES[stage], seconds / total) for stage, seconds in stages.items()]
    return sorted(told, key=lambda pair: -pair[1])


def bottleneck(stages: Mapping[str, float]) -> tuple[str, float] | None:
    """Return the stage that took most of the time, and its share; None where nothing took any.

    Finding files and loading the embedder are left out: they are paid once, and limit nothing.
    """
    lasting = {stage: seconds for stage, seconds in stages.items() if stage not in ("find", "load")}
    return next(iter(shares(lasting)), None)
