"""Citations: each sentence of an answer is looked up in the passages, whatever sources the model claims.

The best-supporting span of a sentence (one sentence of a passage, or two neighbours) is the one that contains the
largest share of its content words, compared by :mod:`rag.evidence.token_match`. The span must also contain every number
of the sentence. A sentence without a span that supports it well enough is marked unsupported.

This is lexical evidence: it says that the words occur in a passage, not that they answer the question. It finds
quotations and close paraphrases in English and Russian. It does not see that a sentence negates its source, and it
misses free paraphrases. An answer of one word or number is supported wherever it occurs; of several such spans the one
that shares most with the question is cited.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.evidence.token_match import content_stems, is_number
from rag.types import Citation, Passage, Sentence

__all__ = ["Cited", "cite", "cite_spans", "sentence_spans"]

# Lines up to a blank one or one that begins a list item, a heading or a table row.
_BLOCK = re.compile(r"(?:[^\n]|\n(?![^\S\n]*(?:\n|[|#*•-]|\d+[.)]\s)))+")
_LIST_MARK = re.compile(r"\s*(?:[-*•]|\d+[.)])\s+")
_WHITE = re.compile(r"\s")


@dataclass(frozen=True)
class Cited:
    """An answer's sentences, their citations (each span once) and the mean support, 0 to 1."""

    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    support: float


@dataclass(frozen=True)
class _Span:
    passage: Passage
    rank: int
    start: int
    end: int
    stems: frozenset[str]


def cite(answer: str, passages: Sequence[Passage], question: str = "", *, min_support: float = 0.6) -> Cited:
    """Return the citations that support each sentence of ``answer``.

    Of equally good spans, the one that shares more words with the question wins, then the better-ranked passage, then
    the shorter span. Citation offsets are characters of the document's text.
    """
    spans = [span for rank, passage in enumerate(passages) for span in _spans(passage, rank)]
    asked = content_stems(question)
    sentences: list[Sentence] = []
    citations: list[Citation] = []
    for start, end in sentence_spans(answer):
        stems = content_stems(answer[start:end])
        span, support = _best_span(stems, asked, spans)
        if span is None or support < min_support:
            sentences.append(Sentence(start, end, support, None))
            continue
        citation = _citation(span)
        if citation not in citations:
            citations.append(citation)
        sentences.append(Sentence(start, end, support, citations.index(citation)))
    mean = sum(s.support if s.supported else 0.0 for s in sentences) / len(sentences) if sentences else 0.0
    return Cited(tuple(sentences), tuple(citations), mean)


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
    import sentencex

    for block in _BLOCK.finditer(text):
        mark = _LIST_MARK.match(block.group())
        begin = mark.end() if mark else 0
        # sentencex panics at other white space, for example "B\u00a0.", so it gets plain spaces. Offsets stay the same.
        for boundary in sentencex.get_sentence_boundaries("en", _WHITE.sub(" ", block.group()[begin:])):
            piece = boundary["text"]
            if piece.strip():
                start = block.start() + begin + boundary["start_index"] + len(piece) - len(piece.lstrip())
                yield start, start + len(piece.strip())


def _spans(passage: Passage, rank: int) -> Iterator[_Span]:
    sentences = list(sentence_spans(passage.text))
    for n, (start, end) in enumerate(sentences):
        yield _Span(passage, rank, start, end, content_stems(passage.text[start:end]))
        if n + 1 < len(sentences):
            far = sentences[n + 1][1]
            yield _Span(passage, rank, start, far, content_stems(passage.text[start:far]))


def _best_span(stems: frozenset[str], asked: frozenset[str], spans: Sequence[_Span]) -> tuple[_Span | None, float]:
    """Return the best span and its support. A span that lacks a number of the sentence is ruled out."""
    if not stems:
        return None, 0.0
    numbers = {stem for stem in stems if is_number(stem)}
    best: tuple[tuple[float, int, int, int], _Span] | None = None
    for span in spans:
        support = len(stems & span.stems) / len(stems)
        if not support or not numbers <= span.stems:
            continue
        key = (support, len(asked & span.stems), -span.rank, span.start - span.end)
        if best is None or key > best[0]:
            best = key, span
    return (None, 0.0) if best is None else (best[1], best[0][0])


def _citation(span: _Span) -> Citation:
    quote = span.passage.text[span.start : span.end]
    start = span.passage.start + span.start
    return Citation(span.passage, start, start + len(quote), quote)
