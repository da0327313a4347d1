"""The answer to a question of parts: what was found for each, in one text, and a note for what was not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from rag.answering.question_parts import Part
from rag.answering.quoting import Quoted, quote
from rag.evidence.citations import Cited
from rag.generation.base import Extraction
from rag.retrieval.retriever import Retrieved
from rag.text import one_line
from rag.types import Note, Sentence

__all__ = ["for_part", "quote_parts"]

_READ = 5  # passages for each part; the whole question is read in all of them


def for_part(retrieved: Retrieved, part: Part) -> Retrieved:
    """Return the best of what was retrieved for a whole question as if one part of it had been asked."""
    return replace(retrieved, question=part.question, kind=part.kind, passages=retrieved.passages[:_READ])


def quote_parts(retrieved: Retrieved, found: Sequence[tuple[Part, Extraction]], least: float) -> Quoted | None:
    """Return the answers to the parts whose confidence reaches ``least``, joined; None if none does.

    The confidence is the lowest of them, and a note names each part without a sure answer. The same words do not answer
    two parts: they count for the surer one.
    """
    sure: list[tuple[Part, Extraction]] = []
    for part, extraction in sorted(found, key=lambda item: -item[1].confidence):
        places = [other.evidence[0] for _, other in sure]
        if extraction.text and round(extraction.confidence, 4) >= least and extraction.evidence[0] not in places:
            sure.append((part, extraction))
    sure = [item for item in found if item in sure]
    if not sure:
        return None
    joined = reduce(_joined, [quote(for_part(retrieved, part), extraction) for part, extraction in sure])
    left = [part for part, _ in found if all(part is not other for other, _ in sure)]
    return replace(joined, notes=(*joined.notes, *map(_unanswered, left)))


def _unanswered(part: Part) -> Note:
    text = f"There is no sure answer to this part of the question: “{part.words}?”"
    return Note(text, "part_unanswered", {"part": part.words})


def _joined(one: Quoted, other: Quoted) -> Quoted:
    """Return two quotations as one text: the longer one if it holds the other, else in the order of the document.

    Sentences that follow each other there share a line. ``short`` reaches from the first marked words to the last.
    """
    if (place := one.text.find(other.text)) >= 0:
        return _laid_over(one.text, (one, 0), (other, place), one.cited.sentences)
    if (place := other.text.find(one.text)) >= 0:
        return _laid_over(other.text, (one, place), (other, 0), _shifted(other, 0, len(one.cited.citations)))
    if _follows(other, one):
        return _side_by_side(other, one, " ")
    return _side_by_side(one, other, " " if _follows(one, other) else "\n")


def _side_by_side(first: Quoted, second: Quoted, between: str) -> Quoted:
    place = len(first.text) + len(between)
    sentences = (*first.cited.sentences, *_shifted(second, place, len(first.cited.citations)))
    return _laid_over(first.text + between + second.text, (first, 0), (second, place), sentences)


def _laid_over(text: str, one: tuple[Quoted, int], other: tuple[Quoted, int], sentences: Sequence[Sentence]) -> Quoted:
    (a, at), (b, bt) = one, other
    short = min(a.short[0] + at, b.short[0] + bt), max(a.short[1] + at, b.short[1] + bt)
    support = min(a.cited.support, b.cited.support)
    citations = (*a.cited.citations, *b.cited.citations)
    notes = (*a.notes, *(note for note in b.notes if note not in a.notes))
    return Quoted(text, short, Cited(tuple(sentences), citations, support), notes)


def _shifted(quoted: Quoted, characters: int, citations: int) -> tuple[Sentence, ...]:
    return tuple(
        replace(
            s,
            start=s.start + characters,
            end=s.end + characters,
            citation=None if s.citation is None else s.citation + citations,
        )
        for s in quoted.cited.sentences
    )


def _follows(one: Quoted, other: Quoted) -> bool:
    """Return whether the other quotation follows this one in the same passage."""
    here, there = one.cited.citations[0].passage, other.cited.citations[0].passage
    return here.id == there.id and f"{one.text} {other.text}" in one_line(here.text)
