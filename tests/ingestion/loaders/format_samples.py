"""A small sound file of every format, made by the library that owns the format wherever there is one."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from email.message import EmailMessage
from itertools import pairwise

from fpdf import FPDF
from office_samples import msg, odp, ods, rtf, xls, xlsb

from rag.types import Document

LEASE = "The warehouse at Pier 4 costs 4,200 EUR a month."
ROWS = [["Item", "Price"], ["Lamp", "19.90"], ["Horn | fog", "250"]]


def docx(title: str = "Harbour manual", rows: list[list[str]] = ROWS) -> bytes:
    import docx as word

    document = word.Document()
    document.core_properties.title = title
    document.add_heading("Leases", 1)
    document.add_paragraph(LEASE)
    document.add_heading("Prices", 2)
    document.add_paragraph("as of 2031", style="List Bullet")
    table = document.add_table(len(rows), len(rows[0]))
    for row, texts in zip(table.rows, rows, strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    return saved(document)


def odt(rows: list[list[str]] = ROWS) -> bytes:
    from odfdo import Document as OpenDocument
    from odfdo import Header, List, Paragraph, Table

    document = OpenDocument("text")
    document.body.clear()
    document.meta.title = "Harbour manual"
    table = Table("prices")
    table.set_values(rows)
    for part in (Header(1, "Leases"), Paragraph(LEASE), Header(2, "Prices"), List(["as of 2031"]), table):
        document.body.append(part)
    return saved(document)


def pptx(rows: list[list[str]] = ROWS) -> bytes:
    from pptx import Presentation
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE
    from pptx.util import Inches

    made = Presentation()
    made.core_properties.title = "Harbour talk"
    one = made.slides.add_slide(made.slide_layouts[1])
    one.shapes.title.text = "Leases"
    one.placeholders[1].text_frame.text = LEASE
    one.notes_slide.notes_text_frame.text = "Mention the deposit."
    two = made.slides.add_slide(made.slide_layouts[5])
    two.shapes.title.text = "Prices"
    box = [Inches(n) for n in (1, 2, 6, 2)]
    table = two.shapes.add_table(len(rows), len(rows[0]), *box).table
    for n, row in enumerate(rows):
        for m, text in enumerate(row):
            table.cell(n, m).text = text
    chart = CategoryChartData()
    chart.categories = ["2030", "2031"]
    chart.add_series("Ships", (12, 15.5))
    two.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *box, chart)
    return saved(made)


def xlsx(rows: int = 3) -> bytes:
    from datetime import date

    from openpyxl import Workbook

    book = Workbook()
    book.properties.title = "Harbour accounts"
    sheet = book.active
    sheet.title = "Rents"
    sheet.append(["Rents of 2031"])
    sheet.append([])
    sheet.append(["Place", "Rent", "Since", "Share"])
    for n in range(rows):
        sheet.append([f"Pier {n + 1}", 4200.5 + n, date(2031, 1, n % 28 + 1), 0.125])
        sheet.cell(sheet.max_row, 4).number_format = "0.0%"
    other = book.create_sheet("Ships")
    other.append(["Name", "Tons"])
    other.append(["Aurora", 1200])
    return saved(book)


def epub() -> bytes:
    made = io.BytesIO()
    page = "<html xmlns='http://www.w3.org/1999/xhtml'><head><title>x</title></head><body>{}</body></html>"
    with zipfile.ZipFile(made, "w") as package:
        package.writestr("mimetype", "application/epub+zip")
        package.writestr(
            "META-INF/container.xml",
            "<container xmlns='urn:oasis:names:tc:opendocument:xmlns:container'><rootfiles>"
            "<rootfile full-path='OEBPS/book.opf' media-type='application/oebps-package+xml'/></rootfiles></container>",
        )
        package.writestr(
            "OEBPS/book.opf",
            "<package xmlns='http://www.idpf.org/2007/opf'><metadata xmlns:dc='http://purl.org/dc/elements/1.1/'>"
            "<dc:title>The Harbour</dc:title></metadata><manifest>"
            "<item id='n' href='nav.xhtml' media-type='application/xhtml+xml' properties='nav'/>"
            "<item id='b' href='text/two%20b.xhtml' media-type='application/xhtml+xml'/>"
            "<item id='a' href='text/one.xhtml' media-type='application/xhtml+xml'/></manifest>"
            "<spine><itemref idref='a'/><itemref idref='b'/></spine></package>",
        )
        package.writestr(
            "OEBPS/nav.xhtml",
            page.format("<nav><ol><li><a href='text/one.xhtml'>One</a></li>"
                        "<li><a href='text/two%20b.xhtml#top'>Two</a></li></ol></nav>"),
        )  # fmt: skip
        package.writestr("OEBPS/text/one.xhtml", page.format(f"<h1>Leases</h1><p>{LEASE}</p>"))
        package.writestr("OEBPS/text/two b.xhtml", page.format("<p>The horn sounds at dusk.</p>"))
    return made.getvalue()


def pdf() -> bytes:
    made = FPDF()
    made.set_font("helvetica", size=12)
    made.set_title("Harbour manual")
    for text in (LEASE, "The horn sounds at dusk."):
        made.add_page()
        made.multi_cell(0, text=text)
    return bytes(made.output())


def html() -> bytes:
    return f"<!doctype html><html><body><h1>Leases</h1><p>{LEASE}</p></body></html>".encode()


def mhtml() -> bytes:
    return (
        b"From: <Saved by Blink>\r\nSnapshot-Content-Location: https://example.org/\r\nSubject: Harbour\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: multipart/related; type=\"text/html\"; boundary=\"b\"\r\n\r\n\r\n"
        b"--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        + html().replace(b"=", b"=3D")
        + b"\r\n--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--b--\r\n"
    )  # fmt: skip


def mail() -> bytes:
    message = EmailMessage()
    message["From"] = "Ann Lee <ann@example.org>"
    message["To"] = "bo@example.org"
    message["Date"] = "Mon, 03 Mar 2031 10:00:00 +0000"
    message["Message-ID"] = "<1@example.org>"
    message["Subject"] = "Leases – a question"
    message.set_content(LEASE)
    message.add_alternative(f"<p>{LEASE} (in HTML)</p>", subtype="html")
    message.add_attachment(pdf(), maintype="application", subtype="pdf", filename="manual.pdf")
    message.add_attachment(b"Name,Tons\nAurora,1200\n", maintype="text", subtype="csv", filename="ships.csv")
    message.add_attachment(b"\x89PNG\r\n\x1a\n" + bytes(99), maintype="image", subtype="png", filename="pier.png")
    return bytes(message)


def notebook() -> bytes:
    cells = [
        {"cell_type": "markdown", "source": ["# Tides\n", "\n", "Measured at the pier."]},
        {"cell_type": "markdown", "source": "## Mean"},
        {
            "cell_type": "code",
            "source": "heights.mean()",
            "outputs": [
                {"output_type": "execute_result", "data": {"text/plain": ["3.25"], "image/png": "iVBORw0KGgo="}}
            ],
        },
        {
            "cell_type": "code",
            "source": "1/0",
            "outputs": [{"ename": "ZeroDivisionError", "evalue": "division by zero"}],
        },
    ]
    about = {"language_info": {"name": "python"}}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": about, "cells": cells}).encode()


RST = f"""\
Leases
======

{LEASE}

.. note:: Paid in advance, see :ref:`the deposit <deposit>`.

Prices
------

.. versionchanged:: 2.0
   It became dearer.

.. code-block:: python
   :caption: a price

   price = 19.90

====  =====
Item  Price
====  =====
Lamp  19.90
====  =====
"""

LATEX_LEASE = LEASE.replace("4,200 EUR", r"\textbf{4,200~EUR}")
LATEX = rf"""\documentclass{{article}}
% a comment nobody reads
\title{{The Harbour}}
\begin{{document}}
\maketitle
\section{{Leases}}
{LATEX_LEASE} See \cite{{lee2031}}.
\subsection{{Prices}}
\begin{{itemize}}
\item as of 2031
\item $E = mc^2$
\end{{itemize}}
\begin{{tabular}}{{ll}}
\hline
Item & Price \\
\hline
Lamp & 19.90 \\
Horn & 250 \\
\end{{tabular}}
\begin{{verbatim}}
# not a heading
\end{{verbatim}}
\end{{document}}
"""

XML = f"""<?xml version="1.0"?>
<manual xmlns="urn:x"><title>The Harbour</title>
<section id="leases"><para>{LEASE.replace("4,200 EUR", "<b>4,200 EUR</b>")}</para></section>
<ship name="Aurora"><tons>1200</tons></ship></manual>
"""

JSON = json.dumps(
    {"lease": {"place": "Pier 4", "rent": 4200.50, "notes": [LEASE, "Paid in advance."]}, "open": True, "none": None}
)
JSONL = '{"name": "Aurora", "crew": ["Ann", "Bo"]}\n{"name": "Borealis", "tons": 900}\n'
SRT = """\
1
00:00:01,000 --> 00:00:04,000
The <i>warehouse</i> costs
4,200 EUR.

2
00:01:05,500 --> 00:01:09,000
So much!
"""
VTT = """\
WEBVTT

00:01.000 --> 00:04.000
<v Ann>The warehouse costs 4,200 EUR.

00:00:05.000 --> 00:00:06.000
So much!
"""
CSV = 'Item,Price\nLamp,19.90\n"Horn, fog",250\n'
PYTHON = '#!/usr/bin/env python3\n"""Prices."""\n\n\nclass Price:\n    def net(self) -> float:\n        return 19.90\n'
MARKDOWN = f"# Leases\n\n{LEASE}\n\n## Prices\n\n| Item | Price |\n|---|---|\n| Lamp | 19.90 |\n"

SAMPLES: dict[str, Callable[[], bytes]] = {
    "manual.docx": docx,
    "manual.odt": odt,
    "talk.pptx": pptx,
    "accounts.xlsx": xlsx,
    "accounts.xls": xls,
    "accounts.xlsb": xlsb,
    "accounts.ods": ods,
    "talk.odp": odp,
    "manual.rtf": rtf,
    "letter.msg": msg,
    "book.epub": epub,
    "manual.pdf": pdf,
    "page.html": html,
    "page.mhtml": mhtml,
    "letter.eml": mail,
    "tides.ipynb": notebook,
    "notes.md": MARKDOWN.encode,
    "notes.rst": RST.encode,
    "paper.tex": LATEX.encode,
    "notes.txt": LEASE.encode,
    "prices.csv": CSV.encode,
    "prices.tsv": CSV.replace(",", "\t").encode,
    "lease.json": JSON.encode,
    "ships.jsonl": JSONL.encode,
    "manual.xml": XML.encode,
    "talk.srt": SRT.encode,
    "talk.vtt": VTT.encode,
    "price.py": PYTHON.encode,
}


def saved(made: object) -> bytes:
    stream = io.BytesIO()
    made.save(stream)  # type: ignore[attr-defined]
    return stream.getvalue()


def section_texts(document: Document) -> list[str]:
    return [document.text[section.start : section.end] for section in document.sections]


def headings(document: Document) -> list[tuple[str, ...]]:
    return [section.headings for section in document.sections]


def assert_sound(document: Document) -> None:
    """Sections are in order, apart, inside the text and not blank; everything can be stored."""
    assert document.title
    assert document.sections
    assert all(s.start < s.end for s in document.sections)
    assert all(one.end <= two.start for one, two in pairwise(document.sections))
    assert document.sections[-1].end <= len(document.text)
    assert all(text.strip() for text in section_texts(document))
    assert all(name and "\n" not in name for s in document.sections for name in s.headings)
    json.dumps([document.title, headings(document)], ensure_ascii=False).encode()
    document.text.encode()
