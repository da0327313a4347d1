"""Content words and numbers: one way of writing each, and no number inside another."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rag.evidence.token_match import content_stems, is_number


def test_stop_words_are_no_evidence_and_numbers_stay_whole() -> None:
    assert content_stems("The keepers of the 1874 lamps") == {"keeper", "1874", "lamp"}
    assert content_stems("и в на the of") == frozenset()


@pytest.mark.parametrize(
    ("one", "other"),
    [("арендная плата", "арендной платы"), ("συνδρομή", "συνδρομές"), ("οι πισίνες", "οι πισίνας")],
)
def test_the_script_chooses_the_stemmer(one: str, other: str) -> None:
    assert content_stems(one) == content_stems(other)


def test_scripts_without_spaces_count_by_pairs_of_characters() -> None:
    assert content_stems("健身房7:00开门") == {"健身", "身房", "7:00", "开门"}
    assert content_stems("用GPU卡") == {"用", "gpu", "卡"}


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1500 1,500 1'500 1’500 1 500 1\u00a0500 1\u202f500", {"1500"}),
        ("1,500,000 1.500.000 1 500 000", {"1500000"}),
        ("1,500.75 1.500,75 1 500,75 1500,75 1500.75", {"1500.75"}),
        ("3.5 3,5", {"3.5"}),
        ("0,125 0.125 .125", {"0.125"}),
        ("1.500", {"1.500"}),
        ("3.50 3.5", {"3.50", "3.5"}),
        ("v3.10, 3.1.", {"v3.10", "3.1"}),
        ("-5, −5, –5, (-5)", {"-5"}),
        ("-1 500 and -.5", {"-1500", "-0.5"}),
        ("5 - 10", {"5", "10"}),
        ("10-15 10–15 10—15", {"10", "15"}),
        ("1939 -1945", {"1939", "1945"}),
        ("3 000-5 000 3 000–5 000", {"3000", "5000"}),
        ("12-2024 2024-05-12 12.05.2024 12/05/2024", {"12-2024", "2024-05-12", "12.05.2024", "12/05/2024"}),
        ("555-1234 15-10", {"555-1234", "15-10"}),
        ("A12 F-16 COVID-19 Ту-154 20th", {"a12", "f-16", "covid-19", "ту-154", "20th"}),
        ("31-metre mid-2024", {"31", "2024"}),
        ("14:30 16:9", {"14:30", "16:9"}),
        ("1,2,3", {"1", "2", "3"}),
        ("in 2024 500 people; room 7, 500 seats", {"2024", "500", "7"}),
        ("1\n500", {"1", "500"}),
        ("...5", {"5"}),
        ("10 m²", {"10"}),
    ],
)
def test_numbers_are_read_whole_and_written_in_one_way(text: str, numbers: set[str]) -> None:
    assert {stem for stem in content_stems(text) if is_number(stem)} == numbers


_WAYS = (
    lambda n: f"{n}",
    lambda n: f"{n:,}",
    lambda n: f"{n:,}".replace(",", " "),
    lambda n: f"{n:,}".replace(",", "\u00a0"),
    lambda n: f"{n:,}".replace(",", "\u202f"),
    lambda n: f"{n:,}".replace(",", "’"),
    lambda n: f"{n:,}".replace(",", ".") if abs(n) >= 1_000_000 else f"{n}",
)


@given(
    n=st.integers(-(10**9), 10**9), way=st.sampled_from(_WAYS), frame=st.sampled_from(["{}", "it is {}.", "«{}», да"])
)
def test_every_way_of_writing_a_number_means_it(n: int, way: object, frame: str) -> None:
    assert str(n) in content_stems(frame.format(way(n)))  # type: ignore[operator]


@given(a=st.integers(0, 10**7), b=st.integers(0, 10**7), one=st.sampled_from(_WAYS), other=st.sampled_from(_WAYS))
def test_two_numbers_are_never_taken_for_one_another(a: int, b: int, one: object, other: object) -> None:
    assume(a != b)
    assert not content_stems(one(a)) & content_stems(other(b))  # type: ignore[operator]


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("0123456789.,-−–'’/: A"), max_size=40))
def test_any_text_has_stems_and_none_is_empty(text: str) -> None:
    assert all(content_stems(text))
