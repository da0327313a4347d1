"""The ``rag`` command itself, in processes of its own: killed, interrupted, refused by the disk, and two at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Whoever started the tests may ignore SIGINT, and a child would inherit that.
COMMAND = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\nfrom rag.__main__ import run; run()",
]
COUNT = 12


def start(folder: Path, *arguments: str, fail: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=os.environ | {"RAG_CONFIG": "test", "RAG_FAIL_AT": fail, "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def rag(folder: Path, *arguments: str, fail: str = "") -> tuple[int, str, str]:
    process = start(folder, *arguments, fail=fail)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    for number in range(COUNT):
        text = f"# Note {number}\n\nThe lantern on quay {number} burns {number} litres of oil.\n"
        (tmp_path / "docs" / f"note{number}.md").write_text(text, encoding="utf-8")
    return tmp_path


MORE = "interrupted; run the same command again to continue"
ENDINGS = [
    ("vectors.one*5=kill", -9, ""),
    ("commit.done=kill", -9, ""),
    ("publish.filled*2=kill", -9, ""),
    ("commit.document*3=interrupt", 130, MORE),
    ("commit.document*3=terminate", -15, ""),
    ("commit.sealed=full", 1, "No space left on device"),
    ("publish.manifest=full", 1, "No space left on device"),
]


@pytest.mark.parametrize(
    ("fail", "code", "told"),
    [
        ("commit.document*7=kill", -9, ""),
        ("publish.renamed=interrupt", 130, MORE),
        *(pytest.param(*ending, marks=pytest.mark.torture) for ending in ENDINGS),
    ],
)
def test_a_run_that_ends_early_is_finished_by_the_next(corpus: Path, fail: str, code: int, told: str) -> None:
    found = rag(corpus, "ingest", "docs", fail=fail)
    assert found[0] == code, found
    assert told in found[2]
    assert "Traceback" not in found[2]
    code, out, err = rag(corpus, "ingest", "docs", "--json")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert report["added"] + report["unchanged"] == COUNT
    if fail.startswith(("commit", "publish")):
        assert report["embedded"] == 0, "what was embedded before is not embedded again"
    assert rag(corpus, "index", "verify", "--deep")[0] == 0
    code, out, _ = rag(corpus, "search", "How much oil does the lantern on quay 7 burn?", "-k", "1", "--json")
    assert json.loads(out)["passages"][0]["source"] == "docs/note7.md"


def test_a_misspelt_fail_point_stops_everything(corpus: Path) -> None:
    code, _, err = rag(corpus, "ingest", "docs", fail="no.such.place")
    assert code != 0
    assert "names no place" in err


def two_at_once(corpus: Path) -> list[int]:
    (corpus / "docs" / "note0.md").write_text(f"# Note\n\n{os.urandom(8).hex()}\n", encoding="utf-8")
    both = [start(corpus, "ingest", "docs") for _ in range(2)]
    codes = []
    for process in both:
        _, err = process.communicate(timeout=120)
        codes.append(process.returncode)
        assert process.returncode in (0, 75), err
        if process.returncode == 75:
            assert "is being written by" in err
            assert "wait until it is done" in err
    assert 0 in codes
    assert rag(corpus, "index", "verify", "--deep")[0] == 0
    return codes


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_two_commands_at_once_ten_times(corpus: Path) -> None:
    for _ in range(10):
        two_at_once(corpus)
