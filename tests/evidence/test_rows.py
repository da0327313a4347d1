"""The rows for a calculation or comparison come from the table that speaks of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag.evidence.quotation import table_rows
from rag.evidence.rows import MOST_ROWS, rows_for
from rag.types import Passage

FEES = """The fees:

| Class | Fee | Vote |
| --- | --- | --- |
| adult | 264 | yes |
| student | 96 | no |
| family |  | yes |

Paid in May."""
PASSAGE = Passage(1, "fees.xlsx", "Fees 2025", None, (), 0, len(FEES), FEES, 1.0)
OTHER = replace(PASSAGE, id=2, source="rota.csv", title="Rota", text="| Day | Nurse |\n| --- | --- |\n| Monday | Kim |")
PROSE = replace(PASSAGE, id=3, source="a.md", title="Fees", text="Fees are adult fees and student fees.")


def texts(passage: str) -> list[str]:
    return [row.text for row in table_rows(passage)]


def test_rows_are_written_with_their_columns() -> None:
    assert texts(FEES) == [
        "Class: adult; Fee: 264; Vote: yes",
        "Class: student; Fee: 96; Vote: no",
        "Class: family; Vote: yes",
    ]
    assert texts("| a | 1 |\n| b | 2 |") == ["a; 1", "b; 2"]
    assert texts("no table | here") == []


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("What do an adult and a student pay together?", [0, 1]),
        ("What is the sum of all fees?", [0, 1, 2]),
        ("Is the student fee lower?", [1]),
    ],
)
def test_rows_that_the_question_names(question: str, rows: list[int]) -> None:
    found = rows_for(question, [OTHER, PROSE, PASSAGE])
    assert found == (PASSAGE, [texts(FEES)[n] for n in rows])


def test_no_table_no_rows() -> None:
    assert rows_for("What do all fees come to?", [PROSE]) is None
    assert rows_for("What do all fees come to?", []) is None
    assert rows_for("Zebra?", [PASSAGE]) is None


def test_a_long_table_is_cut() -> None:
    text = "| Lot | Price |\n| --- | --- |\n" + "\n".join(f"| {n} | {n * 3} |" for n in range(50))
    found = rows_for("Which price is the highest?", [replace(PASSAGE, text=text)])
    assert found is not None
    assert len(found[1]) == MOST_ROWS
