"""Scans and pictures are read by the real engine: each kind of file that has them, notes, boxes and limits."""

from __future__ import annotations

import io
import zipfile
from email.message import EmailMessage

import pytest
from docx import Document as WordDocument
from odfdo import Document as OpenDocument
from odfdo import DrawPage, Frame, Paragraph
from openpyxl import Workbook
from openpyxl.drawing.image import Image as SheetPicture
from PIL import Image, ImageOps
from pptx import Presentation
from pptx.util import Inches
from scans import ocr_or_skip, pdf_of, saved, scan

from rag.errors import DocumentError
from rag.ingestion.loaders import load_bytes
from rag.ingestion.loaders.limits import NO_OCR, OcrSettings
from rag.ingestion.loaders.word_boxes import pack_boxes, rectangles
from rag.ingestion.sandbox import Limits, ParserPool
from rag.types import Document

LINES = ("The winch on pier 4 lifts 1250 kg.", "It is tested on 9 May 2034.")
RUSSIAN = ("Лебёдка на причале поднимает 1250 кг.", "Она проверена 9 мая 2034 года.")
TEXT = "\n".join(LINES)


@pytest.fixture(autouse=True)
def _engine() -> None:
    ocr_or_skip()


def said(document: Document) -> list[tuple[int | None, str]]:
    """Return the page and the words of each section; upper and lower case of a small letter may differ."""
    return [(s.page, " ".join(document.text[s.start : s.end].lower().split())) for s in document.sections]


def kinds(document: Document) -> list[tuple[str, str]]:
    return [(note.kind, note.place) for note in document.notes]


# Files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"])
def test_a_picture_is_read(kind: str) -> None:
    document = load_bytes(saved(scan(*LINES), kind), "docs/winch_note.dat")
    assert document.text == TEXT
    assert document.media_type == f"image/{kind.lower()}"
    assert (document.title, document.pages, kinds(document)) == ("winch note", 1, [("read_by_ocr", "page 1")])
    assert document.notes[0].text == "page 1 of 1 was read by OCR"


@pytest.mark.parametrize("mode", ["1", "P", "RGBA", "CMYK", "I;16", "LA"])
def test_pictures_of_every_mode_are_read(mode: str) -> None:
    image = scan(*LINES)
    if mode == "I;16":
        image = Image.frombytes("I;16", image.size, b"".join(bytes((0, value)) for value in image.tobytes()))
    elif mode in ("RGBA", "LA"):  # transparent paper
        alpha = image.point(lambda value: 255 - value)
        image = Image.merge(mode, [*[Image.new("L", image.size, 0)] * (len(mode) - 1), alpha])
    else:
        image = image.convert(mode)
    assert load_bytes(saved(image, "TIFF" if mode == "CMYK" else "PNG"), "a").text == TEXT


def test_each_page_of_a_tiff_is_read() -> None:
    pages = [scan(LINES[0]), Image.new("L", (1000, 700), 255), scan(*RUSSIAN)]
    document = load_bytes(saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]), "a.tif")
    assert said(document) == [(1, LINES[0].lower()), (3, " ".join(RUSSIAN).lower())]
    assert document.pages == 3
    assert kinds(document) == [("read_by_ocr", "pages 1, 3"), ("no_words_found", "page 2")]


def test_only_the_first_frame_of_a_gif_is_read() -> None:
    data = saved(scan(LINES[0]), "GIF", save_all=True, append_images=[scan(LINES[1])])
    assert load_bytes(data, "a.gif").text == LINES[0]


def test_a_photo_is_turned_upright_as_its_camera_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    assert load_bytes(saved(scan(*LINES).rotate(90, expand=True), "JPEG", exif=exif), "a.jpg").text == TEXT


def test_a_screenshot_with_small_letters_is_read() -> None:
    small = scan(*LINES).resize((420, 294), Image.Resampling.LANCZOS)
    assert load_bytes(saved(small), "a.png").text == TEXT


def test_a_picture_without_text_is_a_document_with_a_note() -> None:
    document = load_bytes(saved(Image.linear_gradient("L").resize((600, 400))), "sky.png")
    assert (document.text, document.sections, document.title) == ("", (), "sky")
    assert kinds(document) == [("no_words_found", "page 1")]


def test_scanned_pages_among_others_are_read() -> None:
    document = load_bytes(pdf_of("The lease begins.", scan(*LINES), scan(*RUSSIAN), "Signed in Nordby."), "a.pdf")
    assert said(document) == [
        (1, "the lease begins."),
        (2, " ".join(LINES).lower()),
        (3, " ".join(RUSSIAN).lower()),
        (4, "signed in nordby."),
    ]
    (note,) = document.notes
    assert (note.kind, note.text, note.place) == ("read_by_ocr", "pages 2-3 of 4 were read by OCR", "pages 2-3")


def test_a_scan_with_a_stamp_as_text_is_read_and_a_page_with_text_is_not() -> None:
    from fpdf import FPDF

    made = FPDF()
    made.set_font("helvetica", size=9)
    for text in ("Scanned by ScanPal", "The lease of the pier begins in March and ends in May. " * 4):
        made.add_page()
        made.image(scan(*LINES, size=(1000, 1300)), w=190)
        made.multi_cell(0, text=text)
    document = load_bytes(bytes(made.output()), "a.pdf")
    first, second = (document.text[s.start : s.end] for s in document.sections)
    assert TEXT in first
    assert "winch" not in second
    assert kinds(document) == [("read_by_ocr", "page 1")]


def test_a_scan_that_shows_nothing_is_noted_and_a_pdf_of_such_fails() -> None:
    blank = Image.new("L", (600, 400), 230)
    assert kinds(load_bytes(pdf_of("Words.", blank), "a.pdf")) == [("no_words_found", "page 2")]
    with pytest.raises(DocumentError, match="none of the 2 pages has text that OCR can read") as caught:
        load_bytes(pdf_of(blank, blank), "a.pdf")
    assert caught.value.reason == "no text"


def word(*pictures: bytes) -> bytes:
    made, data = WordDocument(), io.BytesIO()
    made.add_paragraph("Before the picture.")
    for picture in pictures:
        made.add_picture(io.BytesIO(picture))
    made.add_paragraph("After it.")
    made.save(data)
    return data.getvalue()


def slides(*pictures: bytes) -> bytes:
    made, data = Presentation(), io.BytesIO()
    for _ in range(2):
        slide = made.slides.add_slide(made.slide_layouts[5])
        slide.shapes.title.text = "Winches"
        for picture in pictures:
            slide.shapes.add_picture(io.BytesIO(picture), Inches(1), Inches(2))
    made.save(data)
    return data.getvalue()


def sheet(*pictures: bytes) -> bytes:
    made, data = Workbook(), io.BytesIO()
    assert made.active is not None
    made.active.append(["Item", "Price"])
    made.active.append(["Lamp", 19])
    for picture in pictures:
        made.active.add_image(SheetPicture(io.BytesIO(picture)), "D2")
    made.save(data)
    return data.getvalue()


def open_text(*pictures: bytes) -> bytes:
    made, data = OpenDocument("text"), io.BytesIO()
    made.body.clear()
    made.body.append(Paragraph("Before the picture."))
    for picture in pictures:
        paragraph = Paragraph("")
        name = made.add_file(io.BytesIO(picture))
        paragraph.append(Frame.image_frame(name, size=("10cm", "7cm")))
        made.body.append(paragraph)
    made.save(data)
    return data.getvalue()


def open_slides(*pictures: bytes) -> bytes:
    made, data = OpenDocument("presentation"), io.BytesIO()
    made.body.clear()
    page = DrawPage("one")
    for picture in pictures:
        page.append(Frame.image_frame(made.add_file(io.BytesIO(picture)), size=("10cm", "7cm")))
    made.body.append(page)
    made.save(data)
    return data.getvalue()


@pytest.mark.parametrize(
    ("make", "name", "place"),
    [
        (word, "a.docx", ""),
        (slides, "a.pptx", "slide 1"),
        (sheet, "a.xlsx", "sheet Sheet"),
        (open_text, "a.odt", ""),
        (open_slides, "a.odp", "slide 1"),
    ],
)
def test_pictures_in_office_files_are_read_where_they_are_shown(make: object, name: str, place: str) -> None:
    icon = saved(Image.new("L", (64, 64), 90))
    document = load_bytes(make(saved(scan(*LINES)), icon), name)  # type: ignore[operator]
    assert document.text.count(TEXT) == 1, "the same picture on two slides is read once"
    assert [(note.kind, note.text, note.place) for note in document.notes] == [
        ("read_by_ocr", "1 picture read by OCR", place)
    ]
    assert document.boxes == ()


def test_the_text_of_a_picture_stands_between_its_paragraphs() -> None:
    assert load_bytes(word(saved(scan(*LINES))), "a.docx").text == f"Before the picture.\n\n{TEXT}\n\nAfter it."


def test_a_damaged_picture_and_one_of_another_format_are_noted() -> None:
    data = word(saved(scan(*LINES)))
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as whole, zipfile.ZipFile(changed, "w") as made:
        for member in whole.namelist():
            content = whole.read(member)
            made.writestr(member, content[:2000] if member.startswith("word/media/") else content)
    assert kinds(load_bytes(changed.getvalue(), "a.docx")) == [("ocr_stopped", "")]


def letter(*attachments: tuple[str, bytes]) -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"], message["Date"] = "a@example.org", "Winch", "Mon, 03 Mar 2031 10:00:00 +0000"
    message["Message-ID"] = "<1@example.org>"
    message.set_content("See the picture.")
    for name, data in attachments:
        message.add_attachment(data, maintype="image", subtype="png", filename=name)
    return bytes(message)


def test_pictures_attached_to_mail_are_read_and_logos_leave_no_trace() -> None:
    logo, photo = saved(Image.new("L", (90, 90), 90)), saved(Image.linear_gradient("L").resize((600, 400)))
    document = load_bytes(letter(("w.png", saved(scan(*LINES))), ("logo.png", logo), ("sky.png", photo)), "a.eml")
    assert document.text.endswith(TEXT)
    assert kinds(document) == [("read_by_ocr", "attachment w.png, page 1")]


# Without the engine ----------------------------------------------------------------------------------------------


def test_without_ocr_the_notes_name_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = OcrSettings(languages=("xyz_Latn", "eng"))
    monkeypatch.setattr("rag.ingestion.loaders.ocr_engine.PACKAGE", "no_such_engine")
    remedy = "to read them by OCR, run `pip install no_such_engine && apt-get install tesseract-ocr-xyz-latn`"
    (note,) = load_bytes(pdf_of("Words.", scan(*LINES)), "a.pdf", ocr=settings).notes
    assert (note.kind, note.text) == ("pages_without_text", "page 2 of 2 has no text")
    assert note.remedy == f"{remedy} and ingest again"
    (note,) = load_bytes(word(saved(scan(*LINES))), "a.docx", ocr=settings).notes
    assert (note.kind, note.text, note.remedy) == (
        "pictures_not_read",
        "1 picture not read",
        f"{remedy} and ingest again",
    )
    for data, name in ((saved(scan(*LINES)), "a.png"), (pdf_of(scan(*LINES)), "a.pdf")):
        with pytest.raises(DocumentError) as caught:
            load_bytes(data, name, ocr=settings)
        assert (caught.value.reason, caught.value.remedy) == ("no ocr", f"{remedy} and ingest again")
    (note,) = load_bytes(letter(("w.png", saved(scan(*LINES)))), "a.eml", ocr=settings).notes
    assert (note.kind, note.place) == ("pictures_not_read", "attachment w.png")


def test_a_language_that_is_missing_is_left_out() -> None:
    document = load_bytes(saved(scan(*LINES)), "a.png", ocr=OcrSettings(languages=("xyz", "eng")))
    assert document.text == TEXT
    with pytest.raises(DocumentError, match="it is a picture, and OCR is off"):
        load_bytes(saved(scan(*LINES)), "a.png", ocr=NO_OCR)


def test_text_in_a_language_that_is_not_read_is_noted_as_hard_to_read_or_left_out() -> None:
    document = load_bytes(pdf_of("Words.", scan(*RUSSIAN)), "a.pdf", ocr=OcrSettings(languages=("eng",)))
    assert {kind for kind, _ in kinds(document)} & {"ocr_uncertain", "no_words_found"}


# Boxes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.pdf", "a.tif"])
def test_the_words_are_boxed_on_their_page(name: str) -> None:
    first, second = scan(LINES[0]), scan(*LINES)
    tiff = saved(first, "TIFF", save_all=True, append_images=[second])
    data = pdf_of(first, second) if name == "a.pdf" else tiff
    document = load_bytes(data, name)
    start = document.text.rindex("tested on 9 May")
    packed = pack_boxes(document.boxes)
    assert packed is not None
    assert rectangles(packed, 1, start, start + 15) == []
    (box,) = rectangles(packed, 2, start, start + 15)
    with ParserPool(workers=1) as pool:
        image, plain = pool.render_page(data, 2, "tested on 9 May", 0, [box]), pool.render_page(data, 2)
        with pytest.raises(DocumentError, match="it has no page 3"):
            pool.render_page(data, 3)
    ((left, top, right, bottom),) = image.boxes
    assert image.png != plain.png
    drawn = Image.open(io.BytesIO(plain.png)).convert("L").crop((left, top, right, bottom))
    cut = ImageOps.expand(drawn.resize((drawn.width * 3, drawn.height * 3)), 40, 255)
    assert load_bytes(saved(cut), "cut.png", ocr=OcrSettings(languages=("eng",))).text.startswith("tested on ")


# Limits and hostile pictures --------------------------------------------------------------------------------------


def test_pages_beyond_the_limit_are_noted() -> None:
    document = load_bytes(pdf_of(*[scan(LINES[0])] * 4), "a.pdf", ocr=OcrSettings(pages=2))
    assert kinds(document) == [("read_by_ocr", "pages 1-2"), ("ocr_stopped", "pages 3-4")]
    assert document.notes[1].text == "pages 3-4 of 4 were not read: more pages and pictures than parsing.ocr_pages"


def test_the_limit_holds_for_a_message_and_its_attachments_together() -> None:
    scans = [(f"{n}.png", saved(scan(f"Lamp {n} is green."))) for n in range(3)]
    document = load_bytes(letter(*scans), "a.eml", ocr=OcrSettings(pages=2))
    assert "Lamp 1 is green." in document.text
    assert "Lamp 2" not in document.text


def test_a_page_that_takes_too_long_is_noted_and_after_three_the_rest_is_not_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[int] = []
    monkeypatch.setattr("rag.ingestion.loaders.ocr.read_words", lambda *_: tried.append(1))
    document = load_bytes(pdf_of("Words.", *[scan(LINES[0])] * 5), "a.pdf")
    assert kinds(document) == [("ocr_stopped", "pages 2-6")]
    assert len(tried) == 3


def test_a_page_of_a_pdf_that_is_too_large_is_drawn_smaller() -> None:
    large = scan(*LINES, size=(1000, 700), points=30)
    assert load_bytes(pdf_of(large), "a.pdf", ocr=OcrSettings(page_megapixels=2)).text.startswith("The winch on pier")


@pytest.mark.parametrize(
    ("data", "reason", "message"),
    [
        (saved(Image.new("1", (30_000, 30_000))), "bomb", r"900 megapixels\); at most 50 megapixels"),
        (saved(Image.effect_noise((3000, 3000), 90), "JPEG"), "too large", r"3,000 x 3,000 pixels"),
        (saved(Image.effect_noise((400, 400), 90))[:9000], "broken", "the picture is damaged: "),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "broken", "its header cannot be read"),
        (saved(Image.new("L", (300, 300)), "TIFF")[:200], "broken", "the picture is damaged: "),
    ],
)
def test_a_hostile_picture_fails_with_its_reason(data: bytes, reason: str, message: str) -> None:
    most = 5 if reason == "too large" else 50
    with ParserPool(1, Limits(ocr=OcrSettings(page_megapixels=most))) as pool:
        with pytest.raises(DocumentError, match=message) as caught:
            pool.parse(data, "a.png")
        assert caught.value.reason == reason
        assert pool.parse(b"# Notes", "a.md").title == "Notes", "the worker goes on"


def test_a_png_that_declares_absurd_dimensions_is_refused_before_it_is_decoded() -> None:
    data = bytearray(saved(Image.new("L", (100, 100))))
    data[16:24] = b"\x7f\xff\xff\xff" * 2
    with pytest.raises(DocumentError) as caught:
        load_bytes(bytes(data), "a.png")
    assert caught.value.reason in ("bomb", "broken")


def test_pictures_cut_anywhere_are_read_or_fail_without_a_crash() -> None:
    whole = {kind: saved(scan(LINES[0], size=(700, 200)), kind) for kind in ("PNG", "JPEG", "TIFF", "WEBP", "GIF")}
    reasons = set()
    with ParserPool(1) as pool:
        for kind, data in whole.items():
            for share in (0.02, 0.3, 0.9):
                try:
                    pool.parse(data[: int(share * len(data))], f"a.{kind}")
                except DocumentError as error:
                    reasons.add(error.reason)
    assert reasons == {"broken"}


def test_the_sandbox_reads_what_the_loader_reads_and_gives_scans_more_time() -> None:
    data = pdf_of(scan(*LINES))
    expected = load_bytes(data, "a.pdf")
    with ParserPool(1) as pool:
        assert pool.parse(data, "a.pdf") == expected
    # A processor second for the file is too little for these pages: each has its own.
    dense = pdf_of(*[scan(*LINES * 9, size=(1000, 1400), points=9)] * 2)
    with ParserPool(1, Limits(cpu_seconds=1, wall_seconds=20)) as pool:
        assert pool.parse(dense, "a.pdf").pages == 2
