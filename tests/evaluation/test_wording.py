"""Two wordings of one answer fold to the same words; another number, date or unit does not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.wording import fold, polarity, states


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5,640", "5640"),
        ("5 640", "5640"),
        ("5\u00a0640", "5640"),
        ("1,234,567.50", "1234567.5"),
        ("3,5 tonnes", "3.50 tonnes"),
        ("£5,640", "5640 pounds"),
        ("€ 1,200", "1200 euros"),
        ("$5", "5 US dollars"),
        ("30 %", "30 per cent"),
        ("30%", "30 percent"),
        ("15 000 рублей", "15000 руб."),
        ("21 April 2025", "2025-04-21"),
        ("April 21, 2025", "21.04.2025"),
        ("the 21st of April 2025", "21 Apr. 2025"),
        ("18\nOctober", "18 October"),
        ("9 мая 2025", "09.05.2025"),
        ("three days", "3 days"),
        ("twenty-three", "23"),
        ("09:30", "9:30"),
        ("**The** Quarry View", "quarry view"),
        ("Cooper’s Yard", "cooper's yard"),
        ("\u22125", "-5"),
        ("три дня", "3 дня"),
        ("1.500.000 €", "€1,500,000"),
        ("1.234,56 €", "1234.56 €"),
        ("£5m", "5 million pounds"),
        ("15 тысяч рублей", "15 000 рублей"),
        ("2.5 billion", "2,500,000,000"),
        ("00:30", "0:30"),
        ("£12.50", "12.5 pounds"),
    ],
)
def test_one_answer_in_two_wordings(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("12.5", "125"),
        ("version 1.10", "version 1.1"),
        ("Python 3.10", "Python 3.1"),
        ("£20.5m", "£20.5"),
        ("5 m", "5 million"),
        ("C++", "C"),
        ("C#", "C"),
        ("-12.5", "12.5"),
        ("1.500", "1500"),
        ("5 %", "5"),
        ("21 April", "21 May"),
        ("3 April", "4 March"),
        ("£5", "€5"),
        ("10:30", "1030"),
        ("may", "5"),  # the verb is no month
        ("compound", "com gbp"),
    ],
)
def test_other_answers(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@pytest.mark.parametrize(
    ("answer", "gold", "expected"),
    [
        ("The rent is £2,350 a month.", "2350 pounds", True),
        ("The rent is 12,350 pounds.", "2,350 pounds", False),
        ("It was -12.5 degrees.", "12.5", False),
        ("A range of 10-12 metres", "12", True),
        ("| Unit 12 | 2,350 |", "2350", True),
        ("anything", "", False),
        ("Valid until October 12, 2025.", "12 October 2025", True),
        ("Valid until October 12, 2025.", "12 October", True),
        ("Room 25", "2", False),
        ("Answer A.", "A", True),
        ("Answer B.", "A", False),
        ("a 👍 from me", "👍", True),
        ("| 17 May | Drossel | 2 May |\n| 14 June | Vannholm |", "2 May", True),
    ],
)
def test_states(answer: str, gold: str, expected: bool) -> None:
    assert states(answer, gold) is expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Yes, from the age of 8.", "yes"),
        ("No: only with a form.", "no"),
        ("Да, по субботам.", "yes"),
        ("Нет.", "no"),
        ("Nobody may.", None),
        (" ".join(["word"] * 12) + " yes", None),
    ],
)
def test_polarity(answer: str, expected: str | None) -> None:
    assert polarity(answer) == expected


@pytest.mark.parametrize(
    "text", ["1," * 20_000, "a " * 20_000, "5 " * 20_000, "1.000" * 8_000, "- " * 20_000, "£" * 20_000]
)
def test_long_texts_take_little_time(text: str) -> None:
    started = time.process_time()
    assert not states(text, text[: len(text) // 2] + " unlike")
    assert time.process_time() - started < 3


@given(st.text(max_size=60))
def test_folding_any_text_ends_and_is_stable(text: str) -> None:
    words = fold(text)
    assert all(words)
    assert fold(text) == words


@given(st.lists(st.sampled_from(["5,640", "£3", "21 April 2025", "twenty-one", "Quarry", "%", "-7"]), min_size=1))
def test_a_text_states_itself(words: list[str]) -> None:
    text = " ; ".join(words)
    assert states(text, text)
