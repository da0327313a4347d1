"""Discovery: which files a path stands for, and the name of each in the index.

A document's source is its path relative to the folder that contains the index, so that project and index can move
together. A file elsewhere keeps its absolute path. A document from the page is called ``upload://NAME``, which no path
can be: the page knows where its file is. A web page is called by its address.

In folders, some things are skipped: what :class:`IgnoreRules` exclude, hidden files and the lock files of office
programs (``~$report.docx``), files whose extension is of no known format, and links to folders, which could lead in a
circle. A file or link that is named itself is always read, unless it is a part of an index. A folder that cannot be
listed is a failure; the run continues with the others.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from indexes.store.database import holds_index, is_part_of_index
from rag.errors import DocumentError, InputError
from rag.ingestion.file_stamps import FileContent, read_file
from rag.ingestion.loaders.file_kinds import is_lock_file
from rag.ingestion.loaders.formats import extensions

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

__all__ = [
    "IGNORED",
    "IGNORE_FILE",
    "LINKED_FOLDER",
    "LINKED_OUT",
    "UPLOAD",
    "Found",
    "IgnoreRules",
    "Root",
    "SourceFile",
    "find_failed",
    "find_sources",
    "has_file",
    "is_upload",
    "is_web_page",
    "source_name",
    "source_path",
    "status_of",
]

IGNORE_FILE = ".ragignore"
LINKED_FOLDER, LINKED_OUT = "linked folder", "link to a file elsewhere"
IGNORED = f"ignored by {IGNORE_FILE}"
UPLOAD = "upload://"
_LARGEST_IGNORE_FILE = 2**20  # bytes
_FOREIGN = frozenset({"node_modules", "__pycache__", "__MACOSX", "CVS", "_darcs", "site-packages"})


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file on disk, its name in the index, and its status when it was found, None if that is unknown.

    ``linked`` says that its name is a link, which may be followed. A web page has no file: its ``content`` is there
    already, and ``hints`` are what its server says of it, as :func:`~rag.ingestion.loaders.load_bytes` takes them.
    """

    path: Path
    source: str
    status: os.stat_result | None = None
    content: FileContent | None = None
    hints: Mapping[str, str] = field(default_factory=dict)
    linked: bool = False

    @property
    def size(self) -> int:
        """Its size in bytes, 0 if it is unknown."""
        if self.content is not None:
            return len(self.content.data)
        return self.status.st_size if self.status else 0


@dataclass(frozen=True, slots=True)
class Root:
    """A given path. ``source`` is its name in the index; a folder's is the prefix of its files' names."""

    path: Path
    source: str
    folder: bool
    exists: bool = True

    def contains(self, source: str) -> bool:
        """Return whether a source is this file, or below this folder."""
        if self.exists and not self.folder:
            return source == self.source
        # A path that does not exist may have been a file or a folder.
        below = source.startswith(self.source) if self.folder else source.startswith(f"{self.source}/")
        return (below and not (self.source == "" and source.startswith("/"))) or source == self.source


@dataclass
class Found:
    """The files to read, sorted by name.

    ``skipped`` counts others by extension or reason, ``unreadable`` are folders that cannot be listed, ``excluded`` the
    sources that a ``.ragignore`` excludes, ``empty`` the folders that contain nothing at all. The name of a folder ends
    in a slash.
    """

    files: list[SourceFile] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    unreadable: list[tuple[str, DocumentError]] = field(default_factory=list)
    roots: list[Root] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)

    def skip(self, what: str) -> None:
        """Count one more file of a kind that is not read."""
        self.skipped[what] = self.skipped.get(what, 0) + 1


def find_sources(
    paths: Iterable[Path],
    root: Path,
    *,
    may_be_gone: bool = False,
    index: Path | None = None,
    follow_links: bool = False,
    pictures: bool = True,
) -> Found:
    """Walk the paths. ``root`` is the folder that contains the index, ``index`` the index folder, if it is known.

    A link to a file is followed where it leads to another place below the same path, or anywhere with ``follow_links``.
    A link that is a given path itself is always followed.
    Without ``pictures``, those in folders are skipped: there is no OCR.

    Raises :class:`~rag.errors.InputError` for no path, for a path that cannot be listed, for one that is an index
    folder or a part of one, and unless it ``may_be_gone``, for a path that does not exist and if there is nothing to
    read.
    """
    paths = list(paths)
    if not paths:
        raise InputError("no path is given", "name the files and folders to read")
    walk, top = _Walk(pictures=pictures, follow_links=follow_links), root.resolve()
    found = walk.found
    for path in paths:
        given = _root(path, top, may_be_gone)
        _refuse_index_folder(path, index)
        found.roots.append(given)
        if given.folder:
            walk.add_folder(path.resolve(), given.source, IgnoreRules.for_folder(path.resolve(), top))
        elif given.exists:
            file = SourceFile(path, given.source, status_of(path), linked=path.is_symlink())
            walk.files.setdefault(given.source, file)
    found.files = [walk.files[source] for source in sorted(walk.files)]
    if not found.files and not found.unreadable and not may_be_gone:
        names = ", ".join(str(given.path) for given in found.roots)
        raise InputError(f"there is no document in {names}", f"documents end in {', '.join(sorted(extensions()))}")
    return found


def find_failed(sources: Iterable[str], root: Path) -> Found:
    """Return the files of documents that failed before, by name. What a ``.ragignore`` excludes is only counted.

    ``root`` is the folder that contains the index. A file elsewhere is not read: an index may be a stranger's, and its
    record would then choose which files are. Raises :class:`~rag.errors.InputError` for a bad ``.ragignore``.
    """
    found, top = Found(), root.resolve()
    for source in sorted(sources):
        path = source_path(source, top)
        if not _lies_in(path, top):
            message = "it failed before and lies outside of the folder of the index"
            remedy = f"name it to read it again: rag ingest {shlex.quote(source)}"
            found.unreadable.append((source, DocumentError("outside", message, remedy)))
        elif IgnoreRules.exclude(path, top):
            found.roots.append(Root(path, source, folder=False))
            found.excluded.append(source)
            found.skip(IGNORED)
        else:
            found.files.append(SourceFile(path, source, linked=path.is_symlink()))
    return found


def _lies_in(path: Path, top: Path) -> bool:
    try:
        return path.resolve().is_relative_to(top)
    except (OSError, RuntimeError, ValueError):
        return False


def is_upload(source: str) -> bool:
    """Return whether a document came through the page."""
    return source.startswith(UPLOAD)


def is_web_page(source: str) -> bool:
    """Return whether a document was read from the web."""
    return source.startswith(("https://", "http://"))


def has_file(source: str) -> bool:
    """Return whether a document was read from a file that its name is the path of."""
    return not is_upload(source) and not is_web_page(source)


def source_path(source: str, root: Path) -> Path:
    """Return the path of a source's file. ``root`` is the folder that contains the index."""
    return root / source


def source_name(path: Path, root: Path) -> str:
    """Return a file's name in the index, with forward slashes; undecodable bytes become escapes.

    A link has its own name, not its target's.
    """
    return _printable(_relative(path.absolute().parent.resolve() / path.name, root.resolve()))


def status_of(file: Path | os.DirEntry[str]) -> os.stat_result | None:
    """Return the status of a regular file, None for anything else. Reading the file then reports what is wrong."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _root(path: Path, top: Path, may_be_gone: bool) -> Root:
    if not path.exists():
        if path.is_symlink():
            raise InputError(f"{path} is a link to {path.readlink()}, which does not exist", "correct the link")
        if not may_be_gone:
            raise InputError(f"{path} does not exist", "check the path")
        return Root(path, source_name(path, top), folder=False, exists=False)
    if not path.is_dir():
        return Root(path, source_name(path, top), folder=False)
    try:
        os.scandir(path).close()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "check its permissions") from None
    name = _printable(_relative(path.resolve(), top))
    return Root(path, "" if name == "." else f"{name.rstrip('/')}/", folder=True)


def _refuse_index_folder(path: Path, index: Path | None) -> None:
    """Raise :class:`~rag.errors.InputError` if a path is an index folder, which may be new, or a part of an index.

    The folder of an index may hold documents beside it: those are no part of it.
    """
    resolved = path.resolve()
    new = None if index is None else index.resolve()
    for folder in (resolved, *resolved.parents):
        if folder != new and not holds_index(folder):
            continue
        if folder == resolved or is_part_of_index(resolved, folder):
            what = "is" if folder == resolved else "belongs to"
            raise InputError(f"{path} {what} an index folder", "name the folder of the documents, or another --index")


def _relative(absolute: Path, root: Path) -> str:
    try:
        return absolute.relative_to(root).as_posix()
    except ValueError:
        return absolute.as_posix()


def _printable(name: str) -> str:
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "backslashreplace")


# Walking a folder ------------------------------------------------------------------------------------------------


class _Walk:
    """Collects the documents below folders. Paths are strings, because there may be very many."""

    def __init__(self, *, pictures: bool, follow_links: bool = False) -> None:
        self.found = Found()
        self._follow_links = follow_links
        self._inside = ""  # where links may lead
        self.files: dict[str, SourceFile] = {}
        self._suffixes = frozenset(name for name, row in extensions().items() if pictures or not row.needs_ocr)

    def add_folder(self, folder: Path, prefix: str, rules: IgnoreRules) -> None:
        """Add every document below a folder. ``prefix`` begins the names of its files."""
        self._inside = f"{folder}/"
        waiting = [(str(folder), prefix, rules)]
        while waiting:
            path, prefix, rules = waiting.pop()
            entries = self._entries(path, prefix)
            if any(entry.name == IGNORE_FILE for entry in entries):
                rules = rules.inside(path)
            folders = [entry for entry in entries if self._add(entry, prefix, rules)]
            waiting += [(entry.path, f"{prefix}{_printable(entry.name)}/", rules) for entry in reversed(folders)]

    def _entries(self, path: str, prefix: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(path) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            message = f"the folder cannot be read: {error.strerror}"
            failure = DocumentError("unreadable", message, "check its permissions")
            self.found.unreadable.append((prefix.rstrip("/"), failure))
            return []
        if not entries:
            self.found.empty.append(prefix)
        return entries

    def _add(self, entry: os.DirEntry[str], prefix: str, rules: IgnoreRules) -> bool:
        """Add or skip one entry of a folder. Return whether it is a folder to walk."""
        is_folder = _is_dir(entry)
        source = f"{prefix}{_printable(entry.name)}"
        ignored = rules.ignored(entry.path, folder=is_folder)
        if ignored:
            self.found.excluded.append(f"{source}/" if is_folder else source)
            self.found.skip(IGNORED)
            return False
        included = ignored is False
        if (entry.name.startswith(".") or is_lock_file(entry.name)) and not included:
            return False
        if is_folder:
            return self._is_walked(entry, included=included)
        suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 - a Path for every file is slow
        if suffix in self._suffixes:
            linked = entry.is_symlink()
            if linked and not self._may_follow(entry.path):
                self.found.skip(LINKED_OUT)
                return False
            self.files.setdefault(source, SourceFile(Path(entry.path), source, status_of(entry), linked=linked))
        else:
            self.found.skip(suffix or entry.name)
        return False

    def _may_follow(self, link: str) -> bool:
        """Return whether a link leads below the folder that it was found in, or nowhere, which reading it says."""
        target = os.path.realpath(link)
        return self._follow_links or target.startswith(self._inside) or not os.path.exists(target)  # noqa: PTH110

    def _is_walked(self, entry: os.DirEntry[str], *, included: bool) -> bool:
        if entry.is_symlink():
            self.found.skip(LINKED_FOLDER)
            return False
        if not included and _is_foreign_folder(entry.path, entry.name):
            self.found.skip(f"{entry.name}/")
            return False
        return True


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link whose target is not accessible: reading it reports that
        return False


def _is_foreign_folder(path: str, name: str) -> bool:
    """Return whether a tool fills this folder: packages, caches, a virtual environment, an index of this project."""
    marks = ("pyvenv.cfg", "rag.db")
    return name in _FOREIGN or any(os.path.exists(f"{path}/{mark}") for mark in marks)  # noqa: PTH110 - see above


# .ragignore ------------------------------------------------------------------------------------------------------


class IgnoreRules:
    """The ``.ragignore`` files that apply to one folder, the outermost first.

    A ``.ragignore`` has gitignore's syntax, may be in any folder, and applies to everything below it. Deeper files and
    later lines override. A line that begins with ``!`` includes what is skipped otherwise, also hidden files and
    folders that tools fill.
    """

    def __init__(self, files: tuple[tuple[str, GitIgnoreSpec], ...] = ()) -> None:
        self._files = files

    @classmethod
    def for_folder(cls, folder: Path, top: Path) -> IgnoreRules:
        """Read the files from ``top`` down to the parent of ``folder``; :meth:`inside` reads the folder's own.

        They do not apply if they exclude the folder itself, which was named by the user.
        """
        rules = cls()
        if folder == top or not folder.is_relative_to(top):
            return rules
        for parent in [p for p in reversed(folder.parents) if p.is_relative_to(top)]:
            rules = rules.inside(str(parent))
        steps = [p for p in (*reversed(folder.parents), folder) if p != top and p.is_relative_to(top)]
        return cls() if any(rules.ignored(str(step), folder=True) for step in steps) else rules

    @classmethod
    def exclude(cls, file: Path, top: Path) -> bool:
        """Return whether a file or a folder that contains it is ignored, read from ``top`` down, or from the root."""
        rules, below = cls(), file.is_relative_to(top)
        folders = [p for p in reversed(file.parents) if not below or p.is_relative_to(top)]
        for folder, step in zip(folders, [*folders[1:], file], strict=True):
            rules = rules.inside(str(folder))
            if rules.ignored(str(step), folder=step != file):
                return True
        return False

    def inside(self, folder: str) -> IgnoreRules:
        """Return the rules for the content of a folder. Raises :class:`~rag.errors.InputError` for a bad file."""
        path = Path(folder, IGNORE_FILE)
        if not os.path.lexists(path):
            return self
        try:
            lines = read_file(path, most_bytes=_LARGEST_IGNORE_FILE).data.decode("utf-8-sig").splitlines()
        except DocumentError as error:
            raise InputError(f"{path} cannot be read: {error.message}", "correct it, or remove it") from None
        except UnicodeDecodeError:
            raise InputError(f"{path} cannot be read: it is not UTF-8", "correct it, or remove it") from None
        from pathspec import GitIgnoreSpec

        try:
            # re2 takes linear time; Python's own patterns take for ever over many stars.
            spec = GitIgnoreSpec.from_lines(lines, backend="re2")
        except ValueError as error:
            raise InputError(f"{path} is not in gitignore's syntax: {error}", "correct the line") from None
        return IgnoreRules((*self._files, (folder.rstrip(os.sep) + os.sep, spec)))

    def ignored(self, path: str, *, folder: bool) -> bool | None:
        """Return whether a path is ignored: True, False (included by a line with ``!``), None if no line matches."""
        for base, spec in reversed(self._files):
            if path.startswith(base):
                include = spec.check_file(path[len(base) :] + ("/" if folder else "")).include
                if include is not None:
                    return bool(include)
        return None
