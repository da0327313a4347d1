"""The examples of CONTRIBUTING.md work: each adds a member to a table of the code, and the product accepts it."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import streamlit as st
import typer
from rag_project import Project
from streamlit.testing.v1 import AppTest

import ui.app
import ui.i18n
from eval import evaluate, load_dataset
from rag.cli.main import COMMANDS, Command, main
from rag.cli.options import IndexFolder
from rag.config import load_config
from rag.factory import make_generator
from rag.ingestion.loaders import load_bytes, sniff
from rag.ingestion.loaders.text import load_text
from ui.settings import UiSettings

PAGE = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"^### ((?:Add|Change) .+)$", PAGE, re.MULTILINE)
MOST_FILES = 3


def section(title: str) -> str:
    return re.split(r"\n##+ ", PAGE.split(f"### {title}\n")[1])[0]


def example(title: str) -> str:
    """Return the Python of a section."""
    return "\n\n\n".join(re.findall(r"```python\n(.*?)```", section(title), re.DOTALL))


def add(title: str, module: str, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Execute a section's example as a part of a module. The new member of its table is there until the test ends."""
    names = dict(vars(importlib.import_module(module)))
    known = set(names[table])
    exec(example(title), names)
    ((key, member),) = ((key, member) for key, member in names[table].items() if key not in known)
    del names[table][key]
    monkeypatch.setitem(names[table], key, member)


def test_the_tasks_are_there() -> None:
    added = {title.removeprefix("Add a ") for title in SECTIONS if title.startswith("Add")}
    assert added >= {
        "file format", "generator", "fusion method", "reranker", "metric", "database column", "command", "page",
        "configuration key",
    }  # fmt: skip


@pytest.mark.parametrize("title", [title for title in SECTIONS if title.startswith("Add")])
def test_a_task_names_at_most_three_files(title: str) -> None:
    (line,) = re.findall(r"^Files?: (.+)$", section(title), re.MULTILINE)
    assert 1 <= len(line.split(", ")) <= MOST_FILES
    compile(example(title), title, "exec")


def test_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    module = ModuleType("rag.cli.hello", "A new command.")
    commands = [*COMMANDS]
    vars(module).update(typer=typer, Path=Path, IndexFolder=IndexFolder, Command=Command, COMMANDS=commands)
    exec(compile(example("Add a command"), "hello.py", "exec", dont_inherit=True), vars(module))
    monkeypatch.setitem(sys.modules, "rag.cli.hello", module)
    monkeypatch.setattr("rag.cli.main.COMMANDS", commands)
    assert main(["hello", "--index", "here"]) == 0
    assert capsys.readouterr().out == "here\n"


def test_the_format(monkeypatch: pytest.MonkeyPatch) -> None:
    add("Add a file format", "rag.ingestion.loaders.formats", "FORMATS", monkeypatch)
    monkeypatch.setitem(sys.modules, "rag.ingestion.loaders.vcard", SimpleNamespace(load_vcard=load_text))
    assert sniff(b"BEGIN:VCARD\n", "a.vcf") == "text/vcard"
    assert load_bytes(b"BEGIN:VCARD\n", "a.vcf").text == "BEGIN:VCARD\n"


def test_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    add("Add a generator", "rag.generation.registry", "GENERATORS", monkeypatch)
    assert make_generator(load_config("test", ["generator.type=echo"]).config).alive


def test_the_fusion_method(fog: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    add("Add a fusion method", "rag.retrieval.fusion", "FUSIONS", monkeypatch)
    assert fog.retriever("retrieval.fusion=max").retrieve("fog sensor").passages


def test_the_reranker(fog: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    add("Add a reranker", "rag.retrieval.rerankers", "RERANKERS", monkeypatch)
    passages = fog.retriever("retrieval.rerank=length").retrieve("fog sensor").passages
    assert [passage.reranked for passage in passages] == [-len(passage.text) / 1000 for passage in passages]


def test_the_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add("Add a metric", "eval.metrics", "METRICS", monkeypatch)
    (tmp_path / "q.jsonl").write_text('{"question": "Who?", "answers": ["Caspar Thorne"]}\n', encoding="utf-8")
    run = evaluate(load_dataset(str(tmp_path / "q.jsonl")), lambda questions: ["Caspar T."])
    assert run.metrics["first_word"]["mean"] == 100


def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.settings._current", UiSettings(tmp_path / ".rag", "test"))
    monkeypatch.setattr("ui.app.PAGES", {})  # so that the new page is the first, which is drawn
    module = ModuleType("ui.pages.hello", "A new page.")
    vars(module).update(st=st, PAGES=ui.app.PAGES, Page=ui.app.Page)
    exec(compile("from __future__ import annotations\n" + example("Add a page"), "hello.py", "exec"), vars(module))
    monkeypatch.setitem(sys.modules, "ui.pages.hello", module)
    monkeypatch.setitem(ui.i18n.table("en")["app"], "hello", "Hello there")
    page = AppTest.from_file(str(Path(ui.app.__file__).parent / "entry" / "app.py"), default_timeout=60).run()
    assert not page.exception
    assert [title.value for title in page.title] == ["Hello there"]
