"""What has to be done so that the index equals the files that were found: the plan of a run, made before any of it.

A file is known to be unchanged by its stamp (:mod:`rag.ingestion.file_stamps`), else by the hash of its content. A
file with content
that a document whose own file is gone was made of was moved, and its document is only renamed, unless the name is part
of what was embedded and indexed. Removal happens only where it was asked for, below the paths that were given, and
never because something could not be looked at.

Nothing is changed here; :mod:`rag.ingestion.ingestor` carries a plan out.
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
from rag.ingestion.file_stamps import read_file, same_size, stamp_of
from rag.ingestion.loaders.text import title_from

__all__ = ["DEFAULT_OPTIONS", "IngestOptions", "Known", "Move", "Plan", "ToRead", "make_plan"]

Known = dict[str, tuple[str, bytes | None, bytes | None]]


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
    """A file to be read: ``what`` is ``added``, ``changed`` or ``moved``.

    ``instead_of`` is the source under which the content of a moved one was known. What is ``forced`` is read although
    it has not changed.
    """

    file: SourceFile
    what: str
    instead_of: str | None = None
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """A document whose file has another name now, and whose content is the same."""

    old: str
    new: str


@dataclass
class Plan:
    """What a run has to do. ``size`` counts the bytes to be read and parsed.

    ``failures`` are files that could not be read before and have not changed: they are told, not tried again.
    ``stamps`` are what was learned of files that were hashed. ``gone`` counts documents below the paths given whose
    files are not there any more and that stay, because nobody asked for their removal; ``spared`` counts, by folder,
    those that stay because their folder is empty, as it would be if a disk were not mounted there.
    ``bytes_per_second`` is the speed of the last runs, None if it is unknown.
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
        """How many documents have another name now, read again or not."""
        return len(self.moves) + sum(work.what == "moved" for work in self.to_read)


def make_plan(store: Store | None, found: Found, root: Path, options: IngestOptions = DEFAULT_OPTIONS) -> Plan:
    """Compare files with the index. ``root`` is the folder that holds the index; ``store`` is None before it exists.

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
        if not given.there and not any(given.holds(source) for source in plan.removed):
            raise InputError(f"{given.path} does not exist", "check the path")
    plan.to_read.sort(key=lambda work: work.file.source)
    plan.size = sum(work.file.status.st_size for work in plan.to_read if work.file.status)
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
    """Sort known files into those to read and those that have not changed; return the ones that are not known.

    ``failures`` are those that are only told of a file that has not changed; what failed otherwise is read again.
    """
    new = []
    for file in files:
        state, sha, failed_sha = known.get(file.source, ("", None, None))
        if not state:
            new.append(file)
            continue
        last = sha if state == "ready" else failed_sha  # what was seen at the last reading
        if reread:
            plan.to_read.append(replace(_again(file, state), forced=True))
        elif last is None or not _unchanged(file, last, stamps.get(file.source), plan):
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


def _unchanged(file: SourceFile, sha: bytes, known: tuple[str, bytes] | None, plan: Plan) -> bool:
    if known is not None and known[1] == sha and file.status is not None:
        if known[0] == stamp_of(file.status):
            return True
        if not same_size(known[0], file.status):
            return False
    try:
        content = read_file(file.path)
    except DocumentError:
        return False
    if content.sha256 != sha:
        return False
    if content.stamp is not None:
        plan.stamps[file.source] = (content.stamp, sha)
    return True


def _find_moves(new: list[SourceFile], known: Known, gone: set[str], store: Store, plan: Plan) -> set[str]:
    """Find among the new files those that documents without a file were made of; return these documents' sources.

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
    candidates = by_size.get(file.status.st_size) if file.status else None
    if not candidates:
        return None
    try:
        content = read_file(file.path)
    except DocumentError:
        return None
    sources = candidates.get(content.sha256)
    if not sources:
        return None
    if content.stamp is not None:
        plan.stamps[file.source] = (content.stamp, content.sha256)
    name = PurePath(file.source).name
    best = next((source for source in sources if PurePath(source).name == name), sources[0])
    sources.remove(best)
    return best


def _same_under(row: DocumentRow, new: str) -> bool:
    """Tell whether a document would be the same under another name.

    The ending helps to choose a loader, and a document that names itself nowhere is called after its file: that title
    is embedded and indexed.
    """
    old_title, new_title = (" ".join(title_from(name).split()) for name in (row.source, new))
    same_kind = PurePath(row.source).suffix.lower() == PurePath(new).suffix.lower()
    return same_kind and (old_title == new_title or row.title != old_title)


def _find_removed(missing: list[str], gone: set[str], found: Found, plan: Plan, options: IngestOptions) -> None:
    """Plan the removal of documents whose files are gone or excluded, below the roots, and below nothing unreadable."""
    sealed = tuple(f"{source}/" for source, _ in found.unreadable)
    excluded = set(found.excluded)
    excluded_folders = tuple(source for source in excluded if source.endswith("/"))
    below = [
        source for source in missing
        if any(root.holds(source) for root in found.roots) and not source.startswith(sealed or ("\0",))
    ]  # fmt: skip
    lost = [s for s in below if s in gone or s in excluded or s.startswith(excluded_folders or ("\0",))]
    if not options.prune:
        plan.gone = sum(source in gone for source in lost)
        return
    if not options.force:
        _refuse_what_looks_unmounted(lost, found)
        for folder in found.empty:
            spared = [source for source in lost if source.startswith(folder)]
            if spared:
                plan.spared[folder] = len(spared)
                lost = [source for source in lost if not source.startswith(folder)]
    plan.removed = lost


def _refuse_what_looks_unmounted(lost: list[str], found: Found) -> None:
    here = [file.source for file in found.files]
    for root in found.roots:
        count = sum(root.holds(source) for source in lost)
        if count and not any(root.holds(source) for source in here):
            what = "holds no document" if root.there else "is not there"
            raise InputError(
                f"{root.path} {what}, and {count} document{'s' * (count > 1)} of the index came from there",
                "mount the disk it is on; or remove them with --prune --force, if the files are meant to be gone",
            )


def _is_gone(path: Path) -> bool:
    """Tell whether there is certainly no file of that name: an error that only forbids to look is no answer."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
