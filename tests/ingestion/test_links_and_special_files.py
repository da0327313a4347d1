"""Links out of a folder, pipes, devices, and huge files: nothing is followed, waited for, or read whole."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from rag.errors import DocumentError, InputError
from rag.ingestion import file_stamps
from rag.ingestion.discovery import LINKED_OUT, find_failed, find_sources
from rag.ingestion.file_stamps import read_file


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "docs" / "deep").mkdir(parents=True)
    (tmp_path / "docs" / "real.txt").write_text("The mast is 31 metres tall.")
    (tmp_path / "secret.txt").write_text("secret")
    return tmp_path


def test_a_link_out_of_the_folder_is_not_followed_unless_asked(top: Path) -> None:
    (top / "docs" / "out.txt").symlink_to(top / "secret.txt")
    (top / "docs" / "passwd.txt").symlink_to("/etc/passwd")
    (top / "docs" / "deep" / "up.txt").symlink_to("../real.txt")
    found = find_sources([top / "docs"], top)
    assert [file.source for file in found.files] == ["docs/deep/up.txt", "docs/real.txt"]
    assert found.skipped == {LINKED_OUT: 2}
    followed = find_sources([top / "docs"], top, follow_links=True)
    assert [file.source for file in followed.files] == [
        "docs/deep/up.txt", "docs/out.txt", "docs/passwd.txt", "docs/real.txt",
    ]  # fmt: skip
    [named] = find_sources([top / "docs" / "out.txt"], top).files
    assert read_file(named.path, follow=named.linked).data == b"secret"


def test_a_file_that_becomes_a_link_after_it_was_found_is_not_read(top: Path) -> None:
    [file] = find_sources([top / "docs"], top).files
    file.path.unlink()
    file.path.symlink_to(top / "secret.txt")
    with pytest.raises(DocumentError, match="a link was put in its place"):
        read_file(file.path, follow=file.linked)


@pytest.mark.timeout(20)
def test_a_pipe_and_a_device_are_no_documents(top: Path) -> None:
    os.mkfifo(top / "docs" / "pipe.txt")
    for path in (top / "docs" / "pipe.txt", Path("/dev/zero"), Path("/dev/tty"), top / "docs"):
        with pytest.raises(DocumentError) as caught:
            read_file(path)
        assert caught.value.reason in ("not a file", "unreadable")


@pytest.mark.timeout(20)
def test_a_pipe_in_place_of_ragignore_and_a_huge_one_are_refused(top: Path) -> None:
    os.mkfifo(top / "docs" / ".ragignore")
    with pytest.raises(InputError, match="cannot be read"):
        find_sources([top / "docs"], top)
    (top / "docs" / ".ragignore").unlink()
    (top / "docs" / ".ragignore").write_text("*.log\n" * 300_000)
    with pytest.raises(InputError, match="larger than 1 MiB"):
        find_sources([top / "docs"], top)


@pytest.mark.timeout(20)
def test_a_ragignore_of_stars_takes_no_time(top: Path) -> None:
    (top / "docs" / ".ragignore").write_text("\n".join(["*a" * 40 + "b", "**/" * 40 + "x", "[a-z]*" * 40]))
    (top / "docs" / f"{'a' * 240}.txt").write_text("text")
    deep = top / "docs" / "/".join(["d"] * 60)
    deep.mkdir(parents=True)
    (deep / "y.txt").write_text("text")
    assert len(find_sources([top / "docs"], top).files) >= 2


def test_a_file_that_is_too_large_is_refused_before_it_is_read(top: Path) -> None:
    path = top / "docs" / "huge.txt"
    with path.open("wb") as file:
        file.truncate(file_stamps.MOST_BYTES + 1)
    tracemalloc.start()
    with pytest.raises(DocumentError, match="larger than 256 MiB"):
        read_file(path)
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


def test_what_failed_elsewhere_is_not_read_again_on_the_word_of_the_index(top: Path) -> None:
    (top / "docs" / "out.txt").symlink_to("/etc/passwd")
    found = find_failed(["../secret.txt", "/etc/passwd", "docs/out.txt", "docs/real.txt"], top)
    assert [file.source for file in found.files] == ["docs/real.txt"]
    assert [(source, error.reason) for source, error in found.unreadable] == [
        ("../secret.txt", "outside"), ("/etc/passwd", "outside"), ("docs/out.txt", "outside"),
    ]  # fmt: skip
    assert "rag ingest /etc/passwd" in found.unreadable[1][1].remedy
