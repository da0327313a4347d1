"""Which documents of a user's own index contain the paragraphs of a question file.

A file in SQuAD's format contains its paragraphs and names no document. In an index of other files, the right document
of a question is the one that contains its paragraph literally, white space aside. The ranking is measured only for
questions with such a document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from eval.datasets import Dataset, Paragraph
from eval.predictions import same_source

__all__ = ["located"]

_WORDS = 5  # first words of a paragraph, by which it is looked up


def located(dataset: Dataset, documents: Iterable[str], text_of: Callable[[str], str]) -> Dataset:
    """Return the questions with the document that contains their paragraph as ``source``, or None.

    That is the document with the name of the paragraph's file or title, else the first by name that contains its text.
    Questions without a paragraph stay as they are. ``text_of`` returns the text of one of the ``documents``.
    """
    sources = sorted(documents)
    asked = {q.paragraph: dataset.paragraphs[q.paragraph] for q in dataset.questions if q.paragraph is not None}
    found = {number: name for number, paragraph in asked.items() if (name := _named(paragraph, sources))}
    found |= _holding({n: paragraph.text for n, paragraph in asked.items() if n not in found}, sources, text_of)
    return replace(
        dataset,
        questions=tuple(
            q if q.paragraph is None else replace(q, source=found.get(q.paragraph)) for q in dataset.questions
        ),
    )


def _named(paragraph: Paragraph, sources: Iterable[str]) -> str | None:
    names = (paragraph.source, paragraph.title)
    return next((source for source in sources for name in names if name and same_source(source, name)), None)


def _holding(texts: dict[int, str], sources: Iterable[str], text_of: Callable[[str], str]) -> dict[int, str]:
    """Return the document of each text. Each document is searched once for all texts."""
    by_first_words: dict[tuple[str, ...], list[tuple[int, str]]] = {}
    for number, text in texts.items():
        words = text.split()
        if words:
            by_first_words.setdefault(tuple(words[:_WORDS]), []).append((number, " ".join(words)))
    found: dict[int, str] = {}
    for source in sources if by_first_words else ():
        words = text_of(source).split()
        windows = _windows(words, {*map(len, by_first_words)})
        whole = " ".join(words)
        for number, text in (pair for window in windows for pair in by_first_words.get(window, ())):
            if number not in found and text in whole:
                found[number] = source
    return found


def _windows(words: list[str], lengths: set[int]) -> Iterator[tuple[str, ...]]:
    for length in lengths:
        for start in range(len(words) - length + 1):
            yield tuple(words[start : start + length])
