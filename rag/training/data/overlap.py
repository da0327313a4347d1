"""Evaluation data must not be trained on: questions and passages that training data shares with given files.

Two questions are equal if their letters and digits are, apart from case and accents. Two passages overlap if they share
12 consecutive words; shorter ones if they are equal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from rag.text import counted
from rag.training.data.corpus import Example
from rag.training.data.squad_format import read_squad

__all__ = ["overlap", "without_overlap"]

_NOT_WORDS = re.compile(r"[\W_]+")
_RUN = 12


def overlap(examples: Sequence[Example], held_out: Sequence[Example]) -> set[int]:
    """Return the numbers of the examples that share a question or a passage with any held-out one."""
    questions = {_words(e.question) for e in held_out} - {""}
    runs = {run for context in {e.context for e in held_out} for run in _runs(context)}
    shared = {context for context in {e.context for e in examples} if not runs.isdisjoint(_runs(context))}
    return {n for n, e in enumerate(examples) if e.context in shared or _words(e.question) in questions}


def without_overlap(examples: Sequence[Example], files: Sequence[Path]) -> tuple[list[Example], tuple[str, ...]]:
    """Return the examples that share nothing with any file, and a note for each file that excluded some.

    Raises :class:`~rag.errors.InputError` for a file that is not in SQuAD's format.
    """
    remaining, notes = list(examples), []
    for path in files:
        shared = overlap(remaining, read_squad(path)[0])
        if shared:
            share = counted(len(shared), "example shares", "examples share")
            notes.append(f"{share} a question or {_RUN} words with {path.name}: left out")
            remaining = [e for n, e in enumerate(remaining) if n not in shared]
    return remaining, tuple(notes)


def _words(text: str) -> str:
    text = text.casefold()
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return _NOT_WORDS.sub(" ", text).strip()


def _runs(text: str) -> set[str]:
    words = _words(text).split()
    return {" ".join(words[n : n + _RUN]) for n in range(max(len(words) - _RUN + 1, min(len(words), 1)))}
