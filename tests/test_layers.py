"""Imports point one way, and importing the packages is cheap."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FIRST_PARTY = ("benchmarks", "configs", "eval", "indexes", "rag", "tests", "ui")
# DESIGN.md's table: which first-party packages a folder may import beside itself.
ALLOWED = {
    "configs": set(),
    "indexes": set(),
    "eval": set(),
    "rag": {"indexes"},
    "rag/cli": {"indexes", "rag", "eval", "ui", "configs"},
    "ui": {"rag", "eval"},
}
HEAVY = ("torch", "faiss", "vllm", "sentence_transformers", "transformers", "streamlit", "tantivy", "openai")


def modules() -> list[Path]:
    return sorted(
        path.relative_to(ROOT)
        for package in ("configs", "eval", "indexes", "rag", "ui")
        for path in (ROOT / package).rglob("*.py")
    )


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted name of everything that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module or ""


def folder_of(path: Path) -> str:
    entry_point = path == Path("rag/__main__.py")  # where the command begins, before it is imported
    return "rag/cli" if path.parts[:2] == ("rag", "cli") or entry_point else path.parts[0]


def test_the_walk_finds_the_modules() -> None:
    assert Path("rag/cli/main.py") in modules()
    assert "indexes" in set(imported(Path("rag/factory.py")))


@pytest.mark.parametrize("path", modules(), ids=str)
def test_imports_point_only_where_the_design_allows(path: Path) -> None:
    folder = folder_of(path)
    for name in imported(path):
        package = name.split(".")[0]
        if package in FIRST_PARTY and package != folder:
            assert package in ALLOWED[folder], f"{path} imports {name}"
        if folder == "rag":
            assert not name.startswith("rag.cli"), f"{path} imports {name}"


def test_importing_the_packages_loads_no_heavy_library() -> None:
    code = f"import sys, rag, indexes, eval, ui, rag.cli.main\nprint(*sorted(set(sys.modules) & set({HEAVY!r})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("path", [path for path in modules() if path.name != "__main__.py"], ids=str)
def test_what_a_module_offers_is_sorted_and_there(path: Path) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    defines = any(
        isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_") for node in tree.body
    )
    name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    module = importlib.import_module(name)
    names = getattr(module, "__all__", None)
    assert names is not None or not defines, f"{path} defines names and has no __all__"
    # Constants, then classes, then functions, each in alphabetical order: ruff's order.
    order = [(0 if n.isupper() else 1 if n[:1].isupper() else 2, n) for n in names or ()]
    assert order == sorted(set(order))
    assert [n for n in names or () if not hasattr(module, n)] == []
