"""Everything wrong that a user can hand over: an exit code, one sentence, one remedy, and never a traceback.

An exception that a command does not translate leaves ``main`` and fails the test by itself.
"""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest
from cli_runner import PROCESS, Rag, Ran, environment, error_of, process
from fpdf import FPDF

from indexes.lock import writer_lock

READERS = [("search", "horn"), ("ask", "horn"), ("index", "info"), ("index", "verify")]
WRITERS = [("ingest", "docs"), ("index", "reembed")]
EVERY = READERS + WRITERS
IDS = " ".join
needs_dev_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")


def usage_of(ran: Ran) -> str:
    """Assert that stderr is a usage message that points to the help; return it on one line."""
    assert ran.code == 2
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert "--help' for help." in ran.err
    return " ".join(ran.err.split())


def failed_of(ran: Ran) -> str:
    """Assert that some files failed and stderr is one line about one of them; return that line."""
    assert ran.code == 7
    assert "Traceback" not in ran.out + ran.err
    [line] = ran.err.splitlines()
    assert line.startswith("failed: ")
    assert "; " in line  # what happened; what to do
    return line


def edit(folder: Path, statement: str, *values: object) -> None:
    """Change the database behind the program's back."""
    connection = sqlite3.connect(folder / ".rag" / "rag.db")
    with connection:
        connection.execute(statement, values)
    connection.close()


def set_recorded(folder: Path, **recorded: object) -> None:
    connection = sqlite3.connect(folder / ".rag" / "rag.db")
    settings = json.loads(connection.execute("SELECT value FROM meta WHERE key = 'settings'").fetchone()[0])
    connection.close()
    settings |= {name.replace("__", "."): value for name, value in recorded.items()}
    edit(folder, "UPDATE meta SET value = ? WHERE key = 'settings'", json.dumps(settings))


@contextmanager
def permissions(path: Path, mode: int) -> Iterator[None]:
    """Change a path's permissions for a while."""
    before = path.stat().st_mode
    path.chmod(mode)
    try:
        yield
    finally:
        path.chmod(before)


# Paths ------------------------------------------------------------------------------------------------------


def test_a_missing_path(work: Path, rag: Rag) -> None:
    ran = rag("ingest", "nowhere")
    assert ran.code == 1
    assert error_of(ran)[0] == "nowhere does not exist"
    assert not (work / ".rag").exists()


def test_a_dangling_link(work: Path, rag: Rag) -> None:
    (work / "gone.txt").symlink_to(work / "nowhere.txt")
    ran = rag("ingest", "gone.txt")
    assert ran.code == 1
    assert "gone.txt" in error_of(ran)[0]


def test_a_dangling_link_in_a_folder_is_named_by_its_own_name(corpus: Path, rag: Rag) -> None:
    (corpus / "docs" / "gone.txt").symlink_to("/nowhere/else.md")
    ran = rag("ingest", "docs")
    assert ran.out.startswith("3 added")
    assert failed_of(ran).startswith("failed: docs/gone.txt: ")


def test_an_empty_folder(work: Path, rag: Rag) -> None:
    (work / "empty").mkdir()
    ran = rag("ingest", "empty")
    assert ran.code == 1
    sentence, remedy = error_of(ran)
    assert sentence == "there is no document in empty"
    assert ".md" in remedy


@pytest.mark.parametrize("arguments", [("",), ("docs", ""), ("docs", "--index", "")])
def test_an_empty_path_is_not_the_current_folder(corpus: Path, rag: Rag, arguments: tuple[str, ...]) -> None:
    ran = rag("ingest", *arguments)
    assert ran.code == 2
    assert error_of(ran) == ("a path is empty", "name a path; the current folder is .")
    assert not (corpus / ".rag").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((".rag",), ".rag is an index folder"),
        (("docs", ".rag/lexical"), ".rag/lexical belongs to an index folder"),
        ((".rag/rag.db", "--index", "other"), ".rag/rag.db belongs to an index folder"),
        (("docs", "--index", "docs"), "docs is an index folder"),
    ],
)
def test_the_files_of_an_index_are_no_documents(
    indexed: Path, rag: Rag, arguments: tuple[str, ...], sentence: str
) -> None:
    ran = rag("ingest", *arguments)
    assert ran.code == 1
    assert error_of(ran)[0] == sentence
    assert not (indexed / "other").exists()
    assert not (indexed / "docs" / "rag.db").exists()


@pytest.mark.skipif(os.name != "posix", reason="names are bytes only on POSIX")
def test_an_index_folder_whose_name_is_not_utf8(corpus: Path, rag: Rag) -> None:
    name = os.fsdecode(b"in\xff\xfe")
    ran = rag("ingest", "docs", "--index", name)
    assert ran.code == 1
    assert error_of(ran) == (
        r"the name of the index folder in\xff\xfe is not valid UTF-8",
        "name another folder with --index",
    )
    assert not (corpus / name).exists()


@pytest.mark.parametrize("arguments", [("ingest", "docs"), ("ingest", "docs", "--dry-run"), ("search", "horn")])
def test_the_database_of_another_program(corpus: Path, rag: Rag, arguments: tuple[str, ...]) -> None:
    (corpus / ".rag").mkdir()
    edit(corpus, "CREATE TABLE songs (title)")
    before = (corpus / ".rag" / "rag.db").read_bytes()
    ran = rag(*arguments)
    assert ran.code == 1
    assert error_of(ran) == (".rag/rag.db is the database of another program", "name another folder with --index")
    assert (corpus / ".rag" / "rag.db").read_bytes() == before
    assert [file.name for file in (corpus / ".rag").iterdir()] == ["rag.db"]


def test_an_unreadable_file_in_a_folder(corpus: Path, unprivileged: list[str]) -> None:
    with permissions(corpus / "docs" / "horn.txt", 0):
        ran = process("ingest", "docs", prefix=unprivileged)
    assert ran.out.startswith("2 added, 0 changed, 0 unchanged, 1 failed")
    assert failed_of(ran) == "failed: docs/horn.txt: it cannot be read: Permission denied; check its permissions"


def test_an_unreadable_file_named_itself(corpus: Path, unprivileged: list[str]) -> None:
    with permissions(corpus / "docs" / "horn.txt", 0):
        ran = process("ingest", "docs/horn.txt", "docs/lantern.md", prefix=unprivileged)
    assert ran.out.startswith("1 added, 0 changed, 0 unchanged, 1 failed")
    assert "docs/horn.txt" in failed_of(ran)


@pytest.mark.slow
def test_an_unreadable_folder(corpus: Path, unprivileged: list[str]) -> None:
    (corpus / "docs" / "sealed").mkdir()
    with permissions(corpus / "docs" / "sealed", 0):
        ran = process("ingest", "docs", prefix=unprivileged)
        named = process("ingest", "docs/sealed", prefix=unprivileged)
    assert ran.code == 7
    assert ran.out.startswith("3 added, 0 changed, 0 unchanged, 1 failed")
    told = "failed: docs/sealed: the folder cannot be read: Permission denied; check its permissions"
    assert failed_of(ran) == told
    assert named.code == 1
    assert error_of(named) == ("docs/sealed cannot be read: Permission denied", "check its permissions")


# Files ------------------------------------------------------------------------------------------------------


def encrypted() -> bytes:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("helvetica", size=12)
    pdf.cell(text="nobody reads this")
    pdf.set_encryption(owner_password="owner", user_password="user")
    return bytes(pdf.output())


def scanned() -> bytes:
    pdf = FPDF()
    pdf.add_page()
    return bytes(pdf.output())


BAD_FILES: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "zero bytes": ("bad.txt", bytes, "the file is empty; fill it or remove it"),
    "white space": ("bad.md", lambda: b" \n\t\n", "the file is empty; fill it or remove it"),
    "binary": (
        "bad.txt",
        lambda: bytes(range(256)) * 8,
        "the file is binary and of no known format, although its name ends in .txt; convert it to text or PDF",
    ),
    "binary PDF": (
        "bad.pdf",
        lambda: bytes(range(256)) * 8,
        "the file is binary and of no known format, although its name ends in .pdf; export or download it again",
    ),
    "encrypted PDF": ("bad.pdf", encrypted, "the PDF needs a password; save a copy without one"),
    "broken PDF": ("bad.pdf", lambda: b"%PDF-1.7\nand then nothing", "the PDF cannot be opened"),
    "PDF without text": ("bad.pdf", scanned, "its only page has no text; export it again with its text"),
    "HTML without text": ("bad.html", lambda: b"<html><script>x</script></html>", "the file contains no text"),
}


@pytest.mark.parametrize(("name", "content", "told"), BAD_FILES.values(), ids=BAD_FILES)
def test_one_bad_file_fails_and_the_others_go_on(
    corpus: Path, rag: Rag, name: str, content: Callable[[], bytes], told: str
) -> None:
    (corpus / "docs" / name).write_bytes(content())
    ran = rag("ingest", "docs")
    assert ran.out.startswith("3 added, 0 changed, 0 unchanged, 1 failed · 6 chunks")
    line = failed_of(ran)
    assert line.startswith(f"failed: docs/{name}: ")
    assert told in line
    assert "docs/lantern.md" in rag("search", "lantern").out
    assert line in rag("index", "info").out


def test_a_file_that_went_bad_answers_from_its_last_good_version(indexed: Path, rag: Rag) -> None:
    (indexed / "docs" / "horn.txt").write_bytes(b"")
    ran = rag("ingest", "docs")
    assert failed_of(ran).startswith("failed: docs/horn.txt: the file is empty")
    assert "four seconds" in rag("search", "How long does the fog horn sound?", "-k", "1").out
    assert "stale: docs/horn.txt" in rag("index", "info").out


# The index folder -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [*READERS, ("index", "verify", "--repair"), ("index", "reembed")], ids=IDS)
def test_no_index_yet(work: Path, rag: Rag, arguments: tuple[str, ...]) -> None:
    ran = rag(*arguments, "--index", "nowhere")
    assert ran.code == 4
    assert error_of(ran) == (
        "there is no index in nowhere",
        "run `rag ingest PATH` first, or name another folder with --index",
    )
    assert not Path("nowhere").exists()


def test_no_index_is_said_before_a_model_is_looked_for(work: Path, rag: Rag) -> None:
    missing = ("--set", "embedding.model=nobody/nothing", "--set", "generator.model=nobody/nothing")
    assert rag("search", "horn", *missing).code == 4
    assert rag("ask", "horn", *missing).code == 4


@pytest.mark.parametrize("arguments", EVERY, ids=IDS)
def test_an_index_path_that_is_a_file(corpus: Path, rag: Rag, arguments: tuple[str, ...]) -> None:
    (corpus / "taken").write_text("mine", encoding="utf-8")
    ran = rag(*arguments, "--index", "taken")
    assert ran.code == (1 if arguments[0] == "ingest" else 4)
    assert "taken" in error_of(ran)[0]
    assert (corpus / "taken").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("arguments", [("search", "horn"), ("ask", "horn"), ("ingest", "docs")], ids=IDS)
def test_an_index_made_by_another_embedder(indexed: Path, rag: Rag, arguments: tuple[str, ...]) -> None:
    set_recorded(indexed, embedding__model="somebody/else", embedding__fingerprint="else:1")
    edit(indexed, "UPDATE meta SET value = ? WHERE key = 'embedder'", json.dumps("else:1"))
    ran = rag(*arguments)
    assert ran.code == 1
    sentence, remedy = error_of(ran)
    assert "embedding.model is 'somebody/else' there and 'fake' here" in sentence
    assert "`rag index reembed`" in remedy
    assert rag("index", "reembed").code == 0
    assert rag(*arguments).code == 0


@pytest.mark.parametrize("arguments", [("search", "horn"), ("ask", "horn"), ("ingest", "docs")], ids=IDS)
def test_an_index_made_with_other_chunks(indexed: Path, rag: Rag, arguments: tuple[str, ...]) -> None:
    ran = rag(*arguments, "--set", "chunking.size=64")
    assert ran.code == 1
    sentence, remedy = error_of(ran)
    assert sentence.endswith("was built with other settings: chunking.size is 200 there and 64 here")
    assert "`rag index reembed`" in remedy


@pytest.mark.parametrize("arguments", EVERY, ids=IDS)
def test_an_index_of_a_newer_format(indexed: Path, rag: Rag, arguments: tuple[str, ...]) -> None:
    edit(indexed, "UPDATE meta SET value = '99' WHERE key = 'format_version'")
    ran = rag(*arguments)
    assert ran.code == 1
    sentence, remedy = error_of(ran)
    assert "has format 99" in sentence
    assert remedy.startswith("install a newer version")


@pytest.mark.parametrize("arguments", EVERY, ids=IDS)
def test_an_index_of_an_older_format(indexed: Path, rag: Rag, arguments: tuple[str, ...]) -> None:
    edit(indexed, "UPDATE meta SET value = '1' WHERE key = 'format_version'")
    ran = rag(*arguments)
    assert ran.code == 1
    assert error_of(ran)[0] == "the index in .rag has format 1, and this version reads format 6"


GARBAGE: dict[str, Callable[[bytes], bytes]] = {
    "not a database": lambda _: b"garbage " * 1000,
    "cut short": lambda whole: whole[: len(whole) // 2],
}


@pytest.mark.parametrize("spoil", GARBAGE.values(), ids=GARBAGE)
@pytest.mark.parametrize("arguments", EVERY, ids=IDS)
def test_a_database_that_is_garbage(
    indexed: Path, rag: Rag, arguments: tuple[str, ...], spoil: Callable[[bytes], bytes]
) -> None:
    database = indexed / ".rag" / "rag.db"
    database.write_bytes(spoil(database.read_bytes()))
    ran = rag(*arguments)
    assert ran.code == 5
    sentence, remedy = error_of(ran)
    assert "damaged" in sentence
    # The command that was just run is no remedy.
    assert f"`rag {' '.join(arguments)}`" not in remedy


def overwrite_pages(folder: Path) -> None:
    """Overwrite the first page of the documents, the texts and the chunks, and leave the rest whole."""
    database = folder / ".rag" / "rag.db"
    connection = sqlite3.connect(database)
    size = connection.execute("PRAGMA page_size").fetchone()[0]
    tables = "('documents', 'texts', 'chunks')"
    pages = connection.execute(f"SELECT rootpage FROM sqlite_master WHERE name IN {tables}").fetchall()
    connection.close()
    whole = bytearray(database.read_bytes())
    for (page,) in pages:
        whole[(page - 1) * size : page * size] = b"\x5a" * size
    database.write_bytes(whole)


@pytest.mark.parametrize("arguments", [e for e in EVERY if e != ("index", "verify")], ids=IDS)
def test_a_database_whose_pages_are_garbage(indexed: Path, rag: Rag, arguments: tuple[str, ...]) -> None:
    overwrite_pages(indexed)
    ran = rag(*arguments)
    assert ran.code == 5
    error_of(ran)


@pytest.mark.parametrize("repair", [(), ("--repair",)], ids=["check", "repair"])
def test_verify_says_that_the_database_cannot_be_repaired(indexed: Path, rag: Rag, repair: tuple[str, ...]) -> None:
    edit(indexed, "UPDATE texts SET text = text || 'x' WHERE document_id = 1")
    ran = rag("index", "verify", *repair)
    assert ran.code == 5
    assert ran.out == "database: the text of docs/horn.txt does not match its checksum\n"
    assert ran.err.startswith("The database itself is damaged. Restore it with `rag index restore FILE --force`, or ")


def test_settings_that_cannot_be_read(indexed: Path, rag: Rag) -> None:
    edit(indexed, "UPDATE meta SET value = 'no JSON' WHERE key = 'settings'")
    ran = rag("search", "horn")
    assert ran.code == 5
    error_of(ran)


@pytest.mark.parametrize("kind", ["dense", "lexical"])
@pytest.mark.parametrize("damage", ["changed", "cut", "missing", "manifest"])
def test_a_damaged_derived_index_is_found_passed_over_and_repaired(
    indexed: Path, rag: Rag, kind: str, damage: str
) -> None:
    [published] = (indexed / ".rag" / kind).iterdir()
    victim = max((p for p in published.iterdir() if p.name != "manifest.json"), key=lambda p: p.stat().st_size)
    if damage == "changed":
        victim.write_bytes(victim.read_bytes()[:-1] + b"\x5a")
    elif damage == "cut":
        victim.write_bytes(victim.read_bytes()[:10])
    elif damage == "missing":
        victim.unlink()
    else:
        (published / "manifest.json").write_text("{", encoding="utf-8")

    assert "docs/lantern.md" in rag("search", "lantern").out
    ran = rag("index", "verify")
    assert ran.code == 5
    assert ran.out.startswith(f"{kind}: ")
    assert ran.err.count("\n") == 1
    assert "`rag index verify --repair`" in ran.err
    value = rag("index", "verify", "--json")
    assert value.code == 5
    assert value.json["ok"] is False
    assert [problem["repairable"] for problem in value.json["problems"]] == [True]

    ran = rag("index", "verify", "--repair")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("\nrepaired\n")
    assert rag("index", "verify").code == 0


def damage_dense(folder: Path) -> None:
    next((folder / ".rag" / "dense").glob("*/index.faiss")).write_bytes(b"")


@pytest.mark.parametrize(
    "arguments", [("ingest", "docs"), ("index", "reembed"), ("index", "verify", "--repair")], ids=IDS
)
def test_a_second_writer_is_told_who_is_writing(indexed: Path, rag: Rag, arguments: tuple[str, ...]) -> None:
    damage_dense(indexed)
    with writer_lock(indexed / ".rag", "a nightly run"):
        ran = rag(*arguments)
        assert rag("search", "horn").code == 0  # readers need no lock
    assert ran.code == 75
    sentence, remedy = error_of(ran)
    assert f"is being written by a nightly run (process {os.getpid()} on " in sentence
    assert "wait" in remedy
    assert rag(*arguments).code == 0


def test_a_second_process_is_told_which_process_is_writing(indexed: Path) -> None:
    with writer_lock(indexed / ".rag", "a nightly run"):
        ran = process("ingest", "docs")
    assert ran.code == 75
    assert f"(process {os.getpid()} on " in error_of(ran)[0]


def test_the_loser_of_two_first_writers_touches_nothing(corpus: Path, rag: Rag) -> None:
    """Else both create the database, and one of them trips over the other's tables."""
    (corpus / ".rag").mkdir()
    with writer_lock(corpus / ".rag", "a first run"):
        ran = rag("ingest", "docs")
        made = {path.name for path in (corpus / ".rag").iterdir()}
    assert ran.code == 75
    error_of(ran)
    assert "rag.db" not in made


@pytest.mark.parametrize("arguments", [("ask", "horn"), ("index", "info")], ids=IDS)
def test_a_read_only_index_can_be_read(indexed: Path, unprivileged: list[str], arguments: tuple[str, ...]) -> None:
    everything = [indexed / ".rag", *(indexed / ".rag").rglob("*")]
    modes = {path: path.stat().st_mode for path in everything}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    try:
        ran = process(*arguments, prefix=unprivileged)
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    assert "Traceback" not in ran.err
    assert (ran.code, ran.err) == (0, "")
    assert ran.out


def test_a_read_only_index_cannot_be_written(indexed: Path, unprivileged: list[str]) -> None:
    with permissions(indexed / ".rag", 0o555), permissions(indexed / ".rag" / "rag.db", 0o444):
        ran = process("ingest", "docs", prefix=unprivileged)
    assert ran.code == 1
    assert ".rag" in error_of(ran)[0]


# Configuration ----------------------------------------------------------------------------------------------

SETTINGS = {
    "unknown key": ("retrieval.kk=3", "there is no configuration key 'retrieval.kk'", "did you mean retrieval.k?"),
    "unknown part": ("qq.zz=3", "there is no configuration key 'qq.zz'", "rag config show"),
    "part for key": ("retrieval=3", "there is no configuration key 'retrieval'", "did you mean"),
    "no value": ("retrieval.k", "--set 'retrieval.k' is not of the form key=value", "--set retrieval.k=8"),
    "no key": ("=3", "--set '=3' is not of the form key=value", "--set retrieval.k=8"),
    "wrong type": ("retrieval.k=many", "retrieval.k = 'many' (--set)", "rag config show"),
    "empty": ("retrieval.k=", "retrieval.k = None (--set)", "rag config show"),
    "out of range": ("retrieval.k=0", "retrieval.k = 0 (--set)", "rag config show"),
    "not a number": ("retrieval.dense_weight=.nan", "retrieval.dense_weight = nan (--set)", "rag config show"),
    "no choice": ("index.dense.type=tree", "index.dense.type = 'tree' (--set)", "rag config show"),
}  # fmt: skip


@pytest.mark.parametrize(("setting", "told", "remedy"), SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("command", [("config", "show"), ("search", "horn"), ("ingest", "docs")], ids=IDS)
def test_a_wrong_setting(
    corpus: Path, rag: Rag, command: tuple[str, ...], setting: str, told: str, remedy: str
) -> None:
    ran = rag(*command, "--set", setting)
    assert ran.code == 2
    sentence, advice = error_of(ran)
    assert sentence.startswith(told)
    assert remedy in advice


def test_an_unknown_preset(work: Path, rag: Rag) -> None:
    ran = rag("config", "show", "--config", "tset")
    assert ran.code == 2
    sentence, remedy = error_of(ran)
    assert sentence == "there is no preset 'tset'"
    assert "cluster, cpu, gpu, test" in remedy


CONFIG_FILES: dict[str, tuple[bytes | None, str]] = {
    "missing": (None, "mine.yaml"),
    "not UTF-8": (b"retrieval: \xff\xfe", "mine.yaml"),
    "not YAML": (b"retrieval: [k", "mine.yaml is not valid YAML"),
    "a list": (b"- retrieval", "mine.yaml holds a list"),
    "a circle": (b"extends: mine.yaml", "extend each other in a circle"),
    "extends nothing": (b"extends: nobody", "there is no preset 'nobody'"),
    "unknown key": (b"retrieval:\n  kk: 3", "there is no configuration key 'retrieval.kk' (file mine.yaml)"),
    "wrong type": (b"retrieval:\n  k: many", "retrieval.k = 'many' (file mine.yaml)"),
}


@pytest.mark.parametrize(("content", "told"), CONFIG_FILES.values(), ids=CONFIG_FILES)
def test_a_wrong_configuration_file(work: Path, rag: Rag, content: bytes | None, told: str) -> None:
    if content is not None:
        (work / "mine.yaml").write_bytes(content)
    ran = rag("config", "show", "--config", "mine.yaml")
    assert ran.code == 2
    assert told in error_of(ran)[0]


def test_chunks_larger_than_the_embedder_reads(corpus: Path, rag: Rag) -> None:
    ran = rag("ingest", "docs", "--set", "chunking.size=500")
    assert ran.code == 2
    sentence, remedy = error_of(ran)
    assert sentence == "chunking.size is 500, but the embedder reads only 254 tokens"
    assert "chunking.size" in remedy


@pytest.mark.parametrize("overlap", [200, 201])
def test_an_overlap_as_large_as_a_chunk(corpus: Path, rag: Rag, overlap: int) -> None:
    ran = rag("ingest", "docs", "--set", f"chunking.overlap={overlap}")
    assert ran.code == 2
    sentence, remedy = error_of(ran)
    assert sentence == f"chunking.overlap is {overlap} and must be less than chunking.size, 200"
    assert "chunking.overlap" in remedy  # a smaller chunking.size would make it worse


@pytest.mark.parametrize(
    "setting",
    ["index.languages=[english, klingon]", "index.dense.type=pq", "index.dense.type=ivfpq"],
)
def test_an_index_that_cannot_be_built(corpus: Path, rag: Rag, setting: str) -> None:
    """``pq_m`` is 48, which does not divide the fake embedder's 64 dimensions."""
    ran = rag("ingest", "docs", "--set", setting)
    assert ran.code in (1, 2)
    error_of(ran)
    assert not (corpus / ".rag" / "rag.db").exists()  # said before anything is committed


@pytest.mark.parametrize("kind", ["pq", "ivfpq"])
@pytest.mark.parametrize(
    "arguments",
    [("index", "verify"), ("index", "verify", "--repair"), ("index", "reembed"), ("ingest", "docs"), ("search", "x")],
    ids=IDS,
)
def test_a_dense_index_that_cannot_hold_the_vectors(
    indexed: Path, rag: Rag, arguments: tuple[str, ...], kind: str
) -> None:
    damage_dense(indexed)
    before = rag("index", "info", "--json").json
    changed = ["--set", "chunking.size=16", "--set", "chunking.overlap=4"] if "reembed" in arguments else []
    ran = rag(*arguments, "--set", f"index.dense.type={kind}", *changed)
    assert ran.code == 2
    sentence, remedy = error_of(ran)
    assert sentence == "index.dense.pq_m is 48, which does not divide the embedder's dimension, 64"
    assert "index.dense.pq_m=16" in remedy
    after = rag("index", "info", "--json").json
    assert (after["settings"], after["generation"]) == (before["settings"], before["generation"])
    fitting = rag(*arguments, "--set", f"index.dense.type={kind}", "--set", "index.dense.pq_m=16", *changed)
    assert fitting.code in (0, 5), fitting.err
    assert "Traceback" not in fitting.err


@pytest.mark.parametrize("mode", ["replicate", "shard"])
@pytest.mark.parametrize("command", ["search", "ask"])
def test_gpus_are_wanted_and_faiss_has_none(indexed: Path, rag: Rag, command: str, mode: str) -> None:
    ran = rag(command, "horn", "--set", f"index.dense.gpu={mode}")
    if ran.code == 0:
        pytest.skip("this FAISS sees a GPU")
    assert ran.code == 1
    sentence, remedy = error_of(ran)
    assert sentence == f"index.dense.gpu is {mode}, and this FAISS sees no GPU"
    assert "pip install faiss-gpu" in remedy


# Models and endpoints ---------------------------------------------------------------------------------------


def test_a_model_that_is_not_here_while_offline(corpus: Path, rag: Rag, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    ran = rag("ingest", "docs", "--set", "embedding.model=nobody/nothing")
    assert ran.code == 1
    sentence, remedy = error_of(ran)
    assert sentence == "the model nobody/nothing is not on this machine and HF_HUB_OFFLINE is set"
    assert "`hf download nobody/nothing`" in remedy
    assert not (corpus / ".rag").exists()


def test_a_model_folder_without_safetensors(corpus: Path, rag: Rag) -> None:
    (corpus / "model").mkdir()
    (corpus / "model" / "pytorch_model.bin").write_bytes(b"pickle")
    ran = rag("ingest", "docs", "--set", "embedding.model=model")
    assert ran.code == 1
    sentence, remedy = error_of(ran)
    assert sentence == "the model folder model holds no safetensors file"
    assert "pickled weights are never loaded" in remedy


def test_a_model_folder_that_holds_no_model(corpus: Path, rag: Rag) -> None:
    (corpus / "model").mkdir()
    (corpus / "model" / "model.safetensors").write_bytes(b"")
    ran = rag("ingest", "docs", "--set", "embedding.model=./model")
    assert ran.code == 1
    assert "./model" in error_of(ran)[0]


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("bundled:nothing", "there is no bundled model 'bundled:nothing'"),
        ("./nowhere", "the model folder ./nowhere does not exist"),
        ("a/b/c", "'a/b/c' is neither a model folder nor a Hugging Face id"),
    ],
)
def test_a_wrong_model_name(corpus: Path, rag: Rag, model: str, told: str) -> None:
    ran = rag("ingest", "docs", "--set", f"embedding.model={model}")
    assert ran.code == 1
    assert error_of(ran)[0] == told


def test_a_device_that_does_not_exist(corpus: Path, rag: Rag) -> None:
    abacus = ("--set", "embedding.model=bundled:minilm", "--set", "embedding.device=abacus")
    ran = rag("ingest", "docs", *abacus)
    assert ran.code in (1, 2)
    assert "abacus" in error_of(ran)[0]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "no-url"])
def test_a_dead_endpoint(indexed: Path, rag: Rag, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    endpoint = ("generator.type=openai", f"generator.openai.base_url={url}", "generator.openai.retries=0")
    options = [word for setting in endpoint for word in ("--set", setting)]
    ran = rag("ask", "horn", *options)
    assert ran.code == 6
    sentence, remedy = error_of(ran)
    assert sentence.startswith(f"the endpoint {url} cannot be reached")
    assert "vllm serve" in remedy
    doctor = rag("doctor", *options, "--json")
    assert doctor.code == 1
    [finding] = [f for f in doctor.json if f["check"] == "generator"]
    assert (finding["state"], bool(finding["fix"])) == ("fail", True)


# Options ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("search", "horn", "--bogus"), "No such option: --bogus"),
        (("ingest", "docs", "--jsn"), "--json"),
        (("nonsense",), "No such command 'nonsense'"),
        (("index", "nonsense"), "No such command 'nonsense'"),
        (("search",), "Missing argument 'question'"),
        (("search", "horn", "-k", "0"), "Invalid value for '-k'"),
        (("search", "horn", "-k", "many"), "Invalid value for '-k'"),
        (("search", "horn", "foghorn"), "unexpected extra argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_option(work: Path, rag: Rag, arguments: tuple[str, ...], told: str) -> None:
    assert told.lower() in usage_of(rag(*arguments)).lower()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "a QUESTION or a --batch FILE"),
        (("horn", "--batch", "q.jsonl", "--out", "a.jsonl"), "a QUESTION or a --batch FILE"),
        (("--batch", "q.jsonl"), "--batch needs --out, and --out needs --batch"),
        (("horn", "--out", "a.jsonl"), "--batch needs --out, and --out needs --batch"),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, tuple) else "",
)
def test_question_and_batch_in_a_wrong_mixture(indexed: Path, rag: Rag, arguments: tuple[str, ...], told: str) -> None:
    ran = rag("ask", *arguments)
    assert ran.code == 2
    assert told in error_of(ran)[0]


@pytest.mark.parametrize("command", ["search", "ask"])
@pytest.mark.parametrize("text", ["docs/*", "source", "source=", "=docs/*", "page=3", ""])
def test_a_filter_of_a_wrong_form(indexed: Path, rag: Rag, command: str, text: str) -> None:
    ran = rag(command, "horn", "--filter", text)
    assert ran.code == 2
    sentence, remedy = error_of(ran)
    assert sentence.startswith(f"the filter {text!r} is not one of source=NAME, type=TYPE")
    assert "--filter 'source=" in remedy


# Questions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["search", "ask"])
@pytest.mark.parametrize("question", ["", " \t\n "], ids=["nothing", "white space"])
def test_an_empty_question(indexed: Path, rag: Rag, command: str, question: str) -> None:
    ran = rag(command, question)
    assert ran.code == 1
    assert error_of(ran)[0] == "the question is empty"
    assert "rag ask " in error_of(ran)[1]


@pytest.mark.parametrize("command", ["search", "ask"])
def test_a_question_of_a_hundred_thousand_characters(indexed: Path, rag: Rag, command: str) -> None:
    ran = rag(command, "w" * 100_000)
    assert ran.code == 1
    assert error_of(ran)[0] == "the question has 100,000 characters; the maximum is 4,000"


def test_a_question_that_does_not_fit_the_model(indexed: Path, rag: Rag) -> None:
    ran = rag("ask", "horn, " * 600, "--set", "prompt.max_tokens=1000")
    assert ran.code == 1
    sentence, remedy = error_of(ran)
    assert "the model reads 1048 besides its answer" in sentence
    assert "ask a shorter question" in remedy


@pytest.mark.parametrize(
    "arguments", [("search", "caf\udce9"), ("ask", "caf\udce9"), ("search", "horn", "--filter", "source=caf\udce9*")],
    ids=["search", "ask", "filter"],
)  # fmt: skip
def test_an_argument_that_is_not_utf8(indexed: Path, rag: Rag, arguments: tuple[str, ...]) -> None:
    """Python hands undecodable bytes of the command line over as lone surrogates."""
    ran = rag(*arguments)
    assert ran.code in (1, 2)
    error_of(ran)


def test_questions_on_stdin_that_are_not_utf8(indexed: Path, rag: Rag, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9?\n"), encoding="utf-8"))
    ran = rag("ask", "-")
    assert ran.code == 7
    assert "not valid Unicode" in failed_of(ran)


# Batch files ------------------------------------------------------------------------------------------------

BATCH = ("ask", "--batch", "questions.jsonl", "--out", "answers.jsonl")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("no JSON", "not JSON"),
        ('{"query": "horn"}', 'not an object with a "question"'),
        ('["horn"]', 'not an object with a "question"'),
        ('{"question": 7}', 'not an object with a "question"'),
        ('{"question": " "}', "the question is empty"),
        (json.dumps({"question": "w" * 5000}), "the question has 5,000 characters"),
    ],
    ids=["no JSON", "no question", "a list", "a number", "empty", "too long"],
)
def test_a_bad_line_fails_with_its_number_and_the_others_go_on(indexed: Path, rag: Rag, line: str, told: str) -> None:
    good = '{"question": "How long does the fog horn sound?"}'
    Path("questions.jsonl").write_text(f"{good}\n{line}\n{good}\n", encoding="utf-8")
    ran = rag(*BATCH)
    rows = [json.loads(row) for row in Path("answers.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(row["line"], "answer" in row, "error" in row) for row in rows] == [
        (1, True, False),
        (2, False, True),
        (3, True, False),
    ]
    assert told in rows[1]["error"]
    assert ran.code == 7
    assert ran.out == "2 answered, 0 already there, 1 failed · answers.jsonl\n"
    assert ran.err.startswith(f"failed: line 2 of questions.jsonl: {told}")
    assert ran.err.count("\n") == 1
    [failure] = rag(*BATCH, "--json").json["failed"]
    assert failure["line"] == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "questions.jsonl is not a file"),
        (b"", "questions.jsonl holds no question"),
        (b"\n \n", "questions.jsonl holds no question"),
        (b'{"question": "caf\xe9"}', "questions.jsonl is not UTF-8"),
    ],
    ids=["missing", "empty", "blank lines", "not UTF-8"],
)
def test_a_batch_file_that_cannot_be_read(indexed: Path, rag: Rag, content: bytes | None, told: str) -> None:
    if content is not None:
        Path("questions.jsonl").write_bytes(content)
    ran = rag(*BATCH)
    assert ran.code == 1
    assert error_of(ran)[0] == told
    assert not Path("answers.jsonl").exists()


@pytest.mark.parametrize("content", ["my notes\n", '{"mine": 1}\n'], ids=["a text", "other JSON"])
def test_a_foreign_file_is_not_overwritten(indexed: Path, rag: Rag, content: str) -> None:
    Path("questions.jsonl").write_text('{"question": "horn"}\n', encoding="utf-8")
    Path("answers.jsonl").write_text(content, encoding="utf-8")
    ran = rag(*BATCH)
    assert ran.code == 1
    sentence, remedy = error_of(ran)
    assert sentence == "answers.jsonl is not a file of answers and is not overwritten"
    assert "--out" in remedy
    assert Path("answers.jsonl").read_text(encoding="utf-8") == content


def test_a_lint_report_is_not_a_file_of_answers(indexed: Path, rag: Rag) -> None:
    Path("questions.jsonl").write_text('{"question": "horn"}\n', encoding="utf-8")
    report = '{"line": 3, "message": "too long"}\n{"line": 7, "message": "unused"}\n'
    Path("answers.jsonl").write_text(report, encoding="utf-8")
    ran = rag(*BATCH)
    assert ran.code == 1
    assert "is not a file of answers" in error_of(ran)[0]
    assert Path("answers.jsonl").read_text(encoding="utf-8") == report


def test_answers_made_with_another_filter_or_other_documents_are_not_mixed_in(indexed: Path, rag: Rag) -> None:
    Path("questions.jsonl").write_text('{"question": "horn"}\n', encoding="utf-8")
    assert rag(*BATCH).code == 0
    before = Path("answers.jsonl").read_bytes()
    sentence, remedy = error_of(rag(*BATCH, "--filter", "source=*.md"))
    assert "(no filter, now --filter source=*.md)" in sentence
    assert "--out" in remedy
    (indexed / "docs" / "new.txt").write_text("The horn is new.\n", encoding="utf-8")
    assert rag("ingest", "docs").code == 0
    sentence, remedy = error_of(rag(*BATCH))
    assert "(generation 1, now 2)" in sentence
    assert "--out" in remedy
    assert Path("answers.jsonl").read_bytes() == before


def test_the_folder_of_out_is_looked_at_before_models_are_loaded(indexed: Path, rag: Rag) -> None:
    Path("questions.jsonl").write_text('{"question": "horn"}\n', encoding="utf-8")
    ran = rag("ask", "--batch", "questions.jsonl", "--out", "nowhere/a.jsonl", "--set", "embedding.model=./nowhere")
    assert error_of(ran)[0] == "nowhere/a.jsonl cannot be written: there is no folder nowhere"


def test_more_tokens_for_the_answer_than_the_model_reads(indexed: Path, rag: Rag) -> None:
    ran = rag("ask", "horn", "--set", "prompt.max_tokens=5000")
    assert ran.code == 2
    sentence, remedy = error_of(ran)
    assert sentence.startswith("prompt.max_tokens is 5000, and the model reads 2048 tokens")
    assert "prompt.max_tokens" in remedy


@pytest.mark.parametrize(
    "setting",
    ["prompt.temperature=.inf", "retrieval.k=2001-13-45", "retrieval.k=" + "[" * 50_000],
    ids=lambda s: s[:30],
)
def test_a_value_that_yaml_chokes_on(work: Path, rag: Rag, setting: str) -> None:
    ran = rag("config", "show", "--set", setting)
    assert ran.code == 2
    assert error_of(ran)[0].startswith(setting.partition("=")[0])


def test_answers_of_another_configuration_are_not_mixed_in(indexed: Path, rag: Rag) -> None:
    Path("questions.jsonl").write_text('{"question": "horn"}\n', encoding="utf-8")
    assert rag(*BATCH).code == 0
    before = Path("answers.jsonl").read_bytes()
    ran = rag(*BATCH, "--set", "retrieval.k=2")
    assert ran.code == 1
    sentence, remedy = error_of(ran)
    assert "made with another configuration" in sentence
    assert "--out" in remedy
    assert Path("answers.jsonl").read_bytes() == before


@pytest.mark.parametrize("out", ["questions.jsonl", "docs", "nowhere/answers.jsonl"])
def test_an_out_that_cannot_be_written(indexed: Path, rag: Rag, out: str) -> None:
    question = '{"question": "horn"}\n'
    Path("questions.jsonl").write_text(question, encoding="utf-8")
    ran = rag("ask", "--batch", "questions.jsonl", "--out", out)
    assert ran.code == 1
    assert out in error_of(ran)[0]
    assert Path("questions.jsonl").read_text(encoding="utf-8") == question


# Doctor -----------------------------------------------------------------------------------------------------


def forget_vectors(folder: Path) -> None:
    edit(folder, "DELETE FROM vectors")


def make_newer(folder: Path) -> None:
    edit(folder, "UPDATE meta SET value = '99' WHERE key = 'format_version'")


def make_older(folder: Path) -> None:
    edit(folder, "UPDATE meta SET value = '1' WHERE key = 'format_version'")


@pytest.mark.parametrize(
    ("damage", "useless"),
    [
        (overwrite_pages, "make install"),
        (forget_vectors, "--repair"),
        (make_newer, "rag index verify"),
        (make_older, "newer version"),
    ],
    ids=["pages", "vectors", "newer format", "older format"],
)
def test_the_doctor_prescribes_nothing_that_cannot_help(
    indexed: Path, rag: Rag, damage: Callable[[Path], None], useless: str
) -> None:
    damage(indexed)
    ran = rag("doctor", "--json")
    assert ran.code == 1
    [finding] = [f for f in ran.json if f["check"] == "index"]
    assert finding["state"] == "fail"
    assert finding["fix"]
    assert useless not in finding["fix"]


def test_the_doctor_sees_a_repairable_index(indexed: Path, rag: Rag) -> None:
    damage_dense(indexed)
    ran = rag("doctor", "--json")
    assert ran.code == 1
    [finding] = [f for f in ran.json if f["check"] == "index"]
    assert "rag index verify --repair" in finding["fix"]


def test_the_doctor_does_not_take_a_busy_database_for_a_broken_installation(
    indexed: Path, rag: Rag, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexes.store.database.BUSY_TIMEOUT_S", 0.1)
    writer = sqlite3.connect(indexed / ".rag" / "rag.db", isolation_level=None)
    writer.execute("PRAGMA locking_mode = EXCLUSIVE")
    writer.execute("BEGIN EXCLUSIVE")
    ran = rag("doctor", "--json")
    writer.close()
    [finding] = [f for f in ran.json if f["check"] == "index"]
    assert finding == {
        "check": "index",
        "state": "fail",
        "found": "the index's database cannot be used: database is locked",
        "fix": "wait for the other process and try again",
    }


# Output -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("config", "show"), ("config", "show", "--json"), ("ask", "horn")], ids=IDS)
def test_a_closed_stdout(indexed: Path, command: tuple[str, ...]) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *PROCESS, *command],
        capture_output=True, env=environment(), timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert error_of(Ran(done.returncode, "", done.stderr.decode()))[0].startswith("stdout is closed")


@pytest.mark.slow
def test_closed_streams_are_not_taken_for_files(indexed: Path) -> None:
    """The database would get descriptor 1 or 2, and what a library prints would be written into it."""
    for _ in range(2):
        subprocess.run(
            ["sh", "-c", '"$@" <&- >&- 2>&-', "sh", *PROCESS, "ask", "horn"],
            env=environment(), timeout=60, check=False,
        )  # fmt: skip
    assert process("index", "verify").code == 0


WRITES = [("config", "show"), ("config", "show", "--json"), ("--help",), ("--version",), ("ask", "horn")]


def run_into(stdout: BinaryIO, *command: str, limit: int | None = None, stderr: int = subprocess.PIPE) -> Ran:
    """Run a command with this stdout, and files limited to ``limit`` 1024-byte blocks."""
    limited = ["bash", "-c", f'ulimit -f {limit}; exec "$@"', "bash"] if limit is not None else []
    done = subprocess.run(
        [*limited, *PROCESS, *command], stdout=stdout, stderr=stderr, env=environment(), timeout=60, check=False
    )
    return Ran(done.returncode, "", (done.stderr or b"").decode())


@needs_dev_full
@pytest.mark.parametrize("command", WRITES, ids=IDS)
def test_a_full_device_behind_stdout(indexed: Path, command: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = run_into(full, *command)
    assert ran.code == 1
    assert error_of(ran)[0] == "stdout cannot be written: No space left on device"


def test_a_full_disk_behind_stdout(work: Path) -> None:
    """A limit on the size of files stands for the disk."""
    with (work / "out.txt").open("wb") as file:
        ran = run_into(file, "config", "show", limit=1)
    assert ran.code == 1
    assert error_of(ran)[0] == "stdout cannot be written: File too large"
    assert (work / "out.txt").stat().st_size == 1024


@pytest.mark.parametrize("command", WRITES, ids=IDS)
def test_a_closed_pipe_behind_stdout_is_silent(indexed: Path, command: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        ran = run_into(pipe, *command)
    assert (ran.code, ran.err) == (0, "")


@needs_dev_full
@pytest.mark.parametrize(("command", "code"), [(("search", ""), 1), (("config",), 2), (("ask", "horn"), 0)], ids=str)
def test_a_full_device_behind_stderr_does_not_change_the_exit_code(
    indexed: Path, command: tuple[str, ...], code: int
) -> None:
    with Path("/dev/full").open("wb") as full, (indexed / "out.txt").open("wb") as file:
        ran = run_into(file, *command, stderr=full.fileno())
    assert ran.code == code


@pytest.mark.slow
def test_a_full_disk_behind_a_batch(indexed: Path) -> None:
    """The answers that fit stay, and the next run continues."""
    lines = [json.dumps({"question": f"Where does the lantern stand, {n}?"}) for n in range(100)]
    (indexed / "q.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with (indexed / "out.txt").open("wb") as file:
        ran = run_into(file, "ask", "--batch", "q.jsonl", "--out", "a.jsonl", limit=80)
    assert ran.code == 1
    sentence, remedy = error_of(ran)
    assert sentence == "a.jsonl cannot be written: File too large"
    assert "free disk space" in remedy
    assert process("ask", "--batch", "q.jsonl", "--out", "a.jsonl").code == 0
    assert len((indexed / "a.jsonl").read_text(encoding="utf-8").splitlines()) == 100


def test_an_output_encoding_that_lacks_the_characters(work: Path) -> None:
    ran = process("config", "show", "--set", "generator.model=модель", PYTHONIOENCODING="ascii")
    assert "Traceback" not in ran.err
    assert ran.code == 0
    assert "generator.model" in ran.out
