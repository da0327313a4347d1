"""What a watch reports: changes that concern an ingestion, and paths that go and come back."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.ingestion.watching import Moment, is_relevant, watch_paths

PATIENCE_S = 10


def until(moments: Iterator[Moment], wanted: str) -> Moment:
    """Return the first moment with something of this kind."""
    ends = time.monotonic() + PATIENCE_S
    for moment in moments:
        if getattr(moment, wanted):
            return moment
        assert time.monotonic() < ends, f"nothing {wanted}"
    raise AssertionError


def nothing_changes(moments: Iterator[Moment], seconds: float = 1.2) -> bool:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if next(moments) != Moment():
            return False
    return True


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.md", True), ("sub/deep/a.PDF", True), ("a.unknown", False), ("folder", True), ("v1.2", True),
        (".hidden.md", False), (".git/index.md", False), ("~$lease.docx", False), (".~lock.lease.odt#", False),
        ("lease.docx~", False), ("a.md.swp", False), ("4913", True), (".ragignore", True), ("sub/.ragignore", True),
        ("idx/rag.db", False), ("idx/lexical/a.json", False), ("../other/a.md", True),
    ],
)  # fmt: skip
def test_which_changes_concern_an_ingestion(tmp_path: Path, name: str, expected: bool) -> None:
    root = tmp_path / "docs"
    (root / "v1.2").mkdir(parents=True)
    path = str((root / name).resolve())
    assert is_relevant(path, [root, tmp_path / "other"], root / "idx") == expected


def test_a_root_concerns_it_whatever_its_name(tmp_path: Path) -> None:
    root = tmp_path / ".hidden.unknown"
    assert is_relevant(str(root), [root], tmp_path / ".rag")
    inside = tmp_path / ".docs"
    assert is_relevant(str(inside / "a.md"), [inside], tmp_path / ".rag")


@pytest.mark.slow
def test_changes_are_reported_and_temporary_files_are_not(tmp_path: Path) -> None:
    docs, one = tmp_path / "docs", tmp_path / "one.md"
    (docs / ".rag").mkdir(parents=True)
    one.write_text("one", encoding="utf-8")
    moments = watch_paths([docs, one], docs / ".rag")
    assert next(moments) == Moment()
    (docs / "sub").mkdir()
    assert until(moments, "changed").changed
    (docs / "sub" / "a.md").write_text("a", encoding="utf-8")
    assert until(moments, "changed").changed
    assert nothing_changes(moments)
    for name in ("~$a.docx", ".a.md.swp", "a.tmp", ".rag/rag.db"):
        (docs / name).write_text("x", encoding="utf-8")
    assert nothing_changes(moments)
    new = tmp_path / "new"
    new.write_text("two", encoding="utf-8")
    new.replace(one)  # as editors save
    assert until(moments, "changed").changed
    one.write_text("three", encoding="utf-8")  # the new file is watched now
    assert until(moments, "changed").changed


@pytest.mark.slow
def test_a_folder_that_goes_and_comes_back(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    moments = watch_paths([docs], tmp_path / ".rag")
    next(moments)
    shutil.rmtree(docs)
    gone = until(moments, "gone")
    assert (gone.gone, gone.changed) == ((docs,), False)
    assert nothing_changes(moments, 0.6)
    docs.mkdir()
    back = until(moments, "back")
    assert (back.back, back.changed) == ((docs,), True)
    (docs / "a.md").write_text("a", encoding="utf-8")
    assert until(moments, "changed").changed
