"""Zip packages: which format one is, and whether it is safe to unpack. Their content is not read here.

A bomb is refused before any library sees it: by its number of members, by the sizes that it declares, and by unpacking
it once, piece by piece, without keeping anything, because declarations may be wrong.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib

from rag.errors import DocumentError
from rag.ingestion.loaders.file_kinds import unread_package
from rag.ingestion.loaders.formats import FORMATS
from rag.ingestion.loaders.limits import MIB, Bounds
from rag.text import error_line

__all__ = ["check_package", "member_key", "package_type"]

_ENCRYPTED_FLAG = 0x1
_AT_ONCE = 1 << 16
_MAIN_PART = re.compile(rb"application/vnd\.(?:openxmlformats-officedocument\.(\w+)|ms-(\w+))\.[\w.]*main\+xml")
_XML = (".xml", ".rels", ".xhtml", ".html", ".htm", ".opf", ".ncx")
# E-books obfuscate fonts in these ways; their text is not encrypted.
_FONT_OBFUSCATION = (b"http://www.idpf.org/2008/embedding", b"http://ns.adobe.com/pdf/enc#RC")
# What zipfile raises for a damaged file: RuntimeError if it is encrypted, NotImplementedError for unknown compression.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError, RuntimeError)


def package_type(data: bytes) -> str:
    """Return the media type of a zip package.

    Raises :class:`~rag.errors.DocumentError` for a broken package, and for one of no known format.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            names = {member_key(name) for name in package.namelist()}
            declared, family = "", _family(package)
            if "mimetype" in package.namelist():
                with package.open("mimetype") as member:
                    declared = member.read(100).strip().decode("latin-1")
    except _DAMAGED as error:
        raise _damaged(error) from None
    by_member = (row.media_type for row in FORMATS.values() if row.zip_member in names)
    by_type = (row.media_type for row in FORMATS.values() if family in row.zip_types)
    by_mimetype = (row.media_type for row in FORMATS.values() if declared in row.zip_mimetypes)
    media_type = next(by_member, None) or next(by_type, None) or next(by_mimetype, None)
    if media_type is None:
        raise unread_package(package.namelist(), declared)
    return media_type


def _family(package: zipfile.ZipFile) -> str:
    """Return which family of Office's content types the main part has, empty if it has none or is encrypted."""
    types = package.NameToInfo.get("[Content_Types].xml")
    if types is None or types.flag_bits & _ENCRYPTED_FLAG:
        return ""
    with package.open(types) as member:
        main = _MAIN_PART.search(member.read(MIB))
    return (main[1] or main[2]).decode() if main else ""


def member_key(name: str) -> str:
    """Return a member's name as it is looked up: some programs write other cases, and back slashes."""
    return name.lower().replace("\\", "/")


def check_package(data: bytes, bounds: Bounds) -> None:
    """Raise :class:`~rag.errors.DocumentError` for a package that is encrypted, damaged or a bomb."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            members = package.infolist()
            if len(members) > bounds.entries:
                raise _bomb(f"it contains {len(members)} members; at most {bounds.entries} are allowed")
            _allow(sum(member.file_size for member in members), len(data), bounds)
            if any(member.flag_bits & _ENCRYPTED_FLAG for member in members):
                raise _encrypted()
            unpacked = 0
            for member in members:
                unpacked = _unpack(package, member, unpacked, len(data), bounds)
            _check_encryption_notes(package)
    except _DAMAGED as error:
        raise _damaged(error) from None


def _unpack(package: zipfile.ZipFile, member: zipfile.ZipInfo, unpacked: int, packed: int, bounds: Bounds) -> int:
    """Unpack a member without keeping it; return how many bytes have been unpacked in all."""
    is_xml = member.filename.lower().endswith(_XML)
    tail = b""
    with package.open(member) as stream:
        while piece := stream.read(_AT_ONCE):
            unpacked += len(piece)
            _allow(unpacked, packed, bounds)
            if is_xml and b"<!ENTITY" in tail + piece:
                raise DocumentError(
                    "entities", "its XML defines entities, which can expand without end", "export it again"
                )
            tail = piece[-8:]
    return unpacked


def _allow(unpacked: int, packed: int, bounds: Bounds) -> None:
    if unpacked > bounds.unpacked_mb * MIB:
        raise _bomb(f"it unpacks to more than {bounds.unpacked_mb} MiB")
    if unpacked > MIB and unpacked > bounds.ratio * packed:
        raise _bomb(f"it unpacks to more than {bounds.ratio} times its size")


def _check_encryption_notes(package: zipfile.ZipFile) -> None:
    names = set(package.namelist())
    if "META-INF/manifest.xml" in names and b"encryption-data" in package.read("META-INF/manifest.xml"):
        raise _encrypted()
    if "META-INF/encryption.xml" in names:
        note = package.read("META-INF/encryption.xml")
        if note.count(b"EncryptionMethod ") > sum(note.count(algorithm) for algorithm in _FONT_OBFUSCATION):
            raise _encrypted()


def _bomb(message: str) -> DocumentError:
    return DocumentError("bomb", message, "if you trust the file, raise the limits on unpacking")


def _encrypted() -> DocumentError:
    return DocumentError("encrypted", "it is encrypted", "save a copy without a password")


def _damaged(error: Exception) -> DocumentError:
    return DocumentError("broken", f"the package is damaged: {error_line(error)}", "export or download it again")
