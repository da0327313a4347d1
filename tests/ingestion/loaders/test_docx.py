"""Word documents as a person reads them: numbers, boxes, fields, notes, equations, tables; and what is left out."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from format_samples import saved

from rag.ingestion.loaders import load_bytes
from rag.ingestion.loaders.numbering import Counter, NumberLevel, number_text
from rag.types import Document

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
SPACES = f'xmlns:w="{W}" xmlns:r="{OFFICE}" xmlns:m="m" xmlns:mc="mc" xmlns:wps="wps" xmlns:w14="w14" xmlns:c="c"'


def read(body: str, parts: dict[str, str] | None = None) -> Document:
    """Read a document of this body; further parts by kind, such as ``footnotes``, are its relations."""
    stream = io.BytesIO()
    relations = ""
    with zipfile.ZipFile(stream, "w") as package:
        for name, content in (parts or {}).items():
            file = name if "." in name else f"{name}.xml"
            kind = "aFChunk" if name.startswith("chunk") else name
            relations += f'<Relationship Id="{name}" Type="{OFFICE}/{kind}" Target="{file}"/>'
            package.writestr(f"word/{file}", content)
        package.writestr("word/document.xml", f"<w:document {SPACES}><w:body>{body}</w:body></w:document>")
        package.writestr(
            "word/_rels/document.xml.rels", f'<Relationships xmlns="{PACKAGE}">{relations}</Relationships>'
        )
    return load_bytes(stream.getvalue(), "a.docx")


def text_of(body: str, parts: dict[str, str] | None = None) -> str:
    return read(body, parts).text


def p(content: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr>{content}</w:p>"


def r(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def styles(*names: str) -> str:
    made = "".join(
        f'<w:style w:type="paragraph" w:styleId="{name.replace(" ", "")}"><w:name w:val="{name}"/></w:style>'
        for name in names
    )
    return f"<w:styles {SPACES}>{made}</w:styles>"


def numbering(*levels: tuple[str, str]) -> str:
    made = "".join(
        f'<w:lvl w:ilvl="{n}"><w:start w:val="1"/><w:numFmt w:val="{form}"/><w:lvlText w:val="{text}"/></w:lvl>'
        for n, (form, text) in enumerate(levels)
    )
    lists = '<w:num w:numId="5"><w:abstractNumId w:val="0"/></w:num>'
    lists += (
        '<w:num w:numId="6"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0">'
        '<w:startOverride w:val="1"/></w:lvlOverride></w:num>'
    )
    return f'<w:numbering {SPACES}><w:abstractNum w:abstractNumId="0">{made}</w:abstractNum>{lists}</w:numbering>'


def numbered(level: int, number: int = 5, style: str = "") -> str:
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f'{named}<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>'


# Numbers and headings ---------------------------------------------------------------------------------------------


def test_headings_and_clauses_have_their_numbers() -> None:
    body = "".join(
        p(r(text), numbered(level, style=f"heading{level + 1}")) + p(r("Words."))
        for level, text in ((0, "Definitions"), (0, "Lease"), (1, "Term"), (1, "Rent"), (0, "End"), (1, "Notice"))
    )
    parts = {
        "styles": styles("heading 1", "heading 2"),
        "numbering": numbering(("decimal", "%1."), ("decimal", "%1.%2")),
    }
    assert [s.headings[-1] for s in read(body, parts).sections] == [
        "1. Definitions", "2. Lease", "2.1 Term", "2.2 Rent", "3. End", "3.1 Notice",
    ]  # fmt: skip


def test_lists_have_numbers_and_bullets_and_begin_again_where_they_are_told_to() -> None:
    body = "".join(p(r(t), numbered(n, k)) for t, n, k in (("a", 0, 5), ("b", 1, 5), ("c", 0, 5), ("d", 0, 6)))
    parts = {"numbering": numbering(("upperRoman", "%1."), ("bullet", "•"))}
    assert text_of(body, parts) == "I. a\n  - b\nII. c\nI. d"


def test_headings_of_nine_levels_and_of_outline_levels() -> None:
    body = (
        p(r("Deep"), '<w:pStyle w:val="heading9"/>') + p(r("x")) + p(r("Own"), '<w:outlineLvl w:val="1"/>') + p(r("y"))
    )
    document = read(body, {"styles": styles("heading 9")})
    assert [s.headings for s in document.sections] == [("Deep",), ("Own",)]
    assert document.text.startswith("###### Deep")


@pytest.mark.parametrize(
    ("number", "form", "text"),
    [
        (4, "roman", "iv"),
        (1999, "ROMAN", "MCMXCIX"),
        (27, "letter", "aa"),
        (2, "LETTER", "B"),
        (7, "zero", "07"),
        (3, "none", ""),
    ],
)
def test_forms_of_numbers(number: int, form: str, text: str) -> None:
    assert number_text(number, form) == text


def test_deeper_levels_begin_again() -> None:
    counter = Counter({0: NumberLevel(pattern="%1"), 1: NumberLevel(pattern="%1.%2")})
    assert [counter.next(level) for level in (0, 1, 1, 0, 1)] == ["1", "1.1", "1.2", "2", "2.1"]


# Text -------------------------------------------------------------------------------------------------------------


def test_deleted_hidden_and_struck_text_is_left_out_and_noted() -> None:
    body = p(
        r("Rent ") + "<w:del>" + r("600") + "</w:del><w:ins>" + r("640") + "</w:ins>" + r("secret", "<w:vanish/>")
        + r("old", "<w:strike/>") + r(" euros", '<w:strike w:val="0"/>') + '<w:r><w:commentReference w:id="1"/></w:r>'
    )  # fmt: skip
    document = read(body)
    assert document.text == "Rent 640 euros"
    assert [note.kind for note in document.notes] == ["hidden_content", "struck_through", "comments"]


def field(instruction: str, result: str) -> str:
    mark = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    return (
        f"{mark.format('begin')}<w:r><w:instrText>{instruction}</w:instrText></w:r>"
        f"{mark.format('separate')}{r(result)}{mark.format('end')}"
    )


def test_fields_show_their_results() -> None:
    simple = f'<w:fldSimple w:instr="TITLE">{r("Lease")}</w:fldSimple>'
    assert text_of(p(r("Due ") + field("DATE", "2 May 2031") + r(", ") + simple)) == "Due 2 May 2031, Lease"


def test_check_boxes_show_their_state() -> None:
    def control(state: str, content: str = "") -> str:
        box = f'<w14:checkbox><w14:checked w14:val="{state}"/></w14:checkbox>'
        return f"<w:sdt><w:sdtPr>{box}</w:sdtPr><w:sdtContent>{content}</w:sdtContent></w:sdt>"

    old = (
        '<w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:checkBox><w:default w:val="1"/>'
        '</w:checkBox></w:ffData></w:fldChar></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )
    symbol = '<w:r><w:sym w:font="Wingdings" w:char="F0A8"/></w:r>'
    body = (
        p(control("1", r("☒")) + r(" fishing"))
        + p(control("0") + r(" diving"))
        + p(old + r(" mooring"))
        + p(symbol + r(" fire"))
    )
    assert text_of(body) == "☒ fishing\n\n☐ diving\n\n☒ mooring\n\n☐ fire"


def test_a_prompt_to_fill_in_a_control_is_no_text() -> None:
    prompt = f"<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>{r('Click here')}</w:sdtContent></w:sdt>"
    assert text_of(p(r("Name: ") + prompt)) == "Name:"


def test_powers_and_notes_stay_apart_from_numbers() -> None:
    notes = f'<w:footnotes {SPACES}><w:footnote w:id="2">{p(r("Without tax."))}</w:footnote></w:footnotes>'
    reference = '<w:r><w:footnoteReference w:id="2"/></w:r>'
    raised = r("6", '<w:vertAlign w:val="superscript"/>')
    body = p(r("10") + raised + r(" for 31") + reference + r(" euros")) + p(r("Next."))
    assert text_of(body, {"footnotes": notes}) == "10^6 for 31 [1] euros\n\n[1] Without tax.\n\nNext."


def test_equations_are_linear_text() -> None:
    def t(text: str) -> str:
        return f"<m:r><m:t>{text}</m:t></m:r>"

    fraction = f"<m:f><m:num>{t('a+b')}</m:num><m:den>{t('2')}</m:den></m:f>"
    root = f"<m:rad><m:deg/><m:e>{t('x')}</m:e></m:rad>"
    total = (
        f'<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub>{t("n=1")}</m:sub><m:sup>'
        f"{t('9')}</m:sup><m:e>{t('n')}</m:e></m:nary>"
    )
    power = f"<m:sSup><m:e>{t('x')}</m:e><m:sup>{t('2')}</m:sup></m:sSup>"
    equation = f"<m:oMath>{fraction}{t('=')}{root}{t('+')}{total}{t('-')}{power}</m:oMath>"
    assert text_of(p(r("So ") + equation)) == "So (a+b)/2=sqrt(x)+∑_(n=1)^9 n-x^2"


def test_text_boxes_are_read_once() -> None:
    box = f"<w:txbxContent>{p(r('In the box'))}</w:txbxContent>"
    both = (
        f"<mc:AlternateContent><mc:Choice><w:drawing><wps:txbx>{box}</wps:txbx></w:drawing>"
        f"</mc:Choice><mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent>"
    )
    assert text_of(p(r("Before") + f"<w:r>{both}</w:r>")) == "Before\n\nIn the box"


def test_the_letterhead_is_read_once_without_page_numbers() -> None:
    header = f"<w:hdr {SPACES}>{p(r('Harbour Ltd, Nordby'))}{p(r('Page ') + field('PAGE', '7'))}</w:hdr>"
    footer = f"<w:ftr {SPACES}>{p(field('PAGE', '7'))}</w:ftr>"
    section = (
        '<w:sectPr><w:headerReference w:type="default" r:id="header"/>'
        '<w:footerReference w:type="default" r:id="footer"/></w:sectPr>'
    )
    text = text_of(p(r("Dear Ann")) + section, {"header": header, "footer": footer})
    assert text == "Harbour Ltd, Nordby\n\nPage\n\nDear Ann"


def test_embedded_files_are_read_or_noted() -> None:
    body = p(r("a")) + '<w:altChunk r:id="chunk1.html"/><w:altChunk r:id="chunk2.bin"/>' + p(r("b"))
    document = read(body, {"chunk1.html": "<p>from <b>elsewhere</b></p>", "chunk2.bin": "?"})
    assert document.text == "a\n\nfrom elsewhere\n\nb"
    assert [(note.kind, note.place) for note in document.notes] == [("attachment_not_read", "word/chunk2.bin")]


def test_tables_of_contents_are_left_out() -> None:
    content = (
        f"<w:sdt><w:sdtPr><w:docPartObj><w:docPartGallery w:val='Table of Contents'/>"
        f"</w:docPartObj></w:sdtPr><w:sdtContent>{p(r('Rent 7'))}</w:sdtContent></w:sdt>"
    )
    line = p(r("Rent 7"), '<w:pStyle w:val="toc1"/>')
    assert text_of(content + line + p(r("Rent is due.")), {"styles": styles("toc 1")}) == "Rent is due."


# Tables -----------------------------------------------------------------------------------------------------------


def document(fill: Callable[[Any], None]) -> Document:
    import docx as word

    made = word.Document()
    fill(made)
    return load_bytes(saved(made), "a.docx")


def test_merged_cells_are_repeated() -> None:
    def fill(made: Any) -> None:
        table = made.add_table(4, 3)
        rows = [("Route", "Fare", ""), ("", "adult", "child"), ("Nordby", "41", "17"), ("", "40", "16")]
        for row, texts in zip(table.rows, rows, strict=True):
            for cell, text in zip(row.cells, texts, strict=True):
                cell.text = text
        table.cell(0, 1).merge(table.cell(0, 2))
        table.cell(0, 0).merge(table.cell(1, 0))
        table.cell(2, 0).merge(table.cell(3, 0))

    assert document(fill).text.split("\n") == [
        "| Route | Fare / adult | Fare / child |",
        "| --- | --- | --- |",
        "| Nordby | 41 | 17 |",
        "| Nordby | 40 | 16 |",
    ]


def test_a_table_in_a_cell_stays_with_its_row() -> None:
    def fill(made: Any) -> None:
        table = made.add_table(3, 2)
        for n, text in enumerate(("Berth", "Fees", "B1", "", "B2", "none")):
            table.cell(n // 2, n % 2).text = text
        inner = table.cell(1, 1).add_table(2, 2)
        for n, text in enumerate(("Month", "Fee", "May", "7")):
            inner.cell(n // 2, n % 2).text = text

    assert "| B1 | Month: May; Fee: 7 |\n| B2 | none |" in document(fill).text


def test_a_frame_of_one_cell_is_running_text() -> None:
    def fill(made: Any) -> None:
        cell = made.add_table(1, 1).cell(0, 0)
        cell.text = "Mind the step."
        cell.add_paragraph("It is high.")

    assert document(fill).text == "Mind the step.\n\nIt is high."


def test_a_marked_header_row_decides() -> None:
    def row(*texts: str, properties: str = "") -> str:
        cells = "".join(f"<w:tc>{p(r(text))}</w:tc>" for text in texts)
        return f"<w:tr><w:trPr>{properties}</w:trPr>{cells}</w:tr>"

    rows = (
        row("2030", "2031", properties="<w:tblHeader/>")
        + row("2028", "2029")
        + row("2026", "2027", properties="<w:del/>")
    )
    assert text_of(f"<w:tbl>{rows}</w:tbl>") == "| 2030 | 2031 |\n| --- | --- |\n| 2028 | 2029 |"
