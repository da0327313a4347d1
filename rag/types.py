"""The records of the project: documents and their sections on the way in, passages and answers on the way out.

All offsets are characters of a document's extracted text, so ``text[start:end]`` is the span itself. The JSON forms are
in :mod:`rag.ops.serialize`.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Literal

from indexes import ReadingNote, Section
from rag.text import columns_before, context_before

__all__ = [
    "Answer",
    "Band",
    "Citation",
    "Claim",
    "Document",
    "DroppedPassage",
    "Duplicate",
    "Finding",
    "Note",
    "NoteKind",
    "Outcome",
    "PageBoxes",
    "Passage",
    "QuestionKind",
    "ReadingNote",
    "Section",
    "Sentence",
    "Usage",
]

NoteKind = Literal[
    "", "abstained", "also_fits", "answer_cut", "chosen_by_words", "low_confidence", "more_unmatched", "newer_version",
    "nothing_filtered", "nothing_ingested", "ocr_uncertain", "older_version", "over_budget", "over_context",
    "part_unanswered", "question_cut", "question_cut_by_reader", "read_by_ocr", "read_in_part", "rows_cut",
    "source_unmatched", "source_unmatched_near", "table_cut", "verdict_inferred",
]  # fmt: skip

Band = Literal["", "high", "medium", "low"]

QuestionKind = Literal[
    "", "fact", "number", "person", "place", "date", "definition", "procedure", "reason", "list", "yes_no",
    "comparison", "calculation", "summary", "collection", "small_talk",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class PageBoxes:
    """Where the words of a page are that was read by OCR, packed by :mod:`rag.ingestion.loaders.word_boxes`.

    ``start`` is the place of the page's first character in the document's text.
    """

    page: int
    start: int
    words: bytes


@dataclass(frozen=True, slots=True)
class Document:
    """One source file: its extracted text, the sections that cover it, and notes of what was not read.

    ``boxes`` say where the words of pages are that were read by OCR.
    """

    source: str
    media_type: str
    title: str
    text: str
    sections: tuple[Section, ...]
    pages: int | None = None
    notes: tuple[ReadingNote, ...] = ()
    boxes: tuple[PageBoxes, ...] = ()


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Another chunk with the same text as a passage, or nearly the same; ``similarity`` is 0 to 1."""

    id: int
    source: str
    page: int | None
    headings: tuple[str, ...]
    start: int
    end: int
    similarity: float


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved chunk with its scores and ranks.

    ``dense`` is a cosine, ``lexical`` a BM25 score, ``reranked`` a reranker's log-odds; None if that stage did not see
    the chunk. Ranks count from 1: ``dense_rank`` and ``lexical_rank`` among each retriever's candidates, ``fused_rank``
    before reranking. ``prominence`` says how far the passage stands out of its n candidates: its fused score before
    reranking, in standard deviations from their mean, minus ln n, since the best of many stands out by chance. It is
    None with a fusion that has no such scale. ``duplicates`` are lower-ranked chunks with the same text.
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
    prominence: float | None = None
    duplicates: tuple[Duplicate, ...] = ()

    @property
    def context(self) -> str:
        """Title, words of the file's name and headings, and a table's header row: what models read before the text."""
        return context_before(self.source, self.title, self.headings, self.text)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of its first lines, if it begins in the middle of a table; empty elsewhere."""
        return columns_before(self.headings, self.text)

    def stands_for(self, ids: Container[int]) -> bool:
        """Return whether this is one of the chunks, or one of them is among its duplicates."""
        return self.id in ids or any(copy.id in ids for copy in self.duplicates)


@dataclass(frozen=True, slots=True)
class Note:
    """A remark on an answer: a sentence in English, and its kind and values for other languages.

    Without a kind there is only the sentence. A value ``n`` decides the plural.
    """

    text: str
    kind: NoteKind = ""
    values: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DroppedPassage:
    """A passage that was retrieved but not shown to the model, with the reason."""

    passage: Passage
    reason: Note


@dataclass(frozen=True, slots=True)
class Citation:
    """A span that exists in the source: ``document_text[start:end] == quote``.

    ``around`` is the sentence around the quote if the quote is only a part of one. ``own_page`` is the page on which
    the quote begins, where the passage crosses a page break.
    """

    passage: Passage
    start: int
    end: int
    quote: str
    around: str = ""
    own_page: int | None = None

    def __post_init__(self) -> None:
        if self.own_page == self.passage.page:  # so that equal citations compare equal
            object.__setattr__(self, "own_page", None)

    @property
    def source(self) -> str:
        """The name of the cited document."""
        return self.passage.source

    @property
    def headings(self) -> tuple[str, ...]:
        """The headings above the passage."""
        return self.passage.headings

    @property
    def page(self) -> int | None:
        """The page of the cited document on which the quote begins, from 1; None if it has no pages."""
        return self.passage.page if self.own_page is None else self.own_page


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence ``answer.text[start:end]`` and the index of the citation that supports it, or None.

    ``support`` is the share of its claims that were found, 0 to 1. For an extracted answer it is the confidence.
    """

    start: int
    end: int
    support: float
    citation: int | None

    @property
    def supported(self) -> bool:
        """Whether a citation supports the sentence."""
        return self.citation is not None


Outcome = Literal["found", "contradicted", "not_found"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement ``answer.text[start:end]`` of a written answer and what the passages say of it.

    ``citations`` are indexes of the answer's citations: the places where it was found, or that contradict it.
    ``instead`` is what a source says that contradicts it. ``reason`` says in English what is contradicted or missing,
    or how a number was computed; it may be empty.
    """

    start: int
    end: int
    outcome: Outcome
    citations: tuple[int, ...] = ()
    reason: str = ""
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Numbers of tokens. ``cached_tokens`` is the part of the prompt that came from the prefix cache."""

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
    """An answer with everything needed to check it.

    ``text`` is a sentence, or table rows with the names of their columns. ``short`` are the words of it that were
    extracted, empty if a language model wrote the answer: ``text[short_start:short_start + len(short)] == short``.
    A yes/no question may get ``Yes.`` or ``No.`` before the sentence: then ``short`` is that word, which is inferred.
    ``confidence`` is 0 to 1, of a written answer the share of its ``claims`` that were found; None for an extractive
    summary, the list of documents and small talk, whose chance of being right was not measured. ``timings`` are seconds
    by stage. ``generation`` is the index's when the passages were retrieved. ``generator`` names what answered: its
    kind, and its model in brackets. ``kind`` is what the question asks for, empty if the question was not classified.
    ``band`` is the confidence in a word (:mod:`rag.answering.bands`), empty for an abstention or without a confidence.
    """

    question: str
    text: str
    abstained: bool
    confidence: float | None
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
    short: str = ""
    short_start: int = 0
    kind: QuestionKind = ""
    claims: tuple[Claim, ...] = ()
    band: Band = ""

    @property
    def essence(self) -> str:
        """The extracted words, or the whole text if a language model wrote it."""
        return self.short or self.text
