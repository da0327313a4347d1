"""What is shown of an answer and its sources: pieces with their citations, and where each source stands.

Pure functions over an :class:`~rag.types.Answer`: no widgets, no files, no HTML but through :mod:`ui.text.safe`.
"""

from __future__ import annotations

from dataclasses import dataclass

from rag.types import Answer, Citation, Passage
from ui.text.safe import marked, plain

__all__ = ["Piece", "Source", "cited_html", "pieces", "sources"]

NEAREST = 3


@dataclass(frozen=True)
class Piece:
    """A stretch of an answer's text and the numbers of the sources behind it; what lies between sentences has none."""

    text: str
    numbers: tuple[int, ...] = ()
    unsupported: bool = False


@dataclass(frozen=True)
class Source:
    """A passage that can be opened; ``start`` and ``end`` in its text are what was cited, equal where nothing was."""

    number: int
    passage: Passage
    start: int = 0
    end: int = 0

    @property
    def quote(self) -> str:
        """The cited words."""
        return self.passage.text[self.start : self.end]


def pieces(answer: Answer) -> list[Piece]:
    """Cut an answer's text into its sentences and what lies between, in order; together they are the whole text."""
    found: list[Piece] = []
    position = 0
    for sentence, numbers in zip(answer.sentences, _numbers(answer), strict=True):
        if sentence.start > position:
            found.append(Piece(plain(answer.text[position : sentence.start])))
        text = plain(answer.text[sentence.start : sentence.end])
        found.append(Piece(text, numbers, unsupported=not sentence.supported))
        position = sentence.end
    if position < len(answer.text):
        found.append(Piece(plain(answer.text[position:])))
    return found


def sources(answer: Answer) -> list[Source]:
    """Return what can be opened: the citations, numbered as in the text; of an abstention the nearest passages."""
    if answer.abstained:
        return [Source(number, passage) for number, passage in enumerate(answer.passages[:NEAREST], start=1)]
    return [
        Source(number, citation.passage, *_within(citation))
        for number, citation in enumerate(answer.citations, start=1)
    ]


def cited_html(source: Source) -> str:
    """Return the passage's text as HTML, the cited words marked."""
    return f'<div class="rag-passage">{marked(source.passage.text, [(source.start, source.end)])}</div>'


def _numbers(answer: Answer) -> list[tuple[int, ...]]:
    """Return the source numbers of each sentence; further places of a marked answer go to its last supported one."""
    numbers: list[tuple[int, ...]] = [() if s.citation is None else (s.citation + 1,) for s in answer.sentences]
    named = {number for group in numbers for number in group}
    rest = tuple(n for n in range(1, len(answer.citations) + 1) if n not in named)
    supported = [n for n, group in enumerate(numbers) if group]
    if supported and rest:
        numbers[supported[-1]] += rest
    return numbers


def _within(citation: Citation) -> tuple[int, int]:
    """Return the citation's place in its passage: (0, 0) where the words are not there."""
    passage, length = citation.passage, len(citation.quote)
    start = citation.start - passage.start
    if start < 0 or not passage.text.startswith(citation.quote, start):
        start = passage.text.find(citation.quote)
    return (start, start + length) if start >= 0 else (0, 0)
