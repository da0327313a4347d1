"""The table of commands: a row makes a command, and importing the table imports no command."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from cli_runner import Rag, environment

from rag.cli.main import COMMANDS, GROUPS, Command

HELLO = '''
from pathlib import Path
import typer
from rag.cli.options import IndexFolder

def hello(index: IndexFolder = Path(".rag")) -> None:
    """Print the index folder."""
    typer.echo(str(index))
'''


@pytest.fixture
def hello_module(work: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module with a command."""
    (work / "dummy_hello.py").write_text(HELLO, encoding="utf-8")
    monkeypatch.syspath_prepend(str(work))
    return "dummy_hello"


@pytest.mark.parametrize("name", ["hello", "index hello", "greetings hello"])
def test_one_row_adds_a_command(hello_module: str, rag: Rag, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(GROUPS, "greetings", next(iter(GROUPS.values())))
    monkeypatch.setattr("rag.cli.main.COMMANDS", [*COMMANDS, Command(name, hello_module, "hello")])
    ran = rag(*name.split(), "--index", "here")
    assert (ran.code, ran.out, ran.err) == (0, "here\n", "")
    assert rag(*name.split(), "--indexes", "here").code == 2
    assert "Print the index folder." in rag(*name.split()[:-1], "--help").out
    assert "--index" in rag(*name.split(), "--help").out


def test_without_its_row_there_is_no_command(hello_module: str, rag: Rag) -> None:
    ran = rag("hello")
    assert ran.code == 2
    assert "No such command 'hello'" in ran.err


def test_names_are_unique_and_their_groups_exist() -> None:
    names = [row.name for row in COMMANDS]
    assert len(set(names)) == len(names)
    assert {name.split()[0] for name in names if " " in name} == set(GROUPS)
    assert {name for name in names if " " not in name}.isdisjoint(GROUPS)
    assert all(f"{name} {group.default}" in names for name, group in GROUPS.items() if group.default)


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.name)
def test_a_row_names_a_public_function_with_a_help_text(row: Command) -> None:
    module = import_module(row.module)
    assert row.function in module.__all__
    assert inspect.getdoc(getattr(module, row.function))


def test_importing_the_table_imports_no_command() -> None:
    modules = sorted({row.module for row in COMMANDS})
    script = f"import sys, rag.cli.main; print([name for name in {modules!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment(), timeout=60, check=True
    )
    assert done.stdout == "[]\n"
