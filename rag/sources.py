"""Which files a path stands for, and what each is called in the index.

A document's source is its path relative to the folder that holds the index, so that project and index can move
together; a file elsewhere keeps its absolute path. Hidden files and folders are passed over, and in folders so is
every file whose ending is not a known document's; a file that is named itself is always read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rag.errors import InputError
from rag.loaders import SUFFIXES

__all__ = ["Found", "SourceFile", "find_sources"]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file on disk and its name in the index."""

    path: Path
    source: str


@dataclass
class Found:
    """The files to read, sorted and each once, and how many others were passed over, by ending."""

    files: list[SourceFile] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)


def find_sources(paths: Iterable[Path], root: Path) -> Found:
    """Walk the paths; ``root`` is the folder that holds the index.

    Raises :class:`~rag.errors.InputError` for a path that does not exist or a folder that cannot be listed, and
    where nothing at all is found to read.
    """
    found = Found()
    seen: dict[str, Path] = {}
    given = list(paths)
    for path in given:
        for file in _walk(path, found.skipped):
            seen.setdefault(source_name(file, root), file)
    found.files = [SourceFile(path, source) for source, path in sorted(seen.items())]
    if not found.files:
        told = ", ".join(str(path) for path in given)
        raise InputError(f"there is no document to read in {told}", f"documents end in {', '.join(sorted(SUFFIXES))}")
    return found


def source_name(path: Path, root: Path) -> str:
    """Return a file's name in the index, with forward slashes; undecodable bytes become escapes."""
    absolute = path.absolute().parent.resolve() / path.name  # a link is called by its own name
    try:
        name = absolute.relative_to(root.resolve()).as_posix()
    except ValueError:
        name = absolute.as_posix()
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _walk(path: Path, skipped: dict[str, int]) -> Iterator[Path]:
    if not path.exists():
        raise InputError(f"{path} does not exist", "check the path")
    if not path.is_dir():
        yield path
        return

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename} cannot be read: {error.strerror}", "check its permissions") from None

    for folder, folders, names in os.walk(path, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.startswith("."):
                continue
            suffix = Path(name).suffix.lower()
            if suffix in SUFFIXES:
                yield Path(folder) / name
            else:
                skipped[suffix or name] = skipped.get(suffix or name, 0) + 1
