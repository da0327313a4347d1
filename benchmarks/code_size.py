"""The size of the code, its broad excepts, its most complex functions, and words that plain English avoids.

    python -m benchmarks.code_size [ROOT]      # ROOT: another checkout; 2 seconds

Cyclomatic complexity is McCabe's with Boolean operators, counted as radon does; a function inside another counts by
itself. A broad except catches ``Exception``, ``BaseException`` or everything. Words are counted whole, also inside
snake_case names, in product code, its YAML files, docs and README; Russian texts are left out. The figures are in
code_structure.md.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PRODUCT = ("rag", "ui", "indexes", "eval")
WORDS = ("told", "tell", "tells", "kept", "anew", "mend", "mends", "mended", "whoever", "somebody", "lest")
WORD = re.compile(rf"(?<![a-z])({'|'.join(WORDS)})(?![a-z])", re.IGNORECASE)
BROAD = ("Exception", "BaseException")
BRANCHES = (ast.If, ast.IfExp, ast.Assert)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def complexity(node: ast.AST) -> int:
    """Return how many branches a node and what it contains add, functions inside it left out."""
    total = 0
    if isinstance(node, BRANCHES):
        total = 1
    elif isinstance(node, ast.BoolOp):
        total = len(node.values) - 1
    elif isinstance(node, ast.For | ast.AsyncFor | ast.While):
        total = 1 + bool(node.orelse)
    elif isinstance(node, ast.comprehension):
        total = 1 + len(node.ifs)
    elif isinstance(node, ast.Try | ast.TryStar):
        total = len(node.handlers) + bool(node.orelse)
    elif isinstance(node, ast.Match):
        total = sum(ast.unparse(case.pattern) != "_" for case in node.cases)
    children = ast.iter_child_nodes(node)
    return total + sum(complexity(child) for child in children if not isinstance(child, FUNCTIONS))


def functions(node: ast.AST, prefix: str = "") -> Iterator[tuple[int, str]]:
    """Yield the complexity and the qualified name of each function."""
    for child in ast.iter_child_nodes(node):
        name = prefix
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}{child.name}."
            if not isinstance(child, ast.ClassDef):
                yield 1 + sum(complexity(part) for part in child.body if not isinstance(part, FUNCTIONS)), name[:-1]
        yield from functions(child, name)


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Return whether a handler catches every exception."""
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or (isinstance(kind, ast.Name) and kind.id in BROAD) for kind in caught)


def texts(root: Path) -> list[Path]:
    """Return the files in which words are counted."""
    product = [path for folder in (*PRODUCT, "configs") for path in sorted((root / folder).rglob("*"))]
    code = [path for path in product if path.suffix in (".py", ".yaml") and not {"ru", "ru.yaml"} & set(path.parts)]
    return [*code, *sorted((root / "docs").rglob("*.md")), root / "README.md"]


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parents[1])
    root = parser.parse_args().root
    worst: list[tuple[int, str]] = []
    total_files = total_lines = broad = 0
    print("folder   files   lines")
    for folder in PRODUCT:
        files = sorted((root / folder).rglob("*.py"))
        sources = [path.read_text(encoding="utf-8") for path in files]
        lines = sum(len(source.splitlines()) for source in sources)
        print(f"{folder:8} {len(files):5} {lines:7,}")
        total_files, total_lines = total_files + len(files), total_lines + lines
        for path, source in zip(files, sources, strict=True):
            tree = ast.parse(source)
            broad += sum(isinstance(node, ast.ExceptHandler) and is_broad(node) for node in ast.walk(tree))
            worst += [(figure, f"{path.relative_to(root)} {name}") for figure, name in functions(tree)]
    print(f"product  {total_files:5} {total_lines:7,}")
    print(f"\nbroad excepts {broad}, {1000 * broad / total_lines:.2f} per 1,000 lines\n\ncomplexity")
    for figure, name in sorted(worst, key=lambda row: (-row[0], row[1]))[:10]:
        print(f"{figure:10} {name}")
    words = [word.lower() for path in texts(root) for word in WORD.findall(path.read_text(encoding="utf-8"))]
    found = Counter(words)
    print(f"\nwords {found.total()}: {', '.join(f'{word} {found[word]}' for word in WORDS)}")


if __name__ == "__main__":
    main()
