"""Files made to hurt: they are refused, or read, within the limits, and the next file is read as if nothing were."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator

import pytest
from format_samples import SAMPLES

from rag.errors import DocumentError
from rag.ingestion.loaders import load_bytes
from rag.ingestion.loaders.limits import MIB, Bounds
from rag.ingestion.loaders.zip_safety import check_package
from rag.ingestion.sandbox import Limits, ParserPool
from rag.types import Document


@pytest.fixture(scope="module")
def pool() -> Iterator[ParserPool]:
    with ParserPool(1, Limits(cpu_seconds=60, wall_seconds=90.0)) as made:
        yield made


def read(pool: ParserPool, data: bytes, name: str) -> Document | DocumentError:
    (result,) = (found for _, found in pool.parse_all([(name, data)]))
    if isinstance(result, DocumentError):
        assert result.message
        assert result.remedy
    assert pool.parse(b"# Next\n\nwords\n", "next.md").title == "Next"
    return result


def refused(pool: ParserPool, data: bytes, name: str) -> DocumentError:
    result = read(pool, data, name)
    assert isinstance(result, DocumentError)
    return result


def package(content: bytes, members: int = 1, kind: str = "word/document.xml") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("[Content_Types].xml", "<Types/>")
        zipped.writestr(kind, content)
        for n in range(1, members):
            zipped.writestr(f"word/{n}.xml", content)
    return made.getvalue()


# Packages ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["word/document.xml", "ppt/presentation.xml", "xl/workbook.xml"])
def test_a_package_that_unpacks_to_far_more_is_a_bomb(pool: ParserPool, kind: str) -> None:
    error = refused(pool, package(bytes(50 * MIB), kind=kind), "a.docx")
    assert (error.reason, error.message) == ("bomb", "it unpacks to more than 200 times its size")


def test_a_package_of_many_members_is_a_bomb() -> None:
    with pytest.raises(DocumentError, match=r"contains 12 members; at most 10 are allowed"):
        check_package(package(b"<a/>", members=11), Bounds(entries=10))


def test_a_package_may_not_unpack_to_more_than_the_limit() -> None:
    with pytest.raises(DocumentError, match=r"unpacks to more than 1 MiB"):
        check_package(package(bytes(2 * MIB)), Bounds(unpacked_mb=1, ratio=10_000))


@pytest.mark.parametrize("declared", [10, 0, 0xFFFFFFF0])
def test_a_declared_size_that_lies_is_found_out(pool: ParserPool, declared: int) -> None:
    lying = bytearray(package(bytes(50 * MIB)))
    for magic, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = lying.find(magic, lying.find(b"word/document.xml") - 60 if magic == b"PK\x03\x04" else lying.rfind(magic))
        struct.pack_into("<I", lying, at + offset, declared)
    assert refused(pool, bytes(lying), "a.docx").reason in {"bomb", "broken"}


def test_overlapping_members_are_refused(pool: ParserPool) -> None:
    """Many entries of the directory over one packed stretch: small, and without end when unpacked."""
    sound = package(bytes(MIB))
    begin = sound.rfind(b"PK\x01\x02")
    end = sound.rfind(b"PK\x05\x06")
    entry = sound[begin:end]
    many = bytearray(sound[:begin] + entry * 3000 + sound[end:])
    at = many.rfind(b"PK\x05\x06")
    struct.pack_into("<HHI", many, at + 8, 3001, 3001, at - sound.find(b"PK\x01\x02"))
    assert refused(pool, bytes(many), "a.docx").reason in {"bomb", "broken"}


# Markup -----------------------------------------------------------------------------------------------------

LAUGHS = b"<!DOCTYPE a [<!ENTITY a0 'ha'>" + b"".join(
    b"<!ENTITY a%d '%s'>" % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10)
)
XML_BOMBS = {
    "laughs": b'<?xml version="1.0"?>' + LAUGHS + b"]><a>&a9;</a>",
    "stranger's file": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
}


@pytest.mark.parametrize("data", XML_BOMBS.values(), ids=XML_BOMBS)
def test_entities_are_refused(pool: ParserPool, data: bytes) -> None:
    assert refused(pool, data, "a.xml").reason == "entities"
    assert refused(pool, package(data), "a.docx").reason == "entities"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.xml", b"<?xml version='1.0'?>" + b"<a>" * 100_000 + b"x" + b"</a>" * 100_000),
        ("a.json", b"[" * 100_000 + b"1" + b"]" * 100_000),
        ("b.json", b'{"a":' * 900 + b"1" + b"}" * 900),
        ("a.html", b"<html>" + b"<div>" * 50_000 + b"words"),
        ("b.html", b"<html>" + b"<table><tr><td>" * 3_000 + b"words"),
        ("a.md", b"> " * 50_000 + b"words"),
        ("a.rst", b"".join(b"  " * n + b"- words\n\n" for n in range(500))),
        ("a.tex", b"\\documentclass{a}" + b"{" * 20_000 + b"words" + b"}" * 20_000),
        ("a.eml", b"MIME-Version: 1.0\nFrom: a@b.c\nMessage-ID: <1>\nContent-Type: message/rfc822\n\n" * 2_000),
        ("a.py", b"(" * 100_000),
    ],
    ids=["xml", "json list", "json object", "html", "tables", "quotes", "rst", "latex", "mail", "code"],
)
def test_deep_nesting_is_read_or_refused(pool: ParserPool, name: str, data: bytes) -> None:
    read(pool, data, name)


@pytest.mark.torture
@pytest.mark.parametrize("name", [n for n in SAMPLES if n.endswith((".txt", ".md", ".csv", ".rst", ".tex", ".html"))])
def test_a_line_of_twenty_megabytes(pool: ParserPool, name: str) -> None:
    read(pool, b"words and numbers 12, 34; " * 800_000, name)


@pytest.mark.slow
def test_a_line_of_twenty_megabytes_of_text(pool: ParserPool) -> None:
    for name in ("a.txt", "a.csv"):
        document = read(pool, b"words and numbers 12; " * 900_000, name)
        assert isinstance(document, Document)


def test_a_json_text_of_twenty_megabytes(pool: ParserPool) -> None:
    document = read(pool, b'{"text": "' + b"words " * 3_400_000 + b'"}', "a.json")
    assert isinstance(document, Document)


# PDF --------------------------------------------------------------------------------------------------------


def pdf(*objects: bytes) -> bytes:
    """Return a PDF of numbered objects, the first its catalogue."""
    made = bytearray(b"%PDF-1.7\n")
    places = []
    for n, body in enumerate(objects, start=1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (n, body)
    at = len(made)
    made += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    made += b"".join(b"%010d 00000 n \n" % place for place in places)
    return bytes(made + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, at))


CATALOGUE = b"<< /Type /Catalog /Pages 2 0 R >>"
PAGE = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>"
EVIL_PDFS = {
    "pages in a circle": pdf(CATALOGUE, b"<< /Type /Pages /Kids [2 0 R] /Count 5 >>"),
    "two in a circle": pdf(
        CATALOGUE, b"<< /Type /Pages /Kids [3 0 R] /Count 9 >>", b"<< /Type /Pages /Kids [2 0 R] /Count 9 >>"
    ),
    "a count that lies": pdf(CATALOGUE, b"<< /Type /Pages /Kids [3 0 R] /Count 1000000 >>", PAGE),
    "a million pages": pdf(CATALOGUE, b"<< /Type /Pages /Kids [%s] /Count 1000000 >>" % (b"3 0 R " * 1_000_000), PAGE),
    "deep": pdf(CATALOGUE, b"<< /Type /Pages /Kids [" + b"[" * 100_000 + b"] /Count 1 >>", PAGE),
    "deep tree": pdf(
        CATALOGUE, *(b"<< /Type /Pages /Kids [%d 0 R] /Count 1 >>" % n for n in range(3, 5_000)), PAGE
    ),
}  # fmt: skip


def test_pages_are_bounded() -> None:
    sound = SAMPLES["manual.pdf"]()
    with pytest.raises(DocumentError, match=r"has 2 pages; at most 1 are read"):
        load_bytes(sound, "a.pdf", Bounds(pages=1))
    assert load_bytes(sound, "a.pdf", Bounds(pages=2)).pages == 2


@pytest.mark.parametrize("data", EVIL_PDFS.values(), ids=EVIL_PDFS)
def test_pdfs_without_end_are_refused(pool: ParserPool, data: bytes) -> None:
    assert refused(pool, data, "a.pdf").reason in {"broken", "no text", "too large", "timeout", "memory", "crashed"}


# Sheets -----------------------------------------------------------------------------------------------------


def test_a_sheet_that_claims_to_be_endless_is_read(pool: ParserPool) -> None:
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(SAMPLES["accounts.xlsx"]())) as old,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            content = old.read(name)
            if name == "xl/worksheets/sheet2.xml":
                assert b'ref="A1:B2"' in content
                content = content.replace(b'ref="A1:B2"', b'ref="A1:XFD1048576"')
                content = content.replace(b'r="2"', b'r="1048576"').replace(b'"A2"', b'"A1048576"').replace(
                    b'"B2"', b'"XFD1048576"'
                )  # fmt: skip
            new.writestr(name, content)
    document = read(pool, made.getvalue(), "a.xlsx")
    assert isinstance(document, Document)
    assert "Aurora" in document.text
