"""Retrieval over office documents, with and without reranking: no answers, so it takes half a minute on 2 cores.

    python -m benchmarks.retrieval_office [--split dev|check] [--set KEY=VALUE …]

A question's rank is that of the first passage that holds its first quoted evidence; follow-ups have their history.
nDCG@10 has one relevant passage a question. The last figures are in office.md.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import time

import numpy as np

import rag
from benchmarks.office import DATA, DEPTHS, folded
from benchmarks.squad import WORK
from eval.ranking import ndcg_at_k
from rag.answering.query_rewriting import Turn, rewrite

RERANKINGS = ("off", "reader")


def main() -> None:
    """Print a row for each way of reranking."""
    parser = argparse.ArgumentParser(description="Retrieval over office documents.")
    parser.add_argument("--split", choices=("dev", "check"), default="dev")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    options = parser.parse_args()
    if not DATA.is_dir():
        sys.exit("the office set is needed at ../shared/data/office beside the checkout")
    wanted = set(json.loads((DATA / "splits.json").read_text(encoding="utf-8"))[options.split])
    rows = map(json.loads, (DATA / "questions.jsonl").read_text(encoding="utf-8").splitlines())
    questions = [row for row in rows if row["id"] in wanted and row["evidence"]]
    asked = [
        rewrite(q["question"], [Turn(t["question"], t.get("answer", "")) for t in q["history"]]) for q in questions
    ]
    folder = WORK / "retrieval-office"
    shutil.rmtree(folder, ignore_errors=True)
    settings = [*options.settings, "retrieval.rerank=reader"]
    with rag.open(folder, config="cpu", settings=settings) as knowledge_base:
        knowledge_base.ingest(DATA / "docs")
        print(f"{options.split}: {len(questions)} questions, {knowledge_base.stats().counts['chunks']} chunks")
        retriever = knowledge_base.retriever
        for reranking in RERANKINGS:
            searching = retriever.with_settings(retriever.settings.model_copy(update={"rerank": reranking}))
            started = time.perf_counter()
            found = [searching.retrieve(question.question, k=max(DEPTHS)) for question in asked]
            seconds = time.perf_counter() - started
            ranks = []
            for question, result in zip(questions, found, strict=True):
                evidence = question["evidence"][0]
                quote = folded(evidence["quote"])
                holding = (
                    rank
                    for rank, passage in enumerate(result.passages, start=1)
                    if passage.source.endswith(evidence["source"]) and quote in folded(passage.text)
                )
                ranks.append(float(next(holding, math.inf)))
            print_row(f"rerank {reranking}", ranks, seconds)


def print_row(name: str, ranks: list[float], seconds: float) -> None:
    """Print recall and nDCG@10 of the ranks, which are infinite where nothing was found."""
    recalls = "  ".join(f"R@{depth} {100 * np.mean([rank <= depth for rank in ranks]):5.1f}" for depth in DEPTHS)
    ndcg = np.mean([ndcg_at_k(rank, 10) for rank in ranks])
    print(f"  {name:<14}{recalls}  nDCG@10 {ndcg:.3f}  {1000 * seconds / len(ranks):.0f} ms a question", flush=True)


if __name__ == "__main__":
    main()
