"""Compare retrieval and answers for follow-up questions: unchanged, and rewritten without a language model.

    python -m benchmarks.followup                   # about 1 minute on 2 cores

examples/docs is indexed with the cpu preset. Every conversation of benchmarks/followup.txt is asked twice: the
follow-up alone, and rewritten without a language model from the first question. A passage is right if it is of the
right document and holds the words that answer. Intervals are paired bootstraps over the conversations (seed 0). The
last figures are in benchmarks/followup.md.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

import rag
from eval.statistics import bootstrap_mean, mcnemar, paired_bootstrap
from rag.answering.query_rewriting import Turn, rewrite
from rag.types import Passage

HERE = Path(__file__).parent


def main() -> None:
    """Print the rewritten questions and one row per measure."""
    lines = (HERE / "followup.txt").read_text(encoding="utf-8").splitlines()
    conversations = [tuple(line.split(" | ")) for line in lines if not line.startswith("#")]
    asked = [follow for _, _, follow, _, _ in conversations]
    rewritten = [rewrite(follow, [Turn(first, answer)]) for first, answer, follow, _, _ in conversations]
    for one in rewritten:
        print(f"{one.original}  ->  {one.question if one.changed else '(' + one.how + ')'}")
    columns: dict[str, list[list[float]]] = {"right passage first": [], "among the first 5": [], "answered": []}
    with tempfile.TemporaryDirectory() as folder, rag.open(Path(folder) / ".rag") as kb:
        kb.ingest(HERE.parent / "examples" / "docs")
        for questions in (asked, [one.question for one in rewritten]):
            answers = kb.ask_batch(questions)
            found = kb.retriever.retrieve_batch(questions, k=5)
            rows = list(zip(answers, found, conversations, strict=True))
            right = [[_is_right(p, c[3], c[4]) for p in r.passages] for _, r, c in rows]
            columns["right passage first"].append([float(r[0]) for r in right])
            columns["among the first 5"].append([float(any(r)) for r in right])
            columns["answered"].append([float(c[4].casefold() in a.text.casefold()) for a, _, c in rows])
    print(f"{len(conversations)} conversations")
    before, after = ({name: sides[n] for name, sides in columns.items()} for n in (0, 1))
    for name, gain in paired_bootstrap(before, after).items():
        p = mcnemar(np.array(before[name]) > 0, np.array(after[name]) > 0).p
        told = [bootstrap_mean(values) for values in columns[name]]
        shown = ", ".join(f"{i.mean:.1%} ({i.low:.1%} to {i.high:.1%})" for i in told)
        print(f"{name:20} as asked, rewritten: {shown}")
        print(f"{'':20} difference {gain.difference:+.1%} ({gain.low:+.1%} to {gain.high:+.1%}), {p=:.4f}")


def _is_right(passage: Passage, document: str, words: str) -> bool:
    return passage.source.endswith(document) and words.casefold() in " ".join(passage.text.casefold().split())


if __name__ == "__main__":
    main()
