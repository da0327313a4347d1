"""An index folder that a stranger made: no code of it runs, nothing outside is written, and errors are sentences."""

from __future__ import annotations

import json
import os
import pickle
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from rag_project import Project

from indexes.derived import publish as derived
from indexes.errors import IndexDamagedError, LexicalFilesError, StoreError
from indexes.lock import HOLDER, LOCK, writer_lock
from indexes.search.lexical_tantivy import TantivyIndex
from indexes.store.database import DATABASE
from indexes.store.store import Store

FILES = {"a.txt": "The mast is 31 metres tall.", "b.txt": "Reserve part 1 is in shed 2."}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    project = Project(tmp_path / "project")
    project.write(FILES).ingest()
    folder = project.index.folder
    project.close()
    return folder


def change(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON chunks BEGIN DELETE FROM documents; END",
        "CREATE VIEW v AS SELECT 1",
        "CREATE VIRTUAL TABLE f USING fts5(text)",
    ],
)
def test_a_database_with_code_in_it_is_not_opened(folder: Path, statement: str) -> None:
    change(folder, statement)
    for write in (False, True):
        with pytest.raises(IndexDamagedError, match=r"damaged or not ours: it holds a (trigger|view|virtual table)"):
            Store.open(folder, write=write)


@pytest.mark.parametrize(
    "statements",
    [
        ("ALTER TABLE documents RENAME TO old", "CREATE VIEW documents AS SELECT * FROM old"),
        ("ALTER TABLE chunks ADD COLUMN more TEXT",),
        ("ALTER TABLE documents RENAME COLUMN title TO name",),
        ("PRAGMA foreign_keys = OFF", "DROP TABLE chunks", "CREATE TABLE chunks (id INTEGER PRIMARY KEY, text)"),
    ],
)
def test_a_database_with_other_tables_is_damaged_or_not_ours(folder: Path, statements: tuple[str, ...]) -> None:
    change(folder, *statements)
    with pytest.raises(IndexDamagedError, match="damaged or not ours"):
        Store.open(folder)


def test_the_schema_of_a_stranger_is_not_trusted(folder: Path) -> None:
    with Store.open(folder) as store:
        assert store._db.execute("PRAGMA trusted_schema").fetchone() == (0,)


def test_a_link_in_place_of_the_writers_note_is_replaced_and_its_target_stays(folder: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("do not touch")
    (folder / HOLDER).unlink(missing_ok=True)
    (folder / HOLDER).symlink_to(precious)
    with writer_lock(folder, "a test"):
        assert json.loads((folder / HOLDER).read_text())["pid"] == os.getpid()
    assert precious.read_text() == "do not touch"


def test_a_link_in_place_of_the_lock_writes_nothing_to_its_target(folder: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("do not touch")
    (folder / LOCK).unlink(missing_ok=True)
    (folder / LOCK).symlink_to(precious)
    with pytest.raises((StoreError, OSError)), writer_lock(folder, "a test"):
        pass
    assert precious.read_text() == "do not touch"


def test_a_panic_of_the_lexical_index_is_an_error_that_handlers_know(tmp_path: Path) -> None:
    class PanicException(BaseException):
        pass

    class Panicking:
        num_docs = 3

        def search(self, *_: object, **__: object) -> None:
            raise PanicException("range end index 9 out of range")

        doc_freq = search

    index = TantivyIndex(tmp_path)
    index._searcher = Panicking()
    with pytest.raises(LexicalFilesError, match="the lexical index is damaged: range end index 9") as caught:
        index.search(["mast"], 3)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def reseal(folder: Path) -> None:
    """Give a published folder a manifest that fits its changed files, as a stranger would."""
    manifest = json.loads((folder / derived._MANIFEST).read_text())
    manifest["files"] = {name: derived.sha256_file(folder / name) for name in manifest["files"]}
    manifest.pop("self")
    manifest["self"] = derived.sha256_json(manifest)
    (folder / derived._MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize("seed", range(10))
def test_changed_files_of_the_lexical_index_with_right_checksums_end_in_no_traceback(folder: Path, seed: int) -> None:
    draw = random.Random(seed)
    [published] = derived.published_folders(folder / "lexical")
    names = [path for path in sorted(published.iterdir()) if path.name != derived._MANIFEST and path.stat().st_size]
    path = draw.choice(names)
    data = bytearray(path.read_bytes())
    for _ in range(draw.choice((1, 8))):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(bytes(data[: draw.randrange(1, len(data) + 1)] if draw.random() < 0.3 else data))
    reseal(published)
    project = Project(folder.parent)
    try:
        found = project.retriever("retrieval.fusion=lexical").retrieve("How tall is the mast?", k=2)
        assert len(found.passages) <= 2
    except IndexDamagedError:
        pass
    finally:
        project.close()
