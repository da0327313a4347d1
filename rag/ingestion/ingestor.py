"""Carries out a plan: reads, chunks and embeds files, commits them in batches, and updates the search indexes.

:mod:`rag.ingestion.sync` decides what is done. A batch is a few seconds of work and one transaction, so an interruption
loses at most one batch, and of its embeddings only a part: vectors are stored before the commit that uses them
(:mod:`rag.ingestion.vector_writer`). A file that cannot be read becomes a failed row with a reason and a remedy, and
the run continues.

The parser is a callable (:data:`ParseAll`): :func:`parse_here`, or a pool of processes that works ahead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from indexes import FailedDocument, Index, NewChunk, NewDocument
from indexes.system import release_memory
from rag.embedding.base import Embedder
from rag.errors import DocumentError
from rag.ingestion.chunker import Chunker, EmbeddedText
from rag.ingestion.discovery import Found, find_sources
from rag.ingestion.file_stamps import MOST_BYTES, FileContent, read_file
from rag.ingestion.loaders import load_bytes
from rag.ingestion.loaders.word_boxes import pack_boxes
from rag.ingestion.report import IngestReport, Progress, StageClock
from rag.ingestion.sync import IngestOptions, Known, Plan, ToRead, make_plan
from rag.ingestion.vector_writer import VectorWriter
from rag.text import error_line
from rag.types import Document

__all__ = ["FileState", "Ingestor", "Job", "ParseAll", "Parsed", "carry_out_without_reading", "parse_here"]

FileState = Literal["parsing", "read", "failed"]
Job = tuple[str, bytes]
"""A file to parse: its name in the index, and its content."""
Parsed = tuple[Job, Document | DocumentError]
ParseAll = Callable[[Iterable[Job]], Iterator[Parsed | None]]
"""Takes jobs as it is ready for them, and yields each with its outcome, in the same order. It yields None while the
next outcome takes long, so that the caller can do something else. It does not hold on to what it has yielded."""

_COMMIT_SECONDS = 5.0  # of work, done and still to do: the most that an interruption can lose
_BATCH_DOCUMENTS = 256
_BATCH_CHARACTERS = 16_000_000  # limits memory if the embedder is fast
_LARGE_BATCH = 4_000_000  # characters: after such a batch its memory is returned to the system
_LARGE_DOCUMENT = 500_000  # characters: such a document takes seconds to chunk


@dataclass
class _Batch:
    """Documents and failures that are committed together. ``size`` counts the bytes of their files."""

    started: float
    documents: list[NewDocument] = field(default_factory=list)
    texts: dict[bytes, EmbeddedText] = field(default_factory=dict)
    failures: list[FailedDocument] = field(default_factory=list)
    stamps: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    removals: list[str] = field(default_factory=list)
    characters: int = 0
    size: int = 0

    @property
    def has_documents(self) -> bool:
        """Whether there is anything to commit besides stamps."""
        return bool(self.documents or self.failures)

    def keep_stamp(self, source: str, content: FileContent) -> None:
        """Store the file's stamp with this batch, if it has one."""
        if content.stamp is not None:
            self.stamps[source] = (content.stamp, content.sha256)


def parse_here(jobs: Iterable[Job]) -> Iterator[Parsed]:
    """Parse in this process, one file after the other."""
    return map(_parse, jobs)


def _parse(job: Job) -> Parsed:
    source, data = job
    try:
        return job, load_bytes(data, source)
    except DocumentError as error:
        return job, error


class Ingestor:
    """Ingests into one index. The caller holds the index's writer lock.

    ``on_file`` gets the source of a file and what becomes of it. ``stages`` measures where the time goes; it may have
    measured earlier stages already.
    """

    def __init__(
        self,
        index: Index,
        embedder: Embedder,
        chunker: Chunker,
        progress: Callable[[Progress], None] = lambda _: None,
        parse_all: ParseAll = parse_here,
        stages: StageClock | None = None,
        on_file: Callable[[str, FileState], None] = lambda *_: None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._index = index
        self._store = index.store
        self._chunker = chunker
        self._progress = progress
        self._parse_all = parse_all
        self._on_file = on_file
        self._most_bytes = most_bytes
        self._stages = stages or StageClock()
        self._vectors = VectorWriter(index, embedder, self._stages)
        self._report = IngestReport()
        self._files = self._files_done = self._size = self._size_done = self._run = 0
        self._known: Known = {}
        self._waiting: deque[tuple[ToRead, FileContent]] = deque()  # with the parser
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
        """Carry a plan out."""
        self._started = self._stages.now()
        report = self._report = _new_report(plan, found)
        self._files, self._size = len(found.files), plan.size
        self._files_done, self._size_done = self._files - len(plan.to_read), 0
        with self._stages.stage("write"):
            self._run = _rename_and_remove(self._index, plan)
        self._batch = _Batch(self._stages.now())
        self._read_all(plan.to_read)
        with self._stages.stage("index"):
            report.generation = self._index.sync(lambda *part: self.show("indexing", part=part))
        report.embedded, report.tokens = self._vectors.embedded, self._vectors.tokens
        report.seconds, report.stages = self._stages.now() - self._started, self._stages.seconds
        return report

    def show(self, stage: str, share: float = 0.0, part: tuple[str, int, int] = ("", 0, 0)) -> None:
        """Report the state of the run to ``progress``. ``share`` of the current batch is embedded."""
        self._progress(
            Progress(
                self._files_done,
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

    def _read_all(self, items: Sequence[ToRead]) -> None:
        self._known = self._store.content_hashes()
        with self._stages.stage("parse"):
            # No generator is between parser and loop: it would hold on to a file and its text while that is embedded.
            for outcome in self._parse_all(filter(None, map(self._job, items))):
                if outcome is None:  # the parsers are slow: use the time to commit
                    self.show("reading")
                    self._commit()
                    continue
                document, (item, content) = outcome[1], self._waiting.popleft()
                self._on_file(item.file.source, "failed" if isinstance(document, DocumentError) else "read")
                if isinstance(document, Document) and len(document.text) > _LARGE_DOCUMENT:
                    self._commit()
                self._add(item, content, document)
                del outcome, item, content, document  # frees the file's bytes before its text is embedded
                if self._is_due():
                    self._commit()
        self._commit()

    def _is_due(self) -> bool:
        batch = self._batch
        seconds = self._stages.now() - batch.started + self._vectors.seconds_for(len(batch.texts))
        return (
            seconds >= _COMMIT_SECONDS
            or len(batch.documents) + len(batch.failures) >= _BATCH_DOCUMENTS
            or batch.characters >= _BATCH_CHARACTERS
        )

    def _job(self, item: ToRead) -> Job | None:
        """Read a file. Return None if it cannot be read or has not changed."""
        source = item.file.source
        try:
            with self._stages.stage("read"):
                content = item.file.content or read_file(
                    item.file.path, most_bytes=self._most_bytes, follow=item.file.linked
                )
        except DocumentError as error:
            self._fail(item, None, error)
            return None
        state, sha, _ = self._known.get(source, ("", None, None))
        if state == "ready" and sha == content.sha256 and not item.forced:
            self._report.unchanged += 1
            self._batch.keep_stamp(source, content)
            self._count_file(item.file.size)
            return None
        self._waiting.append((item, content))
        self._on_file(source, "parsing")
        return source, content.data

    def _add(self, item: ToRead, content: FileContent, outcome: Document | DocumentError) -> None:
        """Add what a file became to the batch, as a document or as a failure."""
        if isinstance(outcome, DocumentError):
            self._fail(item, content, outcome)
            return
        try:
            chunks, texts = self._chunk(outcome)
        except Exception as error:  # noqa: BLE001 - of the splitter or the tokenizer: no file stops the run
            failure = DocumentError("parser", f"its text cannot be split: {error_line(error, 200)}", "report the file")
            self._fail(item, content, failure)
            return
        batch, report = self._batch, self._report
        batch.documents.append(_new_document(outcome, chunks, content))
        batch.texts.update((chunk.vector_key, text) for chunk, text in zip(chunks, texts, strict=True))
        batch.characters += len(outcome.text)
        batch.size += item.file.size
        batch.keep_stamp(item.file.source, content)
        if item.instead_of is not None:
            batch.removals.append(item.instead_of)
            report.moved += 1
        elif item.what == "added":
            report.added += 1
        else:
            report.changed += 1
        if outcome.notes:
            report.notes[outcome.source] = outcome.notes
        report.chunks += len(chunks)
        report.bytes += len(content.data)
        self._count_file(0)

    def _chunk(self, document: Document) -> tuple[tuple[NewChunk, ...], list[EmbeddedText]]:
        counting = self._chunker.seconds_counting
        with self._stages.stage("chunk"):
            chunks = self._chunker.chunk(document)
            texts = self._chunker.embedded_texts(document, chunks)
        self._stages.shift("chunk", "tokenise", self._chunker.seconds_counting - counting)
        return chunks, texts

    def _fail(self, item: ToRead, content: FileContent | None, error: DocumentError) -> None:
        source, sha = item.file.source, content.sha256 if content else None
        failure = FailedDocument(source, error.reason, error.message, error.remedy, sha)
        self._report.failures.append(failure)
        self._report.failed += 1
        state, _, failed_sha = self._known.get(source, ("", None, None))
        if content is not None:
            self._batch.keep_stamp(source, content)
        if state not in ("failed", "stale") or sha != failed_sha:  # else it is recorded already
            self._batch.failures.append(failure)
        self._count_file(item.file.size)

    def _count_file(self, size: int) -> None:
        self._files_done += 1
        self._size_done += size
        self.show("reading")

    def _commit(self) -> None:
        batch = self._batch
        if not batch.has_documents and not batch.stamps:
            return
        if batch.has_documents:
            self._vectors.write(batch.texts, lambda share: self.show("embedding", share))
        with self._stages.stage("write"):
            if batch.has_documents:
                generation = self._store.commit(
                    batch.documents,
                    failures=batch.failures,
                    removals=batch.removals,
                    run=self._run,
                    seconds=self._stages.now() - batch.started,
                )
                self._run = self._run or generation
            self._store.put_stamps(batch.stamps)
        self._size_done += batch.size
        self._batch = _Batch(self._stages.now())
        if batch.characters >= _LARGE_BATCH:
            del batch
            release_memory()


def carry_out_without_reading(index: Index, plan: Plan, found: Found, stages: StageClock | None = None) -> IngestReport:
    """Carry out a plan without files to read. It needs no embedder.

    The search indexes are updated as by any run. The caller holds the writer lock.
    """
    stages = stages or StageClock()
    started = stages.now()
    report = _new_report(plan, found)
    with stages.stage("write"):
        _rename_and_remove(index, plan)
    with stages.stage("index"):
        report.generation = index.sync()
    report.seconds, report.stages = stages.now() - started, stages.seconds
    return report


def _new_report(plan: Plan, found: Found) -> IngestReport:
    """Return a report of what needs no reading."""
    # Unreadable folders are only reported: a failed row for a folder, which is no document, would stay for ever.
    failures = [FailedDocument(s, e.reason, e.message, e.remedy) for s, e in found.unreadable] + plan.failures
    return IngestReport(
        unchanged=plan.unchanged,
        moved=len(plan.moves),
        removed=len(plan.removed),
        gone=plan.gone,
        ignored=plan.ignored,
        spared=plan.spared,
        failed=len(failures),
        reported=len(plan.failures),
        skipped=found.skipped,
        failures=failures,
    )


def _rename_and_remove(index: Index, plan: Plan) -> int:
    """Rename and remove documents in one commit. Return the run that it began, 0 if there was nothing to do."""
    run = 0
    if plan.moves or plan.removed:
        run = index.store.commit(removals=plan.removed, moves=[(move.old, move.new) for move in plan.moves])
    index.store.put_stamps(plan.stamps)
    return run


def _new_document(document: Document, chunks: tuple[NewChunk, ...], content: FileContent) -> NewDocument:
    return NewDocument(
        source=document.source,
        content_sha256=content.sha256,
        media_type=document.media_type,
        title=document.title,
        size=len(content.data),
        modified_ns=content.modified_ns,
        pages=document.pages,
        text=document.text,
        sections=document.sections,
        chunks=chunks,
        notes=document.notes,
        boxes=pack_boxes(document.boxes),
    )
