"""Question-sentence pairs: two files, line by line, where the sentence contains an answer that is not marked.

Consecutive sentences count as neighbors in an article, and repeated ones as one. Both files contain tokenized text,
which becomes running text. It stays in lower case: an uncased encoder sees no difference.
"""

from __future__ import annotations

from pathlib import Path

from rag.errors import InputError
from rag.text import counted
from rag.training.data.corpus import Corpus, Question, detokenise, read_lines

__all__ = ["read_pairs"]

_REMEDY = "line by line, two UTF-8 text files must hold a sentence and a question about it"


def read_pairs(sentences: Path, questions: Path) -> Corpus:
    """Read pairs; every question comes without an answer. Raises :class:`~rag.errors.InputError`."""
    left, right = read_lines(sentences, _REMEDY), read_lines(questions, _REMEDY)
    if len(left) != len(right):
        raise InputError(f"{sentences} has {len(left):,} lines and {questions} {len(right):,}", _REMEDY)
    number: dict[str, int] = {}
    asked = []
    for n, (sentence, question) in enumerate(zip(left, right, strict=True), 1):
        if sentence.strip() and question.strip():
            place = number.setdefault(detokenise(sentence.split())[0], len(number))
            asked.append(Question(f"pair:{n}", detokenise(question.split())[0], place))
    dropped = len(left) - len(asked)
    lack = counted(dropped, "line lacks", "lines lack")
    notes = (f"{lack} the sentence or the question: left out",) if dropped else ()
    return Corpus("pairs", tuple(number), (0,) * len(number), tuple(asked), notes)
