"""Pages of PDFs as images: the box is around the words, and a hostile page costs only itself."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from fpdf import FPDF
from PIL import Image

from rag.errors import DocumentError
from rag.ingestion.loaders.limits import Bounds
from rag.ingestion.loaders.pdf import load_pdf
from rag.ingestion.loaders.pdf_page import PageImage, compact, render_page
from rag.ingestion.sandbox import Limits, ParserPool

LINES = ["The pump is tested in March.", "The lamp is tested in June.", "The lamp is tested in June."]


def pdf(lines: list[str], pages: int = 1, turned: int = 0) -> bytes:
    made = FPDF()
    made.set_font("Helvetica", size=14)
    for page in range(pages):
        made.add_page()
        for line in lines:
            made.cell(0, 12, f"{line}", new_x="LMARGIN", new_y="NEXT")
        made.cell(0, 12, f"Page {page + 1}")
    data = bytes(made.output())
    return data.replace(b"/Type /Page\n", b"/Type /Page\n/Rotate %d\n" % turned) if turned else data


def words_in(data: bytes, image: PageImage, page: int = 1) -> str:
    """Return the text that pdfium finds inside the boxes, without the code under test."""
    import pypdfium2

    opened = pypdfium2.PdfDocument(data)
    drawn = opened[page - 1]
    zoom = image.width / drawn.get_width()
    text = drawn.get_textpage()
    found = [
        text.get_text_bounded(left / zoom, drawn.get_height() - bottom / zoom, right / zoom,
            drawn.get_height() - top / zoom)
        for left, top, right, bottom in image.boxes
    ]  # fmt: skip
    opened.close()
    return " ".join(" ".join(found).split())


@pytest.fixture(scope="module")
def pool() -> Iterator[ParserPool]:
    with ParserPool(1, Limits(wall_seconds=20, cpu_seconds=10)) as made:
        yield made


def test_the_box_is_around_the_words() -> None:
    data = pdf(LINES)
    image = render_page(data, 1, "pump is tested")
    assert words_in(data, image) == "pump is tested"
    assert Image.open(io.BytesIO(image.png)).size == (image.width, image.height)


def test_of_two_places_the_one_that_was_meant_is_boxed() -> None:
    data = pdf(LINES)
    text = load_pdf(data, "a.pdf", Bounds()).text
    first, last = (render_page(data, 1, LINES[1], len(compact(text[:at]))) for at in (
        text.index(LINES[1]), text.rindex(LINES[1])))  # fmt: skip
    assert first.boxes[0][3] < last.boxes[0][1]


def test_words_across_lines_get_a_box_each() -> None:
    data = pdf(LINES)
    image = render_page(data, 1, "in March.\nThe lamp")
    assert len(image.boxes) == 2
    assert words_in(data, image) == "in March. The lamp"


def test_the_right_page_is_drawn() -> None:
    data = pdf(LINES, pages=3)
    assert words_in(data, render_page(data, 3, "Page 3"), 3) == "Page 3"
    assert render_page(data, 2, "Page 3").boxes == ()


def test_composed_letters_and_hyphens_do_not_matter() -> None:
    assert compact("Ka\u0301va\u00adpot\ufffe") == compact("K\u00e1va pot")


def test_the_box_on_a_turned_page_lies_inside_it() -> None:
    data = pdf(LINES, turned=90)
    image = render_page(data, 1, "pump is tested")
    (box,) = image.boxes
    assert image.width > image.height
    assert box[2] - box[0] < box[3] - box[1] and box[2] <= image.width and box[3] <= image.height


def test_words_that_are_not_there_get_no_box() -> None:
    image = render_page(pdf(LINES), 1, "zebra")
    assert image.boxes == () and image.png


@pytest.mark.parametrize("number", [0, 2, -1])
def test_a_page_that_is_not_there_is_said(number: int) -> None:
    with pytest.raises(DocumentError, match="no page"):
        render_page(pdf(LINES), number)


@pytest.mark.parametrize("size", [(14400, 14400), (3, 14400), (14400, 3)])
def test_no_page_takes_more_pixels_than_a_screen_can_use(size: tuple[int, int]) -> None:
    made = FPDF(unit="pt", format=size)
    made.add_page()
    image = render_page(bytes(made.output()), 1)
    assert image.width * image.height <= 4_100_000


def test_a_worker_draws_what_the_function_draws(pool: ParserPool) -> None:
    data = pdf(LINES)
    assert pool.render_page(data, 1, LINES[0]) == render_page(data, 1, LINES[0])


def test_a_worker_reads_and_draws_in_turn(pool: ParserPool) -> None:
    data = pdf(LINES)
    assert pool.parse(data, "a.pdf").pages == 1
    assert pool.render_page(data, 1, LINES[0]).boxes
    assert pool.parse(data, "a.pdf").pages == 1


def test_what_is_no_pdf_is_said(pool: ParserPool) -> None:
    with pytest.raises(DocumentError) as caught:
        pool.render_page(b"%PDF-1.7\nnonsense", 1)
    assert caught.value.remedy
