"""What a file is that is not read, by its first bytes: one sentence for each kind, and what to do about it.

One table for bare files, one for zip packages, one for OLE files. Nothing is read here.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePath

from rag.errors import DocumentError

__all__ = ["is_lock_file", "ole_kind", "unread_kind", "unread_ole", "unread_package"]

_AS_PNG = "if it shows text, save it as PNG, JPEG or PDF"
_TRANSCRIBE = "ingest a transcript or subtitles of it"
_TEXT_OR_PDF = "export it as text or PDF"
_IGNORE = "leave it out, or name it in a .ragignore"
_UNPACK = "unpack it and ingest its files"
_EXPORT_ROWS = "export its tables as CSV"


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a kind of file is called in a message, what is said of it, and the remedy."""

    name: str
    statement: str
    remedy: str
    reason: str = "binary"

    def error(self) -> DocumentError:
        return DocumentError(self.reason, f"it is {self.name}{self.statement}", self.remedy)


def _picture(name: str) -> _Kind:
    return _Kind(name, ", and pictures of this format are not read", _AS_PNG, "picture")


def _sound(name: str) -> _Kind:
    return _Kind(name, ", and sound and video are not read", _TRANSCRIBE, "recording")


def _archive(name: str) -> _Kind:
    return _Kind(name, ", and archives are not opened", _UNPACK, "archive")


def _program(name: str) -> _Kind:
    return _Kind(name, ", which has no text to read", _IGNORE, "program")


def _database(name: str) -> _Kind:
    return _Kind(name, ", and databases are not read", _EXPORT_ROWS, "database")


def _weights(name: str) -> _Kind:
    return _Kind(name, ", which has numbers and no text", _IGNORE, "program")


def _office(name: str, remedy: str = _TEXT_OR_PDF) -> _Kind:
    return _Kind(name, ", which cannot be read", remedy, "old format")


# The signature is a regular expression that is matched at the beginning.
_SIGNATURES: tuple[tuple[bytes, _Kind], ...] = (
    (rb"\x00\x00[\x01\x02]\x00[\x01-\x40]\x00", _picture("an icon")),
    (rb".{4}ftyp(?:heic|heix|mif1|msf1|avif)", _picture("a HEIC or AVIF picture")),
    (rb"8BPS", _picture("a Photoshop picture")),
    (rb"AT&TFORM", _picture("a DjVu scan")),
    (rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51", _picture("a JPEG 2000 picture")),
    (rb"\xd7\xcd\xc6\x9a|\x01\x00\x00\x00.{36} EMF", _picture("a Windows metafile")),
    (rb"RIFF.{4}WAVE", _sound("a WAV recording")),
    (rb"RIFF.{4}AVI ", _sound("an AVI video")),
    (rb"ID3|\xff[\xfb\xf3\xf2\xfa]", _sound("an MP3 recording")),
    (rb"fLaC", _sound("a FLAC recording")),
    (rb"OggS", _sound("an Ogg recording")),
    (rb"FORM.{4}AIF[FC]", _sound("an AIFF recording")),
    (rb"MThd", _sound("a MIDI file")),
    (rb"#!AMR", _sound("an AMR recording")),
    (rb".{4}ftypM4A", _sound("an M4A recording")),
    (rb".{4}(?:ftyp|moov|mdat)", _sound("an MP4 or QuickTime video")),
    (rb"\x1a\x45\xdf\xa3", _sound("a Matroska or WebM video")),
    (rb"\x00\x00\x01[\xba\xb3]", _sound("an MPEG video")),
    (rb"FLV\x01", _sound("a Flash video")),
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _sound("a Windows Media file")),
    (rb"\x1f\x8b", _archive("a gzip archive")),
    (rb"BZh[1-9]", _archive("a bzip2 archive")),
    (rb"\xfd7zXZ\x00", _archive("an xz archive")),
    (rb"7z\xbc\xaf\x27\x1c", _archive("a 7z archive")),
    (rb"Rar!\x1a\x07", _archive("a rar archive")),
    (rb"\x28\xb5\x2f\xfd", _archive("a zstd archive")),
    (rb"PK(?:\x05\x06|\x07\x08)", _archive("a zip archive")),
    (rb".{257}ustar", _archive("a tar archive")),
    (rb"MSCF", _archive("a cabinet archive")),
    (rb"\x1f[\x9d\xa0]", _archive("a Unix compress archive")),
    (rb"\x04\x22\x4d\x18", _archive("an lz4 archive")),
    (rb"LZIP", _archive("an lzip archive")),
    (rb"xar!", _archive("a macOS package")),
    (rb"!<arch>\n", _archive("a Debian package or static library")),
    (rb"\xed\xab\xee\xdb", _archive("an RPM package")),
    (rb"\x7fELF", _program("a Linux program or library")),
    (rb"MZ.{58}", _program("a Windows program or library")),
    (rb"[\xce\xcf]\xfa\xed\xfe|\xfe\xed\xfa[\xce\xcf]", _program("a macOS program or library")),
    (rb"\xca\xfe\xba\xbe", _program("a Java class or a macOS program")),
    (rb"\x00asm", _program("a WebAssembly program")),
    (rb"dex\n", _program("an Android program")),
    (rb".{2}\r\n.{4}.{8}\xe3", _program("compiled Python code")),
    (rb"\x00\x01\x00\x00\x00|OTTO|true\x00|ttcf|wOF[F2]", _program("a font")),
    (rb"SQLite format 3\x00", _database("an SQLite database")),
    (rb"\x00\x01\x00\x00Standard (?:Jet|ACE) DB", _database("an Access database")),
    (rb"!BDN", _Kind("an Outlook data file (.pst)", ", which is not opened", "export its messages as .eml")),
    (rb"PAR1", _database("a Parquet table")),
    (rb"ARROW1\x00\x00", _database("an Arrow table")),
    (rb"Obj\x01", _database("an Avro table")),
    (rb"ORC", _database("an ORC table")),
    (rb"\x89HDF\r\n\x1a\n", _weights("an HDF5 file")),
    (rb"\x93NUMPY", _weights("a NumPy array")),
    (rb"GGUF", _weights("a language model's weights (GGUF)")),
    (rb".{3}\x00{5}\{\"", _weights("a model's weights (safetensors)")),
    (rb"\x80[\x02-\x05][\x5d\x7d\x8a\x95ce(]", _weights("a Python pickle")),
    (rb"ITSF", _Kind("compiled help (.chm)", ", which is not read", _TEXT_OR_PDF)),
    (rb".{60}(?:BOOKMOBI|TEXtREAd)", _Kind("a Kindle book", ", which is not read", "convert it to EPUB")),
    (rb"\xffWPC", _office("a WordPerfect document", "save it as .docx or PDF")),
    (rb"\xdb\xa5-\x00|\x31\xbe\x00\x00", _office("an old Word document", "save it as .docx")),
    (rb"\x09[\x00\x02\x04]\x06\x00|\x09\x08\x08\x00", _office("an old Excel workbook", "save it as .xlsx")),
    (rb"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d", _office("a OneNote notebook", "export it as PDF or .docx")),
    (rb"AC10\d\d", _office("an AutoCAD drawing", "export it as PDF")),
    (rb"%!PS-Adobe|\xc5\xd0\xd3\xc6", _office("a PostScript file", "convert it to PDF")),
    (rb"Salted__|-----BEGIN PGP MESSAGE", _Kind("an encrypted file", "", "decrypt it first", "encrypted")),
    (rb"bplist00", _Kind("a binary property list", ", which is not read", "convert it to XML with plutil")),
    (rb"\x00\x05\x16\x07", _Kind("macOS's side file of another file", ", which has no text", _IGNORE)),
    (rb"L\x00\x00\x00\x01\x14\x02", _Kind("a Windows shortcut", ", not the document", "ingest the document itself")),
)  # fmt: skip
_COMPILED = tuple((re.compile(signature, re.DOTALL), kind) for signature, kind in _SIGNATURES)

# Zip packages by a member's name or its beginning.
_PACKAGES: tuple[tuple[str, _Kind], ...] = (
    (
        r"Index/Document\.iwa|Index\.zip|index\.apxl|index\.xml$",
        _office("an Apple Pages, Numbers or Keynote document", "export it as .docx, .xlsx, .pptx or PDF"),
    ),
    (r"visio/document\.xml", _office("a Visio drawing", "export it as PDF")),
    (r"FixedDocSeq\.fdseq|FixedDocumentSequence\.fdseq", _office("an XPS document", "print it to PDF")),
    (r"AndroidManifest\.xml|META-INF/MANIFEST\.MF|\w[^/]*\.dist-info/METADATA", _program("a program package")),
    (r"(?:[^/]+/)?data\.pkl|[^/]+\.npy$", _weights("a model's weights or arrays")),
)  # fmt: skip
_OPEN_DOCUMENT = {
    "graphics": _office("an OpenDocument drawing", "export it as PDF"),
    "chart": _office("an OpenDocument chart", "export it as PDF"),
    "formula": _office("an OpenDocument formula", "export it as PDF"),
    "base": _database("an OpenDocument database"),
    "database": _database("an OpenDocument database"),
}

# OLE files by one of their streams.
_OLE: tuple[tuple[str, _Kind], ...] = (
    ("EncryptedPackage", _Kind("an Office file that is encrypted", "", "save a copy without a password", "encrypted")),
    ("WordDocument", _office("an old Word document (.doc)", "save it as .docx")),
    ("PowerPoint Document", _office("an old PowerPoint presentation (.ppt)", "save it as .pptx")),
    ("PP40", _office("an old PowerPoint presentation (.ppt)", "save it as .pptx")),
    ("VisioDocument", _office("a Visio drawing", "export it as PDF")),
    ("Quill", _office("a Publisher document", "export it as PDF")),
    ("MatOST", _office("a Works document", "save it as .docx")),
    ("HwpSummaryInformation", _office("a Hangul document (.hwp)", "save it as .docx or PDF")),
    ("\x05HwpSummaryInformation", _office("a Hangul document (.hwp)", "save it as .docx or PDF")),
    ("Props", _office("a Project plan", "export it as PDF or Excel")),
)
_UNKNOWN_OLE = _office("an old Office file of an unknown kind", "save it as .docx, .xlsx, .pptx or PDF")


def unread_kind(data: bytes) -> DocumentError | None:
    """Return the error for a file of a known kind that is not read, None for other files."""
    return next((kind.error() for signature, kind in _COMPILED if signature.match(data)), None)


def unread_package(names: Collection[str], mimetype: str) -> DocumentError:
    """Return the error for a zip package of no known format, by its members and its member ``mimetype``."""
    open_document = mimetype.removeprefix("application/vnd.oasis.opendocument.").removesuffix("-template")
    if open_document in _OPEN_DOCUMENT:
        return _OPEN_DOCUMENT[open_document].error()
    for pattern, kind in _PACKAGES:
        if any(re.match(pattern, name) for name in names):
            return kind.error()
    return _archive("a zip archive").error()


def ole_kind(data: bytes, streams: Collection[str]) -> str | None:
    """Return which of the streams an OLE file has at its top, None if none. Damaged files have none."""
    import olefile

    try:
        with olefile.OleFileIO(data) as file:
            top = {path[0] for path in file.listdir()}
    except (OSError, ValueError, IndexError, TypeError, RecursionError):  # what olefile raises for damaged files
        return None
    return next((name for name in streams if name in top), None)


def unread_ole(data: bytes) -> DocumentError:
    """Return the error for an OLE file that is not read."""
    found = ole_kind(data, [name for name, _ in _OLE])
    if found is None:  # a damaged directory: names are stored as UTF-16
        found = next((name for name, _ in _OLE if name.encode("utf-16-le") in data), None)
    return dict(_OLE).get(found or "", _UNKNOWN_OLE).error()


def is_lock_file(name: str) -> bool:
    """Return whether a file's name is that of an office program's lock: ``~$report.docx``, ``.~lock.report.odt#``."""
    name = PurePath(name).name
    return name.startswith("~$") or (name.startswith(".~lock.") and name.endswith("#"))
