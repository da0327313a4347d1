"""Rebuilds an index from its stored texts with another embedder or other chunks. No file is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from indexes import Index, NewDocument
from rag.embedding.base import Embedder
from rag.ingestion.chunker import Chunker, EmbeddedText
from rag.ingestion.report import IngestReport, Progress, StageClock
from rag.ingestion.vector_writer import VectorWriter
from rag.types import Document

__all__ = ["reembed"]

_BATCH_TEXTS = 2048  # that are in memory before they are embedded


@dataclass
class _Done:
    """What has been chunked and embedded so far; sizes are those of the documents' files."""

    documents: int = 0
    chunks: int = 0
    bytes_chunked: int = 0
    bytes_embedded: int = 0


def reembed(
    index: Index,
    embedder: Embedder,
    chunker: Chunker,
    settings: dict[str, object],
    progress: Callable[[Progress], None] = lambda _: None,
) -> IngestReport:
    """Chunk and embed the stored texts with other settings.

    Vectors are stored as they are computed, so an interrupted run continues from there; the index itself changes in one
    transaction at the end. Documents are chunked twice, for their vectors and in that transaction: keeping the chunks
    would take as much memory as the texts. The caller holds the writer lock.
    """
    stages = StageClock()
    vectors, store = VectorWriter(index, embedder, stages), index.store
    counts, sizes = store.counts(), store.sizes()
    files, total = counts["ready"] + counts["stale"], sum(sizes.values())
    done, texts = _Done(), dict[bytes, EmbeddedText]()

    def show(share: float, stage: str = "embed") -> None:
        bytes_done = done.bytes_embedded + int(share * (done.bytes_chunked - done.bytes_embedded))
        seconds = stages.now() - stages.began
        progress(
            Progress(
                done.documents, files, vectors.embedded, stage, bytes_done, total, vectors.tokens, seconds,
                stages.seconds,
            )
        )  # fmt: skip

    for stored in store.stored_documents():
        document = _document(stored)
        with stages.stage("chunk"):
            chunks = chunker.chunk(document)
        texts.update(zip((c.vector_key for c in chunks), chunker.embedded_texts(document, chunks), strict=True))
        done.documents += 1
        done.chunks += len(chunks)
        done.bytes_chunked += sizes.get(stored.source, 0)
        if len(texts) >= _BATCH_TEXTS:
            vectors.write(texts, show)
            texts.clear()
            done.bytes_embedded = done.bytes_chunked
    vectors.write(texts, show)
    with stages.stage("write"):
        rechunked = (replace(stored, chunks=chunker.chunk(_document(stored))) for stored in store.stored_documents())
        store.replace_all(rechunked, settings, embedder=embedder.fingerprint, dimension=embedder.dimension)
    with stages.stage("index"):
        show(1.0, "index")
        generation = index.sync()
    stages.shift("chunk", "tokenise", chunker.seconds_counting)
    return IngestReport(
        changed=done.documents,
        chunks=done.chunks,
        embedded=vectors.embedded,
        tokens=vectors.tokens,
        generation=generation,
        seconds=stages.now() - stages.began,
        stages=stages.seconds,
    )


def _document(stored: NewDocument) -> Document:
    return Document(
        stored.source, stored.media_type, stored.title, stored.text, stored.sections, stored.pages, stored.notes
    )
