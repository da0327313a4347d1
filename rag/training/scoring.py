"""How well a reader marks spans: exact match and F1 on examples with one passage each.

The caller decides how two texts are compared (:data:`Judge`), since SQuAD's rules live outside this package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rag.extractive_qa.engine import MarkedSpan, read_pairs
from rag.extractive_qa.scorer import TorchScorer
from rag.extractive_qa.windows import Windower
from rag.training.data.corpus import Example

__all__ = ["Judge", "mark", "scores"]

Judge = Callable[[str, Sequence[str]], tuple[float, float]]
"""An answer and its golds (none: there is no answer) to exact match and F1, each 0 to 1."""

_BLOCK = 2048  # examples whose windows are in memory at once


def mark(
    model: Any, windower: Windower, examples: Sequence[Example], *, types: bool, batch: int = 64
) -> list[MarkedSpan | None]:
    """Return the best span of every example's passage; None for a passage without a span.

    ``types`` says whether the model takes token types, ``batch`` how many full windows it reads at once.
    """
    scorer = TorchScorer(model, padding=windower.padding, types=types, tokens=batch * windower.settings.size)
    was_training = model.training
    model.eval()
    try:
        readings = []
        for first in range(0, len(examples), _BLOCK):
            pairs = [example.pair for example in examples[first : first + _BLOCK]]
            readings += read_pairs(windower, scorer, pairs, count=1)
        return [reading.spans[0] if reading.spans else None for reading in readings]
    finally:
        model.train(was_training)


def scores(
    examples: Sequence[Example], predicted: Sequence[MarkedSpan | None], judge: Judge, threshold: float = 0.0
) -> dict[str, float]:
    """Return ``em`` and ``f1`` in percent over all examples, ``has_em`` and ``has_f1`` over those with an answer.

    A span with a margin below ``threshold`` counts as no answer, except for ``has_em`` and ``has_f1``.
    """
    figures: dict[str, list[float]] = {"em": [], "f1": [], "has_em": [], "has_f1": []}
    for example, span in zip(examples, predicted, strict=True):
        text = "" if span is None else example.context[span.start : span.end]
        golds = [example.context[a:b] for a, b in example.answers]
        answer = text if span is not None and span.margin >= threshold else ""
        for prefix, given in (("", answer), ("has_", text)) if golds else (("", answer),):
            exact, overlap = judge(given, golds)
            figures[f"{prefix}em"].append(exact)
            figures[f"{prefix}f1"].append(overlap)
    return {name: round(100 * float(np.mean(values)), 3) for name, values in figures.items() if values}
