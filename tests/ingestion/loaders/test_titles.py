"""Titles of office files: those in their properties, unless these say nothing."""

from __future__ import annotations

import io
import zipfile

import pytest
from format_samples import docx, odt, pptx, saved
from office_samples import odp, rtf

from rag.ingestion.loaders import load_bytes


def xlsx(title: str) -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    book.properties.title = title
    book.active.append(["Lease"])
    return saved(book)


def retitled(package: bytes, old: str, new: str) -> bytes:
    """Return a package with another text in all of its parts."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as source, zipfile.ZipFile(made, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(old.encode(), new.encode()))
    return made.getvalue()


def with_meta(package: bytes, title: str) -> bytes:
    made = io.BytesIO(package)
    with zipfile.ZipFile(made, "a") as target:
        dc = "http://purl.org/dc/elements/1.1/"
        target.writestr("meta.xml", f'<m xmlns:dc="{dc}"><dc:title>{title}</dc:title></m>')
    return made.getvalue()


@pytest.mark.parametrize("title", ["Harbour manual", "Untitled", "Microsoft Word - Dokument3.docx"])
@pytest.mark.parametrize("suffix", ["docx", "odt", "pptx", "xlsx", "odp", "rtf"])
def test_a_title_that_says_nothing_is_not_used(suffix: str, title: str) -> None:
    """The first heading is used instead, or the name of the file."""
    data = {
        "docx": lambda: docx(title),
        "odt": lambda: retitled(odt(), "Harbour manual", title),
        "pptx": lambda: retitled(pptx(), "Harbour talk", title),
        "xlsx": lambda: xlsx(title),
        "odp": lambda: with_meta(odp(), title),
        "rtf": lambda: rtf().replace(b"Harbour manual", title.encode()),
    }[suffix]()
    own = title == "Harbour manual"
    instead = {"xlsx": "leases 2031", "rtf": "leases 2031", "odt": "1. Leases"}.get(suffix, "Leases")
    assert load_bytes(data, f"leases-2031.{suffix}").title == (title if own else instead)
