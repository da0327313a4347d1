"""An extractive summary: which document is meant, and its sentences that say most with the least repetition.

Sentences are chosen by maximal marginal relevance (Carbonell and Goldstein 1998): each next one is the most relevant
that is least like those already chosen. Relevant is what lies near the mean of all the document's sentences, and near
the question. Nothing is rewritten; each sentence is cited.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from indexes import ChunkRow, DocumentRow
from rag.embedding.base import Float32
from rag.evidence.citations import sentence_spans
from rag.evidence.quotation import quotation
from rag.evidence.token_match import content_stems
from rag.text import context_line, counted
from rag.types import Citation, Note, Passage

__all__ = ["Chosen", "Summary", "choose_document", "summarise"]

T = TypeVar("T")
MOST_CHUNKS = 200  # that are split into sentences, evenly spread over the document
MOST_SENTENCES = 256  # that are embedded, evenly spread over the document
SENTENCES = 5
_LEAST = 2  # fewer sentences are no summary
_QUESTION = 0.3  # the weight of nearness to the question, against nearness to the mean
_NOVELTY = 0.4  # 1 - lambda of maximal marginal relevance
_WORDS = (6, 60)
_LETTERS = 0.6  # the least share of letters and spaces
_END = re.compile(r"[.!?…][\"'”’»)\]]*$")
_MAIL_HEADER = re.compile(
    r"(?:from|to|cc|bcc|sent|date|subject|von|an|gesendet|datum|betreff|от|кому|копия|дата|тема|отправлено):\s",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A document that a question means, and its share of the evidence for it and the next best, .5 to 1."""

    source: str
    share: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Chosen sentences in the document's order: ``texts`` as shown, each with its citation."""

    texts: tuple[str, ...]
    citations: tuple[Citation, ...]
    notes: tuple[Note, ...]


def choose_document(question: str, passages: Sequence[Passage], documents: Sequence[DocumentRow]) -> Chosen | None:
    """Return the document that the question means, None if there is nothing to choose from.

    Each passage counts for its document with the reciprocal of its rank. A title or file name counts by the words that
    it shares with the question; a word of few titles counts more.
    """
    known = {document.source for document in documents}
    evidence: defaultdict[str, float] = defaultdict(float)
    ranked = [passage for passage in passages if passage.source in known]
    total = sum(1 / rank for rank in range(1, len(ranked) + 1))
    for rank, passage in enumerate(ranked, start=1):
        evidence[passage.source] += 1 / rank / total
    titles = {d.source: content_stems(context_line(d.source, d.title, ())) for d in documents}
    frequency = Counter(stem for stems in titles.values() for stem in stems)
    asked = content_stems(question)
    rarity = {stem: math.log1p(len(documents) / frequency[stem]) for stem in asked if frequency[stem]}
    named = {source: sum(rarity[stem] for stem in stems if stem in rarity) for source, stems in titles.items()}
    most = max(named.values(), default=0.0)
    for source, value in named.items():
        if value:
            evidence[source] += value / most
    if not evidence:
        return None
    best, *others = sorted(evidence, key=lambda source: (-evidence[source], source))
    rest = evidence[others[0]] if others else 0.0
    return Chosen(best, evidence[best] / (evidence[best] + rest))


def summarise(
    question: str, chunks: Sequence[ChunkRow], embed: Callable[[Sequence[str]], Float32], *, count: int = SENTENCES
) -> Summary | None:
    """Choose up to ``count`` sentences of a document, given as its chunks in order. None if it has hardly any.

    ``embed`` returns unit vectors (n, dimension) of n texts. Headings, table rows, the headers of mails and sentences
    that are repeated, such as page headers, are left out.
    """
    sentences = _sentences(_spread(chunks, MOST_CHUNKS))
    embedded = _spread(sentences, MOST_SENTENCES)
    if len(embedded) < _LEAST:
        return None
    title = content_stems(context_line(chunks[0].source, chunks[0].title, ()))
    rest = " ".join(word for word in question.split() if not content_stems(word) <= title)
    vectors = embed([sentence.text for sentence in embedded] + [rest or question])
    chosen = _marginal(vectors[:-1], vectors[-1], count)
    picked = [embedded[n] for n in sorted(chosen)]
    notes = []
    if len(embedded) < len(sentences) or len(chunks) > MOST_CHUNKS:
        text = f"The document is long: the summary was chosen from {counted(len(embedded), 'sentence')} spread over it."
        notes.append(Note(text))
    return Summary(tuple(s.text for s in picked), tuple(s.citation for s in picked), tuple(notes))


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    citation: Citation


def _spread(items: Sequence[T], most: int) -> Sequence[T]:
    """Return at most ``most`` items, evenly spread, the first one among them."""
    if len(items) <= most:
        return items
    return [items[n * len(items) // most] for n in range(most)]


def _sentences(chunks: Sequence[ChunkRow]) -> list[_Sentence]:
    """Return the sentences that can stand in a summary, or else, where these are few, the longer lines too."""
    found: list[tuple[ChunkRow, int, int, str, bool]] = []
    covered = 0
    for chunk in chunks:
        for start, end in sentence_spans(chunk.text):
            if chunk.start + start < covered:  # chunks overlap
                continue
            covered = chunk.start + end
            if (text := _usable(chunk.text, start, end)) is not None:
                found.append((chunk, start, end, text, bool(_END.search(text))))
    times = Counter(" ".join(_WORD.findall(text.casefold())) for *_, text, _ in found)
    single = [row for row in found if times[" ".join(_WORD.findall(row[3].casefold()))] == 1]
    whole = [row for row in single if row[4]]
    rows = whole if len(whole) >= SENTENCES else single
    return [_Sentence(text, _cited(chunk, start, end)) for chunk, start, end, text, _ in rows]


def _usable(passage: str, start: int, end: int) -> str | None:
    """Return a sentence as it is shown, None for a heading, a table row, a mail's header or a fragment."""
    raw = passage[start:end]
    begin = passage.rfind("\n", 0, start) + 1
    if passage[begin:start].lstrip().startswith("#") or raw.startswith(("#", "|", "```", "<")) or "|" in raw:
        return None
    text = quotation(passage, start, end).text
    words = _WORD.findall(text)
    letters = sum(c.isalpha() or c.isspace() for c in text)
    if not _WORDS[0] <= len(words) <= _WORDS[1] or letters < _LETTERS * len(text) or _MAIL_HEADER.match(text):
        return None
    return text


def _cited(chunk: ChunkRow, start: int, end: int) -> Citation:
    passage = Passage(
        chunk.id, chunk.source, chunk.title, chunk.page, chunk.headings, chunk.start, chunk.end, chunk.text, 0.0
    )
    return Citation(passage, chunk.start + start, chunk.start + end, chunk.text[start:end])


def _marginal(vectors: Float32, question: Float32, count: int) -> list[int]:
    """Return the rows of up to ``count`` sentences by maximal marginal relevance."""
    mean = vectors.mean(axis=0)
    mean /= np.linalg.norm(mean) or 1.0
    relevance = (1 - _QUESTION) * (vectors @ mean) + _QUESTION * (vectors @ question)
    likeness = vectors @ vectors.T
    chosen = [int(relevance.argmax())]
    while len(chosen) < min(count, len(vectors)):
        score = (1 - _NOVELTY) * relevance - _NOVELTY * likeness[:, chosen].max(axis=1)
        score[chosen] = -np.inf
        chosen.append(int(score.argmax()))
    return chosen
