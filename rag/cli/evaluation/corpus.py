"""The paragraphs of a dataset as an index, reused while data and settings are the same."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from eval.datasets import Dataset, corpus_sha256
from eval.files import write_text
from indexes.system import sha256_json
from rag.config import Resolved
from rag.errors import RagError
from rag.factory import index_settings
from rag.ingestion.report import Progress
from rag.knowledge_base import KnowledgeBase
from rag.model_pool import ModelPool
from rag.text import counted

__all__ = ["corpus_index"]

ShowIngestion = Callable[[], AbstractContextManager[Callable[[Progress], None]]]


def corpus_index(dataset: Dataset, resolved: Resolved, models: ModelPool, out: Path, bar: ShowIngestion) -> Path:
    """Return the folder of an index of every paragraph; an interrupted ingestion is continued.

    Raises :class:`~rag.errors.RagError` if a paragraph cannot be ingested: part of a corpus would be too easy.
    """
    config = resolved.config
    settings = index_settings(config, models.embedder(config)) | {"dense": config.index.dense.model_dump(mode="json")}
    settings["languages"] = list(config.index.languages)
    root = out / "corpora" / corpus_sha256(dataset)[:12]
    folder = root / f"index-{sha256_json(settings)[:12]}"
    complete = folder / "complete"
    if complete.is_file():
        return folder
    documents = root / "documents"
    for paragraph in dataset.paragraphs:
        path = documents / paragraph.source
        text = f"# {paragraph.title}\n\n{paragraph.text}\n" if paragraph.title else f"{paragraph.text}\n"
        if not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != text:  # a kill may have cut it
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
    with KnowledgeBase(folder, resolved, models) as knowledge_base, bar() as show:
        report = knowledge_base.ingest(documents, progress=show, purpose="rag eval")
    if report.failures:
        first = report.failures[0]
        raise RagError(
            f"{counted(len(report.failures), 'paragraph')} could not be ingested, first {first.source}: "
            f"{first.message}",
            f"{first.remedy}; to start over, delete {root}",
        )
    complete.touch()
    return folder
