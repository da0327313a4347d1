"""What ingestion costs beyond encoding: chunks a second against bare sentence-transformers on the same texts.

    python -m benchmarks.ingest_overhead            # about 3 minutes on 2 cores; keep the machine idle

The bare side gets every text at once, already chunked, and sorts them by length itself: the best it can do. The
product reads files, chunks, hashes, embeds, commits and builds both indexes. Runs alternate. The last figures are in
benchmarks/ingest_overhead.md.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from pathlib import Path

from benchmarks.squad import WORK, config_for, load_questions, write_paragraphs
from rag.config import Config
from rag.embedding.base import Embedder
from rag.factory import make_chunker, make_embedder, open_or_create
from rag.ingestion.ingestor import Ingestor
from rag.ingestion.loaders import load_bytes

PARAGRAPHS = 600
ROUNDS = 3


def main() -> None:
    """Alternate both sides and print the ratio of their best rates."""
    folder = WORK / "ingest"
    shutil.rmtree(folder, ignore_errors=True)
    questions = load_questions()
    first = dict.fromkeys(q.source for q in questions[::5])
    chosen = set(list(first)[:PARAGRAPHS])
    documents = write_paragraphs(folder, [q for q in questions if q.source in chosen])
    config = config_for()
    embedder = make_embedder(config)
    chunker = make_chunker(config, embedder)
    texts: list[str] = []
    for path in sorted(documents.rglob("*.md")):
        document = load_bytes(path.read_bytes(), path.name)
        texts += map(str, chunker.embedded_texts(document, chunker.chunk(document)))
    embedder.embed_passages(texts[:64])  # warm up
    bare, product = [], []
    for number in range(ROUNDS):
        started = time.monotonic()
        embedder.embed_passages(texts)
        bare.append(len(texts) / (time.monotonic() - started))
        product.append(_ingest(folder / f".rag-{number}", documents, config, embedder, len(texts)))
        print(
            f"round {number + 1}: bare {bare[-1]:.1f} chunks/s, rag ingest {product[-1]:.1f} chunks/s",
            flush=True,
        )
    print(f"sqlite {sqlite3.sqlite_version}; {len(texts)} chunks; rag ingest / bare = {max(product) / max(bare):.3f}")


def _ingest(folder: Path, documents: Path, config: Config, embedder: Embedder, expected: int) -> float:
    index = open_or_create(folder, config, embedder)
    with index.writing("benchmarks.ingest_overhead"):
        report = Ingestor(index, embedder, make_chunker(config, embedder)).run([documents])
    if report.embedded != expected:
        raise SystemExit(f"{report.embedded} chunks were embedded and {expected} expected")
    return report.embedded / report.seconds


if __name__ == "__main__":
    main()
