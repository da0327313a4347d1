"""Old Excel workbooks and OpenDocument spreadsheets are read as they are shown; what they hide is noted."""

from __future__ import annotations

import io
import struct
import zipfile
from datetime import date
from typing import Any

import pytest

from rag.errors import DocumentError
from rag.ingestion.loaders import load_bytes
from rag.types import Document

NAMES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in {
        "office": "office", "text": "text", "table": "table", "style": "style", "draw": "drawing",
        "fo": "xsl-fo-compatible",
    }.items()
)  # fmt: skip
SHOWN = [
    ("02134", "00000"),
    ("12%", "0%"),
    ("€ 1,200.50", '"€ "#,##0.00'),
    ("3 Mar 31", "d mmm yy"),
    ("(3.50)", "0.00;(0.00)"),
]
VALUES: list[Any] = [2134, 0.12, 1200.5, date(2031, 3, 3), -3.5]


def ods(sheets: str, styles: str = "") -> Document:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as package:
        package.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        package.writestr(
            "content.xml",
            f"<office:document-content {NAMES}><office:automatic-styles>{styles}</office:automatic-styles>"
            f"<office:body><office:spreadsheet>{sheets}</office:spreadsheet></office:body></office:document-content>",
        )
    return load_bytes(stream.getvalue(), "a.ods")


def cell(text: str = "", inside: str = "", **attributes: object) -> str:
    extra = "".join(f' table:{name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f"<table:table-cell{extra}>{f'<text:p>{text}</text:p>' if text else ''}{inside}</table:table-cell>"


def row(*cells: str, **attributes: object) -> str:
    extra = "".join(f' table:{name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f"<table:table-row{extra}>{''.join(cells)}</table:table-row>"


def sheet(*rows: str, name: str = "Prices", style: str = "") -> str:
    return f'<table:table table:name="{name}" table:style-name="{style}">{"".join(rows)}</table:table>'


def noted(document: Document) -> list[tuple[str, str, str]]:
    return [(note.kind, note.text, note.place) for note in document.notes]


def saved_workbook(fill: Any) -> bytes:
    import xlwt

    book = xlwt.Workbook()
    fill(book, book.add_sheet("Prices"))
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def workbook(fill: Any) -> Document:
    return load_bytes(saved_workbook(fill), "a.xls")


def test_an_old_workbook_shows_numbers_by_their_formats() -> None:
    import xlwt

    def fill(_: Any, page: Any) -> None:
        page.write(0, 0, "Name")
        page.write(0, 1, "Value")
        for n, (value, (_, code)) in enumerate(zip(VALUES, SHOWN, strict=True), start=1):
            page.write(n, 0, f"n{n}")
            page.write(n, 1, value, xlwt.easyxf(num_format_str=code))

    lines = workbook(fill).text.splitlines()[2:]
    assert lines == [f"| n{n} | {text} |" for n, (text, _) in enumerate(SHOWN, start=1)]


def test_an_old_workbook_leaves_out_what_is_hidden_or_struck_through_and_notes_it() -> None:
    import xlwt

    def fill(_: Any, page: Any) -> None:
        for number in range(4):
            for column in range(3):
                page.write(number, column, f"{'abc'[column]}{number}")
        page.row(2).hidden = True
        page.col(1).hidden = True
        page.write(4, 0, "a4", xlwt.easyxf("font: struck_out on"))
        page.write(4, 2, "c4")

    document = workbook(fill)
    assert document.text == "|  |  |\n| --- | --- |\n| a0 | c0 |\n| a1 | c1 |\n| a3 | c3 |\n|  | c4 |"
    assert noted(document) == [
        ("hidden_content", "1 hidden row left out", "sheet Prices"),
        ("hidden_content", "1 hidden column left out", "sheet Prices"),
        ("struck_through", "1 cell left out because the text is struck through", "sheet Prices"),
    ]


def test_powers_in_an_old_workbook_never_join_a_number() -> None:
    import xlwt

    def fill(_: Any, page: Any) -> None:
        plain, raised, struck = (xlwt.easyfont(look) for look in ("", "escapement superscript", "struck_out on"))
        page.write(0, 0, "Load")
        page.write_rich_text(1, 0, (("10", plain), ("6", raised), (" N", plain), (" per day", struck)))

    assert workbook(fill).text.splitlines()[-1].strip("| ") == "10^6 N"


def record(kind: int, content: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(content)) + content


def test_text_boxes_of_an_old_workbook_are_read_and_charts_counted() -> None:
    import olefile
    from office_samples import ole

    def fill(_: Any, page: Any) -> None:
        page.write(0, 0, "Words")

    def box(text: str) -> bytes:
        size = record(0x01B6, bytes(10) + struct.pack("<HHI", len(text), 16, 0))
        thing = record(0x5D, struct.pack("<4H", 0x15, 0x12, 6, 1) + bytes(18))
        return thing + size + record(0x3C, b"\x01" + text.encode("utf-16-le")) + record(0x3C, bytes(16))

    chart = record(0x0809, struct.pack("<HHHH", 0x0600, 0x0020, 0, 0)) + record(0x0A)
    with olefile.OleFileIO(io.BytesIO(saved_workbook(fill))) as file:
        stream = file.openstream("Workbook").read()
    sheet = stream.rstrip(b"\0").removesuffix(b"\x0a")  # without the record that ends it
    picture = record(0x5D, struct.pack("<4H", 0x15, 0x12, 8, 2) + bytes(18))
    changed = sheet + box("Läs\rmig") + picture + chart + record(0x0A)
    document = load_bytes(ole({"Workbook": changed}), "a.xls")
    assert document.text == "Words\n\nLäs\nmig"
    assert noted(document) == [
        ("pictures_not_read", "1 picture not read", "sheet Prices"),
        ("pictures_not_read", "1 chart not read", ""),
    ]


def test_a_workbook_with_a_password_is_refused() -> None:
    from office_samples import ole

    begin = bytes.fromhex("0908100000060500bb0dcc070000000006000000")
    password = bytes.fromhex("2f003600010001000100") + bytes(48)
    with pytest.raises(DocumentError) as refused:
        load_bytes(ole({"Workbook": begin + password + bytes(4096)}), "a.xls")
    assert refused.value.reason == "encrypted"


def test_a_spreadsheet_shows_what_its_cells_show() -> None:
    rows = [row(cell("Name"), cell("Value"))]
    rows += [row(cell(f"n{n}"), cell(text, value_type="float")) for n, (text, _) in enumerate(SHOWN, start=1)]
    assert ods(sheet(*rows)).text.splitlines()[2:] == [
        f"| n{n} | {text} |" for n, (text, _) in enumerate(SHOWN, start=1)
    ]


def test_cells_without_a_text_show_their_values() -> None:
    def valued(kind: str, name: str, value: str) -> str:
        return f'<table:table-cell office:value-type="{kind}" office:{name}="{value}"/>'

    document = ods(
        sheet(
            row(cell("Kind"), cell("Value")),
            row(cell("number"), valued("float", "value", "19.90")),
            row(cell("date"), valued("date", "date-value", "2031-03-03T00:00:00")),
            row(cell("truth"), valued("boolean", "boolean-value", "true")),
            row(cell("text"), valued("string", "string-value", "so")),
            row(cell("formula"), cell(formula="of:=SUM([.A1:.A9])")),
        )
    )
    values = [line.split(" | ")[1].strip("| ") for line in document.text.splitlines()]
    assert values[-5:] == ["19.9", "2031-03-03", "TRUE", "so", "=SUM([.A1:.A9])"]
    assert [kind for kind, _, _ in noted(document)] == ["formulas_without_value"]


def test_a_spreadsheet_leaves_out_what_is_hidden_or_struck_through_and_notes_it() -> None:
    styles = (
        '<style:style style:name="gone"><style:table-properties table:display="false"/></style:style>'
        '<style:style style:name="struck"><style:text-properties style:text-line-through-style="solid"/></style:style>'
    )
    picture = "<draw:frame><draw:image/></draw:frame>"
    box = "<draw:frame><draw:text-box><text:p>Read me</text:p></draw:text-box></draw:frame>"
    comment = "<office:annotation><text:p>by Ann</text:p></office:annotation>"
    document = ods(
        sheet(
            "<table:table-column/>",
            '<table:table-column table:visibility="collapse"/>',
            row(cell("Item"), cell("Secret"), cell("Price")),
            row(cell("Lamp"), cell("x"), cell("19", comment)),
            row(cell("Rope"), cell("x"), cell("7", picture), visibility="filter"),
            row(cell("Horn"), cell(), cell("250", box), number_rows_repeated=2),
            row(cell("Old", style_name="struck"), cell(), cell("1")),
            row(cell(number_columns_repeated=16384), number_rows_repeated=1048571),
        )
        + sheet(row(cell("hidden words")), name="Gone", style="gone")
        + sheet(row(cell("Last")), name="Last"),
        styles,
    )
    table = "| Item | Price |\n| --- | --- |\n| Lamp | 19 [by Ann] |\n| Horn | 250 |\n| Horn | 250 |\n|  | 1 |"
    assert document.text == f"{table}\n\nRead me\n\nLast"
    assert document.sections[0].headings == ("Prices", "rows 2-6")
    assert noted(document) == [
        ("hidden_content", "1 hidden row left out", "sheet Prices"),
        ("hidden_content", "1 hidden column left out", "sheet Prices"),
        ("struck_through", "1 cell left out because the text is struck through", "sheet Prices"),
        ("ocr_stopped", "1 picture not read: damaged, linked, or of a format that is not read", "sheet Prices"),
        ("hidden_content", "a hidden sheet was left out", "sheet Gone"),
    ]


def test_a_merged_cell_of_a_spreadsheet_is_repeated() -> None:
    covered = "<table:covered-table-cell/>"
    document = ods(
        sheet(
            row(cell("Pier"), cell("Ship"), cell("Price")),
            row(cell("Four", number_rows_spanned=2), cell("Ann"), cell("12")),
            row(covered, cell("Tom"), cell("14")),
            row(cell("Five"), cell("Eva"), cell("9")),
        )
    )
    assert document.text.splitlines()[2:] == ["| Four | Ann | 12 |", "| Four | Tom | 14 |", "| Five | Eva | 9 |"]
