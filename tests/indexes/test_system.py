"""Files are replaced whole or not at all, and freed memory goes back to the system."""

from __future__ import annotations

import os
import platform
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from indexes.system import atomic_open, atomic_write, sha256_file, sha256_json

SCRIPT = """
from pathlib import Path
from indexes.system import release_memory

def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

texts = [f"{n:2000}" for n in range(50_000)]  # 100 MB in small blocks, and the last one stays
last = texts.pop()
del texts
before = resident()
release_memory()
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps its memory in another way")
def test_what_lies_below_the_last_block_is_released() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 80_000_000


def test_another_c_library_is_left_alone() -> None:
    script = "import ctypes\nctypes.CDLL = lambda _: object()\n" + SCRIPT
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 80_000_000


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic_write(path, "naïve\n")
    assert path.read_bytes() == "naïve\n".encode()
    with atomic_open(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == "naïve\n".encode()
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "file"
    atomic_write(path, b"old")

    def write() -> None:
        with atomic_open(path) as file:
            file.write(b"new")
            raise error

    with pytest.raises(type(error)):
        write()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_the_mode_is_that_of_a_new_file(tmp_path: Path) -> None:
    umask = os.umask(0o022)
    try:
        atomic_write(tmp_path / "shared", b"")
        atomic_write(tmp_path / "private", b"", mode=0o600)
    finally:
        os.umask(umask)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("shared", "private")] == [0o644, 0o600]


def test_checksums(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b'{"a": 1, "b": [null]}')
    assert sha256_file(tmp_path / "file") == sha256_json({"b": [None], "a": 1})
