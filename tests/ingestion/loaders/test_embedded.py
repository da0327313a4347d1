"""Files inside PDFs and Office files: noted without the option, read with it, within limits, damaged ones too."""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import replace

import docx
import openpyxl
import pptx
import pytest
from fpdf import FPDF
from office_samples import ole

from rag.ingestion.loaders import load_bytes
from rag.ingestion.loaders.limits import Bounds
from rag.types import Document

READ = Bounds(embedded_files=True)
CSV = b"ship,berth\nAmalia,C1\nBorea,C2\n"
REMEDY = "read them with `rag ingest --embedded`, or save them and ingest them"


def pdf(**files: bytes) -> bytes:
    made = FPDF()
    made.set_font("helvetica", size=12)
    made.add_page()
    made.cell(text="See the files.")
    for name, data in files.items():
        made.embed_file(bytes=data, basename=name.replace("__", "."))
    return bytes(made.output())


def package(outer: str, members: dict[str, bytes]) -> bytes:
    """Return an Office file of a kind with further members."""
    stream = io.BytesIO()
    if outer == "docx":
        letter = docx.Document()
        letter.add_paragraph("The letter.")
        letter.save(stream)
    elif outer == "xlsx":
        book = openpyxl.Workbook()
        book.active["A1"] = "The book."
        book.save(stream)
    else:
        talk = pptx.Presentation()
        talk.slides.add_slide(talk.slide_layouts[0]).shapes.title.text = "The talk."
        talk.save(stream)
    with zipfile.ZipFile(stream, "a") as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return stream.getvalue()


def workbook(text: str) -> bytes:
    stream = io.BytesIO()
    book = openpyxl.Workbook()
    book.active.append(["what", "price"])
    book.active.append([text, 12])
    book.save(stream)
    return stream.getvalue()


def native(name: str, data: bytes) -> bytes:
    """Return the OLE object of a file that was inserted as a package."""
    path = f"C:\\Users\\ada\\{name}".encode() + b"\0"
    body = b"\2\0" + f"{name}".encode() + b"\0" + path + b"\0\0\3\0" + struct.pack("<I", len(path)) + path
    body += struct.pack("<I", len(data)) + data
    return ole({"\x01Ole10Native": struct.pack("<I", len(body)) + body, "\x01CompObj": b"x"})


def headings(document: Document) -> set[str]:
    return {section.headings[0] for section in document.sections if section.headings}


@pytest.mark.parametrize("outer", ["pdf", "docx", "pptx", "xlsx"])
def test_files_are_noted_with_the_option_and_read_with_it(outer: str) -> None:
    place = {"docx": "word", "pptx": "ppt", "xlsx": "xl"}.get(outer, "")
    data = pdf(ships__csv=CSV) if outer == "pdf" else package(outer, {f"{place}/embeddings/ships.csv": CSV})
    without = load_bytes(data, f"a.{outer}")
    assert "Amalia" not in without.text
    [note] = without.notes
    assert (note.kind, note.place, note.remedy) == ("embedded_not_read", "embedded file ships.csv", REMEDY)
    read = load_bytes(data, f"a.{outer}", READ)
    assert read.notes == ()
    assert "| Amalia | C1 |" in read.text
    assert "embedded file ships.csv" in headings(read)
    assert read.text.startswith(without.text)
    assert (read.media_type, read.pages, read.title) == (without.media_type, without.pages, without.title)
    for section in read.sections:
        assert read.text[section.start : section.end].strip()


def test_objects_of_office_programs() -> None:
    members = {
        "word/embeddings/oleObject1.bin": native("ships.csv", CSV),
        "word/embeddings/oleObject2.bin": ole({"Package": workbook("a lamp")}),
        "word/embeddings/oleObject3.bin": ole({"CONTENTS": pdf()}),
        "word/embeddings/oleObject4.bin": ole({"Equation Native": b"x" * 100}),
        "word/embeddings/Microsoft_Excel_Worksheet.xlsx": workbook("a buoy"),
        "word/embeddings/oleObject5.bin": ole({"Workbook": b"x"}),
    }  # fmt: skip
    read = load_bytes(package("docx", members), "a.docx", READ)
    for words in ("| Amalia | C1 |", "a lamp", "See the files.", "a buoy"):
        assert words in read.text
    assert headings(read) >= {
        "embedded file ships.csv", "embedded file oleObject2.bin", "embedded file Microsoft_Excel_Worksheet.xlsx",
    }  # fmt: skip
    [note] = read.notes
    assert (note.kind, note.place) == ("attachment_not_read", "embedded file oleObject5.xls")


def test_the_workbook_behind_a_chart_is_no_file() -> None:
    members = {
        "ppt/embeddings/Microsoft_Excel_Sheet1.xlsx": workbook("behind a chart"),
        "ppt/charts/_rels/chart1.xml.rels": b'<Relationships><Relationship Id="rId1" '
        b'Target="../embeddings/Microsoft_Excel_Sheet1.xlsx"/></Relationships>',
    }
    read = load_bytes(package("pptx", members), "a.pptx", READ)
    assert "behind a chart" not in read.text
    assert read.notes == ()


def test_number_and_depth_are_limited() -> None:
    many = {f"f{n}__csv": CSV for n in range(5)}
    read = load_bytes(pdf(**many), "a.pdf", replace(READ, attachments=2))
    assert read.text.count("Amalia") == 2
    assert [note.text for note in read.notes] == ["embedded files after the first 2 were not read"]
    nested = CSV
    for level in range(5):
        nested = pdf(**{f"level{level}__{'pdf' if level else 'csv'}": nested})
    read = load_bytes(nested, "a.pdf", READ)
    assert read.text.count("See the files.") == 3
    assert "Amalia" not in read.text
    assert "too many other files" in read.notes[0].text


@pytest.mark.parametrize(
    "member",
    [
        b"", b"\0\1\2\xff" * 100, native("ships.csv", CSV)[:700], native("ships.csv", CSV)[:40],
        ole({"\x01Ole10Native": b"\xff" * 30}), ole({"\x01Ole10Native": b"x"}), ole({"Package": b"PK\x03\x04 no"}),
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000),
    ],
)  # fmt: skip
def test_damaged_objects_are_noted(member: bytes) -> None:
    read = load_bytes(package("docx", {"word/embeddings/oleObject1.bin": member}), "a.docx", READ)
    assert read.text.startswith("The letter.")
    assert [note.kind for note in read.notes] == ["attachment_not_read"]
    assert read.notes[0].remedy


def test_a_file_with_a_hostile_name() -> None:
    data = package("docx", {"word/embeddings/oleObject1.bin": native("..\\..\\a\n\x1b[31m\u202e.csv", CSV)})
    read = load_bytes(data, "a.docx", READ)
    [name] = [heading for heading in headings(read) if heading.startswith("embedded")]
    assert "\n" not in name and "\x1b" not in name and ".." not in name
