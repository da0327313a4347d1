"""Outlook messages (.msg): the main headers, the text, and each attachment in a known format.

A message is an OLE file: its properties are streams that are named by tag and type. Only the properties below are read.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rag.errors import DocumentError
from rag.ingestion.loaders.compressed_rtf import decompress_rtf
from rag.ingestion.loaders.decoding import decode_bytes
from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.html import html_document
from rag.ingestion.loaders.limits import Bounds
from rag.ingestion.loaders.mail_body import fuller
from rag.ingestion.loaders.rtf import load_rtf
from rag.ingestion.loaders.text import normalise
from rag.text import one_line
from rag.types import Document

__all__ = ["load_msg"]

_SUBJECT, _BODY, _HTML, _RTF = "0037", "1000", "1013", "1009"
_SENDER, _ADDRESSES = "0C1A", ("5D01", "0C1F")
_TO, _CC = "0E04", "0E03"
_FILE_NAMES, _CONTENT, _EMBEDDED = ("3707", "3704", "3001"), "3701", "3701000D"
_SENT, _DELIVERED = 0x0039, 0x0E06
_CLASS = "001A"
_TIMES = {"Start": (0x820D, 0x0060), "End": (0x820E, 0x0061)}
_WITH_TIMES = ("IPM.Appointment", "IPM.Schedule", "IPM.Task")
_CONTACT = {
    "Name": "3001", "Company": "3A16", "Department": "3A18", "Title": "3A17", "Phone": "3A08", "Phone at home": "3A09",
    "Mobile": "3A1C", "Fax": "3A24", "Address": "3A15",
}  # fmt: skip
_LOCATION, _E_MAILS = 0x8208, (0x8083, 0x8093, 0x80A3)  # properties whose tags differ between files
_NAMES = ["__nameid_version1.0", "__substg1.0_00030102"]
_CODE_PAGES = (0x3FFD, 0x3FDE)  # of the message, of its HTML
_LONG, _TIME = 0x0003, 0x0040
_PROPERTIES = "__properties_version1.0"
_ATTACHMENT = "__attach_version1.0"
_HEADER_BYTES, _INNER_HEADER, _ATTACHMENT_HEADER = 32, 24, 8  # before the properties of fixed size


def load_msg(data: bytes, source: str, bounds: Bounds) -> Document:
    """Read a message and its attachments, which may be messages with attachments."""
    import olefile

    with olefile.OleFileIO(data) as file:
        builder = DocumentBuilder()
        subject = _add_message(builder, _Storage(file, [], builder), source, bounds, ())
        return builder.document(source, "application/vnd.ms-outlook", subject)


class _Storage:
    """One storage of an OLE file: a message or an attachment. Guesses are noted in the document that is built."""

    def __init__(self, file: Any, path: list[str], builder: DocumentBuilder) -> None:
        self.file = file
        self.path = path
        self._builder = builder
        self._values = self._fixed_values()

    def bytes_of(self, name: str) -> bytes:
        path = [*self.path, name]
        return bytes(self.file.openstream(path).read()) if self.file.exists(path) else b""

    def inner(self, name: str) -> _Storage:
        return _Storage(self.file, [*self.path, name], self._builder)

    def text(self, *tags: str) -> str:
        """Return the first property that is there: Unicode, or in some code page."""
        for tag in tags:
            if wide := self.bytes_of(f"__substg1.0_{tag}001F"):
                return wide.decode("utf-16-le", "replace").rstrip("\x00")
            if narrow := self.bytes_of(f"__substg1.0_{tag}001E"):
                return self._decoded(narrow.replace(b"\x00", b""))
        return ""

    def tag_of(self, number: int) -> int:
        """Return the tag that the file gives to a property that is known by a number, 0 if it has none."""
        names = self.file.openstream(_NAMES).read() if self.file.exists(_NAMES) else b""
        entries = struct.iter_unpack("<IHH", names[: len(names) // 8 * 8])
        return next((0x8000 + place for name, kind, place in entries if name == number and not kind & 1), 0)

    def named_text(self, number: int) -> str:
        return self.text(f"{self.tag_of(number):04X}")

    def html(self) -> str:
        data = self.bytes_of(f"__substg1.0_{_HTML}0102")
        return self._decoded(data) if data else self.text(_HTML)

    def time(self, *tags: int) -> str:
        ticks = next((value for tag in tags if (value := self._values.get((_TIME, tag)))), 0)
        try:
            moment = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
        except OverflowError:
            return ""
        return moment.strftime("%Y-%m-%d %H:%M UTC") if ticks else ""

    def _decoded(self, data: bytes) -> str:
        pages = (self._values.get((_LONG, tag), 0) & 0xFFFFFFFF for tag in _CODE_PAGES)
        decoded = decode_bytes(data, next((f"cp{page}" for page in pages if page), ""))
        for note in decoded.notes:
            self._builder.note(note.kind, note.text, note.place, note.remedy)
        return decoded.text

    def _fixed_values(self) -> dict[tuple[int, int], int]:
        """Return the properties of fixed size, as numbers, by type and tag."""
        data = self.bytes_of(_PROPERTIES)
        begin = _HEADER_BYTES
        if self.path:
            begin = _ATTACHMENT_HEADER if self.path[-1].startswith(_ATTACHMENT) else _INNER_HEADER
        return {
            (kind, tag): value
            for kind, tag, _, value in struct.iter_unpack("<HHIQ", data[begin : begin + (len(data) - begin) // 16 * 16])
        }

    def attachments(self) -> list[_Storage]:
        depth = len(self.path)
        names = sorted(
            {
                path[depth]
                for path in self.file.listdir()
                if path[:depth] == self.path and path[depth].startswith(_ATTACHMENT)
            }
        )
        return [self.inner(name) for name in names]


def _add_message(
    builder: DocumentBuilder, message: _Storage, source: str, bounds: Bounds, above: tuple[str, ...]
) -> str:
    if bounds.attachment_depth < 1:
        raise DocumentError("nested", "it is a message inside too many other messages", "ingest it by itself")
    subject = one_line(message.text(_SUBJECT))
    address = one_line(message.text(*_ADDRESSES))
    sender = one_line(message.text(_SENDER))
    address = "" if address.startswith("/") else address  # the name of a folder in a directory
    headers = {
        "From": f"{sender} <{address}>" if address and address != sender else sender or address,
        "To": one_line(message.text(_TO)),
        "Cc": one_line(message.text(_CC)),
        "Date": message.time(_SENT, _DELIVERED),
        "Subject": subject,
        **_fields(message),
    }
    lines = [f"{name}: {value}" for name, value in headers.items() if value]
    headings = (*above, subject) if subject else above
    builder.add("\n".join(lines) + "\n\n" + _body(message, source, builder), None, headings)
    for number, attachment in enumerate(message.attachments(), start=1):
        if number > bounds.attachments:
            more = f"attachments after the first {bounds.attachments} were not read"
            builder.add(f"[{more}]", None, headings)
            builder.note("attachment_not_read", more)
            break
        _add_attachment(builder, attachment, source, bounds, headings)
    return subject


def _fields(message: _Storage) -> dict[str, str]:
    """Return what is shown of an appointment, a task or a contact besides its text."""
    kind = message.text(_CLASS)
    if kind.startswith(_WITH_TIMES):
        times = {name: message.time(message.tag_of(own), tag) for name, (own, tag) in _TIMES.items()}
        return times | {"Location": one_line(message.named_text(_LOCATION))}
    if kind.startswith("IPM.Contact"):
        fields = {name: one_line(message.text(tag)) for name, tag in _CONTACT.items()}
        return fields | {"E-mail": ", ".join(filter(None, (one_line(message.named_text(n)) for n in _E_MAILS)))}
    return {}


def _body(message: _Storage, source: str, builder: DocumentBuilder) -> str:
    """Return the text, of its forms the fuller one; a text that is stored as compressed RTF if there is no other."""
    html = message.html()
    web = html_document(html, source, "text/html").text if html.strip() else ""
    text = fuller(normalise(message.text(_BODY)).strip(), web)
    compressed = message.bytes_of(f"__substg1.0_{_RTF}0102")
    if text.strip() or not compressed:
        return text
    try:
        return load_rtf(decompress_rtf(compressed), source).text
    except ValueError:
        builder.note("body_not_readable", "its text is damaged")
        return ""


def _add_attachment(
    builder: DocumentBuilder, attachment: _Storage, source: str, bounds: Bounds, headings: tuple[str, ...]
) -> None:
    from rag.ingestion.loaders import load_bytes

    inner = replace(bounds, attachment_depth=bounds.attachment_depth - 1)
    name = one_line(attachment.text(*_FILE_NAMES)) or "attachment"
    below = (*headings, f"attachment {name}")
    try:
        if attachment.file.exists([*attachment.path, f"__substg1.0_{_EMBEDDED}"]):
            message = attachment.inner(f"__substg1.0_{_EMBEDDED}")
            _add_message(builder, message, source, inner, below)
        else:
            content = attachment.bytes_of(f"__substg1.0_{_CONTENT}0102")
            document = load_bytes(content, name, inner)
            if document.text.strip():  # a picture may have none
                builder.add_document(document, below)
    except DocumentError as error:
        builder.add(f"[attachment {name} was not read: {error.message}]", None, below)
        kind = "pictures_not_read" if error.reason == "no ocr" else "attachment_not_read"
        builder.note(kind, f"not read: {error.message}", f"attachment {name}", error.remedy)
