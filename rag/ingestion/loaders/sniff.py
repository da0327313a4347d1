"""What a file is: told by its bytes, and by its name only where the bytes leave it open.

A name never turns bytes into a format they do not have: a text that is called a PDF is a text.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from rag.errors import DocumentError
from rag.ingestion.loaders.code import CODE_SUFFIXES
from rag.ingestion.loaders.json_data import is_notebook, parse_json, parse_json_lines
from rag.ingestion.loaders.text import decode, looks_binary
from rag.ingestion.loaders.zip_safety import package_type

__all__ = ["SUFFIXES", "sniff"]

CODE = "text/x-code"
_TEXT_SUFFIXES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".txt": "text/plain",
    ".text": "text/plain",
    ".log": "text/plain",
    ".rst": "text/x-rst",
    ".tex": "text/x-latex",
    ".csv": "text/csv",
    ".tsv": "text/csv",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".ndjson": "application/jsonl",
    ".ipynb": "application/x-ipynb+json",
    ".xml": "application/xml",
    ".eml": "message/rfc822",
    ".mhtml": "multipart/related",
    ".mht": "multipart/related",
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    **dict.fromkeys(CODE_SUFFIXES, CODE),
}
_PACKAGE_SUFFIXES = (".pdf", ".docx", ".pptx", ".xlsx", ".odt", ".epub")
SUFFIXES = (*_TEXT_SUFFIXES, *_PACKAGE_SUFFIXES)
"""The endings of files that are read out of a folder."""

# Formats that only the content makes: a file that is merely called so is plain text.
_BY_CONTENT_ONLY = {
    "application/json", "application/jsonl", "application/x-ipynb+json", "application/x-subrip", "text/vtt",
    "multipart/related", "application/xml",
}  # fmt: skip
_ARCHIVES = {
    b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "rar",
    b"\x28\xb5\x2f\xfd": "zstd", b"PK\x05\x06": "zip", b"PK\x07\x08": "zip",
}  # fmt: skip
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_OFFICE = "EncryptedPackage".encode("utf-16-le")
_HEAD_CHARACTERS = 8192
_HEADER = re.compile(r"^([A-Za-z][A-Za-z0-9-]*):[ \t]*", re.MULTILINE)
_MAIL_HEADERS = {"from", "to", "date", "subject", "message-id", "received", "return-path", "mime-version"}
_ENVELOPE = {"message-id", "received", "return-path", "mime-version"}
_CUE = re.compile(r"\s*\d+[ \t]*\n\d{1,2}:\d\d:\d\d[,.]\d{1,3} *--> *\d")
_LATEX = re.compile(r"(?:\s|%[^\n]*\n)*\\document(?:class|style)\b")
_XML_ROOT = re.compile(r"(?:\s|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>)*<([A-Za-z_][\w.:-]*)", re.DOTALL)


def sniff(data: bytes, name: str) -> str:
    """Return the media type.

    Raises :class:`~rag.errors.DocumentError` for what is empty, binary, an archive or an old Office file.
    """
    if not data.strip():
        raise DocumentError("empty", "the file is empty", "fill it or remove it")
    if data[:1024].lstrip().startswith(b"%PDF-"):
        return "application/pdf"
    if data.startswith(b"PK\x03\x04"):
        return package_type(data)
    _refuse_binary(data, PurePath(name).suffix.lower())
    head = _head(data)
    suffix = PurePath(name).suffix.lower()
    by_name = _TEXT_SUFFIXES.get(suffix, "text/plain")
    found = _by_content(head, data, suffix)
    if found:
        return found
    if by_name == "text/plain" and suffix == "" and head.startswith("#!"):
        return CODE
    return "text/plain" if by_name in _BY_CONTENT_ONLY else by_name


def _by_content(head: str, data: bytes, suffix: str) -> str | None:
    """Return what the content shows beyond doubt, or None."""
    start = head.lstrip()
    lower = start[:100].lower()
    if lower.startswith(("<!doctype html", "<html")):
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
    if start.startswith(("{", "[")) and _TEXT_SUFFIXES.get(suffix) not in (CODE, "text/markdown"):
        return _json(data)
    return None


def _json(data: bytes) -> str | None:
    text = decode(data)
    try:
        return "application/x-ipynb+json" if is_notebook(parse_json(text)) else "application/json"
    except ValueError:
        return "application/jsonl" if parse_json_lines(text) is not None else None


def _mail(head: str, suffix: str) -> str | None:
    """Return the type of a message by the headers it begins with; fewer will do if it is also called one."""
    begin = head.partition("\n\n")[0]
    if begin.startswith("From ") and "\n" in begin:  # a mailbox's line
        begin = begin.partition("\n")[2]
    if not _HEADER.match(begin):
        return None
    found = {name.lower() for name in _HEADER.findall(begin)}
    known = found & _MAIL_HEADERS
    if "content-type" in found and "mime-version" in found and "multipart/related" in begin and "to" not in found:
        return "multipart/related"
    if (len(known) >= 3 and known & _ENVELOPE and "from" in found) or (known and suffix == ".eml"):
        return "message/rfc822"
    return "multipart/related" if known and suffix in (".mht", ".mhtml") else None


def _head(data: bytes) -> str:
    """Return the beginning of a text as far as telling formats apart needs it."""
    part = data[: 4 * _HEAD_CHARACTERS]
    if part.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        text = part.decode("utf-32", "replace")
    elif part.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = part.decode("utf-16", "replace")
    else:
        text = part.decode("utf-8-sig", "replace")
    return text[:_HEAD_CHARACTERS].replace("\r\n", "\n").replace("\r", "\n")


def _refuse_binary(data: bytes, suffix: str) -> None:
    archive = next((told for magic, told in _ARCHIVES.items() if data.startswith(magic)), None)
    if archive or data[257:262] == b"ustar":
        told = f"it is a {archive or 'tar'} archive, and archives are not opened"
        raise DocumentError("archive", told, "unpack it and ingest its files")
    if data.startswith(_OLD_OFFICE):
        if _ENCRYPTED_OFFICE in data:
            raise DocumentError("encrypted", "it is encrypted", "save a copy without a password")
        raise DocumentError("old format", "it is an Office file of the old kind", "save it as .docx, .xlsx or .pptx")
    if looks_binary(data):
        called = f", although its name ends in {suffix}" if suffix in SUFFIXES else ""
        remedy = "export or download it again" if suffix in _PACKAGE_SUFFIXES else "convert it to text or PDF"
        raise DocumentError("binary", f"the file is binary and of no known format{called}", remedy)
