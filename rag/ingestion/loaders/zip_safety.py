"""Zip packages: which format one holds, and whether it may be unpacked. Nothing of their content is read here.

A bomb is refused before any library sees it: by its number of members, by what they are declared to unpack to, and by
unpacking them once, piece by piece and into nothing, because declarations lie.
"""

from __future__ import annotations

import io
import zipfile
import zlib

from rag.errors import DocumentError
from rag.ingestion.loaders.limits import MIB, Bounds

__all__ = ["check_package", "package_type"]

_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_BY_MEMBER = {
    "word/document.xml": _DOCX,
    "ppt/presentation.xml": _PPTX,
    "xl/workbook.xml": _XLSX,
}
_BY_MIMETYPE = {
    b"application/epub+zip": "application/epub+zip",
    b"application/vnd.oasis.opendocument.text": "application/vnd.oasis.opendocument.text",
    b"application/vnd.oasis.opendocument.text-template": "application/vnd.oasis.opendocument.text",
}
_ENCRYPTED_FLAG = 0x1
_AT_ONCE = 1 << 16
_XML = (".xml", ".rels", ".xhtml", ".html", ".htm", ".opf", ".ncx")
# Readers of books shuffle the bytes of fonts; that is no protection of the text.
_FONT_SHUFFLING = (b"http://www.idpf.org/2008/embedding", b"http://ns.adobe.com/pdf/enc#RC")
# What zipfile raises of a damaged file: RuntimeError where it is encrypted, NotImplementedError for unknown packing.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError, RuntimeError)


def package_type(data: bytes) -> str:
    """Return the media type of a zip package.

    Raises :class:`~rag.errors.DocumentError` for one that is broken, and for a mere archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            names = set(package.namelist())
            found = next((kind for member, kind in _BY_MEMBER.items() if member in names), None)
            if found is None and "mimetype" in names:
                with package.open("mimetype") as member:
                    found = _BY_MIMETYPE.get(member.read(100).strip())
    except _DAMAGED as error:
        raise _damaged(error) from None
    if found is None:
        raise DocumentError(
            "archive", "it is a zip archive, and archives are not opened", "unpack it and ingest its files"
        )
    return found


def check_package(data: bytes, bounds: Bounds) -> None:
    """Raise :class:`~rag.errors.DocumentError` for a package that is encrypted, broken or a bomb."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            members = package.infolist()
            if len(members) > bounds.entries:
                raise _bomb(f"it packs {len(members)} members, and {bounds.entries} are allowed")
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
    """Unpack a member into nothing; return how much has been unpacked in all."""
    is_xml = member.filename.lower().endswith(_XML)
    tail = b""
    with package.open(member) as stream:
        while piece := stream.read(_AT_ONCE):
            unpacked += len(piece)
            _allow(unpacked, packed, bounds)
            if is_xml and b"<!ENTITY" in tail + piece:
                raise DocumentError(
                    "entities", "its XML defines entities, which can unfold without end", "export it again"
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
        if note.count(b"EncryptionMethod ") > sum(note.count(algorithm) for algorithm in _FONT_SHUFFLING):
            raise _encrypted()


def _bomb(told: str) -> DocumentError:
    return DocumentError("bomb", told, "if it can be trusted, raise the limits on unpacking")


def _encrypted() -> DocumentError:
    return DocumentError("encrypted", "it is encrypted", "save a copy without a password")


def _damaged(error: Exception) -> DocumentError:
    told = " ".join(str(error).split()) or type(error).__name__
    return DocumentError("broken", f"the package is damaged: {told}", "export or download it again")
