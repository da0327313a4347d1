"""Names that come from data and may have a text in the catalogue: stages, kinds of loss, parts of a report."""

from __future__ import annotations

from ui.safe import one_line
from ui.texts import Texts

__all__ = ["named"]


def named(t: Texts, key: str, otherwise: str) -> str:
    """Return the catalogue's text of a key, or the name as it came, in one line."""
    try:
        return t(key)
    except KeyError:
        return one_line(otherwise)
