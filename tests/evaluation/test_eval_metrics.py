"""Answer metrics: cases of the official rules, and properties that hold for any text."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.text_metrics import best_over, contains, exact_match, f1, f1_of_tokens, normalise

WORDS = st.text(alphabet="ab theanTHEAN.,!'-é\u0301\u00a0\u2028Σİß0", max_size=30)
TEXTS = st.one_of(st.text(max_size=30), WORDS)
GOLDS = st.lists(TEXTS, min_size=1, max_size=4)


def slow_normalise(text: str) -> str:
    """The four steps of the official script, one after the other."""
    lowered = text.lower()
    bare = "".join(character for character in lowered if character not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  Denver\tBroncos!", "denver broncos"),
        ("a theatre, an apple", "theatre apple"),
        ("U.S.A.", "usa"),
        ("th.e", ""),  # punctuation goes before articles do
        ("“quoted”", "“quoted”"),  # only ASCII punctuation is dropped
        ("the-a", "thea"),
        ("", ""),
    ],
)
def test_normalisation_of_known_cases(text: str, expected: str) -> None:
    assert normalise(text) == expected


@given(TEXTS)
def test_normalisation_follows_the_steps_and_is_idempotent(text: str) -> None:
    assert normalise(text) == slow_normalise(text)
    assert normalise(normalise(text)) == normalise(text)


@given(TEXTS, TEXTS)
def test_values_lie_between_0_and_1_and_f1_is_symmetric(one: str, other: str) -> None:
    for metric in (exact_match, f1, contains):
        assert 0.0 <= metric(one, other) <= 1.0
    assert f1(one, other) == f1(other, one)
    assert f1(one, other, rule="1.1") == f1(other, one, rule="1.1")
    assert exact_match(one, other) == exact_match(other, one)


@given(TEXTS)
def test_an_answer_is_equal_to_itself(text: str) -> None:
    assert exact_match(text, text) == f1(text, text) == contains(text, text) == 1.0


@given(TEXTS, TEXTS)
def test_exact_match_is_at_most_f1_and_at_most_contains(one: str, other: str) -> None:
    assert exact_match(one, other) <= f1(one, other)
    assert exact_match(one, other) <= contains(one, other)
    if f1(one, other) == 1.0:
        assert sorted(normalise(one).split()) == sorted(normalise(other).split())


@given(TEXTS, GOLDS, st.randoms(use_true_random=False))
def test_the_order_of_golds_is_irrelevant(prediction: str, golds: list[str], chance: object) -> None:
    shuffled = list(golds)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    for metric in (exact_match, f1, contains):
        assert best_over(metric, prediction, golds) == best_over(metric, prediction, shuffled)
        assert best_over(metric, prediction, golds) == max(metric(prediction, gold) for gold in golds)


def test_f1_counts_tokens_as_often_as_they_occur() -> None:
    assert f1("x x y", "x z") == pytest.approx(2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2))
    assert f1_of_tokens(["x", "x"], ["x", "x", "x"]) == pytest.approx(0.8)


def test_the_two_versions_differ_where_nothing_is_left() -> None:
    assert f1("", "the") == 1.0
    assert f1("", "the", rule="1.1") == 0.0
    assert f1("x", "") == f1("", "x") == f1("x", "", rule="1.1") == 0.0


def test_contains_wants_neighbours_in_order() -> None:
    assert contains("It was the Denver Broncos.", "Denver Broncos") == 1.0
    assert contains("Denver, and then Broncos", "Denver Broncos") == 0.0
    assert contains("Broncos Denver", "Denver Broncos") == 0.0
    assert contains("cartwheel", "cart") == 0.0  # tokens, not characters
    assert contains("an answer", "the") == 0.0
    assert contains("", "the") == 1.0


def test_without_golds_the_empty_answer_is_right() -> None:
    assert best_over(exact_match, "", ()) == best_over(f1, "The", ()) == best_over(contains, "", ()) == 1.0
    assert best_over(exact_match, "x", ()) == best_over(f1, "x", ()) == best_over(contains, "x", ()) == 0.0
