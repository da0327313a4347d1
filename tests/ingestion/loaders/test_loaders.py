"""Files to documents: what is read, what is left out, where sections begin, and what is refused."""

from __future__ import annotations

import json
import sys
import unicodedata
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fpdf import FPDF
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rag.errors import DocumentError
from rag.ingestion.loaders import FORMATS, load_bytes, sniff
from rag.ingestion.loaders.limits import NO_OCR
from rag.ingestion.loaders.markdown import markdown_document
from rag.ingestion.loaders.text import normalise, title_from
from rag.types import Document, Section

ENGLISH = "The keeper’s café opens at 7 – tea costs 4 €. “Crème brûlée” is served on Fridays, as she said.\n" * 4
SPANISH = "El faro está en la montaña. ¿Cuándo llegó el señor Núñez? Mañana, según él, habrá niebla – “quizá”.\n" * 2
RUSSIAN = (
    "Датчик тумана ставят на высоте двух метров над землёй. Приёмное окно смотрит на север.\n"
    "Гарантийный срок — тридцать месяцев со дня поставки.\n" * 3
)


def markdown(text: str) -> Document:
    return load_bytes(text.encode(), "field-notes.md")


def headings(document: Document) -> list[tuple[str, ...]]:
    return [section.headings for section in document.sections]


def section_texts(document: Document) -> list[str]:
    return [document.text[section.start : section.end] for section in document.sections]


# Markdown ---------------------------------------------------------------------------------------------------


def test_heading_paths_follow_the_nesting() -> None:
    document = markdown("intro\n\n# A\na\n\n## B\nb\n\n### C\nc\n\n## D\nd\n\n# E\ne\n")
    assert headings(document) == [(), ("A",), ("A", "B"), ("A", "B", "C"), ("A", "D"), ("E",)]
    assert section_texts(document)[3] == "### C\nc\n\n"
    assert document.title == "A"


def test_a_skipped_level_does_not_confuse_the_path() -> None:
    assert headings(markdown("# A\na\n\n#### B\nb\n\n## C\nc\n")) == [("A",), ("A", "B"), ("A", "C")]


def test_setext_headings_split_like_the_others() -> None:
    assert headings(markdown("A\n===\na\n\nB\n---\nb\n")) == [("A",), ("A", "B")]


@pytest.mark.parametrize("break_", ["\n", "  \n"], ids=["soft break", "hard break"])
def test_a_setext_heading_of_two_lines_keeps_its_words_apart(break_: str) -> None:
    assert headings(markdown(f"Fog{break_}sensors\n===\nbody\n")) == [("Fog sensors",)]


@pytest.mark.parametrize(
    "inner",
    ["```\n# comment\n```", "~~~sh\n# comment\n~~~", "    # comment", "> # comment", "- # comment", r"\# comment"],
    ids=["fence", "tilde fence", "indented code", "quote", "list item", "escaped"],
)
def test_a_hash_that_is_no_heading_of_the_document_does_not_split_it(inner: str) -> None:
    document = markdown(f"# A\n\n{inner}\n\nlast words\n")
    assert headings(document) == [("A",)]
    assert "comment" in section_texts(document)[0]


def test_front_matter_gives_the_title_and_is_a_section_of_its_own() -> None:
    document = markdown("---\ntitle: The Net\nauthor: Soraya\n---\n\n# A\n\nbody\n")
    assert document.title == "The Net"
    assert headings(document) == [(), ("A",)]
    assert "author: Soraya" in section_texts(document)[0]


@pytest.mark.parametrize(
    "front",
    ["title: [unclosed", "revised: 2031-02-30", "- a list", "title:"],
    ids=["not YAML", "impossible date", "a list", "no title"],
)
def test_front_matter_without_a_usable_title_stops_nothing(front: str) -> None:
    document = markdown(f"---\n{front}\n---\n\n# A\n\nbody\n")
    assert document.title == "A"
    assert "body" in section_texts(document)[-1]


def nested_aliases() -> str:
    """Ten lines of YAML that expand to a billion words."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{c}: &{c} [{', '.join([f'*{b}'] * 10)}]" for b, c in pairwise("abcdefghij")]
    return "\n".join([*lines, "title: *j"])


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "front",
    [
        nested_aliases(),
        "title: [A, B]",
        "title: {a: b}",
        "title: yes",
        "title: 0x" + "9" * 9000,
        pytest.param("title: " + "[" * 15000, marks=pytest.mark.slow),
        "name: x\n" * 20000 + "title: late",
    ],
    ids=["aliases", "list", "mapping", "truth", "huge number", "deep", "long"],
)
def test_hostile_front_matter_is_passed_over(front: str) -> None:
    document = markdown(f"---\n{front}\n---\n\n# A\n\nbody\n")
    assert (document.title, headings(document)) == ("A", [(), ("A",)])


@pytest.mark.parametrize(
    ("value", "title"),
    [("2024", "2024"), ("1.50", "1.5"), ("2024-01-31", "2024-01-31"), ("2 * 3 * 4", "2 * 3 * 4"), ("'yes'", "yes")],
)
def test_a_title_may_be_a_number_or_a_date(value: str, title: str) -> None:
    assert markdown(f"---\ntitle: {value}\n---\n\n# A\n\nbody\n").title == title


@pytest.mark.parametrize(
    ("title", "clean"),
    [
        (r"a \ud800 b", "a \ufffd b"),
        (r"\ud83d", "\ufffd"),
        (r"a\u0007b\e[31mc", "a b [31mc"),
        (r"one\ntwo\tthree", "one two three"),
        (r"\0\u0085", "field notes"),
    ],
)
def test_a_title_can_always_be_stored_and_is_one_line(title: str, clean: str) -> None:
    assert markdown(f'---\ntitle: "{title}"\n---\n\nbody\n').title == clean


def test_no_loader_can_let_through_what_cannot_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "one \ud800 two\ndc00 \udc00."
    poisoned = Document("a.txt", "text/plain", "\udfff", text, (Section(0, 9, None, ("h\ud800\x1b", "\x00")),))
    monkeypatch.setitem(sys.modules, "poisoned", SimpleNamespace(load=lambda data, source: poisoned))
    monkeypatch.setitem(FORMATS, "text/plain", replace(FORMATS["text/plain"], loader="poisoned:load"))
    document = load_bytes(b"x", "a.txt")
    assert document.text == "one \ufffd two\ndc00 \ufffd."
    assert (document.title, document.sections) == ("\ufffd", (Section(0, 9, None, ("h\ufffd",)),))
    json.dumps([document.title, document.text, *document.sections[0].headings], ensure_ascii=False).encode("utf-8")


def test_text_between_two_rules_is_no_front_matter() -> None:
    document = markdown("---\n\nThe mast is 31 metres tall.\n\n---\n\nThe end.\n")
    assert "31 metres" in "".join(section_texts(document))


def test_headings_between_two_rules_are_found() -> None:
    document = markdown("---\n\n# Mast\n\nIt is 31 metres tall.\n\n---\n\nThe end.\n")
    assert headings(document)[-1] == ("Mast",)


def test_duplicate_headings_stay_two_sections() -> None:
    document = markdown("# A\none\n\n# A\ntwo\n")
    assert headings(document) == [("A",), ("A",)]
    assert section_texts(document) == ["# A\none\n\n", "# A\ntwo\n"]


def test_a_bare_parent_heading_lives_on_in_the_paths_below_it() -> None:
    document = markdown("# A\n\n## B\n\n### C\n\ntext\n")
    assert headings(document) == [("A", "B", "C")]


def test_a_bare_heading_without_anything_below_is_read() -> None:
    assert headings(markdown("# A\n\n# B\n\ntext\n")) == [("A",), ("B",)]


def test_heading_markup_is_left_out_of_the_path() -> None:
    assert headings(markdown("# The *big* `mast` [plan](x.md) &amp; more #\n\nx\n")) == [("The big mast plan & more",)]


@pytest.mark.parametrize(
    "data",
    [
        b"# A\r\n\r\ntext\r\n\r\n## B\r\n\r\nmore\r\n",
        b"\xef\xbb\xbf# A\n\ntext\n\n## B\n\nmore\n",
        b"# A\r\rtext\r\r## B\r\rmore\r",
    ],
    ids=["CRLF", "BOM", "CR"],
)
def test_line_ends_and_byte_order_mark_do_not_matter(data: bytes) -> None:
    document = load_bytes(data, "a.md")
    assert document.text == "# A\n\ntext\n\n## B\n\nmore\n"
    assert headings(document) == [("A",), ("A", "B")]


def test_the_file_name_is_the_title_of_last_resort() -> None:
    assert markdown("no heading\n").title == "field notes"
    assert title_from("a/b/price_list--2031.txt") == "price list 2031"


_PIECES = st.sampled_from(
    ["# A\n", "## B\n", "C\n===\n", "D\n---\n", "---\n", "title: x\n", "> # Q\n", "```\n", "- # L\n", "\n", " \n", "é"]
)
_MARKDOWN = st.lists(_PIECES | st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=20).map("".join)


@given(_MARKDOWN.map(normalise))
def test_sections_are_in_order_apart_and_inside_the_text(text: str) -> None:
    end = 0
    for section in markdown_document(text, "a.md", "text/markdown").sections:
        assert end <= section.start < section.end <= len(text)
        assert text[section.start : section.end].strip()
        end = section.end


# Plain text and encodings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [ENGLISH, RUSSIAN], ids=["English", "Russian"])
@pytest.mark.parametrize(
    ("bom", "encoding"),
    [(b"", "utf-8"), (b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")],
    ids=["UTF-8", "UTF-8 BOM", "UTF-16 LE", "UTF-16 BE"],
)
def test_unicode_encodings_give_the_same_text(text: str, bom: bytes, encoding: str) -> None:
    assert load_bytes(bom + text.encode(encoding), "a.txt").text == text


@pytest.mark.parametrize(
    ("text", "encoding"), [(RUSSIAN, "cp1251"), (SPANISH, "cp1252")], ids=["windows-1251", "windows-1252"]
)
def test_old_windows_encodings_are_recognised(text: str, encoding: str) -> None:
    assert load_bytes(text.encode(encoding), "a.txt").text == text


def test_a_plain_text_is_one_section_however_it_looks() -> None:
    document = load_bytes(b"# not Markdown\n\ntext\n", "notes.txt")
    assert (document.media_type, document.title) == ("text/plain", "notes")
    assert [(s.start, s.end, s.headings) for s in document.sections] == [(0, len(document.text), ())]


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html"])
def test_decomposed_letters_are_composed(name: str) -> None:
    document = load_bytes("<p>cafe\u0301 и\u0306</p>".encode(), name)
    assert "café й" in document.text
    assert unicodedata.is_normalized("NFC", document.text)


@given(st.text(st.characters() | st.sampled_from("\r\n\x00\ufeffe\u0301")))
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert "\r" not in once
    assert "\x00" not in once


def test_terminal_colours_in_a_log_are_text() -> None:
    assert "warning" in load_bytes(b"\x1b[33mwarning\x1b[0m: fog\n\x0c\n", "a.log").text


# HTML -------------------------------------------------------------------------------------------------------


def html(body: str, head: str = "") -> Document:
    return load_bytes(f"<!doctype html><html><head>{head}</head><body>{body}</body></html>".encode(), "page-one.html")


@pytest.mark.parametrize(
    "clutter",
    [
        "<script>clutter</script>", "<style>clutter</style>", "<noscript>clutter</noscript>",
        "<nav>clutter</nav>", "<ul role='navigation'><li>clutter</li></ul>", "<p hidden>clutter</p>",
        "<div aria-hidden='true'>clutter</div>", "<!-- clutter -->", "<template>clutter</template>",
        "<footer>clutter</footer>",
    ],
)  # fmt: skip
def test_what_no_reader_reads_is_dropped(clutter: str) -> None:
    text = html(f"<h1>Fog</h1>{clutter}<p>It is dense.</p>").text
    assert text == "# Fog\n\nIt is dense."


def test_headings_and_tables_survive() -> None:
    document = html(
        "<h1>Fog</h1><h2>Data</h2><table><tr><th>Mass</th><th>Range</th></tr>"
        "<tr><td>3.4 kg</td><td>8 m</td></tr></table>"
    )
    assert headings(document) == [("Fog", "Data")]
    assert "| Mass | Range |" in document.text
    assert "| 3.4 kg | 8 m |" in document.text


def test_two_articles_are_both_read() -> None:
    text = html("<article><p>one</p></article><article><p>two</p></article>").text
    assert text == "one\n\ntwo"


def test_a_page_without_body_tag_is_read() -> None:
    assert load_bytes(b"<!doctype html><title>T</title><p>bare", "a.html").text == "bare"


@pytest.mark.parametrize("name", ["a.html", "a.txt", "a"])
def test_html_is_known_by_its_content(name: str) -> None:
    assert load_bytes(b"\n<!DOCTYPE html><html><body><p>x</p></body></html>", name).media_type == "text/html"


@pytest.mark.parametrize("encoding", ["windows-1251", "koi8-r", "utf-8"])
def test_the_meta_tag_names_the_encoding(encoding: str) -> None:
    page = f'<html><head><meta charset="{encoding}"><title>Туман</title></head><body><p>Датчик</p></body></html>'
    document = load_bytes(page.encode(encoding), "a.html")
    assert (document.title, document.text) == ("Туман", "Датчик")


def test_the_title_tag_is_the_title_and_the_file_name_the_last_resort() -> None:
    assert html("<h1>Fog</h1><p>x</p>", "<title>Sheet 7</title>").title == "Sheet 7"
    assert html("<p>x</p>").title == "page one"


@pytest.mark.parametrize("text", ["The mast is 31 metres tall.", "Height: 31 metres"])
def test_text_between_two_horizontal_rules_is_read(text: str) -> None:
    document = html(f"<hr><p>{text}</p><hr><p>The end.</p>")
    assert "31 metres" in "".join(section_texts(document))


def test_a_paragraph_that_begins_with_a_hash_is_no_heading() -> None:
    assert headings(html("<h1>Fog</h1><p># 4 on the list</p>")) == [("Fog",)]


@pytest.mark.parametrize("text", ["http://example.com/fog", "fog.txt"])
def test_a_page_that_looks_like_an_address_is_read_in_silence(text: str) -> None:
    assert load_bytes(text.encode(), "a.html").text.strip() == text


# PDF --------------------------------------------------------------------------------------------------------


def pdf(*pages: str, title: str = "", password: str = "") -> bytes:
    made = FPDF()
    made.set_font("helvetica", size=12)
    if title:
        made.set_title(title)
    if password:
        made.set_encryption(owner_password="owner", user_password=password)
    for page in pages:
        made.add_page()
        if page:
            made.multi_cell(0, text=page)
    return bytes(made.output())


def test_pdf_pages_become_sections() -> None:
    document = load_bytes(pdf("First page.", "", "Third page.", title="Field manual"), "a.pdf")
    assert (document.title, document.pages, document.media_type) == ("Field manual", 3, "application/pdf")
    assert [(s.page, document.text[s.start : s.end]) for s in document.sections] == [
        (1, "First page."),
        (3, "Third page."),
    ]


def test_the_pages_of_a_scan_are_noted_and_blank_ones_are_not() -> None:
    made = FPDF()
    made.set_font("helvetica", size=12)
    for drawn in ("text", "picture", "picture", "nothing", "picture", "text"):
        made.add_page()
        if drawn == "text":
            made.multi_cell(0, text="Signed in Nordby.")
        elif drawn == "picture":
            made.image(Image.new("L", (40, 40), 128), w=100)
    (note,) = load_bytes(bytes(made.output()), "a.pdf", ocr=NO_OCR).notes
    assert (note.kind, note.place) == ("pages_without_text", "pages 2-3, 5")
    assert (note.text, note.remedy) == ("pages 2-3, 5 of 6 have no text", "set parsing.ocr to auto")
    assert load_bytes(pdf("Words.", ""), "a.pdf").notes == ()


def test_a_pdf_without_title_is_called_after_its_file() -> None:
    assert load_bytes(pdf("x"), "docs/field-manual.pdf").title == "field manual"


def test_a_pdf_under_another_name_is_read_as_one() -> None:
    assert load_bytes(pdf("Hello there."), "letter.txt").text == "Hello there."


def test_a_text_called_pdf_is_read_as_text() -> None:
    assert load_bytes(b"Hello there.", "letter.pdf").media_type == "text/plain"


# The documents that ship with the project -------------------------------------------------------------------

EXAMPLES = Path(__file__).parents[3] / "examples"
ANSWERED = [
    row
    for row in map(json.loads, (EXAMPLES / "questions.jsonl").read_text(encoding="utf-8").splitlines())
    if row["source"]
]


@pytest.mark.parametrize("row", ANSWERED, ids=lambda row: row["id"])
def test_an_answer_to_every_example_question_is_in_its_document(row: dict[str, Any]) -> None:
    path = EXAMPLES.parent / row["source"]
    document = load_bytes(path.read_bytes(), row["source"])
    places = [s for s in document.sections if s.page == row.get("page", s.page)]
    text = " ".join(" ".join(document.text[s.start : s.end] for s in places).split())
    assert any(answer in text for answer in row["answers"])


# Refusals ---------------------------------------------------------------------------------------------------

_PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"", "a.md", "empty"),
        (b" \n\t\r\n", "a.txt", "empty"),
        (b"\xef\xbb\xbf \n", "a.txt", "no text"),
        ("\ufeff  \n".encode("utf-16-le"), "a.txt", "no text"),
        (b"<html><body><script>x()</script></body></html>", "a.html", "no text"),
        (_PNG, "picture.txt", "broken"),
        (b"\x7fELF" + bytes(2000), "a.md", "program"),
        (pdf("secret", password="sesame"), "a.pdf", "encrypted"),
        (pdf("half of it", "more")[:200], "a.pdf", "broken"),
        (b"%PDF-1.7\nnothing of the kind", "a.pdf", "broken"),
        (pdf("", ""), "a.pdf", "no text"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_a_reason_and_a_remedy(data: bytes, name: str, reason: str) -> None:
    with pytest.raises(DocumentError) as caught:
        load_bytes(data, name)
    assert caught.value.reason == reason
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.MD", "text/markdown"),
        ("a.markdown", "text/markdown"),
        ("a.htm", "text/html"),
        ("a.rst", "text/x-rst"),
        ("README", "text/plain"),
    ],
)
def test_the_ending_decides_where_the_content_does_not(name: str, media_type: str) -> None:
    assert sniff(b"just words", name) == media_type


def test_a_broken_pdf_is_reported_in_plain_words() -> None:
    with pytest.raises(DocumentError) as refused:
        load_bytes(b"%PDF-1.7\nand then nothing", "a.pdf")
    assert refused.value.message == "the PDF cannot be opened: Data format error"
