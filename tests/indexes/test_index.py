"""An index folder as a whole: writers, readers, damage and its repair."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest
from index_samples import (
    DIMENSION,
    EMBEDDER,
    SETTINGS,
    document,
    flip_bit,
    key_of,
    nearest,
    new_index,
    put,
    vector_of,
)

from indexes import (
    FailedDocument,
    Index,
    IndexDamagedError,
    IndexLockedError,
    IndexMissingError,
    IndexReader,
    NewChunk,
    SettingsMismatchError,
    Snapshot,
    verify,
)
from indexes.derived import publish as derived
from indexes.derived.snapshots import lexical_text
from indexes.search.dense_faiss import FaissIndex, FaissOptions
from indexes.store.rows import Float32, Int64
from indexes.store.store import DATABASE, Store


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return new_index(tmp_path / "index")


@contextmanager
def reading(folder: Path, **options: Any) -> Iterator[IndexReader]:
    """Open the folder as another process would."""
    with closing(Index.open(folder, **options).reader()) as reader:
        yield reader


def dense_texts(reader: IndexReader, text: str, k: int = 1) -> list[str]:
    """Return the texts nearest to ``text``."""
    hits = nearest(reader.snapshot().dense, text, k)
    rows = reader.store.chunks(hits.ids)
    return [rows[i].text for i in hits.ids.tolist()]


def lexical_texts(reader: IndexReader, query: str, k: int = 10) -> list[str]:
    hits = reader.snapshot().lexical.search([query], k)[0]
    rows = reader.store.chunks(hits.ids)
    return [rows[i].text for i in hits.ids.tolist()]


def assert_right(reader: IndexReader) -> None:
    """Both indexes hold exactly the store's chunks, and find each of them."""
    snapshot, ids = reader.snapshot(), reader.store.chunk_ids()
    assert snapshot.generation == reader.store.generation
    assert snapshot.dense.ids().tolist() == snapshot.lexical.ids().tolist() == ids.tolist()
    for chunk_id, row in reader.store.chunks(ids).items():
        assert nearest(snapshot.dense, row.text).ids.tolist() == [chunk_id]
        assert chunk_id in snapshot.lexical.search([row.text], len(ids))[0].ids


# Writing and reading ----------------------------------------------------------------------------------------


def test_an_empty_index_can_be_synced_read_and_checked(index: Index) -> None:
    assert index.sync() == 0
    with reading(index.folder) as reader:
        assert len(nearest(reader.snapshot().dense, "any", 5)) == 0
        assert lexical_texts(reader, "any") == []
    assert index.verify() == []


@pytest.mark.parametrize("synced", [True, False], ids=["synced", "not synced"])
def test_a_reader_finds_what_was_committed(index: Index, synced: bool) -> None:
    put(index.store, document("a", "the cat sat", "the dog ran"), document("b", "birds fly"))
    if synced:
        assert index.sync() == 1
    with reading(index.folder) as reader:
        assert dense_texts(reader, "the dog ran") == ["the dog ran"]
        assert lexical_texts(reader, "flying bird") == ["birds fly"]
        assert_right(reader)


def test_how_far_a_sync_is_can_be_followed(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexes.derived.snapshots._AT_ONCE", 2)
    put(index.store, document("a", "the cat sat", "the dog ran"), document("b", "birds fly"))
    told: list[tuple[str, int, int]] = []
    index.sync(lambda *part: told.append(part))
    assert told == [("vectors", 0, 3), ("vectors", 2, 3), ("words", 0, 3), ("words", 2, 3), ("signatures", 2, 2)]
    told.clear()
    index.sync(lambda *part: told.append(part))
    assert told == []


@pytest.mark.parametrize("where", ["memory", "disk"], ids=["scratch elsewhere", "scratch linked"])
def test_a_reader_replays_what_was_committed_after_the_last_sync(tmp_path: Path, where: str) -> None:
    with tempfile.TemporaryDirectory() as beside_scratch:
        replay(new_index(tmp_path if where == "memory" else Path(beside_scratch)))


def replay(index: Index) -> None:
    put(index.store, document("a", "one"), document("b", "two"), document("c", "three"))
    index.sync()
    published = index.published()
    put(index.store, document("a", "four"))
    index.store.commit(removals=["b"])
    with reading(index.folder) as reader:
        assert_right(reader)
        assert lexical_texts(reader, "one two three four") == ["three", "four"]
    assert index.published() == published, "reading published nothing and damaged nothing"
    assert index.verify() == []


def test_a_reader_picks_up_each_new_generation_by_itself(index: Index) -> None:
    with reading(index.folder) as reader:
        for generation in range(1, 6):
            put(index.store, document("a", f"version {generation}"), document(f"b{generation}", f"{generation} more"))
            if generation % 2:
                index.sync()
            assert reader.snapshot().generation == generation
            assert_right(reader)
            assert lexical_texts(reader, "version") == [f"version {generation}"]


def test_a_snapshot_stays_what_it_was_and_is_made_once(index: Index) -> None:
    put(index.store, document("a", "old words"))
    with reading(index.folder) as reader:
        old = reader.snapshot()
        assert reader.snapshot() is old
        put(index.store, document("a", "new words"))
        index.sync()
        new = reader.snapshot()
        assert (old.generation, new.generation) == (1, 2)
        assert [s.dense.ids().tolist() for s in (old, new)] == [[1], [2]]
        assert [s.lexical.search(["words"], 9)[0].ids.tolist() for s in (old, new)] == [[1], [2]]


def test_a_deleted_document_is_gone_from_the_readers_chunks_at_once(index: Index) -> None:
    put(index.store, document("a", "one"), document("b", "two"))
    index.sync()
    with reading(index.folder) as reader:
        hits = nearest(reader.snapshot().dense, "one", 2)
        assert sorted(reader.store.chunks(hits.ids)) == [1, 2]
        index.store.commit(removals=["a"])
        assert list(reader.store.chunks(hits.ids)) == [2]


def test_synced_folders_hold_one_index_each_and_are_left_alone_when_current(index: Index) -> None:
    for generation in range(1, 4):
        put(index.store, document("a", f"version {generation}"))
        assert index.sync() == generation
    before = index.published()
    assert index.sync() == 3
    assert index.published() == before
    for kind in ("dense", "lexical"):
        found = before[kind]
        assert found is not None
        assert derived.published_folders(index.folder / kind) == [found.folder]


def test_a_small_change_does_not_write_the_dense_index_again(index: Index) -> None:
    put(index.store, document("many", *(f"text {n}" for n in range(120))), document("one", "one"))
    index.sync()
    before, left_alone = index.published()["dense"], []
    for change in ("added", "added too", ""):  # the second makes it two of 120
        if change:
            put(index.store, document(change, change))
        else:
            index.store.commit(removals=["one"])
        index.sync()
        published = index.published()["dense"]
        left_alone.append(published == before)
        before = published
        with reading(index.folder) as reader:
            assert_right(reader)
    assert left_alone == [True, False, True]
    assert index.verify(deep=True) == []
    assert [len(derived.published_folders(index.folder / kind)) for kind in ("dense", "lexical")] == [1, 1]


def test_an_index_that_is_to_be_built_anew_is_published_however_small_the_change(tmp_path: Path) -> None:
    options = FaissOptions("ivf", nlist=6, nprobe=6)
    index = Index.create(tmp_path, SETTINGS, embedder=EMBEDDER, dimension=DIMENSION, options=options)
    for n in (233, 1):  # FAISS asks for 39 vectors a list
        put(index.store, document(f"{n}", *(f"text {n} {i}" for i in range(n))))
        index.sync()
    published = index.published()["dense"]
    assert published is not None
    assert (published.generation, FaissIndex.load(published.folder, options).built_type) == (2, "ivf")


def test_many_removals_are_followed_by_a_rebuild(index: Index) -> None:
    put(index.store, *(document(f"{n}", f"text {n}") for n in range(20)))
    index.sync()
    index.store.commit(removals=[str(n) for n in range(10)])
    index.sync()
    published = index.published()["dense"]
    assert published is not None
    dense = FaissIndex.load(published.folder, index.options)
    assert (len(dense), dense.removed.tolist()) == (10, [])
    with reading(index.folder) as reader:
        assert_right(reader)


def test_a_type_is_trained_once_there_is_enough_to_train_on(tmp_path: Path) -> None:
    options = FaissOptions("ivf", nlist=2, nprobe=2)
    index = Index.create(tmp_path, SETTINGS, embedder=EMBEDDER, dimension=DIMENSION, options=options)
    built = []
    for n in (0, 77, 1):
        put(index.store, document(f"{n}", *(f"text {n} {i}" for i in range(n))))
        index.sync()
        published = index.published()["dense"]
        assert published is not None
        built.append(FaissIndex.load(published.folder, options).built_type)
    assert built == ["flat", "flat", "ivf"]
    with reading(tmp_path, options=options) as reader:
        assert_right(reader)


def test_title_and_headings_are_searched_with_the_text(index: Index) -> None:
    new = document("a", "some text", title="Zebra")
    chunk = replace(new.chunks[0], headings=("Zebra", "Giraffe"))
    put(index.store, replace(new, chunks=(chunk,)), document("b", "other text"))
    with reading(index.folder) as reader:
        assert lexical_texts(reader, "zebra") == lexical_texts(reader, "giraffe") == ["some text"]
        row = reader.store.chunks([1])[1]
        assert lexical_text(row) == "Zebra\na\nGiraffe\nsome text"
        assert lexical_text(replace(row, source="leases/unit-12.docx")).startswith("Zebra\nunit-12\nleases\nGiraffe\n")


def test_a_lexical_index_of_other_fields_is_passed_over_and_built_again(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(index.store, document("a", "the cat sat"))
    monkeypatch.setattr("indexes.index.FIELDS_VERSION", 1)
    index.sync()
    monkeypatch.undo()
    assert index.published()["lexical"] is None
    assert index.verify(deep=True) == []
    with reading(index.folder) as reader:
        assert lexical_texts(reader, "cat") == ["the cat sat"]
    index.sync()
    assert index.published()["lexical"] is not None


def test_rebuilding_gives_the_same_answers(index: Index) -> None:
    put(index.store, document("a", "one", "two"), document("b", "three"))
    index.sync()
    before = index.published()
    assert index.rebuild() == 1
    assert index.published()["dense"] != before["dense"]
    assert index.verify() == []
    with reading(index.folder) as reader:
        assert_right(reader)


@pytest.mark.parametrize("kind", ["dense", "lexical"])
def test_only_what_is_asked_for_is_built_anew(index: Index, kind: str) -> None:
    put(index.store, document("a", "one"))
    index.sync()
    before = index.published()
    index.rebuild([kind])
    after = index.published()
    assert [k for k in before if before[k] != after[k]] == [kind]


FULL_DISK = """
import resource, sys
from pathlib import Path
from indexes import Index, IndexWriteError

index = Index.open(Path(sys.argv[1]), write=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
with index.writing("test"):
    try:
        index.sync() if sys.argv[2] == "sync" else index.rebuild([sys.argv[2]])
    except IndexWriteError as error:
        print(error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["sync", "dense", "lexical"])
@pytest.mark.parametrize("limit", [1000, 8000])
def test_a_full_disk_is_one_sentence_and_leaves_the_last_good_index(index: Index, what: str, limit: int) -> None:
    put(index.store, *(document(f"{n}", f"{n} {n * 7} of many, unlike {n * 13}") for n in range(3000)))
    index.sync()
    if what == "sync":
        put(index.store, document("more", *(f"{n} more" for n in range(40))))  # of too many to be left to readers
    before, files = index.published(), sorted(index.folder.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(index.folder), what, str(limit)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    kind = "lexical" if what == "lexical" else "dense"
    assert done.stdout.startswith(f"the {kind} index cannot be written into {index.folder / kind}: "), done
    assert len(done.stdout.splitlines()) == 1
    assert (index.published(), [p for p in sorted(index.folder.rglob("*")) if p.suffix != ".lock"]) == (
        before, [p for p in files if p.suffix != ".lock"],
    )  # fmt: skip
    assert index.verify() == []
    with reading(index.folder) as reader:
        assert len(reader.snapshot().dense) == len(reader.snapshot().lexical) == index.store.counts()["chunks"]
    index.sync()
    assert index.verify() == []


class SlowlyTrained(FaissIndex):
    """Lets another process commit while it is built."""

    meanwhile: Callable[[], None]

    @classmethod
    def build_from(cls, *arguments: Any) -> Any:
        cls.meanwhile()
        return super().build_from(*arguments)


def test_a_writer_does_not_wait_for_a_reader_that_builds(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    put(index.store, document("a", "one", "two"))
    with index.store.transaction() as db:
        db.execute("UPDATE meta SET value = value")
    db.execute("PRAGMA busy_timeout = 0")
    committed = []
    SlowlyTrained.meanwhile = lambda: committed.append(put(index.store, document("b", f"b {len(committed)}")))
    monkeypatch.setattr("indexes.derived.snapshots.FaissIndex", SlowlyTrained)
    with reading(index.folder) as reader:
        snapshot = reader.snapshot()
        assert committed == [2], "the commit went through while the index was built"
        assert snapshot.generation == 1
        assert snapshot.dense.ids().tolist() == snapshot.lexical.ids().tolist() == [1, 2]
        monkeypatch.undo()
        assert_right(reader)


# A generation is one generation -----------------------------------------------------------------------------


class RestlessStore(Store):
    """A store that another writer commits to again and again while it is read, until it is told to rest.

    While a read transaction is open that writer has to wait: it gives up, and tries again another time.
    """

    rest = True
    other: Store

    def head(self) -> tuple[int, str]:
        head = super().head()
        self.commit_elsewhere()
        return head

    def vectors(self, ids: Iterable[int]) -> Float32:
        vectors = super().vectors(ids)
        self.commit_elsewhere()
        return vectors

    def commit_elsewhere(self) -> None:
        if not self.rest:
            with suppress(sqlite3.OperationalError):
                put(self.other, document("a", f"version after {self.other.generation}"))


@pytest.fixture
def restless(tmp_path: Path) -> Iterator[tuple[RestlessStore, IndexReader]]:
    index = new_index(tmp_path)
    put(index.store, document("a", "first version"), document("b", "version of another"))
    store = RestlessStore.open(tmp_path)
    assert isinstance(store, RestlessStore)
    with index.store.transaction() as db:
        db.execute("UPDATE meta SET value = value")
    db.execute("PRAGMA busy_timeout = 0")
    store.other, store.rest = index.store, False
    with closing(Index(store, index.options, index.languages).reader()) as reader:
        yield store, reader


def test_a_snapshot_is_of_the_generation_it_names_though_a_writer_never_rests(
    restless: tuple[RestlessStore, IndexReader],
) -> None:
    store, reader = restless
    snapshots = [reader.snapshot() for _ in range(3)]
    store.rest = True
    for each in (*snapshots, reader.snapshot()):
        expected = [1, 2] if each.generation == 1 else [2, each.generation + 1]  # each commit adds one chunk
        assert (each.dense.ids().tolist(), each.lexical.ids().tolist()) == (expected, expected)


def test_no_chunk_is_twice_in_the_snapshot_after_a_restless_one(
    restless: tuple[RestlessStore, IndexReader],
) -> None:
    store, reader = restless
    reader.snapshot()
    store.rest = True
    put(Store.open(store.folder, write=True), document("c", "one more"))
    hits = nearest(reader.snapshot().dense, "one more", 10)
    assert sorted(hits.ids.tolist()) == store.chunk_ids().tolist()
    assert_right(reader)


def test_threads_searching_while_a_writer_commits_see_one_whole_generation_each(index: Index) -> None:
    """Every commit replaces one document, so exactly one chunk of any generation is about the token."""
    commits, threads = 20, 8
    chunk_of = {}
    done = threading.Event()
    searched: SimpleQueue[int] = SimpleQueue()
    reader = Index.open(index.folder).reader()

    def commit() -> int:
        generation = put(index.store, document("a", f"token {index.store.generation}"))
        chunk_of[generation] = index.store.chunk_ids().tolist()
        return generation

    def search(_: int) -> list[tuple[int, list[int], list[int]]]:
        seen = []
        while not done.is_set() or not seen:
            snapshot = reader.snapshot()
            lexical = snapshot.lexical.search(["token"], 10)[0].ids
            dense = nearest(snapshot.dense, "token", 10).ids
            rows = reader.store.chunks(lexical)
            assert all(row.text.startswith("token ") for row in rows.values())
            seen.append((snapshot.generation, dense.tolist(), lexical.tolist()))
            searched.put(snapshot.generation)
        reader.store.close()
        return seen

    commit()
    index.sync()
    with ThreadPoolExecutor(threads) as pool:
        searching = [pool.submit(search, n) for n in range(threads)]
        try:
            for _ in range(commits):
                generation = commit()
                index.sync()
                while searched.get(timeout=60) < generation:  # at least one of them has found the way to it
                    pass
        finally:
            done.set()
        seen = [each for future in searching for each in future.result()]
    reader.close()
    assert {(len(d), len(x)) for _, d, x in seen} == {(1, 1)}
    assert [(g, d, x) for g, d, x in seen if not d == x == chunk_of[g]] == []
    assert {g for g, _, _ in seen} >= set(range(2, commits + 2))


class VanishingIndex(Index):
    """An index whose published folder goes away, in whole or so far in part, once a reader has checked it."""

    vanish: Callable[[Path], None] | None = None
    kind = "dense"

    def published(self) -> dict[str, derived.Published | None]:
        found = super().published()
        chosen = found[self.kind]
        if self.vanish is not None and chosen is not None:
            self.vanish(chosen.folder)
            self.vanish = None
        return found


def only(name: str) -> Callable[[Path], None]:
    def vanish(folder: Path) -> None:
        next(folder.glob(name)).unlink()

    return vanish


@pytest.mark.parametrize("synced", [True, False], ids=["synced", "not synced"])
@pytest.mark.parametrize(
    ("kind", "vanish"),
    [
        pytest.param("dense", shutil.rmtree, id="dense"),
        pytest.param("dense", only("index.faiss"), id="dense, its index first"),
        pytest.param("dense", only("state.json"), id="dense, its state first"),
        pytest.param("lexical", shutil.rmtree, id="lexical"),
        pytest.param("lexical", only("meta.json"), id="lexical, its meta first"),
        pytest.param("lexical", only("*.term"), id="lexical, its terms first"),
    ],
)
def test_a_folder_that_a_writer_removes_while_it_is_read_is_not_missed(
    index: Index, synced: bool, kind: str, vanish: Callable[[Path], None]
) -> None:
    put(index.store, document("a", "one", "two"))
    index.sync()
    if not synced:
        put(index.store, document("b", "three"))
    other = VanishingIndex.open(index.folder)
    assert isinstance(other, VanishingIndex)
    other.kind, other.vanish = kind, vanish
    with closing(other.reader()) as reader:
        assert_right(reader)
    assert other.vanish is None, "it did vanish"


# Damage and repair ------------------------------------------------------------------------------------------


def flip_largest_file(folder: Path) -> None:
    flip_bit(max(folder.iterdir(), key=lambda p: (p.name != "manifest.json", p.stat().st_size)))


def truncate_every_file(folder: Path) -> None:
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:-1])


def lose_a_file(folder: Path) -> None:
    max(folder.iterdir(), key=lambda p: (p.name != "manifest.json", p.stat().st_size)).unlink()


def lose_the_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize("kind", ["dense", "lexical"])
@pytest.mark.parametrize("damage", [flip_largest_file, truncate_every_file, lose_a_file, lose_the_manifest])
def test_a_damaged_derived_index_costs_nothing_but_time(
    index: Index, kind: str, damage: Callable[[Path], None]
) -> None:
    put(index.store, document("a", "one", "two"), document("b", "three"))
    index.sync()
    (folder,) = (index.folder / kind).iterdir()
    damage(folder)

    assert index.published()[kind] is None
    with reading(index.folder) as reader:
        assert_right(reader)
    (problem,) = index.verify()
    assert (problem.part, problem.repairable) == (kind, True)
    assert folder.name in problem.message

    assert index.sync() == 1
    assert index.verify() == []
    assert None not in index.published().values()
    assert not folder.exists()
    with reading(index.folder) as reader:
        assert_right(reader)


def test_a_lost_derived_folder_is_built_again(index: Index) -> None:
    put(index.store, document("a", "one"))
    index.sync()
    shutil.rmtree(index.folder / "dense")
    shutil.rmtree(index.folder / "lexical")
    assert index.verify() == []
    with reading(index.folder) as reader:
        assert_right(reader)
    index.sync()
    assert None not in index.published().values()


def test_a_derived_index_that_lacks_a_chunk_is_named(index: Index) -> None:
    put(index.store, document("a", "one", "two"))
    index.sync()
    vectors = np.stack([vector_of("one"), vector_of("never stored")])
    wrong = FaissIndex.build(DIMENSION, index.options, np.array([1, 9]), vectors)
    derived.remove_all_but(index.folder / "dense", None)
    options = index._options("dense")
    derived.publish(index.folder / "dense", str(index.store.meta("store_id")), index.store.head(), options, wrong.save)
    (problem,) = index.verify()
    assert (problem.part, problem.message) == ("dense", "1 chunks are missing and 1 do not exist")


@pytest.mark.parametrize("kind", ["dense", "lexical"])
def test_a_copy_under_another_name_does_not_stop_verify(index: Index, kind: str) -> None:
    put(index.store, document("a", "one"))
    index.sync()
    (folder,) = (index.folder / kind).iterdir()
    shutil.copytree(folder, folder.with_name("put aside"))
    assert [p for p in index.verify() if not p.repairable] == []
    with reading(index.folder) as reader:
        assert_right(reader)


def test_an_older_derived_index_is_no_problem(index: Index) -> None:
    put(index.store, document("a", "one"), document("b", "two"))
    index.sync()
    put(index.store, document("a", "three"))
    index.store.commit(removals=["b"])
    assert index.verify() == []


@pytest.mark.parametrize("goes_on", [False, True], ids=["as it was", "and written to since"])
def test_a_database_put_back_from_a_copy_is_searched_as_it_is_now(index: Index, tmp_path: Path, goes_on: bool) -> None:
    put(index.store, document("a", "one"), document("b", "two"))
    index.sync()
    index.store.close()
    shutil.copy(index.folder / DATABASE, tmp_path / "copy")
    put(index.store, document("a", "later"), document("c", "lost"))
    index.sync()
    index.store.close()
    shutil.copy(tmp_path / "copy", index.folder / DATABASE)
    if goes_on:
        put(index.store, document("a", "other"), document("d", "new"))
    with reading(index.folder) as reader:
        assert_right(reader)
    index.sync()
    assert index.verify() == []
    with reading(index.folder) as reader:
        assert_right(reader)


def test_a_running_reader_notices_that_the_database_was_put_back_from_a_copy(index: Index, tmp_path: Path) -> None:
    put(index.store, document("a", "one"), document("b", "two"))
    index.store.close()
    shutil.copy(index.folder / DATABASE, tmp_path / "copy")
    put(index.store, document("a", "later"), document("c", "lost"))
    index.store.close()
    with reading(index.folder) as reader:
        assert_right(reader)
        reader.store.close()
        shutil.copy(tmp_path / "copy", index.folder / DATABASE)
        put(index.store, document("b", "other"), document("d", "new"))
        assert reader.snapshot().generation == 2, "as before, but of another history"
        assert_right(reader)


def test_a_running_reader_follows_its_folder_to_another_index(index: Index, tmp_path: Path) -> None:
    put(index.store, document("a", "one"), document("b", "two"))
    index.sync()
    index.store.close()
    with reading(index.folder) as reader:
        assert_right(reader)
        shutil.rmtree(index.folder)
        with pytest.raises(IndexMissingError):
            reader.snapshot()
        with Index.create(index.folder, SETTINGS, embedder=EMBEDDER, dimension=DIMENSION) as other:
            put(other.store, document("c", "three"))
            put(other.store, document("d", "four"))
            other.sync()
        assert_right(reader)
        assert sorted(reader.store.content_hashes()) == ["c", "d"]
        (index.folder / DATABASE).unlink()
        with pytest.raises(IndexDamagedError, match="empty or gone"):
            reader.snapshot()


def tampered(folder: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(folder / DATABASE)
    with connection:
        assert connection.execute(statement, values).rowcount == 1
    connection.close()


TAMPERING = [
    ("UPDATE chunks SET text = 'twO' WHERE id = 2", "chunk 2 of a is not what it claims to be"),
    ("UPDATE chunks SET start = start - 1 WHERE id = 2", "chunk 2 of a is not what it claims to be"),
    ("UPDATE chunks SET sha256 = x'00' WHERE id = 2", "chunk 2 of a is not what it claims to be"),
    ("UPDATE texts SET text = 'one two' WHERE document_id = 1", "the text of a does not match its checksum"),
    ("DELETE FROM texts WHERE document_id = 1", "the text of a does not match its checksum"),
    ("UPDATE texts SET chunks = 3 WHERE document_id = 1", "the text of a does not match its checksum"),
    ("UPDATE texts SET text = CAST(x'ff6e65' AS TEXT) WHERE document_id = 1", "Could not decode to UTF-8"),
    ("UPDATE chunks SET page = 9 WHERE id = 2", "chunk 2 of a is not what it claims to be"),
    ("UPDATE chunks SET headings = '[\"Other\"]' WHERE id = 2", "chunk 2 of a is not what it claims to be"),
    ("UPDATE chunks SET headings = 'no list' WHERE id = 2", "chunk 2 of a is not what it claims to be"),
    ("UPDATE chunks SET ordinal = 7 WHERE id = 2", "chunk 2 of a is not what it claims to be"),
    ("UPDATE chunks SET vector_key = x'KEY_OF_ONE' WHERE id = 2", "chunk 2 of a is not what it claims to be"),
    ("DELETE FROM chunks WHERE id = 2", "a has 1 chunks, and 2 were stored"),
    ("UPDATE sections SET page = 4 WHERE document_id = 1", "the text of a does not match its checksum"),
    ("UPDATE sections SET headings = '[\"x\"]' WHERE document_id = 1", "the text of a does not match its checksum"),
    ("DELETE FROM sections WHERE document_id = 1", "the text of a does not match its checksum"),
    ("UPDATE documents SET title = 'Other' WHERE id = 1", "what is recorded of a does not match its checksum"),
    ("UPDATE documents SET pages = 3 WHERE id = 1", "what is recorded of a does not match its checksum"),
    ("UPDATE documents SET source = 'z' WHERE id = 1", "what is recorded of z does not match its checksum"),
    ("UPDATE vectors SET vector = zeroblob(64) WHERE rowid_is_key_of_two", "1 vectors do not match their checksums"),
    ("UPDATE vectors SET key = x'00' WHERE rowid_is_key_of_two", "1 vectors do not match their checksums"),
    ("UPDATE vectors SET embedder = 'b' WHERE rowid_is_key_of_two", "1 vectors do not match their checksums"),
    ("DELETE FROM vectors WHERE rowid_is_key_of_two", "chunks without a vector: 1"),
    ("UPDATE vectors SET vector = x'0000' WHERE rowid_is_key_of_two", "1 vectors have the wrong size"),
    ("UPDATE chunks SET document_id = 77 WHERE id = 2", "row 2 of chunks points nowhere"),
]


@pytest.mark.parametrize(("statement", "message"), TAMPERING, ids=[statement for statement, _ in TAMPERING])
def test_a_tampered_database_is_named_and_not_called_repairable(index: Index, statement: str, message: str) -> None:
    put(index.store, document("a", "one", "two"), document("b", "three"))
    index.sync()
    assert index.verify() == []
    index.store.close()
    statement = statement.replace("rowid_is_key_of_two", f"key = x'{key_of('two').hex()}'")
    tampered(index.folder, statement.replace("KEY_OF_ONE", key_of("one").hex()))
    problems = index.verify()
    assert any(message in p.message for p in problems), problems
    assert {(p.part, p.repairable) for p in problems} == {("database", False)}


def test_failed_and_stale_documents_and_recut_ones_match_their_checksums(index: Index) -> None:
    put(index.store, document("a", "one"), document("b", "two"))
    failures = [FailedDocument(name, "binary", "it is binary", "convert it", b"sha") for name in "ac"]
    index.store.commit(failures=failures)
    put(index.store, document("c", "three"))
    recut = [replace(d, chunks=document(d.source, d.text).chunks) for d in index.store.stored_documents()]
    index.store.replace_all(recut, {"chunk_size": 1}, embedder=EMBEDDER, dimension=DIMENSION)
    assert index.verify() == []


def test_a_writer_need_not_wait_for_the_whole_of_verify(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    put(index.store, document("a", "one"), document("b", "two"))
    index.sync()
    with index.store.transaction() as db:
        db.execute("UPDATE meta SET value = value")
    db.execute("PRAGMA busy_timeout = 0")
    whole, seen = verify._document_faults, []

    def check(connection: sqlite3.Connection, document_id: int) -> Iterator[str]:
        yield from whole(connection, document_id)
        if not seen:
            connection.execute("COMMIT")
            put(index.store, document("b", "three"), document("c", "four"))
            index.sync()
            connection.execute("BEGIN")
        seen.append(document_id)

    monkeypatch.setattr(verify, "_document_faults", check)
    assert Index.open(index.folder).verify() == []
    assert seen == [1, 2]


@pytest.mark.parametrize("kind", ["dense", "lexical"])
@pytest.mark.parametrize("at", ["checksums", "loading"])
def test_verify_looks_at_the_newest_where_a_writer_removes_what_it_looks_at(index: Index, kind: str, at: str) -> None:
    put(index.store, document("a", "one"))
    index.sync()
    other = Index.open(index.folder)
    before = index.published()[kind]

    def next_generation() -> None:
        if index.store.generation == 1:
            put(index.store, document("b", "two"))
            index.sync()

    def load_ids(*arguments: Any) -> Int64:
        if at == "loading":
            next_generation()
        return load(*arguments)

    def whole(folder: Path) -> str | None:
        if at == "checksums":
            next_generation()
        return sound(folder)

    sound, load = derived.verify, verify._load_ids
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(derived, "verify", whole)
        patch.setattr(verify, "_load_ids", load_ids)
        assert other.verify() == []
    assert index.store.generation == 2
    assert before is not None
    assert not before.folder.exists()


def test_overwritten_pages_are_named_by_verify(index: Index) -> None:
    put(index.store, *(document(f"{n}", f"text {n} " * 200) for n in range(50)))
    index.sync()
    index.store.close()
    path = index.folder / DATABASE
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + b"\xaa" * (len(data) - len(data) // 2))
    problems = Index.open(index.folder).verify()
    assert {(p.part, p.repairable) for p in problems} == {("database", False)}


# Locks and settings -----------------------------------------------------------------------------------------

HOLDER = """
import os, sys
from pathlib import Path
from indexes import Index

with Index.open(Path(sys.argv[1]), write=True).writing("ingesting docs"):
    print(os.getpid(), flush=True)
    sys.stdin.read()
"""


def test_the_second_writer_is_told_who_is_first_and_a_killed_one_holds_nothing(index: Index) -> None:
    command = [sys.executable, "-c", HOLDER, str(index.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        pid = int(first.stdout.readline())
        with pytest.raises(IndexLockedError) as refused, index.writing("second"):
            pass
        first.send_signal(signal.SIGKILL)
    assert "ingesting docs" in str(refused.value)
    assert f"process {pid} " in str(refused.value)
    assert str(index.folder) in str(refused.value)
    with index.writing("second"):
        put(index.store, document("a", "one"))
    assert index.store.generation == 1


def test_one_process_cannot_write_twice_at_once_but_can_again_after_an_error(index: Index) -> None:
    def fail() -> None:
        with index.writing("failing"):
            raise KeyboardInterrupt

    with index.writing("first"):
        other = Index.open(index.folder, write=True)
        with pytest.raises(IndexLockedError, match=f"first .process {os.getpid()} "), other.writing("second"):
            pass
    with pytest.raises(KeyboardInterrupt):
        fail()
    with index.writing("third"):
        pass


def test_readers_need_no_lock(index: Index) -> None:
    put(index.store, document("a", "one"))
    with index.writing("ingesting"), reading(index.folder) as reader:
        assert_right(reader)


def test_other_settings_are_refused_by_name(index: Index) -> None:
    Index.open(index.folder, SETTINGS)
    Index.open(index.folder)
    with pytest.raises(SettingsMismatchError) as refused:
        Index.open(index.folder, {"embedder": EMBEDDER, "chunk_size": 300, "overlap": 5})
    assert refused.value.differences == {"chunk_size": (200, 300), "overlap": (None, 5)}
    assert "chunk_size is 200 there and 300 here" in str(refused.value)
    assert "embedder" not in str(refused.value)


def test_a_writer_that_waited_does_not_go_on_under_settings_changed_meanwhile(index: Index) -> None:
    put(index.store, document("a", "one"))
    waited = Index.open(index.folder, SETTINGS, write=True)
    reembed(index)
    with pytest.raises(SettingsMismatchError, match="embedder is 'other' there"), waited.writing("late"):
        pass
    with Index.open(index.folder, write=True).writing("free again"):
        pass


def reembed(index: Index) -> None:
    """Store every text under another embedder, of another dimension."""
    new = [
        replace(d, chunks=(NewChunk(0, len(d.text), d.text, key_of(d.text)),)) for d in index.store.stored_documents()
    ]
    index.store.put_vectors("other", {key_of(d.text): np.ones(4, np.float32) for d in new})
    index.store.replace_all(new, {"embedder": "other"}, embedder="other", dimension=4)


@pytest.mark.parametrize("synced", [True, False], ids=["synced", "not synced"])
def test_a_running_reader_does_not_mix_embedders(index: Index, synced: bool) -> None:
    put(index.store, document("a", "one", "two"))
    index.sync()
    with reading(index.folder) as reader:
        assert_right(reader)
        reembed(index)
        if synced:
            index.sync()
        for _ in range(2):
            with pytest.raises(SettingsMismatchError, match="embedder is 'other' there and 'signs' here"):
                reader.snapshot()
    with reading(index.folder) as new:
        assert new.snapshot().dense.search(np.ones((1, 4), np.float32), 9)[0].ids.tolist() == [3]
    assert index.verify() == []


# Reading changes nothing ------------------------------------------------------------------------------------


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("synced", [True, False], ids=["synced", "not synced"])
def test_readers_and_checks_leave_the_folder_as_it_was(index: Index, synced: bool) -> None:
    put(index.store, document("a", "one"))
    index.sync()
    if not synced:
        put(index.store, document("a", "two"), document("b", "three"))
    index.store.close()
    before = contents(index.folder)
    with reading(index.folder) as reader:
        assert_right(reader)
    assert Index.open(index.folder).verify() == []
    assert contents(index.folder) == before


@contextmanager
def nobody_may_write(folder: Path) -> Iterator[None]:
    """Take every right to write, and the rights of root where the tests have them."""
    inside = [folder, *folder.rglob("*")]
    for path in inside:
        path.chmod(0o555 if path.is_dir() else 0o444)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        for path in inside:
            path.chmod(0o755)


@pytest.mark.parametrize("synced", [True, False], ids=["synced", "not synced"])
def test_a_folder_nobody_may_write_to_can_be_searched(synced: bool) -> None:
    with tempfile.TemporaryDirectory() as outer:  # pytest's own folders are closed to other users
        Path(outer).chmod(0o755)
        index = new_index(Path(outer) / "index")
        put(index.store, document("a", "one"))
        index.sync()
        if not synced:
            put(index.store, document("b", "two"))
        index.store.close()
        load_everything = index.reader()
        load_everything.snapshot()
        load_everything.close()
        with nobody_may_write(index.folder), reading(index.folder) as reader:
            assert_right(reader)


def test_a_snapshot_is_frozen(index: Index) -> None:
    with reading(index.folder) as reader:
        snapshot = reader.snapshot()
        with pytest.raises(AttributeError):
            snapshot.generation = 5  # type: ignore[misc]
        assert isinstance(snapshot, Snapshot)
