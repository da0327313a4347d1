"""Loaders: the bytes of a file to a :class:`~rag.types.Document`. One module for each format, one table of them all.

:data:`FORMATS` is the table, :func:`sniff` detects a format, :func:`load_bytes` reads a file. A loader takes bytes and
raises :class:`~rag.errors.DocumentError` for a file that cannot be read. It knows nothing of chunks and models. What
leaves this package can be stored: text without lone surrogates; titles and headings of one line, without control
characters.

Read untrusted files through :mod:`rag.ingestion.sandbox`: the libraries that are used here may crash or hang.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import PurePath

from rag.errors import DocumentError
from rag.ingestion.loaders.embedded import with_embedded
from rag.ingestion.loaders.formats import FORMATS, PLAIN_TEXT, Format, add_format, extensions
from rag.ingestion.loaders.limits import MIB, Bounds, OcrSettings
from rag.ingestion.loaders.note_kinds import note_of, waits_for_ocr
from rag.ingestion.loaders.ocr import reading_pictures
from rag.ingestion.loaders.sniff import sniff
from rag.ingestion.loaders.text import as_utf8, load_text, title_from
from rag.ingestion.loaders.zip_safety import check_package
from rag.text import one_line
from rag.types import Document, ReadingNote

__all__ = ["FORMATS", "Format", "add_format", "extensions", "load_bytes", "sniff"]

_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_REPLACEMENT = "\ufffd"
_OBJECT = re.compile(r"'?<[^<>]* at 0x[0-9a-f]+>'?")  # how a Python object appears in a library's message


def load_bytes(
    data: bytes,
    source: str,
    bounds: Bounds | None = None,
    ocr: OcrSettings | None = None,
    more_time: Callable[[float], None] = lambda _: None,
    *,
    name: str = "",
    charset: str = "",
) -> Document:
    """Read a file's bytes into a document. Raises :class:`~rag.errors.DocumentError`.

    ``ocr`` says how pictures are read. ``more_time`` is called with the seconds that a picture may take. For a file
    inside another both are the outer file's. ``name`` is the file's name, if ``source`` is none; ``charset`` is the
    encoding that a server declares for a text.
    """
    with reading_pictures(ocr or OcrSettings(), more_time):
        document = _load_bytes(data, name or source, bounds or Bounds(), charset)
    return replace(document, source=source)


def _load_bytes(data: bytes, source: str, bounds: Bounds, charset: str) -> Document:
    try:
        row = FORMATS[sniff(data, source)]
        if row.is_zip:
            check_package(data, bounds)
        data, notes = (data, ()) if row.is_binary or row.own_encodings else as_utf8(data, charset)
        document = with_embedded(_load(row, data, source, bounds), data, bounds, load_bytes)
    except RecursionError:
        message = "it is nested too deeply to be read"
        raise DocumentError("nested", message, "export it again, with less nesting") from None
    if not document.text.strip() and not row.may_be_blank:
        raise _no_text(document)
    if len(document.text) > bounds.text_mb * MIB:
        raise DocumentError("too large", f"it contains more than {bounds.text_mb} MiB of text", "split it")
    return _storable(replace(document, notes=(*_notes_of_type(row, source), *notes, *document.notes)))


def _no_text(document: Document) -> DocumentError:
    """Return the error for a document without text; its notes say what else is in the file."""
    what = "; ".join(note.placed_text for note in document.notes[:3])
    message = "the file contains no text" + (f": {what}" if what else "")
    waiting = next(filter(waits_for_ocr, document.notes), None)
    if waiting is not None:
        return DocumentError("no ocr", message, waiting.remedy)
    return DocumentError("no text", message, "add some, or leave it out")


def _notes_of_type(row: Format, source: str) -> tuple[ReadingNote, ...]:
    """Return a note of a plain text whose name says that it is something else."""
    named = extensions().get(PurePath(source).suffix.lower())
    if row.media_type != PLAIN_TEXT or named is None or not (named.is_binary or named.needs_content):
        return ()
    return (_read_as_text(named),)


def _load(row: Format, data: bytes, source: str, bounds: Bounds) -> Document:
    try:
        load = row.load()
        return load(data, source, bounds) if row.takes_limits else load(data, source)
    except (DocumentError, MemoryError, RecursionError):
        raise
    except ModuleNotFoundError as error:
        message = f"reading {row.name} needs {row.package or error.name}, which is not installed"
        raise DocumentError("missing package", message, f"run `pip install {row.package or error.name}`") from error
    except Exception as error:  # the one guard around foreign parsers, which raise anything for a damaged file
        if row.text_if_broken:
            return replace(load_text(data, source), notes=(_read_as_text(row),))
        cause = f"{type(error).__name__}: {one_line(_OBJECT.sub('it', str(error)), 200)}".rstrip(": ")
        if row.noun:
            raise DocumentError("broken", f"the {row.noun} cannot be read: {cause}", row.remedy) from error
        raise DocumentError("parser", f"its parser failed: {cause}", "report the file") from error


def _read_as_text(row: Format) -> ReadingNote:
    return note_of("read_as_plain_text", f"it could not be read as {row.name} and was read as plain text")


def _storable(document: Document) -> Document:
    """Replace what UTF-8 cannot encode, character by character, so that every offset stays valid."""
    return replace(
        document,
        title=_plain_line(document.title) or _plain_line(title_from(document.source)),
        text=_SURROGATE.sub(_REPLACEMENT, document.text),
        sections=tuple(
            replace(section, headings=tuple(filter(None, map(_plain_line, section.headings))))
            for section in document.sections
        ),
        notes=tuple(ReadingNote(*(_plain_line(part) for part in astuple(note))) for note in document.notes),
    )


def _plain_line(text: str) -> str:
    return one_line(_CONTROL.sub(" ", _SURROGATE.sub(_REPLACEMENT, text)))
