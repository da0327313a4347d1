"""Detects the format of a file from its content. The extension only breaks ties.

An extension never makes bytes a format that they do not have: a text named ``.pdf`` is a text.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from rag.errors import DocumentError
from rag.ingestion.loaders.decoding import decode_head
from rag.ingestion.loaders.formats import CODE, FORMATS, PLAIN_TEXT, extensions
from rag.ingestion.loaders.json_data import is_notebook, parse_json, parse_json_lines
from rag.ingestion.loaders.text import decode, looks_binary
from rag.ingestion.loaders.zip_safety import package_type

__all__ = ["sniff"]

_ARCHIVES = {
    b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "rar",
    b"\x28\xb5\x2f\xfd": "zstd", b"PK\x05\x06": "zip", b"PK\x07\x08": "zip",
}  # fmt: skip
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_OFFICE = "EncryptedPackage".encode("utf-16-le")
_MAGIC_WITHIN = 1024  # bytes; white space may come first
_HEAD_CHARACTERS = 8192
_HEADER = re.compile(r"^([A-Za-z][A-Za-z0-9-]*):[ \t]*", re.MULTILINE)
_MAIL_HEADERS = {"from", "to", "date", "subject", "message-id", "received", "return-path", "mime-version"}
_ENVELOPE = {"message-id", "received", "return-path", "mime-version"}
_CUE = re.compile(r"\s*\d+[ \t]*\n\d{1,2}:\d\d:\d\d[,.]\d{1,3} *--> *\d")
_LATEX = re.compile(r"(?:\s|%[^\n]*\n)*\\document(?:class|style)\b")
_XML_ROOT = re.compile(r"(?:\s|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>)*<([A-Za-z_][\w.:-]*)", re.DOTALL)


def sniff(data: bytes, name: str) -> str:
    """Return the media type, a key of :data:`~rag.ingestion.loaders.formats.FORMATS`.

    Raises :class:`~rag.errors.DocumentError` for a file that is empty, binary, an archive or an old Office file.
    """
    if not data.strip():
        raise DocumentError("empty", "the file is empty", "fill it or remove it")
    start = data[:_MAGIC_WITHIN].lstrip()
    for row in FORMATS.values():
        if row.magic and start.startswith(row.magic.encode("latin-1")):
            return row.media_type
    if data.startswith(b"PK\x03\x04"):
        return package_type(data)
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


def _refuse_binary(data: bytes, suffix: str) -> None:
    archive = next((name for magic, name in _ARCHIVES.items() if data.startswith(magic)), None)
    if archive or data[257:262] == b"ustar":
        message = f"it is a {archive or 'tar'} archive, and archives are not opened"
        raise DocumentError("archive", message, "unpack it and ingest its files")
    if data.startswith(_OLD_OFFICE):
        if _ENCRYPTED_OFFICE in data:
            raise DocumentError("encrypted", "it is encrypted", "save a copy without a password")
        raise DocumentError("old format", "it is an old Office file", "save it as .docx, .xlsx or .pptx")
    if looks_binary(data):
        by_name = extensions().get(suffix)
        although = f", although its name ends in {suffix}" if by_name else ""
        remedy = by_name.remedy if by_name and by_name.is_binary else "convert it to text or PDF"
        raise DocumentError("binary", f"the file is binary and of no known format{although}", remedy)
