"""Rich text: headings, list numbers, tables, boxes and form fields are read; what is left out is noted."""

from __future__ import annotations

import pytest

from rag.ingestion.loaders import load_bytes
from rag.types import Document

HEAD = (
    r"{\rtf1\ansi{\fonttbl{\f0 Arial;}{\f1\fcharset2 Symbol;}{\f2\fcharset2 Wingdings;}}"
    r"{\stylesheet{\s0 Normal;}{\s1\outlinelevel0 heading 1;}{\s2 heading 2;}{\s3 toc 1;}{\*\cs9 Strong;}}"
)


def read(body: str) -> Document:
    return load_bytes(f"{HEAD}{body}}}".encode("latin-1"), "a.rtf")


def kinds(document: Document) -> list[tuple[str, str]]:
    return [(note.kind, note.text) for note in document.notes]


def test_headings_are_those_of_styles_and_outline_levels() -> None:
    document = read(
        r"\pard\s3 Leases 1\par \pard\s1 Leases\par \pard\s2 {\b Pier} 4\par\pard One.\par"
        r"{\pard\outlinelevel1 Pier 5\par}\pard Two.\par"
    )
    assert document.text == "# Leases\n\n## Pier 4\n\nOne.\n\n## Pier 5\n\nTwo."
    assert [section.headings for section in document.sections] == [("Leases", "Pier 4"), ("Leases", "Pier 5")]
    assert document.title == "Leases"


def test_list_items_have_their_numbers_and_depths() -> None:
    document = read(
        r"{\listtext\tab 1.\tab}\ls1\ilvl0 One\par{\listtext\f1\'b7\tab}\ilvl1 In\par"
        r"\pard{\pntext\tab b)\tab}Two\par\pard x\par"
    )
    assert document.text == "1. One\n  - In\nb) Two\n\nx"


def row(*cells: str, edges: tuple[int, ...] = (), extra: str = "") -> str:
    defined = "".join(f"\\cellx{edge}" for edge in edges or range(1000, 1000 * len(cells) + 1, 1000))
    return f"\\trowd{extra}{defined} " + "".join(f"\\pard\\intbl {cell}\\cell" for cell in cells) + "\\row\n"


def test_a_cell_that_is_as_wide_as_several_is_repeated() -> None:
    document = read(
        row("Port", "2030", edges=(1000, 3000))
        + row("", "Q1", "Q2", edges=(1000, 2005, 3000))
        + row("Nordby", "41", "43", edges=(1000, 2000, 3000))
    )
    assert document.text == "| Port | 2030 / Q1 | 2030 / Q2 |\n| --- | --- | --- |\n| Nordby | 41 | 43 |"


def test_cells_that_go_on_below_are_repeated() -> None:
    first, second = r"\clvmgf\cellx1000\cellx2000 ", r"\clvmrg\cellx1000\cellx2000 "
    cells = r"\pard\intbl {}\cell {}\cell\row "
    document = read(
        row("Pier", "Ship", extra=r"\trhdr")
        + r"\trowd" + first + cells.format("Four", "Ann") + r"\trowd" + second + cells.format("", "Tom")
    )  # fmt: skip
    assert document.text.splitlines()[2:] == ["| Four | Ann |", "| Four | Tom |"]


@pytest.mark.parametrize("count", [1, 80])
def test_a_table_in_a_cell_is_on_one_line_and_a_large_one_follows(count: int) -> None:
    def nested(*cells: str) -> str:
        texts = "".join(f"\\pard\\intbl\\itap2 {cell}\\par\\pard\\intbl\\itap2\\nestcell" for cell in cells)
        return texts + r"{\*\nesttableprops\trowd\cellx500\cellx900\nestrow}{\nonesttables\par}"

    inner = nested("Pier", "Depth") + "".join(nested(f"N{n}", f"{n} m") for n in range(1, count + 1))
    document = read(
        row("Port", "Piers") + row("Nordby", r"as \par " + inner + r"\pard\intbl\itap1 see ") + row("Esbjerg", "none")
    )
    outer = "| Port | Piers |\n| --- | --- |\n| Nordby | {} |\n| Esbjerg | none |"
    if count == 1:
        assert document.text == outer.format("as Pier: N1; Depth: 1 m see")
    else:
        assert document.text.startswith(outer.format("as see") + "\n\n| Pier | Depth |\n| --- | --- |\n| N1 | 1 m |\n")


def test_a_row_that_does_not_end_is_read() -> None:
    assert read(r"\pard\intbl Fax / Phone\cell Number\cell").text.splitlines()[-1] == "| Fax / Phone | Number |"
    assert "Number" in read(r"\trowd\pard\intbl Fax\cell Number").text


def test_a_letterhead_is_read_once_without_page_numbers() -> None:
    head = r"{\headerf Harbour Ltd\par Page {\field{\*\fldinst { PAGE }}{\fldrslt 7}}\par}{\footer Pier 4\par}"
    document = read(head + r"\pard Words.\par\sect{\header Other\par}More.\par")
    assert document.text == "Harbour Ltd\nPage\n\nPier 4\n\nWords.\n\nMore."


def test_text_boxes_follow_their_paragraph_and_are_read_once() -> None:
    fallback = r"{\shprslt{\*\do{\dptxbxtext In the box\par}}}"
    box = r"{\shp{\*\shpinst{\sp{\sn fFlip}{\sv 0}}{\shptxt \pard In the box\par}}" + fallback + "}"
    assert read(rf"\pard Before {box}after.\par End.\par").text == "Before after.\n\nIn the box\n\nEnd."


def test_form_fields_show_their_boxes_and_choices() -> None:
    field = r"{{\field{{\*\fldinst {}{{\*\formfield{{{}}}}}}}{{\fldrslt}}}}"
    body = " ".join((
        field.format("FORMCHECKBOX", r"\fftype1\ffres1"), "paid",
        field.format("FORMCHECKBOX", r"\fftype1\ffres25\ffdefres0"), "due",
        field.format("FORMDROPDOWN", r"\fftype2\ffres1{\*\ffname Port}{\*\ffl Nordby}{\*\ffl Esbjerg}"),
    ))  # fmt: skip
    assert read(rf"\pard {body}\par").text == "☒ paid ☐ due Esbjerg"


def test_what_stands_for_other_characters_is_skipped_in_its_group_only() -> None:
    assert read(r"{\u8364}First {\u8364 ?}5 \u8364\'80.\par").text == "€First €5 €."
    assert read("Before {\\*\\blob\\bin4 }}{{} after\\par").text == "Before  after"


def test_a_mark_of_optional_groups_counts_at_their_beginning_only() -> None:
    assert read(r"{\*\pgdsctbl{\pgdsc0 Default;}}\pard {\i0\*\cs7\f0 The lazy dog}\par").text == "The lazy dog"


def test_a_table_of_one_cell_is_a_paragraph() -> None:
    assert read(row("Mind the gap.") + r"\pard End.\par").text == "Mind the gap.\n\nEnd."


def test_symbols_of_fonts_are_read() -> None:
    assert read(r"\pard {\f1\'b3} 5 {\f2\'fe} yes\par").text == "≥ 5 ☑ yes"


def test_powers_never_join_a_number_and_notes_have_their_place() -> None:
    assert read(r"10{\super 6} N, 4{\super th} of H{\sub 2}O{\super\chftn{\footnote\chftn  Wet.}}\par").text == (
        "10^6 N, 4th of H2O [Wet.]"
    )


def test_what_is_left_out_is_noted() -> None:
    document = read(
        r"Seen {\v hidden}{\strike gone}{\*\annotation why}{\deleted old}{\deleted0 new}"
        r"{\object\objemb{\*\objdata 00}{\result shown}}{\*\shppict{\pict 00}}{\nonshppict{\pict 00}}\par"
    )
    assert document.text == "Seen newshown"
    assert kinds(document) == [
        ("hidden_content", "1 hidden passage left out"),
        ("struck_through", "1 passage left out because of being struck through"),
        ("comments", "1 comment not read"),
        ("pictures_not_read", "1 picture not read"),
        ("attachment_not_read", "1 embedded object not read"),
    ]
