"""The progress of an ingestion, and the intervals at which it is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from rag.cli.ingest_report import progress_text, stage_shares
from rag.cli.progress import duration, progress
from rag.ingestion.report import Progress, StageClock, bottleneck, shares

STAGES = {"load": 5.0, "parse": 2.0, "chunk": 1.0, "embed": 12.0, "write": 0.05}
HALF = Progress(
    3, 9, 200, "embedding", bytes_done=2_000_000, bytes=4_000_000, tokens=40_000, seconds=20.0, stages=STAGES
)


def test_a_run_is_told_in_files_bytes_speed_and_time_left() -> None:
    assert progress_text(HALF) == "3 of 9 files · 2.0 of 4.0 MB · 10.0 chunks/s · 2,000 tokens/s · 20 s left"
    assert progress_text(Progress(0, 9, 0, "reading", bytes=4_000_000)) == "0 of 9 files · 0.0 of 4.0 MB"


def test_after_the_reading_no_time_is_left_and_the_part_in_hand_is_told() -> None:
    read = replace(HALF, stage="indexing", bytes_done=4_000_000)
    assert progress_text(read) == "3 of 9 files · 4.0 of 4.0 MB · 10.0 chunks/s · 2,000 tokens/s"
    signing = replace(read, part="signatures", part_done=1_999, part_of=3_000)
    assert progress_text(signing) == f"{progress_text(read)} · signatures 66 %"


def test_the_stages_are_named_with_their_shares_the_largest_first() -> None:
    told = stage_shares(STAGES)
    assert told == "embedding 60 %, loading the embedder 25 %, waiting for parsers 10 %, chunking 5 %"
    assert sum(share for _, share in shares(STAGES)) == pytest.approx(1)
    assert stage_shares({}) == ""


def test_a_stage_that_runs_once_is_no_bottleneck() -> None:
    found = bottleneck({"load": 50.0, "find": 9.0, "chunk": 1.0, "embed": 2.0})
    assert found is not None and found[0] == "embedding"
    assert bottleneck({}) is None


@pytest.mark.parametrize(("seconds", "told"), [(0, "0 s"), (89, "89 s"), (600, "10 min"), (7200, "2.0 h")])
def test_durations(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_without_a_terminal_a_line_is_written_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    times: Iterator[float] = iter(range(1000))  # every look at the clock is a second later
    with progress("reading", line_every_s=10, clock=lambda: next(times)) as show:
        for _ in range(33):
            show(1, 2, "half\ndone", label="embedding")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert set(lines) == {"embedding: half · done"}


def test_a_stage_inside_another_has_its_own_time() -> None:
    now = [0.0]
    stages = StageClock(lambda: now[0])

    def passes(seconds: float) -> None:
        now[0] += seconds

    passes(1)
    with stages.stage("parse"):
        passes(2)
        with stages.stage("read"):
            passes(4)
        passes(8)
    passes(16)
    assert stages.seconds == {"read": 4, "parse": 10}
    stages.shift("parse", "tokenise", 3)
    stages.shift("read", "chunk", 99)
    assert stages.seconds == {"read": 0, "parse": 7, "chunk": 4, "tokenise": 3}
