"""A working folder, a small corpus, an index of it made once, and the ``rag`` command called in this process."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cli_runner import Rag, Ran
from fpdf import FPDF
from training_samples import tiny_encoder

from rag.cli.main import main

LANTERN = """\
# Lantern handbook

The lantern stands on the north pier.

## Cleaning

Wipe the lantern glass with vinegar every Friday.

## Fuel

The lantern burns twelve litres of rapeseed oil in a week.
"""
HORN = "The fog horn sounds for four seconds.\nIts compressor was built in Narvik.\n"
PUMP = ("The pump house is painted yellow.", "The spare key of the pump house hangs behind the third shelf.")


@pytest.fixture(scope="session", autouse=True)
def library_logs() -> None:
    """Load transformers' logging before any command runs: it keeps the stderr of the moment it is first imported."""
    import transformers.utils.logging  # noqa: F401


def write_corpus(folder: Path) -> None:
    """Write a Markdown, a text and a two-page PDF document."""
    folder.mkdir()
    (folder / "lantern.md").write_text(LANTERN, encoding="utf-8")
    (folder / "horn.txt").write_text(HORN, encoding="utf-8")
    pdf = FPDF()
    pdf.set_font("helvetica", size=12)
    for page in PUMP:
        pdf.add_page()
        pdf.cell(text=page)
    pdf.output(str(folder / "pump.pdf"))


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny encoder without trained weights."""
    return tiny_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``docs`` and its index ``.rag``; sources are relative, so it can be copied."""
    folder = tmp_path_factory.mktemp("prepared")
    write_corpus(folder / "docs")
    assert main(["ingest", str(folder / "docs"), "--index", str(folder / ".rag"), "--config", "test"]) == 0
    return folder


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder; the configuration without models; help texts in one width, without colours."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAG_CONFIG", "test")
    monkeypatch.delenv("RAG_INDEX", raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


@pytest.fixture
def corpus(work: Path) -> Path:
    """The working folder with ``docs``, not yet ingested."""
    write_corpus(work / "docs")
    return work


@pytest.fixture
def indexed(work: Path, prepared: Path) -> Path:
    """The working folder with ``docs`` and its index."""
    shutil.copytree(prepared, work, dirs_exist_ok=True)
    return work


@pytest.fixture
def rag(work: Path, capsys: pytest.CaptureFixture[str]) -> Rag:
    """Run one command in this process."""

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def unprivileged(tmp_path: Path) -> list[str]:
    """The beginning of a command line that makes permissions count, for root too."""
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    if prefix and not shutil.which("setpriv"):
        pytest.skip("root may read everything, and there is no setpriv to give that up")

    def works(*command: str) -> bool:
        return subprocess.run([*prefix, *command], capture_output=True, check=False).returncode == 0

    sealed = tmp_path / "sealed.probe"
    sealed.write_text("", encoding="utf-8")
    sealed.chmod(0)
    if not works("true") or works("cat", str(sealed)):
        pytest.skip("permissions do not count here")
    sealed.unlink()
    return prefix
