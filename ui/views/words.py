"""What all pages say the same way: where something is in the documents, and texts for names that come from data.

Plain text, not HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Protocol

from rag.ingestion.loaders.formats import has_slides
from rag.ingestion.loaders.note_kinds import NOTE_KINDS
from rag.types import Note, ReadingNote
from ui.i18n import Texts
from ui.text.safe import one_line

__all__ = ["Placed", "full_place", "named", "noted", "place", "read_as", "remedy_of", "short_name"]


def named(t: Texts, key: str, otherwise: str) -> str:
    """Return the catalogue's text of a key, or the name as it came, in one line."""
    try:
        return t(key)
    except KeyError:
        return one_line(otherwise)


def noted(t: Texts, note: Note) -> str:
    """Return a note in the page's language, or the English sentence where its kind has no text; in one line."""
    try:
        values = {name: v if isinstance(v, int | float) else one_line(str(v), 300) for name, v in note.values.items()}
        if note.kind == "read_in_part":
            values["what"] = read_as(t, ReadingNote(str(values["reading"]), str(values["what"]), str(values["place"])))
        elif "place" in values:
            values["place"] = _place_words(t, str(values["place"]))
        return t(f"notes.{note.kind}", **values)
    except (KeyError, TypeError, ValueError, ArithmeticError):  # no kind, or the kinds and values of another version
        return one_line(note.text, 500)


def read_as(t: Texts, note: ReadingNote) -> str:
    """Say what of a document was not read, with its place. Notes are in English; other languages name their kind."""
    key = f"reading.{note.kind}"
    if t.language == "en" or key not in t:
        return one_line(note.placed_text, 500)
    place = _place_words(t, one_line(note.place, 200))
    return f"{t(key)} ({place})" if place else t(key)


def remedy_of(t: Texts, note: ReadingNote) -> str:
    """Say what can be done about a note, as a sentence; the remedy of its kind in the page's language."""
    known = NOTE_KINDS.get(note.kind)
    text = one_line(note.remedy, 300)
    if known and note.remedy == known.remedy and f"remedies.{note.kind}" in t:
        text = t(f"remedies.{note.kind}")
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _place_words(t: Texts, place: str) -> str:
    """Return a place with the words that its parts begin with in the page's language."""
    parts = []
    for part in place.split(", "):
        word, _, rest = part.partition(" ")
        key = f"places.{word}"
        parts.append(f"{t(key)} {rest}" if rest and key in t else part)
    return ", ".join(parts)


class Placed(Protocol):
    """Anything with a place: a passage, or a run's record of one."""

    @property
    def source(self) -> str:
        """The document's name."""

    @property
    def page(self) -> int | None:
        """Its page, where it has pages."""

    @property
    def headings(self) -> Sequence[str]:
        """The headings above it, the highest first."""


def short_name(source: str) -> str:
    """Return a document's name without its folders."""
    return one_line(PurePosixPath(source.replace("\\", "/")).name or source, 80)


def place(t: Texts, passage: Placed) -> str:
    """Say where a passage stands in its document: page and heading path, where it has them."""
    word = "app.slide" if has_slides(passage.source) else "app.page"
    page = [t(word, page=passage.page)] if passage.page is not None else []
    path = [" › ".join(one_line(heading, 80) for heading in passage.headings)] if passage.headings else []
    return " · ".join(page + path)


def full_place(t: Texts, passage: Placed) -> str:
    """Say where a passage stands, its document's whole name first."""
    return " · ".join(part for part in (one_line(passage.source, 300), place(t, passage)) if part)
