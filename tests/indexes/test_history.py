"""Earlier generations, moves, stamps, compaction, seals, and an index of the format before."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from index_samples import document, flip_bit, new_index, new_store, put

from indexes import FailedDocument, HistoryForgottenError, Index, IndexDamagedError, IndexLockedError, ReadingNote
from indexes.backup import restore_snapshot, write_snapshot
from indexes.derived.signatures import duplicate_groups
from indexes.lock import writer_lock
from indexes.store.checksums import row_sha256, seal_meta
from indexes.store.schema import DOCUMENTS, FORMAT_VERSION
from indexes.store.store import DATABASE, Store
from indexes.store.undo_log import RUNS_RETAINED
from indexes.verify import check_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "index")


def texts(store: Store) -> dict[str, list[str]]:
    return {row.source: [c.text for c in store.chunks_of(row.source)] for row in store.documents()}


# Moves ------------------------------------------------------------------------------------------------------


def test_a_rename_keeps_chunks_ids_and_generation(store: Store) -> None:
    put(store, document("a", "one", "two"))
    before = store.chunks_of("a")
    assert store.commit(moves=[("a", "b/c")]) == 2
    after = store.chunks_of("b/c")
    assert [(c.id, c.text) for c in after] == [(c.id, c.text) for c in before]
    row = store.document("b/c")
    assert row is not None
    assert row.generation == 1
    assert store.changes_since(1).removed.tolist() == store.changes_since(1).added.tolist() == []
    assert check_store(store) == []


def test_a_rename_onto_a_document_or_of_nothing_is_refused(store: Store) -> None:
    put(store, document("a", "one"), document("b", "two"))
    for move in (("a", "b"), ("c", "d")):
        with pytest.raises(ValueError, match="cannot be renamed"):
            store.commit(moves=[move])
    assert store.generation == 1
    store.commit(failures=[FailedDocument("c", "broken", "it is broken", "mend it")])
    store.commit(moves=[("a", "c")])
    assert texts(store) == {"b": ["two"], "c": ["one"]}


def test_a_document_without_its_text_cannot_be_put_on_record(store: Store) -> None:
    put(store, document("a", "one"))
    with store.transaction() as db:
        db.execute("DELETE FROM texts")
    with pytest.raises(IndexDamagedError, match="the text of a is missing"):
        store.commit(removals=["a"])
    assert store.generation == 1


def test_a_damaged_record_is_not_gone_back_to(store: Store) -> None:
    put(store, document("a", "one"))
    store.commit(removals=["a"])
    with store.transaction() as db:
        db.execute("UPDATE retired SET record = x'00'")
    with pytest.raises(IndexDamagedError, match="the record of an earlier version of a"):
        store.roll_back(1)


# Going back -------------------------------------------------------------------------------------------------


def test_every_kind_of_change_is_undone(store: Store) -> None:
    put(store, document("a", "one"), document("b", "two"), document("c", "three"))
    store.commit(failures=[FailedDocument("f", "broken", "it is broken", "mend it", b"f")])
    before = texts(store), {d.source: (d.state, d.message) for d in store.documents()}
    put(store, document("a", "another"), document("f", "mended"))
    store.commit(removals=["b"], moves=[("c", "d")], failures=[FailedDocument("a", "broken", "broken", "mend")])
    assert store.roll_back(2) == 5
    assert (texts(store), {d.source: (d.state, d.message) for d in store.documents()}) == before
    assert check_store(store) == []
    store.roll_back(4)
    assert texts(store) == {"a": ["another"], "f": ["mended"], "d": ["three"]}
    assert [d.state for d in store.documents()] == ["stale", "ready", "ready"]


def test_commits_of_one_run_are_undone_together(store: Store) -> None:
    put(store, document("a", "one"))
    run = put(store, document("b", "two"))
    store.put_vectors("signs", {})
    store.commit(removals=["a"], run=run)
    assert store.runs() == [1, 0]
    store.roll_back(store.runs()[0])
    assert texts(store) == {"a": ["one"]}


def test_only_the_last_runs_are_kept(store: Store) -> None:
    for number in range(RUNS_RETAINED + 3):
        put(store, document("a", f"version {number}"))
    assert len(store.runs()) == RUNS_RETAINED
    oldest = store.runs()[-1]
    with pytest.raises(HistoryForgottenError, match=f"generations {oldest} to"):
        store.roll_back(oldest - 1)
    store.roll_back(oldest)
    assert texts(store) == {"a": [f"version {oldest - 1}"]}


def test_embedding_anew_and_compacting_forget_the_past(store: Store) -> None:
    put(store, document("a", "one"))
    put(store, document("a", "two"))
    store.compact()
    with pytest.raises(HistoryForgottenError, match="no earlier generation is on record"):
        store.roll_back(1)
    assert check_store(store) == []


# Notes ------------------------------------------------------------------------------------------------------

NOTES = (
    ReadingNote("pages_without_text", "pages 2-4 of 5 have no text", "pages 2-4", "run OCR on them"),
    ReadingNote("guessed", "“é” was guessed", "", ""),
)


def notes(store: Store) -> dict[str, tuple[ReadingNote, ...]]:
    found = {row.source: row.notes for row in store.documents()}
    assert store.notes(found) == {source: noted for source, noted in found.items() if noted}
    return found


def test_the_notes_of_a_document_go_where_it_goes(store: Store, tmp_path: Path) -> None:
    put(store, replace(document("a", "one"), notes=NOTES), document("b", "two"))
    assert notes(store) == {"a": NOTES, "b": ()}
    assert [d.notes for d in store.stored_documents()] == [NOTES, ()]
    store.commit(moves=[("a", "c")])
    assert notes(store) == {"b": (), "c": NOTES}
    store.replace_all(list(store.stored_documents()), {}, embedder="signs", dimension=32)
    assert notes(store) == {"b": (), "c": NOTES}
    write_snapshot(store, tmp_path / "copy")
    restore_snapshot(tmp_path / "copy", tmp_path / "restored")
    with closing(Store.open(tmp_path / "restored")) as restored:
        assert notes(restored) == {"b": (), "c": NOTES}
    assert check_store(store) == []


def test_notes_are_replaced_and_brought_back_with_their_document(store: Store) -> None:
    put(store, replace(document("a", "one"), notes=NOTES))
    store.commit(
        failures=[FailedDocument("a", "broken", "it is broken", "mend it"), FailedDocument("f", "x", "y", "z")]
    )
    assert notes(store) == {"a": NOTES, "f": ()}, "the version that answers has its notes"
    put(store, replace(document("a", "two"), notes=NOTES[1:]), replace(document("f", "six"), notes=NOTES[:1]))
    assert notes(store) == {"a": NOTES[1:], "f": NOTES[:1]}
    put(store, document("a", "three"))
    assert notes(store)["a"] == ()
    store.commit(removals=["f"])
    for generation, expected in ((4, {"a": (), "f": NOTES[:1]}), (2, {"a": NOTES, "f": ()})):
        store.roll_back(generation)
        assert notes(store) == expected
        assert check_store(store) == []


@pytest.mark.parametrize("stored", ["x", "{}", "[1]", '[["kind"]]', '[["kind", "text", "", 1]]'])
def test_notes_that_cannot_be_read_are_damage(store: Store, stored: str) -> None:
    put(store, document("a", "one"))
    with store.transaction() as db:
        db.execute("UPDATE documents SET notes = ?", (stored,))
    with pytest.raises(IndexDamagedError, match="the notes of a cannot be read"):
        store.notes(["a"])
    with pytest.raises(IndexDamagedError, match="the notes of document 1 cannot be read"):
        store.documents()
    assert any("does not match its checksum" in problem.message for problem in check_store(store))


# Seals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE commits SET added = added + 1 WHERE generation = 1", "commit 1 does not match"),
        ("UPDATE commits SET nonce = 'other' WHERE generation = 1", "commit 1 does not match"),
        ("UPDATE tombstones SET chunk_id = chunk_id + 100", "commit 2 does not match"),
        ("DELETE FROM tombstones", "commit 2 does not match"),
        ("UPDATE chunks SET generation = 1 WHERE generation = 2", "another generation than their document"),
        ("UPDATE documents SET state = 'stale'", "does not match its checksum"),
        ("UPDATE documents SET generation = 1", "does not match its checksum"),
        ('UPDATE documents SET notes = \'[["kind", "text"]]\'', "does not match its checksum"),
        ("UPDATE meta SET value = '\"other\"' WHERE key = 'store_id'", "records of the folder do not match"),
        ("UPDATE retired SET record = x'00'", "earlier versions are damaged"),
        ("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'chunks'", "ids could be used again"),
    ],
)
def test_what_decides_what_is_seen_is_sealed(store: Store, change: str, told: str) -> None:
    put(store, document("a", "one", "two"))
    put(store, document("a", "three"))
    assert check_store(store) == []
    with store.transaction() as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute(change)
    assert any(told in problem.message for problem in check_store(store))


# Formats ----------------------------------------------------------------------------------------------------


def make_format_5(folder: Path) -> None:
    """Turn an index into what the version before wrote."""
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        db.execute("ALTER TABLE documents DROP COLUMN boxes")
        names = ", ".join(DOCUMENTS.sealed(5))
        for document_id, *values in db.execute(f"SELECT id, {names} FROM documents").fetchall():
            db.execute("UPDATE documents SET sha256 = ? WHERE id = ?", (row_sha256(*values), document_id))
        db.execute("UPDATE meta SET value = '5' WHERE key = 'format_version'")
        seal_meta(db)
        db.commit()


def make_format_4(folder: Path) -> None:
    """Turn an index into what the version before that wrote."""
    make_format_5(folder)
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        db.execute("ALTER TABLE documents DROP COLUMN notes")
        names = ", ".join(DOCUMENTS.sealed(4))
        for document_id, *values in db.execute(f"SELECT id, {names} FROM documents").fetchall():
            db.execute("UPDATE documents SET sha256 = ? WHERE id = ?", (row_sha256(*values), document_id))
        db.execute("UPDATE meta SET value = '4' WHERE key = 'format_version'")
        seal_meta(db)
        db.commit()


def make_format_3(folder: Path) -> None:
    """Turn an index into what the version before that wrote."""
    make_format_4(folder)
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        db.execute("DROP TABLE signatures")
        db.execute("UPDATE meta SET value = '3' WHERE key = 'format_version'")
        seal_meta(db)
        db.commit()


def make_format_2(folder: Path) -> None:
    """Turn an index into what the oldest version that can be opened wrote."""
    make_format_3(folder)
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        for column in ("run", "milliseconds", "bytes", "sha256"):
            db.execute(f"ALTER TABLE commits DROP COLUMN {column}")
        db.execute("DROP TABLE retired")
        db.execute("DROP TABLE stamps")
        db.execute("DELETE FROM meta WHERE key IN ('history_from', 'replay_from', 'sha256')")
        db.execute("UPDATE meta SET value = '2' WHERE key = 'format_version'")
        for document_id, *values in db.execute(
            "SELECT id, source, content_sha256, media_type, title, size, modified_ns, pages FROM documents"
        ).fetchall():
            db.execute("UPDATE documents SET sha256 = ? WHERE id = ?", (row_sha256(*values), document_id))
        db.commit()


@pytest.mark.parametrize("write", [True, False])
def test_an_index_of_the_format_before_is_brought_up_to_date(tmp_path: Path, write: bool) -> None:
    index = new_index(tmp_path / "index")
    put(index.store, document("a", "one"), document("b", "two"))
    index.store.commit(removals=["b"], failures=[FailedDocument("f", "broken", "it is broken", "mend it")])
    index.sync()
    index.store.close()
    make_format_2(index.folder)
    opened = Index.open(index.folder, write=write)
    assert opened.store.meta("format_version") == FORMAT_VERSION
    assert opened.verify(deep=True) == []
    assert texts(opened.store) == {"a": ["one"], "f": []}
    assert opened.store.runs() == []
    opened.store.close()
    store = Store.open(index.folder, write=True)
    put(store, document("a", "three"))
    store.roll_back(store.runs()[0])
    assert texts(store) == {"a": ["one"], "f": []}
    assert check_store(store) == []


def test_an_index_without_signatures_gets_them_from_the_next_writer(tmp_path: Path) -> None:
    index = new_index(tmp_path / "index")
    put(index.store, document("a", "one"), document("b", "one"))
    index.sync()
    index.store.close()
    make_format_3(index.folder)
    reading = Index.open(index.folder)
    assert reading.verify(deep=True) == []
    assert [group.members for group in duplicate_groups(reading.store)] == [(("a", 1.0), ("b", 1.0))]
    opened = Index.open(index.folder, write=True)
    assert opened.store.runs() == [0], "what can be undone stays so"
    opened.sync()
    with closing(sqlite3.connect(index.folder / DATABASE)) as db:
        assert db.execute("SELECT count(*) FROM signatures").fetchone() == (2,)
    assert opened.verify(deep=True) == []


def test_an_index_without_notes_has_none_until_a_file_is_read_again(tmp_path: Path) -> None:
    index = new_index(tmp_path / "index")
    put(index.store, document("a", "one"))
    put(index.store, document("a", "two"))
    index.store.commit(failures=[FailedDocument("f", "broken", "it is broken", "mend it")])
    index.sync()
    index.store.close()
    make_format_4(index.folder)
    opened = Index.open(index.folder, write=True)
    assert opened.verify(deep=True) == []
    assert [row.notes for row in opened.store.documents()] == [(), ()]
    put(opened.store, replace(document("a", "three"), notes=NOTES))
    assert opened.store.notes(["a", "f", "z"]) == {"a": NOTES}
    opened.store.roll_back(1)
    assert opened.store.notes(["a", "f"]) == {}, "a record of the format before has no notes"
    assert texts(opened.store) == {"a": ["one"]}
    opened.sync()
    assert opened.verify(deep=True) == []


def test_records_that_were_damaged_stay_so_in_a_new_format(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.close()
    make_format_3(tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        db.execute("UPDATE meta SET value = '7' WHERE key = 'history_from'")
        db.commit()
    [problem] = check_store(Store.open(tmp_path))
    assert problem.message == "the records of the folder do not match their checksum"


def test_damage_is_not_mended_by_a_new_format(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    put(store, document("a", "one"))
    store.close()
    make_format_2(tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        db.execute("UPDATE documents SET title = 'other'")
        db.commit()
    assert [p.message for p in check_store(Store.open(tmp_path))] == [
        "what is recorded of a does not match its checksum"
    ]


def test_a_format_is_not_changed_beside_a_writer(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.close()
    make_format_2(tmp_path)
    with writer_lock(tmp_path, "test"), pytest.raises(IndexLockedError):
        Store.open(tmp_path)


# Snapshots --------------------------------------------------------------------------------------------------


def test_a_snapshot_replaces_a_database_that_is_damaged_and_keeps_it(tmp_path: Path) -> None:
    store = new_store(tmp_path / "index")
    put(store, document("a", "one"))
    write_snapshot(store, tmp_path / "snapshot")
    store.close()
    (tmp_path / "index" / DATABASE).write_bytes(b"garbage" * 1000)
    restore_snapshot(tmp_path / "snapshot", tmp_path / "index", replace=True)
    assert texts(Store.open(tmp_path / "index")) == {"a": ["one"]}
    [aside] = (tmp_path / "index").glob(f"{DATABASE}.damaged-*")
    assert aside.read_bytes().startswith(b"garbage")


def test_a_reader_that_is_open_sees_the_restored_index(tmp_path: Path) -> None:
    index = new_index(tmp_path / "index")
    put(index.store, document("a", "one"))
    write_snapshot(index.store, tmp_path / "snapshot")
    put(index.store, document("a", "two"), document("b", "three"))
    index.sync()
    reader = Index.open(index.folder).reader()
    assert len(reader.snapshot().dense) == 2
    restore_snapshot(tmp_path / "snapshot", index.folder, replace=True)
    assert len(reader.snapshot().dense) == 1
    assert texts(reader.store) == {"a": ["one"]}
    reader.close()


def test_deep_checks_look_at_each_vector_and_each_text(tmp_path: Path) -> None:
    index = new_index(tmp_path / "index")
    put(index.store, document("a", "one two"), document("b", "three four"))
    index.sync()
    with index.store.transaction() as db:  # both rows are sound, and changed places after the indexes were made
        (one, two) = db.execute("SELECT key, vector FROM vectors ORDER BY key").fetchall()
        for key, vector in ((one[0], two[1]), (two[0], one[1])):
            sha = row_sha256("signs", key, vector)
            db.execute("UPDATE vectors SET vector = ?, sha256 = ? WHERE key = ?", (vector, sha, key))
    assert index.verify() == []
    [problem] = index.verify(deep=True)
    assert (problem.part, problem.repairable) == ("dense", True)
    assert "2 chunks have another vector" in problem.message
    index.rebuild({"dense"})
    assert index.verify(deep=True) == []


def test_a_flipped_bit_in_a_snapshot_is_told_whichever_it_is(tmp_path: Path) -> None:
    store = new_store(tmp_path / "index")
    put(store, document("a", "one"))
    write_snapshot(store, tmp_path / "snapshot")
    whole = (tmp_path / "snapshot").read_bytes()
    for at in (0, 17, 20, 60, 150, 200, 300, len(whole) - 1):
        (tmp_path / "snapshot").write_bytes(whole)
        flip_bit(tmp_path / "snapshot", at, at=at)
        with pytest.raises(Exception, match="snapshot"):
            restore_snapshot(tmp_path / "snapshot", tmp_path / f"restored{at}")
        assert not Store.exists(tmp_path / f"restored{at}")


def test_an_index_of_another_history_is_no_damage(tmp_path: Path) -> None:
    index = new_index(tmp_path / "index")
    put(index.store, document("a", "one"))
    write_snapshot(index.store, tmp_path / "snapshot")
    put(index.store, document("b", "two"))
    index.sync()
    restore_snapshot(tmp_path / "snapshot", index.folder, replace=True)
    put(index.store, document("b", "another with the same number"))
    assert index.verify(deep=True) == []
    index.sync()
    assert index.verify(deep=True) == []
