"""What comes from data and may have a text in the catalogue: stages, kinds of loss, parts of a report, notes."""

from __future__ import annotations

from rag.types import Note
from ui.i18n import Texts
from ui.text.safe import one_line

__all__ = ["named", "noted"]


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
        return t(f"notes.{note.kind}", **values)
    except (KeyError, TypeError, ValueError, ArithmeticError):  # no kind, or the kinds and values of another version
        return one_line(note.text, 500)
