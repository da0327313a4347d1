"""Files into the index: read, chunk, embed what is new, commit in batches, bring the derived indexes up to date.

What is to be done is decided before (:mod:`rag.ingestion.sync`): an unchanged file is skipped, a moved one renamed, a
changed
one replaces its old self. A batch is some seconds of work and one transaction, so an interruption loses at most the
batch in hand, and of its embeddings at most a part: vectors are stored before the commit that uses them
(:mod:`rag.ingestion.vector_writer`). A file that cannot be read becomes a failed row with a reason and a remedy; the
rest go on.

How bytes become documents is a callable that is handed in (:mod:`rag.ingestion.parse_jobs`); it may work ahead, in
other processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from indexes import FailedDocument, Index, NewChunk, NewDocument
from indexes.memory import give_back
from rag.embedding.base import Embedder
from rag.errors import DocumentError
from rag.ingestion.chunker import Chunker, EmbeddedText
from rag.ingestion.discovery import Found, find_sources
from rag.ingestion.file_stamps import FileContent, read_file
from rag.ingestion.parse_jobs import ParseAll, Parsed, ParseJob, parse_here, parser_failed
from rag.ingestion.report import IngestReport, Progress, StageClock
from rag.ingestion.sync import IngestOptions, Known, Plan, ToRead, make_plan
from rag.ingestion.vector_writer import VectorWriter
from rag.types import Document

__all__ = ["IngestReport", "Ingestor", "Progress", "carry_out_without_reading"]

_COMMIT_AFTER_S = 5.0  # of work, done and to be done: what an interruption can lose
_BATCH_DOCUMENTS = 256
_BATCH_CHARACTERS = 16_000_000  # bounds memory where the embedder is fast
_MUCH = 4_000_000  # characters: after such a batch the memory that it took is given back
_LARGE = 500_000  # characters: such a document takes seconds to cut


@dataclass
class _Batch:
    started: float
    documents: list[NewDocument] = field(default_factory=list)
    texts: dict[bytes, EmbeddedText] = field(default_factory=dict)
    failures: list[FailedDocument] = field(default_factory=list)
    stamps: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    removals: list[str] = field(default_factory=list)
    added: int = 0
    changed: int = 0
    moved: int = 0
    chunks: int = 0
    characters: int = 0
    size: int = 0

    @property
    def empty(self) -> bool:
        return not (self.documents or self.failures or self.stamps)


class _Parsing:
    """Iterates on the clock of the stage ``parse``.

    Here and where jobs are made and handed on, no generator is in the way: it would hold on to what it yielded last, a
    file's bytes and text, while that is embedded.
    """

    def __init__(self, outcomes: Iterator[Parsed | None], stages: StageClock) -> None:
        self._outcomes, self._stages = outcomes, stages

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Parsed | None:
        with self._stages.stage("parse"):
            return next(self._outcomes)


class Ingestor:
    """Ingests into one index. The caller holds the index's writer lock.

    ``stages`` says where the time goes; whoever spends some before hands in a clock that knows of it.
    """

    def __init__(
        self,
        index: Index,
        embedder: Embedder,
        chunker: Chunker,
        progress: Callable[[Progress], None] = lambda _: None,
        parse_all: ParseAll = parse_here,
        stages: StageClock | None = None,
    ) -> None:
        self._index = index
        self._store = index.store
        self._chunker = chunker
        self._progress = progress
        self._parse_all = parse_all
        self._stages = stages or StageClock()
        self._vectors = VectorWriter(index, embedder, self._stages)
        self._report = IngestReport()
        self._files = self._done = self._size = self._size_done = self._run = 0
        self._known: Known = {}
        self._started = self._stages.now()
        self._batch = _Batch(self._started)

    def run(self, paths: Sequence[Path], *, prune: bool = False, force: bool = False) -> IngestReport:
        """Ingest every document below ``paths``. Raises :class:`~rag.errors.InputError` for a wrong path."""
        root = self._index.folder.resolve().parent
        started = self._stages.now()
        with self._stages.stage("find"):
            found = find_sources(paths, root, may_be_gone=prune)
            plan = make_plan(self._store, found, root, IngestOptions(prune=prune, force=force))
        report = self.carry_out(plan, found)
        report.seconds = self._stages.now() - started
        return report

    def carry_out(self, plan: Plan, found: Found) -> IngestReport:
        """Do what was planned."""
        self._started = self._stages.now()
        report = self._report = _report_of(plan, found)
        self._files, self._size = len(found.files), plan.size
        self._done, self._size_done = self._files - len(plan.to_read), 0
        with self._stages.stage("write"):
            self._run = _rearrange(self._index, plan)
        self._batch = _Batch(self._stages.now())
        self._read_all(plan.to_read)
        with self._stages.stage("index"):
            report.generation = self._index.sync(lambda *part: self.tell("indexing", part=part))
        report.embedded, report.tokens = self._vectors.embedded, self._vectors.tokens
        report.seconds, report.stages = self._stages.now() - self._started, self._stages.seconds
        return report

    def _read_all(self, works: Sequence[ToRead]) -> None:
        self._known = self._store.content_hashes()
        jobs = filter(None, map(self._job, works))
        for outcome in _Parsing(self._parse_all(jobs), self._stages):
            if outcome is None:  # the parsers are behind: what is in hand can be done meanwhile
                self.tell("reading")
                self._commit()
                continue
            job, document = outcome
            if isinstance(document, Document) and len(document.text) > _LARGE:
                self._commit()
            self._take_in(job, document)
            del outcome, job, document  # the batch has what it needs: a file's bytes are not held while it is embedded
            if self._is_due():
                self._commit()
        self._commit()

    def _is_due(self) -> bool:
        batch = self._batch
        seconds = self._stages.now() - batch.started + self._vectors.seconds_for(len(batch.texts))
        return (
            seconds >= _COMMIT_AFTER_S
            or len(batch.documents) + len(batch.failures) >= _BATCH_DOCUMENTS
            or batch.characters >= _BATCH_CHARACTERS
        )

    def _job(self, work: ToRead) -> ParseJob | None:
        """Read a file. One that cannot be read, or that has not changed after all, ends here."""
        source = work.file.source
        try:
            with self._stages.stage("read"):
                content = read_file(work.file.path)
        except DocumentError as error:
            self._fail(work, None, error)
            return None
        state, sha, _ = self._known.get(source, ("", None, None))
        if state == "ready" and sha == content.sha256 and not work.forced:
            self._report.unchanged += 1
            self._vouch(source, content)
            self._count_file(_size_of(work))
            return None
        return ParseJob(source, content.data, content, work)

    def _take_in(self, job: ParseJob, outcome: Document | DocumentError) -> None:
        """Add one outcome to the batch, as a document or as a failure."""
        if isinstance(outcome, DocumentError):
            self._fail(job.work, job.content, outcome)
            return
        batch, content = self._batch, job.content
        try:
            chunks, texts = self._cut(outcome)
        except Exception as error:  # noqa: BLE001 - whatever a text does to the splitter, the other files must go on
            self._fail(job.work, content, parser_failed(error))
            return
        batch.documents.append(_new_document(outcome, chunks, content.sha256, len(content.data), content.modified_ns))
        batch.texts.update((chunk.vector_key, text) for chunk, text in zip(chunks, texts, strict=True))
        batch.chunks += len(chunks)
        batch.characters += len(outcome.text)
        batch.size += _size_of(job.work)
        self._vouch(job.source, content)
        if job.work.instead_of is not None:
            batch.removals.append(job.work.instead_of)
            batch.moved += 1
        elif self._known.get(job.source, ("failed",))[0] == "failed":
            batch.added += 1
        else:
            batch.changed += 1
        self._report.bytes += len(content.data)
        self._count_file(0)

    def _cut(self, document: Document) -> tuple[tuple[NewChunk, ...], list[EmbeddedText]]:
        counted = self._chunker.seconds_counting
        with self._stages.stage("chunk"):
            chunks = self._chunker.chunk(document)
            texts = self._chunker.embedded_texts(document, chunks)
        self._stages.shift("chunk", "tokenise", self._chunker.seconds_counting - counted)
        return chunks, texts

    def _fail(self, work: ToRead, content: FileContent | None, error: DocumentError) -> None:
        source, sha = work.file.source, content.sha256 if content else None
        failure = FailedDocument(source, error.reason, error.message, error.remedy, sha)
        state, _, failed_sha = self._known.get(source, ("", None, None))
        if content is not None:
            self._vouch(source, content)
        if state in ("failed", "stale") and sha == failed_sha:  # recorded already: nothing to commit
            self._report.failures.append(failure)
            self._report.failed += 1
        else:
            self._batch.failures.append(failure)
        self._count_file(_size_of(work))

    def _vouch(self, source: str, content: FileContent) -> None:
        if content.stamp is not None:
            self._batch.stamps[source] = (content.stamp, content.sha256)

    def _count_file(self, size_done: int) -> None:
        self._done += 1
        self._size_done += size_done
        self.tell("reading")

    def _commit(self) -> None:
        batch, report = self._batch, self._report
        if batch.empty:
            return
        if batch.documents or batch.failures:
            self._vectors.fill(batch.texts, lambda share: self.tell("embedding", share))
        with self._stages.stage("write"):
            if batch.documents or batch.failures:
                generation = self._store.commit(
                    batch.documents,
                    failures=batch.failures,
                    removals=batch.removals,
                    run=self._run,
                    seconds=self._stages.now() - batch.started,
                )
                self._run = self._run or generation
            self._store.put_stamps(batch.stamps)
        report.added += batch.added
        report.changed += batch.changed
        report.moved += batch.moved
        report.chunks += batch.chunks
        report.failed += len(batch.failures)
        report.failures += batch.failures
        self._size_done += batch.size
        self._batch = _Batch(self._stages.now())
        if batch.characters >= _MUCH:
            del batch
            give_back()

    def tell(self, stage: str, share: float = 0.0, part: tuple[str, int, int] = ("", 0, 0)) -> None:
        """Tell whoever looks on where the run stands; ``share`` of the batch in hand is embedded."""
        self._progress(
            Progress(
                self._done,
                self._files,
                self._vectors.embedded,
                stage,
                bytes_done=self._size_done + int(share * self._batch.size),
                bytes=self._size,
                tokens=self._vectors.tokens,
                seconds=self._stages.now() - self._started,
                stages=self._stages.seconds,
                part=part[0],
                part_done=part[1],
                part_of=part[2],
            )
        )


def carry_out_without_reading(index: Index, plan: Plan, found: Found, stages: StageClock | None = None) -> IngestReport:
    """Do what was planned where no file is to be read: no embedder is needed for that.

    The derived indexes are brought up to date as by any run. The caller holds the writer lock.
    """
    stages = stages or StageClock()
    started = stages.now()
    report = _report_of(plan, found)
    with stages.stage("write"):
        _rearrange(index, plan)
    with stages.stage("index"):
        report.generation = index.sync()
    report.seconds, report.stages = stages.now() - started, stages.seconds
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
        reported=len(plan.failures),
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


def _size_of(work: ToRead) -> int:
    return work.file.status.st_size if work.file.status else 0


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
