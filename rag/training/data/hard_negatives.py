"""Hard sentences: those that a lexical and a dense retriever find for a question, perhaps with its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from indexes.search.lexical_tantivy import TantivyIndex
from indexes.search.protocols import top_hits
from indexes.store.rows import Float32

__all__ = ["Embed", "hard_sentences"]

Embed = Callable[[Sequence[str]], Float32]

_BLOCK = 256  # questions compared with all sentences at once, which bounds the table of scores


def hard_sentences(
    sentences: Sequence[str],
    questions: Sequence[str],
    embed: Embed | None,
    *,
    count: int = 10,
    lexical: bool = True,
) -> list[list[int]]:
    """Return for each question the numbers of the best sentences, by words and, with ``embed``, by meaning.

    ``embed`` returns the unit vectors (n, dimension) of texts. Each retriever finds up to ``count`` sentences; the
    union begins with the lexical ones. Without ``lexical``, only the dense retriever searches.
    """
    if not sentences or not questions:
        return [[] for _ in questions]
    ids = np.arange(len(sentences), dtype=np.int64)
    found: list[list[int]] = _by_words(sentences, questions, count) if lexical else [[] for _ in questions]
    if embed is not None:
        vectors = embed(sentences)
        asked = embed(questions)
        for begin in range(0, len(questions), _BLOCK):
            for n, scores in enumerate(asked[begin : begin + _BLOCK] @ vectors.T, begin):
                found[n] = list(dict.fromkeys([*found[n], *top_hits(ids, scores, count).ids.tolist()]))
    return found


def _by_words(sentences: Sequence[str], questions: Sequence[str], count: int) -> list[list[int]]:
    ids = np.arange(len(sentences), dtype=np.int64)
    with tempfile.TemporaryDirectory() as folder:
        index = TantivyIndex(Path(folder))
        index.apply(ids, sentences, ids[:0])
        return [hits.ids.tolist() for hits in index.search(questions, count)]
