"""Every Python snippet of the documentation runs as it is shown."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from fpdf import FPDF

ROOT = Path(__file__).parents[1]


def snippets(page: str) -> list[str]:
    """Return the Python blocks of a page."""
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a copy of the examples, as the working directory."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_for_python_runs(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for snippet in snippets("docs/python.md"):
        exec(compile(snippet, "docs/python.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "Caspar Thorne" in printed
    assert "ask for extension 288. " in printed and "examples/docs/manuals/field-manual.pdf 3" in printed
    assert "17 hours" in printed
    assert "no-index-here" in printed


def test_the_readme_runs(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "docs").mkdir()
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("helvetica", size=12)
    pdf.multi_cell(0, 8, "Lease of Unit 12. The rent is 2,350 euros a month. It is due on the first day of the month.")
    pdf.output(str(checkout / "docs" / "lease.pdf"))
    (snippet,) = snippets("README.md")
    exec(compile(snippet, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "2,350 euros" in printed
    assert printed.rstrip().endswith("docs/lease.pdf 1")
