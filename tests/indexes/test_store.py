"""The database of an index folder."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_samples import DIMENSION, EMBEDDER, SETTINGS, document, key_of, new_store, put, temporary_folder, vector_of

from indexes import FailedDocument, Index, IndexDamagedError, IndexMissingError, NewChunk, NewDocument, StoreError
from indexes.errors import FormatTooNewError, FormatTooOldError
from indexes.search.dense_faiss import FaissOptions
from indexes.store.database import journal_mode
from indexes.store.rows import ChunkRow, Section, Selection
from indexes.store.schema import FORMAT_VERSION
from indexes.store.store import DATABASE, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path)


def raw(folder: Path) -> sqlite3.Connection:
    """Return a connection of its own, that neither waits nor keeps a transaction open."""
    return sqlite3.connect(folder / DATABASE, timeout=0, isolation_level=None)


def texts_of(store: Store) -> dict[int, str]:
    return {i: row.text for i, row in store.chunks(store.chunk_ids().tolist()).items()}


def failure(source: str, message: str = "it is broken") -> FailedDocument:
    return FailedDocument(source, "unreadable", message, "mend it", key_of(message))


# Making and opening -----------------------------------------------------------------------------------------


def test_a_new_store_is_empty_and_remembers_how_it_was_made(tmp_path: Path) -> None:
    assert not Store.exists(tmp_path / "deep" / "folder")
    new_store(tmp_path / "deep" / "folder").close()
    assert Store.exists(tmp_path / "deep" / "folder")
    store = Store.open(tmp_path / "deep" / "folder")
    assert store.settings == SETTINGS
    assert (store.meta("embedder"), store.meta("dimension")) == (EMBEDDER, DIMENSION)
    assert (store.generation, store.documents(), store.chunk_ids().tolist(), store.commits()) == (0, [], [], [])
    assert store.vectors([]).shape == (0, DIMENSION)
    assert store.chunks([1, 2]) == {}


def test_the_chunks_around_a_place(store: Store) -> None:
    put(store, document("a", "one", "two", "three"), document("b", "four"))
    chunks = store.chunks_of("a")
    for start in range(-2, chunks[-1].end + 2):
        for end in range(start, chunks[-1].end + 2):
            assert store.chunks_between("a", start, end) == [c for c in chunks if c.start < end and start < c.end]
    assert store.chunks_between("c", 0, 100) == []


def test_two_stores_never_share_an_id(tmp_path: Path) -> None:
    assert new_store(tmp_path / "a").meta("store_id") != new_store(tmp_path / "b").meta("store_id")


@pytest.mark.parametrize("there", ["nothing", "an empty folder", "an empty file", "a database never filled"])
def test_what_is_no_index_is_called_missing(tmp_path: Path, there: str) -> None:
    folder = tmp_path / "index"
    if there != "nothing":
        folder.mkdir()
    if there == "an empty file":
        (folder / DATABASE).touch()
    if there == "a database never filled":
        connection = raw(folder)
        connection.execute("PRAGMA user_version = 1")
        connection.close()
    assert not Store.exists(folder)
    with pytest.raises(IndexMissingError, match="there is no index in"):
        Store.open(folder)
    assert put(new_store(folder), document("a", "text")) == 1, "and one can be made there"


@pytest.mark.parametrize("lost", ["emptied", "gone"])
def test_an_index_whose_database_was_lost_is_called_damaged(tmp_path: Path, lost: str) -> None:
    store = new_store(tmp_path / "index")
    put(store, document("a", "text"))
    Index(store, FaissOptions(), ("english",)).sync()
    store.close()
    (store.folder / DATABASE).unlink()
    if lost == "emptied":
        (store.folder / DATABASE).touch()
    with pytest.raises(IndexDamagedError, match="empty or gone, and the search indexes made of it remain"):
        Store.open(store.folder)
    assert put(new_store(store.folder), document("a", "text")) == 1, "and one can be made there"


def test_making_an_index_where_one_stands_leaves_it_whole_and_writable(store: Store) -> None:
    put(store, document("a", "one"))
    store.close()
    with pytest.raises((StoreError, sqlite3.Error)):
        Store.create(store.folder, {"other": 1}, embedder="other", dimension=2)
    assert Store.open(store.folder).settings == SETTINGS
    other = raw(store.folder)
    other.execute("BEGIN IMMEDIATE")  # fails if the refused one still holds the database
    other.execute("ROLLBACK")
    other.close()


def test_a_later_format_is_not_read(store: Store) -> None:
    with store.transaction() as db:
        db.execute("UPDATE meta SET value = ? WHERE key = 'format_version'", (json.dumps(FORMAT_VERSION + 1),))
    with pytest.raises(FormatTooNewError, match=rf"format {FORMAT_VERSION + 1}, .* up to {FORMAT_VERSION}"):
        Store.open(store.folder)


def test_an_earlier_format_is_not_read(store: Store) -> None:
    with store.transaction() as db:
        db.execute("UPDATE meta SET value = '1' WHERE key = 'format_version'")
    with pytest.raises(FormatTooOldError, match=rf"has format 1, and this version reads format {FORMAT_VERSION}"):
        Store.open(store.folder)


@pytest.mark.parametrize("headings", ["no list", "{}", "[1]", ""])
@pytest.mark.parametrize("table", ["chunks", "sections"])
def test_headings_that_cannot_be_read_are_called_damage(store: Store, table: str, headings: str) -> None:
    put(store, document("a", "one"))
    with store.transaction() as db:
        db.execute(f"UPDATE {table} SET headings = ?", (headings,))
    with pytest.raises(IndexDamagedError, match=r"the headings of .* cannot be read"):
        store.chunks([1]) if table == "chunks" else list(store.stored_documents())


@pytest.mark.parametrize("garbage", [b"x" * 5000, b"\0" * 4096, b"SQLite format 3\0" + b"\xff" * 4080])
def test_a_file_that_is_no_database_is_called_damaged(tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / DATABASE).write_bytes(garbage)
    for use in (Store.exists, Store.open):
        with pytest.raises(IndexDamagedError, match=f"{DATABASE} is damaged"):
            use(tmp_path)
    assert (tmp_path / DATABASE).read_bytes() == garbage


@pytest.mark.parametrize("share", [0.001, 0.02, 0.1, 0.5, 0.9])
def test_a_truncated_file_is_called_damaged(store: Store, share: float) -> None:
    put(store, *(document(f"{n}", f"text {n} " * 200) for n in range(50)))
    store.close()
    data = (store.folder / DATABASE).read_bytes()
    (store.folder / DATABASE).write_bytes(data[: int(len(data) * share)])
    with pytest.raises(IndexDamagedError):
        Store.open(store.folder)


@pytest.mark.parametrize(
    "read",
    [
        lambda s: s.documents(),
        lambda s: s.text("7"),
        lambda s: s.chunks(range(1, 51)),
        lambda s: s.vectors(range(1, 51)),
        lambda s: s.generation,
    ],
    ids=["documents", "text", "chunks", "vectors", "generation"],
)
def test_overwritten_pages_are_called_damaged_when_they_are_read(store: Store, read: Callable[[Store], object]) -> None:
    put(store, *(document(f"{n}", f"text {n} " * 200) for n in range(50)))
    store.close()
    path = store.folder / DATABASE
    data = path.read_bytes()
    db = raw(store.folder)
    size = db.execute("PRAGMA page_size").fetchone()[0]
    meta = db.execute("SELECT max(rootpage) FROM sqlite_master WHERE tbl_name = 'meta'").fetchone()[0]
    db.close()
    kept = data[: size * meta]
    path.write_bytes(kept + b"\xaa" * (len(data) - len(kept)))
    with pytest.raises(IndexDamagedError):
        read(Store.open(store.folder))


def test_a_store_opened_for_reading_cannot_write(store: Store) -> None:
    put(store, document("a", "one"))
    reader = Store.open(store.folder)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.commit(removals=["a"])
    assert reader.text("a") == store.text("a") == "one"


def test_a_missing_record_is_called_damage(store: Store) -> None:
    with store.transaction() as db:
        db.execute("DELETE FROM meta WHERE key = 'embedder'")
    with pytest.raises(IndexDamagedError, match="no record of its embedder"):
        store.vectors([])


def test_no_error_is_its_own_cause(store: Store) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly") as refused:
        Store.open(store.folder).commit(removals=["a"])
    assert refused.value.__cause__ is not refused.value, "whoever prints the chain of causes would never end"


# Commits ----------------------------------------------------------------------------------------------------


def test_what_was_put_is_read_back(store: Store) -> None:
    sections = (Section(0, 4, 1, ("Top",)), Section(4, 9, 2, ("Top", "Größe «д»")))
    chunk = NewChunk(4, 9, "\nübe", key_of("x"), 2, ("Top", "Größe «д»"))
    new = NewDocument("a/b c.pdf", key_of("c"), "application/pdf", "Title", 12, 99, 2, "zero\nüber", sections, (chunk,))
    put(store, new)
    (row,) = store.documents()
    assert (row.source, row.content_sha256, row.media_type, row.title) == (
        new.source, new.content_sha256, new.media_type, new.title,
    )  # fmt: skip
    assert (row.state, row.size, row.pages, row.chunks, row.generation) == ("ready", 12, 2, 1, 1)
    assert (row.reason, row.message, row.remedy) == (None, None, None)
    assert store.text(new.source) == new.text
    expected = ChunkRow(1, row.id, new.source, "Title", 4, 9, 2, ("Top", "Größe «д»"), "\nübe")
    assert store.chunks([1, 7]) == {1: expected}
    assert list(store.stored_documents()) == [replace(new, chunks=())]


def test_generations_grow_and_the_log_says_what_each_did(store: Store) -> None:
    assert put(store, document("a", "1"), document("b", "2")) == 1
    assert store.commit(removals=["b", "never there"], failures=[failure("c")]) == 2
    assert put(store, document("a", "3"), document("c", "4"), document("d", "5")) == 3
    log = [(c.generation, c.added, c.changed, c.removed, c.failed) for c in store.commits()]
    assert log == [(3, 2, 1, 0, 0), (2, 0, 0, 1, 1), (1, 2, 0, 0, 0)]
    assert [c.generation for c in store.commits(limit=2)] == [3, 2]
    assert Store.open(store.folder).generation == 3


def test_row_ids_are_never_used_again(store: Store) -> None:
    put(store, document("a", "1", "2"), document("b", "3"))
    first = store.chunk_ids().tolist(), [d.id for d in store.documents()]
    store.commit(removals=["a", "b"])
    assert store.chunk_ids().tolist() == []
    again = Store.open(store.folder, write=True)
    put(again, document("a", "1", "2"), document("b", "3"))
    assert min(again.chunk_ids()) > max(first[0])
    assert min(d.id for d in again.documents()) > max(first[1])
    assert again.generation == 3


def test_replacing_a_document_leaves_tombstones_for_its_old_chunks(store: Store) -> None:
    put(store, document("a", "1", "2"), document("b", "3"))
    assert put(store, document("a", "4")) == 2
    assert texts_of(store) == {3: "3", 4: "4"}
    assert store.counts()["tombstones"] == 2
    assert store.changes_since(1).removed.tolist() == [1, 2]
    assert store.text("a") == "4"


def test_changes_since_tells_what_came_and_went(store: Store) -> None:
    put(store, document("a", "1"), document("b", "2"))
    put(store, document("a", "3", "4"))
    store.commit(removals=["b"])
    put(store, document("c", "5"))
    told = {g: store.changes_since(g) for g in range(5)}
    assert {g: (c.added.tolist(), c.removed.tolist()) for g, c in told.items()} == {
        0: ([3, 4, 5], [1, 2]),
        1: ([3, 4, 5], [1, 2]),
        2: ([5], [2]),
        3: ([5], []),
        4: ([], []),
    }
    assert {c.generation for c in told.values()} == {4}


def test_a_chunk_without_a_vector_is_refused_and_nothing_is_left(store: Store) -> None:
    put(store, document("a", "one"))
    store.put_vectors(EMBEDDER, {key_of("two"): vector_of("two")})
    with pytest.raises(ValueError, match="1 chunks were committed without a vector"):
        store.commit([document("b", "two"), document("c", "three")], removals=["a"])
    assert (store.generation, texts_of(store), store.counts()["tombstones"]) == (1, {1: "one"}, 0)
    assert put(store, document("b", "two")) == 2, "and the store goes on"


def test_a_vector_of_another_embedder_does_not_count(store: Store) -> None:
    store.put_vectors("another", {key_of("one"): vector_of("one")})
    with pytest.raises(ValueError, match="without a vector"):
        store.commit([document("a", "one")])


def test_a_vector_of_another_size_is_refused_before_it_is_committed(store: Store) -> None:
    def put_short() -> None:
        store.put_vectors(EMBEDDER, {key_of("one"): vector_of("one")[:-1]})
        store.commit([document("a", "one")])

    with pytest.raises(ValueError, match=r"vector"):
        put_short()


def test_a_vector_of_another_size_does_not_stand_in_the_way_of_the_right_one(store: Store) -> None:
    with suppress(ValueError):
        store.put_vectors(EMBEDDER, {key_of("one"): vector_of("one")[:-1]})
    assert store.known_vectors(EMBEDDER, [key_of("one")]) == set()
    assert put(store, document("a", "one")) == 1
    assert store.vectors([1]).tolist() == [vector_of("one").tolist()]


def test_an_exception_in_a_transaction_leaves_nothing(store: Store) -> None:
    put(store, document("a", "one"))

    def interrupted() -> None:
        with store.transaction() as db:
            db.execute("DELETE FROM documents")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert texts_of(store) == {1: "one"}
    assert put(store, document("b", "two")) == 2


def test_a_document_that_cannot_be_stored_takes_its_whole_commit_with_it(store: Store) -> None:
    put(store, document("a", "one"), document("c", "two"))
    broken = replace(document("b", "two"), text="lone surrogate \ud800")
    with pytest.raises(UnicodeEncodeError):
        store.commit([document("a", "two"), broken], removals=["c"])
    assert (store.generation, texts_of(store)) == (1, {1: "one", 2: "two"})


def test_a_commit_that_a_reader_held_up_can_be_tried_again(store: Store) -> None:
    if journal_mode() == "wal":
        pytest.skip("with a write-ahead log readers hold nobody up")
    put(store, document("a", "one"))
    with store.transaction() as db:
        db.execute("SELECT 1")
    db.execute("PRAGMA busy_timeout = 0")
    reader = raw(store.folder)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM meta").fetchall()
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        store.commit(removals=["a"])
    reader.close()
    assert store.commit(removals=["a"]) == 2


KILLED = """
import sys
from pathlib import Path
from indexes.store.store import Store

store = Store.open(Path(sys.argv[1]), write=True)
with store.transaction() as db:
    db.execute("PRAGMA cache_spill = 1")
    db.execute("PRAGMA cache_size = 1")
    db.execute("UPDATE chunks SET text = 'overwritten'")
    db.execute("DELETE FROM texts")
    print("now", flush=True)
    sys.stdin.read()
"""


def test_a_writer_killed_in_mid_transaction_leaves_nothing(store: Store) -> None:
    texts = [f"text {n} " * 300 for n in range(60)]
    put(store, document("a", *texts))
    store.close()
    command = [sys.executable, "-c", KILLED, str(store.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"now\n"
        writer.send_signal(signal.SIGKILL)
    assert list(store.folder.glob(f"{DATABASE}-*")), "it had begun to write"
    reader = Store.open(store.folder)
    assert list(texts_of(reader).values()) == texts
    assert put(Store.open(store.folder, write=True), document("b", "more")) == 2


# Failures ---------------------------------------------------------------------------------------------------


def test_a_document_that_was_never_read_has_failed(store: Store) -> None:
    store.commit(failures=[failure("a")])
    (row,) = store.documents()
    assert (row.state, row.reason, row.message, row.remedy) == ("failed", "unreadable", "it is broken", "mend it")
    assert store.content_hashes() == {"a": ("failed", None, key_of("it is broken"))}
    with pytest.raises(KeyError, match="a"):
        store.text("a")
    store.commit(failures=[failure("a", "still broken")])
    assert [(d.state, d.message) for d in store.documents()] == [("failed", "still broken")]
    assert store.content_hashes() == {"a": ("failed", None, key_of("still broken"))}


def test_a_document_that_can_no_longer_be_read_is_stale_and_keeps_answering(store: Store) -> None:
    put(store, document("a", "one"))
    for message in ("broken", "broken again"):
        store.commit(failures=[failure("a", message)])
        (row,) = store.documents()
        assert (row.state, row.message, row.content_sha256) == ("stale", message, key_of("one"))
        assert store.content_hashes() == {"a": ("stale", key_of("one"), key_of(message))}
        assert texts_of(store) == {1: "one"}
    assert store.changes_since(1).removed.tolist() == []
    assert store.counts() == {"ready": 0, "failed": 0, "stale": 1, "chunks": 1, "vectors": 1, "tombstones": 0}


@pytest.mark.parametrize("read_before", [True, False])
def test_reading_a_document_again_clears_its_failure(store: Store, read_before: bool) -> None:
    if read_before:
        put(store, document("a", "one"))
    store.commit(failures=[failure("a")])
    put(store, document("a", "two"))
    (row,) = store.documents()
    assert (row.state, row.reason, row.message, row.remedy) == ("ready", None, None, None)
    assert store.content_hashes() == {"a": ("ready", key_of("two"), None)}
    last = store.commits(1)[0]
    assert (last.added, last.changed) == ((0, 1) if read_before else (1, 0))
    assert list(texts_of(store).values()) == ["two"]


def test_a_failure_can_be_removed(store: Store) -> None:
    store.commit(failures=[failure("a")])
    store.commit(removals=["a"])
    assert store.documents() == []
    assert store.commits(1)[0].removed == 1


# Vectors ----------------------------------------------------------------------------------------------------


def test_identical_text_has_one_vector_forever(store: Store) -> None:
    put(store, document("a", "same", "same"), document("b", "same", "other"))
    assert store.counts()["vectors"] == 2
    store.commit(removals=["a", "b"])
    wanted = {key_of(t) for t in ("same", "other", "new")}
    assert store.known_vectors(EMBEDDER, wanted) == {key_of("same"), key_of("other")}
    assert store.known_vectors("another", wanted) == set()
    store.commit([document("c", "other")])
    assert store.vectors(store.chunk_ids()).tolist() == [vector_of("other").tolist()]


def test_vectors_come_in_the_order_they_are_asked_for(store: Store) -> None:
    texts = [f"text {n}" for n in range(1100)]  # more than fit into one statement
    put(store, document("a", *texts))
    order = np.random.default_rng(1).permutation(np.arange(1, 1101))
    expected = np.stack([vector_of(texts[i - 1]) for i in order.tolist()])
    assert np.array_equal(store.vectors(order), expected)
    assert store.vectors(order).dtype == np.float32


def test_an_id_asked_for_twice_has_its_vector_twice(store: Store) -> None:
    put(store, document("a", "one", "two"))
    found = store.vectors([1, 2] * 3000)  # too long for memory that happens to hold the right values
    assert np.array_equal(found, np.stack([vector_of("one"), vector_of("two")] * 3000))


@pytest.mark.parametrize(
    "damage", ["DELETE FROM vectors WHERE key = ?", "UPDATE vectors SET vector = x'0000' WHERE key = ?"]
)
def test_a_lost_vector_is_damage(store: Store, damage: str) -> None:
    put(store, document("a", "one", "two"))
    with store.transaction() as db:
        db.execute(damage, (key_of("two"),))
    assert store.vectors([1]).tolist() == [vector_of("one").tolist()]
    with pytest.raises(IndexDamagedError, match="vector"):
        store.vectors([1, 2])


def test_a_deleted_chunk_has_no_vector_to_give(store: Store) -> None:
    put(store, document("a", "one"))
    with pytest.raises(IndexDamagedError, match="chunks without a vector: 1"):
        store.vectors([1, 2])


# Re-embedding -----------------------------------------------------------------------------------------------


def rechunked(store: Store) -> list[NewDocument]:
    """Cut every stored document anew, one chunk a document."""
    return [replace(d, chunks=(NewChunk(0, len(d.text), d.text, key_of(d.text)),)) for d in store.stored_documents()]


def test_replace_all_changes_settings_and_chunks_together(store: Store) -> None:
    put(store, document("a", "1", "2"), document("b", "3"))
    new = rechunked(store)
    store.put_vectors("other", {key_of(t): np.ones(4, np.float32) for t in ("1\n2", "3")})
    assert store.replace_all(new, {"chunk_size": 9}, embedder="other", dimension=4) == 2
    reopened = Store.open(store.folder)
    assert (reopened.settings, reopened.meta("embedder"), reopened.meta("dimension")) == (
        {"chunk_size": 9}, "other", 4,
    )  # fmt: skip
    assert texts_of(reopened) == {4: "1\n2", 5: "3"}
    assert reopened.vectors([4, 5]).tolist() == [[1.0] * 4] * 2
    assert reopened.changes_since(1).removed.tolist() == [1, 2, 3]


def test_replace_all_without_all_vectors_changes_nothing(store: Store) -> None:
    put(store, document("a", "1", "2"), document("b", "3"))
    store.put_vectors("other", {key_of("3"): np.ones(4, np.float32)})
    with pytest.raises(ValueError, match="1 chunks were committed without a vector"):
        store.replace_all(rechunked(store), {"chunk_size": 9}, embedder="other", dimension=4)
    assert (store.settings, store.meta("embedder"), store.meta("dimension")) == (SETTINGS, EMBEDDER, DIMENSION)
    assert texts_of(store) == {1: "1", 2: "2", 3: "3"}


def test_replace_all_leaves_no_document_behind_without_vectors(store: Store) -> None:
    put(store, document("a", "1"), document("b", "2"))
    store.put_vectors("other", {key_of("1"): np.ones(4, np.float32)})
    with pytest.raises(ValueError, match="without a vector"):
        store.replace_all(rechunked(store)[:1], {"chunk_size": 9}, embedder="other", dimension=4)
    assert store.meta("embedder") == EMBEDDER


def test_a_stale_document_is_still_stale_when_its_old_text_was_cut_anew(store: Store) -> None:
    put(store, document("a", "one"))
    store.commit(failures=[failure("a")])
    store.replace_all(rechunked(store), SETTINGS, embedder=EMBEDDER, dimension=DIMENSION)
    assert [(d.state, d.message) for d in store.documents()] == [("stale", "it is broken")]


def test_a_selection_chooses_chunks_by_name_and_media_type(store: Store) -> None:
    put(store, document("a/x.md", "1", "2"), document("a/y.txt", "3"), document("b/x.md", "4"))

    def ids(**chosen: object) -> list[int]:
        return store.chunk_ids(Selection(**chosen)).tolist()  # type: ignore[arg-type]

    assert ids() == ids(sources=None) == [1, 2, 3, 4]
    assert ids(sources=frozenset()) == ids(sources=frozenset({"a/*"})) == []
    assert ids(sources=frozenset({"a/x.md", "b/x.md", "c"})) == [1, 2, 4]
    assert ids(sources=frozenset(f"n{n}" for n in range(5000)) | {"a/y.txt"}) == [3]
    assert ids(media_types=("te?t/*",)) == [1, 2, 3, 4]
    assert ids(media_types=tuple(f"made/up{n}" for n in range(5000))) == []


def test_sources_and_sections_are_listed(store: Store) -> None:
    put(store, document("b", "1"), document("a", "2", "3"))
    store.commit(failures=[failure("c")])
    assert store.sources() == ["a", "b", "c"]
    assert store.sections("a") == document("a", "2", "3").sections
    assert store.sections("c") == store.sections("nothing") == ()


# Any sequence of changes ------------------------------------------------------------------------------------

SOURCES = st.sampled_from(["a", "b/ä.txt", "c d"])
PUTS = st.tuples(st.just("put"), st.dictionaries(SOURCES, st.lists(st.text(max_size=12), max_size=3), max_size=3))
REMOVALS = st.tuples(st.just("remove"), st.lists(SOURCES, max_size=2))
FAILURES = st.tuples(st.just("fail"), SOURCES)
REOPENING = st.tuples(st.just("reopen"), st.none())


@settings(max_examples=40)
@given(st.lists(st.one_of(PUTS, REMOVALS, FAILURES, REOPENING), max_size=8))
def test_any_sequence_of_changes_leaves_what_a_dict_would_hold(changes: list[tuple[str, object]]) -> None:
    expected: dict[str, tuple[str, list[str] | None]] = {}  # source -> state, chunk texts
    seen: set[int] = set()
    with temporary_folder() as folder:
        store = new_store(folder)
        for action, what in changes:
            before = store.generation
            if action == "put":
                assert isinstance(what, dict)
                put(store, *(document(source, *texts) for source, texts in what.items()))
                expected |= {source: ("ready", texts) for source, texts in what.items()}
            elif action == "remove":
                assert isinstance(what, list)
                store.commit(removals=what)
                expected = {source: value for source, value in expected.items() if source not in what}
            elif action == "fail":
                assert isinstance(what, str)
                store.commit(failures=[failure(what)])
                state, texts = expected.get(what, ("failed", None))
                expected[what] = ("failed" if state == "failed" else "stale", texts)
            else:
                store.close()
                store = Store.open(folder, write=True)
            assert store.generation == before + (action != "reopen")

            readable = {source: texts for source, (_, texts) in expected.items() if texts is not None}
            assert {d.source: d.state for d in store.documents()} == {s: state for s, (state, _) in expected.items()}
            assert {source: store.text(source) for source in readable} == {s: "\n".join(t) for s, t in readable.items()}
            rows = store.chunks(store.chunk_ids().tolist())
            by_source: dict[str, list[str]] = {source: [] for source in readable}
            for _, row in sorted(rows.items()):
                by_source[row.source].append(row.text)
            assert by_source == readable
            new = set(store.changes_since(before).added.tolist())
            assert not new & seen
            seen |= new
            assert set(rows) <= seen
        store.close()
