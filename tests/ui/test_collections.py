"""Collections: which folders count, making one, and removing one with all that belongs to it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from indexes.errors import IndexLockedError
from indexes.lock import writer_lock
from rag.errors import InputError
from ui.settings import UiSettings
from ui.storage.collections import create, delete, listed, uploads_of
from ui.storage.uploads import Incoming


@pytest.fixture
def given(ingested: Path, settings: Callable[..., UiSettings]) -> UiSettings:
    return settings(ingested)


def names(settings: UiSettings) -> list[str]:
    return [folder.name for folder in listed(settings)]


def test_what_counts_as_a_collection(given: UiSettings) -> None:
    parent = given.index.parent
    shutil.copytree(given.index, parent / "other")
    (parent / "plain folder").mkdir()
    (parent / "broken").mkdir()
    (parent / "broken" / "rag.db").write_bytes(b"nonsense" * 100)
    create(given, "Договоры 2024")
    assert names(given) == [".rag", "broken", "other", "Договоры 2024"]


def test_the_given_one_is_listed_before_it_is_there(tmp_path: Path) -> None:
    assert names(UiSettings(tmp_path / "nowhere" / ".rag")) == [".rag"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "..",
        "../up",
        "a/b",
        "a\\b",
        ".hidden",
        "con",
        "NUL.txt",
        "x" * 61,
        "a\nb",
        "end.",
        "-a",
        "\u202eabc",
    ],
)
def test_names_that_are_none(given: UiSettings, name: str) -> None:
    before = sorted(given.index.parent.parent.rglob("*"))
    with pytest.raises(InputError, match="cannot have that name"):
        create(given, name)
    assert sorted(given.index.parent.parent.rglob("*")) == before


@pytest.mark.parametrize("name", ["Fog.md", "contracts", " contracts "])
def test_a_name_that_is_taken(given: UiSettings, name: str) -> None:
    create(given, "Contracts")
    with pytest.raises(InputError, match="already"):
        create(given, name)


def test_a_collection_is_removed_with_its_uploads(given: UiSettings) -> None:
    made = create(given, "second")
    shutil.copytree(given.index, made, dirs_exist_ok=True)
    kept = uploads_of(given, made).keep(Incoming("a.txt", b"words"))
    uploads_of(given, given.index).keep(Incoming("a.txt", b"words"))
    delete(given, made)
    assert names(given) == [".rag"]
    assert not made.exists()
    assert uploads_of(given, made).path(kept.source) is None  # type: ignore[union-attr]
    assert uploads_of(given, given.index).path("upload://a.txt") is not None


def test_nothing_is_removed_that_is_no_collection_or_is_being_written(given: UiSettings) -> None:
    folder = given.index.parent / "mine"
    folder.mkdir()
    with pytest.raises(InputError, match="no such collection"):
        delete(given, folder)
    assert folder.exists()
    with writer_lock(given.index, "rag ingest"), pytest.raises(IndexLockedError):
        delete(given, given.index)
    assert names(given) == [".rag"]
