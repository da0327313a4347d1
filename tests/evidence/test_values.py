"""Typed values: the same value in other words is the same, and another one is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.evidence.values import Value, comparable, find_ranges, find_values, same, unit_of


def only(text: str) -> Value:
    (value,) = find_values(text)
    return value


SAME = [
    ("1,250", "1250"),
    ("1 250", "1.250,00"),
    ("three", "3"),
    ("30 %", "30 per cent"),
    ("two and a half per cent", "2.5%"),
    ("72 hours", "three days"),
    ("an hour", "60 minutes"),
    ("1 min 43.0 s", "1:43.0"),
    ("four tenths of a second", "0.4 s"),
    ("4.1 cents", "EUR 0.041"),
    ("60p", "£0.60"),
    ("£1.38 million", "1,380,000 pounds"),
    ("1 680 рублей", "1680"),
    ("3,5 кг", "3500 g"),
    ("21 April 2025", "2025-04-21"),
    ("April 21, 2025", "21.04.2025"),
    ("21 апреля 2025", "21 April 2025"),
    ("2022", "15 July 2022"),
    ("8:30 pm", "20:30"),
    ("T-1204", "t-1204"),
    ("sixth", "6th"),
    ("about 1.4 million", "1,380,000"),
]


@pytest.mark.parametrize(("claim", "source"), SAME)
def test_one_value_in_two_forms_is_the_same(claim: str, source: str) -> None:
    assert same(only(claim), only(source))


DIFFERENT = [
    ("1,250", "1,520"),
    ("1.6 millilitres", "1.6 litres"),
    ("5 %", "5 EUR"),
    ("£5", "€5"),
    ("21 April 2025", "22 April 2025"),
    ("21 April 2025", "April 2025"),
    ("20:30", "20:15"),
    ("A1", "C1"),
    ("-5", "5"),
    ("six", "nine"),
]


@pytest.mark.parametrize(("claim", "source"), DIFFERENT)
def test_another_value_is_not_the_same(claim: str, source: str) -> None:
    assert not same(only(claim), only(source))


@pytest.mark.parametrize(
    ("one", "other", "may"),
    [
        ("nine months", "six months", True),
        ("1.6 litres", "1.6 millilitres", True),
        ("A1", "C1", True),
        ("2022", "38", False),
        ("5 %", "5 litres", False),
        ("20:30", "30", False),
        ("27 June 2022", "15 July 2022", True),
    ],
)
def test_only_values_of_one_type_contradict_each_other(one: str, other: str, may: bool) -> None:
    assert comparable(only(one), only(other)) is may


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("above 120 to 150 m 790", "135 metres", "155 metres"),
        ("3,001 to 10,000", "4102", "3000"),
        ("from 20 instruments 11 %", "22", "19"),
        ("up to 3,000", "2999", "3001"),
    ],
)
def test_a_range_holds_what_lies_in_it(text: str, inside: str, outside: str) -> None:
    ranges = find_ranges(text)
    assert any(found.holds(only(inside)) for found in ranges)
    assert not any(found.holds(only(outside)) for found in ranges)


@pytest.mark.parametrize(
    ("column", "dimension"), [("Price EUR", "EUR"), ("Bars t", "mass"), ("Lead time days", "time"), ("Stock", "")]
)
def test_a_column_name_may_hold_the_unit(column: str, dimension: str) -> None:
    assert unit_of(column)[0] == dimension


def test_values_have_their_places() -> None:
    text = "On 5 May 2025 it cost £5,640 for Unit 12."
    assert [text[v.start : v.end] for v in find_values(text)] == ["5 May 2025", "£5,640", "12"]
    assert [v.label for v in find_values(text)] == [False, False, True]


@given(st.integers(0, 10**9))
def test_a_number_is_the_same_with_and_without_separators(number: int) -> None:
    plain = only(str(number))
    assert all(same(only(form), plain) for form in (f"{number:,}", f"{number:,}".replace(",", "\u00a0")))


@given(st.text(max_size=60))
def test_any_text_has_values_in_order_inside_it(text: str) -> None:
    end = 0
    for value in find_values(text):
        assert end <= value.start < value.end <= len(text)
        end = value.end
