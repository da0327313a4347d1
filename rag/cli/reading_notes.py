"""How reading notes are shown: in the summary of an ingestion by kind, and of one document in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rag.cli.output import note
from rag.ingestion.loaders.note_kinds import NOTE_KINDS
from rag.text import counted, one_line

if TYPE_CHECKING:
    from rag.types import ReadingNote

__all__ = ["note_lines", "print_notes"]

_MAX_SHOWN = 20


def note_lines(notes: Sequence[ReadingNote]) -> list[str]:
    """Return each note on a line: its sentence, its place unless the sentence names it, and its remedy."""
    return [f"{one_line(note.placed_text)}{f'; {one_line(note.remedy)}' if note.remedy else ''}" for note in notes]


def print_notes(notes: Mapping[str, Sequence[ReadingNote]]) -> None:
    """Write the notes of several documents to stderr: grouped by kind, the most frequent first, each with its file.

    Minor notes are only listed with their document.
    """
    notes = {source: [one for one in found if not _is_minor(one)] for source, found in notes.items()}
    notes = {source: found for source, found in notes.items() if found}
    if not notes:
        return
    by_kind: dict[str, list[tuple[str, ReadingNote]]] = {}
    for source, found in notes.items():
        for one in found:
            by_kind.setdefault(one.kind, []).append((source, one))
    total = sum(map(len, by_kind.values()))
    note(f"not read in full: {counted(len(notes), 'document')}, {counted(total, 'note')}")
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
    if total > _MAX_SHOWN:
        note(f"  … and {total - _MAX_SHOWN} more: rag documents list --notes")


def _is_minor(note: ReadingNote) -> bool:
    return note.kind in NOTE_KINDS and NOTE_KINDS[note.kind].is_minor
