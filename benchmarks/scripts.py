"""Retrieval by words in scripts without spaces: the right text first, and among the first three.

    python -m benchmarks.scripts [--fused]      # seconds; with --fused, with the vectors of the preset cpu, too

``scripts.yaml`` has 52 texts and 56 questions in Chinese, Japanese, Thai and Korean. All texts are in one index.
Figures are in scripts.md.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml

from indexes.search.lexical_tantivy import TantivyIndex

Search = Callable[[str], list[int]]
SETS = yaml.safe_load((Path(__file__).parent / "scripts.yaml").read_text(encoding="utf-8"))


def questions(language: str, first: int) -> list[tuple[str, int]]:
    """Return the questions of a language with the numbers of their texts, which begin at ``first``."""
    rows = (line.split("|") for line in SETS[language]["questions"].splitlines())
    return [(question.strip(), first + int(number) - 1) for question, number in rows]


def main() -> None:
    """Print recall of each language."""
    parser = argparse.ArgumentParser(description="Recall of the word index in scripts without spaces.")
    parser.add_argument("--fused", action="store_true", help="search with the vectors of the preset cpu, too")
    options = parser.parse_args()
    texts: list[str] = []
    asked = {}
    for language in SETS:
        asked[language] = questions(language, len(texts))
        texts += SETS[language]["texts"].splitlines()
    with tempfile.TemporaryDirectory() as folder:
        search = fused(Path(folder), texts) if options.fused else by_words(Path(folder), texts)
        print(f"{'':<4}{'recall@1':>10}{'recall@3':>10}{'questions':>11}")
        for language, pairs in asked.items():
            ranks = [search(question)[:3] for question, _ in pairs]
            first = sum(found[:1] == [right] for found, (_, right) in zip(ranks, pairs, strict=True))
            three = sum(right in found for found, (_, right) in zip(ranks, pairs, strict=True))
            print(f"{language:<4}{first / len(pairs):>10.1%}{three / len(pairs):>10.1%}{len(pairs):>11}")


def by_words(folder: Path, texts: list[str]) -> Search:
    """Return a search of the word index alone."""
    index = TantivyIndex(folder)
    index.apply(np.arange(len(texts), dtype=np.int64), texts, np.empty(0, dtype=np.int64))
    return lambda question: index.search([question], 3)[0].ids.tolist()


def fused(folder: Path, texts: list[str]) -> Search:
    """Return a search of an index as users make it."""
    import rag

    docs = folder / "docs"
    docs.mkdir()
    for number, text in enumerate(texts):
        (docs / f"{number}.txt").write_text(text + "\n", encoding="utf-8")
    knowledge_base = rag.open(folder / "index", config="cpu")
    knowledge_base.ingest(docs)
    return lambda question: [int(Path(p.source).stem) for p in knowledge_base.search(question, k=3)]


if __name__ == "__main__":
    main()
