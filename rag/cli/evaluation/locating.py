"""Which documents of a user's own index hold the paragraphs of a question file.

A file of SQuAD's shape brings its paragraphs along and names no document. Searched in an index that was made of other
files, its questions have a right document only where one can be told; a ranking is not measured for the others, and
would else be 0 for all. A paragraph is found as it is written, white space aside: one whose document has markup inside
its sentences, or that was edited since, is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from eval.datasets import Dataset, Paragraph
from eval.predictions import same_source

__all__ = ["located"]

_WORDS = 5  # of a paragraph's beginning, by which documents are looked through in one pass


def located(dataset: Dataset, documents: Iterable[str], text_of: Callable[[str], str]) -> Dataset:
    """Return the questions with the document that holds their paragraph as ``source``, None where there is none.

    That is the document named like the paragraph's file or its title, else the first by name in which its text stands.
    Questions without a paragraph keep what they name. ``text_of`` gives the text of one of the ``documents``.
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
    """Look through each document once, however many paragraphs are wanted."""
    by_beginning: dict[tuple[str, ...], list[tuple[int, str]]] = {}
    for number, text in texts.items():
        words = text.split()
        if words:
            by_beginning.setdefault(tuple(words[:_WORDS]), []).append((number, " ".join(words)))
    found: dict[int, str] = {}
    for source in sources if by_beginning else ():
        words = text_of(source).split()
        begun = [pair for window in _windows(words, {*map(len, by_beginning)}) for pair in by_beginning.get(window, ())]
        if begun:
            whole = " ".join(words)
            for number, text in begun:
                if number not in found and text in whole:
                    found[number] = source
    return found


def _windows(words: list[str], lengths: set[int]) -> Iterator[tuple[str, ...]]:
    for length in lengths:
        for start in range(len(words) - length + 1):
            yield tuple(words[start : start + length])
