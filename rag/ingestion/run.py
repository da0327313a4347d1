"""One ingestion: find files, plan, load the embedder if there is something to read, carry the plan out, compare.

:func:`ingest_paths` and :func:`ingest_files` serve the knowledge base, the command line and the page alike;
:func:`plan_ingest` is the dry run. What depends on the configuration comes as :class:`IngestParts`; this module does
not know the configuration, nor who follows the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from indexes import Index
from indexes.derived.signatures import duplicate_groups
from indexes.store.store import Store
from rag.embedding.base import Embedder
from rag.errors import InputError
from rag.ingestion.chunker import Chunker
from rag.ingestion.discovery import (
    Found,
    SourceFile,
    find_failed,
    find_sources,
    has_file,
    is_web_page,
    status_of,
)
from rag.ingestion.ingestor import FileState, Ingestor, carry_out_without_reading
from rag.ingestion.report import IngestReport, Progress, StageClock
from rag.ingestion.sync import DEFAULT_OPTIONS, IngestOptions, Plan, make_plan
from rag.ingestion.versions import find_families, store_families

if TYPE_CHECKING:
    from rag.ingestion.sandbox import ParserPool
    from rag.ingestion.web.fetch import PageFetcher

__all__ = [
    "FileState",
    "IngestObserver",
    "IngestOptions",
    "IngestParts",
    "ingest_files",
    "ingest_paths",
    "plan_ingest",
]

_PATIENCE_S = 1.0  # of waiting for a parser, before the time is used to commit


@dataclass(frozen=True)
class IngestParts:
    """What a run needs of the configuration; :func:`rag.factory.make_ingest_parts` builds it.

    ``open_existing`` opens the index of a folder for writing without an embedder; it returns None if there is no index,
    or one with other settings. ``open_or_create`` raises for other settings. ``load_embedder`` is called at most once,
    and its embedder is used until the context ends. ``ocr_is_ready`` says whether scans and pictures are read.
    """

    open_existing: Callable[[Path], Index | None]
    open_or_create: Callable[[Path, Embedder], Index]
    load_embedder: Callable[[], AbstractContextManager[Embedder]]
    make_chunker: Callable[[Embedder], Chunker]
    make_parser_pool: Callable[[], ParserPool]
    make_page_fetcher: Callable[[], PageFetcher]
    ocr_is_ready: bool = False


@dataclass(frozen=True)
class IngestObserver:
    """Functions that are called as a run goes on, in the run's thread. Each is optional.

    ``loading`` returns a context that surrounds the loading of the embedder. ``planned`` gets the plan, ``progress``
    the state of the run, often; ``file`` a source and what became of it. ``fetching`` takes the address of a web page
    and returns a context that surrounds the fetching.
    """

    loading: Callable[[], AbstractContextManager[None]] = nullcontext
    planned: Callable[[Plan], None] = lambda *_: None
    progress: Callable[[Progress], None] = lambda *_: None
    file: Callable[[str, FileState], None] = lambda *_: None
    fetching: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext()


def ingest_paths(
    parts: IngestParts,
    folder: Path,
    paths: Sequence[Path],
    options: IngestOptions = DEFAULT_OPTIONS,
    *,
    urls: Sequence[str] = (),
    observer: IngestObserver | None = None,
    purpose: str = "an ingestion",
) -> IngestReport:
    """Read files, folders and web pages into the index in ``folder``, which is created if it does not exist.

    Without paths and addresses, ``options.retry_failed`` reads all that failed before. ``purpose`` is shown to other
    processes that wait for the writer lock. Raises :class:`~rag.errors.InputError` for a wrong path or address,
    :class:`~indexes.errors.IndexLockedError`, and what the parts raise.
    """
    stages, observer = StageClock(), observer or IngestObserver()
    with stages.stage("find"):
        failed = _failed(folder) if options.retry_failed and not paths and not urls else []
        found = _find(folder, paths, urls, failed, options, pictures=parts.ocr_is_ready)
        pages = [*urls, *filter(is_web_page, failed)]
        if pages:
            _fetch(found, pages, parts, folder, options, observer)
        if found.unreadable and not found.files and not Store.exists(folder):  # no index is made for nothing
            source, error = found.unreadable[0]
            raise InputError(f"{source}: {error.message}", error.remedy)
    return _Run(parts, folder, found, options, observer, stages).run(purpose)


def ingest_files(
    parts: IngestParts,
    folder: Path,
    files: Mapping[str, Path],
    options: IngestOptions = DEFAULT_OPTIONS,
    *,
    observer: IngestObserver | None = None,
    purpose: str = "an ingestion",
) -> IngestReport:
    """Read files into the index under the given names. Raises what :func:`ingest_paths` raises, but for wrong paths."""
    stages = StageClock()
    with stages.stage("find"):
        found = Found([SourceFile(path, source, status_of(path)) for source, path in files.items()])
    return _Run(parts, folder, found, options, observer or IngestObserver(), stages).run(purpose)


def plan_ingest(
    folder: Path,
    paths: Sequence[Path],
    options: IngestOptions = DEFAULT_OPTIONS,
    *,
    urls: Sequence[str] = (),
    ocr_is_ready: bool = False,
) -> Plan:
    """Return what :func:`ingest_paths` would do; change and fetch nothing. Raises :class:`~rag.errors.InputError`."""
    from rag.ingestion.web.pages import pages_to_fetch

    failed = _failed(folder) if options.retry_failed and not paths and not urls else []
    found = _find(folder, paths, urls, failed, options, pictures=ocr_is_ready)
    found.files += pages_to_fetch([*urls, *filter(is_web_page, failed)])
    root = folder.resolve().parent
    if not Store.exists(folder):
        return make_plan(None, found, root, options)
    with Store.open(folder) as store:
        plan = make_plan(store, found, root, options, ocr_is_ready=ocr_is_ready)
        plan.bytes_per_second = store.throughput()
    return plan


def _failed(folder: Path) -> list[str]:
    """Return the documents that failed before, by name."""
    with Store.open(folder) as store:
        return list(store.failures())


def _find(
    folder: Path,
    paths: Sequence[Path],
    urls: Sequence[str],
    failed: Sequence[str],
    options: IngestOptions,
    *,
    pictures: bool,
) -> Found:
    """Return the files below the paths, or those that failed before, unless they are ignored, without paths."""
    root = folder.resolve().parent
    if not paths and (urls or options.retry_failed):
        return find_failed(filter(has_file, failed), root)
    return find_sources(
        paths,
        root,
        may_be_gone=options.prune,
        index=folder,
        follow_links=options.follow_links,
        pictures=pictures,
    )


def _fetch(
    found: Found,
    urls: Sequence[str],
    parts: IngestParts,
    folder: Path,
    options: IngestOptions,
    observer: IngestObserver,
) -> None:
    """Fetch web pages and add them to what was found."""
    from rag.ingestion.web.pages import find_pages

    fetcher = parts.make_page_fetcher()
    with Store.open(folder) if Store.exists(folder) else nullcontext() as store:
        pages = find_pages(urls, store, fetcher, options, observer.fetching)
    found.files += pages.files
    found.unreadable += pages.unreadable


@dataclass(frozen=True)
class _Run:
    """The parts and the state of one run."""

    parts: IngestParts
    folder: Path
    found: Found
    options: IngestOptions
    observer: IngestObserver
    stages: StageClock

    def run(self, purpose: str) -> IngestReport:
        """Plan and carry the plan out under one writer lock."""
        embedder = None
        with ExitStack() as stack:
            index = self.parts.open_existing(self.folder)
            if index is None:
                embedder = self._load(stack)
                index = self.parts.open_or_create(self.folder, embedder)
            stack.enter_context(index)
            stack.enter_context(index.writing(purpose))
            with self.stages.stage("find"):
                root, ready = self.folder.resolve().parent, self.parts.ocr_is_ready
                plan = make_plan(index.store, self.found, root, self.options, ocr_is_ready=ready)
            self.observer.planned(plan)
            if plan.to_read:
                report = self._read(index, plan, embedder or self._load(stack))
            else:
                report = carry_out_without_reading(index, plan, self.found, self.stages)
        report.seconds = self.stages.now() - self.stages.began
        return report

    def _load(self, stack: ExitStack) -> Embedder:
        with self.observer.loading(), self.stages.stage("load"):
            return stack.enter_context(self.parts.load_embedder())

    def _read(self, index: Index, plan: Plan, embedder: Embedder) -> IngestReport:
        chunker = self.parts.make_chunker(embedder)
        with self.parts.make_parser_pool() as pool:
            hints = {file.source: file.hints for file in self.found.files if file.hints}
            parse_all = partial(pool.parse_all, patience=_PATIENCE_S, hints=hints)
            observer = self.observer
            ingestor = Ingestor(
                index,
                embedder,
                chunker,
                observer.progress,
                parse_all,
                self.stages,
                observer.file,
                pool.most_bytes,
            )
            report = ingestor.carry_out(plan, self.found)
            report.parse_seconds = pool.busy_seconds
        ingestor.show("comparing")
        self._compare(index.store, report)
        return report

    def _compare(self, store: Store, report: IngestReport) -> None:
        """Count the documents with the text of another one, or nearly the same text; find versions of one document."""
        with self.stages.stage("compare"):
            copies = [similarity for group in duplicate_groups(store) for _, similarity in group.members[1:]]
            families = find_families(store)
            store_families(store.folder, families)
        report.same = sum(similarity == 1.0 for similarity in copies)
        report.near = len(copies) - report.same
        report.versions = sum(len(family.members) for family in families)
        report.stages = self.stages.seconds
