"""Files are known by their content: variants of office packages are read, every other kind gets its own sentence."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from pathlib import Path

import pytest
from broken_files import rewritten
from format_samples import SAMPLES

from rag.errors import DocumentError
from rag.ingestion.discovery import find_sources
from rag.ingestion.loaders import load_bytes, sniff

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MAIN = "application/vnd.openxmlformats-officedocument"


def strict(package: bytes) -> bytes:
    """Return a package as a strict document, as Office saves one."""
    change = {
        f"http://schemas.openxmlformats.org/{family}/2006/".encode(): f"http://purl.oclc.org/ooxml/{family}/".encode()
        for family in ("officeDocument", "wordprocessingml", "spreadsheetml", "presentationml", "drawingml")
    }
    change[b"/extended-properties"] = b"/extendedProperties"
    return rewritten(package, change, r"\.xml$|\.rels$")


# Variants of office packages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["manual.docx", "talk.pptx", "accounts.xlsx"])
def test_members_may_have_other_names(name: str) -> None:
    sound = SAMPLES[name]()
    part = {"docx": "word/document", "pptx": "ppt/presentation", "xlsx": "xl/workbook"}[name[-4:]]
    folder, stem = part.split("/")
    renamed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(sound)) as old, zipfile.ZipFile(renamed, "w") as new:
        for member in old.namelist():
            content = old.read(member).replace(f"{part}.xml".encode(), f"{part}2.xml".encode())
            place = member.replace(f"{folder}/{stem}.xml", f"{part}2.xml")
            new.writestr(place.replace(f"_rels/{stem}.xml", f"_rels/{stem}2.xml"), content)
    assert load_bytes(renamed.getvalue(), name) == load_bytes(sound, name)


@pytest.mark.parametrize("name", ["manual.docx", "accounts.xlsx"])
def test_members_may_be_written_with_back_slashes(name: str) -> None:
    sound = SAMPLES[name]()
    renamed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(sound)) as old, zipfile.ZipFile(renamed, "w") as new:
        for member in old.namelist():
            new.writestr(member.replace("/", "\\"), old.read(member))
    assert load_bytes(renamed.getvalue(), name) == load_bytes(sound, name)


@pytest.mark.parametrize("name", ["manual.docx", "talk.pptx", "accounts.xlsx"])
def test_a_strict_document_has_the_text_of_a_transitional_one(name: str) -> None:
    sound = SAMPLES[name]()
    changed = strict(sound)
    assert b"purl.oclc.org" in zipfile.ZipFile(io.BytesIO(changed)).read("_rels/.rels")
    assert load_bytes(changed, name) == load_bytes(sound, name)


@pytest.mark.parametrize(
    ("sample", "ending", "main_type"),
    [
        ("manual.docx", "docm", "application/vnd.ms-word.document.macroEnabled"),
        ("manual.docx", "dotx", f"{_MAIN}.wordprocessingml.template"),
        ("manual.docx", "dotm", "application/vnd.ms-word.template.macroEnabledTemplate"),
        ("talk.pptx", "pptm", "application/vnd.ms-powerpoint.presentation.macroEnabled"),
        ("talk.pptx", "ppsx", f"{_MAIN}.presentationml.slideshow"),
        ("talk.pptx", "ppsm", "application/vnd.ms-powerpoint.slideshow.macroEnabled"),
        ("talk.pptx", "potx", f"{_MAIN}.presentationml.template"),
        ("talk.pptx", "potm", "application/vnd.ms-powerpoint.template.macroEnabled"),
        ("accounts.xlsx", "xlsm", "application/vnd.ms-excel.sheet.macroEnabled"),
        ("accounts.xlsx", "xltx", f"{_MAIN}.spreadsheetml.template"),
        ("accounts.xlsx", "xltm", "application/vnd.ms-excel.template.macroEnabled"),
    ],
)
def test_macro_and_template_variants_are_read_from_folders(
    tmp_path: Path, sample: str, ending: str, main_type: str
) -> None:
    sound = SAMPLES[sample]()
    family = {"docx": "wordprocessingml.document", "pptx": "presentationml.presentation"}.get(
        sample[-4:], "spreadsheetml.sheet"
    )
    change = {f"{_MAIN}.{family}.main+xml".encode(): f"{main_type}.main+xml".encode()}
    data = rewritten(sound, change, r"^\[Content_Types\]")
    assert data != sound
    assert load_bytes(data, f"a.{ending}").text == load_bytes(sound, sample).text
    (tmp_path / f"a.{ending}").write_bytes(data)
    assert [file.source for file in find_sources([tmp_path], tmp_path).files] == [f"a.{ending}"]


def test_mdx_is_markdown() -> None:
    document = load_bytes(b"# Tides\n\nHigh water is at noon.\n", "tides.mdx")
    assert document.media_type == "text/markdown"
    assert document.sections[0].headings == ("Tides",)


# PDF after other bytes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "before",
    [
        b"\xef\xbb\xbf",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\n\r\n",
        b"\n\n  ",
        b"\x00\x05\x16\x00\x00\x02" + bytes(200),
        b"x" * 900 + b"\n",
    ],
)
def test_a_pdf_may_begin_within_the_first_1024_bytes(before: bytes) -> None:
    sound = SAMPLES["manual.pdf"]()
    assert load_bytes(before + sound, "a.pdf").text == load_bytes(sound, "a.pdf").text
    assert sniff(before + sound, "a.txt") == "application/pdf"


def test_a_text_about_pdf_is_a_text() -> None:
    text = "A PDF begins with\n%PDF-1.7\nand ends with startxref, a number and %%EOF.\n" + "More words. " * 200
    assert sniff(text.encode(), "a.txt") == "text/plain"


# Lock files -----------------------------------------------------------------------------------------------------------

LOCK = b"\x0aTorunn Vik" + b" " * 44 + b"\x0a\x00T\x00o\x00r\x00u\x00n\x00n\x00" + bytes(90)
LOCKS = {
    "~$report.docx": LOCK,
    "~$prices.xlsx": LOCK,
    "~$talk.pptx": LOCK,
    ".~lock.report.odt#": b",torunn,quay,29.11.2026 10:00,file:///home/torunn;",
}


def test_lock_files_are_passed_over_in_folders(tmp_path: Path) -> None:
    (tmp_path / "report.docx").write_bytes(SAMPLES["manual.docx"]())
    for name, data in LOCKS.items():
        (tmp_path / name).write_bytes(data)
    found = find_sources([tmp_path], tmp_path)
    assert [file.source for file in found.files] == ["report.docx"]
    assert not found.skipped


@pytest.mark.parametrize("name", LOCKS)
def test_a_named_lock_file_is_explained(name: str) -> None:
    with pytest.raises(DocumentError) as refused:
        load_bytes(LOCKS[name], f"folder/{name}")
    assert refused.value.reason == "lock file"
    assert "lock file" in refused.value.message
    assert "document itself" in refused.value.remedy


# Kinds that are not read ----------------------------------------------------------------------------------------------


def zipped(*names: str, mimetype: str = "") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as package:
        if mimetype:
            package.writestr("mimetype", mimetype)
        for name in names:
            package.writestr(name, "content")
    return made.getvalue()


def ole(stream: str) -> bytes:
    """Return the beginning of an OLE file whose directory is damaged, but names a stream."""
    return _OLE + bytes(600) + stream.encode("utf-16-le") + bytes(600)


NOISE = bytes(range(256)) * 8
UNREAD = {
    "photo.heic": (b"\x00\x00\x00\x18ftypheic" + NOISE, "HEIC", "save it as PNG"),
    "talk.mp3": (b"ID3\x03\x00" + NOISE, "MP3", "transcript"),
    "talk.wav": (b"RIFF\x10\x00\x00\x00WAVEfmt " + NOISE, "WAV", "transcript"),
    "talk.mp4": (b"\x00\x00\x00\x18ftypmp42" + NOISE, "video", "transcript"),
    "talk.mkv": (b"\x1a\x45\xdf\xa3" + NOISE, "Matroska", "transcript"),
    "notes.7z": (b"7z\xbc\xaf\x27\x1c" + NOISE, "7z archive", "unpack"),
    "notes.cab": (b"MSCF" + bytes(8) + NOISE, "cabinet archive", "unpack"),
    "tool.exe": (b"MZ" + NOISE, "Windows program", "leave it out"),
    "tool": (b"\x7fELF\x02\x01\x01" + NOISE, "Linux program", "leave it out"),
    "Tool.class": (b"\xca\xfe\xba\xbe\x00\x00" + NOISE, "Java class", "leave it out"),
    "sans.ttf": (b"\x00\x01\x00\x00\x00\x0f" + NOISE, "font", "leave it out"),
    "sans.woff2": (b"wOF2\x00\x01" + NOISE, "font", "leave it out"),
    "port.db": (b"SQLite format 3\x00" + NOISE, "SQLite database", "CSV"),
    "port.mdb": (b"\x00\x01\x00\x00Standard Jet DB\x00" + NOISE, "Access database", "CSV"),
    "port.parquet": (b"PAR1" + NOISE, "Parquet", "CSV"),
    "model.gguf": (b"GGUF\x03\x00\x00\x00" + NOISE, "weights", "leave it out"),
    "model.safetensors": (struct.pack("<Q", 64) + b'{"a":' + NOISE, "weights", "leave it out"),
    "model.h5": (b"\x89HDF\r\n\x1a\n" + NOISE, "HDF5", "leave it out"),
    "model.pkl": (b"\x80\x04\x95" + NOISE, "pickle", "leave it out"),
    "model.pt": (zipped("archive/data.pkl", "archive/data/0"), "weights", "leave it out"),
    "book.mobi": (b"Title" + bytes(55) + b"BOOKMOBI" + NOISE, "Kindle", "EPUB"),
    "mail.pst": (b"!BDN" + NOISE, "Outlook data file", ".eml"),
    "plan.dwg": (b"AC1032\x00\x00" + NOISE, "AutoCAD", "PDF"),
    "letter.wpd": (b"\xffWPC" + NOISE, "WordPerfect", "docx"),
    "report.pages": (zipped("Index/Document.iwa", "Data/a.jpg"), "Apple Pages", "docx"),
    "drawing.vsdx": (zipped("[Content_Types].xml", "visio/document.xml"), "Visio", "PDF"),
    "tool.jar": (zipped("META-INF/MANIFEST.MF", "Main.class"), "program package", "leave it out"),
    "notes.zip": (zipped("a.txt", "b.txt"), "zip archive", "unpack"),
    "sketch.odg": (zipped("content.xml", mimetype="application/vnd.oasis.opendocument.graphics"), "drawing", "PDF"),
    "letter.doc": (ole("WordDocument"), "old Word document", ".docx"),
    "talk.ppt": (ole("PowerPoint Document"), "old PowerPoint presentation", ".pptx"),
    "drawing.vsd": (ole("VisioDocument"), "Visio drawing", "PDF"),
    "locked.docx": (ole("EncryptedPackage"), "encrypted", "without a password"),
    "other.bin": (_OLE + bytes(2000), "old Office file", ".docx"),
}


@pytest.mark.parametrize("name", UNREAD)
@pytest.mark.parametrize("other_name", [None, "report.docx", "notes.txt", "photo"])
def test_each_kind_has_its_own_sentence_and_remedy_whatever_its_name(name: str, other_name: str | None) -> None:
    data, kind, remedy = UNREAD[name]
    with pytest.raises(DocumentError) as refused:
        load_bytes(data, other_name or name)
    assert kind in refused.value.message
    assert remedy in refused.value.remedy
    assert not re.search(r"<\w+[ .].* at 0x|object|Error\b", refused.value.message)


@pytest.mark.parametrize(
    "word", ["BM", "MZ", "ID3", "ORC", "Obj", "OTTO", "GGUF", "PAR1", "OggS", "fLaC", "xar!", "FLV"]
)
def test_a_text_that_begins_like_a_binary_format_is_a_text(word: str) -> None:
    text = f"{word} is the first word of this page, and the rest of it is text.\n" * 3
    assert load_bytes(text.encode(), "a.txt").text == text


def test_no_message_shows_a_python_object() -> None:
    change = {b"presentationml.presentation.main+xml": b"wordprocessingml.document.main+xml"}
    with pytest.raises(DocumentError) as refused:
        load_bytes(rewritten(SAMPLES["talk.pptx"](), change), "a.pptx")
    assert refused.value.reason == "broken"
    assert " at 0x" not in refused.value.message
