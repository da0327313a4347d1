"""The rows of a table that a question asks for, and where none is chosen rather than a wrong one."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import yaml

from eval.wording import states
from rag.evidence.row_choice import asks_for_rows, asks_for_several, choose_rows
from rag.evidence.stretch import stretch_around
from rag.evidence.tables import Table, first_row, table_at
from rag.ingestion.loaders.table_text import markdown_table
from rag.types import Passage

COMPOUND = yaml.safe_load((Path(__file__).parents[2] / "benchmarks" / "compound.yaml").read_text(encoding="utf-8"))

CALLS = """| Call | Vessel | Flag | Arrival | Departure | Berth | Cargo | Cranes |
| --- | --- | --- | --- | --- | --- | --- | --- |
| C-1 | Hjalmar | Denmark | 2025-04-11 | 2025-04-12 | C1 | Salt | 1 |
| C-2 | Dawn | Cyprus | 2025-04-15 | 2025-05-02 | B1 | Grain | 2 |
| C-3 | Ottoline | Norway | 2025-05-28 | 2025-05-29 | C1 | Salt, oil | 1 |
| C-4 | Foss | Norway | 2025-06-10 | 2025-07-01 | A1 | Scrap metal | 2 |"""


def table(text: str) -> Table:
    passage = Passage(1, "a.md", "Calls", None, (), 0, len(text), text, 1.0)
    place = first_row(text)
    found = None if place is None else table_at(stretch_around(passage, [passage]), place)
    assert found is not None
    return found


def chosen(question: str, text: str = CALLS, context: str = "Calls", around: str = "") -> list[str] | None:
    choice = choose_rows(question, table(text), context, around)
    return None if choice is None else [row.cells[0] for row in choice.rows]


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("Which ships used berth C1?", ["C-1", "C-3"]),
        ("Which ships came from Norway?", ["C-3", "C-4"]),
        ("Which ships from Norway used C1?", ["C-3"]),
        ("Which ships used B1 or A1?", ["C-2", "C-4"]),
        ("Which ships carried salt?", ["C-1", "C-3"]),
        ("Which ships carried salt and oil?", ["C-3"]),
        ("Which calls needed 2 cranes?", ["C-2", "C-4"]),
        ("Which ships arrived before 1 May 2025?", ["C-1", "C-2"]),
        ("Which ships were in port in April 2025?", None),  # arrival and departure disagree
        ("Which ships used C1 in the second quarter of 2025?", None),
        ("Which ships arrived in the second quarter of 2025 at C1?", ["C-1", "C-3"]),
        ("Which arrivals in the second quarter of 2025 were at berth C1?", ["C-1", "C-3"]),
        ("Which ships had more than 1 cranes?", ["C-2", "C-4"]),
        ("Which ships had more than 5 sailors?", None),
        ("Which ships are longer than 90 m?", None),
        ("Which ships did not use C1?", None),
        ("Which ship used C1 most often?", None),
        ("Which ships from Malta used C1?", None),
        ("Which ships from Cyprus used C1?", None),
        ("How many ships used C1?", None),
        ("Which ships are there?", None),
    ],
)
def test_rows_with_the_cells_and_limits_of_the_question(question: str, rows: list[str] | None) -> None:
    assert chosen(question) == rows


def test_words_of_the_title_and_the_document_are_no_condition() -> None:
    assert chosen("Which calls at Salt Harbour used C1?", context="Calls at Salt Harbour") == ["C-1", "C-3"]
    assert chosen("Which Thornsea ships used C1?") is None
    assert chosen("Which Thornsea ships used C1?", around="Thornsea harbour, calls of 2025") == ["C-1", "C-3"]
    assert chosen("Which ships used C1 in 2025?", context="Calls 2025") == ["C-1", "C-3"]


def test_a_name_in_two_columns_is_an_alternative() -> None:
    text = (
        "| No | First | Second |\n|---|---|---|\n| 1 | Dr Ada Moor | Lee |\n| 2 | Lee | Ada Moor |\n| 3 | Lee | Kim |"
    )
    assert chosen("Which theses does Ada Moor examine?", text) == ["1", "2"]


def test_the_longest_match_of_a_column_counts() -> None:
    text = "| No | Exam |\n| --- | --- |\n| 1 | written exam |\n| 2 | oral exam |\n| 3 | written exam, 90 min |"
    assert chosen("Which modules have a written exam?", text) == ["1", "3"]


@pytest.mark.parametrize(
    ("question", "kind", "several", "rows"),
    [
        ("Which boats are long?", "fact", True, True),
        ("What boats does she own?", "fact", True, False),
        ("boats of Ada", "list", True, True),
        ("Which articles cost more than 5 pounds?", "comparison", False, True),
        ("When do the boats leave?", "date", False, False),
        ("Is the boat long?", "yes_no", False, False),
    ],
)
def test_which_questions_may_have_several_rows(question: str, kind: str, several: bool, rows: bool) -> None:
    assert (asks_for_several(question, kind), asks_for_rows(question, kind)) == (several, rows)


def benchmark_tables() -> list[tuple[str, str]]:
    """The tables of the benchmark's documents: title and Markdown."""
    found = []
    for name, text in COMPOUND["documents"].items():
        if name.endswith(".csv"):
            head, *rows = csv.reader(text.strip().splitlines())
            found.append((Path(name).stem, markdown_table(head, rows)))
        elif "\n| " in text:
            found.append((text.partition("\n")[0], text))
    return found


TABLES = benchmark_tables()


@pytest.mark.parametrize("case", list(COMPOUND["list"]), ids=lambda case: case["q"])
def test_the_rows_of_the_benchmark(case: dict[str, Any]) -> None:
    """The table that holds all parts of the right answer gives exactly these rows; no model is asked."""
    for title, text in TABLES:
        found = table(text)
        rows = "\n".join(map(found.written, found.rows))
        if "parts" in case and not all(part in rows for part in case["parts"]):
            continue
        choice = choose_rows(case["q"], found, title, text)
        if "parts" not in case:
            assert choice is None
            continue
        assert choice is not None
        written = "\n".join(map(found.written, choice.rows))
        assert all(states(written, part) for part in case["parts"])
        assert not any(states(written, other) for other in case["not"])
