"""OpenDocument texts: nothing is escaped, numbers and notes are read, hidden and deleted text is not."""

from __future__ import annotations

import io
import zipfile

import pytest

from rag.ingestion.loaders import load_bytes
from rag.types import Document

NAMES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in {
        "office": "office", "text": "text", "table": "table", "style": "style", "draw": "drawing",
        "fo": "xsl-fo-compatible",
    }.items()
)  # fmt: skip


def read(body: str, automatic: str = "", styles: str = "", parts: dict[str, str] | None = None) -> Document:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as package:
        package.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        package.writestr(
            "content.xml",
            f"<office:document-content {NAMES}><office:automatic-styles>{automatic}</office:automatic-styles>"
            f"<office:body><office:text>{body}</office:text></office:body></office:document-content>",
        )
        for name, content in (parts or {}).items():
            package.writestr(name, content)
        package.writestr("styles.xml", f"<office:document-styles {NAMES}>{styles}</office:document-styles>")
    return load_bytes(stream.getvalue(), "a.odt")


def text_of(body: str, automatic: str = "", styles: str = "") -> str:
    return read(body, automatic, styles).text


def style(name: str, properties: str) -> str:
    return f'<style:style style:name="{name}"><style:text-properties {properties}/></style:style>'


def test_text_is_stored_as_it_is_read() -> None:
    words = "Call 555-0142, -12.5 degrees, file_name, 2*3, # hash, 1. one"
    document = read(
        f"<text:h text:outline-level='1'>Marie-France</text:h><text:p>{words}</text:p><text:p># no heading</text:p>"
    )
    assert document.text == f"# Marie-France\n\n{words}\n\n# no heading"
    assert [section.headings for section in document.sections] == [("Marie-France",)]
    assert document.title == "Marie-France"


def test_headings_make_paths_and_one_without_text_is_no_section() -> None:
    body = "".join(
        f"<text:h text:outline-level='{level}'>{name}</text:h>" + (f"<text:p>{name} text</text:p>" if level > 1 else "")
        for level, name in ((1, "A"), (2, "B"), (9, "C"), (2, "D"))
    )
    document = read(body)
    assert [section.headings for section in document.sections] == [("A", "B"), ("A", "B", "C"), ("A", "D")]
    assert "###### C" in document.text


def test_lists_have_their_numbers() -> None:
    levels = (
        '<text:list-style style:name="L"><text:list-level-style-number text:level="1" style:num-format="1" '
        'style:num-suffix="."/><text:list-level-style-number text:level="2" text:display-levels="2" '
        'style:num-format="a" style:num-suffix=")"/></text:list-style>'
    )
    item = "<text:list-item><text:p>{}</text:p>{}</text:list-item>"
    inner = f"<text:list>{item.format('in', '')}</text:list>"
    body = f'<text:list text:style-name="L">{item.format("one", inner)}{item.format("two", "")}</text:list>'
    assert text_of(body, levels) == "1. one\n  1.a) in\n2. two"
    assert text_of(body) == "- one\n  - in\n- two"


def test_an_item_of_several_blocks_is_marked_once() -> None:
    levels = (
        '<text:list-style style:name="L"><text:list-level-style-number text:level="1" style:num-format="1" '
        'style:num-suffix="."/></text:list-style>'
    )
    heading = "<text:h text:outline-level='1'>{}</text:h><text:p>{}</text:p>"
    items = "".join(f"<text:list-item>{heading.format(*words)}</text:list-item>" for words in (("A", "x"), ("B", "y")))
    assert text_of(f'<text:list text:style-name="L">{items}</text:list>', levels) == "# 1. A\n\nx\n\n# 2. B\n\ny"


def test_headings_have_the_numbers_of_the_outline() -> None:
    outline = (
        '<office:styles><text:outline-style style:name="O"><text:outline-level-style text:level="1" '
        'style:num-format="1"/><text:outline-level-style text:level="2" text:display-levels="2" style:num-format="1"/>'
        "</text:outline-style></office:styles>"
    )
    body = "".join(
        f"<text:h text:outline-level='{n}'>{t}</text:h><text:p>x</text:p>" for n, t in ((1, "A"), (2, "B"), (2, "C"))
    )
    assert [s.headings[-1] for s in read(body, "", outline).sections] == ["1 A", "1.1 B", "1.2 C"]


def test_notes_follow_their_paragraph() -> None:
    note = (
        "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>Without tax.</text:p>"
        "</text:note-body></text:note>"
    )
    assert text_of(f"<text:p>The fee{note} is 31.</text:p><text:p>Next.</text:p>") == (
        "The fee [1] is 31.\n\n[1] Without tax.\n\nNext."
    )


def test_what_is_left_out_is_noted() -> None:
    looks = style("H", 'text:display="none"') + style("S", 'style:text-line-through-style="solid"')
    body = (
        '<text:p>a<text:span text:style-name="H">hidden</text:span><text:span text:style-name="S">struck</text:span>b'
        "<office:annotation><text:p>why?</text:p></office:annotation></text:p>"
        "<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>"
    )
    document = read(body, looks)
    assert document.text == "ab"
    assert [note.kind for note in document.notes] == ["hidden_content", "struck_through", "comments"]


def test_pictures_and_objects_are_counted_once() -> None:
    picture = "<draw:frame><draw:image/></draw:frame>"
    boxed = f"<draw:frame><draw:text-box><text:p>Box {picture}</text:p></draw:text-box></draw:frame>"
    thing = "<draw:frame><draw:object/><draw:image/></draw:frame>"
    document = read(f"<text:p>Words {picture}{boxed}<draw:g>{picture}{thing}</draw:g></text:p>")
    assert document.text == "Words\n\nBox"
    why = "damaged, linked, or of a format that is not read"
    assert [note.text for note in document.notes] == ["1 embedded object not read", f"3 pictures not read: {why}"]


def test_shapes_in_groups_are_read_without_their_descriptions() -> None:
    shape = "<draw:{0}><svg:desc>blue</svg:desc><text:p>{0}</text:p></draw:{0}>"
    shapes = "".join(map(shape.format, ("rect", "custom-shape", "ellipse")))
    document = read(f'<text:p xmlns:svg="urn:svg">Words <draw:g><draw:g>{shapes}</draw:g></draw:g></text:p>')
    assert document.text == "Words\n\nrect\n\ncustom-shape\n\nellipse"


def test_formulas_charts_and_bibliographies_are_read() -> None:
    def frame(number: int) -> str:
        return (
            f'<draw:frame xmlns:xlink="urn:x"><draw:object xlink:href="./Object {number}"/><draw:image/></draw:frame>'
        )

    math = "<math><semantics><mi>E</mi><annotation encoding='StarMath 5.0'>E = m c^2</annotation></semantics></math>"
    cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
    rows = (("", "Ships"), ("2030", "12"), ("2031", "15"))
    table = "".join(f"<table:table-row>{''.join(map(cell.format, row))}</table:table-row>" for row in rows)
    chart = (
        f'<office:document-content {NAMES} xmlns:chart="urn:chart"><office:body><office:chart><chart:chart>'
        "<chart:title><text:p>Calls</text:p></chart:title><table:table><table:table-header-rows/>"
        f"<table:table-rows>{table}</table:table-rows></table:table></chart:chart></office:chart></office:body>"
        "</office:document-content>"
    )
    body = (
        f"<text:p>Mass: {frame(1)}.</text:p><text:p>{frame(2)}</text:p><text:table-of-content><text:index-body>"
        "<text:p>no</text:p></text:index-body></text:table-of-content><text:bibliography><text:bibliography-source><text:p>no"
        "</text:p></text:bibliography-source><text:index-body><text:p>Gale 2031</text:p></text:index-body>"
        "</text:bibliography>"
    )
    document = read(body, parts={"Object 1/content.xml": math, "Object 2/content.xml": chart})
    table_text = "Calls\n\n|  | Ships |\n| --- | --- |\n| 2030 | 12 |\n| 2031 | 15 |"
    assert document.text == f"Mass: E = m c^2.\n\n{table_text}\n\nGale 2031"
    assert document.notes == ()


def test_form_fields_show_their_values() -> None:
    fields = (
        '<form:text form:id="a" form:current-value="Ada"/><form:checkbox form:id="b" form:label="paid" '
        'form:current-state="checked"/><form:radio form:id="c" form:label="due"/><form:listbox form:id="d">'
        '<form:option form:label="Nordby"/><form:option form:label="Esbjerg" form:current-selected="true"/>'
        '</form:listbox><form:fixed-text form:id="e" form:label="Name:"/>'
    )
    controls = "".join(f'<draw:control draw:control="{name}"/>' for name in "eabcd")
    body = (
        f'<office:forms xmlns:form="urn:form"><form:form>{fields}</form:form></office:forms><text:p>{controls}</text:p>'
    )
    assert text_of(body) == "Name: Ada ☒ paid ☐ due Esbjerg"


def test_powers_never_join_a_number() -> None:
    looks = style("U", 'style:text-position="super 58%"') + style("D", 'style:text-position="sub 58%"')
    body = (
        '<text:p>10<text:span text:style-name="U">6</text:span> H<text:span text:style-name="D">2</text:span>O</text:p>'
    )
    assert text_of(body, looks) == "10^6 H2O"


def test_merged_cells_and_header_rows() -> None:
    cell = "<table:table-cell{}><text:p>{}</text:p></table:table-cell>"
    rows = [
        "<table:table-header-rows><table:table-row>"
        + cell.format("", "Route")
        + cell.format("", "Fare")
        + "</table:table-row></table:table-header-rows>",
        "<table:table-row>"
        + cell.format(' table:number-rows-spanned="2"', "Nordby")
        + cell.format("", "41")
        + "</table:table-row>",
        "<table:table-row><table:covered-table-cell/>" + cell.format("", "17") + "</table:table-row>",
    ]
    assert text_of(f"<table:table>{''.join(rows)}</table:table>").endswith("| Nordby | 41 |\n| Nordby | 17 |")


@pytest.mark.parametrize("rows", [2, 60])
def test_a_table_in_a_cell_is_on_one_line_and_a_large_one_follows(rows: int) -> None:
    def table(lines: list[list[str]]) -> str:
        cell = "<table:table-cell>{}</table:table-cell>"
        made = (f"<table:table-row>{''.join(map(cell.format, line))}</table:table-row>" for line in lines)
        return f"<table:table>{''.join(made)}</table:table>"

    def text(words: str) -> str:
        return f"<text:p>{words}</text:p>"

    inner = table([[text("Pier"), text("Depth")], *([text(f"N{n}"), text(f"{n} m")] for n in range(1, rows))])
    stored = text_of(table([[text("Port"), text("Piers")], [text("Nordby"), inner], [text("Esbjerg"), text("none")]]))
    outer = "| Port | Piers |\n| --- | --- |\n| Nordby | {} |\n| Esbjerg | none |"
    if rows == 2:
        assert stored == outer.format("Pier: N1; Depth: 1 m")
    else:
        assert stored.startswith(outer.format("") + "\n\n| Pier | Depth |\n| --- | --- |\n| N1 | 1 m |\n")
        assert stored.endswith("| N59 | 59 m |")


def test_lists_in_cells_have_their_numbers() -> None:
    levels = (
        '<text:list-style style:name="L"><text:list-level-style-number text:level="1" style:num-format="1" '
        'style:num-suffix="."/></text:list-style>'
    )
    items = "".join(f"<text:list-item><text:p>{word}</text:p></text:list-item>" for word in ("One", "Two"))
    cells = "".join(
        f"<table:table-cell>{inside}</table:table-cell>"
        for inside in ("<text:p>Steps</text:p>", f'<text:list text:style-name="L">{items}</text:list>')
    )
    body = f"<table:table><table:table-row>{cells}</table:table-row></table:table>"
    assert "1. One 2. Two" in text_of(body, levels)


def test_text_boxes_and_the_letterhead() -> None:
    header = (
        "<office:master-styles><style:master-page><style:header><text:p>Harbour Ltd, Nordby</text:p></style:header>"
        "<style:footer><text:p>7</text:p></style:footer></style:master-page></office:master-styles>"
    )
    box = "<draw:frame><draw:text-box><text:p>In the box</text:p></draw:text-box></draw:frame>"
    assert text_of(f"<text:p>Dear Ann{box}</text:p>", "", header) == "Harbour Ltd, Nordby\n\nDear Ann\n\nIn the box"
