"""When is nothing relevant? The best cosine of questions the corpus covers against questions it does not.

    python -m benchmarks.relevance_gate             # about 3 minutes on 2 cores

Half of SQuAD v1.1 dev's articles are indexed; 2,000 seeded questions are asked, half about indexed articles, half
about the others. For each threshold on the best cosine (`retrieval.min_relevance`): the share of covered questions
that it would wrongly turn away, and of uncovered ones that it catches. It catches questions off the topic; a question
on the topic whose answer is not there needs the reader's judgement. The last figures are in relevance_gate.md.
"""

from __future__ import annotations

import random

import numpy as np

from benchmarks.squad import WORK, config_for, load_questions, write_paragraphs
from rag.factory import make_chunker, make_embedder, make_retriever, open_or_create
from rag.ingestion.ingestor import Ingestor

SAMPLE = 1000
THRESHOLDS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)


def main() -> None:
    """Print one row a threshold."""
    questions = load_questions()
    articles = sorted({q.source.split("/")[1] for q in questions})
    random.Random(0).shuffle(articles)
    indexed = set(articles[: len(articles) // 2])
    inside = [q for q in questions if q.source.split("/")[1] in indexed]
    outside = [q for q in questions if q.source.split("/")[1] not in indexed]
    config = config_for()
    embedder = make_embedder(config)
    folder = WORK / "gate"
    index = open_or_create(folder / ".rag", config, embedder)
    with index.writing("benchmarks.relevance_gate"):
        Ingestor(index, embedder, make_chunker(config, embedder)).run([write_paragraphs(folder, inside)])
    retriever = make_retriever(index, config, embedder)
    rng = random.Random(1)
    scores = {
        name: np.array(
            [r.relevance for r in retriever.retrieve_batch([q.text for q in rng.sample(group, SAMPLE)], k=1)]
        )
        for name, group in (("inside", inside), ("outside", outside))
    }
    for name, values in scores.items():
        told = ", ".join(f"p{p} {np.percentile(values, p):.3f}" for p in (1, 5, 25, 50, 75, 95, 99))
        print(f"{name:8} best cosine: {told}")
    for threshold in THRESHOLDS:
        wrong, caught = np.mean(scores["inside"] < threshold), np.mean(scores["outside"] < threshold)
        print(
            f"threshold {threshold:.2f}: turns away {wrong:.1%} of covered, catches {caught:.1%} of uncovered questions"
        )


if __name__ == "__main__":
    main()
