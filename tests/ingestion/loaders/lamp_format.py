"""A loader of a made-up format: what adding a format takes. Worker processes import it by name, so it is a module."""

from __future__ import annotations

from rag.types import Document, Section


def load_lamps(data: bytes, source: str) -> Document:
    text = data.decode().removeprefix("LAMPS\n")
    if "broken" in text:
        raise ValueError("a lamp is broken")
    return Document(source, "application/x-lamps", "Lamps", text, (Section(0, len(text), None, ("Lamps",)),))
