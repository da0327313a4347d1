"""Files into the index: read, chunk, embed what is new, commit in batches, bring the derived indexes up to date.

What is to be done is decided before (:mod:`rag.syncing`): an unchanged file is skipped, a moved one renamed, a changed
one replaces its old self. Every batch is one transaction, so an interruption loses at most the batch in hand, and not
even its embeddings: vectors are stored before the commit that uses them. A file that cannot be read becomes a failed
row with a reason and a remedy; the rest go on.

How bytes become documents is a callable that is handed in (:data:`ParseAll`); it may work ahead, in other processes.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from indexes import FailedDocument, Index, NewChunk, NewDocument
from rag.chunking import Chunker
from rag.embedding import Embedder
from rag.errors import DocumentError
from rag.loaders import load_bytes
from rag.records import Document
from rag.sources import Found, find_sources
from rag.stamps import FileContent, read_file
from rag.syncing import Plan, ToRead, make_plan

if TYPE_CHECKING:
    from rag.parsing import ParserPool

__all__ = [
    "IngestReport",
    "Ingestor",
    "ParseAll",
    "ParseJob",
    "Progress",
    "carry_out_without_reading",
    "parse_here",
    "parse_in",
    "reembed",
]

_BATCH_CHUNKS = 512
_BATCH_DOCUMENTS = 256
_EMBED_AT_ONCE = 1024  # chunks; bounds what one interruption can lose inside a huge document


@dataclass(frozen=True, slots=True)
class Progress:
    """Where ingestion stands: files done of ``files``, and chunks embedded so far."""

    files_done: int
    files: int
    chunks: int
    stage: str


@dataclass
class IngestReport:
    """What a run did. ``embedded`` counts the vectors that had to be computed; ``seconds`` is wall-clock.

    ``gone`` and ``spared`` count documents that stay although their files are not there any more, as in
    :class:`~rag.syncing.Plan`.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    moved: int = 0
    removed: int = 0
    gone: int = 0
    spared: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    chunks: int = 0
    embedded: int = 0
    generation: int = 0
    seconds: float = 0.0
    skipped: dict[str, int] = field(default_factory=dict)
    failures: list[FailedDocument] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ParseJob:
    """A file's bytes, to be made a document called ``source``; ``content`` and ``work`` are the ingestor's own."""

    source: str
    data: bytes
    content: FileContent
    work: ToRead


ParseAll = Callable[[Iterable[ParseJob]], Iterator[tuple[ParseJob, Document | DocumentError]]]
"""Takes jobs as it is ready for them and yields each with its outcome, in the same order."""


def parse_here(jobs: Iterable[ParseJob]) -> Iterator[tuple[ParseJob, Document | DocumentError]]:
    """Parse in this process, one after the other."""
    for job in jobs:
        try:
            yield job, load_bytes(job.data, job.source)
        except DocumentError as error:
            yield job, error
        except Exception as error:  # noqa: BLE001 - whatever a parser trips over, the other files must go on
            yield job, _parser_failed(error)


def parse_in(pool: ParserPool) -> ParseAll:
    """Return what parses in the processes of a pool, a few files ahead of the embedder."""

    def parse_all(jobs: Iterable[ParseJob]) -> Iterator[tuple[ParseJob, Document | DocumentError]]:
        waiting: deque[ParseJob] = deque()

        def handed_over() -> Iterator[tuple[str, bytes]]:
            for job in jobs:
                waiting.append(job)
                yield job.source, job.data

        for _, outcome in pool.parse_all(handed_over()):
            yield waiting.popleft(), outcome

    return parse_all


def _parser_failed(error: Exception) -> DocumentError:
    told = " ".join(str(error).split())[:200]
    return DocumentError("parser", f"its parser failed: {type(error).__name__}: {told}", "report the file")


@dataclass
class _Batch:
    documents: list[NewDocument] = field(default_factory=list)
    texts: dict[bytes, str] = field(default_factory=dict)
    failures: list[FailedDocument] = field(default_factory=list)
    stamps: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    removals: list[str] = field(default_factory=list)
    added: int = 0
    changed: int = 0
    moved: int = 0
    chunks: int = 0
    started: float = field(default_factory=time.monotonic)

    def full(self) -> bool:
        return self.chunks >= _BATCH_CHUNKS or len(self.documents) + len(self.failures) >= _BATCH_DOCUMENTS


def _ignore(progress: Progress) -> None:
    del progress


class Ingestor:
    """Ingests into one index. The caller holds the index's writer lock."""

    def __init__(
        self,
        index: Index,
        embedder: Embedder,
        chunker: Chunker,
        progress: Callable[[Progress], None] = _ignore,
        parse_all: ParseAll = parse_here,
    ) -> None:
        self._index = index
        self._store = index.store
        self._embedder = embedder
        self._chunker = chunker
        self._progress = progress
        self._parse_all = parse_all
        self._report = IngestReport()
        self._files = self._done = self._run = 0
        self._batch = _Batch()

    def run(self, paths: Sequence[Path], *, prune: bool = False, force: bool = False) -> IngestReport:
        """Ingest every document below ``paths``. Raises :class:`~rag.errors.InputError` for a wrong path."""
        root = self._index.folder.resolve().parent
        started = time.monotonic()
        found = find_sources(paths, root, may_be_gone=prune)
        plan = make_plan(self._store, found, root, prune=prune, force=force)
        report = self.carry_out(plan, found)
        report.seconds = time.monotonic() - started
        return report

    def carry_out(self, plan: Plan, found: Found) -> IngestReport:
        """Do what was planned."""
        started = time.monotonic()
        report = self._report = _report_of(plan, found)
        self._files = len(found.files)
        self._done = self._files - len(plan.to_read)
        self._run = _rearrange(self._index, plan)
        self._batch = _Batch()
        self._read_all(plan.to_read)
        with self._stage("index"):
            self._tell("indexing")
            report.generation = self._index.sync()
        report.seconds = time.monotonic() - started
        return report

    def _read_all(self, works: Sequence[ToRead]) -> None:
        known = self._store.content_hashes()
        outcomes = self._parse_all(self._jobs(works, known))
        while True:
            with self._stage("read"):
                outcome = next(outcomes, None)
                if outcome is not None:
                    self._take_in(*outcome, known)
            if outcome is None or self._batch.full():
                self._commit()
            if outcome is None:
                return

    def _jobs(
        self, works: Iterable[ToRead], known: dict[str, tuple[str, bytes | None, bytes | None]]
    ) -> Iterator[ParseJob]:
        """Read files as they are asked for. One that cannot be read, or that has not changed after all, ends here."""
        for work in works:
            source = work.file.source
            try:
                content = read_file(work.file.path)
            except DocumentError as error:
                self._fail(work, None, error, known)
                continue
            state, sha, _ = known.get(source, ("", None, None))
            if state == "ready" and sha == content.sha256 and not work.forced:
                self._report.unchanged += 1
                self._vouch(source, content)
                self._count_file()
                continue
            yield ParseJob(source, content.data, content, work)

    def _take_in(
        self,
        job: ParseJob,
        outcome: Document | DocumentError,
        known: dict[str, tuple[str, bytes | None, bytes | None]],
    ) -> None:
        """Add one outcome to the batch, as a document or as a failure."""
        if isinstance(outcome, DocumentError):
            self._fail(job.work, job.content, outcome, known)
            return
        try:
            chunks = self._chunker.chunk(outcome)
        except Exception as error:  # noqa: BLE001 - whatever a text does to the splitter, the other files must go on
            self._fail(job.work, job.content, _parser_failed(error), known)
            return
        batch, content = self._batch, job.content
        batch.documents.append(_new_document(outcome, chunks, content.sha256, len(content.data), content.modified_ns))
        batch.texts.update(
            (chunk.vector_key, text)
            for chunk, text in zip(chunks, self._chunker.embedded_texts(outcome, chunks), strict=True)
        )
        batch.chunks += len(chunks)
        self._vouch(job.source, content)
        if job.work.instead_of is not None:
            batch.removals.append(job.work.instead_of)
            batch.moved += 1
        elif known.get(job.source, ("failed",))[0] == "failed":
            batch.added += 1
        else:
            batch.changed += 1
        self._count_file()

    def _fail(
        self,
        work: ToRead,
        content: FileContent | None,
        error: DocumentError,
        known: dict[str, tuple[str, bytes | None, bytes | None]],
    ) -> None:
        source, sha = work.file.source, content.sha256 if content else None
        failure = FailedDocument(source, error.reason, error.message, error.remedy, sha)
        state, _, failed_sha = known.get(source, ("", None, None))
        if content is not None:
            self._vouch(source, content)
        if state in ("failed", "stale") and sha == failed_sha:  # recorded already: nothing to commit
            self._report.failures.append(failure)
            self._report.failed += 1
        else:
            self._batch.failures.append(failure)
        self._count_file()

    def _vouch(self, source: str, content: FileContent) -> None:
        if content.stamp is not None:
            self._batch.stamps[source] = (content.stamp, content.sha256)

    def _count_file(self) -> None:
        self._done += 1
        self._tell("reading")

    def _commit(self) -> None:
        batch, report = self._batch, self._report
        if batch.documents or batch.failures:
            self._embed(batch.texts)
            with self._stage("commit"):
                generation = self._store.commit(
                    batch.documents,
                    failures=batch.failures,
                    removals=batch.removals,
                    run=self._run,
                    seconds=time.monotonic() - batch.started,
                )
            self._run = self._run or generation
        self._store.put_stamps(batch.stamps)
        report.added += batch.added
        report.changed += batch.changed
        report.moved += batch.moved
        report.chunks += batch.chunks
        report.failed += len(batch.failures)
        report.failures += batch.failures
        self._batch = _Batch()

    def _embed(self, texts: dict[bytes, str]) -> None:
        with self._stage("embed"):
            self._report.embedded += embed_missing(self._index, self._embedder, texts, lambda: self._tell("embedding"))

    def _tell(self, stage: str) -> None:
        self._progress(Progress(self._done, self._files, self._report.embedded, stage))

    def _stage(self, name: str) -> _Timer:
        return _Timer(self._report.stages, name)


class _Timer:
    """Adds the time of a ``with`` block to a table."""

    def __init__(self, table: dict[str, float], name: str) -> None:
        self._table, self._name = table, name

    def __enter__(self) -> None:
        self._started = time.monotonic()

    def __exit__(self, *error: object) -> None:
        self._table[self._name] = self._table.get(self._name, 0.0) + time.monotonic() - self._started


def carry_out_without_reading(index: Index, plan: Plan, found: Found) -> IngestReport:
    """Do what was planned where no file is to be read: no embedder is needed for that.

    The derived indexes are brought up to date as by any run. The caller holds the writer lock.
    """
    started = time.monotonic()
    report = _report_of(plan, found)
    _rearrange(index, plan)
    report.generation = index.sync()
    report.seconds = time.monotonic() - started
    return report


def _report_of(plan: Plan, found: Found) -> IngestReport:
    """Begin a report with what needs no reading."""
    # Only told, not recorded as documents that failed: a folder is no document, and would stay on record for ever.
    failures = [FailedDocument(s, e.reason, e.message, e.remedy) for s, e in found.unreadable] + plan.failures
    return IngestReport(
        unchanged=plan.unchanged,
        moved=len(plan.moves),
        removed=len(plan.removed),
        gone=plan.gone,
        spared=plan.spared,
        failed=len(failures),
        skipped=found.skipped,
        failures=failures,
    )


def _rearrange(index: Index, plan: Plan) -> int:
    """Rename and remove in one commit, and return the run it began, 0 where there was nothing to do."""
    run = 0
    if plan.moves or plan.removed:
        run = index.store.commit(removals=plan.removed, moves=[(move.old, move.new) for move in plan.moves])
    index.store.put_stamps(plan.stamps)
    return run


def embed_missing(index: Index, embedder: Embedder, texts: dict[bytes, str], tell: Callable[[], None]) -> int:
    """Embed and store the texts (by their hash) that this embedder has not embedded before; return how many."""
    known = index.store.known_vectors(embedder.fingerprint, texts)
    missing = [(key, text) for key, text in texts.items() if key not in known]
    for start in range(0, len(missing), _EMBED_AT_ONCE):
        tell()
        part = missing[start : start + _EMBED_AT_ONCE]
        vectors = embedder.embed_passages([text for _, text in part])
        index.store.put_vectors(
            embedder.fingerprint, {key: vector for (key, _), vector in zip(part, vectors, strict=True)}
        )
    return len(missing)


def reembed(
    index: Index,
    embedder: Embedder,
    chunker: Chunker,
    settings: dict[str, object],
    progress: Callable[[Progress], None] = _ignore,
) -> IngestReport:
    """Chunk and embed the stored texts anew, under other settings, without their files.

    Vectors are stored as they are made, so an interrupted run goes on where it was; the index itself changes in one
    transaction at the end. The caller holds the writer lock.
    """
    started = time.monotonic()
    report = IngestReport()
    files = index.store.counts()["ready"] + index.store.counts()["stale"]
    rechunked: list[NewDocument] = []
    texts: dict[bytes, str] = {}

    def flush() -> None:
        report.embedded += embed_missing(
            index,
            embedder,
            texts,
            lambda: progress(Progress(len(rechunked), files, report.embedded, "embedding")),
        )
        texts.clear()

    for stored in index.store.stored_documents():
        document = Document(stored.source, stored.media_type, stored.title, stored.text, stored.sections, stored.pages)
        chunks = chunker.chunk(document)
        rechunked.append(replace(stored, chunks=chunks))
        texts.update(zip((c.vector_key for c in chunks), chunker.embedded_texts(document, chunks), strict=True))
        report.chunks += len(chunks)
        if len(texts) >= _EMBED_AT_ONCE:
            flush()
    flush()
    index.store.replace_all(rechunked, settings, embedder=embedder.fingerprint, dimension=embedder.dimension)
    report.changed = len(rechunked)
    report.generation = index.sync()
    report.seconds = time.monotonic() - started
    return report


def _new_document(
    document: Document, chunks: tuple[NewChunk, ...], sha: bytes, size: int, modified_ns: int
) -> NewDocument:
    return NewDocument(
        source=document.source,
        content_sha256=sha,
        media_type=document.media_type,
        title=document.title,
        size=size,
        modified_ns=modified_ns,
        pages=document.pages,
        text=document.text,
        sections=document.sections,
        chunks=chunks,
    )
