"""Which files a path stands for, and what each is called in the index.

A document's source is its path relative to the folder that holds the index, so that project and index can move
together; a file elsewhere keeps its absolute path. Hidden files and folders are passed over, and in folders so is
every file whose ending is not a known document's, and every link to a folder (it could lead round in a circle); what
is named itself, file or link, is always read. A folder that cannot be listed is a failure, and the others go on.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rag.errors import DocumentError, InputError
from rag.loaders import SUFFIXES

__all__ = ["LINKED_FOLDER", "Found", "SourceFile", "find_sources"]

LINKED_FOLDER = "linked folder"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file on disk and its name in the index."""

    path: Path
    source: str


@dataclass
class Found:
    """The files to read, sorted and each once, how many others were passed over, by ending, and unreadable folders."""

    files: list[SourceFile] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    unreadable: list[tuple[str, DocumentError]] = field(default_factory=list)

    def pass_over(self, what: str) -> None:
        """Count one more of a kind that is not read."""
        self.skipped[what] = self.skipped.get(what, 0) + 1


def find_sources(paths: Iterable[Path], root: Path) -> Found:
    """Walk the paths; ``root`` is the folder that holds the index.

    Raises :class:`~rag.errors.InputError` for a path that does not exist or cannot be listed itself, and where nothing
    at all is found to read.
    """
    found = Found()
    seen: dict[str, Path] = {}
    given = list(paths)
    for path in given:
        for file in _walk(path, root, found):
            seen.setdefault(source_name(file, root), file)
    found.files = [SourceFile(path, source) for source, path in sorted(seen.items())]
    if not found.files and not found.unreadable:
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


def _walk(path: Path, root: Path, found: Found) -> Iterator[Path]:
    if not path.exists():
        if path.is_symlink():
            raise InputError(f"{path} is a link to {path.readlink()}, which does not exist", "mend the link")
        raise InputError(f"{path} does not exist", "check the path")
    if not path.is_dir():
        yield path
        return

    def refuse(error: OSError) -> None:
        folder = Path(error.filename)
        if folder == path:
            raise InputError(f"{path} cannot be read: {error.strerror}", "check its permissions") from None
        told = f"the folder cannot be read: {error.strerror}"
        found.unreadable.append((source_name(folder, root), DocumentError("unreadable", told, "check its permissions")))

    for folder, folders, names in os.walk(path, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for _ in (name for name in folders if Path(folder, name).is_symlink()):
            found.pass_over(LINKED_FOLDER)
        for name in sorted(names):
            if name.startswith("."):
                continue
            suffix = Path(name).suffix.lower()
            if suffix in SUFFIXES:
                yield Path(folder) / name
            else:
                found.pass_over(suffix or name)
