"""Citations: spans of the passages that support an answer, and the sentences of a text.

:func:`cite_spans` cites what an extractor marked. What a language model wrote is checked by :mod:`rag.evidence.check`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.types import Citation, Claim, Passage, Sentence

__all__ = ["Cited", "cite_spans", "sentence_spans"]

# Lines up to a blank one or one that begins a list item, a heading or a table row.
_BLOCK = re.compile(r"(?:[^\n]|\n(?![^\S\n]*(?:\n|[|#*•-]|\d+[.)]\s)))+")
_LIST_MARK = re.compile(r"\s*(?:[-*•]|\d+[.)])\s+")
_WHITE = re.compile(r"\s")
_LETTERS = {
    "en": re.compile("[A-Za-z]"),
    "ru": re.compile("[\u0400-\u04ff]"),
    "el": re.compile("[\u0370-\u03ff]"),
    "zh": re.compile("[\u4e00-\u9fff]"),
}


@dataclass(frozen=True)
class Cited:
    """An answer's sentences, their citations (each span once), the support, 0 to 1, and the claims of a written one."""

    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    support: float
    claims: tuple[Claim, ...] = ()


def cite_spans(answer: str, spans: Sequence[tuple[Passage, int, int]], confidence: float) -> Cited:
    """Cite an extracted answer by its spans, with the sentences around them.

    ``answer`` is the text that is shown. ``spans`` are (passage, start, end), offsets in the passage's text. The answer
    counts as one sentence; the first span supports it.
    """
    citations = []
    for passage, start, end in spans:
        around = " ".join(
            passage.text[first:last] for first, last in sentence_spans(passage.text) if first < end and start < last
        )
        begin = passage.start + start
        citations.append(Citation(passage, begin, begin + end - start, passage.text[start:end], around))
    return Cited((Sentence(0, len(answer), confidence, 0 if citations else None),), tuple(citations), confidence)


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each sentence, without surrounding white space.

    A blank line, a list item, a heading and a table row also end a sentence; any other line break is layout. The mark
    or number of a list item is not part of its sentence.
    """
    import sentencex  # its languages differ in their abbreviations

    for block in _BLOCK.finditer(text):
        mark = _LIST_MARK.match(block.group())
        begin = mark.end() if mark else 0
        # sentencex panics at other white space, for example "B\u00a0.", so it gets plain spaces. Offsets stay the same.
        words = _WHITE.sub(" ", block.group()[begin:])
        for boundary in sentencex.get_sentence_boundaries(_language(words), words):
            piece = boundary["text"]
            if piece.strip():
                start = block.start() + begin + boundary["start_index"] + len(piece) - len(piece.lstrip())
                yield start, start + len(piece.strip())


def _language(text: str) -> str:
    """Return the language whose abbreviations end no sentence, by the script of most letters."""
    counts = {language: len(letters.findall(text)) for language, letters in _LETTERS.items()}
    return max(counts, key=lambda language: counts[language])
