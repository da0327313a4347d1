"""Detects the format of a file from its content. The extension only breaks ties.

An extension never makes bytes a format that they do not have: a text named ``.pdf`` is a text.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from rag.errors import DocumentError
from rag.ingestion.loaders.decoding import decode_head
from rag.ingestion.loaders.file_kinds import is_lock_file, ole_kind, unread_kind, unread_ole
from rag.ingestion.loaders.formats import CODE, FORMATS, PLAIN_TEXT, extensions
from rag.ingestion.loaders.json_data import is_notebook, parse_json, parse_json_lines
from rag.ingestion.loaders.text import decode, looks_binary
from rag.ingestion.loaders.zip_safety import package_type

__all__ = ["sniff"]

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MAGIC_WITHIN = 1024  # bytes; white space may come first
_PDF = re.compile(rb"(?:^|[^\x20-\x7e])%PDF-\d\.\d")
# Kinds whose first bytes no text has, also where the rest looks like text.
_ALWAYS = re.compile(
    rb"\x1f\x8b|BZh[1-9]|\xfd7zXZ\x00|7z\xbc\xaf|Rar!\x1a|\x28\xb5\x2f\xfd|PK[\x05\x07]|.{257}ustar|%!PS-Adobe"
    rb"|-----BEGIN PGP MESSAGE",
    re.DOTALL,
)
_HEAD_CHARACTERS = 8192
_HEADER = re.compile(r"^([A-Za-z][A-Za-z0-9-]*):[ \t]*", re.MULTILINE)
_MAIL_HEADERS = {"from", "to", "date", "subject", "message-id", "received", "return-path", "mime-version"}
_ENVELOPE = {"message-id", "received", "return-path", "mime-version"}
_CUE = re.compile(r"\s*\d+[ \t]*\n\d{1,2}:\d\d:\d\d[,.]\d{1,3} *--> *\d")
_LATEX = re.compile(r"(?:\s|%[^\n]*\n)*\\document(?:class|style)\b")
# Atomic groups: what a comment was once read as is never read otherwise, so the time is linear.
_XML_ROOT = re.compile(
    r"(?>\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*+(?:\[.*?\]\s*+)?+>)*+<([A-Za-z_][\w.:-]*)", re.DOTALL
)


def sniff(data: bytes, name: str) -> str:
    """Return the media type, a key of :data:`~rag.ingestion.loaders.formats.FORMATS`.

    Raises :class:`~rag.errors.DocumentError` for a file that is empty or of a kind that is not read.
    """
    if is_lock_file(name) and len(data) < _MAGIC_WITHIN:
        message = "it is the lock file of a document that is open in an office program"
        raise DocumentError("lock file", message, "ingest the document itself")
    if not data.strip():
        raise DocumentError("empty", "the file is empty", "fill it or remove it")
    start = data[:_MAGIC_WITHIN].lstrip()
    for row in FORMATS.values():
        if row.magic and re.match(row.magic.encode("latin-1"), start, re.DOTALL):
            return row.media_type
    if _is_late_pdf(data):
        return "application/pdf"
    if data.startswith(b"PK\x03\x04"):
        return package_type(data)
    if data.startswith(_OLE):
        return _ole_type(data)
    suffix = PurePath(name).suffix.lower()
    _refuse_binary(data, suffix)
    head = _head(data)
    by_content = _by_content(head, data, suffix)
    if by_content:
        return by_content
    if suffix == "" and head.startswith("#!"):
        return CODE
    by_name = extensions().get(suffix)
    return PLAIN_TEXT if by_name is None or by_name.is_binary or by_name.needs_content else by_name.media_type


def _by_content(head: str, data: bytes, suffix: str) -> str | None:
    """Return the media type if the content shows it beyond doubt, or None."""
    start = head.lstrip()
    if start[:100].lower().startswith(("<!doctype html", "<html")):
        return "text/html"
    if start.startswith("<?xml") or (start.startswith("<") and suffix == ".xml"):
        root = _XML_ROOT.match(start)
        return "text/html" if root and root.group(1).rpartition(":")[2].lower() == "html" else "application/xml"
    if start.startswith("WEBVTT"):
        return "text/vtt"
    if _CUE.match(head):
        return "application/x-subrip"
    if _LATEX.match(head):
        return "text/x-latex"
    if mail := _mail(head, suffix):
        return mail
    by_name = extensions().get(suffix)
    may_be_json = by_name is None or by_name.media_type not in (CODE, "text/markdown")
    return _json(data) if may_be_json and start.startswith(("{", "[")) else None


def _json(data: bytes) -> str | None:
    text = decode(data)
    try:
        return "application/x-ipynb+json" if is_notebook(parse_json(text)) else "application/json"
    except ValueError:
        return "application/jsonl" if parse_json_lines(text) is not None else None


def _mail(head: str, suffix: str) -> str | None:
    """Return the type of a message by the headers it begins with; with the extension of a message, one is enough."""
    begin = head.partition("\n\n")[0]
    if begin.startswith("From ") and "\n" in begin:  # a mailbox's line
        begin = begin.partition("\n")[2]
    if not _HEADER.match(begin):
        return None
    headers = {name.lower() for name in _HEADER.findall(begin)}
    known = headers & _MAIL_HEADERS
    if {"content-type", "mime-version"} <= headers and "multipart/related" in begin and "to" not in headers:
        return "multipart/related"
    if (len(known) >= 3 and known & _ENVELOPE and "from" in headers) or (known and suffix == ".eml"):
        return "message/rfc822"
    return "multipart/related" if known and suffix in (".mht", ".mhtml") else None


def _head(data: bytes) -> str:
    """Return the beginning of a text, as much of it as detection needs."""
    text = decode_head(data[: 4 * _HEAD_CHARACTERS])
    return text[:_HEAD_CHARACTERS].replace("\r\n", "\n").replace("\r", "\n")


def _is_late_pdf(data: bytes) -> bool:
    """Return whether a PDF begins after other bytes, such as a byte order mark or the header of an HTTP response."""
    return _PDF.search(data, 0, _MAGIC_WITHIN) is not None and b"startxref" in data[-_MAGIC_WITHIN:]


def _ole_type(data: bytes) -> str:
    streams = {stream: row.media_type for row in FORMATS.values() for stream in row.ole_streams}
    found = ole_kind(data, ("EncryptedPackage", *streams))
    if found is None or found not in streams:
        raise unread_ole(data)
    return streams[found]


def _refuse_binary(data: bytes, suffix: str) -> None:
    is_binary = looks_binary(data)
    if not is_binary and not _ALWAYS.match(data):
        return
    if known := unread_kind(data):
        raise known
    if is_binary:
        by_name = extensions().get(suffix)
        although = f", although its name ends in {suffix}" if by_name else ""
        remedy = by_name.remedy if by_name and by_name.is_binary else "convert it to text or PDF"
        raise DocumentError("binary", f"the file is binary and of no known format{although}", remedy)
