"""The form in which words are compared, and what a word index finds by it."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexes.search.lexical_tantivy import TantivyIndex
from indexes.search.matching_form import folded, matching_form


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("café", "CAFE"), ("cafe\u0301", "café"), ("naïve Ångström", "naive angstrom"), ("ёлка", "елка"),
        ("Straße", "strasse"), ("İstanbul ırmak", "istanbul irmak"), ("Łódź", "lodz"), ("Ærø", "aero"),
        ("ＡＢＣ　５００", "abc 500"), ("ﬁne ﬂow", "fine flow"), ("ｶﾞｿﾘﾝ", "ガソリン"), ("№ 5", "no 5"),
        ("10⁶ m²", "10^6 m^2"), ("3½", "3 1/2"), ("co\u00adoperate", "cooperate"), ("الرُّسُوم", "الرسوم"),
        ("أحمد", "احمد"), ("Ἀθῆναι", "αθηναι"), ("don’t", "don't"), ("x\u2011ray", "x-ray"),
    ],
)  # fmt: skip
def test_ways_of_writing_a_word_are_one(one: str, other: str) -> None:
    assert matching_form(one) == matching_form(other)


@pytest.mark.parametrize(
    ("one", "other"), [("мой", "мои"), ("ข้าว", "ขาว"), ("かき", "かぎ"), ("की", "के"), ("10⁶", "106")]
)
def test_different_words_stay_different(one: str, other: str) -> None:
    assert matching_form(one) != matching_form(other)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("泊位收费。", ["泊位", "位收", "收费", "。"]),
        ("料金は500円", ["料金", "金は", "500", "円"]),
        ("ท่าเรือ", ["ท่า", "าเ", "เรื", "รือ"]),
        ("សេវា", ["សេវា"]),
        ("정박료는 하루", ["정박", "박료", "료는", "하루"]),
        ("猫", ["猫"]),
        ("the net", ["the", "net"]),
    ],
)
def test_scripts_without_spaces_are_cut_into_pairs(text: str, words: list[str]) -> None:
    assert matching_form(text).split() == [unicodedata.normalize("NFKC", word) for word in words]


@given(st.text(st.characters(codec="cp1252") | st.sampled_from("泊位ёйท่าｶﾞ⁶½ﬁ")))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@pytest.mark.parametrize(
    ("texts", "query", "first"),
    [
        (["泊位每天收费九百元", "办公室上午八点开门", "周日休息"], "办公室几点开门？", 1),
        (["係留料は一日九百円です", "事務所は八時に開きます", "日曜は休みです"], "事務所は何時に開きますか", 1),
        (["ค่าจอดเรือวันละสิบสองยูโร", "สำนักงานเปิดแปดโมงเช้า", "วันอาทิตย์หยุด"], "สำนักงานเปิดกี่โมง", 1),
        (["정박료는 하루 구백 원입니다", "사무소는 여덟 시에 엽니다"], "정박료가 얼마입니까", 0),
        (["The café opens at eight", "The office is shut"], "cafe", 0),
        (["Die Straße ist gesperrt", "Der Weg ist frei"], "strasse", 0),
        (["Ёлка стоит на причале", "Лодка у берега"], "елка", 0),
        (["価格は５００円", "価格は700円"], "500円", 0),
        (["कार्यालय आठ बजे खुलता है", "नौका का शुल्क बारह यूरो है"], "कार्यालय", 0),
    ],
)
def test_a_word_index_finds_words_of_every_script(tmp_path: Path, texts: list[str], query: str, first: int) -> None:
    index = TantivyIndex(tmp_path)
    index.apply(np.arange(len(texts), dtype=np.int64), texts, np.empty(0, dtype=np.int64))
    (hits,) = index.search([query], 3)
    assert hits.ids[0] == first
