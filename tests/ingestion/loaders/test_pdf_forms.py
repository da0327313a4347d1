"""PDF: form values, annotations, files inside, and titles that say nothing."""

from __future__ import annotations

import io

import pytest
from fpdf import FPDF
from PIL import Image, ImageChops

from rag.ingestion.loaders import load_bytes
from rag.ingestion.loaders.limits import NO_OCR
from rag.ingestion.loaders.pdf_page import render_page
from rag.ingestion.loaders.titles import usable_title


def form(texts: str, *fields: str, more: str = "") -> bytes:
    """Return a PDF of one page with text operators and form fields (PDF dictionaries without their brackets)."""
    numbers = " ".join(f"{7 + n} 0 R" for n in range(len(fields)))
    stream = f"BT /F1 12 Tf {texts} ET"
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [{numbers}] /DR << /Font << /F1 5 0 R >> >> {more} >> >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> "
        f"/Annots [{numbers}] >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        "<< /Length 0 >>\nstream\n\nendstream",
        *(f"<< /Type /Annot {field} >>" for field in fields),
    ]
    made, places = "%PDF-1.7\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(made))
        made += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    made += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    made += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{made.index('xref')}\n%%EOF"
    return made.encode("latin-1")


def at(x: int, y: int, text: str) -> str:
    return f"1 0 0 1 {x} {y} Tm ({text}) Tj"


def text_field(name: str, value: str, box: str, more: str = "") -> str:
    return f"/Subtype /Widget /FT /Tx /T ({name}) /V ({value}) /DA (/F1 12 Tf 0 g) /Rect [{box}] /P 3 0 R {more}"


def check_box(name: str, state: str, box: str) -> str:
    return (
        f"/Subtype /Widget /FT /Btn /T ({name}) /V /{state} /AS /{state} /Rect [{box}] /P 3 0 R "
        "/AP << /N << /Yes 6 0 R /Off 6 0 R >> >>"
    )


def lines(data: bytes) -> list[str]:
    return load_bytes(data, "form.pdf").text.split("\n")


def test_fields_are_named_by_the_text_beside_them() -> None:
    texts = " ".join(
        [at(50, 705, "Applicant:"), at(300, 705, "Born:"), at(50, 665, "Insured:"), at(80, 625, "I agree to the rules"),
         at(50, 590, "Remarks")]
    )  # fmt: skip
    data = form(
        texts,
        text_field("f1", "Ragnhild Moe", "120 700 280 720"),
        text_field("f2", "4 May 1971", "340 700 500 720"),
        check_box("f3", "Yes", "120 660 140 680"),
        check_box("f4", "Off", "50 620 70 640"),
        text_field("f5", "second berth\\rfrom the left", "50 520 400 585"),
        text_field("f6", "", "50 480 400 500"),
    )
    document = load_bytes(data, "form.pdf")
    assert document.text.split("\n\n")[-1].split("\n") == [
        "Applicant: Ragnhild Moe",
        "Born: 4 May 1971",
        "Insured: checked",
        "I agree to the rules: unchecked",
        "Remarks: second berth from the left",
    ]
    [section] = document.sections
    assert (section.page, section.end, document.notes) == (1, len(document.text), ())


def test_a_tooltip_names_a_field_and_else_its_name_does() -> None:
    data = form(
        at(50, 705, "Text"),
        text_field("applicant.name", "Moe", "300 600 400 620"),
        text_field("x", "11.40", "300 500 400 520", "/TU (Length of the boat)"),
    )
    assert lines(data)[-2:] == ["applicant.name: Moe", "Length of the boat: 11.40"]


def test_choices_are_read_with_all_that_is_chosen() -> None:
    choice = "/Subtype /Widget /FT /Ch /T (berth) /Opt [(A) (B) (C)] /V [(A) (C)] /Ff 2097152 /Rect [300 600 400 620]"
    assert lines(form(at(50, 705, "Text"), choice))[-1] == "berth: A, C"


def test_a_form_over_a_scan_is_read_and_the_scan_is_noted() -> None:
    made = FPDF()
    made.add_page()
    made.image(Image.new("L", (40, 40), 128), w=100)
    made.text_annotation(x=20, y=20, text="Signed on Friday.")
    document = load_bytes(bytes(made.output()), "a.pdf", ocr=NO_OCR)
    assert document.text == "Note: Signed on Friday."
    assert [note.kind for note in document.notes] == ["pages_without_text"]


def test_annotations_are_read_and_links_are_not() -> None:
    made = FPDF()
    made.set_font("helvetica", size=12)
    made.add_page()
    made.cell(text="The contract.", link="https://example.org")
    made.text_annotation(x=20, y=60, text="Ask Ann\nabout clause 4.")
    made.free_text_annotation("Draft of 3 May", x=20, y=80, w=60, h=10)
    assert load_bytes(bytes(made.output()), "a.pdf").text.split("\n\n") == [
        "The contract.",
        "Note: Ask Ann\nabout clause 4.\nDraft of 3 May",
    ]


def test_a_dynamic_form_and_files_inside_are_noted() -> None:
    xfa = form(at(50, 705, "Please wait"), more="/XFA [(template) 6 0 R] /NeedAppearances true")
    xfa = xfa.replace(b"/Type /Catalog", b"/Type /Catalog /NeedsRendering true")
    notes = load_bytes(xfa, "a.pdf").notes
    assert [note.kind for note in notes] == ["form_not_read"]
    made = FPDF()
    made.set_font("helvetica", size=12)
    made.add_page()
    made.cell(text="See the file.")
    made.embed_file(bytes=b"Name,Price", basename="prices.csv")
    (note,) = load_bytes(bytes(made.output()), "a.pdf").notes
    assert (note.kind, note.place) == ("embedded_not_read", "embedded file prices.csv")


def test_the_page_of_a_form_is_drawn_with_its_values() -> None:
    pictures = [
        Image.open(io.BytesIO(render_page(form(at(50, 705, "Name:"), text_field("f", v, "120 700 280 720")), 1).png))
        for v in ("", "Ragnhild Moe")
    ]
    assert ImageChops.difference(*pictures).getbbox() is not None


@pytest.mark.parametrize(
    "title",
    [
        "untitled", "(anonymous)", "Untitled", "Microsoft Word - Dokument3.docx", "C:\\Users\\x\\scan0001.tif",
        "/home/x/report final.doc", "scan0001.tif", "Document1", "PowerPoint Presentation", "1.txt - Notepad", "-", "",
        "Без имени", "file:///tmp/a.html", "Microsoft PowerPoint – Q3 deck", "\x00", "Slide 1",
    ],
)  # fmt: skip
def test_a_title_that_says_nothing_gives_way_to_the_name_of_the_file(title: str) -> None:
    assert usable_title(title) == ""


@pytest.mark.parametrize(
    "title",
    ["Field manual", "Annual report 2031", "Node.js in practice", "Untitled poems of A. Berg", "Word processing",
     "Letter of 3 May. Draft", "Прайс-лист"],
)  # fmt: skip
def test_a_title_that_a_person_chose_stays(title: str) -> None:
    assert usable_title(f" {title}\n") == title


def test_the_title_of_a_pdf() -> None:
    for title, shown in (("Microsoft Word - Dokument3.docx", "winch contract"), ("Winches", "Winches")):
        made = FPDF()
        made.set_font("helvetica", size=12)
        made.set_title(title)
        made.add_page()
        made.cell(text="text")
        assert load_bytes(bytes(made.output()), "docs/winch-contract.pdf").title == shown
