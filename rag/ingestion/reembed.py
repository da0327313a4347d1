"""An index made anew from its stored texts, under another embedder or other cuts; no file is read for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from indexes import Index, NewDocument
from rag.embedding.base import Embedder
from rag.ingestion.chunker import Chunker, EmbeddedText
from rag.ingestion.report import IngestReport, Progress, StageClock
from rag.ingestion.vector_writer import VectorWriter
from rag.types import Document

__all__ = ["reembed"]

_AT_ONCE = 2048  # texts that are held before they are embedded


def reembed(
    index: Index,
    embedder: Embedder,
    chunker: Chunker,
    settings: dict[str, object],
    progress: Callable[[Progress], None] = lambda _: None,
) -> IngestReport:
    """Chunk and embed the stored texts anew, under other settings, without their files.

    Vectors are stored as they are made, so an interrupted run goes on where it was; the index itself changes in one
    transaction at the end. Documents are cut twice, for their vectors and in that transaction: to hold all of them
    meanwhile would cost as much memory as they have text. The caller holds the writer lock.
    """
    started = time.monotonic()
    report, stages = IngestReport(), StageClock()
    vectors = VectorWriter(index, embedder, stages)
    sizes = index.store.sizes()
    files, total = index.store.counts()["ready"] + index.store.counts()["stale"], sum(sizes.values())
    texts: dict[bytes, EmbeddedText] = {}
    cut = read = written = 0

    def tell(share: float, stage: str = "embed") -> None:
        done = written + int(share * (read - written))
        progress(
            Progress(
                cut, files, vectors.embedded, stage, done, total, vectors.tokens,
                time.monotonic() - started, stages.seconds,
            )
        )  # fmt: skip

    for stored in index.store.stored_documents():
        document = _document(stored)
        with stages.stage("chunk"):
            chunks = chunker.chunk(document)
        texts.update(zip((c.vector_key for c in chunks), chunker.embedded_texts(document, chunks), strict=True))
        cut, read = cut + 1, read + sizes.get(stored.source, 0)
        report.chunks += len(chunks)
        if len(texts) >= _AT_ONCE:
            vectors.fill(texts, tell)
            texts.clear()
            written = read
    vectors.fill(texts, tell)
    with stages.stage("write"):
        again = (replace(stored, chunks=chunker.chunk(_document(stored))) for stored in index.store.stored_documents())
        index.store.replace_all(again, settings, embedder=embedder.fingerprint, dimension=embedder.dimension)
    with stages.stage("index"):
        tell(1.0, "index")
        report.generation = index.sync()
    report.changed, report.embedded, report.tokens = cut, vectors.embedded, vectors.tokens
    stages.shift("chunk", "tokenise", chunker.seconds_counting)
    report.seconds, report.stages = time.monotonic() - started, stages.seconds
    return report


def _document(stored: NewDocument) -> Document:
    return Document(stored.source, stored.media_type, stored.title, stored.text, stored.sections, stored.pages)
