"""Limits in questions, and the cells that can be compared with them."""

from __future__ import annotations

import pytest

from rag.evidence.limits import find_limits, without_limits


@pytest.mark.parametrize(
    ("question", "column", "kept", "dropped", "unknown"),
    [
        ("longer than two weeks", "Lead time days", ["15"], ["14", "2"], ["soon", "2 or 20", ""]),
        ("takes at least 14 days", "Delivery", ["2 weeks", "14 days"], ["5 days"], ["14", "14 euros"]),
        ("with more than 50 seats", "Seats", ["51"], ["50"], ["50 kg"]),
        ("no more than 50 seats", "Seats", ["50"], ["51"], ["none"]),
        ("no less than 50 seats", "Seats", ["50"], ["49"], []),
        ("up to 100 euros", "Fee EUR", ["100", "55.50"], ["101"], ["100 pounds"]),
        ("under £50", "Price GBP", ["49.99"], ["50"], ["50 EUR"]),
        ("between 10 and 20 kg", "Weight kg", ["10", "20", "12000 g"], ["21", "9.5"], ["12 m"]),
        ("shorter than 600 cm", "Length m", ["5.9"], ["6"], []),
        ("before 1 June 2025", "Due", ["2025-05-31", "31 May 2025"], ["1 June 2025"], ["May", "soon"]),
        ("by 1 June 2025", "Due", ["2025-06-01"], ["2025-06-02"], []),
        ("after 1 June 2025", "Due", ["2025-06-02"], ["2025-06-01"], []),
        ("later than May 2025", "Due", ["2025-06-01"], ["2025-05-31"], []),
        ("since 2019", "Since", ["2019-01-01"], ["2018-12-31"], []),
        ("since before 2019", "Since", ["2018-12-31"], ["2019-01-01"], []),
        ("in May 2025", "Due", ["2025-05-31"], ["2025-06-01", "2024-05-04"], []),
        ("on 3 May 2025", "Due", ["2025-05-03"], ["2025-05-04"], []),
        ("in the second quarter of 2025", "Due", ["2025-04-01", "2025-06-30"], ["2025-07-01", "2025-03-31"], []),
        ("in Q4 2024", "Due", ["2024-12-31"], ["2024-09-30"], []),
        ("the last half of 2024", "Due", ["2024-07-01"], ["2024-06-30"], []),
        ("between March 2025 and May 2025", "Due", ["2025-03-01", "2025-05-31"], ["2025-02-28"], []),
    ],
)
def test_a_limit_decides_over_cells(
    question: str, column: str, kept: list[str], dropped: list[str], unknown: list[str]
) -> None:
    (limit,) = find_limits(f"Which ones {question}?")
    assert [limit.check(cell, column) for cell in kept] == [True] * len(kept)
    assert [limit.check(cell, column) for cell in dropped] == [False] * len(dropped)
    assert [limit.check(cell, column) for cell in unknown] == [None] * len(unknown)


@pytest.mark.parametrize(
    "question",
    [
        "Which ships used berth C1?",
        "Who is older than Tom?",
        "What is in room 12?",
        "Which rule is in clause 4.1?",
        "Which of the two is inspected by 3 people?",
        "Which rooms are on 2 floors?",
    ],
)
def test_no_limit(question: str) -> None:
    assert find_limits(question) == []


def test_the_words_of_limits_are_left_out() -> None:
    question = "Which calls in Q2 2025 had more than 4000 tonnes of salt?"
    limits = find_limits(question)
    assert without_limits(question, limits).split() == ["Which", "calls", "in", "had", "of", "salt?"]
