"""Imports point down only, importing the packages is cheap, and every module states its public surface."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("configs", "eval", "indexes", "rag", "ui")
# Which first-party packages a folder may import besides itself (docs/architecture.md).
ALLOWED = {
    "configs": set(),
    "indexes": set(),
    "eval": set(),
    "rag": {"indexes"},
    "rag/cli": {"indexes", "rag", "eval", "ui", "configs"},
    "ui": {"rag", "eval", "indexes"},
}
# The parts of rag, from the bottom up: each imports only parts of earlier rows, and itself.
LAYERS = (
    {"text", "safe_markdown"},
    {"errors", "types"},
    {"models", "evidence", "prompt_templates"},
    {"embedding"},
    {"extractive_qa"},
    {"ingestion", "generation"},
    {"retrieval"},
    {"config"},
    {"answering"},
    {"factory"},
    {"ops", "model_pool"},
    {"knowledge_base", "training"},
    {"__init__"},
    {"cli"},
    {"__main__"},
)
HEAVY = ("torch", "faiss", "vllm", "sentence_transformers", "transformers", "streamlit", "tantivy", "openai")


def modules() -> list[Path]:
    return sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted name of everything that a file imports at run time, at its top or inside a function."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module or ""


def folder_of(path: Path) -> str:
    entry_point = path == Path("rag/__main__.py")
    return "rag/cli" if path.parts[:2] == ("rag", "cli") or entry_point else path.parts[0]


def layer_of(name: str) -> int:
    """Return the row of a part of rag in LAYERS."""
    return next(n for n, row in enumerate(LAYERS) if name in row)


def test_the_walk_finds_the_modules() -> None:
    assert Path("rag/cli/main.py") in modules()
    assert "indexes" in set(imported(Path("rag/factory.py")))


def test_every_part_of_rag_is_in_one_layer() -> None:
    parts = {path.name.removesuffix(".py") for path in (ROOT / "rag").iterdir() if path.suffix == ".py"}
    parts |= {path.parent.name for path in (ROOT / "rag").glob("*/__init__.py")}
    assert sorted(parts) == sorted(part for row in LAYERS for part in row)


def test_imports_point_only_where_the_design_allows() -> None:
    wrong = []
    for path in modules():
        folder = folder_of(path)
        for name in imported(path):
            package = name.split(".")[0]
            if package in (*PACKAGES, "benchmarks", "tests") and package != path.parts[0]:
                wrong += [f"{path} imports {name}"] if package not in ALLOWED[folder] else []
    assert wrong == []


def test_imports_inside_rag_point_down() -> None:
    wrong = []
    for path in modules():
        if path.parts[0] != "rag":
            continue
        own = path.parts[1].removesuffix(".py")
        for name in imported(path):
            if name == "rag" or not name.startswith("rag."):
                continue
            other = name.split(".")[1]
            if other != own and layer_of(other) >= layer_of(own):
                wrong.append(f"{path} imports {name}")
    assert wrong == []


def test_importing_the_packages_loads_no_heavy_library() -> None:
    code = f"import sys, rag, indexes, eval, ui, rag.cli.main\nprint(*sorted(set(sys.modules) & set({HEAVY!r})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_public_surface_of_every_module_is_sorted_and_exists() -> None:
    for path in modules():
        if path.name == "__main__.py":
            continue
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        defines = any(
            isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_") for node in tree.body
        )
        module = importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
        names = getattr(module, "__all__", None)
        assert names is not None or not defines, f"{path} defines names and has no __all__"
        # Constants, then classes, then functions, each in alphabetical order: ruff's order.
        order = [(0 if n.isupper() else 1 if n[:1].isupper() else 2, n) for n in names or ()]
        assert order == sorted(set(order)), path
        assert [n for n in names or () if not hasattr(module, n)] == [], path
