"""Terminals and signals: no document drives the terminal, a closed pipe is no error, Ctrl-C loses nothing."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
import unicodedata
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from cli_runner import PROCESS, Rag, environment

from rag.cli.main import main

ESCAPES = {
    "colour": "\x1b[31m",
    "title": "\x1b]0;owned\x07",
    "backspace": "\x08\x08\x08",
    "bell": "\x07",
    "C1 colour": "\x9b31m",
    "delete": "\x7f",
    "right to left": "\u202e",
}
DOCUMENT = "The fog horn {} sounds for four seconds.\n"
QUESTION = "How long does the fog horn sound?"


def driving(text: str) -> set[str]:
    """Return the names of the characters in a text that can drive a terminal; new lines are as wanted."""
    return {
        f"U+{ord(c):04X}"
        for c in text
        if c != "\n" and (unicodedata.category(c) == "Cc" or unicodedata.bidirectional(c) in ("RLO", "LRO"))
    }


@pytest.fixture
def hostile(work: Path, rag: Rag) -> Path:
    """An index of documents with every escape in the text; the last one has them in its name and heading too."""
    (work / "docs").mkdir()
    for number, escape in enumerate(ESCAPES.values()):
        (work / "docs" / f"horn-{number}.txt").write_text(DOCUMENT.format(escape), encoding="utf-8")
    every = "".join(ESCAPES.values())
    marked = f"# Fog {every} horn\n\n{DOCUMENT.format(every)}"
    (work / "docs" / f"horn-{every}.md").write_text(marked, encoding="utf-8")
    assert rag("ingest", "docs").out.startswith(f"{len(ESCAPES) + 1} added")
    return work


@pytest.mark.parametrize("json_", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize("command", ["search", "ask"])
def test_documents_do_not_drive_the_terminal(hostile: Path, rag: Rag, command: str, json_: tuple[str, ...]) -> None:
    ran = rag(command, QUESTION, "--set", "retrieval.k=20", "--set", "prompt.context_tokens=1000", *json_)
    assert ran.code == 0
    assert "docs/horn-" in ran.out
    assert driving(ran.out) | driving(ran.err) == set()


def test_json_still_carries_the_characters(hostile: Path, rag: Rag) -> None:
    texts = "".join(p["text"] for p in rag("search", QUESTION, "-k", "20", "--json").json["passages"])
    assert all(escape in texts for escape in ESCAPES.values())


@pytest.mark.parametrize("json_", [(), ("--json",)], ids=["text", "json"])
def test_names_of_failed_files_do_not_drive_the_terminal(work: Path, rag: Rag, json_: tuple[str, ...]) -> None:
    (work / "docs").mkdir()
    (work / "docs" / f"horn-{''.join(ESCAPES.values())}.txt").touch()
    for ran in (rag("ingest", "docs", *json_), rag("index", "info", *json_)):
        assert "the file is empty" in ran.out + ran.err
        assert driving(ran.out) | driving(ran.err) == set()


@pytest.mark.parametrize("told", ["set", "question", "path"])
def test_arguments_do_not_drive_the_terminal(work: Path, rag: Rag, told: str) -> None:
    """A script may hand on what it was given by somebody else."""
    escape = "\x1b[31m\x9b31m"
    arguments = {
        "set": ("config", "show", "--set", f"{escape}=1"),
        "question": ("search", "horn", "--filter", escape),
        "path": ("ingest", f"nowhere-{escape}"),
    }[told]
    ran = rag(*arguments)
    assert ran.err.startswith("error: ")
    assert driving(ran.err) == set()


def test_a_file_name_cannot_forge_a_line(work: Path, rag: Rag) -> None:
    (work / "docs").mkdir()
    (work / "docs" / "a\nerror: all is lost.txt").touch()
    (work / "docs" / "b\nSources.txt").write_text(DOCUMENT.format(""), encoding="utf-8")
    assert rag("ingest", "docs").err.count("\n") == 1
    lines = rag("ask", QUESTION).out.splitlines()
    assert lines.count("Sources") == 1
    assert "Sources.txt" not in lines


def test_without_a_terminal_there_are_no_escapes(work: Path) -> None:
    environment_ = environment(TERM="xterm-256color")
    for name in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS"):  # each forces colours, also into a pipe
        environment_.pop(name, None)
    done = subprocess.run([*PROCESS, "--help"], capture_output=True, env=environment_, timeout=60, check=True)
    assert b"Usage" in done.stdout
    assert b"\x1b" not in done.stdout + done.stderr


# Pipes ------------------------------------------------------------------------------------------------------


def test_a_reader_that_is_gone_at_once_is_no_error(work: Path) -> None:
    worker = subprocess.Popen(
        [*PROCESS, "config", "show"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    assert worker.stdout is not None
    worker.stdout.close()
    _, err = worker.communicate(timeout=60)
    assert err == b""
    assert worker.returncode == 0


def test_a_reader_that_wants_one_line_is_no_error(indexed: Path) -> None:
    """The second question is handed over only when the pipe is closed, so there is something left to write."""
    worker = subprocess.Popen(
        [*PROCESS, "ask", "-", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(),
    )  # fmt: skip
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(QUESTION.encode() + b"\n")
    worker.stdin.flush()
    assert json.loads(worker.stdout.readline())["question"] == QUESTION
    worker.stdout.close()
    _, err = worker.communicate(QUESTION.encode() + b"\n", timeout=60)
    assert err == b""
    assert worker.returncode == 0


# Interruption -----------------------------------------------------------------------------------------------

FILES = 800  # about three commits; after the first, seconds of work are left
FIRST_COMMIT_WITHIN_S = 60


@dataclass(frozen=True)
class Interrupted:
    folder: Path
    code: int
    out: str
    err: str
    commits: int


def commits(index: Path) -> int:
    """Count the commits in a database that another process is writing."""
    try:
        with closing(sqlite3.connect(f"file:{index / 'rag.db'}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM commits").fetchone()[0])
    except sqlite3.OperationalError:  # not made yet, or locked at this moment
        return 0


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Interrupted:
    """A process that ingests many files and gets SIGINT once it has committed."""
    folder = tmp_path_factory.mktemp("interrupted")
    (folder / "docs").mkdir()
    for number in range(FILES):
        (folder / "docs" / f"{number}.txt").write_text(f"Horn {number} sounds.\n" * 20, encoding="utf-8")
    worker = subprocess.Popen(
        [*PROCESS, "ingest", "docs"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
        text=True,
    )  # fmt: skip
    deadline = time.monotonic() + FIRST_COMMIT_WITHIN_S
    while not commits(folder / ".rag") and worker.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    worker.send_signal(signal.SIGINT)
    out, err = worker.communicate(timeout=60)
    return Interrupted(folder, worker.returncode, out, err, commits(folder / ".rag"))


def test_an_interruption_has_its_own_exit_code_and_no_traceback(interrupted: Interrupted) -> None:
    assert 0 < interrupted.commits < 4, "it was not interrupted between two commits"
    assert interrupted.code == 130
    assert interrupted.out == ""
    assert "Traceback" not in interrupted.err


def test_an_interruption_says_that_nothing_is_lost(interrupted: Interrupted) -> None:
    [line] = interrupted.err.splitlines()
    assert "interrupted" in line
    assert "run the same command again to continue" in line


def test_the_next_run_goes_on_where_the_interrupted_one_was(
    interrupted: Interrupted, rag: Rag, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(interrupted.folder)
    value = rag("ingest", "docs", "--json").json
    assert value["unchanged"] >= 100
    assert value["added"] > 0
    assert value["added"] + value["unchanged"] == FILES
    assert rag("index", "verify").code == 0
    assert rag("index", "info", "--json").json["counts"]["ready"] == FILES


@pytest.mark.parametrize("module", ["rag.cli.main", "rag.cli.config"])
def test_an_interruption_while_modules_load_has_no_traceback(work: Path, tmp_path: Path, module: str) -> None:
    """The program that parses the arguments and the module of the command itself are both loaded late."""
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "sitecustomize.py").write_text(
        "import sys, time\n"
        "class Slow:\n"
        "    def find_spec(self, name, *rest):\n"
        f"        if name == {module!r}:\n"
        "            print('importing', flush=True)\n"
        "            time.sleep(60)\n"
        "sys.meta_path.insert(0, Slow())\n",
        encoding="utf-8",
    )
    with subprocess.Popen(
        [*PROCESS, "config", "show"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(PYTHONPATH=str(tmp_path / "slow")),
    ) as worker:  # fmt: skip
        assert worker.stdout is not None
        assert worker.stdout.readline() == "importing\n"
        worker.send_signal(signal.SIGINT)
        _, err = worker.communicate(timeout=60)
    assert (worker.returncode, err) == (130, "interrupted\n")


def test_the_package_is_a_command(work: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rag", "--version"], capture_output=True, env=environment(), timeout=60, check=True
    )
    assert done.stdout.startswith(b"rag ")


@pytest.mark.parametrize(
    ("words", "goes_on"),
    [
        (["ingest", "docs"], True),
        (["ask", "--batch", "q.jsonl", "--out", "a.jsonl"], True),
        (["ask", "--batch=q.jsonl", "--out=a.jsonl"], True),
        (["ask", "ingest"], False),
        (["ask", "-"], False),
        (["search", "horn"], False),
        (["index", "reembed"], True),
        (["index", "verify"], False),
        (["eval", "run", "squad"], True),
        (["eval", "squad", "--limit", "9"], True),
        (["eval", "compare"], False),
        ([], False),
    ],
    ids=str,
)
def test_only_what_goes_on_says_so_when_it_is_interrupted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], goes_on: bool
) -> None:
    def interrupted(**_: object) -> None:
        raise SystemExit(130)

    monkeypatch.setattr("rag.cli.main.app", interrupted)
    assert main(words) == 130
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("interrupted")
    assert ("run the same command again to continue" in line) == goes_on


@pytest.mark.parametrize(("generator", "told"), [("fake", ""), ("vllm", "starting the models (about 20 s")])
def test_a_long_wait_is_told_where_there_is_no_terminal(indexed: Path, rag: Rag, generator: str, told: str) -> None:
    missing = ("--set", "generator.model=./nowhere", "--set", f"generator.type={generator}")
    err = rag("ask", QUESTION, *missing).err
    assert err.startswith(told)
    assert err.count("starting the models") == bool(told)
