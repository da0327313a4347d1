"""Workbooks as a reader sees them: formats, formulas, comments, merged and hidden cells, charts and text boxes."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from rag.ingestion.loaders import load_bytes
from rag.types import Document


def read(fill: Callable[[Any], None], change: Callable[[dict[str, str]], None] | None = None) -> Document:
    """Write a workbook, change its parts if asked, and read it."""
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = "Prices"
    fill(book.active)
    stream = io.BytesIO()
    book.save(stream)
    data = stream.getvalue()
    if change is not None:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            parts = {name: package.read(name).decode() for name in package.namelist()}
        change(parts)
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as package:
            for name, text in parts.items():
                package.writestr(name, text)
        data = stream.getvalue()
    return load_bytes(data, "prices.xlsx")


def notes(document: Document) -> list[tuple[str, str]]:
    return [(note.kind, note.place) for note in document.notes]


def test_numbers_are_shown_as_excel_shows_them() -> None:
    def fill(sheet: Any) -> None:
        sheet.append(["Code", "Share", "Price", "Since", "Balance"])
        sheet.append([2134, 0.12, 1200, date(2031, 5, 2), -3.5])
        codes = ["00000", "0 %", '"€" #,##0', "dd.mm.yyyy", "0.00;(0.00)"]
        for column, code in enumerate(codes, start=1):
            sheet.cell(2, column).number_format = code

    assert "| 02134 | 12 % | € 1,200 | 02.05.2031 | (3.50) |" in read(fill).text


def test_formulas_without_a_stored_value_are_written_and_noted() -> None:
    def fill(sheet: Any) -> None:
        sheet.append(["Item", "Net", "Total"])
        sheet.append(["Chain", 100, "=B2*1.19"])

    document = read(fill)
    assert "| Chain | 100 | =B2*1.19 |" in document.text
    assert notes(document) == [("formulas_without_value", "sheet Prices")]
    assert document.notes[0].text.startswith("1 formula without")


def test_shared_formulas_without_a_value_are_written_for_their_own_cells() -> None:
    def fill(sheet: Any) -> None:
        sheet.append(["Net", "Total"])
        sheet.append([100, "=A2*2"])
        sheet.append([200, "=A3*2"])

    def share(parts: dict[str, str]) -> None:
        name = "xl/worksheets/sheet1.xml"
        text = parts[name].replace("<f>A2*2</f>", '<f t="shared" ref="B2:B3" si="0">A2*2</f>')
        parts[name] = text.replace("<f>A3*2</f>", '<f t="shared" si="0"/>')

    assert "| 200 | =A3*2 |" in read(fill, share).text


def test_stored_values_of_formulas_are_shown() -> None:
    def fill(sheet: Any) -> None:
        sheet.append(["Net", "Total", "Name"])
        sheet.append([100, "=A2*2", '=""'])

    def store(parts: dict[str, str]) -> None:
        name = "xl/worksheets/sheet1.xml"
        text = re.sub(r"<f>A2\*2</f><v ?/?>(</v>)?", "<f>A2*2</f><v>200</v>", parts[name])
        parts[name] = text.replace('<c r="C2"', '<c r="C2" t="str"')

    document = read(fill, store)
    assert "| 100 | 200 |" in document.text
    assert document.notes == ()


def test_hidden_sheets_rows_and_columns_are_left_out_and_noted() -> None:
    def fill(sheet: Any) -> None:
        for row in (["Name", "Pay", "City"], ["Ann", 111, "Oslo"], ["Bob", 222, "Bergen"]):
            sheet.append(row)
        sheet.row_dimensions[3].hidden = True
        sheet.column_dimensions["B"].hidden = True
        sheet.column_dimensions["Z"].hidden = True
        for state in ("hidden", "veryHidden"):
            other = sheet.parent.create_sheet(state)
            other.append(["secret", 1])
            other.sheet_state = state

    document = read(fill)
    assert "| Name | City |" in document.text
    assert "| Ann | Oslo |" in document.text
    assert not re.search("Bob|Pay|111|secret", document.text)
    assert [note.text for note in document.notes] == [
        "1 hidden row left out",
        "1 hidden column left out",
        "a hidden sheet was left out",
        "a hidden sheet was left out",
    ]
    assert {note.kind for note in document.notes} == {"hidden_content"}


def test_merged_cells_are_repeated_and_two_header_rows_joined() -> None:
    def fill(sheet: Any) -> None:
        for row in (["Area", 2030, None, 2031], [None, "Q1", "Q2", "Q1"], ["North", 1, 2, 3], [None, 4, 5, 6]):
            sheet.append(row)
        for merged in ("A1:A2", "B1:C1", "A3:A4"):
            sheet.merge_cells(merged)

    assert read(fill).text.split("\n") == [
        "| Area | 2030 / Q1 | 2030 / Q2 | 2031 / Q1 |",
        "| --- | --- | --- | --- |",
        "| North | 1 | 2 | 3 |",
        "| North | 4 | 5 | 6 |",
    ]


def test_comments_come_with_their_cells() -> None:
    from openpyxl.comments import Comment

    def fill(sheet: Any) -> None:
        sheet.append(["Item", "Price"])
        sheet.append(["Buoy", 80])
        sheet["B2"].comment = Comment("15 percent off from May", "Ann")

    assert "| Buoy | 80 [15 percent off from May] |" in read(fill).text


def test_cells_that_are_struck_through_are_left_out_and_noted() -> None:
    from openpyxl.styles import Font

    def fill(sheet: Any) -> None:
        sheet.append(["Item", "Price"])
        sheet.append(["Buoy", 80])
        sheet.append(["Rope", 90])
        sheet["B2"].font = Font(strike=True)

    document = read(fill)
    assert "80" not in document.text
    assert notes(document) == [("struck_through", "sheet Prices")]


def test_the_runs_of_a_text_keep_powers_apart() -> None:
    from openpyxl.cell.rich_text import CellRichText, TextBlock
    from openpyxl.cell.text import InlineFont

    def fill(sheet: Any) -> None:
        sheet.append(["Limit", "Note"])
        power = TextBlock(InlineFont(vertAlign="superscript"), "6")
        sheet.append([CellRichText("10", power), CellRichText(TextBlock(InlineFont(strike=True), "old "), "new")])

    assert "| 10^6 | new |" in read(fill).text


def test_a_table_of_excel_names_its_header() -> None:
    from openpyxl.worksheet.table import Table

    def fill(sheet: Any) -> None:
        sheet.append(["2030", "2031"])
        sheet.append(["2028", "2029"])
        sheet.add_table(Table(displayName="Years", ref="A1:B2"))

    assert read(fill).text.startswith("| 2030 | 2031 |\n| --- | --- |")


def test_charts_are_read_with_their_titles() -> None:
    from openpyxl.chart import BarChart, Reference, ScatterChart, Series

    def fill(sheet: Any) -> None:
        for row in (["Year", "Ships"], ["2030", 12], ["2031", 15]):
            sheet.append(row)
        chart = BarChart()
        chart.title = "Ships a year"
        chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=3), titles_from_data=True)
        sheet.add_chart(chart, "D1")
        scatter = ScatterChart()
        scatter.title = "Depths"
        scatter.series.append(Series(Reference(sheet, min_col=2, min_row=2), Reference(sheet, min_col=1, min_row=2)))
        sheet.add_chart(scatter, "D20")

    def fill_caches(parts: dict[str, str]) -> None:
        cache = '<numCache><formatCode>General</formatCode><ptCount val="2"/>{}</numCache>'
        points = '<pt idx="0"><v>{}</v></pt><pt idx="1"><v>{}</v></pt>'
        for name in parts:
            if re.fullmatch(r"xl/charts/chart\d\.xml", name):
                text = re.sub(
                    r"(<val>|<yVal>)(<numRef><f>[^<]*</f>)",
                    rf"\1\2{cache.format(points.format(12, 15.5))}",
                    parts[name],
                )
                parts[name] = re.sub(
                    r"(<xVal>)(<numRef><f>[^<]*</f>)", rf"\1\2{cache.format(points.format(1.5, 2.5))}", text
                )

    text = read(fill, fill_caches).text
    assert "Ships a year" in text
    assert "Depths" in text
    assert "| 1.5 | 12 |\n| 2.5 | 15.5 |" in text


def test_text_boxes_are_read() -> None:
    drawing = (
        '<xdr:wsDr xmlns:xdr="x" xmlns:a="a"><xdr:twoCellAnchor><xdr:sp><xdr:nvSpPr><xdr:cNvPr id="2" name="box"/>'
        "</xdr:nvSpPr><xdr:txBody><a:p><a:r><a:t>Prices hold </a:t></a:r><a:r><a:t>until May.</a:t></a:r></a:p>"
        "</xdr:txBody></xdr:sp></xdr:twoCellAnchor></xdr:wsDr>"
    )
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/drawing" '
        'Target="../drawings/drawing1.xml"/></Relationships>'
    )

    def add(parts: dict[str, str]) -> None:
        parts["xl/drawings/drawing1.xml"] = drawing
        parts["xl/worksheets/_rels/sheet1.xml.rels"] = relations

    assert "Prices hold until May." in read(lambda sheet: sheet.append(["Item", "Price"]), add).text


def test_the_strict_edition_of_the_standard_is_read() -> None:
    def rename(parts: dict[str, str]) -> None:
        for name, text in parts.items():
            text = text.replace(
                "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
                "http://purl.oclc.org/ooxml/spreadsheetml/main",
            )
            parts[name] = text.replace(
                "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
                "http://purl.oclc.org/ooxml/officeDocument/relationships",
            )

    def fill(sheet: Any) -> None:
        sheet.append(["Item", "Price"])
        sheet.append(["Winch", 990])

    assert "| Winch | 990 |" in read(fill, rename).text


@pytest.mark.parametrize("merged", ["A1:XFD1", "A1:A1048576", "A1:XFD1048576"])
def test_a_merged_range_of_the_whole_sheet_stays_small(merged: str) -> None:
    def fill(sheet: Any) -> None:
        for row in (["Prices"], ["Item", "Price"], ["Winch", 990]):
            sheet.append(row)
        sheet.merged_cells.add(merged)

    assert len(read(fill).text) < 100_000
