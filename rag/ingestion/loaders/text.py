"""Plain text in any encoding, normalised to NFC with plain newlines."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePath

from rag.errors import DocumentError
from rag.types import Document, Section

__all__ = ["decode", "load_text", "looks_binary", "normalise", "title_from"]

_BOMS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
# Control characters that no text file holds; form feed, escape and the like do occur in logs.
_NEVER_IN_TEXT = bytes(range(0x07)) + bytes(range(0x0E, 0x1B))


def looks_binary(data: bytes) -> bool:
    """Return whether bytes are no text: control characters that text never has, outside UTF-16 and UTF-32."""
    if data.startswith(_BOMS):
        return False
    sample = data[:65536]
    never = sum(sample.count(bytes([byte])) for byte in _NEVER_IN_TEXT)
    return never > len(sample) // 1000


def decode(data: bytes) -> str:
    """Decode bytes: UTF-8 where it is valid, else what charset-normalizer finds.

    Raises :class:`~rag.errors.DocumentError` where no encoding fits.
    """
    try:
        return normalise(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        pass
    from charset_normalizer import from_bytes

    matches = from_bytes(data)
    best = matches.best()
    for match in matches:  # of two code pages that fit equally well, the Western European one is the commoner
        if best is not None and match.encoding == "cp1252" and best.encoding == "cp1250":
            if match.chaos <= best.chaos and match.coherence >= best.coherence:
                best = match
            break
    if best is None:
        raise DocumentError("encoding", "no known text encoding fits the file", "save it as UTF-8")
    return normalise(str(best))


def normalise(text: str) -> str:
    """Return the text in NFC, with plain newlines and without the characters that SQLite and JSON cannot carry."""
    text = re.sub(r"\r\n?", "\n", text).replace("\x00", "\ufffd").lstrip("\ufeff")
    return unicodedata.normalize("NFC", text)


def title_from(source: str) -> str:
    """Make a title of a file's name: ``field-manual.pdf`` is ``field manual``."""
    return " ".join(re.split(r"[-_\s]+", PurePath(source).stem)).strip() or source


def load_text(data: bytes, source: str) -> Document:
    """Read a plain text as one section."""
    text = decode(data)
    return Document(source, "text/plain", title_from(source), text, (Section(0, len(text)),))
