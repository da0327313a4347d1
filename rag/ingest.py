"""Files into the index: read, chunk, embed what is new, commit in batches, bring the derived indexes up to date.

A file whose content hash is known is skipped; a changed one replaces its old self. Every batch is one transaction,
so an interruption loses at most the batch in hand, and not even its embeddings: vectors are stored before the
commit that uses them. A file that cannot be read becomes a failed row with a reason and a remedy; the rest go on.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from indexes import FailedDocument, Index, NewChunk, NewDocument
from rag.chunking import Chunker
from rag.embedding import Embedder
from rag.errors import DocumentError
from rag.loaders import load_bytes
from rag.records import Document
from rag.sources import Found, SourceFile, find_sources

__all__ = ["IngestReport", "Ingestor", "Progress", "ingest_unchanged", "reembed"]

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
    """What a run did. ``embedded`` counts the vectors that had to be computed; ``seconds`` is wall-clock."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    failed: int = 0
    chunks: int = 0
    embedded: int = 0
    generation: int = 0
    seconds: float = 0.0
    skipped: dict[str, int] = field(default_factory=dict)
    failures: list[FailedDocument] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)


@dataclass
class _Batch:
    documents: list[NewDocument] = field(default_factory=list)
    texts: dict[bytes, str] = field(default_factory=dict)
    failures: list[FailedDocument] = field(default_factory=list)
    chunks: int = 0

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
    ) -> None:
        self._index = index
        self._store = index.store
        self._embedder = embedder
        self._chunker = chunker
        self._progress = progress
        self._report = IngestReport()
        self._files = self._done = 0

    def run(self, paths: Sequence[Path]) -> IngestReport:
        """Ingest every document below ``paths``. Raises :class:`~rag.errors.InputError` for a wrong path."""
        return self.read(find_sources(paths, self._index.folder.resolve().parent))

    def read(self, found: Found) -> IngestReport:
        """Ingest what was found."""
        started = time.monotonic()
        report = self._report = IngestReport(skipped=found.skipped)
        # Only told, not recorded as documents that failed: a folder is no document, and would stay on record for ever.
        report.failures = [FailedDocument(s, e.reason, e.message, e.remedy) for s, e in found.unreadable]
        report.failed = len(report.failures)
        self._files, self._done = len(found.files), 0
        for batch in self._batches(found.files):
            self._commit(batch)
        with self._stage("index"):
            self._tell("indexing")
            report.generation = self._index.sync()
        report.seconds = time.monotonic() - started
        return report

    def _batches(self, files: Iterable[SourceFile]) -> Iterator[_Batch]:
        known = self._store.content_hashes()
        batch = _Batch()
        for file in files:
            with self._stage("read"):
                self._read(file, known, batch)
            self._done += 1
            self._tell("reading")
            if batch.full():
                yield batch
                batch = _Batch()
        yield batch

    def _read(self, file: SourceFile, known: dict[str, tuple[str, bytes | None, bytes | None]], batch: _Batch) -> None:
        """Add one file to the batch, as a document, as a failure, or not at all if it has not changed."""
        state, known_sha, failed_sha = known.get(file.source, ("", None, None))
        sha: bytes | None = None
        try:
            data, modified_ns = _read_file(file.path)
            sha = hashlib.sha256(data).digest()
            if state == "ready" and sha == known_sha:
                self._report.unchanged += 1
                return
            document, chunks = self._parse(data, file.source)
        except DocumentError as error:
            failure = FailedDocument(file.source, error.reason, error.message, error.remedy, sha)
            if state in ("failed", "stale") and sha == failed_sha:  # recorded already: nothing to commit
                self._report.failures.append(failure)
                self._report.failed += 1
            else:
                batch.failures.append(failure)
            return
        batch.documents.append(_new_document(document, chunks, sha, len(data), modified_ns))
        batch.texts.update(
            (chunk.vector_key, text)
            for chunk, text in zip(chunks, self._chunker.embedded_texts(document, chunks), strict=True)
        )
        batch.chunks += len(chunks)
        if state in ("ready", "stale"):
            self._report.changed += 1
        else:
            self._report.added += 1

    def _parse(self, data: bytes, source: str) -> tuple[Document, tuple[NewChunk, ...]]:
        try:
            document = load_bytes(data, source)
            return document, self._chunker.chunk(document)
        except DocumentError:
            raise
        except Exception as error:  # whatever a parser trips over, the other files must go on
            told = " ".join(str(error).split())[:200]
            message = f"its parser failed: {type(error).__name__}: {told}"
            raise DocumentError("parser", message, "report the file") from error

    def _commit(self, batch: _Batch) -> None:
        if not batch.documents and not batch.failures:
            return
        self._embed(batch.texts)
        with self._stage("commit"):
            self._store.commit(batch.documents, failures=batch.failures)
        self._report.chunks += batch.chunks
        self._report.failed += len(batch.failures)
        self._report.failures += batch.failures

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


def ingest_unchanged(index: Index, found: Found) -> IngestReport | None:
    """Return the report of a run over files of which not one has changed, or None where an embedder is needed.

    The derived indexes are brought up to date as by any run. The caller holds the writer lock.
    """
    started = time.monotonic()
    known = index.store.content_hashes()
    if found.unreadable or any(known.get(file.source, ("",))[0] != "ready" for file in found.files):
        return None
    for file in found.files:
        try:
            data, _ = _read_file(file.path)
        except DocumentError:
            return None
        if hashlib.sha256(data).digest() != known[file.source][1]:
            return None
    report = IngestReport(unchanged=len(found.files), skipped=found.skipped, generation=index.sync())
    report.seconds = time.monotonic() - started
    return report


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


def _read_file(path: Path) -> tuple[bytes, int]:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise DocumentError("file name", "the file's name is not valid UTF-8", "rename it") from None
    try:
        if path.is_symlink() and not path.exists():
            target = os.fsencode(path.readlink()).decode("utf-8", "backslashreplace")
            raise DocumentError(
                "dangling link", f"it is a link to {target}, which does not exist", "mend or remove the link"
            )
        if not path.is_file():
            raise DocumentError("not a file", "it is neither a file nor a folder", "name a regular file")
        return path.read_bytes(), path.stat().st_mtime_ns
    except OSError as error:
        raise DocumentError("unreadable", f"it cannot be read: {error.strerror}", "check its permissions") from None


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
