"""A disk that is full: a real one of a few hundred kilobytes where it may be mounted, else a limit on file sizes."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from fault_script import STEPS, acknowledged, faults_of, states

Server = Callable[..., list[int]]
LAST = len(STEPS)
PAGE = 4  # KB; a tmpfs gives whole ones


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """An empty tmpfs; :func:`resize` sets its size."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("this user may not mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def resize(disk: Path, kilobytes: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", str(disk)], check=True)


def fill_at(server: Server, disk: Path, kilobytes: int) -> bool:
    """Run the script on a disk of that size, then on a larger one; tell whether it was full before the end."""
    resize(disk, kilobytes)
    folder = disk / "index"
    try:
        [status] = server({"task": "script", "folder": folder})
        assert status in (0, 28)
        done = 0
        with suppress(ValueError, IndexError):  # the note itself may not have found room
            done = acknowledged(folder)
        resize(disk, 64_000)  # a check needs room for its scratch files, as any reader does
        assert faults_of(folder, done, LAST, states()) == []
        assert server({"task": "script", "folder": folder}) == [0]
        assert faults_of(folder, LAST, LAST, states()) == []
    finally:
        for path in disk.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return status != 0


def test_a_full_disk_loses_nothing_that_was_acknowledged(server: Server, disk: Path) -> None:
    assert [fill_at(server, disk, kilobytes) for kilobytes in (60, 140, 220, 64_000)] == [True, True, True, False]


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_a_disk_that_is_full_at_any_write(server: Server, disk: Path, figure: Callable[[str], None]) -> None:
    """One page more each time, until there is room for all: each page that is written is once the first too many."""
    sizes = itertools.count(12, PAGE)
    tried = list(itertools.takewhile(lambda kilobytes: fill_at(server, disk, kilobytes), sizes))
    figure(f"{len(tried)} sizes of a disk that is full before the end, {tried[0]} to {tried[-1]} KB")
    assert len(tried) > 60
