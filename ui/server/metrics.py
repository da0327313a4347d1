"""How fast this process answers: the last answers as numbers, nothing of what was asked or said, nothing of who asked.

:meth:`Metrics.record` stores an answer's figures, not the answer. The record is bounded, and shared by all sessions.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eval.statistics import percentile
from rag.types import Answer

__all__ = ["Live", "Metrics", "Stage", "metrics"]

_SIZE = 500
_MINUTES = 60.0


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    abstained: bool
    timings: Mapping[str, float]
    first_piece_s: float | None
    tokens: int
    stopped: bool


@dataclass(frozen=True, slots=True)
class Stage:
    """Seconds of one stage over the answers that had it."""

    name: str
    n: int
    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Live:
    """The answers on record. ``stages`` end with ``total``; ``first_piece`` is the wait until something was to be read.

    ``tokens_per_s`` is written tokens over seconds of generating, None where no model wrote.
    """

    answers: int
    abstained: int
    stopped: int
    last_minute: int
    last_hour: int
    stages: tuple[Stage, ...]
    first_piece: Stage | None
    tokens_per_s: float | None


class Metrics:
    """The record. Any thread may write and read."""

    def __init__(self, size: int = _SIZE) -> None:
        self._lock = threading.Lock()
        self._samples: deque[_Sample] = deque(maxlen=size)

    def record(self, answer: Answer, *, first_piece_s: float | None = None, stopped: bool = False) -> None:
        """Take note of an answer."""
        # The first token comes within the generating: it is no stage of its own.
        timings = {str(n): float(seconds) for n, seconds in answer.timings.items() if n != "first_token"}
        tokens = answer.usage.completion_tokens
        sample = _Sample(time.monotonic(), answer.abstained, timings, first_piece_s, tokens, stopped)
        with self._lock:
            self._samples.append(sample)

    def live(self) -> Live:
        """Sum up what is on record."""
        with self._lock:
            samples = list(self._samples)
        now = time.monotonic()
        return Live(
            answers=len(samples),
            abstained=sum(s.abstained for s in samples),
            stopped=sum(s.stopped for s in samples),
            last_minute=sum(now - s.at < _MINUTES for s in samples),
            last_hour=sum(now - s.at < 60 * _MINUTES for s in samples),
            stages=_stages(samples),
            first_piece=_stage("first", [s.first_piece_s for s in samples if s.first_piece_s is not None]),
            tokens_per_s=_tokens_per_s(samples),
        )


def _stages(samples: Sequence[_Sample]) -> tuple[Stage, ...]:
    """Return every stage in the order of its first answer, then their total."""
    seconds: dict[str, list[float]] = {}
    for sample in samples:
        for name, taken in sample.timings.items():
            seconds.setdefault(name, []).append(taken)
    seconds["total"] = [sum(sample.timings.values()) for sample in samples if sample.timings]
    return tuple(stage for name, taken in seconds.items() if (stage := _stage(name, taken)))


def _stage(name: str, seconds: list[float]) -> Stage | None:
    return Stage(name, len(seconds), percentile(seconds, 50), percentile(seconds, 95)) if seconds else None


def _tokens_per_s(samples: Sequence[_Sample]) -> float | None:
    written = [sample for sample in samples if sample.tokens]
    seconds = sum(sample.timings.get("generate", 0.0) for sample in written)
    return sum(sample.tokens for sample in written) / seconds if seconds else None


_metrics = Metrics()


def metrics() -> Metrics:
    """Return the record of this process."""
    return _metrics
