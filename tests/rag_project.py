"""A folder of documents with its index, on fakes: what the tests of ingestion, retrieval and answering share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from indexes import ChunkRow, Index, IndexReader
from rag.config import Config, load_config
from rag.embedding.base import Embedder, Float32
from rag.embedding.fake import FakeEmbedder
from rag.factory import make_chunker, make_retriever, open_or_create
from rag.generation.base import Completer, Extractor
from rag.generation.fake import FakeCompleter
from rag.ingestion.ingestor import Ingestor
from rag.ingestion.report import IngestReport
from rag.knowledge_base import KnowledgeBase
from rag.model_pool import ModelPool
from rag.retrieval.retriever import Retriever

FOG: dict[str, str | bytes] = {
    "fog.md": (
        "# Fog sensor\n\nThe fog sensor weighs 3.4 kg. It stands on the mast.\n\n## Power\n\nThe heater needs 11 W.\n"
    ),
    "canteen.txt": "Lentil soup is served on Mondays. A bowl costs four tokens.\n",
    "ru/mast.txt": "Датчик тумана стоит на мачте. Мачта высотой 31 метр.\n",
}


class CountingEmbedder(FakeEmbedder):
    """Remembers every passage that it was given, and may be interrupted at one of its calls."""

    def __init__(self, interrupt_at: int = 0) -> None:
        self.calls: list[list[str]] = []
        self._interrupt_at = interrupt_at

    def embed_passages(self, texts: Sequence[str]) -> Float32:
        """Embed, unless this is the call to be interrupted."""
        self.calls.append(list(texts))
        if len(self.calls) == self._interrupt_at:
            raise KeyboardInterrupt
        return super().embed_passages(texts)

    @property
    def texts(self) -> list[str]:
        """All texts of all calls."""
        return [text for call in self.calls for text in call]


class Project:
    """A folder; its index is ``.rag`` in it."""

    def __init__(self, folder: Path, *assignments: str) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.config: Config = load_config("test", assignments).config
        self._index: Index | None = None
        self._readers: list[IndexReader] = []
        self._opened: list[KnowledgeBase] = []

    @property
    def index(self) -> Index:
        """The index, made on first use."""
        if self._index is None:
            self._index = open_or_create(self.folder / ".rag", self.config, FakeEmbedder())
        return self._index

    def write(self, files: dict[str, str | bytes]) -> Project:
        """Write files, in folders where their names say so."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return self

    def ingest(self, *paths: Path, embedder: Embedder | None = None) -> IngestReport:
        """Ingest the paths, by default the whole folder."""
        embedder = embedder or FakeEmbedder()
        ingestor = Ingestor(self.index, embedder, make_chunker(self.config, embedder))
        with self.index.writing("test"):
            return ingestor.run(list(paths) or [self.folder])

    def retriever(self, *assignments: str, embedder: Embedder | None = None) -> Retriever:
        """A retriever over the index."""
        config = load_config("test", assignments).config
        retriever = make_retriever(self.index, config, embedder or FakeEmbedder())
        self._readers.append(retriever.reader)
        return retriever

    def knowledge_base(self, *assignments: str, generator: Completer | Extractor | None = None) -> KnowledgeBase:
        """A knowledge base over the index, its models already there."""
        resolved, models = load_config("test", assignments), ModelPool()
        models.put(resolved.config, embedder=FakeEmbedder(), generator=generator or FakeCompleter())
        opened = KnowledgeBase(self.index.folder, resolved, models)
        self._opened.append(opened)
        return opened

    def close(self) -> None:
        """Let go of everything that was opened."""
        for reader in self._readers:
            reader.close()
        for opened in self._opened:
            opened.close()
        if self._index is not None:
            self._index.store.close()

    def states(self) -> dict[str, str]:
        """The state of every document."""
        return {document.source: document.state for document in self.index.store.documents()}

    def chunks(self) -> list[ChunkRow]:
        """Every chunk, by source and position."""
        rows = self.index.store.chunks(self.index.store.chunk_ids().tolist()).values()
        return sorted(rows, key=lambda row: (row.source, row.start))

    def contents(self) -> list[tuple[object, ...]]:
        """All that an index holds and that does not depend on how it came about."""
        chunks = self.chunks()
        vectors = self.index.store.vectors([row.id for row in chunks])
        return [
            (row.source, row.title, row.start, row.end, row.page, row.headings, row.text, np.round(vector, 3).tolist())
            for row, vector in zip(chunks, vectors, strict=True)
        ]  # fmt: skip
