"""The plain records that go into and come out of the store. They hold values and know no SQL."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "ChunkRow",
    "CommitRow",
    "DocumentRow",
    "FailedDocument",
    "Float32",
    "Int64",
    "NewChunk",
    "NewDocument",
    "ReadingNote",
    "Section",
    "Selection",
]

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a document's text with one page and one heading path; ``start`` and ``end`` in characters."""

    start: int
    end: int
    page: int | None = None
    headings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadingNote:
    """What of a file was not read, was read only in part, or was guessed.

    ``kind`` is a short name in snake case, such as ``pages_without_text``, ``text`` a sentence without its full stop,
    ``place`` where in the file (``pages 2-4``, ``sheet Prices``; empty for the whole), ``remedy`` what the user can do.
    """

    kind: str
    text: str
    place: str = ""
    remedy: str = ""

    @property
    def placed_text(self) -> str:
        """The sentence with the place, unless it names the place itself."""
        return self.text if not self.place or self.place in self.text else f"{self.text} ({self.place})"


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A chunk about to be stored. ``vector_key`` is the SHA-256 of the text that was embedded for it."""

    start: int
    end: int
    text: str
    vector_key: bytes
    page: int | None = None
    headings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document about to be stored, whole: its text, its sections, its chunks, and notes on how it was read.

    ``boxes`` say where words are on their pages, in a form that the store does not know.
    """

    source: str
    content_sha256: bytes
    media_type: str
    title: str
    size: int
    modified_ns: int
    pages: int | None
    text: str
    sections: tuple[Section, ...]
    chunks: tuple[NewChunk, ...]
    notes: tuple[ReadingNote, ...] = ()
    boxes: bytes | None = None


@dataclass(frozen=True, slots=True)
class FailedDocument:
    """A document that could not be read: why, and what to do about it."""

    source: str
    reason: str
    message: str
    remedy: str
    failed_sha256: bytes | None = None


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A stored document. ``state`` is ``ready``, ``failed`` (never read) or ``stale`` (an older version answers).

    ``committed_at`` is when the version that answers was put in, ``modified_ns`` when its file was changed last.
    """

    id: int
    source: str
    content_sha256: bytes | None
    media_type: str
    title: str
    state: str
    size: int
    pages: int | None
    chunks: int
    generation: int
    committed_at: str | None
    reason: str | None
    message: str | None
    remedy: str | None
    modified_ns: int
    notes: tuple[ReadingNote, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """Which documents are meant: those named (None: any) whose media type matches a pattern (none: any), in the bounds.

    Patterns are SQLite's GLOB. Times of modification are in nanoseconds, of ingestion as commits write them, in UTC;
    ``…_from`` is included, ``…_before`` is not.
    """

    sources: frozenset[str] | None = None
    media_types: tuple[str, ...] = ()
    modified_from: int | None = None
    modified_before: int | None = None
    ingested_from: str | None = None
    ingested_before: str | None = None


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """A stored chunk with its document's source; ``start`` and ``end`` are characters of the document's text."""

    id: int
    document_id: int
    source: str
    title: str
    start: int
    end: int
    page: int | None
    headings: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class CommitRow:
    """One entry of the commit log; ``milliseconds`` and ``bytes`` of what it took in, where that was measured."""

    generation: int
    committed_at: str
    added: int
    changed: int
    removed: int
    failed: int
    run: int
    milliseconds: int | None
    bytes: int | None
