"""How much better the reader could tell that a question has no answer, from what is at hand besides its weights.

    python -m benchmarks.no_answer_features [QUESTIONS]

reads QUESTIONS (2,400, seed 5) of SQuAD v2.0's development set with the bundled reader, each with its paragraph, and
prints the exact match that the best threshold gives: for the margin alone, and for a logistic regression on the margin,
the relevance and eight features of the words, fitted on four fifths and applied to the fifth. The thresholds are chosen
on the questions they are reported on: these are bounds from above, not results. Nothing of it goes into the product.

Last figures (2026-11-21): margin .545; all features .558; always abstaining .498 on these questions.
"""

from __future__ import annotations

import json
import math
import random
import re
import sys
from collections import Counter
from typing import Any

import numpy as np

from benchmarks.squad import DATA
from eval.text_metrics import best_over, exact_match
from rag.config import load_config
from rag.evidence.token_match import content_stems
from rag.generation.base import Extraction, ExtractionTask, PassageText
from rag.generation.registry import make_extractor
from rag.text import one_line
from rag.training.fit_weights import logistic

_NEGATION = re.compile(r"n't\b|\bnot\b|\bnever\b|\bno\b", re.IGNORECASE)
_NAME = re.compile(r"\b[A-Z][\w-]*|\b\d[\d,.]*")


def main() -> None:
    """Run the experiment."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2400
    asked = questions(count)
    stems = Counter(stem for text in {context for context, _ in asked} for stem in content_stems(text))
    x, right, hopeless = [], [], []
    extractor = make_extractor(load_config("cpu").config.generator_settings())
    for start in range(0, len(asked), 200):
        part = asked[start : start + 200]
        tasks = [ExtractionTask(one_line(q["question"]), (PassageText(c, "paragraph", 0, 0.0),)) for c, q in part]
        for (context, q), extraction in zip(part, extractor.extract(tasks), strict=True):
            gold = [answer["text"] for answer in q["answers"]]
            x.append(features(q["question"], context, extraction, stems))
            right.append(bool(gold) and best_over(exact_match, extraction.text, gold) == 1.0)
            hopeless.append(not gold)
    report(np.array(x, dtype=float), np.array(right), np.array(hopeless))


def questions(count: int) -> list[tuple[str, dict[str, Any]]]:
    """Return (paragraph, question) pairs."""
    data = json.loads(DATA.with_name("dev-v2.0.json").read_text(encoding="utf-8"))["data"]
    pairs = [(p["context"], q) for article in data for p in article["paragraphs"] for q in p["qas"]]
    random.Random(5).shuffle(pairs)
    return pairs[:count]


def features(question: str, context: str, extraction: Extraction, known: Counter[str]) -> list[float]:
    """Return the margin, the relevance, and what question, paragraph and the answer's sentence share."""
    if extraction.signals is None:
        return [-15.0, -15.0] + [0.0] * 8
    place = extraction.evidence[0]
    begin = max(context.rfind(". ", 0, place.start), 0)
    end = context.find(". ", place.end)
    sentence = context[begin : end if end >= 0 else len(context)]
    weight = {stem: math.log((len(known) + 1) / (known[stem] + 0.5)) for stem in content_stems(question)}
    there, near = content_stems(context), content_stems(sentence)
    whole = sum(weight.values()) or 1.0
    names = content_stems(" ".join(_NAME.findall(question[1:])))
    return [
        float(np.clip(extraction.signals.margin, -15, 15)),
        float(np.clip(extraction.signals.relevance, -15, 15)),
        sum(w for stem, w in weight.items() if stem in there) / whole,
        sum(w for stem, w in weight.items() if stem in near) / whole,
        len(names - there),
        len(names - near),
        max((w for stem, w in weight.items() if stem not in there), default=0.0),
        float(bool(_NEGATION.search(question)) and not _NEGATION.search(sentence)),
        float(bool(content_stems(extraction.text) & set(weight))),
        len(weight),
    ]


def report(x: Any, right: Any, hopeless: Any) -> None:
    """Print the best exact matches."""
    print(f"always abstaining {hopeless.mean():.3f}")
    print(f"margin            {best(x[:, 0], right, hopeless):.3f}")
    scores, fold = np.zeros(len(x)), np.arange(len(x)) % 5
    signs = np.array([1, 1, 1, 1, -1, -1, -1, -1, -1, 1])  # the fit lets no weight fall below 0
    for part in range(5):
        *weights, bias = logistic((x * signs)[fold != part], right[fold != part], np.ones(int((fold != part).sum())))
        scores[fold == part] = (x * signs)[fold == part] @ np.array(weights) + bias
    print(f"all features      {best(scores, right, hopeless):.3f}")


def best(scores: Any, right: Any, hopeless: Any) -> float:
    """Return the exact match at the best threshold."""
    return max(
        float(np.where(scores >= t, right, hopeless).mean()) for t in np.quantile(scores, np.linspace(0, 1, 200))
    )


if __name__ == "__main__":
    main()
