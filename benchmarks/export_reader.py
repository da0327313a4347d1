"""The int8 graph of a trained extractive model, with activation ranges from invented office documents and prose.

    python -m benchmarks.export_reader models/reader-4 FOLDER      # about a minute on 2 cores

``FOLDER`` gets the graph, the tokenizer and ``reader.json``. Fit its weights next: ``python -m benchmarks.fit_reader``.
(``rag train finish`` does both for a model of your own, on question-sentence pairs.)
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from benchmarks.office import DATA
from rag.extractive_qa.record import ReaderRecord
from rag.extractive_qa.tokenizer import load_tokenizer
from rag.extractive_qa.windows import Pair, Windower
from rag.training.data.pairs import read_pairs
from rag.training.data.synthetic import synthetic_examples
from rag.training.export import export_graph

PAIRS = DATA.parent / "squad-train-sentences"
SENTENCES = 5


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    record = ReaderRecord.load(options.model)
    windower = Windower(load_tokenizer(options.model, str(options.model)), record.window)
    export_graph(options.model, options.target, windower, typical_pairs())
    replace(record, latin_only=True, reads_context=True).save(options.target)


def typical_pairs() -> list[Pair]:
    """Return 300 questions with passages: half of invented office documents, half of prose, right and wrong ones."""
    corpus = read_pairs(PAIRS / "sentences.txt", PAIRS / "questions.txt")
    texts = [" ".join(corpus.sentences[n : n + SENTENCES]) for n in range(0, 150 * SENTENCES, SENTENCES)]
    prose = [Pair(q.text, texts[n % len(texts)]) for n, q in enumerate(corpus.questions[:150])]
    return [
        pair for both in zip((e.pair for e in synthetic_examples(150, seed=8)), prose, strict=True) for pair in both
    ]


if __name__ == "__main__":
    main()
