"""The words of the project as plain records: documents and chunks on the way in, passages and answers on the way out.

All offsets are characters of a document's extracted text, so ``text[start:end]`` is the thing itself.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Literal

from indexes import Section

__all__ = [
    "Answer",
    "Citation",
    "Document",
    "DroppedPassage",
    "Duplicate",
    "Finding",
    "Note",
    "NoteKind",
    "Passage",
    "Section",
    "Sentence",
    "Usage",
]

NoteKind = Literal[
    "", "abstained", "answer_cut", "low_confidence", "nothing_filtered", "nothing_ingested",
    "over_budget", "over_context", "question_cut", "question_cut_by_reader",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Document:
    """One source file, read: its extracted text and the sections that cover it."""

    source: str
    media_type: str
    title: str
    text: str
    sections: tuple[Section, ...]
    pages: int | None = None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Where else a passage stands: a chunk whose text is the same, or nearly, and was folded into it."""

    id: int
    source: str
    page: int | None
    headings: tuple[str, ...]
    start: int
    end: int
    similarity: float


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved chunk with its scores; ``dense`` is a cosine, ``lexical`` a BM25 score, None where not a candidate.

    ``dense_rank`` and ``lexical_rank`` count from 1 among the candidates of each retriever. ``reranked`` is what a
    reranker thinks, in log-odds, None where it was not asked; ``fused_rank`` is the place before it was. ``duplicates``
    were found further down and say the same.
    """

    id: int
    source: str
    title: str
    page: int | None
    headings: tuple[str, ...]
    start: int
    end: int
    text: str
    score: float
    dense: float | None = None
    lexical: float | None = None
    dense_rank: int | None = None
    lexical_rank: int | None = None
    reranked: float | None = None
    fused_rank: int | None = None
    duplicates: tuple[Duplicate, ...] = ()

    def stands_for(self, ids: Container[int]) -> bool:
        """Return whether this is one of the chunks, or one of them is among its duplicates."""
        return self.id in ids or any(copy.id in ids for copy in self.duplicates)


@dataclass(frozen=True, slots=True)
class Note:
    """Something to know of an answer: a sentence in English, and its kind and values, to say it in another language.

    Without a kind there is only the sentence. A value ``n`` is what the sentence's plural goes by.
    """

    text: str
    kind: NoteKind = ""
    values: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DroppedPassage:
    """A passage that was retrieved and not shown to the model, with the reason."""

    passage: Passage
    reason: Note


@dataclass(frozen=True, slots=True)
class Citation:
    """A span of a passage that was found in the source: ``document_text[start:end] == quote``.

    ``around`` is the sentence that holds it, where the quote is only a part of one.
    """

    passage: Passage
    start: int
    end: int
    quote: str
    around: str = ""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an answer, at ``answer.text[start:end]``, and the citation that supports it (an index) or None.

    ``support`` is the share of the sentence's content words found in the best-supporting span, 0 to 1; of an answer
    that was marked rather than written, its confidence.
    """

    start: int
    end: int
    support: float
    citation: int | None

    @property
    def supported(self) -> bool:
        """Whether a citation stands behind the sentence."""
        return self.citation is not None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens read and written; ``cached_tokens`` is the part of the prompt that came from the prefix cache."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check of ``rag doctor``. ``fix`` is empty where nothing is to be done."""

    check: str
    state: Literal["ok", "warn", "fail"]
    found: str
    fix: str = ""


@dataclass(frozen=True)
class Answer:
    """An answer with everything needed to check it. Timings are in seconds, by stage.

    ``generation`` is that of the index when the passages were retrieved, ``generator`` what answered: its type, and its
    models in brackets.
    """

    question: str
    text: str
    abstained: bool
    confidence: float
    sentences: tuple[Sentence, ...] = ()
    citations: tuple[Citation, ...] = ()
    passages: tuple[Passage, ...] = ()
    dropped: tuple[DroppedPassage, ...] = ()
    finish_reason: str = ""
    notes: tuple[Note, ...] = ()
    usage: Usage = field(default_factory=Usage)
    timings: Mapping[str, float] = field(default_factory=dict)
    generation: int = 0
    generator: str = ""
