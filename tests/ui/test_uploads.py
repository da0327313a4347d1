"""Files that come through the page: their names, their limits, and where they lie."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingestion.discovery import find_sources
from ui.storage.uploads import Incoming, Refused, StoredUpload, Uploads, check, clean_name

MB = 2**20


def limits(*files: Incoming, most_bytes: int = MB, most_files: int = 10) -> tuple[list[str], list[tuple[str, str]]]:
    taken, refused = check(files, most_bytes=most_bytes, most_files=most_files)
    return [file.name for file in taken], [(one.name, one.why) for one in refused]


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "state" / "uploads" / ".rag")


def keep(uploads: Uploads, name: str, data: bytes = b"A lamp.") -> StoredUpload:
    kept = uploads.keep(Incoming(name, data))
    assert isinstance(kept, StoredUpload)
    return kept


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("report.pdf", "report.pdf"),
        ("Jahres Bericht 2024.pdf", "Jahres Bericht 2024.pdf"),
        ("../../etc/passwd", "etc/passwd"),
        ("..\\..\\windows\\win.ini", "windows/win.ini"),
        ("/etc/shadow", "etc/shadow"),
        ("C:\\Users\\a\\b.txt", "Users/a/b.txt"),
        ("a/./b//c.txt", "a/b/c.txt"),
        ("...", "unnamed"),
        ("", "unnamed"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("com1.pdf", "_com1.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),  # shown as invoiceexe.pdf
        ("zero\u200bwidth.md", "zerowidth.md"),
        ("line\nbreak\x00.txt", "line break.txt"),
        ("re\u0301sume\u0301.pdf", "r\xe9sum\xe9.pdf"),
        ("отчёт.docx", "отчёт.docx"),
    ],
)
def test_what_a_name_becomes(name: str, clean: str) -> None:
    assert clean_name(name) == clean


@given(st.text(max_size=400))
def test_no_name_leads_anywhere(name: str) -> None:
    clean = clean_name(name)
    assert clean
    assert clean_name(clean) == clean
    assert not any(part in ("", ".", "..") for part in clean.split("/"))
    assert all(len(part) <= 150 for part in clean.split("/"))
    clean.encode("utf-8")


def test_a_long_name_keeps_its_ending() -> None:
    clean = clean_name("x" * 500 + ".pdf")
    assert clean.endswith("….pdf")
    assert len(clean) == 150


def test_what_is_taken_and_what_is_not() -> None:
    taken, refused = limits(
        Incoming("a.txt", b"words"),
        Incoming("empty.txt", b"  \n"),
        Incoming("archive.txt", b"\x1f\x8b" + bytes(100)),
        Incoming("program.pdf", b"MZ\x00\x01" + bytes(range(256)) * 20),
        Incoming("large.txt", b"x" * (MB + 1)),
        Incoming("b.pdf", b"%PDF-1.7\n..."),
    )
    assert taken == ["a.txt", "b.pdf"]
    assert refused == [
        ("empty.txt", "kind"),
        ("archive.txt", "kind"),
        ("program.pdf", "kind"),
        ("large.txt", "too large"),
    ]


def test_of_too_many_files_the_first_are_taken() -> None:
    taken, refused = limits(*[Incoming(f"{n}.txt", b"words") for n in range(5)], most_files=3)
    assert taken == ["0.txt", "1.txt", "2.txt"]
    assert {why for _, why in refused} == {"too many"}


def test_files_that_are_too_large_together() -> None:
    taken, refused = limits(*[Incoming(f"{n}.txt", b"x" * 1000) for n in range(12)], most_bytes=1000, most_files=50)
    assert len(taken) == 10
    assert refused == [("10.txt", "too much"), ("11.txt", "too much")]


def test_a_file_lies_under_a_random_name(uploads: Uploads) -> None:
    kept = keep(uploads, "../../Plan.txt", b"the plan")
    assert kept.source == "upload://Plan.txt"
    path = uploads.path(kept.source)
    assert path is not None
    assert path.parent == uploads.folder
    assert "Plan" not in path.name
    assert path.read_bytes() == b"the plan"
    assert json.loads(next(uploads.folder.glob("*.json")).read_text(encoding="utf-8"))["source"] == kept.source


def test_the_same_name_again_is_the_same_document(uploads: Uploads) -> None:
    first = keep(uploads, "a.txt", b"one")
    assert keep(uploads, "a.txt", b"one").before == "same"
    second = keep(uploads, "a.txt", b"two")
    assert (first.before, second.before) == ("nothing", "other")
    path = uploads.path("upload://a.txt")
    assert path is not None
    assert path.read_bytes() == b"two"
    assert len(list(uploads.folder.iterdir())) == 2  # the bytes and their record: the first version is gone


def test_what_is_forgotten_is_gone_from_the_disk(uploads: Uploads) -> None:
    keep(uploads, "a.txt")
    keep(uploads, "b.txt")
    (uploads.folder / "mine.txt").write_text("not ours", encoding="utf-8")
    assert uploads.forget("upload://a.txt")
    assert not uploads.forget("upload://a.txt")
    assert uploads.path("upload://a.txt") is None
    uploads.forget_all()
    assert [path.name for path in uploads.folder.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"source": "upload://a.txt", "path": "../../secret"}'])
def test_a_broken_record_leads_nowhere(uploads: Uploads, record: str) -> None:
    keep(uploads, "a.txt")
    next(uploads.folder.glob("*.json")).write_text(record, encoding="utf-8")
    assert uploads.path("upload://a.txt") is None


def test_a_record_that_was_tampered_with_leads_nowhere(uploads: Uploads) -> None:
    keep(uploads, "a.txt")
    record = next(uploads.folder.glob("*.json"))
    told = json.loads(record.read_text(encoding="utf-8"))
    record.write_text(json.dumps(told | {"path": "../../../etc/passwd"}), encoding="utf-8")
    assert uploads.path("upload://a.txt") is None


def test_a_full_disk_refuses_and_keeps_what_was_there(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(uploads, "a.txt", b"one")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        refused = uploads.keep(Incoming("a.txt", b"two"))
    assert isinstance(refused, Refused)
    assert (refused.why, refused.message) == ("no room", "No space left on device")
    path = uploads.path("upload://a.txt")
    assert path is not None
    assert path.read_bytes() == b"one"
    assert len(list(uploads.folder.iterdir())) == 2


def test_ingesting_the_folder_around_it_reads_no_upload(uploads: Uploads, tmp_path: Path) -> None:
    keep(uploads, "a.json", b'{"a": 1}')
    (tmp_path / "real.txt").write_text("words", encoding="utf-8")
    assert [file.source for file in find_sources([tmp_path], tmp_path).files] == ["real.txt"]
