"""Text in any encoding is read rightly; what was guessed or replaced is noted."""

from __future__ import annotations

import codecs
import unicodedata
from email.message import EmailMessage
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rag.ingestion.loaders import load_bytes
from rag.ingestion.loaders.declared_encoding import codec_of, declared_label
from rag.ingestion.loaders.decoding import decode_bytes
from rag.ingestion.loaders.text import as_utf8, decode, looks_binary
from rag.types import Document

LANGUAGES = yaml.safe_load((Path(__file__).parents[3] / "benchmarks" / "encodings.yaml").read_text(encoding="utf-8"))
GERMAN = "Die Gebühr für den Liegeplatz beträgt zwölf Euro und wird im Büro bezahlt.\n"
RUSSIAN = "Стоянка у северного причала закрыта до конца мая. Оплата производится в конторе порта.\n"
CHINESE = "泊位每天收费九百元，请到港口办公室缴纳。朱镕基先生来访。\n"
JAPANESE = "係留料は一日九百円です。㈱潮風、担当は髙橋、第①桟橋。\n"


def kinds(document: Document) -> list[str]:
    return [note.kind for note in document.notes]


# Guesses --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "page"), [(language, page) for language, entry in LANGUAGES.items() for page in entry["pages"]]
)
def test_a_text_of_a_few_sentences_is_read_in_every_code_page_of_its_language(language: str, page: str) -> None:
    sentences = "\n".join(LANGUAGES[language]["text"])
    data = sentences.encode(page, "ignore")
    document = load_bytes(data, "a.txt")
    assert document.text == unicodedata.normalize("NFC", data.decode(page))
    assert kinds(document) == (["encoding_guessed"] if not data.isascii() else [])


def test_a_guess_says_which_encoding_and_what_to_do() -> None:
    (note,) = load_bytes(RUSSIAN.encode("cp1251"), "a.txt").notes
    assert "cp1251" in note.text
    assert "save the file as UTF-8" in note.remedy


@pytest.mark.parametrize("text", ["Non è un problema.", "São Paulo não é longe.", "Der Preis: 12 € – „netto“."])
def test_a_short_text_with_few_accents_is_western(text: str) -> None:
    assert decode(text.encode("cp1252")) == text


def test_a_late_accent_in_a_long_text_is_found() -> None:
    data = b"The pump ran all night.\n" * 20_000 + RUSSIAN.encode("koi8-r")
    assert decode(data).endswith(RUSSIAN)


# UTF-8 with wrong bytes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [GERMAN, RUSSIAN, CHINESE, JAPANESE])
@pytest.mark.parametrize("wrong", [b"\xff", b"\xfc", b"\xe9"])
def test_one_wrong_byte_in_utf8_costs_one_character(text: str, wrong: bytes) -> None:
    whole = text.encode() * 3
    document = load_bytes(whole + wrong + b" " + whole, "a.txt")
    assert document.text == text * 3 + "\ufffd " + text * 3
    (note,) = document.notes
    assert note.kind == "replaced_characters"
    assert note.text.startswith("1 character ")


@given(st.sampled_from([GERMAN, RUSSIAN, CHINESE]), st.integers(0, 3), st.integers(0, 3))
def test_a_text_cut_inside_a_character_is_utf8(text: str, start: int, end: int) -> None:
    encoded = ("ü" + text + "ж").encode()
    data = encoded[start : len(encoded) - end]
    read = decode_bytes(data)
    assert read.encoding == "utf-8"
    assert read.text.strip("\ufffd") in "ü" + text + "ж"
    assert text[4:-4] in read.text
    assert read.text.count("\ufffd") <= 2


def test_the_replaced_characters_are_counted() -> None:
    (note,) = load_bytes((GERMAN.encode() + b"\xff\n") * 7, "a.log").notes
    assert note.text.startswith("7 characters ")


# UTF-16 and UTF-32 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("language", ["de", "ru", "el", "he", "ja", "zh-hans", "ko", "th"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_wide_unicode_is_read_with_and_without_its_mark(encoding: str, language: str, mark: str) -> None:
    text = "\n".join(LANGUAGES[language]["text"])
    document = load_bytes((mark + text).encode(encoding), "a.txt")
    assert document.text == text
    assert not document.notes


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    ("name", "text", "media_type"),
    [
        ("a.csv", "name;price\nquay;12\npier;14\n", "text/csv"),
        ("a.json", '{"quay": "twelve euros"}', "application/json"),
        ("a.html", "<!doctype html><html><body><p>Twelve euros.</p></body></html>", "text/html"),
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nTwelve euros.\n", "application/x-subrip"),
        ("a.xml", '<?xml version="1.0" encoding="utf-16"?><quay>Twelve euros</quay>', "application/xml"),
    ],
)
def test_every_format_of_text_is_read_without_a_mark(encoding: str, name: str, text: str, media_type: str) -> None:
    document = load_bytes(text.encode(encoding), name)
    assert document.media_type == media_type
    assert "12" in document.text or "welve euros" in document.text


@pytest.mark.parametrize(
    "data",
    [bytes(range(256)) * 8, b"\x00" * 64, b"\x00\x01" * 99, b"\x7fELF\x02\x01\x01" + bytes(57) * 4],
)
def test_binary_data_with_zeros_is_no_text(data: bytes) -> None:
    assert looks_binary(data)


# Declared labels ------------------------------------------------------------------------------------------------------


def page_of(label: str, text: str) -> str:
    return f'<html><head><meta charset="{label}"><title>t</title></head><body><p>{text}</p></body></html>'


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("gb2312", "gb18030", CHINESE),
        ("gbk", "gb18030", CHINESE),
        ("shift_jis", "cp932", JAPANESE),
        ("x-sjis", "cp932", JAPANESE),
        ("euc-jp", "euc_jis_2004", "第①桟橋。係留料は一日九百円です。"),
        ("iso-2022-jp", "iso2022_jp", "係留料は一日九百円です。"),
        ("euc-kr", "cp949", "펲시맨 뷁 똠방각하. 정박료는 구백 원입니다."),
        ("ks_c_5601-1987", "cp949", "펲시맨 뷁 똠방각하. 정박료는 구백 원입니다."),
        ("big5", "cp950", "泊位每天九百元。碁銹裏墻恒粧嫺。"),
        ("iso-8859-1", "cp1252", "The fee is 31 € – “net”, hours 8–17."),
        ("us-ascii", "cp1252", "The fee is 31 € – “net”."),
        ("iso-8859-9", "cp1254", "Bağlama ücreti 12 € – “net”."),
        ("tis-620", "cp874", "ค่าจอดเรือ 12 € วันละ"),
        ("iso-8859-2", "iso8859-2", "Święta: dwanaście złotych."),
        ("windows-1251", "cp1251", RUSSIAN.strip()),
        ("us-ascii", "utf-8", "Die Gebühr ist 5 €."),
        ("cp850", "cp850", "Die Gebühr beträgt ½ Øre."),
    ],
)
def test_a_label_means_what_it_means_in_browsers(label: str, codec: str, text: str) -> None:
    text = text.strip()
    document = load_bytes(page_of(label, text).encode(codec), "a.html")
    assert document.text.strip() == text
    assert not document.notes

    message = EmailMessage()
    message["Subject"] = "S"
    message["From"] = "a@example.org"
    message["Content-Type"] = f"text/plain; charset={label}"
    message["Content-Transfer-Encoding"] = "8bit"
    data = message.as_bytes() + b"\n" + text.encode(codec)
    assert load_bytes(data, "a.eml").text.endswith(text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.xml", '<?xml version="1.0" encoding="koi8-r"?>\n<a><b>Цены</b></a>'),
        ("a.html", '<html><head><meta http-equiv="Content-Type" content="text/html; charset=koi8-r"></head>Цены'),
        ("a.py", "#!/usr/bin/python\n# -*- coding: koi8-r -*-\nx = 'Цены'\n"),
        ("a.css", '@charset "koi8-r";\na::after { content: "Цены" }\n'),
        ("a.tex", "\\documentclass{article}\n\\usepackage[koi8-r]{inputenc}\n\\begin{document}Цены\\end{document}\n"),
        ("a.el", ";; coding: koi8-r-unix\n(Цены)\n"),
    ],
)
def test_each_format_declares_in_its_own_way(name: str, text: str) -> None:
    document = load_bytes(text.encode("koi8-r"), name)
    assert "Цены" in document.text
    assert not document.notes


def test_a_declared_utf8_page_keeps_its_one_wrong_byte() -> None:
    data = page_of("utf-8", "Caf\xe9 by the pier.").encode("latin-1")
    document = load_bytes(data, "a.html")
    assert "Caf\ufffd by the pier." in document.text
    assert kinds(document) == ["replaced_characters"]


def test_a_false_label_is_not_believed() -> None:
    document = load_bytes(page_of("utf-8", RUSSIAN).encode("cp1251"), "a.html")
    assert document.text.strip() == RUSSIAN.strip()
    assert kinds(document) == ["encoding_guessed"]


def test_a_meta_tag_in_a_comment_or_in_a_text_declares_nothing() -> None:
    assert not declared_label(b'<!-- <meta charset="koi8-r"> --><html>')
    assert not declared_label(b'Write <meta charset="koi8-r"> into the page.')


@pytest.mark.parametrize(
    "label", ["hex", "rot13", "zlib", "idna", "unicode_escape", "x-unknown", "replacement", "\x00"]
)
def test_what_is_no_encoding_of_text_has_no_codec(label: str) -> None:
    assert codec_of(label) is None


# Mail -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "text"),
    [("cp1251", RUSSIAN), ("cp1252", GERMAN), ("iso2022_jp", "係留料は九百円です。"), ("utf-8", GERMAN)],
)
@pytest.mark.parametrize("charset", ["", "; charset=x-unknown"])
def test_mail_without_a_true_charset_is_read(codec: str, text: str, charset: str) -> None:
    head = f"From: a@example.org\nTo: b@example.org\nSubject: S\nContent-Type: text/plain{charset}\n\n"
    assert text.strip() in load_bytes(head.encode() + text.encode(codec), "a.eml").text


@pytest.mark.parametrize("codec", ["utf-8", "cp1251", "koi8-r"])
def test_a_subject_of_bare_bytes_is_read(codec: str) -> None:
    subject = RUSSIAN.strip()
    data = b"From: a@example.org\nSubject: " + subject.encode(codec) + b"\nMessage-ID: <1@x>\n\nHello\n"
    assert load_bytes(data, "a.eml").title == subject


def test_an_attached_text_is_read_by_its_charset() -> None:
    message = EmailMessage()
    message["From"], message["Subject"] = "a@example.org", "S"
    message.set_content("See below.")
    attached = page_of("gb2312", "朱镕基").encode("gb18030")
    message.add_attachment(attached, maintype="text", subtype="html", filename="a.html")
    message.add_attachment(RUSSIAN, charset="koi8-r", filename="b.txt")
    text = load_bytes(message.as_bytes(), "a.eml").text
    assert "朱镕基" in text
    assert RUSSIAN.strip() in text


# Twice encoded --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "page"), [(GERMAN, "cp1252"), (RUSSIAN, "cp1251"), ("Prix : 12 € – « l’été »", "cp1252")]
)
def test_a_text_that_was_encoded_twice_is_decoded_twice(text: str, page: str) -> None:
    wrong = "".join(bytes([b]).decode(page, "ignore") or chr(b) for b in text.encode())
    document = load_bytes(wrong.encode(), "a.txt")
    assert document.text == text
    assert kinds(document) == ["encoded_twice"]


@pytest.mark.parametrize("text", [*("\n".join(entry["text"]) for entry in LANGUAGES.values()), "Ã¼", "Её"])
def test_right_utf8_stays(text: str) -> None:
    data = unicodedata.normalize("NFC", text).encode()
    assert as_utf8(data) == (data, ())


# Properties -----------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=300))
def test_decoding_never_fails_and_its_text_is_normal(data: bytes) -> None:
    text = decode(data)
    assert text == unicodedata.normalize("NFC", text)
    assert "\r" not in text
    assert "\x00" not in text
    again, notes = as_utf8(data)
    assert decode(again) == text
    assert again is data or notes or again[:3] == codecs.BOM_UTF8


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
def test_utf8_is_read_as_it_is(text: str) -> None:
    read = decode_bytes(text.encode("utf-8-sig")).text
    assert read == text or "encoded_twice" in [note.kind for note in decode_bytes(text.encode("utf-8-sig")).notes]
