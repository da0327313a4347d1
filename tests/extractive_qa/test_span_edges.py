"""A span starts and ends between words, in no number, code or address, and in no heading."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.extractive_qa.edges import edges


def edges_of(passage: str, spans: list[tuple[int, int]]) -> tuple[list[bool], list[bool]]:
    starts, ends = (np.array([span[side] for span in spans], dtype=np.int32) for side in (0, 1))
    begins, closes = edges(passage, starts, ends)
    return begins.tolist(), closes.tolist()


@given(passage=st.text(alphabet="ab .é'", min_size=1, max_size=30))
def test_edges_are_those_of_runs_of_letters(passage: str) -> None:
    runs = [match.span() for match in re.finditer(r"[^\W_]+", passage)]
    inner = {n for start, end in runs for n in range(start + 1, end)}
    begins, closes = edges_of(passage, [(n, n + 1) for n in range(len(passage))])
    assert begins == [n not in inner for n in range(len(passage))]
    assert closes == [n + 1 not in inner for n in range(len(passage))]


@pytest.mark.parametrize(
    ("passage", "spans", "begins", "closes"),
    [
        ("unaffable dog", [(0, 2), (2, 9), (10, 13)], [True, False, True], [False, True, True]),
        ("cafe\u0301s", [(0, 5), (5, 6)], [True, False], [False, True]),  # the accent belongs to the word
        ("हिन्दी", [(0, 2), (2, 6)], [True, False], [False, True]),
        ("日本語", [(0, 1), (1, 2), (2, 3)], [True] * 3, [True] * 3),  # no spaces, so any letter may be an edge
        ("a b", [(0, 1), (1, 1), (2, 3)], [True, False, True], [True, False, True]),  # a token of space alone
        ("ab", [(0, 0), (0, 2), (2, 2)], [False, True, False], [False, True, False]),  # at either end as well
        ("", [], [], []),
    ],
)
def test_edges_of_words(passage: str, spans: list[tuple[int, int]], begins: list[bool], closes: list[bool]) -> None:
    assert edges_of(passage, spans) == (begins, closes)


@pytest.mark.parametrize(
    ("passage", "whole"),
    [
        ("It costs $2,350,000.75 a year.", "$2,350,000.75"),
        ("It costs \u20ac 1,200 a year.", "\u20ac 1,200"),
        ("It was -12.5 that night.", "-12.5"),
        ("a rise of 30 % in May", "30 %"),
        ("kept at 8 \u00b0C or below", "8 \u00b0C"),
        ("filed as TW-2025-0119 today", "TW-2025-0119"),
        ("the FL-40 runs", "FL-40"),
        ("write to desk@harbour.example.org now", "desk@harbour.example.org"),
        ("see https://forms.example.org/a?b=1 first", "https://forms.example.org/a?b=1"),
        ("set server_max_body to 5", "server_max_body"),
        ("from 09:30 on", "09:30"),
        ("on 12/05/2024 at noon", "12/05/2024"),
    ],
)
def test_what_is_written_in_one_piece_is_taken_whole(passage: str, whole: str) -> None:
    start = passage.index(whole)
    begins, closes = edges_of(passage, [(n, n + 1) for n in range(len(passage))])
    place = range(start, start + len(whole))
    assert [n for n in place if begins[n]] == [start]
    assert [n for n in place if closes[n]] == [start + len(whole) - 1]


@pytest.mark.parametrize("whole", ["1939-1945", "Afrikaans-speaking", "north/south", "ten (10)", "it's"])
def test_what_may_be_taken_in_part(whole: str) -> None:
    begins, closes = edges_of(whole, [(n, n + 1) for n in range(len(whole))])
    assert sum(begins) > 1
    assert sum(closes) > 1


@pytest.mark.parametrize(
    ("passage", "answer"),
    [
        ("## Pets\n\nNo dogs.", "No dogs"),
        ("| Part | Price |\n| --- | --- |\n| Arm | 540 |", "Arm"),
    ],
)
def test_headings_and_names_of_columns_hold_no_answer(passage: str, answer: str) -> None:
    begins, _ = edges_of(passage, [(n, n + 1) for n in range(len(passage))])
    assert not any(begins[: passage.index(answer) - 2])
    assert begins[passage.index(answer)]


@pytest.mark.parametrize("piece", ["A-", "1,", "a_", "a.", "a@", "http://", "$", "-", "| --- |\n", "# a\n", "|a\n"])
def test_long_passages_take_linear_time(piece: str) -> None:
    passage = piece * (40_000 // len(piece))
    started = time.process_time()
    edges_of(passage, [(0, 1), (len(passage) - 1, len(passage))])
    assert time.process_time() - started < 3
