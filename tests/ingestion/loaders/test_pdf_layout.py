"""The structure of PDFs: reading order, headings, tables, running heads, and that no character is lost."""

from __future__ import annotations

import random
import time
import unicodedata
from collections import Counter

import pypdfium2
import pytest

from benchmarks.pdf_structure_files import Sample, Sheet, glyph_pdf, sample, sentences
from rag.ingestion.loaders import load_bytes
from rag.ingestion.loaders.pdf_layout import Lines, Page, read_page
from rag.ingestion.loaders.pdf_page import compact, render_page
from rag.types import Document

NAMES = [
    "two_columns", "columns_by_row", "three_columns", "ruled_table", "aligned_table", "headings", "running_heads",
    "hyphens", "footnotes", "letter", "turned", "right_to_left",
]  # fmt: skip


def read(made: Sample | bytes) -> Document:
    return load_bytes(made.data if isinstance(made, Sample) else made, "a.pdf")


def flat(text: str) -> str:
    return " ".join(text.split())


def table(rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], f"| {' | '.join(['---'] * len(rows[0]))} |", *lines[1:]])


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_read_as_a_person_reads_it(name: str) -> None:
    made = sample(name)
    document = read(made)
    text = flat(document.text)
    places = [text.find(flat(block)) for block in made.blocks]
    assert -1 not in places
    assert places == sorted(places)
    marks = [line for line in document.text.split("\n") if line.startswith("#")]
    assert marks == [f"{'#' * level} {title}" for level, title in made.headings]
    for rows in made.tables:
        assert table(rows) in document.text
    for words in made.left_out:
        assert words not in document.text
        assert words.strip() in document.notes[0].text or words.strip().isdigit()
    for section in document.sections:
        assert document.text[section.start : section.end].strip()


def test_every_section_is_on_its_page() -> None:
    for name in ("running_heads", "headings", "footnotes"):
        made = sample(name)
        document = read(made)
        pdf = pypdfium2.PdfDocument(made.data)
        pages = [compact(page.get_textpage().get_text_range()) for page in pdf]
        assert len({section.page for section in document.sections}) == len(pages)
        for section in document.sections:
            assert section.page is not None
            for line in document.text[section.start : section.end].split("\n"):
                for part in line.split(" [")[:1]:
                    words = compact(part.replace("^", ""))
                    assert words[-40:] in pages[section.page - 1]


def test_a_paragraph_that_crosses_a_page_is_one_paragraph() -> None:
    document = read(sample("running_heads"))
    crossing = [
        (left, right) for left, right in zip(document.sections, document.sections[1:], strict=False)
        if left.page != right.page
    ]  # fmt: skip
    assert [document.text[left.end : right.start] for left, right in crossing] == [" "] * len(crossing)


def test_headings_are_the_paths_of_sections() -> None:
    document = read(sample("headings"))
    assert ("Rules of the sailing club", "2 Boats", "2.1 Rights and duties 2") in {
        s.headings for s in document.sections
    }
    assert all(
        document.text[s.start :].startswith(f"### {s.headings[-1]}") for s in document.sections if len(s.headings) > 2
    )


def test_a_table_head_that_is_repeated_on_each_page_is_no_running_head() -> None:
    sheet = Sheet()
    for page in range(4):
        if page:
            sheet.page()
        for row in range(30):
            cells = ("Berth", "Summer", "Winter") if not row else (f"A{30 * page + row}", f"{row * 110}", f"{row * 31}")
            for x, text in zip((60, 200, 340), cells, strict=True):
                sheet.text(x, 50 + 20 * row, text, bold=not row)
    document = read(sheet.done())
    assert document.text.count("| Berth | Summer | Winter |") == 4
    assert not document.notes


def test_numbers_at_the_foot_that_do_not_count_pages_stay() -> None:
    sheet = Sheet()
    for page, number in enumerate((7, 3, 12)):
        if page:
            sheet.page()
        sheet.paragraph(60, 80, sentences(page, 4), 480)
        sheet.text(60, 760, f"{number}")
    text = read(sheet.done()).text
    assert all(f"\n{number}" in text for number in (7, 3, 12))


def test_key_and_value_lines_are_read_row_by_row() -> None:
    sheet = Sheet()
    pairs = [("Invoice no.:", "4471"), ("Date:", "3 May 2031"), ("Customer:", "Ines Roe"), ("Due:", "17 May 2031")]
    for row, (key, value) in enumerate(pairs):
        sheet.text(60, 80 + 14 * row, key)
        sheet.text(260, 80 + 14 * row, value)
    text = read(sheet.done()).text
    assert all(f"{key} | {value}" in text for key, value in pairs)


def test_bold_that_is_drawn_twice_is_read_once() -> None:
    sheet = Sheet()
    for shift in (0.0, 0.3):
        sheet.text(60 + shift, 80, "Closed on Mondays")
    assert read(sheet.done()).text.strip("# ") == "Closed on Mondays"


def test_a_list_mark_is_never_parted_from_its_text() -> None:
    sheet = Sheet()
    for row, text in enumerate(
        ("Bring a coat and a lamp for the night.", "Sign the book when you leave the pier.") * 2
    ):
        sheet.text(60, 80 + 14 * row, f"{row + 1}.")
        sheet.text(92, 80 + 14 * row, text)
    assert read(sheet.done()).text.split("\n")[1] == "2. Sign the book when you leave the pier."


def test_ligatures_and_arabic_letters_are_read_as_letters() -> None:
    lines = ["السلام على الأهل", "الإجابة 25"]
    assert read(glyph_pdf(lines)).text.split() == " ".join(lines).split()


def test_entries_of_a_table_of_contents_stay_apart() -> None:
    sheet = Sheet()
    entries = [f"{name} {'.' * (70 - len(name))} {3 * n + 4}" for n, name in enumerate(("Ropes", "Anchors", "Lamps"))]
    for row, entry in enumerate(entries):
        sheet.text(60, 80 + 13 * row, entry)
    assert read(sheet.done()).text == "\n".join(entries)


def test_an_address_in_the_web_and_numbers_are_joined_across_lines_without_a_space() -> None:
    sheet = Sheet()
    for row, line in enumerate(
        ("The tide tables are at https://", "tables.example.org/ and the", "berth is in dock A-", "27.")
    ):
        sheet.text(60, 80 + 12 * row, line)
    assert read(sheet.done()).text.startswith(
        "The tide tables are at https://tables.example.org/ and the berth is in dock A-27."
    )


def test_a_caption_in_bold_is_no_heading_and_a_sentence_with_bold_words_is_none() -> None:
    sheet = Sheet()
    sheet.text(60, 80, "Figure 3. The northern jetty", bold=True)
    sheet.text(sheet.text(60, 110, "Net amount:", bold=True), 110, " EUR 4,308.00 in the year")
    sheet.text(60, 140, "Where to pay", bold=True)
    sheet.paragraph(60, 156, sentences(3, 5), 480)
    assert [line for line in read(sheet.done()).text.split("\n") if line.startswith("#")] == ["# Where to pay"]


def test_the_mark_of_a_footnote_with_a_bracket_never_joins_the_word() -> None:
    sheet = Sheet()
    x = sheet.text(60, 80, "The fee is 250")
    sheet.text(sheet.text(x, 76, "1)", 6), 80, " euros for a boat.")
    assert read(sheet.done()).text == "The fee is 250 [1] euros for a boat."


def test_two_columns_of_labels_and_words_far_apart_are_no_table() -> None:
    sheet = Sheet(width=1000)
    for row in range(14):
        sheet.text(60, 80 + 17 * row, f"Left line {row} of the first page")
        sheet.text(620, 86 + 13 * row, f"Right line {row} of the second page")
    text = read(sheet.done()).text
    assert "|" not in text
    assert text.index("Left line 13") < text.index("Right line 0")


def test_cells_with_two_lines_of_values_are_two_rows() -> None:
    sheet = Sheet()
    xs, ys = (60, 140, 240, 340, 440), (80, 100, 130, 160)
    for y in ys:
        sheet.line(60, y, 440, y)
    for x in xs:
        sheet.line(x, 80, x, 160)
    for x, text in zip(xs, ("Layers", "Form", "Simple", "Hard"), strict=False):
        sheet.text(x + 5, 94, text, bold=True)
    for y, layers in ((118, "6"), (148, "4")):
        sheet.text(65, y, layers)
        for line in (0, 1):
            for x, text in zip(
                xs[1:], (("OTSL", "HTML")[line], f"0.{layers}{line}5", f"0.{layers}{line}1"), strict=False
            ):
                sheet.text(x + 5, y - 6 + 12 * line, text)
    assert read(sheet.done()).text.split("\n")[2:] == [
        "| 6 | OTSL | 0.605 | 0.601 |", "| 6 | HTML | 0.615 | 0.611 |", "| 4 | OTSL | 0.405 | 0.401 |",
        "| 4 | HTML | 0.415 | 0.411 |",
    ]  # fmt: skip


def test_check_boxes_part_no_cells() -> None:
    sheet = Sheet()
    for y in (80, 110, 140):
        sheet.line(60, y, 440, y)
    for x in (60, 260, 440):
        sheet.line(x, 80, x, 140)
    for y, text in ((98, "Insured"), (128, "Paid")):
        sheet.text(65, y, text)
        sheet.pdf.rect(262, y - 10, 9, 9)
        sheet.text(280, y, f"yes, since {y}")
    text = read(sheet.done()).text
    assert "| Insured | yes, since 98 |" in text
    assert "| Paid | yes, since 128 |" in text


def laid_out(data: bytes) -> tuple[str, str, list[Page]]:
    """Return the letters of all blocks, and those that pdfium has."""
    own, theirs, pages = [], [], []
    pdf = pypdfium2.PdfDocument(data)
    for number, page in enumerate(pdf, start=1):
        textpage = page.get_textpage()
        theirs.append(textpage.get_text_range())
        opened = read_page(page, textpage, number)
        for block in opened.blocks():
            own += [line.text for line in block.lines] if isinstance(block, Lines) else block.texts
        pages.append(opened)
    return "".join(own), "".join(theirs), pages


def letters(text: str) -> Counter[str]:
    return Counter(c for c in unicodedata.normalize("NFKD", text) if c.isalnum())


@pytest.mark.parametrize("seed", range(12))
def test_no_character_is_lost_wherever_it_is(seed: int) -> None:
    chance = random.Random(seed)
    sheet = Sheet()
    for _ in range(chance.randint(1, 150)):
        x, y, size = chance.uniform(0, 560), chance.uniform(20, 780), chance.choice((5, 8, 10, 10, 10, 14, 22))
        words = " ".join(
            chance.choices(["ferry", "12", "m²", "•", "3.", "lamp-", "A", "9,140", "(b)"], k=chance.randint(1, 6))
        )
        if chance.random() < 0.1:
            with sheet.pdf.rotation(chance.choice((90, 180, 270, 30)), x, y):
                sheet.text(x, y, words, size)
        else:
            sheet.text(x, y, words, size, bold=chance.random() < 0.2)
    for _ in range(chance.randint(0, 30)):
        x, y = chance.randrange(0, 600, 60), chance.randrange(0, 800, 40)
        sheet.line(x, y, *(chance.choice(((600, y), (x, 800), (x + 120, y)))))
    own, theirs, pages = laid_out(sheet.done())
    assert letters(own) == letters(theirs)
    assert not any(page.is_plain for page in pages)


@pytest.mark.parametrize("name", NAMES)
def test_no_character_of_a_sample_is_lost(name: str) -> None:
    own, theirs, _ = laid_out(sample(name).data)
    assert letters(own) == letters(theirs.replace("\ufffe", "").replace("\x02", ""))


def crowded(stream: str) -> bytes:
    sheet = Sheet()
    sheet.text(50, 50, "hello")
    sheet.pdf._out(stream)
    return sheet.done()


@pytest.mark.parametrize(
    "stream",
    [
        " ".join(f"{n * 7 % 600} {n * 13 % 800} m {n * 11 % 600} {n * 3 % 800} l S" for n in range(100_000)),
        " ".join(f"0 {n % 800} m 600 {n % 800} l S {n % 600} 0 m {n % 600} 800 l S" for n in range(50_000)),
        "BT /F1 6 Tf " + " ".join(f"1 0 0 1 {n * 37 % 600} {n * 53 % 797} Tm (x) Tj" for n in range(40_000)) + " ET",
        "BT /F1 0.05 Tf " + " ".join(f"1 0 0 1 {n / 10} {n / 10} Tm (x) Tj" for n in range(3_000)) + " ET",
        "BT /F1 1e30 Tf 1 0 0 1 1e38 -1e38 Tm (abc) Tj ET",
    ],
    ids=["drawing", "rules", "letters", "staircase", "infinite"],
)
def test_a_hostile_page_ends_in_time(stream: str) -> None:
    data = crowded(stream)
    started = time.process_time()
    assert "hello" in read(data).text
    assert time.process_time() - started < 20


def boxed(data: bytes, quote: str, number: int = 1) -> str:
    """Return the text that pdfium finds in the boxes around a quote."""
    image = render_page(data, number, quote)
    page = pypdfium2.PdfDocument(data)[number - 1]
    zoom, height = image.width / page.get_width(), page.get_height()
    words = page.get_textpage()
    return flat(" ".join(
        words.get_text_bounded(left / zoom, height - bottom / zoom, right / zoom, height - top / zoom)
        for left, top, right, bottom in image.boxes
    ))  # fmt: skip


def test_the_box_is_around_the_words_in_columns_tables_and_notes() -> None:
    columns = sample("columns_by_row")
    quote = columns.blocks[0].split(",")[0]
    assert compact(boxed(columns.data, quote)) in (compact(quote), compact(quote + ","))
    for name in ("ruled_table", "aligned_table"):
        assert boxed(sample(name).data, "| B | up to 10 m | 1,630 | 405 |").split() == [
            "B",
            "up",
            "to",
            "10",
            "m",
            "1,630",
            "405",
        ]
    assert "harbour master" in boxed(sample("footnotes").data, "says the harbour master [2] in his letter")
    assert boxed(sample("right_to_left").data, "412 دينار").startswith("412")
