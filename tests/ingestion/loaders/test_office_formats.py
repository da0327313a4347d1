"""Old and less usual office formats are read: xls, xlsb, ods, odp, rtf, msg; what they hide is left out and noted."""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
from datetime import UTC, date, datetime

import pytest
from broken_files import rewritten
from office_samples import LEASE, msg, odp, ods, ole, rtf, xls, xlsb

from rag.errors import DocumentError
from rag.ingestion.loaders import load_bytes, sniff
from rag.ingestion.loaders.compressed_rtf import decompress_rtf
from rag.ingestion.loaders.limits import Bounds

TABLE = "| Item | Price |\n| --- | --- |\n| Lamp | 19.9 |\n| Größe | 250 |"


@pytest.mark.parametrize(
    ("make", "name", "media_type"),
    [
        (xls, "a.xls", "application/vnd.ms-excel"),
        (xlsb, "a.xlsb", "application/vnd.ms-excel.sheet.binary.macroenabled.12"),
        (ods, "a.ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ],
)
@pytest.mark.parametrize("own_name", [True, False])
def test_sheets_of_every_kind_are_tables(make: object, name: str, media_type: str, own_name: bool) -> None:
    data = make()  # type: ignore[operator]
    document = load_bytes(data, name if own_name else "a.txt")
    assert document.media_type == media_type
    assert document.text == TABLE
    assert document.sections[0].headings == ("Prices", "rows 2-3")


def test_an_old_workbook_keeps_dates_truth_values_and_the_lines_above_its_table() -> None:
    rows = [["Price list", None, None], ["Item", "From", "Open"], ["Lamp", date(2031, 3, 1), True]]
    text = load_bytes(xls(rows), "a.xls").text
    assert text == "Price list\n\n| Item | From | Open |\n| --- | --- | --- |\n| Lamp | 2031-03-01 | TRUE |"


def test_hidden_sheets_are_left_out_with_a_note() -> None:
    document = load_bytes(xls(hidden=True), "a.xls")
    assert "hidden words" not in document.text
    (note,) = document.notes
    assert (note.kind, note.place, bool(note.remedy)) == ("hidden_content", "sheet Secret", True)


def test_a_workbook_at_which_its_library_fails_is_broken() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(xlsb())) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"" if name.endswith("workbook.bin.rels") else old.read(name))
    with pytest.raises(DocumentError) as refused:
        load_bytes(made.getvalue(), "a.xlsb")
    assert (refused.value.reason, "its library failed" in refused.value.message) == ("broken", True)


def test_a_merged_cell_is_repeated_in_each_of_its_places() -> None:
    import xlwt

    book = xlwt.Workbook()
    sheet = book.add_sheet("Prices")
    for column, name in enumerate(("Pier", "Ship", "Price"), start=1):
        sheet.write(3, column, name)
    sheet.write_merge(4, 5, 1, 1, "Four")
    for row, (ship, price) in enumerate((("Ann", 12), ("Tom", 14), ("Eva", 9)), start=4):
        sheet.write(row, 2, ship)
        sheet.write(row, 3, price)
    sheet.write(6, 1, "Five")
    stream = io.BytesIO()
    book.save(stream)
    document = load_bytes(stream.getvalue(), "a.xls")
    assert document.text.splitlines()[2:] == ["| Four | Ann | 12 |", "| Four | Tom | 14 |", "| Five | Eva | 9 |"]
    assert document.sections[0].headings == ("Prices", "rows 5-7")


def test_a_hidden_slide_is_left_out_with_a_note() -> None:
    style = (
        '<style:style xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" style:name="dp2">'
        '<style:drawing-page-properties presentation:visibility="hidden"/></style:style>'
    )
    change = {
        b"<office:body>": f"<office:automatic-styles>{style}</office:automatic-styles><office:body>".encode(),
        b"</draw:page><draw:page>": b'</draw:page><draw:page draw:style-name="dp2">',
    }
    document = load_bytes(rewritten(odp(), change, "content.xml"), "a.odp")
    assert "Prices" not in document.text
    (note,) = document.notes
    assert (note.kind, note.place) == ("hidden_content", "slide 2")


def test_slides_are_read_by_position_with_exponents_and_without_struck_text() -> None:
    def style(name: str, look: str) -> str:
        return f'<s:style s:name="{name}"><s:text-properties s:{look}/></s:style>'

    looks = style("up", 'text-position="super 58%"') + style("no", 'text-line-through-style="solid"')
    spaces = "xmlns:s='urn:oasis:names:tc:opendocument:xmlns:style:1.0' xmlns:v='urn:svg'"
    spans = "10<text:span text:style-name='up'>6</text:span> cells<text:span text:style-name='no'> often</text:span>"
    boxes = "".join(
        f"<draw:frame v:x='1cm' v:y='{y}' v:width='9cm' v:height='1cm'><draw:text-box><text:p>{text}"
        "<office:annotation><text:p>Why?</text:p></office:annotation></text:p></draw:text-box></draw:frame>"
        for y, text in (("9cm", "last"), ("20mm", spans))
    )
    change = {
        b"<office:body>": f"<office:automatic-styles {spaces}>{looks}</office:automatic-styles><office:body>".encode(),
        b"<draw:page>": f"<draw:page {spaces}>{boxes}".encode(),
    }
    document = load_bytes(rewritten(odp(), change, "content.xml"), "a.odp")
    assert document.text.startswith("# Leases\n\n10^6 cells\n\nlast\n\n")
    assert {note.kind for note in document.notes} == {"struck_through", "comments"}


def test_a_presentation_has_a_section_for_each_slide() -> None:
    document = load_bytes(odp(), "a.odp")
    assert document.title == "Leases"
    assert document.pages == 2
    one, two = (document.text[section.start : section.end] for section in document.sections)
    assert one == f"# Leases\n\n- {LEASE}\n  - old lamps\n\nNotes: Say it slowly."
    assert two == f"# Prices\n\n{TABLE}"
    assert [(section.page, section.headings) for section in document.sections] == [(1, ("Leases",)), (2, ("Prices",))]


def test_rich_text_is_read_in_any_code_page_without_what_is_not_shown() -> None:
    document = load_bytes(rtf(), "a.txt")
    assert document.media_type == "application/rtf"
    assert document.title == "Harbour manual"
    assert document.text == (
        f"Page head\n\nLeases\n\n{LEASE}\n\nFläche 10^2 Причал ąę €5 😀\n\n"
        "| Item | Price |\n| --- | --- |\n| Lamp | 19.90 |\n\nSee the list [of 2031]."
    )


@pytest.mark.parametrize("number", [20_000, 80_000])
def test_broken_rich_text_ends_soon(number: int) -> None:
    for piece in (b"{", b"}", b"{\\*", b"\\'", b"\\u5", b"\\cell\\row"):
        data = b"{\\rtf1 words " + piece * number
        assert "words" in load_bytes(data, "a.rtf").text


@pytest.mark.parametrize("wide", [True, False])
def test_an_outlook_message_is_read_with_its_attachments(wide: bool) -> None:
    attachments = {
        "prices.csv": b"Item,Price\nLamp,19.9\n",
        "photo.heic": b"\x00\x00\x00\x18ftypheic" + bytes(64),
        "big.txt": b"Quay. " * 2000,
    }
    document = load_bytes(msg("Причал закрыт до конца мая.", attachments, wide=wide), "a.msg")
    assert document.media_type == "application/vnd.ms-outlook"
    assert document.title == "Lease of Pier 4"
    assert document.text.startswith(
        "From: Ada Brill <ada@example.org>\nTo: Tom Wick\nDate: 2031-03-01 16:00 UTC\nSubject: Lease of Pier 4\n\n"
        "Причал закрыт до конца мая."
    )
    assert "| Lamp | 19.9 |" in document.text
    assert "[attachment photo.heic was not read: it is a HEIC or AVIF picture" in document.text
    (note,) = document.notes
    assert (note.kind, note.place) == ("attachment_not_read", "attachment photo.heic")
    assert "it is a HEIC or AVIF picture" in note.text
    assert document.text.count("Quay.") == 2000
    assert ("Lease of Pier 4", "attachment prices.csv") in [section.headings[:2] for section in document.sections]


def test_a_message_of_html_only_is_read() -> None:
    assert LEASE in load_bytes(msg("", html=f"<html><body><p>{LEASE}</p></body></html>"), "a.msg").text


def test_the_fuller_form_of_a_message_is_read() -> None:
    html = f"<html><body><p>{LEASE}</p></body></html>"
    assert LEASE in load_bytes(msg("Please see the HTML version.", html=html), "a.msg").text


def item(kind: str, texts: dict[str, str], times: dict[int, datetime] | None = None, names: bytes = b"") -> bytes:
    """Return an Outlook item with narrow texts, which end in a zero byte as some programs write them."""
    begin = datetime(1601, 1, 1, tzinfo=UTC)
    fixed = b"".join(
        struct.pack("<HHIQ", 0x40, tag, 6, int((time - begin).total_seconds()) * 10**7)
        for tag, time in (times or {}).items()
    )
    tree = {f"__substg1.0_{tag}001E": text.encode() + b"\0" for tag, text in {"001A": kind, **texts}.items()}
    return ole({
        "__properties_version1.0": bytes(32) + fixed, "__nameid_version1.0": {"__substg1.0_00030102": names}, **tree,
    })  # fmt: skip


def test_an_appointment_has_its_times_and_its_place() -> None:
    times = {0x8009: datetime(2031, 3, 1, 9, tzinfo=UTC), 0x61: datetime(2031, 3, 1, 10, 30, tzinfo=UTC)}
    names = b"".join(struct.pack("<IHH", name, 4, place) for name, place in ((0x8205, 0), (0x8208, 7), (0x820D, 9)))
    texts = {"0037": "Survey", "0E04": "Tom Wick", "8007": "Pier 4"}
    document = load_bytes(item("IPM.Appointment", texts, times, names), "a.msg")
    assert document.text.splitlines() == [
        "To: Tom Wick", "Subject: Survey", "Start: 2031-03-01 09:00 UTC", "End: 2031-03-01 10:30 UTC",
        "Location: Pier 4",
    ]  # fmt: skip
    assert document.notes == ()


def test_a_contact_has_its_fields() -> None:
    texts = {"0037": "Ada Brill", "3A16": "Harbour Ltd", "3A08": "01632 960417", "8001": "ada@example.org"}
    document = load_bytes(item("IPM.Contact", texts, names=struct.pack("<IHH", 0x8083, 4, 1)), "a.msg")
    assert document.text.splitlines() == [
        "Subject: Ada Brill", "Company: Harbour Ltd", "Phone: 01632 960417", "E-mail: ada@example.org",
    ]  # fmt: skip


def test_a_text_that_is_stored_as_compressed_rtf_only_is_read() -> None:
    rtf = rb"{\rtf1 " + LEASE.encode() + b"}"
    stored = struct.pack("<II4sI", len(rtf) + 12, len(rtf), b"MELA", 0) + rtf
    assert LEASE in load_bytes(msg("", rtf=stored), "a.msg").text
    document = load_bytes(msg("", rtf=b"x" * 40), "a.msg")
    assert [note.kind for note in document.notes] == ["body_not_readable"]


def test_the_compression_of_rtf_is_undone() -> None:
    """The examples of MS-OXRTFCP."""
    plain = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    )
    crossing = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")
    assert decompress_rtf(plain) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    assert decompress_rtf(crossing) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"
    for length in range(len(plain)):
        with contextlib.suppress(ValueError):
            assert decompress_rtf(plain).startswith(decompress_rtf(plain[:length]))


def test_a_message_inside_a_message_is_read_to_a_depth() -> None:
    inner = {"__substg1.0_0037001F": "Inner".encode("utf-16-le"), "__substg1.0_1000001F": LEASE.encode("utf-16-le")}
    tree = {
        "__properties_version1.0": bytes(32),
        "__substg1.0_1000001F": "Outer".encode("utf-16-le"),
        "__attach_version1.0_#00000000": {"__substg1.0_3701000D": inner},
    }
    data = ole(tree)
    assert LEASE in load_bytes(data, "a.msg").text
    (note,) = load_bytes(data, "a.msg", Bounds(attachment_depth=1)).notes
    assert "too many other messages" in note.text


@pytest.mark.parametrize(
    ("stream", "reason", "word"),
    [
        ("WordDocument", "old format", ".doc)"),
        ("PowerPoint Document", "old format", ".ppt)"),
        ("EncryptedPackage", "encrypted", "encrypted"),
    ],
)
def test_a_sound_ole_file_of_another_kind_is_named(stream: str, reason: str, word: str) -> None:
    with pytest.raises(DocumentError) as refused:
        sniff(ole({stream: bytes(100)}), "a.doc")
    assert refused.value.reason == reason
    assert word in refused.value.message
