"""Reading notes about pages and pictures that were read by OCR, or not: what became of them, as sentences.

Pages have numbers and are named; pictures are counted, with the slides or sheets that they are on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rag.ingestion.loaders.limits import OcrSettings
from rag.ingestion.loaders.note_kinds import NOTE_KINDS, numbered
from rag.ingestion.loaders.ocr import OcrState, PictureReader, ReadPicture
from rag.ingestion.loaders.ocr_engine import ocr_command
from rag.ingestion.loaders.ocr_text import LOW_CONFIDENCE
from rag.text import counted
from rag.types import ReadingNote

__all__ = ["ocr_remedy", "page_notes", "picture_notes"]

Outcome = tuple[int, ReadPicture]
"""The number of a page, slide or sheet, and what became of a picture on it."""

_WHY: dict[OcrState, tuple[str, str]] = {
    "too many": ("more pages and pictures than parsing.ocr_pages", "raise parsing.ocr_pages, or split the file"),
    "too slow": ("it took more than parsing.ocr_page_seconds", "raise parsing.ocr_page_seconds, or scan it again"),
    "too large": ("more pixels than parsing.ocr_page_megapixels", "scale it down, or raise the setting"),
    "unreadable": ("damaged, linked, or of a format that is not read", "export it as PNG"),
}  # fmt: skip


def ocr_remedy(settings: OcrSettings) -> str:
    """Return what to do so that scans are read, where they were not tried."""
    if settings.mode == "off":
        return "set parsing.ocr to auto"
    command = ocr_command(settings)
    return f"to read them by OCR, run `{command}` and ingest again" if command else "ingest it again"


def page_notes(reader: PictureReader, outcomes: Sequence[Outcome], total: int) -> Iterator[ReadingNote]:
    """Yield the notes of numbered pages that have no text of their own."""

    def note(kind: str, numbers: Iterable[int], says: tuple[str, str], remedy: str = "") -> Iterator[ReadingNote]:
        found = sorted(numbers)
        if found:
            place = numbered("page", found)
            text = f"{place} of {total} {says[len(found) > 1]}"
            yield ReadingNote(kind, text, place, remedy or NOTE_KINDS[kind].remedy)

    yield from note("read_by_ocr", _where(outcomes, "read"), ("was read by OCR", "were read by OCR"))
    yield from note("ocr_uncertain", _uncertain(outcomes), ("was hard to read by OCR", "were hard to read by OCR"))
    untried = ("has no text", "have no text")
    yield from note("pages_without_text", _where(outcomes, "not tried"), untried, ocr_remedy(reader.settings))
    nothing = ("shows no text that OCR can read", "show no text that OCR can read")
    yield from note("no_words_found", _where(outcomes, "no text"), nothing)
    for state, (why, remedy) in _WHY.items():
        yield from note(
            "ocr_stopped", _where(outcomes, state), (f"was not read: {why}", f"were not read: {why}"), remedy
        )


def picture_notes(reader: PictureReader, outcomes: Sequence[Outcome], noun: str = "") -> Iterator[ReadingNote]:
    """Yield the notes of pictures inside a file. Their numbers are those of a ``noun``; without one they have none."""

    def note(kind: str, numbers: Sequence[int], end: str, remedy: str = "") -> Iterator[ReadingNote]:
        if numbers:
            place = numbered(noun, set(numbers)) if noun else ""
            text = f"{counted(len(numbers), 'picture')} {end}"
            yield ReadingNote(kind, text, place, remedy or NOTE_KINDS[kind].remedy)

    yield from note("read_by_ocr", _where(outcomes, "read"), "read by OCR")
    yield from note("ocr_uncertain", _uncertain(outcomes), "hard to read by OCR")
    yield from note("pictures_not_read", _where(outcomes, "not tried"), "not read", ocr_remedy(reader.settings))
    for state, (why, remedy) in _WHY.items():
        yield from note("ocr_stopped", _where(outcomes, state), f"not read: {why}", remedy)


def _where(outcomes: Iterable[Outcome], state: OcrState) -> list[int]:
    return [number for number, read in outcomes if read.state == state]


def _uncertain(outcomes: Iterable[Outcome]) -> list[int]:
    return [n for n, read in outcomes if read.state == "read" and read.text.confidence < LOW_CONFIDENCE]
