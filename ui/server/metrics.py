"""How fast this process answers: the last answers as numbers, nothing of what was asked or said, nothing of who asked.

:func:`record` takes what there is to measure out of an answer and lets go of it. The record is bounded, and shared by
all sessions.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from eval.statistics import percentile
from rag.types import Answer

__all__ = ["Live", "Metrics", "Stage", "metrics", "record"]

_SIZE = 500
_MINUTES = 60.0


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    abstained: bool
    generator: str
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
    generators: tuple[str, ...]


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
        sample = _Sample(time.monotonic(), answer.abstained, answer.generator, timings, first_piece_s, tokens, stopped)
        with self._lock:
            self._samples.append(sample)

    def live(self) -> Live:
        """Sum up what is on record."""
        with self._lock:
            samples = list(self._samples)
        now = time.monotonic()
        names = list(dict.fromkeys(name for sample in samples for name in sample.timings))
        stages = [_stage(name, [s.timings[name] for s in samples if name in s.timings]) for name in names]
        stages.append(_stage("total", [sum(s.timings.values()) for s in samples if s.timings]))
        writing = [(s.tokens, s.timings.get("generate", 0.0)) for s in samples if s.tokens]
        seconds = sum(taken for _, taken in writing)
        return Live(
            answers=len(samples),
            abstained=sum(s.abstained for s in samples),
            stopped=sum(s.stopped for s in samples),
            last_minute=sum(now - s.at < _MINUTES for s in samples),
            last_hour=sum(now - s.at < 60 * _MINUTES for s in samples),
            stages=tuple(stage for stage in stages if stage is not None),
            first_piece=_stage("first", [s.first_piece_s for s in samples if s.first_piece_s is not None]),
            tokens_per_s=sum(tokens for tokens, _ in writing) / seconds if seconds else None,
            generators=tuple(dict.fromkeys(s.generator for s in reversed(samples) if s.generator)),
        )


def _stage(name: str, seconds: list[float]) -> Stage | None:
    return Stage(name, len(seconds), percentile(seconds, 50), percentile(seconds, 95)) if seconds else None


_metrics = Metrics()


def metrics() -> Metrics:
    """Return the record of this process."""
    return _metrics


def record(answer: Answer, *, first_piece_s: float | None = None, stopped: bool = False) -> None:
    """Take note of an answer in the record of this process."""
    _metrics.record(answer, first_piece_s=first_piece_s, stopped=stopped)
