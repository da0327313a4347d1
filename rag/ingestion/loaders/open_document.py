"""What OpenDocument texts, spreadsheets and presentations have in common: looks of text, and spaces as elements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rag.ingestion.loaders.office_package import attribute, first_child, local_name

__all__ = ["NO_LOOK", "Look", "is_picture", "look_of", "paragraph_text", "repeated", "spaces"]

_MOST_SPACES = 100
_MOST_REPEATED = 1000  # cells, rows or columns that a file may repeat with one element


@dataclass(frozen=True, slots=True)
class Look:
    """How a style looks, as far as the text depends on it."""

    hidden: bool = False
    struck: bool = False
    raised: bool = False
    lowered: bool = False
    strong: bool = False


NO_LOOK = Look()


def look_of(style: Any) -> Look:
    """Return the look of a ``style:style`` element."""
    text = first_child(style, "text-properties")
    if text is None:
        return NO_LOOK
    position = attribute(text, "text-position").split()
    place = position[0] if position else ""
    raised = place == "super" or (place.rstrip("%").isdigit() and place.rstrip("%") != "0")
    line = attribute(text, "text-line-through-style") or attribute(text, "text-line-through-type")
    return Look(
        attribute(text, "display") == "none",
        line not in ("", "none"),
        raised,
        place == "sub" or place.startswith("-"),
        attribute(text, "font-weight") in ("bold", "600", "700", "800", "900"),
    )


def is_picture(image: Any) -> bool:
    """Return whether an image is a picture of its own, and not the look of an object or a table."""
    frame = image.getparent()
    return frame is None or all(first_child(frame, name) is None for name in ("object", "table", "text-box"))


def paragraph_text(element: Any) -> str:
    """Return a paragraph's text without its annotations; spaces, tabs and line breaks are elements."""
    parts = [element.text or ""]
    for below in element:
        name = local_name(below)
        if name == "s":
            parts.append(spaces(below))
        elif name in ("tab", "line-break"):
            parts.append("\t" if name == "tab" else "\n")
        elif name and name != "annotation":
            parts.append(paragraph_text(below))
        parts.append(below.tail or "")
    return "".join(parts)


def spaces(element: Any) -> str:
    """Return the spaces that a ``text:s`` element stands for."""
    return " " * _number(element, "c", _MOST_SPACES)


def repeated(element: Any, what: str) -> int:
    """Return how often an element of a table stands for itself; ``what`` is ``rows`` or ``columns``."""
    return _number(element, f"number-{what}-repeated", _MOST_REPEATED)


def _number(element: Any, name: str, most: int) -> int:
    value = attribute(element, name)
    return min(int(value), most) if value.isdigit() else 1
