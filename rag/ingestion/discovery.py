"""Which files a path stands for, and what each is called in the index.

A document's source is its path relative to the folder that holds the index, so that project and index can move
together; a file elsewhere keeps its absolute path. In folders, what :class:`IgnoreRules` exclude is passed
over, and so is every file whose ending is not a known document's, and every link to a folder (it could lead round in a circle);
what is named itself, file or link, is always read. A folder that cannot be listed is a failure, and the others go on.

A document that came through the page is called ``upload://NAME``, which no path can be: where its file lies is the
page's own business, and no look at the disk tells that it is gone.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import DocumentError, InputError
from rag.ingestion.loaders import SUFFIXES

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

__all__ = [
    "IGNORED",
    "IGNORE_FILE",
    "LINKED_FOLDER",
    "UPLOAD",
    "Found",
    "IgnoreRules",
    "Root",
    "SourceFile",
    "find_sources",
    "is_upload",
    "source_path",
]

IGNORE_FILE = ".ragignore"
LINKED_FOLDER = "linked folder"
IGNORED = f"ignored by {IGNORE_FILE}"
UPLOAD = "upload://"
_FOREIGN = frozenset({"node_modules", "__pycache__", "__MACOSX", "CVS", "_darcs", "site-packages"})


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file on disk, its name in the index, and what it looked like when it was found; None where that is unknown."""

    path: Path
    source: str
    status: os.stat_result | None = None


@dataclass(frozen=True, slots=True)
class Root:
    """A path that was given. ``source`` is its name in the index; a folder's is what its files' names begin with."""

    path: Path
    source: str
    folder: bool
    there: bool = True

    def holds(self, source: str) -> bool:
        """Tell whether a source is this file, or below this folder."""
        if self.there and not self.folder:
            return source == self.source
        # Of a path that is not there nobody knows whether it was a file or a folder.
        below = source.startswith(self.source) if self.folder else source.startswith(f"{self.source}/")
        return (below and not (self.source == "" and source.startswith("/"))) or source == self.source


@dataclass
class Found:
    """The files to read, sorted and each once, how many others were passed over, by ending, and unreadable folders.

    ``excluded`` are sources that a ``.ragignore`` excludes, and ``empty`` the folders that hold nothing at all; a
    folder's name in the index ends in a slash.
    """

    files: list[SourceFile] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    unreadable: list[tuple[str, DocumentError]] = field(default_factory=list)
    roots: list[Root] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)

    def pass_over(self, what: str) -> None:
        """Count one more of a kind that is not read."""
        self.skipped[what] = self.skipped.get(what, 0) + 1


def find_sources(paths: Iterable[Path], root: Path, *, may_be_gone: bool = False) -> Found:
    """Walk the paths; ``root`` is the folder that holds the index.

    Raises :class:`~rag.errors.InputError` for a path that does not exist (unless it may be gone) or cannot be listed
    itself, and where nothing at all is found to read (unless all of it may be gone).
    """
    found = Found()
    seen: dict[str, SourceFile] = {}
    given, top = list(paths), root.resolve()
    for path in given:
        given_root = _root(path, top, may_be_gone)
        found.roots.append(given_root)
        if given_root.folder and given_root.there:
            folder = path.resolve()
            _walk(_Place(str(folder), given_root.source, path), IgnoreRules.for_folder(folder, top), found, seen)
        elif given_root.there:
            seen.setdefault(given_root.source, SourceFile(path, given_root.source, _status(path)))
    found.files = [seen[source] for source in sorted(seen)]
    if not found.files and not found.unreadable and not may_be_gone:
        told = ", ".join(str(path) for path in given)
        raise InputError(f"there is no document to read in {told}", f"documents end in {', '.join(sorted(SUFFIXES))}")
    return found


def is_upload(source: str) -> bool:
    """Tell whether a document came through the page."""
    return source.startswith(UPLOAD)


def source_path(source: str, root: Path) -> Path:
    """Return where the file of a source is; an absolute source stays what it is."""
    return root / source


def _root(path: Path, top: Path, may_be_gone: bool) -> Root:
    if not path.exists():
        if path.is_symlink():
            raise InputError(f"{path} is a link to {path.readlink()}, which does not exist", "mend the link")
        if not may_be_gone:
            raise InputError(f"{path} does not exist", "check the path")
        return Root(path, source_name(path, top), folder=False, there=False)
    if not path.is_dir():
        return Root(path, source_name(path, top), folder=False)
    name = _told(_relative(path.resolve(), top))
    return Root(path, "" if name == "." else f"{name.rstrip('/')}/", folder=True)


def source_name(path: Path, root: Path) -> str:
    """Return a file's name in the index, with forward slashes; undecodable bytes become escapes."""
    return _told(_relative(path.absolute().parent.resolve() / path.name, root.resolve()))  # a link by its own name


def _relative(absolute: Path, root: Path) -> str:
    try:
        return absolute.relative_to(root).as_posix()
    except ValueError:
        return absolute.as_posix()


def _told(name: str) -> str:
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "backslashreplace")


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # a link to nothing, a folder that may not be searched: reading it says what is wrong
        return None


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder on the walk: its real path, what its files' names in the index begin with, and how it was given."""

    path: str
    prefix: str
    given: Path | None = None


def _walk(place: _Place, rules: IgnoreRules, found: Found, seen: dict[str, SourceFile]) -> None:
    """Add the documents below a folder. Plain strings, because there may be very many."""
    waiting = [(place, rules)]
    while waiting:
        here, rules = waiting.pop()
        try:
            with os.scandir(here.path) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            if here.given is not None:
                raise InputError(f"{here.given} cannot be read: {error.strerror}", "check its permissions") from None
            told = f"the folder cannot be read: {error.strerror}"
            name = here.prefix.rstrip("/")
            found.unreadable.append((name, DocumentError("unreadable", told, "check its permissions")))
            continue
        if not entries:
            found.empty.append(here.prefix)
        if any(entry.name == IGNORE_FILE for entry in entries):
            rules = rules.inside(here.path)
        folders = [entry for entry in entries if _look_at(entry, here, rules, found, seen)]
        waiting += [(_Place(entry.path, f"{here.prefix}{_told(entry.name)}/"), rules) for entry in reversed(folders)]


def _look_at(
    entry: os.DirEntry[str], here: _Place, rules: IgnoreRules, found: Found, seen: dict[str, SourceFile]
) -> bool:
    """Take in or pass over one thing in a folder; return whether it is a folder to be walked."""
    name, is_folder = entry.name, _is_dir(entry)
    source = f"{here.prefix}{_told(name)}"
    verdict = rules.verdict(entry.path, folder=is_folder)
    if verdict:
        found.excluded.append(f"{source}/" if is_folder else source)
        found.pass_over(IGNORED)
        return False
    brought_back = verdict is False
    if name.startswith(".") and not brought_back:
        return False
    if is_folder:
        if entry.is_symlink():
            found.pass_over(LINKED_FOLDER)
            return False
        if not brought_back and _is_foreign_folder(entry.path, name):
            found.pass_over(f"{name}/")
            return False
        return True
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - of every file
    if suffix not in SUFFIXES:
        found.pass_over(suffix or name)
        return False
    try:
        status: os.stat_result | None = entry.stat()
    except OSError:  # a link to nothing: reading it says so
        status = None
    if status is not None and not stat.S_ISREG(status.st_mode):
        status = None
    seen.setdefault(source, SourceFile(Path(entry.path), source, status))
    return False


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link whose target may not be looked at: reading it says so
        return False


class IgnoreRules:
    """The ``.ragignore`` files that speak for one folder, the outermost first."""

    def __init__(self, files: tuple[tuple[str, GitIgnoreSpec], ...] = ()) -> None:
        self._files = files

    @classmethod
    def for_folder(cls, folder: Path, top: Path) -> IgnoreRules:
        """Read the files from ``top`` down to the folder above ``folder``; :meth:`inside` reads its own.

        A folder that is itself passed over by them was asked for all the same: they do not count in it then.
        """
        rules = cls()
        if folder == top or not folder.is_relative_to(top):
            return rules
        for parent in [p for p in reversed(folder.parents) if p.is_relative_to(top)]:
            rules = rules.inside(str(parent))
        steps = [p for p in (*reversed(folder.parents), folder) if p != top and p.is_relative_to(top)]
        return cls() if any(rules.verdict(str(step), folder=True) for step in steps) else rules

    def inside(self, folder: str) -> IgnoreRules:
        """Return the rules for what is in a folder. Raises :class:`~rag.errors.InputError` for an unreadable file."""
        path = Path(folder, IGNORE_FILE)
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return self
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise InputError(f"{path} cannot be read: {why}", "mend it, or remove it") from None
        from pathspec import GitIgnoreSpec

        try:
            spec = GitIgnoreSpec.from_lines(lines)
        except ValueError as error:
            raise InputError(f"{path} is not in gitignore's syntax: {error}", "mend the line") from None
        return IgnoreRules((*self._files, (folder.rstrip(os.sep) + os.sep, spec)))

    def verdict(self, path: str, *, folder: bool) -> bool | None:
        """Tell whether a path is to be passed over: True, False (brought back), or None where no line speaks of it."""
        for base, spec in reversed(self._files):
            if path.startswith(base):
                told = spec.check_file(path[len(base) :] + ("/" if folder else "")).include
                if told is not None:
                    return bool(told)
        return None


def _is_foreign_folder(path: str, name: str) -> bool:
    """Tell whether a folder is one that a tool fills: packages, caches, a virtual environment, an index of ours."""
    return name in _FOREIGN or any(_holds(path, mark) for mark in ("pyvenv.cfg", "rag.db"))


def _holds(path: str, name: str) -> bool:
    return os.path.exists(f"{path}/{name}")  # noqa: PTH110 - asked of every folder
