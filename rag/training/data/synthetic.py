"""Invented office documents with questions about them, for an extractive model that reads a title before a passage.

Every question comes with a passage that answers it and, in two of three cases, with one that does not although it is
similar: another entity or edition, another section, a table without the row. The phrases are in ``synthetic.yaml``.
Nothing here reads a corpus: names and values are drawn, so no example overlaps with an evaluation set.
"""

from __future__ import annotations

import random
from dataclasses import replace

from rag.training.data.corpus import Example
from rag.training.data.synthetic_passages import Asked, Passage, mistype, noisy, unmark, without_marks
from rag.training.data.synthetic_phrases import load_phrases
from rag.training.data.synthetic_tables import ask_table
from rag.training.data.synthetic_texts import TextWriter
from rag.training.data.synthetic_values import Values

__all__ = ["KINDS", "synthetic_examples"]

KINDS = {"fact": 47, "table": 22, "definition": 5, "why": 6, "how": 7, "yesno": 9, "list": 4}
"""The kinds of question and their shares of the answerable ones, in per cent."""

_SHORTEST, _LONGEST = 50, 1000  # characters of a passage
_RANDOM_MISSES = 0.1
_MEMORY = 200  # passages from which a random one is drawn


def synthetic_examples(count: int, seed: int) -> tuple[Example, ...]:
    """Return ``count`` examples, 40 per cent of them without an answer. The same seed gives the same examples.

    An id is "office-text:KIND:N", or "office-text:KIND-miss-REASON:N" for an example without an answer. An answer is
    a single span without white space around it; no heading and no table header contains it.
    """
    draw = random.Random(seed)  # noqa: S311 - a seed, not a secret
    phrases = load_phrases()
    values = Values(draw, phrases.words)
    texts = TextWriter(values, phrases)
    examples: list[Example] = []
    seen: set[tuple[str, str, str]] = set()
    recent: list[Passage] = []
    answered = 0

    def add(kind: str, question: str, passage: Passage) -> bool:
        context, answers = unmark(passage.text)
        key = (question, passage.title, context)
        if key in seen or len(examples) == count or not _SHORTEST <= len(context) <= _LONGEST:
            return False
        seen.add(key)
        name = f"office-text:{kind}:{len(examples)}"
        examples.append(Example(name, question, context, answers, passage.title))
        return True

    while len(examples) < count:
        values.new_document()
        kind = values.weighted(KINDS)
        asked = ask_table(values, phrases) if kind == "table" else texts.ask(kind)
        if len(recent) == _MEMORY and values.chance(_RANDOM_MISSES):
            asked = replace(asked, missing=values.pick(recent), reason="random")
        recent = [*recent[1 - _MEMORY :], Passage(asked.answering.title, without_marks(asked.answering.text))]
        question = _as_typed(asked, values)
        if not add(kind, question, noisy(asked.answering, values)):
            continue
        answered += 1
        if 3 * (len(examples) - answered) < 2 * answered:
            add(f"{kind}-miss-{asked.reason}", question, noisy(asked.missing, values))
    return tuple(examples)


def _as_typed(asked: Asked, values: Values) -> str:
    question = mistype(asked.question, values) if values.chance(0.08) else asked.question
    return question.lower() if values.chance(0.12) else question
