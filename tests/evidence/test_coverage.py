"""Coverage is the weighted share of a question's words in a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.evidence.coverage import Coverage

TEXTS = ["Lease of Unit 12\nThe rent is 900 pounds.", "Lease of Kiosk 3\nThe rent is 400 pounds.", "Rent rises in May."]


def test_a_word_that_few_texts_hold_weighs_more() -> None:
    covered = Coverage("What is the rent of the kiosk?", TEXTS)
    assert covered.of_text(1) == 1.0
    assert 0 < covered.of_text(0) == covered.of_text(2) < 0.5


def test_words_are_compared_by_their_stems_and_numbers_by_value() -> None:
    covered = Coverage("Who rented 1,200 bikes?", ["renting 1200 bike"])
    assert covered.of_text(0) == 1.0
    assert covered.of("a bike") == pytest.approx(1 / 3)


def test_a_question_without_content_words_is_covered_by_anything() -> None:
    assert Coverage("What is it?", TEXTS).of_text(0) == 1.0
    assert Coverage("", []).of("") == 1.0


@given(question=st.text(max_size=60), texts=st.lists(st.text(max_size=60), min_size=1, max_size=4))
def test_a_share_is_between_none_and_all(question: str, texts: list[str]) -> None:
    covered = Coverage(question, texts)
    assert all(0 <= covered.of_text(n) <= 1 for n in range(len(texts)))
    assert covered.of(question) == pytest.approx(1)
