"""Plain text in any encoding, normalised to NFC with plain newlines, and the titles of files without one."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePath

from rag.errors import DocumentError
from rag.types import Document, Section

__all__ = ["decode", "load_text", "looks_binary", "normalise", "title_from"]

_BOMS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
# Control characters that no text file contains. Form feed, escape and the like do occur in logs.
_NEVER_IN_TEXT = bytes(range(0x07)) + bytes(range(0x0E, 0x1B))


def looks_binary(data: bytes) -> bool:
    """Return whether bytes have control characters that text never has. UTF-16 and UTF-32 count as text."""
    if data.startswith(_BOMS):
        return False
    sample = data[:65536]
    never = sum(sample.count(bytes([byte])) for byte in _NEVER_IN_TEXT)
    return never > len(sample) // 1000


def decode(data: bytes) -> str:
    """Decode bytes as UTF-8 if that is valid, else as charset-normalizer detects.

    Raises :class:`~rag.errors.DocumentError` if no encoding fits.
    """
    try:
        return normalise(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        pass
    from charset_normalizer import from_bytes

    matches = from_bytes(data)
    best = matches.best()
    for match in matches:  # if two code pages fit equally well, the Western European one is more common
        if best is not None and match.encoding == "cp1252" and best.encoding == "cp1250":
            if match.chaos <= best.chaos and match.coherence >= best.coherence:
                best = match
            break
    if best is None:
        raise DocumentError("encoding", "the file is in no known text encoding", "save it as UTF-8")
    return normalise(str(best))


def normalise(text: str) -> str:
    """Return the text in NFC, with plain newlines and without characters that SQLite and JSON cannot store."""
    text = re.sub(r"\r\n?", "\n", text).replace("\x00", "\ufffd").lstrip("\ufeff")
    return unicodedata.normalize("NFC", text)


def title_from(source: str) -> str:
    """Return a title made from a file's name: ``field manual`` for ``field-manual.pdf``."""
    return " ".join(re.split(r"[-_\s]+", PurePath(source).stem)).strip() or source


def load_text(data: bytes, source: str) -> Document:
    """Read a plain text as one section."""
    text = decode(data)
    return Document(source, "text/plain", title_from(source), text, (Section(0, len(text)),))
