"""The plan of a run: what has to be done so that the index matches the files that were found. It changes nothing.

A file is unchanged if its stamp is (:mod:`rag.ingestion.file_stamps`), or else the hash of its content. A new file with
the content of a document whose own file is gone was moved: the document is only renamed, unless the name is part of
what was embedded and indexed. Documents are removed only on request, only below the given paths, and never because
something could not be read.

:mod:`rag.ingestion.ingestor` carries a plan out.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from indexes import DocumentRow, FailedDocument
from indexes.store.store import Store
from rag.errors import DocumentError, InputError
from rag.ingestion.discovery import Found, SourceFile, is_upload, source_path
from rag.ingestion.file_stamps import FileContent, read_file, same_size, stamp_of
from rag.ingestion.loaders.text import title_from
from rag.text import counted, one_line

__all__ = ["DEFAULT_OPTIONS", "IngestOptions", "Known", "Move", "Plan", "ToRead", "make_plan"]

Known = dict[str, tuple[str, bytes | None, bytes | None]]
"""For each source: its state, the hash of the content that answers, and the hash of the content that failed."""


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """What a run does besides reading new and changed files.

    ``prune`` removes documents whose files are gone or excluded, ``force`` even if their whole folder is empty or
    missing. ``rehash`` reads every file to see whether it changed, whatever its times say. ``retry_failed`` reads files
    again that failed before and have not changed, ``reread`` all files, changed or not.
    """

    prune: bool = False
    force: bool = False
    rehash: bool = False
    retry_failed: bool = False
    reread: bool = False


DEFAULT_OPTIONS = IngestOptions()


@dataclass(frozen=True, slots=True)
class ToRead:
    """A file to read: ``what`` is ``added``, ``changed`` or ``moved``.

    ``instead_of`` is the source under which the content of a moved file is known. A ``forced`` file is read although it
    has not changed.
    """

    file: SourceFile
    what: str
    instead_of: str | None = None
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """A document whose file has a new name and the same content."""

    old: str
    new: str


@dataclass
class Plan:
    """What a run has to do. ``size`` counts the bytes to read.

    ``failures`` are files that failed before and have not changed: they are reported, not tried again. ``stamps`` are
    those of files that were hashed. ``gone`` counts documents below the given paths that stay although their files are
    gone, because removal was not requested; ``spared`` counts, by folder, those that stay because their folder is
    empty, as if a disk were not mounted. ``bytes_per_second`` is the speed of the last runs, None if it is unknown.
    """

    to_read: list[ToRead] = field(default_factory=list)
    unchanged: int = 0
    moves: list[Move] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    failures: list[FailedDocument] = field(default_factory=list)
    stamps: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    gone: int = 0
    spared: dict[str, int] = field(default_factory=dict)
    size: int = 0
    bytes_per_second: float | None = None

    @property
    def seconds(self) -> float | None:
        """How long reading takes at the speed of the last runs, None if that is unknown."""
        return None if self.bytes_per_second is None else self.size / self.bytes_per_second

    @property
    def moved(self) -> int:
        """How many documents get a new name, read again or not."""
        return len(self.moves) + sum(item.what == "moved" for item in self.to_read)


def make_plan(store: Store | None, found: Found, root: Path, options: IngestOptions = DEFAULT_OPTIONS) -> Plan:
    """Compare files with the index. ``root`` is the folder that contains the index; ``store`` is None before it exists.

    Raises :class:`~rag.errors.InputError` for a path that does not exist, and when ``options`` ask to remove the
    documents of a folder that is empty or missing, which may be a disk that is not mounted, without ``force``.
    """
    known: Known = store.content_hashes() if store else {}
    plan = Plan()
    stamps = {} if options.rehash or not store else store.stamps()
    failures = {} if options.retry_failed or not store else store.failures()
    new = _compare(found.files, known, failures, stamps, plan, reread=options.reread)
    if not known:
        plan.to_read += [ToRead(file, "added") for file in new]
    elif store:
        here = {file.source for file in found.files}
        missing = [source for source in known if source not in here]
        gone = {source for source in missing if not is_upload(source) and _is_gone(source_path(source, root))}
        moved = _find_moves(new, known, gone, store, plan)
        _find_removed([s for s in missing if s not in moved], gone, found, plan, options)
    for given in found.roots:
        if not given.exists and not any(given.contains(source) for source in plan.removed):
            raise InputError(f"{given.path} does not exist", "check the path")
    plan.to_read.sort(key=lambda item: item.file.source)
    plan.size = sum(item.file.size for item in plan.to_read)
    return plan


def _compare(
    files: Iterable[SourceFile],
    known: Known,
    failures: dict[str, FailedDocument],
    stamps: dict[str, tuple[str, bytes]],
    plan: Plan,
    *,
    reread: bool,
) -> list[SourceFile]:
    """Sort known files into unchanged ones and those to read; return the files that are not known.

    An unchanged file that is among ``failures`` is only reported; other failed files are read again.
    """
    new = []
    for file in files:
        state, sha, failed_sha = known.get(file.source, ("", None, None))
        if not state:
            new.append(file)
            continue
        last_read = sha if state == "ready" else failed_sha
        if reread:
            plan.to_read.append(replace(_again(file, state), forced=True))
        elif last_read is None or not _unchanged(file, last_read, stamps.get(file.source), plan):
            plan.to_read.append(_again(file, state))
        elif state == "ready":
            plan.unchanged += 1
        elif file.source not in failures:
            plan.to_read.append(_again(file, state))
        else:
            plan.failures.append(failures[file.source])
    return new


def _again(file: SourceFile, state: str) -> ToRead:
    return ToRead(file, "added" if state == "failed" else "changed")


def _unchanged(file: SourceFile, sha: bytes, stamp: tuple[str, bytes] | None, plan: Plan) -> bool:
    if stamp is not None and stamp[1] == sha and file.status is not None:
        if stamp[0] == stamp_of(file.status):
            return True
        if not same_size(stamp[0], file.status):
            return False
    content = _content(file)
    if content is None or content.sha256 != sha:
        return False
    _keep_stamp(file, content, plan)
    return True


def _content(file: SourceFile) -> FileContent | None:
    try:
        return read_file(file.path)
    except DocumentError:
        return None


def _keep_stamp(file: SourceFile, content: FileContent, plan: Plan) -> None:
    if content.stamp is not None:
        plan.stamps[file.source] = (content.stamp, content.sha256)


def _find_moves(new: list[SourceFile], known: Known, gone: set[str], store: Store, plan: Plan) -> set[str]:
    """Find new files with the content of documents whose files are gone; return these documents' sources.

    Only a file of the right size is hashed.
    """
    sizes = store.sizes() if new and gone else {}
    by_size: dict[int, dict[bytes, list[str]]] = {}
    for source in sorted(gone):
        state, sha, _ = known[source]
        if state == "ready" and sha is not None and source in sizes:
            by_size.setdefault(sizes[source], {}).setdefault(sha, []).append(source)
    moved: set[str] = set()
    for file in new:
        old = _moved_from(file, by_size, plan)
        if old is None:
            plan.to_read.append(ToRead(file, "added"))
            continue
        moved.add(old)
        row = store.document(old)
        if row is not None and _same_under(row, file.source):
            plan.moves.append(Move(old, file.source))
        else:
            plan.to_read.append(ToRead(file, "moved", instead_of=old))
    return moved


def _moved_from(file: SourceFile, by_size: dict[int, dict[bytes, list[str]]], plan: Plan) -> str | None:
    """Return the source that a new file was moved from, and take it out of the candidates."""
    candidates = by_size.get(file.status.st_size) if file.status else None
    if not candidates:
        return None
    content = _content(file)
    sources = candidates.get(content.sha256) if content else None
    if content is None or not sources:
        return None
    _keep_stamp(file, content, plan)
    name = PurePath(file.source).name
    best = next((source for source in sources if PurePath(source).name == name), sources[0])
    sources.remove(best)
    return best


def _same_under(row: DocumentRow, new: str) -> bool:
    """Return whether a document would be the same under another name.

    The extension helps to choose a loader, and the title of a document without one, which is embedded and indexed,
    comes from the file's name.
    """
    old_title, new_title = (one_line(title_from(name)) for name in (row.source, new))
    same_suffix = PurePath(row.source).suffix.lower() == PurePath(new).suffix.lower()
    return same_suffix and (old_title == new_title or row.title != old_title)


def _find_removed(missing: list[str], gone: set[str], found: Found, plan: Plan, options: IngestOptions) -> None:
    """Plan the removal of documents whose files are gone or excluded, below the roots and no unreadable folder."""
    unreadable = _Below(f"{source}/" for source, _ in found.unreadable)
    excluded = set(found.excluded)
    excluded_folders = _Below(source for source in excluded if source.endswith("/"))
    lost = [
        source for source in missing
        if any(root.contains(source) for root in found.roots) and source not in unreadable
        and (source in gone or source in excluded or source in excluded_folders)
    ]  # fmt: skip
    if not options.prune:
        plan.gone = sum(source in gone for source in lost)
        return
    if not options.force:
        _refuse_unmounted(lost, found)
        for folder in found.empty:
            spared = [source for source in lost if source.startswith(folder)]
            if spared:
                plan.spared[folder] = len(spared)
                lost = [source for source in lost if not source.startswith(folder)]
    plan.removed = lost


class _Below:
    """The sources below any of some folders."""

    def __init__(self, folders: Iterable[str]) -> None:
        self._prefixes = tuple(folders)

    def __contains__(self, source: str) -> bool:
        return source.startswith(self._prefixes)


def _refuse_unmounted(lost: list[str], found: Found) -> None:
    """Raise :class:`~rag.errors.InputError` if a given folder, which had documents, has none now."""
    here = [file.source for file in found.files]
    for root in found.roots:
        count = sum(root.contains(source) for source in lost)
        if count and not any(root.contains(source) for source in here):
            what = "contains no document" if root.exists else "does not exist"
            raise InputError(
                f"{root.path} {what}, but the index has {counted(count, 'document')} from there",
                "mount its disk; if the files are gone for good, remove the documents with --prune --force",
            )


def _is_gone(path: Path) -> bool:
    """Return whether there is certainly no such file. An error that only forbids access does not count."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
