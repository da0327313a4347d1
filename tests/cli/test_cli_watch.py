"""``rag watch`` in a process of its own: syncs, errors, a writer elsewhere, a folder that goes, and Ctrl-C."""

from __future__ import annotations

import queue
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_runner import PROCESS, Rag, environment, error_of

from indexes.lock import writer_lock
from rag.cli.watch import Syncing
from rag.config import load_config
from rag.ingestion.sync import IngestOptions
from rag.knowledge_base import KnowledgeBase

pytestmark = pytest.mark.slow
PATIENCE_S = 30


class Watching:
    """A running watch, and the lines that it prints on both streams."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*PROCESS, "watch", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment(PYTHONUNBUFFERED="1"),
            text=True,
        )
        self.lines: list[str] = []
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line.rstrip("\n"))

    def until(self, words: str) -> str:
        """Return the next line with these words."""
        while True:
            try:
                line = self._queue.get(timeout=PATIENCE_S)
            except queue.Empty:
                raise AssertionError(f"no line with {words!r} after {self.lines}") from None
            self.lines.append(line)
            if words in line:
                return line

    def end(self) -> int:
        """Send Ctrl-C and return the exit code."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture
def watching(corpus: Path) -> Iterator[Watching]:
    """A watch of ``docs``."""
    made = Watching("docs")
    yield made
    if made.process.poll() is None:
        made.end()


def test_a_watch_from_its_start_to_ctrl_c(corpus: Path, watching: Watching, rag: Rag) -> None:
    docs = corpus / "docs"
    watching.until("3 added, 0 changed, 0 unchanged, 0 failed")
    (docs / "~$lantern.docx").write_bytes(b"lock")
    (docs / "new.txt.tmp").write_text("half", encoding="utf-8")
    (docs / "new.txt").write_text("The new buoy is red.\n", encoding="utf-8")
    watching.until("1 added, 0 changed, 3 unchanged, 0 failed")

    (docs / "bad.pdf").write_bytes(b"no pdf at all \x00\x01")
    watching.until("failed: docs/bad.pdf")
    watching.until("0 added, 0 changed, 4 unchanged, 1 failed")
    (docs / "new.txt").write_text("The new buoy is green.\n", encoding="utf-8")
    watching.until("0 added, 1 changed, 3 unchanged, 1 failed")
    (docs / "bad.pdf").unlink()
    (docs / "new.txt").unlink()
    assert "remain" in watching.until("gone. To remove what is gone, use --prune.")

    with writer_lock(corpus / ".rag", "a test"):
        (docs / "late.txt").write_text("The late ferry is blue.\n", encoding="utf-8")
        assert "a test" in watching.until("waiting: ")
    watching.until("1 added, 0 changed")

    shutil.move(docs, corpus / "away")
    assert watching.until("is gone").endswith("docs is gone: its documents stay, and it is waited for")
    shutil.move(corpus / "away", docs)
    watching.until("docs is back")
    (docs / "back.txt").write_text("The ferry is back.\n", encoding="utf-8")
    watching.until("1 added, 0 changed")
    assert watching.end() == 130
    watching.until("interrupted")
    assert not [line for line in watching.lines if "Traceback" in line or "bad.pdf" in line][1:]
    assert rag("index", "verify", "--deep").code == 0
    assert "ferry" in rag("documents", "text", "back.txt").out


def test_what_cannot_be_watched(work: Path, rag: Rag) -> None:
    assert error_of(rag("watch", "nowhere"))[0] == "nowhere does not exist"
    sentence, remedy = error_of(rag("watch", "https://example.com/"))
    assert sentence == "an address of the web cannot be watched"
    assert "rag ingest" in remedy
    assert rag("watch").code == 2


def test_an_empty_folder_is_waited_for_and_files_are_removed_on_request(work: Path) -> None:
    (work / "docs").mkdir()
    watching = Watching("docs", "--prune", "--json")
    try:
        watching.until('"added": 0')
        for name in ("a", "b"):
            (work / "docs" / f"{name}.txt").write_text(f"Lamp {name} is green.\n", encoding="utf-8")
        assert '"added": 2' in watching.until('"added"')
        (work / "docs" / "a.txt").unlink()
        assert '"removed": 1' in watching.until('"added"')
    finally:
        assert watching.end() == 130


def test_a_folder_without_documents_is_said_once(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "docs").mkdir()
    with KnowledgeBase(work / ".rag", load_config("test")) as knowledge_base:
        syncing = Syncing(knowledge_base, [work / "docs", work / "gone"], IngestOptions(), as_json=False)
        for _ in range(3):
            syncing.take(changed=True)
        assert capsys.readouterr().err.count("there is no document in") == 1
        (work / "docs" / "a.txt").write_text("The lamp is green.\n", encoding="utf-8")
        syncing.take(changed=False)
        assert capsys.readouterr().out == ""
        syncing.take(changed=True)
        assert "1 added, 0 changed" in capsys.readouterr().out
