"""How reading notes are shown: in the summary of an ingestion by kind, and of one document in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rag.cli.output import note
from rag.ingestion.loaders.note_kinds import NOTE_KINDS, is_unread
from rag.text import counted, one_line

if TYPE_CHECKING:
    from rag.types import ReadingNote

__all__ = ["labeled_lines", "note_lines", "print_notes"]

_MAX_SHOWN = 20


def note_lines(notes: Sequence[ReadingNote]) -> list[str]:
    """Return each note on a line: its sentence, its place unless the sentence names it, and its remedy."""
    return [f"{one_line(note.placed_text)}{f'; {one_line(note.remedy)}' if note.remedy else ''}" for note in notes]


def labeled_lines(notes: Sequence[ReadingNote]) -> list[tuple[str, str]]:
    """Return the lines of :func:`note_lines`, each after ``not read``, or ``read`` if it is about what was read."""
    labels = ["not read" if is_unread(note) else "read" for note in notes]
    return list(zip(labels, note_lines(notes), strict=True))


def print_notes(notes: Mapping[str, Sequence[ReadingNote]]) -> None:
    """Write the notes of several documents to stderr: grouped by kind, the most frequent first, each with its file.

    What was not read comes first, then what was read by OCR. Minor notes are only listed with their document.
    """
    pairs = [(source, one) for source, found in notes.items() for one in found if not _is_minor(one)]
    _print_group("not read in full", [pair for pair in pairs if is_unread(pair[1])])
    _print_group("read by OCR", [pair for pair in pairs if not is_unread(pair[1])])


def _print_group(heading: str, pairs: Sequence[tuple[str, ReadingNote]]) -> None:
    if not pairs:
        return
    by_kind: dict[str, list[tuple[str, ReadingNote]]] = {}
    for source, one in pairs:
        by_kind.setdefault(one.kind, []).append((source, one))
    documents = len({source for source, _ in pairs})
    note(f"{heading}: {counted(documents, 'document')}, {counted(len(pairs), 'note')}")
    left = _MAX_SHOWN
    for kind, found_of_kind in sorted(by_kind.items(), key=lambda item: -len(item[1])):
        if left <= 0:
            break
        known = NOTE_KINDS.get(kind)
        common = known.remedy if known else ""
        remedy = f": {common}" if common else ""
        note(f"  {known.meaning if known else kind} ({len(found_of_kind)}){remedy}")
        for source, one in found_of_kind[:left]:
            own = f"; {one_line(one.remedy)}" if one.remedy and one.remedy != common else ""
            note(f"    {source}: {one_line(one.placed_text)}{own}")
        left -= len(found_of_kind)
    if len(pairs) > _MAX_SHOWN:
        note(f"  … and {len(pairs) - _MAX_SHOWN} more: rag documents list --notes")


def _is_minor(note: ReadingNote) -> bool:
    return note.kind in NOTE_KINDS and NOTE_KINDS[note.kind].is_minor
