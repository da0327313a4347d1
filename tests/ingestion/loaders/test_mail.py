"""Messages: which form of a text is read, what else a message holds, and what of it is noted."""

from __future__ import annotations

from base64 import b64encode
from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
from format_samples import pdf
from hypothesis import given
from hypothesis import strategies as st

from rag.ingestion.loaders import load_bytes
from rag.ingestion.loaders.calendar_text import calendar_text
from rag.ingestion.loaders.mail_body import fuller, unflowed
from rag.types import Document

HEAD = b"From: Ann <a@example.org>\nTo: bo@example.org\nSubject: Berth\nMIME-Version: 1.0\n"


def read(data: bytes) -> Document:
    return load_bytes(data, "a.eml")


def body(document: Document) -> str:
    """Return the text below the headers."""
    return document.text.partition("Subject: Berth\n\n")[2]


def message(plain: str | None, html: str | None) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Ann <a@example.org>", "bo@example.org", "Berth"
    if plain is not None:
        made.set_content(plain)
    if html is not None:
        made.add_alternative(html, subtype="html") if plain is not None else made.set_content(html, subtype="html")
    return made


LONG = "The berth costs 900 crowns a day. " + " ".join(f"Line {n} of the terms." for n in range(20))


@pytest.mark.parametrize(
    ("plain", "html", "expected"),
    [
        (" \n", "<p>Your balance is 4,310 euros.</p>", "Your balance is 4,310 euros."),
        ("Your mail program does not show HTML. Please open this message in a browser.",
         "<p>Order 7781 will be delivered on Friday, 7 March 2031.</p>",
         "Order 7781 will be delivered on Friday, 7 March 2031."),
        ("The berth costs 900 crowns.", "<p>The <b>berth</b> costs 900 crowns.</p>", "The berth costs 900 crowns."),
        ("The berth costs 900 crowns.", "<img src='x'>", "The berth costs 900 crowns."),
        ("The berth costs 900 crowns.", f"<p>{LONG}</p>", LONG),
        (LONG, "<p>Please see below.</p>", LONG),
        (None, "<p>The berth costs 900 crowns.</p>", "The berth costs 900 crowns."),
    ],
)  # fmt: skip
def test_of_two_forms_of_a_text_the_fuller_one_is_read(plain: str | None, html: str, expected: str) -> None:
    document = read(bytes(message(plain, html)))
    assert body(document).strip() == expected
    assert document.notes == ()


def test_two_long_texts_that_differ_are_both_read() -> None:
    other = "Wholly other words: " + " ".join(f"alpha{n} beta{n}" for n in range(60))
    assert fuller(LONG, other) == f"{LONG}\n\n{other}"


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_text_that_is_there_is_never_lost_for_a_blank_one(plain: str, html: str) -> None:
    chosen = fuller(plain, html)
    assert chosen.strip() or not (plain.strip() and any(map(str.isalnum, plain)))
    assert fuller(plain, "") == (plain if any(c.isalnum() for c in plain) else "")
    assert fuller(plain, plain) == plain


def test_every_text_of_a_message_is_read_in_order() -> None:
    made = MIMEMultipart("mixed")
    made["Subject"] = "Berth"
    made.attach(MIMEText("<p>The contract is below.</p>", "html"))
    made.attach(MIMEText("Sent from the harbour list.", "plain"))
    assert body(read(bytes(made))) == "The contract is below.\n\nSent from the harbour list."


def test_html_in_several_pieces_around_a_file_is_whole() -> None:
    mixed = MIMEMultipart("mixed")
    mixed.attach(MIMEText("<p>The prices of March for every berth:</p>", "html"))
    mixed.attach(attached := MIMEText("Name,Tons\nAurora,1200\n", "csv"))
    attached.add_header("Content-Disposition", "inline", filename="ships.csv")
    mixed.attach(MIMEText("<p>Please pay before the first of April.</p>", "html"))
    made = MIMEMultipart("alternative")
    made["Subject"] = "Berth"
    made.attach(MIMEText("See the HTML.", "plain"))
    made.attach(mixed)
    document = read(bytes(made))
    for words in ("prices of March", "first of April", "Aurora"):
        assert words in document.text
    assert "See the HTML" not in document.text


def test_a_message_that_is_one_file_is_read() -> None:
    made = EmailMessage()
    made["Subject"] = "Berth"
    made.set_content(pdf(), maintype="application", subtype="pdf")
    document = read(bytes(made))
    assert [s.page for s in document.sections] == [None, 1, 2]
    assert document.sections[1].headings == ("Berth", "attachment application.pdf")


CALENDAR = """\
BEGIN:VCALENDAR\r
METHOD:REQUEST\r
BEGIN:VTIMEZONE\r
TZID:Europe/Oslo\r
END:VTIMEZONE\r
BEGIN:VEVENT\r
SUMMARY:Survey of the winch\\, berth 4\r
DTSTART;TZID=Europe/Oslo:20310307T093000\r
DTEND;TZID="Europe/Oslo":20310307T110000\r
LOCATION:Pier 2\r
ORGANIZER;CN="Lee, Ann":mailto:ann@example.org\r
ATTENDEE;ROLE=REQ-PARTICIPANT:MAILTO:bo@example.org\r
DESCRIPTION:Bring the log\\nand the long \r
 key.\r
BEGIN:VALARM\r
DESCRIPTION:Reminder\r
END:VALARM\r
END:VEVENT\r
BEGIN:VEVENT\r
SUMMARY:Dry dock\r
DTSTART;VALUE=DATE:20310401\r
DTEND:20310402T080030Z\r
END:VEVENT\r
END:VCALENDAR\r
"""


def test_a_calendar_is_read_as_what_when_where_and_who() -> None:
    expected = (
        "Event: Survey of the winch, berth 4"
        "\nBegin: 2031-03-07 09:30 (Europe/Oslo)\nEnd: 2031-03-07 11:00 (Europe/Oslo)"
        "\nPlace: Pier 2\nOrganizer: Lee, Ann <ann@example.org>\nAttendee: bo@example.org"
        "\nDescription: Bring the log\nand the long key."
        "\n\nEvent: Dry dock\nBegin: 2031-04-01\nEnd: 2031-04-02 08:00:30 UTC"
    )
    assert calendar_text(CALENDAR) == expected
    made = message("You are invited.", None)
    made.add_alternative(CALENDAR, subtype="calendar")
    document = read(bytes(made))
    assert "You are invited." in document.text
    assert expected in document.text


@given(st.text(alphabet='BEGIN:VEVENTD\r\n ;=\\"SUMARY0123T', max_size=200))
def test_any_text_as_a_calendar_ends(text: str) -> None:
    assert isinstance(calendar_text(text), str)


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("The gate will be \nclosed.\n> a \n> b\nend", "The gate will be closed.\n> a b\nend"),
        ("one \n-- \nAnn \nLee", "one \n-- \nAnn Lee"),
        (" >not quoted", ">not quoted"),
        ("no flow\nat all", "no flow\nat all"),
    ],
)
def test_flowed_lines_are_joined(text: str, joined: str) -> None:
    assert unflowed(text) == joined


def test_a_flowed_message_is_read_with_whole_sentences() -> None:
    data = HEAD + b"Content-Type: text/plain; charset=utf-8; format=flowed\n\nThe gate is closed on \nSaturday.\n"
    assert body(read(data)).strip() == "The gate is closed on Saturday."


@pytest.mark.parametrize(
    ("content_type", "sentence"),
    [
        (
            'application/pkcs7-mime; smime-type=signed-data; name="smime.p7m"',
            "its text is in a damaged S/MIME signature",
        ),
        ('application/x-pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"', "its text is encrypted (S/MIME)"),
        ('multipart/encrypted; protocol="application/pgp-encrypted"; boundary="b"', "its text is encrypted"),
    ],
)
def test_a_body_that_cannot_be_read_is_noted(content_type: str, sentence: str) -> None:
    inner = b"--b\nContent-Type: application/octet-stream\n\nabc\n--b--\n"
    document = read(HEAD + f"Content-Type: {content_type}\n\n".encode() + inner)
    [note] = document.notes
    assert (note.kind, note.text) == ("body_not_readable", sentence)
    assert "abc" not in document.text
    assert document.title == "Berth"


def test_a_signed_message_is_read_and_its_signature_is_not_noted() -> None:
    made = MIMEMultipart("signed")
    made["Subject"] = "Berth"
    made.attach(MIMEText("The berth costs 900 crowns.", "plain"))
    made.attach(signature := MIMEText("x", "plain"))
    signature.replace_header("Content-Type", 'application/pkcs7-signature; name="smime.p7s"')
    document = read(bytes(made))
    assert body(document) == "The berth costs 900 crowns."
    assert document.notes == ()


def enveloped(content: bytes) -> bytes:
    """Return content inside an S/MIME signature, without signers."""
    from asn1crypto import cms

    inner = {"content_type": "data", "content": content}
    signed = cms.SignedData({"version": "v1", "digest_algorithms": [], "encap_content_info": inner, "signer_infos": []})
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump())


def test_a_message_inside_its_signature_is_read_with_its_attachments() -> None:
    inside = message("The berth costs 900 crowns.", None)
    inside.add_attachment(b"Item,Price\nLamp,19.90\n", maintype="text", subtype="csv", filename="prices.csv")
    made = EmailMessage()
    made["Subject"] = "Berth"
    made.add_attachment(enveloped(bytes(inside)), maintype="application", subtype="pkcs7-mime", filename="smime.p7m")
    for whole in (bytes(made), bytes(made).replace(b"Content-Disposition: attachment;", b"X-Disposition: x;")):
        document = read(whole)
        assert "The berth costs 900 crowns." in document.text
        assert "| Lamp | 19.90 |" in document.text
        assert document.notes == ()


@pytest.mark.parametrize("subtype", ["pkcs7-mime", "octet-stream"])
def test_a_signed_file_is_read_and_a_damaged_one_is_noted(subtype: str) -> None:
    made = message("See attached.", None)
    for content, name in (
        (enveloped(b"Item,Price\nLamp,19.90\n"), "prices.csv.p7m"),
        (bytes(64) + b"x", "bad.csv.p7m"),
    ):
        made.add_attachment(content, maintype="application", subtype=subtype, filename=name)
    document = read(bytes(made))
    assert "| Lamp | 19.90 |" in document.text
    assert "attachment prices.csv" in [
        section.headings[-2] for section in document.sections if len(section.headings) > 1
    ]
    [note] = document.notes
    assert note.kind == ("body_not_readable" if subtype == "pkcs7-mime" else "attachment_not_read")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig"])
def test_a_message_that_was_saved_in_another_unicode_is_parsed(encoding: str) -> None:
    data = (HEAD + b"Content-Type: text/plain; charset=utf-8\n\nThe gate is closed.\n").decode().encode(encoding)
    document = load_bytes(data, "a.eml")
    assert document.title == "Berth"
    assert body(document).strip() == "The gate is closed."


def test_an_attached_message_in_base64_is_read() -> None:
    inner = b64encode(HEAD + b"\nThe gate is closed.\n").decode()
    part = f"--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{inner}\n--b--\n"
    document = read(HEAD + f'Content-Type: multipart/mixed; boundary="b"\n\n{part}'.encode())
    assert "The gate is closed." in document.text


def test_attachments_that_were_not_read_are_noted_with_reason_and_remedy() -> None:
    made = message("See attached.", None)
    made.add_attachment(b'x\x9f>"', maintype="application", subtype="ms-tnef", filename="winmail.dat")
    made.add_attachment(b"PK\x03\x04", maintype="application", subtype="zip", filename="all.zip")
    made.add_attachment(b"Good words.", maintype="text", subtype="plain", filename="good.txt")
    document = read(bytes(made))
    assert [(note.kind, note.place) for note in document.notes] == [
        ("attachment_not_read", "attachment winmail.dat"), ("attachment_not_read", "attachment all.zip"),
    ]  # fmt: skip
    assert "Outlook" in document.notes[0].text
    assert all(note.remedy for note in document.notes)
    assert "[attachment winmail.dat was not read" in document.text
    assert "Good words." in document.text


def test_the_notes_of_an_attachment_name_it() -> None:
    inner = message("See attached.", None)
    inner.add_attachment(b"PK\x03\x04", maintype="application", subtype="zip", filename="all.zip")
    outer = message("Forwarded.", None)
    outer.add_attachment(inner)
    [note] = read(bytes(outer)).notes
    assert note.place == "attachment message.rfc822, attachment all.zip"


def test_a_report_of_delivery_is_read() -> None:
    data = HEAD + (
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n--b\n\nIt failed.\n'
        b"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n"
        b"Final-Recipient: rfc822; bo@example.org\nAction: failed\n--b--\n"
    )
    assert [line for line in body(read(data)).splitlines() if line] == [
        "It failed.",
        "Reporting-MTA: dns; mx.example.org",
        "Final-Recipient: rfc822; bo@example.org",
        "Action: failed",
    ]


def test_a_multipart_message_without_parts_keeps_its_text() -> None:
    assert "The berth" in read(HEAD + b"Content-Type: multipart/mixed; boundary=b\n\nThe berth is free.\n").text


def test_struck_text_of_a_message_is_left_out_and_noted() -> None:
    document = read(
        bytes(message(None, "<p>The fee is <s>30</s> 31 euros.</p><div style='display:none'>preview</div>"))
    )
    assert body(document) == "The fee is 31 euros."
    assert [note.kind for note in document.notes] == ["struck_through"]
