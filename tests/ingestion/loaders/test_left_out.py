"""What loaders leave out is noted: pictures of slides, parts of books, results of notebooks."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from format_samples import SAMPLES
from PIL import Image
from pptx import Presentation
from pptx.util import Inches

from rag.errors import DocumentError
from rag.ingestion.loaders import load_bytes
from rag.ingestion.loaders.limits import NO_OCR


def noted(data: bytes, name: str) -> list[tuple[str, str, str]]:
    return [(note.kind, note.text, note.place) for note in load_bytes(data, name, ocr=NO_OCR).notes]


def test_files_that_are_read_in_full_have_no_notes() -> None:
    for name, make in SAMPLES.items():
        expected = {
            "letter.eml": ["attachment_not_read"],
            "tides.ipynb": ["outputs_left_out"],
            "manual.rtf": ["hidden_content", "pictures_not_read"],
        }.get(name, [])
        assert [kind for kind, _, _ in noted(make(), name)] == expected, name


def test_pictures_of_slides_are_counted_also_in_groups() -> None:
    picture = io.BytesIO()
    Image.new("L", (140, 140)).save(picture, "PNG")
    made = Presentation()
    for count in (0, 2, 1):
        slide = made.slides.add_slide(made.slide_layouts[5])
        slide.shapes.title.text = "Winches"
        for _ in range(count):
            slide.shapes.add_picture(picture, Inches(1), Inches(1))
    slide.shapes.add_group_shape().shapes.add_picture(picture, Inches(1), Inches(1))
    data = io.BytesIO()
    made.save(data)
    assert noted(data.getvalue(), "a.pptx") == [("pictures_not_read", "4 pictures not read", "slides 2-3")]


def test_embedded_objects_are_noted() -> None:
    made = Presentation()
    slide = made.slides.add_slide(made.slide_layouts[5])
    slide.shapes.title.text = "Winches"
    slide.shapes.add_ole_object(io.BytesIO(SAMPLES["accounts.xlsx"]()), "Excel.Sheet.12", Inches(1), Inches(1))
    data = io.BytesIO()
    made.save(data)
    inside = ("embedded_not_read", "a file inside it was not read", "embedded file oleObject1.bin")
    assert noted(data.getvalue(), "a.pptx") == [inside]

    sheet = io.BytesIO()
    rels = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="x" Type='
        '"http://schemas.openxmlformats.org/officeDocument/2006/relationships/oleObject" Target="../embeddings/o.bin"/>'
        "</Relationships>"
    )
    with zipfile.ZipFile(io.BytesIO(SAMPLES["accounts.xlsx"]())) as old, zipfile.ZipFile(sheet, "w") as new:
        for name in old.namelist():
            if name != "xl/worksheets/_rels/sheet1.xml.rels":
                new.writestr(name, old.read(name))
        new.writestr("xl/worksheets/_rels/sheet1.xml.rels", rels)
        new.writestr("xl/embeddings/o.bin", b"x")
    assert [text for _, text, _ in noted(sheet.getvalue(), "a.xlsx")] == ["a file inside it was not read"]


def test_a_damaged_picture_does_not_lose_its_presentation() -> None:
    picture = io.BytesIO()
    Image.new("L", (40, 40)).save(picture, "PNG")
    made = Presentation()
    slide = made.slides.add_slide(made.slide_layouts[5])
    slide.shapes.title.text = "Winches"
    shape = slide.shapes.add_picture(picture, Inches(1), Inches(1))
    shape._element.remove(shape._element.blipFill)
    data = io.BytesIO()
    made.save(data)
    assert load_bytes(data.getvalue(), "a.pptx").text == "# Winches"
    [(_, text, place)] = noted(data.getvalue(), "a.pptx")
    assert (text.startswith("1 picture not read: damaged"), place) == (True, "slide 1")


def test_a_file_without_text_says_what_else_it_has() -> None:
    picture = io.BytesIO()
    Image.new("L", (140, 140)).save(picture, "PNG")
    made = Presentation()
    made.slides.add_slide(made.slide_layouts[6]).shapes.add_picture(picture, Inches(1), Inches(1))
    data = io.BytesIO()
    made.save(data)
    with pytest.raises(DocumentError) as refused:
        load_bytes(data.getvalue(), "a.pptx", ocr=NO_OCR)
    assert (refused.value.reason, refused.value.remedy) == ("no ocr", "set parsing.ocr to auto")
    assert refused.value.message == "the file contains no text: 1 picture not read (slide 1)"


def test_parts_of_a_book_that_are_missing_or_no_text_are_noted() -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(SAMPLES["book.epub"]())) as whole, zipfile.ZipFile(data, "w") as made:
        for member in whole.namelist():
            content = whole.read(member)
            if member.endswith(".opf"):
                content = content.replace(
                    b"</manifest>", b"<item id='c' href='map.svg' media-type='image/svg+xml'/></manifest>"
                ).replace(b"</spine>", b"<itemref idref='c'/></spine>")
            if "two" not in member:
                made.writestr(member, content)
    assert noted(data.getvalue(), "a.epub") == [
        ("chapter_not_read", "a part is missing from the file", "part OEBPS/text/two b.xhtml"),
        ("chapter_not_read", "a part of type image/svg+xml was not read", "part OEBPS/map.svg"),
    ]


def test_pictures_of_a_book_are_counted() -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(SAMPLES["book.epub"]())) as whole, zipfile.ZipFile(data, "w") as made:
        for member in whole.namelist():
            page = whole.read(member)
            made.writestr(member, page.replace(b"<p>", b"<p><img src='a.png'/>", 1) if "text/" in member else page)
    assert [text for _, text, _ in noted(data.getvalue(), "a.epub")] == ["2 pictures not read"]


def test_results_of_cells_that_are_left_out_are_noted() -> None:
    def cell(*outputs: dict[str, Any]) -> dict[str, Any]:
        return {"cell_type": "code", "source": "f()", "outputs": list(outputs)}

    cells = [
        cell({"output_type": "stream", "text": "3.25\n"}, {"output_type": "error", "ename": "E", "evalue": "no"}),
        cell({"output_type": "display_data", "data": {"image/png": "iVBOR", "text/plain": "<Figure>"}}),
        cell({"output_type": "stream", "text": "x" * 6000}),
        cell({"output_type": "display_data", "data": {"application/vnd.plotly.v1+json": {}}}),
    ]
    data = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).encode()
    assert noted(data, "a.ipynb") == [
        ("outputs_left_out", "1 result left out: no text", "cell 2"),
        ("outputs_left_out", "of 6,000 characters of results 5,000 were read", "cell 3"),
        ("outputs_left_out", "1 result left out: no text", "cell 4"),
    ]
