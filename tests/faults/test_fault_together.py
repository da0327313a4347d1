"""Several at once: writers, reading processes beside a writing one, and threads that search during ingestion."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fault_script import LOCKED, open_or_make

Server = Callable[..., list[int]]


def two_writers(server: Server, folder: Path, rounds: int) -> None:
    before = open_or_make(folder).store.generation
    done = 0
    for number in range(rounds):
        statuses = server(
            {"task": "write", "folder": folder, "first": 10 * number, "versions": 2},
            {"task": "write", "folder": folder, "first": 10 * number + 5, "versions": 2},
        )
        assert set(statuses) <= {0, LOCKED}, statuses
        assert 0 in statuses
        done += statuses.count(0)
    index = open_or_make(folder)
    assert index.store.generation == before + 2 * done, "whoever was let in did all of it"
    assert index.verify(deep=True) == []


def test_two_writers_take_turns_or_are_told(server: Server, place: Path) -> None:
    two_writers(server, place / "index", rounds=10)


def reading_beside(server: Server, folder: Path, seconds: float, versions: int) -> int:
    assert server({"task": "write", "folder": folder, "versions": 1}) == [0]
    reading = [{"task": "read", "folder": folder, "seconds": seconds} for _ in range(8)]
    assert server({"task": "write", "folder": folder, "first": 1, "versions": versions}, *reading) == [0] * 9
    answers = [int(line) for line in Path(f"{folder}.answers").read_text(encoding="utf-8").split()]
    assert len(answers) == 8
    assert open_or_make(folder).verify(deep=True) == []
    return sum(answers)


def test_eight_reading_processes_see_one_generation_each_time(server: Server, place: Path) -> None:
    assert reading_beside(server, place / "index", seconds=3, versions=12) > 8


def test_thirty_two_threads_search_while_it_is_written(server: Server, place: Path) -> None:
    assert server({"task": "search", "folder": place / "index", "versions": 6}) == [0]


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_many_rounds(server: Server, place: Path, figure: Callable[[str], None]) -> None:
    answers = reading_beside(server, place / "read", seconds=60, versions=150)
    figure(f"{answers} answers of 8 reading processes beside 150 commits, none of two generations")
    assert server({"task": "search", "folder": place / "searched", "versions": 60}) == [0]
    two_writers(server, place / "two", rounds=100)
