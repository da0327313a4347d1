"""Answers over a small index on fakes: what the tests of evidence, explanations and feedback share."""

from __future__ import annotations

from pathlib import Path

from fpdf import FPDF

from rag.config import load_config
from rag.embedding.fake import FakeEmbedder
from rag.factory import make_chunker, open_or_create
from rag.generation.fake import FakeCompleter
from rag.ingestion.ingestor import Ingestor
from rag.knowledge_base import KnowledgeBase
from rag.model_pool import ModelPool
from rag.types import Answer, Citation, Passage, Sentence

PUMP = "The pump is tested in March. The lamp is tested in June."


def make_pdf(*pages: str) -> bytes:
    made = FPDF()
    made.set_font("Helvetica", size=14)
    for text in pages:
        made.add_page()
        made.multi_cell(0, 10, text)
    return bytes(made.output())


FILES: dict[str, str | bytes] = {
    "pump.md": f"# Pump\n\n## Tests\n\n{PUMP}\n",
    "manual.pdf": make_pdf("The first page says nothing of note.", "The brass button is held for 7 seconds."),
}


def make_index(folder: Path, files: dict[str, str | bytes] | None = None) -> Path:
    """Write files and ingest them; return the index."""
    docs = folder / "docs"
    for name, content in (files or FILES).items():
        path = docs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    config, embedder = load_config("test").config, FakeEmbedder()
    index = open_or_create(folder / ".rag", config, embedder)
    with index.writing("test"):
        report = Ingestor(index, embedder, make_chunker(config, embedder)).run([docs])
    index.store.close()
    assert not report.failures, report.failures
    return folder / ".rag"


def ask(index: Path, question: str, reply: str | None = None) -> Answer:
    """Ask the index, answered by the fake generator or with the reply."""
    resolved, models = load_config("test"), ModelPool()
    models.put(resolved.config, generator=FakeCompleter(None if reply is None else lambda _: reply))
    with KnowledgeBase(index, resolved, models) as knowledge_base:
        return knowledge_base.ask(question)


def passage(text: str = PUMP, **fields: object) -> Passage:
    known: dict[str, object] = {
        "id": 1, "source": "docs/pump.md", "title": "Pump", "page": None, "headings": ("Pump", "Tests"), "start": 100,
        "end": 100 + len(text), "text": text, "score": 1.0,
    }  # fmt: skip
    return Passage(**{**known, **fields})  # type: ignore[arg-type]


def cited(text: str, *quotes: str, of: Passage | None = None) -> Answer:
    """An answer of one sentence that cites the quotes of a passage."""
    found = of or passage()
    citations = tuple(
        Citation(found, found.start + found.text.index(q), found.start + found.text.index(q) + len(q), q)
        for q in quotes
    )  # fmt: skip
    sentence = Sentence(0, len(text), 0.9, 0 if citations else None)
    return Answer("When?", text, False, 0.9, (sentence,), citations, (found,))
