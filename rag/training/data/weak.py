"""Weak supervision: a teacher marks the answer in a sentence that contains it, and the surest marks become labels.

A span that only repeats the question is never a label.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from rag.extractive_qa.windows import Windower
from rag.training.data.corpus import Corpus, Example
from rag.training.scoring import mark

__all__ = ["label"]

_WORD = re.compile(r"\w+")


def label(model: Any, windower: Windower, corpus: Corpus, keep: float, *, types: bool) -> Corpus:
    """Return the corpus with one answer for each of its surest questions, and none for the others.

    ``keep`` is the share of all questions that get one, ``types`` says whether the model takes token types.
    """
    examples = [Example(q.id, q.text, corpus.sentences[q.sentence], ()) for q in corpus.questions]
    candidates = [
        (span.margin, n, (span.start, span.end))
        for n, span in enumerate(mark(model, windower, examples, types=types))
        if span is not None and not _repeats(examples[n].context[span.start : span.end], examples[n].question)
    ]
    surest = {n: span for _, n, span in sorted(candidates, reverse=True)[: round(keep * len(examples))]}
    questions = tuple(
        replace(question, answers=(surest[n],) if n in surest else ()) for n, question in enumerate(corpus.questions)
    )
    note = f"the teacher marked {len(surest):,} of {len(examples):,} questions of {corpus.name}"
    return replace(corpus, questions=questions, notes=(*corpus.notes, note))


def _repeats(answer: str, question: str) -> bool:
    return _words(answer) <= _words(question)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))
