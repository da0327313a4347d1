"""Builds a document piece by piece; the offsets of its sections index the whole text."""

from __future__ import annotations

from collections.abc import Sequence

from rag.ingestion.loaders.grid import Table
from rag.ingestion.loaders.note_kinds import NOTE_KINDS
from rag.ingestion.loaders.table_text import table_blocks
from rag.ingestion.loaders.text import normalise, title_from
from rag.types import Document, ReadingNote, Section

__all__ = ["DocumentBuilder", "row_range"]

_GAP = "\n\n"
_MOST_NOTES = 200


class DocumentBuilder:
    """Collects sections in order. Blank sections are left out."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._sections: list[Section] = []
        self._notes: dict[ReadingNote, None] = {}  # in the order in which they came
        self._notes_left_out = 0
        self._length = 0

    def __len__(self) -> int:
        """Return the number of characters so far."""
        return self._length

    def add(self, text: str, page: int | None = None, headings: Sequence[str] = ()) -> None:
        """Append a section."""
        text = normalise(text).strip("\n").rstrip()
        if not text.strip():
            return
        self._sections.append(Section(self._length, self._length + len(text), page, tuple(headings)))
        self._append(text)

    def add_between(self, text: str) -> None:
        """Append text that belongs to no section, such as a heading that the next sections have in their paths."""
        if text := normalise(text).strip():
            self._append(text)

    def note(self, kind: str, text: str, place: str = "", remedy: str = "") -> None:
        """Record what was not read, or read only in part; the same note counts once.

        Without a remedy it gets that of its kind (:data:`~rag.ingestion.loaders.note_kinds.NOTE_KINDS`).
        """
        known = NOTE_KINDS.get(kind)
        note = ReadingNote(kind, text, place, remedy or (known.remedy if known else ""))
        if note in self._notes or len(self._notes) < _MOST_NOTES:
            self._notes[note] = None
        else:
            self._notes_left_out += 1

    def add_table(self, table: Table, page: int | None = None, headings: Sequence[str] = ()) -> None:
        """Append a table whose rows have numbers; its sections are headed by those of their rows."""
        for first, last, text in table_blocks(table):
            self.add(text, page, (*headings, row_range(first, last)))

    def add_document(self, document: Document, headings: Sequence[str] = ()) -> None:
        """Append another document's text, sections and notes, below ``headings``."""
        self._sections += (
            Section(self._length + s.start, self._length + s.end, s.page, (*headings, *s.headings))
            for s in document.sections
        )
        self._append(document.text)
        for note in document.notes:
            place = ", ".join(filter(None, (headings[-1] if headings else "", note.place)))
            self.note(note.kind, note.text, place, note.remedy)

    def document(self, source: str, media_type: str, title: str = "", pages: int | None = None) -> Document:
        """Return the document. Without a title it is called after its file."""
        title = normalise(title).strip() or normalise(title_from(source))
        text, notes = _GAP.join(self._texts), tuple(self._notes)
        if self._notes_left_out:
            notes = (*notes, ReadingNote("further_notes", f"{self._notes_left_out:,} more notes were left out"))
        return Document(source, media_type, title, text, tuple(self._sections), pages, notes)

    def _append(self, text: str) -> None:
        self._texts.append(text)
        self._length += len(text) + len(_GAP)


def row_range(first: int, last: int) -> str:
    """Return a name for rows from the first to the last."""
    return f"row {first}" if first == last else f"rows {first}-{last}"
