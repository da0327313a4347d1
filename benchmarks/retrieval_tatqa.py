"""Retrieval over financial tables and paragraphs: TAT-QA dev, one Markdown document for each of its 278 contexts.

    python -m benchmarks.retrieval_tatqa [--set KEY=VALUE …]      # about 2 minutes on 2 cores

A question's gold is the document of its context, which has the rank of its best passage. Many questions name neither
company nor subject ("What was the total in 2019?"), so no retrieval can find all. The data is
``../shared/data/tatqa/dev.json``. The last figures are in retrieval_tatqa.md.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import rag
from benchmarks.office import DEPTHS
from benchmarks.retrieval_office import print_row
from benchmarks.squad import WORK
from rag.ingestion.loaders.grid import plain_table
from rag.ingestion.loaders.table_text import table_text

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "tatqa" / "dev.json"
_PASSAGES = 10 * max(DEPTHS)  # enough for that many documents


def main() -> None:
    """Print one row."""
    parser = argparse.ArgumentParser(description="Retrieval over TAT-QA dev.")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    options = parser.parse_args()
    if not DATA.is_file():
        sys.exit("TAT-QA is needed at ../shared/data/tatqa/dev.json beside the checkout")
    contexts = json.loads(DATA.read_text(encoding="utf-8"))
    folder = WORK / "retrieval-tatqa"
    shutil.rmtree(folder, ignore_errors=True)
    texts = folder / "contexts"
    texts.mkdir(parents=True)
    for number, context in enumerate(contexts):
        (texts / f"{number:03d}.md").write_text(document(context), encoding="utf-8")
    settings = ["retrieval.rerank=off", *options.settings]
    with rag.open(folder / ".rag", config="cpu", settings=settings) as knowledge_base:
        knowledge_base.ingest(texts)
        retriever = knowledge_base.retriever
        asked = [(q["question"], n) for n, context in enumerate(contexts) for q in context["questions"]]
        started = time.perf_counter()
        found = retriever.retrieve_batch([question for question, _ in asked], k=_PASSAGES)
        seconds = time.perf_counter() - started
        ranks = []
        for (_, number), result in zip(asked, found, strict=True):
            documents = [Path(source).stem for source in dict.fromkeys(p.source for p in result.passages)]
            name = f"{number:03d}"
            ranks.append(float(documents.index(name) + 1 if name in documents else math.inf))
        print(f"{len(asked)} questions, {knowledge_base.stats().counts['chunks']} chunks")
        print_row("documents", ranks, seconds)


def document(context: dict[str, Any]) -> str:
    """Return a context's table, as the product writes tables, and its paragraphs in their order."""
    header, *rows = context["table"]["table"]
    paragraphs = sorted(context["paragraphs"], key=lambda paragraph: paragraph["order"])
    return "\n\n".join([table_text(plain_table(header, rows)), *(paragraph["text"] for paragraph in paragraphs)]) + "\n"


if __name__ == "__main__":
    main()
