"""Retrieval quality: SQuAD v1.1 dev as a closed corpus, through the product's own ingest and search.

    python -m benchmarks.retrieval_squad            # all 10,570 questions, about 6 minutes on 2 cores the first time

A paragraph counts as found at the rank of its best chunk. Fusion is measured at the default weight and the others
beside it. The last figures are in benchmarks/retrieval_squad.md.
"""

from __future__ import annotations

import argparse
import math
import random
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.squad import WORK, Question, config_for, load_questions, write_paragraphs
from eval.ranking import ndcg_at_k
from rag.config.schema import RetrievalConfig
from rag.embedding.cached import CachedEmbedder
from rag.factory import make_chunker, make_embedder, open_or_create
from rag.ingestion.ingestor import Ingestor
from rag.retrieval.retriever import Retriever

DEPTH = 40  # chunks fetched for each question, enough for 20 paragraphs in practice


def measure(retriever: Retriever, questions: list[Question]) -> dict[str, float]:
    """Return mean recall at 1, 5, 10 and 20 and nDCG@10, and questions a second."""
    rows = []
    started = time.monotonic()
    for start in range(0, len(questions), 512):
        part = questions[start : start + 512]
        for question, found in zip(part, retriever.retrieve_batch([q.text for q in part], k=DEPTH), strict=True):
            ranked = list(dict.fromkeys(passage.source for passage in found.passages))
            rank = 1 + ranked.index(question.source) if question.source in ranked else math.inf
            rows.append([*(float(rank <= k) for k in (1, 5, 10, 20)), ndcg_at_k(rank, 10)])
    seconds = time.monotonic() - started
    means = np.array(rows).mean(axis=0)
    # The first setting embeds the questions; the others find their vectors in the cache.
    return dict(zip(("R@1", "R@5", "R@10", "R@20", "nDCG@10"), means.tolist(), strict=True)) | {
        "questions/s": len(questions) / seconds
    }


def main() -> None:
    """Ingest (or reuse) the paragraphs and print one row a setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, help="a seeded sample of this many questions")
    parser.add_argument("--set", action="append", default=[], help="configuration assignments, as for `rag ingest`")
    parser.add_argument("--name", default="default", help="the index folder's name, so that settings can be compared")
    args = parser.parse_args()
    questions = load_questions()
    folder = WORK / f"retrieval-{args.name}"
    config = config_for(*args.set)
    embedder = make_embedder(config)
    index = open_or_create(folder / ".rag", config, embedder)
    with index.writing("benchmarks.retrieval_squad"):
        report = Ingestor(index, embedder, make_chunker(config, embedder)).run([write_paragraphs(folder, questions)])
    print(
        f"ingested {report.added} added, {report.unchanged} unchanged, {report.seconds:.1f} s; {index.store.counts()}"
    )
    if args.limit:
        questions = random.Random(0).sample(questions, args.limit)
    settings = [
        ("dense", 1.0),
        ("lexical", 0.0),
        ("rrf", 0.5),
        ("zscore", 0.4),
        ("zscore", 0.5),
        ("zscore", 0.6),
    ]
    with tempfile.TemporaryDirectory() as temporary:
        cached = CachedEmbedder(embedder, Path(temporary) / "vectors.sqlite")
        for fusion, weight in settings:
            retriever = Retriever(index.reader(), cached, RetrievalConfig(k=DEPTH, fusion=fusion, dense_weight=weight))
            figures = measure(retriever, questions)
            print(
                f"{fusion:8} w={weight:.1f} " + "  ".join(f"{name} {value:.4f}" for name, value in figures.items()),
                flush=True,
            )
        cached.close()


if __name__ == "__main__":
    main()
