"""One flipped bit in any file: told by a deep check, or without any effect; and derived files heal themselves."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from fault_script import STEPS, faults_of, states
from index_samples import flip_bit

from indexes import Index, StoreError
from indexes.backup import restore_snapshot, write_snapshot
from indexes.errors import SnapshotError
from indexes.store.store import DATABASE, Store

Server = Callable[..., list[int]]
LAST = len(STEPS)
FLIPS, FEW = 60, 6
KINDS = ("rag.db", "index.faiss", "state.json", "dense manifest", "lexical segment", "lexical meta", "lexical manifest",
         "snapshot")  # fmt: skip


@pytest.fixture(scope="module")
def made(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bits") / "index"
    assert server({"task": "script", "folder": folder}) == [0]
    with closing(Store.open(folder)) as store:
        write_snapshot(store, folder / "snapshot")
    return folder


def file_of(folder: Path, kind: str, chance: random.Random) -> Path:
    if kind in ("rag.db", "snapshot"):
        return folder / kind
    part, _, what = kind.rpartition(" ")
    names = {"manifest": "manifest.json", "meta": "meta.json", "index.faiss": kind, "state.json": kind}
    [published] = (folder / (part or "dense")).iterdir()
    if what == "segment":
        files = sorted(p for p in published.iterdir() if p.suffix != ".json" and p.stat().st_size)
        return chance.choice(files)
    return published / names[what]


def everything(folder: Path) -> dict[str, list[Any]]:
    """Every row of every table, and how it is declared."""
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        tables = ["meta", "commits", "documents", "texts", "sections", "chunks", "vectors", "tombstones", "retired",
                  "stamps"]  # fmt: skip
        declared = {"sqlite_master": db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()}
        return declared | {table: sorted(db.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in tables}


def outcome(folder: Path, before: dict[str, list[Any]]) -> str:
    """What a flip led to: ``told``, ``harmless``, or ``silent``: the check is content, and something is another."""
    try:
        if Index.open(folder).verify(deep=True):
            return "told"
        if everything(folder) != before:
            return "silent"
    except (StoreError, sqlite3.Error):
        return "told"
    return "silent" if faults_of(folder, LAST, LAST, states()) else "harmless"


def flip(made: Path, place: Path, kind: str, seed: int) -> str:
    folder = place / f"copy{seed}"
    shutil.copytree(made, folder)
    flip_bit(file_of(folder, kind, random.Random(seed)), seed)
    if kind == "snapshot":
        with suppress(SnapshotError):
            restore_snapshot(folder / "snapshot", place / f"restored{seed}")
            return "silent"
        assert not Store.exists(place / f"restored{seed}")
        return "told"
    told = outcome(folder, everything(made))
    if kind != "rag.db":
        heal(folder)
    shutil.rmtree(folder)
    return told


def heal(folder: Path) -> None:
    """A reader answers rightly over the damaged file, and the next writer builds it again without being asked."""
    index = Index.open(folder, write=True)
    reader = index.reader()
    assert reader.snapshot().dense.ids().tolist() == index.store.chunk_ids().tolist()
    reader.close()
    with index.writing("test"):
        index.sync()
    assert faults_of(folder, LAST, LAST, states()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_is_never_silent(made: Path, place: Path, kind: str) -> None:
    found = Counter(flip(made, place, kind, seed) for seed in range(FEW))
    assert found["silent"] == 0, found


@pytest.mark.torture
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
def test_many_flipped_bits_are_never_silent(made: Path, place: Path, kind: str, figure: Callable[[str], None]) -> None:
    flips = 5 * FLIPS if kind == "rag.db" else FLIPS
    found = Counter(flip(made, place, kind, seed) for seed in range(100, 100 + flips))
    figure(f"{flips} flips in {kind}: {dict(found)}")
    assert found["silent"] == 0, found
    if kind != "rag.db":  # in a database there are pages and bytes that hold nothing
        assert found["told"] == flips, found


def test_the_harness_notices_indexes_that_are_not_hashed(
    made: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexes.derived.publish.verify", lambda folder: None)
    silent = 0
    for seed in range(40):
        folder = place / f"copy{seed}"
        shutil.copytree(made, folder)
        path = file_of(folder, "index.faiss", random.Random(seed))
        flip_bit(path, seed, at=path.stat().st_size // 3 + 7 * seed)
        try:
            silent += bool(faults_of(folder, LAST, LAST, states()))
        except (StoreError, OSError, RuntimeError, ValueError, MemoryError):
            continue
    assert silent
