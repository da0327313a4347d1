"""Every command over an index that cannot be used as it is: no traceback, and no connection stays open."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest

from indexes.lock import writer_lock
from indexes.store.checksums import seal_meta, set_meta
from rag.cli.main import main

TEXT = "# Note {0}\n\nThe lantern on quay {0} burns {0} litres of oil.\n"
OPENED: list[sqlite3.Connection] = []


def _record(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "sqlite3.connect/handle":
        OPENED.append(arguments[0])


sys.addaudithook(_record)


def still_open() -> list[sqlite3.Connection]:
    """Return the recorded connections that nobody closed."""
    left = []
    for connection in OPENED:
        try:
            connection.execute("SELECT 1")
        except sqlite3.ProgrammingError as error:
            if "closed" in str(error):
                continue
        except sqlite3.Error:
            pass
        left.append(connection)
    OPENED.clear()
    return left


def sql(*statements: str, seal: bool = True) -> Callable[[Path], None]:
    def change(index: Path) -> None:
        with closing(sqlite3.connect(index / "rag.db")) as db, db:
            for statement in statements:
                db.execute(statement)
            if seal:
                seal_meta(db)

    return change


def meta(**values: Any) -> Callable[[Path], None]:
    def change(index: Path) -> None:
        with closing(sqlite3.connect(index / "rag.db")) as db, db:
            set_meta(db, values)

    return change


def flip(index: Path) -> None:
    """Damage the pages in the middle."""
    data = bytearray((index / "rag.db").read_bytes())
    for n in range(4096, len(data), 97):
        data[n] ^= 0x55
    (index / "rag.db").write_bytes(data)


def as_file(index: Path) -> None:
    shutil.rmtree(index)
    index.write_bytes(b"a file")


STATES: dict[str, Callable[[Path], object]] = {
    "missing": shutil.rmtree,
    "a file": as_file,
    "no database": lambda index: (index / "rag.db").unlink(),
    "an empty database": lambda index: (index / "rag.db").write_bytes(b""),
    "no database at all": lambda index: (index / "rag.db").write_bytes(b"no database " * 1000),
    "a cut database": lambda index: (index / "rag.db").write_bytes((index / "rag.db").read_bytes()[:9000]),
    "a damaged database": flip,
    "a later format": meta(format_version=99),
    "an older format": meta(format_version=1),
    "a format without a number": meta(format_version="four"),
    "no format": sql("DELETE FROM meta WHERE key = 'format_version'"),
    "no settings": sql("DELETE FROM meta WHERE key = 'settings'"),
    "no embedder": sql("DELETE FROM meta WHERE key = 'embedder'"),
    "no dimension": sql("DELETE FROM meta WHERE key = 'dimension'"),
    "a dimension without a number": meta(dimension="many"),
    "no store id": sql("DELETE FROM meta WHERE key = 'store_id'"),
    "no history": sql("DELETE FROM meta WHERE key = 'history_from'"),
    "garbled records": sql("UPDATE meta SET value = '{' || value"),
    "settings without names": meta(settings=["chunking.size"]),
    "other settings": meta(settings={"chunking.size": 1}),
    "no texts": sql("DELETE FROM texts"),
    "no vectors": sql("DELETE FROM vectors"),
    "no chunks": sql("DELETE FROM chunks"),
    "no commits": sql("DELETE FROM commits"),
    "garbled headings": sql("UPDATE chunks SET headings = 'x'", "UPDATE sections SET headings = 'x'"),
    "no table of vectors": sql("DROP TABLE vectors"),
    "garbled history": sql("UPDATE retired SET record = x'00'"),
    "locked": lambda _: None,
}
COMMANDS: dict[str, tuple[str, ...]] = {
    "ingest": ("ingest", "docs"),
    "ingest --dry-run": ("ingest", "docs", "--dry-run"),
    "ingest --retry-failed": ("ingest", "--retry-failed"),
    "search": ("search", "How much oil?"),
    "ask": ("ask", "How much oil does the lantern burn?"),
    "search --filter": ("search", "How much oil?", "--filter", "source=docs"),
    "why": ("why", "How much oil?", "--expect", "docs/note1.md"),
    "doctor": ("doctor",),
    "documents list": ("documents", "list"),
    "documents list --duplicates": ("documents", "list", "--duplicates"),
    "documents show": ("documents", "show", "docs/note1.md", "--chunks"),
    "documents list --versions": ("documents", "list", "--versions"),
    "documents text": ("documents", "text", "docs/note1.md"),
    "documents rm": ("documents", "rm", "docs/note1.md"),
    "documents rm none": ("documents", "rm", "nothing"),
    "index info": ("index", "info"),
    "index verify": ("index", "verify", "--deep"),
    "index verify --repair": ("index", "verify", "--repair"),
    "index reembed": ("index", "reembed"),
    "index compact": ("index", "compact"),
    "index snapshot": ("index", "snapshot", "copy"),
    "index restore": ("index", "restore", "snapshot"),
    "index restore --force": ("index", "restore", "snapshot", "--force"),
    "index rollback": ("index", "rollback"),
    "another index type": ("search", "oil", "--set", "index.dense.type=hnsw"),
    "a GPU that is missing": ("search", "oil", "--set", "index.dense.gpu=replicate"),
}
CODES = (0, 1, 4, 5, 7, 75)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with documents, an index with a run for each, and a snapshot of it."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "docs").mkdir()
    index = ("--index", str(folder / ".rag"), "--config", "test")
    for number in range(6):  # one more run than can be undone
        (folder / "docs" / f"note{number}.md").write_text(TEXT.format(number), encoding="utf-8")
        assert main(["ingest", str(folder / "docs"), *index]) == 0
    assert main(["index", "snapshot", str(folder / "snapshot"), "--index", str(folder / ".rag")]) == 0
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_no_connection_stays_open(
    command: str, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAG_CONFIG", "test")
    wrong = []
    for state, change in STATES.items():
        work = tmp_path / state
        shutil.copytree(prepared, work)
        (work / "docs" / "note2.md").write_text(TEXT.format(22), encoding="utf-8")
        change(work / ".rag")
        monkeypatch.chdir(work)
        OPENED.clear()
        with writer_lock(work / ".rag", "a test") if state == "locked" else nullcontext():
            try:
                code = main(COMMANDS[command])
            except Exception as error:  # noqa: BLE001 - whatever would be a traceback
                wrong.append(f"{state}: {error!r}")
            else:
                wrong += [] if code in CODES else [f"{state}: exit code {code}: {capsys.readouterr().err}"]
        if left := still_open():
            wrong.append(f"{state}: {len(left)} open")
    assert wrong == []
