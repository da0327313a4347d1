"""Every format: what is read of its structure, where its sections are, and how it is detected."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from format_samples import LEASE, ROWS, SAMPLES, assert_sound, docx, headings, odt, pptx, section_texts
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import DocumentError
from rag.ingestion.chunker import Chunker, ChunkerSettings
from rag.ingestion.loaders import load_bytes, sniff
from rag.types import Document


@cache
def read(name: str) -> Document:
    return load_bytes(SAMPLES[name](), name)


def table_rows(markdown: str) -> list[list[str]]:
    """Read a Markdown table back, without its rule."""
    lines = [line[2:-2] for line in markdown.splitlines() if line.startswith("| ")]
    rows = [[cell.replace(r"\|", "|") for cell in re.split(r"(?<!\\) \| ", line)] for line in lines]
    return [row for row in rows if set(row) != {"---"}]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_format_is_read_into_a_sound_document(name: str) -> None:
    assert_sound(read(name))


@pytest.mark.parametrize("name", SAMPLES)
def test_sections_cover_every_word_of_the_text(name: str) -> None:
    document = read(name)
    covered = "\n".join(section_texts(document))
    lines = [line for line in document.text.splitlines() if not line.startswith("# ")]  # a bare title lives in paths
    assert set("\n".join(lines).split()) <= set(covered.split())


# Structure --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["manual.docx", "manual.odt", "notes.rst", "notes.md"])
def test_headings_make_the_path(name: str) -> None:
    document = read(name)
    leases, prices = ("1. Leases", "1.1. Prices") if name.endswith(".odt") else ("Leases", "Prices")
    assert headings(document) == [(leases,), (leases, prices)]
    assert LEASE in section_texts(document)[0]
    assert "| Lamp | 19.90 |" in section_texts(document)[1]


@pytest.mark.parametrize("name", ["manual.docx", "manual.odt"])
def test_office_texts_keep_title_lists_and_cells_with_bars(name: str) -> None:
    document = read(name)
    assert document.title == "Harbour manual"
    assert "-  as of 2031".replace("  ", " ") in re.sub(" +", " ", document.text)
    assert r"| Horn \| fog | 250 |" in document.text


LONG_ROWS = [["Number", "Meaning"], *([str(n), f"the meaning of signal number {n}"] for n in range(60))]


@pytest.mark.parametrize("make", [docx, odt, pptx], ids=["docx", "odt", "pptx"])
def test_a_long_table_is_one_table_with_all_of_its_rows(make: Any) -> None:
    document = load_bytes(make(rows=LONG_ROWS), "table")
    assert document.text.count("| Number | Meaning |") == 1
    assert all(f"| {n} | the meaning of signal number {n} |" in document.text for n in range(60))


def test_a_word_document_without_a_title_is_called_by_its_first_heading() -> None:
    assert load_bytes(docx(title=""), "a.docx").title == "Leases"


def test_slides_are_pages() -> None:
    document = read("talk.pptx")
    assert (document.title, document.pages) == ("Harbour talk", 2)
    assert [(s.page, s.headings) for s in document.sections] == [(1, ("Leases",)), (2, ("Prices",))]
    one, two = section_texts(document)
    assert LEASE in one
    assert "Notes: Mention the deposit." in one
    assert table_rows(two.partition("\n\n|  |")[0]) == ROWS
    assert "| 2031 | 15.5 |" in two, "the chart's figures"


def test_a_sheet_is_a_table_with_its_rows_named() -> None:
    document = read("accounts.xlsx")
    assert document.title == "Harbour accounts"
    assert headings(document) == [("Rents", "rows 4-6"), ("Ships", "row 2")]
    title, table = section_texts(document)[0].split("\n\n")
    assert title == "Rents of 2031"
    assert table_rows(table) == [
        ["Place", "Rent", "Since", "Share"],
        ["Pier 1", "4200.5", "2031-01-01", "12.5%"],
        ["Pier 2", "4201.5", "2031-01-02", "12.5%"],
        ["Pier 3", "4202.5", "2031-01-03", "12.5%"],
    ]


def test_rows_are_numbered_as_a_spreadsheet_numbers_them() -> None:
    document = load_bytes(b"a;b\n\n1;2\n\n3;4\n", "a.csv")
    assert headings(document) == [("rows 3-5",)]
    assert headings(load_bytes(b"only;a;row\n", "a.csv")) == [("row 1",)]


def test_chapters_come_in_reading_order_below_their_names() -> None:
    document = read("book.epub")
    assert document.title == "The Harbour"
    assert headings(document) == [("Leases",), ("Two",)]
    assert LEASE in section_texts(document)[0]


def test_a_message_is_read_with_its_attachments() -> None:
    document = read("letter.eml")
    subject = "Leases – a question"
    assert document.title == subject
    assert [(s.page, s.headings) for s in document.sections] == [
        (None, (subject,)),
        (1, (subject, "attachment manual.pdf")),
        (2, (subject, "attachment manual.pdf")),
        (None, (subject, "attachment ships.csv", "row 2")),
        (None, (subject, "attachment pier.png")),
    ]
    first, *_, last = section_texts(document)
    assert "From: Ann Lee <ann@example.org>" in first
    assert LEASE in first
    assert "(in HTML)" not in document.text
    assert "pier.png was not read" in last


def test_a_saved_page_is_read_as_a_page() -> None:
    document = read("page.mhtml")
    assert (document.title, headings(document)) == ("Harbour", [("Leases",)])


def test_cells_stand_below_the_headings_before_them() -> None:
    document = read("tides.ipynb")
    assert headings(document) == [
        ("Tides", "cell 1"), ("Tides", "Mean", "cell 3"), ("Tides", "Mean", "cell 4"),
    ]  # fmt: skip
    code, error = section_texts(document)[1:]
    assert code == "```python\nheights.mean()\n```\n\n```\n3.25\n```"
    assert "ZeroDivisionError: division by zero" in error
    assert "iVBOR" not in document.text


def test_restructured_text_keeps_what_only_sphinx_understands() -> None:
    text = read("notes.rst").text
    for words in ("Paid in advance, see the deposit.", "2.0", "It became dearer.", "price = 19.90"):
        assert words in text
    for dropped in (":ref:", "::", "System Message"):
        assert dropped not in text


def test_restructured_text_includes_no_file() -> None:
    secret = (
        ".. include:: /etc/passwd\n\n.. raw:: html\n   :file: /etc/passwd\n\n.. csv-table::\n   :file: /etc/passwd\n"
    )
    assert "root:" not in load_bytes(f"Title\n=====\n\n{secret}\nwords\n".encode(), "a.rst").text


def test_latex_becomes_markdown() -> None:
    document = read("paper.tex")
    assert document.title == "The Harbour"
    assert headings(document) == [("The Harbour", "Leases"), ("The Harbour", "Leases", "Prices")]
    one, two = section_texts(document)
    assert LEASE in one
    assert "[lee2031]" in one
    assert "$E = mc^2$" in two
    assert "| Horn | 250 |" in two
    assert "```\n# not a heading\n```" in two
    assert "nobody reads" not in document.text


def test_json_keeps_names_and_numbers_as_written() -> None:
    document = load_bytes(b'{"lease": {"rent": 4200.50, "id": 9007199254740993, "big": 1e400}, "open": true}', "a.json")
    assert document.text == "lease:\n  rent: 4200.50\n  id: 9007199254740993\n  big: 1e400\nopen: true"


def test_large_json_is_split_below_the_path_of_its_keys() -> None:
    data = {"harbour": {"piers": [{"name": f"Pier {n}", "notes": ["x" * 60] * n} for n in range(30)]}}
    document = load_bytes(json.dumps(data).encode(), "a.json")
    assert_sound(document)
    assert all(path[:2] == ("harbour", "piers") for path in headings(document))
    assert ("harbour", "piers", "Pier 29") in headings(document)


def test_like_records_are_a_table() -> None:
    records = [{"ship": f"S{n}", "tons": n} for n in range(3)]
    document = load_bytes(json.dumps({"fleet": records}).encode(), "a.json")
    assert "| ship | tons |\n| --- | --- |\n| S0 | 0 |" in document.text
    lines = load_bytes("\n".join(map(json.dumps, records)).encode(), "a.jsonl")
    assert table_rows(lines.text) == [["ship", "tons"], ["S0", "0"], ["S1", "1"], ["S2", "2"]]


def test_xml_keeps_elements_and_flowing_text() -> None:
    document = read("manual.xml")
    assert document.title == "The Harbour"
    assert f"para: {LEASE}" in document.text
    assert "tons: 1200" in document.text


def test_subtitles_are_headed_by_their_times() -> None:
    assert headings(read("talk.srt")) == [("00:00:01-00:01:09",)]
    assert section_texts(read("talk.srt")) == ["The warehouse costs 4,200 EUR.\nSo much!"]
    assert section_texts(read("talk.vtt")) == ["Ann: The warehouse costs 4,200 EUR.\nSo much!"]


def test_source_code_is_left_as_it_is_and_names_its_language() -> None:
    document = read("price.py")
    assert (document.media_type, document.title) == ("text/x-python", "price.py")
    assert document.text == SAMPLES["price.py"]().decode()


# Inverses ---------------------------------------------------------------------------------------------------

_CELL = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="\\\u0340\u0341"), min_size=1, max_size=8
)
_TABLE = st.integers(2, 5).flatmap(
    lambda width: st.lists(st.lists(_CELL, min_size=width, max_size=width), min_size=2, max_size=40)
)


@pytest.mark.slow
@given(_TABLE, st.sampled_from(",;\t|"))
def test_every_cell_of_a_table_is_in_the_text(rows: list[list[str]], delimiter: str) -> None:
    from rag.ingestion.loaders.csv_data import delimiter_of
    from rag.ingestion.loaders.text import normalise

    made = io.StringIO()
    csv.writer(made, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)
    if delimiter_of(made.getvalue()) != delimiter:
        return  # cells that look like another table
    document = load_bytes(made.getvalue().encode(), "a.csv")
    expected = [normalise(cell) for row in rows for cell in row]
    assert all(cell.replace("|", r"\|") in document.text for cell in expected)


_SCALAR = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=10)
_JSON = st.recursive(_SCALAR, lambda below: st.lists(below, max_size=4) | st.dictionaries(_SCALAR, below, max_size=4))


def leaves(value: object) -> list[str]:
    if isinstance(value, dict):
        return [leaf for below in value.values() for leaf in leaves(below)]
    if isinstance(value, list):
        return [leaf for below in value for leaf in leaves(below)]
    return [str(value)]


@pytest.mark.slow
@given(st.dictionaries(_SCALAR, _JSON, min_size=1, max_size=5))
def test_every_value_of_json_is_in_the_text(value: Any) -> None:
    from rag.ingestion.loaders.text import normalise

    document = load_bytes(json.dumps(value).encode(), "a.json")
    assert all(normalise(leaf) in document.text for leaf in leaves(value))


# Known by content -------------------------------------------------------------------------------------------

TOLD_BY_CONTENT = [
    name for name in SAMPLES if not name.endswith((".md", ".rst", ".txt", ".csv", ".tsv", ".py"))
]  # fmt: skip


@pytest.mark.parametrize("name", TOLD_BY_CONTENT)
@pytest.mark.parametrize("called", ["file", "file.txt", "file.csv"])
def test_the_content_tells_what_a_file_is(name: str, called: str) -> None:
    assert sniff(SAMPLES[name](), called) == sniff(SAMPLES[name](), name)


@pytest.mark.parametrize("suffix", ["docx", "pptx", "xlsx", "odt", "epub", "pdf", "json", "xml", "srt", "vtt", "ipynb"])
def test_a_text_under_another_name_is_a_text(suffix: str) -> None:
    document = load_bytes(LEASE.encode(), f"letter.{suffix}")
    assert (document.media_type, document.text) == ("text/plain", LEASE)
    (note,) = document.notes
    assert (note.kind, note.text.endswith("and was read as plain text")) == ("read_as_plain_text", True)


@pytest.mark.parametrize(
    ("data", "name", "media_type"),
    [
        (b'{"a": 1, /* a comment */ "b": 2}', "tsconfig.json", "text/plain"),
        (b'{"a": 1}\n{"a": 2}\n', "a.json", "application/jsonl"),
        (b"[link](x.md) and more", "a.md", "text/markdown"),
        (b"[section]\nkey = 1\n", "a.ini", "text/x-code"),
        (b"#!/bin/sh\necho hello\n", "install", "text/x-code"),
        (b"# A heading\n", "README", "text/plain"),
        (b"<?xml version='1.0'?><!DOCTYPE html><html><body/></html>", "a.xml", "text/html"),
        ('<?xml version="1.0" encoding="utf-16"?><a>b</a>'.encode("utf-16"), "a", "application/xml"),
        (b"Subject: minutes\n\nWe met.", "a.txt", "text/plain"),
        (b"Subject: minutes\n\nWe met.", "a.eml", "message/rfc822"),
    ],
)  # fmt: skip
def test_the_name_helps_where_the_content_leaves_it_open(data: bytes, name: str, media_type: str) -> None:
    assert sniff(data, name) == media_type


@pytest.mark.parametrize(
    ("first", "language"),
    [
        ("#!/usr/bin/python3 -u", "python"),
        ("#!/usr/bin/env -S node --harmony", "js"),
        ("#!/bin/bash", "shell"),
        ("#!/usr/bin/awk -f", "code"),
        ("#!", "code"),
    ],
)
def test_a_first_line_names_the_program(first: str, language: str) -> None:
    assert load_bytes(f"{first}\nwords\n".encode(), "run").media_type == f"text/x-{language}"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("name", ["talk.srt", "talk.vtt", "lease.json", "ships.jsonl", "prices.csv", "paper.tex"])
def test_formats_of_text_may_be_in_any_unicode(name: str, encoding: str) -> None:
    bom = b"\x00\x00\xfe\xff" if encoding == "utf-32-be" else b""
    data = bom + SAMPLES[name]().decode().encode(encoding)
    assert load_bytes(data, name) == read(name)


def test_a_script_without_an_ending_names_its_language() -> None:
    assert load_bytes(b"#!/usr/bin/env python3\nprint(1)\n", "install").media_type == "text/x-python"
    assert load_bytes(b"#!/bin/sh\necho\n", "install").media_type == "text/x-shell"


def _archive(kind: str) -> bytes:
    import bz2
    import gzip
    import lzma
    import tarfile
    import zipfile

    stream = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(stream, "w") as made:
            made.writestr("a.txt", LEASE)
        return stream.getvalue()
    if kind == "tar":
        with tarfile.open(fileobj=stream, mode="w") as tape:
            tape.addfile(tarfile.TarInfo("a.txt"))
        return stream.getvalue()
    if kind == "7z":
        return b"7z\xbc\xaf\x27\x1c" + bytes(99)
    return {"gz": gzip, "bz2": bz2, "xz": lzma}[kind].compress(LEASE.encode())


@pytest.mark.parametrize("kind", ["zip", "tar", "gz", "bz2", "xz", "7z"])
@pytest.mark.parametrize("name", ["letters.zip", "letters.docx"])
def test_archives_are_not_opened(kind: str, name: str) -> None:
    with pytest.raises(DocumentError) as refused:
        load_bytes(_archive(kind), name)
    assert (refused.value.reason, bool(refused.value.remedy)) == ("archive", True)


# What chunking makes of it ----------------------------------------------------------------------------------


class Words:
    """Counts words, and two special tokens."""

    max_tokens = 60

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) + 2 for text in texts]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_document_can_be_chunked(name: str) -> None:
    document = read(name)
    chunks = Chunker(Words(), ChunkerSettings(size=20, overlap=4)).chunk(document)
    assert chunks
    assert all(document.text[chunk.start : chunk.end] == chunk.text for chunk in chunks)


@pytest.mark.parametrize(
    ("name", "begin"), [("a.py", "def name_{}():"), ("a.go", "func name{}() {{"), ("a.css", "p{} {{")]
)
def test_chunks_of_code_begin_where_definitions_do(name: str, begin: str) -> None:
    bodies = "\n".join(f"    total = total + {n} # and so on, and so on" for n in range(2))
    text = "\n\n".join(f"{begin.format(n)}\n{bodies}\n" for n in range(12))
    document = load_bytes(text.encode(), name)
    chunks = Chunker(Words(), ChunkerSettings(size=30, overlap=0)).chunk(document)
    first_words = begin.partition("{")[0]
    assert len(chunks) >= 6
    assert all(chunk.text.startswith(first_words) for chunk in chunks)


def test_latex_that_ends_too_early_is_read_as_far_as_it_goes() -> None:
    data = b"\\documentclass{a}\\begin{document}Some words\\begin{verbatim}code"
    assert "Some words" in load_bytes(data, "a.tex").text


def test_subtitles_with_a_wrong_time_are_read_as_text() -> None:
    document = load_bytes(b"WEBVTT\n\n00:99:99.000 --> 00:00:xx\nwords\n", "a.vtt")
    assert "words" in document.text
