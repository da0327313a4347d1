"""Weak supervision: a reader marks the answer in a sentence that is known to hold it, and the surest marks are kept.

A span that only repeats the question is never taken.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from rag.extractive_qa.windows import Windower
from rag.training.data.corpus import Corpus, Example, Question
from rag.training.scoring import Predicted, mark

__all__ = ["label"]

_WORD = re.compile(r"\w+")


def label(model: Any, windower: Windower, corpus: Corpus, keep: float, *, types: bool) -> Corpus:
    """Return the corpus with one answer for each of its surest questions; the others are left without.

    ``keep`` is the share of all questions that are to have one, ``types`` whether the model takes token types.
    """
    examples = [Example(q.id, q.text, corpus.sentences[q.sentence], ()) for q in corpus.questions]
    marked = mark(model, windower, examples, types=types)
    sure = [
        (span.margin, n)
        for n, span in enumerate(marked)
        if span is not None and not _repeats(examples[n].context[span.start : span.end], examples[n].question)
    ]
    kept = {n for _, n in sorted(sure, reverse=True)[: round(keep * len(examples))]}
    questions = tuple(_with(q, marked[n] if n in kept else None) for n, q in enumerate(corpus.questions))
    note = f"the teacher marked {len(kept):,} of {len(examples):,} questions of {corpus.name}"
    return replace(corpus, questions=questions, notes=(*corpus.notes, note))


def _with(question: Question, span: Predicted | None) -> Question:
    return replace(question, answers=() if span is None else ((span.start, span.end),))


def _repeats(answer: str, question: str) -> bool:
    return _words(answer) <= _words(question)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))
