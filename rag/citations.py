"""Answers to citations: each sentence of an answer is looked up in the passages, whatever the model claims.

For every sentence the best-supporting span (one sentence of a passage, or two neighbours) is found by the share of
the sentence's content words that it contains, compared as Snowball stems. Every number of the sentence must be in the
span too. A sentence that no span supports well enough is marked unsupported.

This is lexical evidence: it finds quotation and close paraphrase in English and Russian. It cannot see that a
sentence negates its source, and it does not find a free paraphrase.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rag.records import Citation, Passage, Sentence

__all__ = ["Cited", "cite", "content_stems", "strip_markers"]

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
# Lines up to one that is blank or begins a list item, a heading or a table row.
_BLOCK = re.compile(r"(?:[^\n]|\n(?!\s*(?:\n|[|#*•-]|\d+[.)]\s)))+")
_LIST_MARK = re.compile(r"\s*(?:[-*•]|\d+[.)])\s+")
_MARKER = re.compile(r"\s*\[\d+(?:\s*,\s*\d+)*\]")
# Function words carry no evidence. Short lists of the commonest ones, in our own selection.
_STOP_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "this",
        "that",
        "these",
        "those",
        "it",
        "its",
        "he",
        "she",
        "they",
        "them",
        "his",
        "her",
        "their",
        "there",
        "here",
        "and",
        "or",
        "but",
        "nor",
        "so",
        "if",
        "then",
        "than",
        "as",
        "at",
        "by",
        "for",
        "from",
        "in",
        "into",
        "of",
        "off",
        "on",
        "onto",
        "out",
        "over",
        "to",
        "up",
        "with",
        "without",
        "about",
        "between",
        "through",
        "during",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "being",
        "am",
        "do",
        "does",
        "did",
        "has",
        "have",
        "had",
        "having",
        "will",
        "would",
        "can",
        "could",
        "should",
        "may",
        "might",
        "must",
        "shall",
        "not",
        "no",
        "yes",
        "also",
        "which",
        "who",
        "whom",
        "whose",
        "what",
        "when",
        "where",
        "why",
        "how",
        "i",
        "you",
        "we",
        "my",
        "your",
        "our",
        "me",
        "us",
        "и",
        "в",
        "во",
        "не",
        "что",
        "он",
        "на",
        "я",
        "с",
        "со",
        "как",
        "а",
        "то",
        "все",
        "она",
        "так",
        "его",
        "но",
        "да",
        "ты",
        "к",
        "у",
        "же",
        "вы",
        "за",
        "бы",
        "по",
        "только",
        "ее",
        "её",
        "мне",
        "было",
        "вот",
        "от",
        "меня",
        "еще",
        "ещё",
        "нет",
        "о",
        "из",
        "ему",
        "теперь",
        "когда",
        "даже",
        "ну",
        "ли",
        "если",
        "уже",
        "или",
        "ни",
        "быть",
        "был",
        "него",
        "до",
        "вас",
        "опять",
        "вам",
        "ведь",
        "там",
        "потом",
        "себя",
        "ей",
        "они",
        "тут",
        "где",
        "есть",
        "надо",
        "ней",
        "для",
        "мы",
        "тебя",
        "их",
        "чем",
        "была",
        "сам",
        "чтоб",
        "без",
        "будто",
        "чего",
        "раз",
        "тоже",
        "себе",
        "под",
        "будет",
        "ж",
        "тогда",
        "кто",
        "этот",
        "того",
        "потому",
        "этого",
        "какой",
        "совсем",
        "ним",
        "здесь",
        "этом",
        "один",
        "почти",
        "мой",
        "тем",
        "чтобы",
        "нее",
        "неё",
        "были",
        "куда",
        "зачем",
        "всех",
        "при",
        "об",
        "это",
        "эта",
        "эти",
        "который",
        "которая",
        "которое",
        "которые",
        "является",
    ]
)


@dataclass(frozen=True)
class Cited:
    """An answer's sentences, the citations behind them, each span once, and the mean support, 0 to 1."""

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
    """Find what supports each sentence of ``answer``.

    Among equally good spans the one that shares more with the question is taken, then the better-ranked passage, then
    the shorter span. Offsets of citations are those of the document's text.
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


def strip_markers(answer: str) -> str:
    """Return the answer without the source numbers that a model wrote: ours are put in after checking."""
    return _MARKER.sub("", answer).strip()


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each sentence, white space left out.

    A blank line, a list item, a heading and a table row end a sentence too; any other line break is only layout. The
    mark or number of a list item is not part of its sentence.
    """
    import sentencex

    for block in _BLOCK.finditer(text):
        mark = _LIST_MARK.match(block.group())
        begin = mark.end() if mark else 0
        for boundary in sentencex.get_sentence_boundaries("en", block.group()[begin:].replace("\n", " ")):
            piece = boundary["text"]
            if piece.strip():
                start = block.start() + begin + boundary["start_index"] + len(piece) - len(piece.lstrip())
                yield start, start + len(piece.strip())


def content_stems(text: str) -> frozenset[str]:
    """Return the Snowball stems of a text's content words; numbers stay whole."""
    words = (match.group().lower().replace("’", "'") for match in _WORD.finditer(text))
    return frozenset(_stem(word) for word in words if word not in _STOP_WORDS)


@lru_cache(maxsize=65536)
def _stem(word: str) -> str:
    if word.isdigit():
        return word
    language = "russian" if re.search("[а-яё]", word) else "english"
    return str(_stemmer(language).stemWord(word.removesuffix("'s")))


@lru_cache(maxsize=2)
def _stemmer(language: str) -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer(language)


def _spans(passage: Passage, rank: int) -> Iterator[_Span]:
    sentences = list(sentence_spans(passage.text))
    for n, (start, end) in enumerate(sentences):
        yield _Span(passage, rank, start, end, content_stems(passage.text[start:end]))
        if n + 1 < len(sentences):
            far = sentences[n + 1][1]
            yield _Span(passage, rank, start, far, content_stems(passage.text[start:far]))


def _best_span(stems: frozenset[str], asked: frozenset[str], spans: Sequence[_Span]) -> tuple[_Span | None, float]:
    """Return the best span and its support; numbers that it lacks rule a span out."""
    if not stems:
        return None, 0.0
    numbers = {stem for stem in stems if stem[0].isdigit()}
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
