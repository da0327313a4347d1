"""Files inside PDFs and Office files: attachments, and objects that were inserted as files.

With ``bounds.embedded_files`` each is read like an attachment of a message: below a heading ``embedded file NAME``,
within the same limits of number and depth. Without it, each is noted. Workbooks behind charts are left out: the data of
charts is read already. Objects of programs that store no file (formulas, drawings) are left out, too.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from rag.errors import DocumentError
from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.limits import MIB, Bounds
from rag.ingestion.loaders.text import normalise
from rag.text import one_line
from rag.types import Document, ReadingNote

__all__ = ["with_embedded"]

_PDF = "application/pdf"
_OOXML = "application/vnd.openxmlformats-officedocument."
_EMBEDDING = re.compile(r"(?:word|ppt|xl)/embeddings/[^/]+", re.IGNORECASE)
_CHART = re.compile(r"(?:word|ppt|xl)/charts/_rels/[^/]+\.rels", re.IGNORECASE)
_TARGET = re.compile(rb'Target\s*=\s*["\']([^"\'<>]{1,500})["\']')
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MOST_RELATIONS = 1 << 20  # bytes of one file of relations
_NATIVE = "\x01Ole10Native"
_OLD_FORMATS = {"Workbook": ".xls", "Book": ".xls", "WordDocument": ".doc", "PowerPoint Document": ".ppt"}
_LONGEST_NAME = 200
_COUNTED = re.compile(r"[\d,]+ embedded objects? not read")

LoadBytes = Callable[[bytes, str, Bounds], Document]


@dataclass(frozen=True, slots=True)
class _File:
    """A file inside another. ``read`` returns its bytes; it raises for a damaged one."""

    name: str
    read: Callable[[], bytes]


def with_embedded(document: Document, data: bytes, bounds: Bounds, load: LoadBytes) -> Document:
    """Return a document with the texts of the files inside it, or with a note of each.

    ``data`` are the bytes of the document, ``load`` reads a file by its bytes, name and bounds.
    """
    if document.media_type != _PDF and not document.media_type.startswith(_OOXML):
        return document
    builder = DocumentBuilder()
    builder.add_document(replace(document, notes=_without_counts(document.notes)))
    if not _add_all(builder, document.media_type, data, bounds, load):
        return document
    if len(builder) > bounds.text_mb * MIB:
        raise DocumentError("too large", f"it contains more than {bounds.text_mb} MiB of text", "split it")
    built = builder.document(document.source, document.media_type)
    return replace(document, text=built.text, sections=built.sections, notes=built.notes)


def _without_counts(notes: Sequence[ReadingNote]) -> tuple[ReadingNote, ...]:
    """Leave out notes that only count embedded objects: each file has its own note, or is read."""
    return tuple(n for n in notes if n.kind != "attachment_not_read" or not _COUNTED.fullmatch(n.text))


def _add_all(builder: DocumentBuilder, media_type: str, data: bytes, bounds: Bounds, load: LoadBytes) -> bool:
    """Add the text or a note of each file; return whether there is one."""
    inner = replace(bounds, attachment_depth=bounds.attachment_depth - 1)
    count = 0
    try:
        with _opened(media_type, data) as files:
            for count, file in enumerate(files, start=1):
                if count > bounds.attachments:
                    more = f"embedded files after the first {bounds.attachments} were not read"
                    builder.note("attachment_not_read", more)
                    break
                _add(builder, file, bounds, inner, load)
    except (DocumentError, MemoryError, RecursionError):
        raise
    except Exception as error:  # noqa: BLE001 - of the libraries that list the files: the document itself was read
        text = f"the files inside it could not be listed ({type(error).__name__})"
        builder.note("attachment_not_read", text)
        return True
    return count > 0


def _add(builder: DocumentBuilder, file: _File, bounds: Bounds, inner: Bounds, load: LoadBytes) -> None:
    name = one_line(normalise(file.name))[:_LONGEST_NAME] or "unnamed"
    place = f"embedded file {name}"
    if not bounds.embedded_files:
        builder.note("embedded_not_read", "a file inside it was not read", place)
        return
    try:
        if inner.attachment_depth < 1:
            raise DocumentError("nested", "it is inside too many other files", "save it and ingest it by itself")
        builder.add_document(load(_content(file), name, inner), (place,))
    except DocumentError as error:
        builder.note("attachment_not_read", f"not read: {error.message}", place, error.remedy)


def _content(file: _File) -> bytes:
    try:
        return file.read()
    except (DocumentError, MemoryError, RecursionError):
        raise
    except Exception as error:  # noqa: BLE001 - damaged packages and OLE files raise anything
        raise DocumentError("broken", f"it is damaged ({type(error).__name__})", "save it and ingest it") from None


class _opened:  # noqa: N801 - used like a function
    """The files inside a file of a type, while the block is open."""

    def __init__(self, media_type: str, data: bytes) -> None:
        self._media_type = media_type
        self._data = data
        self._pdf: Any = None

    def __enter__(self) -> Iterator[_File]:
        if self._media_type != _PDF:
            return _of_package(self._data)
        import pypdfium2

        self._pdf = pypdfium2.PdfDocument(self._data)
        return _of_pdf(self._pdf)

    def __exit__(self, *_: object) -> None:
        if self._pdf is not None:
            self._pdf.close()


def _of_pdf(pdf: Any) -> Iterator[_File]:
    for number in range(pdf.count_attachments()):
        attachment = pdf.get_attachment(number)
        yield _File(attachment.get_name(), lambda attachment=attachment: bytes(attachment.get_data()))  # type: ignore[misc]


def _of_package(data: bytes) -> Iterator[_File]:
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        names = package.namelist()
        charts = {target for name in names if _CHART.fullmatch(name) for target in _targets(package, name)}
        for name in names:
            last = PurePosixPath(name).name
            if not _EMBEDDING.fullmatch(name) or last in charts:
                continue
            if not last.lower().endswith((".bin", ".ole")):
                yield _File(last, lambda name=name: package.read(name))  # type: ignore[misc]
            elif (found := _of_ole(package.read(name), last)) is not None:
                yield found


def _targets(package: zipfile.ZipFile, name: str) -> list[str]:
    """Return the last parts of the names that a chart refers to."""
    with package.open(name) as stream:
        relations = stream.read(_MOST_RELATIONS)
    return [PurePosixPath(target.decode("utf-8", "replace")).name for target in _TARGET.findall(relations)]


def _of_ole(data: bytes, name: str) -> _File | None:
    """Return the file in an OLE object, None if it stores none."""
    import olefile

    if not data.startswith(_OLE):
        return _File(name, lambda: data)
    try:
        with olefile.OleFileIO(data) as ole:
            streams = {"/".join(path) for path in ole.listdir() if len(path) == 1}
            for old, extension in _OLD_FORMATS.items():
                if old in streams:
                    return _File(f"{PurePosixPath(name).stem}{extension}", lambda: data)
            for stream in (_NATIVE, "Package", "CONTENTS"):
                if stream in streams:
                    return _of_stream(ole.openstream(stream).read(), stream, name)
    except Exception:  # noqa: BLE001 - of a damaged OLE file: reading it says so
        return _File(name, lambda: data)
    return None


def _of_stream(content: bytes, stream: str, name: str) -> _File:
    return _native(content, name) if stream == _NATIVE else _File(name, lambda: content)


def _native(content: bytes, name: str) -> _File:
    """Return the file in a package object: its length, flags, label, paths, and bytes."""
    try:
        place = 6
        label, place = _text(content, place)
        path, place = _text(content, place)
        place += 4
        (length,) = struct.unpack_from("<I", content, place)
        place += 4 + length
        (size,) = struct.unpack_from("<I", content, place)
        data = content[place + 4 : place + 4 + size]
        if len(data) == size:
            return _File(PureWindowsPath(label or path).name or name, lambda: data)
    except (struct.error, ValueError):
        pass

    def damaged() -> bytes:
        raise DocumentError("broken", "the object that holds it is damaged", "save it and ingest it")

    return _File(name, damaged)


def _text(content: bytes, start: int) -> tuple[str, int]:
    end = content.index(b"\0", start)
    return content[start:end].decode("utf-8", "replace"), end + 1
