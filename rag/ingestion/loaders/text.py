"""Plain text in any encoding, normalised to NFC with plain newlines, and the titles of files without one."""

from __future__ import annotations

import codecs
import re
import unicodedata
from pathlib import PurePath

from rag.ingestion.loaders.decoding import BOMS, decode_bytes, wide_encoding
from rag.types import Document, ReadingNote, Section

__all__ = ["as_utf8", "decode", "load_text", "looks_binary", "normalise", "title_from"]

# Control characters that no text file contains. Form feed, escape and the like do occur in logs.
_NEVER_IN_TEXT = bytes(range(0x07)) + bytes(range(0x0E, 0x1B))


def looks_binary(data: bytes) -> bool:
    """Return whether bytes have control characters that text never has. UTF-16 and UTF-32 count as text."""
    if data.startswith(BOMS) or wide_encoding(data):
        return False
    sample = data[:65536]
    never = sum(sample.count(bytes([byte])) for byte in _NEVER_IN_TEXT)
    return never > len(sample) // 1000


def decode(data: bytes, label: str = "") -> str:
    """Decode a text in any encoding, see :mod:`~rag.ingestion.loaders.decoding`, and normalise it. Never fails."""
    return normalise(decode_bytes(data, label).text)


def as_utf8(data: bytes, charset: str = "") -> tuple[bytes, tuple[ReadingNote, ...]]:
    """Return a text file's bytes in UTF-8, and notes of what was guessed or replaced.

    ``charset`` is what a server declares, which comes before what the text itself says.
    Bytes that were in UTF-8 already are the same object. Others begin with a byte order mark, so that
    :func:`decode` does not believe what the text declares of its former encoding.
    """
    decoded = decode_bytes(data, charset)
    if decoded.encoding == "utf-8" and not decoded.notes:
        return data, ()
    return codecs.BOM_UTF8 + decoded.text.encode("utf-8", "replace"), decoded.notes


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
