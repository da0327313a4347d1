"""Notes beside an answer that a cited document was not read in full, or that the cited page was read by OCR.

For each cited document one note is chosen, the one whose place is nearest to what is cited; those on OCR count only at
the place itself. A guessed encoding and running heads are left out: nothing of the text is missing. This module knows
nothing of indexes: the caller looks the notes of the documents up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from rag.types import Answer, Citation, Note, ReadingNote

__all__ = ["cited_sources", "with_reading_notes"]

_MOST = 3
_READ_WHOLE = frozenset({"encoding_guessed", "no_words_found", "ocr_uncertain", "read_by_ocr", "running_heads"})
_BY_OCR = ("ocr_uncertain", "read_by_ocr")  # the more important first
_NUMBERS = re.compile(r"(\d+)(?:[-–](\d+))?")
_FAR = 10**6  # pages: the distance of a note that names another kind of place, or the whole document


def cited_sources(answers: Iterable[Answer]) -> list[str]:
    """Return the names of the documents that the answers cite, each once."""
    return list(dict.fromkeys(citation.source for answer in answers for citation in answer.citations))


def with_reading_notes(answer: Answer, notes: Mapping[str, Sequence[ReadingNote]]) -> Answer:
    """Return the answer with a note for each cited document that has ``notes``, at most three of each sort."""
    lacking, by_ocr = list[Note](), list[Note]()
    for source in cited_sources([answer]):
        of_source = notes.get(source, ())
        citations = [citation for citation in answer.citations if citation.source == source]
        if left := [note for note in of_source if note.kind not in _READ_WHOLE]:
            lacking.append(_as_note(source, min(left, key=lambda note: _distance(note, citations))))
        if read := [note for note in of_source if note.kind in _BY_OCR and not _distance(note, citations)]:
            by_ocr.append(_on_ocr(source, min(read, key=lambda note: _BY_OCR.index(note.kind))))
    added = (*lacking[:_MOST], *by_ocr[:_MOST])
    return replace(answer, notes=(*answer.notes, *added)) if added else answer


def _on_ocr(source: str, note: ReadingNote) -> Note:
    if note.kind == "ocr_uncertain":
        text = f"{source} was hard to read by OCR ({note.place}): check the words against the scan."
        return Note(text, "ocr_uncertain", {"source": source, "place": note.place})
    text = f"{source} was read by OCR ({note.place}): check names and numbers against the scan."
    return Note(text, "read_by_ocr", {"source": source, "place": note.place})


def _as_note(source: str, note: ReadingNote) -> Note:
    text = f"What was read of {source} may be incomplete: {note.placed_text}."
    return Note(
        text,
        "read_in_part",
        {"source": source, "what": note.text, "place": note.place, "reading": note.kind},
    )


def _distance(note: ReadingNote, citations: Sequence[Citation]) -> int:
    """Return how far a note is from what is cited: in pages, 0 for a place that a cited heading names."""
    place = note.place.casefold()
    headings = [heading.casefold() for citation in citations for heading in citation.passage.headings]
    if any(heading and heading in place for heading in headings):
        return 0
    distances = [
        max(first - citation.page, citation.page - last, 0)
        for first, last in _pages(place)
        for citation in citations
        if citation.page is not None
    ]
    return min(distances, default=_FAR)


def _pages(place: str) -> Iterator[tuple[int, int]]:
    """Yield the ranges of pages or slides in a place such as ``pages 2-4, 7``."""
    match = re.search(r"\b(?:pages?|slides?) ([\d–, -]+)", place)
    for first, last in _NUMBERS.findall(match.group(1)) if match else ():
        yield int(first), int(last or first)
