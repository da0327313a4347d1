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
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from indexes import FailedDocument
from indexes.store.store import Store
from rag.errors import DocumentError, InputError
from rag.ingestion.discovery import Found, SourceFile, has_file, source_path
from rag.ingestion.file_stamps import FileContent, read_file, same_size, stamp_of
from rag.ingestion.loaders.note_kinds import waits_for_ocr
from rag.text import counted

__all__ = ["DEFAULT_OPTIONS", "EMBEDDED", "IngestOptions", "Known", "Move", "Plan", "ToRead", "make_plan"]

EMBEDDED = "embedded_not_read"
"""The kind of the notes on files inside a file that were not read because that was not requested."""

Known = dict[str, tuple[str, bytes | None, bytes | None]]
"""For each source: its state, the hash of the content that answers, and the hash of the content that failed."""


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """What a run does besides reading new and changed files.

    ``prune`` removes documents whose files are gone or excluded, ``force`` even if their whole folder is empty or
    missing. ``rehash`` reads every file to see whether it changed, whatever its times say. ``retry_failed`` reads files
    again that failed before and have not changed, ``reread`` all files, changed or not; ``embedded`` those with a note
    that files inside them were not read. ``follow_links`` follows links to files outside of the given folders.
    """

    prune: bool = False
    force: bool = False
    rehash: bool = False
    retry_failed: bool = False
    reread: bool = False
    follow_links: bool = False
    embedded: bool = False


DEFAULT_OPTIONS = IngestOptions()
_OLD_REMEDY = "run OCR on it"  # of scans and pictures, in an index of a version without OCR


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
    gone, because removal was not requested, ``ignored`` those whose files a ``.ragignore`` excludes; ``spared`` counts,
    by folder, those that stay because their folder is empty, as if a disk were not mounted. ``bytes_per_second`` is the
    speed of the last runs, None if it is unknown.
    """

    to_read: list[ToRead] = field(default_factory=list)
    unchanged: int = 0
    moves: list[Move] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    failures: list[FailedDocument] = field(default_factory=list)
    stamps: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    gone: int = 0
    ignored: int = 0
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


def make_plan(
    store: Store | None,
    found: Found,
    root: Path,
    options: IngestOptions = DEFAULT_OPTIONS,
    *,
    ocr_is_ready: bool = False,
) -> Plan:
    """Compare files with the index. ``root`` is the folder that contains the index; ``store`` is None before it exists.

    If ``ocr_is_ready``, files with scans or pictures that were not read, because it was not, are read again.

    Raises :class:`~rag.errors.InputError` for a path that does not exist, and when ``options`` ask to remove the
    documents of a folder that is empty or missing, which may be a disk that is not mounted, without ``force``.
    """
    planner = _Planner(store, options, ocr_is_ready=ocr_is_ready)
    here = {file.source for file in found.files}
    missing = [source for source in planner.known if source not in here]
    gone = {source for source in missing if has_file(source) and _is_gone(source_path(source, root))}
    for file in found.files:
        if file.source in planner.known:
            planner.add_known(file)
    moved = planner.add_new([file for file in found.files if file.source not in planner.known], gone)
    planner.add_lost(_lost([source for source in missing if source not in moved], gone, found), gone, found)
    return planner.finish(found)


class _Planner:
    """Fills a plan step by step from what the index knows of each source."""

    def __init__(self, store: Store | None, options: IngestOptions, *, ocr_is_ready: bool) -> None:
        self.known: Known = store.content_hashes() if store else {}
        self._store = store
        self._stamps = store.stamps() if store and not options.rehash else {}
        self._failures = store.failures() if store and not options.retry_failed else {}
        self._options = options
        self._waiting = _waiting_for_ocr(store) if store and ocr_is_ready else frozenset()
        self._with_embedded = _with_embedded(store) if store and options.embedded else frozenset[str]()
        self._plan = Plan()

    def add_known(self, file: SourceFile) -> None:
        """Plan a file that the index knows. One that failed and has not changed is reported or, on request, read."""
        state, sha, failed_sha = self.known[file.source]
        last_read = sha if state == "ready" else failed_sha
        reread = self._options.reread or file.source in self._waiting or file.source in self._with_embedded
        unchanged = not reread and last_read is not None and self._is_unchanged(file, last_read)
        if unchanged and state == "ready":
            self._plan.unchanged += 1
        elif unchanged and file.source in self._failures:
            self._plan.failures.append(self._failures[file.source])
        else:
            what = "added" if state == "failed" else "changed"
            self._plan.to_read.append(ToRead(file, what, forced=reread))

    def add_new(self, files: list[SourceFile], gone: set[str]) -> set[str]:
        """Plan files that the index does not know. Return the sources from which files were moved."""
        candidates, sizes = self._candidates(gone) if files and gone else ({}, set())
        moved: set[str] = set()
        for file in files:
            # Only a file of the right size is hashed.
            old = self._moved_from(file, candidates) if file.status and file.size in sizes else None
            if old is None:
                self._plan.to_read.append(ToRead(file, "added"))
                continue
            moved.add(old)
            # The extension helps to choose a loader; the words of the file's and the folder's name are indexed.
            if PurePath(old).parts[-2:] == PurePath(file.source).parts[-2:]:
                self._plan.moves.append(Move(old, file.source))
            else:
                self._plan.to_read.append(ToRead(file, "moved", instead_of=old))
        return moved

    def add_lost(self, lost: list[str], gone: set[str], found: Found) -> None:
        """Plan the removal of documents if it is requested, except for those of empty folders unless it is forced."""
        if not self._options.prune:
            self._plan.gone = sum(source in gone for source in lost)
            self._plan.ignored = len(lost) - self._plan.gone
            return
        if not self._options.force:
            _refuse_unmounted(lost, found)
            for folder in found.empty:
                left = [source for source in lost if not source.startswith(folder)]
                if len(left) < len(lost):
                    self._plan.spared[folder] = len(lost) - len(left)
                lost = left
        self._plan.removed = lost

    def finish(self, found: Found) -> Plan:
        """Return the plan. Raises :class:`~rag.errors.InputError` for a path that neither disk nor index knows."""
        plan = self._plan
        for given in found.roots:
            if not given.exists and not any(given.contains(source) for source in plan.removed):
                raise InputError(f"{given.path} does not exist", "check the path")
        plan.to_read.sort(key=lambda item: item.file.source)
        plan.size = sum(item.file.size for item in plan.to_read)
        return plan

    def _is_unchanged(self, file: SourceFile, sha: bytes) -> bool:
        stamp, stamped_sha = self._stamps.get(file.source, ("", b""))
        if stamped_sha == sha and file.status is not None:
            if stamp == stamp_of(file.status):
                return True
            if not same_size(stamp, file.status):
                return False
        content = _content(file)
        if content is None or content.sha256 != sha:
            return False
        self._put_stamp(file, content)
        return True

    def _candidates(self, gone: set[str]) -> tuple[dict[bytes, list[str]], set[int]]:
        """Return the sources by content from which files may have been moved, and the sizes of their files."""
        sizes = self._store.sizes() if self._store else {}
        sources: dict[bytes, list[str]] = {}
        for source in sorted(gone & sizes.keys()):
            state, sha, _ = self.known[source]
            if state == "ready" and sha is not None:
                sources.setdefault(sha, []).append(source)
        return sources, {sizes[source] for group in sources.values() for source in group}

    def _moved_from(self, file: SourceFile, candidates: dict[bytes, list[str]]) -> str | None:
        """Return the source that a new file was moved from, and take it out of the candidates."""
        content = _content(file)
        sources = candidates.get(content.sha256) if content else None
        if content is None or not sources:
            return None
        self._put_stamp(file, content)
        name = PurePath(file.source).name
        best = next((source for source in sources if PurePath(source).name == name), sources[0])
        sources.remove(best)
        return best

    def _put_stamp(self, file: SourceFile, content: FileContent) -> None:
        if content.stamp is not None:
            self._plan.stamps[file.source] = (content.stamp, content.sha256)


def _waiting_for_ocr(store: Store) -> frozenset[str]:
    """Return the documents with scans or pictures that were not tried, also those that failed because of it."""
    failed = (f.source for f in store.failures().values() if f.reason == "no ocr" or _OLD_REMEDY in f.remedy)
    with_notes = (source for source, notes in store.all_notes().items() if any(map(waits_for_ocr, notes)))
    return frozenset((*with_notes, *failed))


def _with_embedded(store: Store) -> frozenset[str]:
    """Return the documents in which files were not read."""
    with_notes = store.notes(store.content_hashes())
    return frozenset(s for s, notes in with_notes.items() if any(n.kind == EMBEDDED for n in notes))


def _content(file: SourceFile) -> FileContent | None:
    if file.content is not None:
        return file.content
    try:
        return read_file(file.path, follow=file.linked)
    except DocumentError:
        return None


def _lost(missing: list[str], gone: set[str], found: Found) -> list[str]:
    """Return the sources whose files are gone or excluded, below the roots and no unreadable folder."""
    unreadable = tuple(f"{source}/" for source, _ in found.unreadable)
    excluded = set(found.excluded)
    excluded_folders = tuple(source for source in excluded if source.endswith("/"))

    def is_lost(source: str) -> bool:
        is_below = any(root.contains(source) for root in found.roots) and not source.startswith(unreadable)
        return is_below and (source in gone or source in excluded or source.startswith(excluded_folders))

    return list(filter(is_lost, missing))


def _refuse_unmounted(lost: list[str], found: Found) -> None:
    """Raise :class:`~rag.errors.InputError` if a given folder, which had documents, has none now."""
    here = [file.source for file in found.files]
    for root in found.roots:
        if root.exists and not root.folder:
            continue  # a file: it is lost because it is ignored
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
