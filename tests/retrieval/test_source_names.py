"""Documents by name: brackets, paths, folders, backslashes, case, and names that are like none."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import InputError
from rag.retrieval.source_names import SourceNames

NAMES = [
    "contracts/2024/lease.pdf",
    "contracts/lease.pdf",
    "contracts [old]/lease.pdf",
    "contracts-2/lease.pdf",
    "report [final].pdf",
    "report f.pdf",
    "Näme.md",
    "back\\slash.txt",
    "what?.txt",
    "https://example.com/a/b?x=[1]",
    "https://example.com/a/c",
    "/elsewhere/notes.txt",
    "upload://lease.pdf",
]


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SourceNames:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    return SourceNames(NAMES, tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("report [final].pdf", ["report [final].pdf"]),
        ("report [f-i].pdf", ["report f.pdf"]),
        ("report [!a].pdf", ["report f.pdf"]),
        ("report [^a].pdf", ["report f.pdf"]),
        ("report [final]*", ["report [final].pdf"]),
        ("REPORT [FINAL].pdf", ["report [final].pdf"]),
        ("contracts", ["contracts/2024/lease.pdf", "contracts/lease.pdf"]),
        ("contracts/", ["contracts/2024/lease.pdf", "contracts/lease.pdf"]),
        ("Contracts", ["contracts/2024/lease.pdf", "contracts/lease.pdf"]),
        ("contracts [old]", ["contracts [old]/lease.pdf"]),
        ("contracts [old]/*", ["contracts [old]/lease.pdf"]),
        ("contracts\\2024\\lease.pdf", ["contracts/2024/lease.pdf"]),
        (".\\contracts\\2024", ["contracts/2024/lease.pdf"]),
        ("contracts\\2024\\*.pdf", ["contracts/2024/lease.pdf"]),
        ("back\\slash.txt", ["back\\slash.txt"]),
        ("./contracts/../report f.pdf", ["report f.pdf"]),
        ("./contracts/*", ["contracts/2024/lease.pdf", "contracts/lease.pdf"]),
        ("what?.txt", ["what?.txt"]),
        ("na\u0308me.MD", ["Näme.md"]),
        ("https://example.com/a/b?x=[1]", ["https://example.com/a/b?x=[1]"]),
        ("https://example.com/a", ["https://example.com/a/b?x=[1]", "https://example.com/a/c"]),
        ("https://example.com/*", ["https://example.com/a/b?x=[1]", "https://example.com/a/c"]),
        ("/elsewhere", ["/elsewhere/notes.txt"]),
        ("/elsewhere/*.txt", ["/elsewhere/notes.txt"]),
        ("lease.pdf", []),
        ("contract", []),
        ("\0", []),
        ("x" * 5000, []),
        ("[", []),
    ],
)
def test_what_a_text_stands_for(names: SourceNames, text: str, expected: list[str]) -> None:
    assert names.matching(text) == expected


def test_absolute_and_relative_paths(names: SourceNames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = ["contracts/2024/lease.pdf"]
    assert names.matching(str(tmp_path / "contracts" / "2024" / "lease.pdf")) == lease
    assert names.matching(f"{tmp_path}/contracts/2024/") == lease
    assert names.matching(f"{tmp_path}/contracts/2024/*.pdf") == lease
    files = sorted(name for name in NAMES if "://" not in name and not name.startswith("/"))
    assert names.matching(".") == names.matching(str(tmp_path)) == files
    monkeypatch.chdir(tmp_path / "sub")
    assert names.matching("../contracts/2024/lease.pdf") == lease
    assert names.matching("contracts/2024") == lease  # a name, wherever the command runs
    (tmp_path / "link").symlink_to(tmp_path / "contracts")
    assert names.matching(str(tmp_path / "link" / "2024" / "lease.pdf")) == lease


def test_case_and_patterns_do_not_hide_an_exact_name(tmp_path: Path) -> None:
    names = SourceNames(["a.md", "A.md", "[ab].md", "b.md"], tmp_path)
    assert names.matching("a.md") == ["a.md"]
    assert names.matching("A.md") == ["A.md"]
    assert names.matching("[ab].md") == ["[ab].md"]
    assert names.matching("[AB].MD", any_case=False) == []


def test_names_like_one_that_matches_nothing(names: SourceNames) -> None:
    assert names.near("2024") == ["contracts/2024/"]
    assert names.near("notes.txt") == ["/elsewhere/notes.txt"]
    assert names.near("reprot f.pdf")[0] == "report f.pdf"
    assert names.near("nothing of the kind") == []
    assert names.near("") == names.near("*") == []
    assert len(names.near("lease.pdf")) == 3


def test_one_document_by_the_end_of_its_name(names: SourceNames) -> None:
    assert names.one("2024/lease.pdf") == names.one("./2024/lease.pdf") == "contracts/2024/lease.pdf"
    assert names.one("2024\\lease.pdf") == "contracts/2024/lease.pdf"
    assert names.one("a/c") == "https://example.com/a/c"
    with pytest.raises(InputError, match="5 documents end in lease"):
        names.one("lease.pdf")
    with pytest.raises(InputError, match="no document notse") as caught:
        names.one("notse.txt")
    assert caught.value.remedy == "similar names: /elsewhere/notes.txt"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=8, unique=True))
def test_every_name_stands_for_itself(names: list[str]) -> None:
    known = SourceNames(names, Path("/nowhere/at/all"))
    assert [known.matching(name) for name in sorted(names)] == [[name] for name in sorted(names)]


def test_hostile_patterns_take_no_time(tmp_path: Path) -> None:
    names = SourceNames([f"{'a' * 200}{n}" for n in range(200)], tmp_path)
    started = time.monotonic()
    assert names.matching("*a" * 200 + "b") == []
    assert names.matching("[" * 2000) == []
    assert time.monotonic() - started < 5
