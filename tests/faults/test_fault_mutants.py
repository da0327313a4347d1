"""The harness notices a protocol without its guards. (What it finds in the real one would else mean little.)"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fault_script import STEPS, acknowledged, faults_of, states

from indexes.fail_points import FAIL_POINTS

Server = Callable[..., list[int]]
LAST = len(STEPS)


def faults_under(server: Server, place: Path, mutant: str, settings: list[str]) -> list[str]:
    """Run the mutant into each fault, and on to the end; return what the harness finds."""
    found: list[str] = []
    for number, setting in enumerate(settings):
        folder = place / f"index{number}"
        server({"task": "script", "folder": folder, "fail": setting, "mutant": mutant})
        done = acknowledged(folder)
        found += faults_of(folder, done, min(done + 1, LAST), states())
        [status] = server({"task": "script", "folder": folder, "mutant": mutant})
        found += faults_of(folder, LAST, LAST, states()) if status == 0 else [f"cannot go on: {status}"]
    return found


@pytest.mark.parametrize(
    ("mutant", "settings"),
    [
        ("no transaction", ["commit.document*8", "commit.logged*2"]),
        ("acknowledged too early", ["commit.begun*2", "commit.sealed*3"]),
        ("no tombstones", ["commit.done*3"]),
        ("manifest first", ["publish.made*3", "publish.made*2"]),
    ],
)
def test_a_mutant_is_noticed(server: Server, place: Path, mutant: str, settings: list[str]) -> None:
    assert faults_under(server, place, mutant, settings), f"{mutant} goes unnoticed"


def test_derived_indexes_before_the_commit_are_noticed(server: Server, place: Path) -> None:
    """Killed before the commit, and then a commit of the same number with other content."""
    found = []
    for mutant in ("derived first", ""):
        folder = place / f"index{len(found)}"
        assert server({"task": "script", "folder": folder, "until": 2}) == [0]
        server({"task": "put", "folder": folder, "text": "one text", "mutant": mutant, "fail": "sync.done"})
        assert server({"task": "put", "folder": folder, "text": "another text", "mutant": mutant}) == [0]
        found += server({"task": "check", "folder": folder, "mutant": mutant})
    assert found == [28, 0]


def test_the_same_faults_find_nothing_in_the_real_protocol(server: Server, place: Path) -> None:
    settings = ["commit.document*8", "commit.logged*2", "commit.begun*2", "commit.done*3", "publish.made*3",
                "sync.done*2"]  # fmt: skip
    assert all(setting.partition("*")[0] in FAIL_POINTS for setting in settings)
    assert faults_under(server, place, "", settings) == []


# Waiting for the disk: a kill cannot show it (the system still holds the writes), the order of system calls does.

ONE_STEP = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import fault_script
from fault_mutants import MUTANTS
if sys.argv[3]:
    MUTANTS[sys.argv[3]]()
fault_script.run_script(Path(sys.argv[1]), until=2)
"""


def unsynced_at_acknowledgement(place: Path, mutant: str) -> tuple[set[str], set[str]]:
    """Trace a run. Return what was written and not synced when a step was acknowledged, and when it was renamed."""
    trace = place / "trace"
    calls = "trace=openat,open,close,write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,dup,dup2"
    command = ["strace", "-f", "-y", "-qq", "-e", calls, "-o", str(trace), sys.executable, "-c", ONE_STEP,
               str(place / "index"), str(Path(__file__).parent), mutant]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    dirty: set[str] = set()
    at_acknowledgement: set[str] = set()
    at_rename: set[str] = set()
    for line in trace.read_text(encoding="utf-8", errors="replace").splitlines():
        call = re.match(r"\d+\s+(\w+)\((?:\d+<([^>]*)>)?", line)
        if call is None:
            continue
        name, path = call.group(1), call.group(2) or ""
        if name in ("write", "pwrite64", "writev") and str(place / "index") in path:
            if path.endswith(".acknowledged"):
                at_acknowledgement |= {p for p in dirty if p.endswith(("rag.db", "rag.db-journal"))}
            else:
                dirty.add(path)
        elif name in ("fsync", "fdatasync"):
            dirty.discard(path)
        elif name.startswith("rename") and "/.tmp-" in line:
            folder = re.search(r'"([^"]*/\.tmp-[^"/]*)"', line)
            at_rename |= {p for p in dirty if folder and p.startswith(folder.group(1) + "/")}
    return at_acknowledgement, at_rename


@pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace")
@pytest.mark.parametrize("mutant", ["", "no sync"])
def test_what_is_acknowledged_or_renamed_was_synced_before(tmp_path: Path, mutant: str) -> None:
    at_acknowledgement, at_rename = unsynced_at_acknowledgement(tmp_path, mutant)
    if mutant:
        assert at_acknowledgement
        assert at_rename
    else:
        assert (at_acknowledgement, at_rename) == (set(), set())
