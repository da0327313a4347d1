"""Nested data to sections: small neighbours share a section, under the path of names that leads to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.grid import plain_table
from rag.ingestion.loaders.table_text import table_text

__all__ = ["Branch", "add_branches"]

_SECTION_CHARACTERS = 800


@dataclass(slots=True)
class Branch:
    """A name with a text, with branches below it, or with a table (rows, the header first)."""

    name: str
    text: str = ""
    below: list[Branch] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    size: int = field(init=False)

    def __post_init__(self) -> None:
        cells = sum(len(cell) for row in self.rows for cell in row)
        self.size = len(self.name) + len(self.text) + cells + sum(branch.size + 2 for branch in self.below)


def add_branches(builder: DocumentBuilder, branches: Sequence[Branch], path: tuple[str, ...] = ()) -> None:
    """Add branches as sections: small neighbours together; a large branch by itself, split in the same way."""
    small: list[Branch] = []
    size = 0

    def flush() -> None:
        nonlocal size
        builder.add("\n".join(line for branch in small for line in _lines(branch, 0)), None, path)
        small.clear()
        size = 0

    for branch in branches:
        large = branch.size > _SECTION_CHARACTERS
        if large or size + branch.size > _SECTION_CHARACTERS:
            flush()
        if not large:
            small.append(branch)
            size += branch.size
            continue
        below = (*path, branch.name) if branch.name else path
        if branch.text:
            builder.add(branch.text, None, below)
        if branch.rows:
            builder.add_table(plain_table(branch.rows[0], branch.rows[1:]), None, below)
        add_branches(builder, branch.below, below)
    flush()


def _lines(branch: Branch, depth: int) -> Iterator[str]:
    indent = "  " * depth
    if branch.rows:
        yield f"{indent}{branch.name}:"
        yield ""
        yield from table_text(plain_table(branch.rows[0], branch.rows[1:])).split("\n")
        yield ""
        return
    name = f"{branch.name}: " if branch.name else ""
    yield f"{indent}{name}{branch.text}".rstrip()
    for below in branch.below:
        yield from _lines(below, depth + 1)
