"""Outlook messages (.msg): the main headers, the text, and each attachment in a known format.

A message is an OLE file: its properties are streams that are named by tag and type. Only the properties below are read.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rag.errors import DocumentError
from rag.ingestion.loaders.decoding import decode_bytes
from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.html import html_document
from rag.ingestion.loaders.limits import Bounds
from rag.ingestion.loaders.text import normalise
from rag.text import one_line
from rag.types import Document

__all__ = ["load_msg"]

_SUBJECT, _BODY, _HTML = "0037", "1000", "1013"
_SENDER, _ADDRESSES = "0C1A", ("5D01", "0C1F")
_TO, _CC = "0E04", "0E03"
_FILE_NAMES, _CONTENT, _EMBEDDED = ("3707", "3704", "3001"), "3701", "3701000D"
_SENT, _DELIVERED = 0x0039, 0x0E06
_TIME = 0x0040
_PROPERTIES = "__properties_version1.0"
_HEADER_BYTES = {True: 32, False: 24}  # before the properties, of a message of its own and of one that is attached


def load_msg(data: bytes, source: str, bounds: Bounds) -> Document:
    """Read a message and its attachments, which may be messages with attachments."""
    import olefile

    with olefile.OleFileIO(data) as file:
        builder = DocumentBuilder()
        subject = _add_message(builder, _Storage(file, []), source, bounds, ())
        return builder.document(source, "application/vnd.ms-outlook", subject)


class _Storage:
    """One storage of an OLE file: a message or an attachment."""

    def __init__(self, file: Any, path: list[str]) -> None:
        self.file = file
        self.path = path

    def bytes_of(self, name: str) -> bytes:
        path = [*self.path, name]
        return bytes(self.file.openstream(path).read()) if self.file.exists(path) else b""

    def text(self, *tags: str) -> str:
        """Return the first property that is there: Unicode, or in some code page."""
        for tag in tags:
            if wide := self.bytes_of(f"__substg1.0_{tag}001F"):
                return wide.decode("utf-16-le", "replace").rstrip("\x00")
            if narrow := self.bytes_of(f"__substg1.0_{tag}001E"):
                return decode_bytes(narrow).text.rstrip("\x00")
        return ""

    def time(self, *tags: int) -> str:
        data = self.bytes_of(_PROPERTIES)[_HEADER_BYTES[not self.path] :]
        values = {}
        for at in range(0, len(data) - 15, 16):
            kind, tag, _, ticks = struct.unpack_from("<HHIQ", data, at)
            if kind == _TIME:
                values[tag] = ticks
        ticks = next((values[tag] for tag in tags if values.get(tag)), 0)
        try:
            moment = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
        except OverflowError:
            return ""
        return moment.strftime("%Y-%m-%d %H:%M UTC") if ticks else ""

    def attachments(self) -> list[_Storage]:
        depth = len(self.path)
        names = sorted(
            {
                path[depth]
                for path in self.file.listdir()
                if path[:depth] == self.path and path[depth].startswith("__attach_version1.0")
            }
        )
        return [_Storage(self.file, [*self.path, name]) for name in names]


def _add_message(
    builder: DocumentBuilder, message: _Storage, source: str, bounds: Bounds, above: tuple[str, ...]
) -> str:
    if bounds.attachment_depth < 1:
        raise DocumentError("nested", "it is a message inside too many other messages", "ingest it by itself")
    subject = one_line(message.text(_SUBJECT))
    address = one_line(message.text(*_ADDRESSES))
    sender = one_line(message.text(_SENDER))
    headers = {
        "From": f"{sender} <{address}>" if address and address != sender else sender or address,
        "To": one_line(message.text(_TO)),
        "Cc": one_line(message.text(_CC)),
        "Date": message.time(_SENT, _DELIVERED),
        "Subject": subject,
    }
    lines = [f"{name}: {value}" for name, value in headers.items() if value]
    headings = (*above, subject) if subject else above
    builder.add("\n".join(lines) + "\n\n" + _body(message, source), None, headings)
    for number, attachment in enumerate(message.attachments(), start=1):
        if number > bounds.attachments:
            more = f"attachments after the first {bounds.attachments} were not read"
            builder.add(f"[{more}]", None, headings)
            builder.note("attachment_not_read", more)
            break
        _add_attachment(builder, attachment, source, bounds, headings)
    return subject


def _body(message: _Storage, source: str) -> str:
    if text := message.text(_BODY).strip():
        return normalise(text)
    html = message.bytes_of(f"__substg1.0_{_HTML}0102") or message.text(_HTML)
    return html_document(html, source, "text/html").text if html else ""


def _add_attachment(
    builder: DocumentBuilder, attachment: _Storage, source: str, bounds: Bounds, headings: tuple[str, ...]
) -> None:
    from rag.ingestion.loaders import load_bytes

    inner = replace(bounds, attachment_depth=bounds.attachment_depth - 1)
    name = one_line(attachment.text(*_FILE_NAMES)) or "attachment"
    below = (*headings, f"attachment {name}")
    try:
        if attachment.file.exists([*attachment.path, f"__substg1.0_{_EMBEDDED}"]):
            message = _Storage(attachment.file, [*attachment.path, f"__substg1.0_{_EMBEDDED}"])
            _add_message(builder, message, source, inner, below)
        else:
            content = attachment.bytes_of(f"__substg1.0_{_CONTENT}0102")
            builder.add_document(load_bytes(content, name, inner), below)
    except DocumentError as error:
        builder.add(f"[attachment {name} was not read: {error.message}]", None, below)
        builder.note("attachment_not_read", f"not read: {error.message}", f"attachment {name}", error.remedy)
