"""How well a reader marks spans: exact match and F1 on examples with one passage each.

How two texts are compared is the caller's affair (:data:`Judge`), since SQuAD's rules live outside this package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rag.extractive_qa.decode import best_spans, null_score
from rag.extractive_qa.windows import Windower
from rag.training.data.corpus import Example
from rag.training.data.features import Collator

__all__ = ["Judge", "Predicted", "mark", "scores"]

Judge = Callable[[str, Sequence[str]], tuple[float, float]]
"""An answer and its golds (none: there is no answer) to exact match and F1, each 0 to 1."""

_BLOCK = 2048  # examples whose windows are held at once


@dataclass(frozen=True, slots=True)
class Predicted:
    """The best span of a passage, its score over that of "no answer", and the relevance head's log-odds."""

    start: int
    end: int
    margin: float
    relevance: float


def mark(
    model: Any, windower: Windower, examples: Sequence[Example], *, types: bool, batch: int = 64
) -> list[Predicted | None]:
    """Read every example's passage; None where it has no token, or no span between words.

    Windows are read in the order of their length. ``types`` says whether the model takes token types.
    """
    was_training = model.training
    model.eval()
    try:
        blocks = (examples[begin : begin + _BLOCK] for begin in range(0, len(examples), _BLOCK))
        return [marked for block in blocks for marked in _mark(model, windower, block, types=types, batch=batch)]
    finally:
        model.train(was_training)


def _mark(
    model: Any, windower: Windower, examples: Sequence[Example], *, types: bool, batch: int
) -> list[Predicted | None]:
    import torch

    windows = windower.cut([e.question for e in examples], [e.context for e in examples])
    order = sorted(range(len(windows)), key=lambda n: len(windows[n].ids))
    pad = Collator(windower.padding, types=types)
    best: list[Predicted | None] = [None] * len(examples)
    device = next(model.parameters()).device
    for begin in range(0, len(order), batch):
        chosen = [windows[n] for n in order[begin : begin + batch]]
        rows = [
            {"input_ids": list(w.ids), "token_type_ids": list(w.types), "start_positions": 0, "end_positions": 0}
            for w in chosen
        ]
        inputs = {k: v.to(device) for k, v in pad(rows).items() if not k.endswith("_positions")}
        with torch.inference_mode():
            told = model(**inputs)
        starts, ends = told.start.float().cpu().numpy(), told.end.float().cpu().numpy()
        relevance = told.relevance.float().cpu().numpy()
        for n, window in enumerate(chosen):
            spans = best_spans(
                window,
                examples[window.pair].context,
                starts[n],
                ends[n],
                longest=windower.settings.answer,
            )
            for span in spans:
                margin = span.score - null_score(starts[n], ends[n])
                before = best[window.pair]
                if before is None or margin > before.margin:
                    best[window.pair] = Predicted(span.start, span.end, margin, float(relevance[n]))
    return best


def scores(
    examples: Sequence[Example], predicted: Sequence[Predicted | None], judge: Judge, threshold: float = 0.0
) -> dict[str, float]:
    """Return ``em`` and ``f1`` in percent over all examples, and over those with an answer ``has_em`` and ``has_f1``.

    A span whose margin is below ``threshold`` is no answer; over those with an answer the best span counts whatever its
    margin.
    """
    em: list[float] = []
    f1: list[float] = []
    has_em: list[float] = []
    has_f1: list[float] = []
    for example, span in zip(examples, predicted, strict=True):
        text = "" if span is None else example.context[span.start : span.end]
        golds = [example.context[a:b] for a, b in example.answers]
        given = text if span is not None and span.margin >= threshold else ""
        exact, overlap = judge(given, golds)
        em.append(exact)
        f1.append(overlap)
        if golds:
            exact, overlap = judge(text, golds)
            has_em.append(exact)
            has_f1.append(overlap)
    means = {"em": em, "f1": f1, "has_em": has_em, "has_f1": has_f1}
    return {name: round(100 * float(np.mean(values)), 3) for name, values in means.items() if values}
