"""Look-ups about tables: which questions count, where the answer is marked, and what a passage without it lacks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rag.errors import InputError
from rag.training.data.tables import read_tables

TOWNS = ("Aldby", "Borrow", "Castle End", "Dunmere", "Eastwick", "Fenley", "Garth", "Holt")
ROWS = [
    ["Town", "River\nname", "Mayor", "Bridges"],
    *([town, f"River {town[0]}", f"Ann {town[:3]} | {n}", str(n + 2)] for n, town in enumerate(TOWNS)),
    ["Ivel", "River A", "Bo Ive", "3"],
]


def asked(question: str, *answers: str, table: str = "t") -> dict[str, Any]:
    return {"id": question, "question": question, "table": table, "answers": list(answers)}


def write(folder: Path, *questions: Any, rows: Any = ROWS) -> tuple[Path, Path]:
    paths = folder / "questions.jsonl", folder / "tables.jsonl"
    paths[0].write_text("\n".join(map(json.dumps, questions)) + "\n\n", encoding="utf-8")
    paths[1].write_text(json.dumps({"table": "t", "rows": rows}) + "\n", encoding="utf-8")
    return paths


def test_the_answer_is_marked_in_its_cell(tmp_path: Path) -> None:
    question = asked("who is the mayor of castle end?", "Ann Cas | 2")
    for seed in range(20):
        ((example,), notes) = read_tables(*write(tmp_path, question), unanswerable=0, seed=seed)
        ((start, end),) = example.answers
        assert example.context[start:end] == r"Ann Cas \| 2"
        lines = example.context.split("\n")
        assert lines[:2] == ["| Town | River name | Mayor | Bridges |", "| --- | --- | --- | --- |"]
        assert r"| Castle End | River C | Ann Cas \| 2 | 4 |" in lines
        assert 4 <= len(lines) - 2 <= 9 and example.title == "" and notes == ()


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("which river is in fenley?", "River F"),
        ("how many bridges does fenley have?", "7"),
        ("what is the only town on river f?", "Fenley"),
        ("which town has bo ive as mayor?", "Ivel"),
        ("what number of bridges does ivel have?", "3"),  # the 3 of another row is no answer
    ],
)
def test_look_ups_count(question: str, answer: str, tmp_path: Path) -> None:
    ((example,), _) = read_tables(*write(tmp_path, asked(question, answer)), unanswerable=0)
    assert [example.context[a:b] for a, b in example.answers] == [answer]


@pytest.mark.parametrize(
    ("question", "answers"),
    [
        ("which town has the most bridges?", ["Holt"]),
        ("which town has the fewest bridges?", ["Aldby"]),
        ("which town comes after fenley?", ["Garth"]),
        ("how many towns are on river a?", ["2"]),  # a count, though some cell has this number
        ("is fenley or garth on river f?", ["Fenley"]),
        ("which towns are on river a?", ["Aldby", "Ivel"]),
        ("which town is on river a?", ["Aldby"]),  # two rows fit
        ("who is the mayor of fenley?", ["Nobody"]),
        ("who is the mayor of fenley, ann fen | 5?", ["Ann Fen | 5"]),
        ("which one?", ["Fenley"]),
    ],
)
def test_other_questions_are_left_out_and_counted(question: str, answers: list[str], tmp_path: Path) -> None:
    rows = [*ROWS, ["Jay", "River J", "Cy", "2"]]
    examples, notes = read_tables(*write(tmp_path, asked(question, *answers), rows=rows))
    assert examples == ()
    assert notes == ("1 question of questions.jsonl is not answered by one certain cell: left out",)


def test_a_passage_without_the_answer_lacks_its_row_or_its_column(tmp_path: Path) -> None:
    question = asked("who is the mayor of castle end?", "Ann Cas | 2")
    examples, _ = read_tables(*write(tmp_path, question), unanswerable=1, passes=40)
    assert [e.id for e in examples] == [f"{question['id']}/{turn}" for turn in range(40)]
    assert all(not e.answers and "Ann Cas" not in e.context for e in examples)
    no_row = [e for e in examples if "Castle End" not in e.context]
    no_column = [e for e in examples if "Castle End" in e.context]
    assert all("| Mayor |" in e.context for e in no_row) and len(no_row) > len(no_column) > 4
    assert all(e.context.startswith("| Town | River name | Bridges |\n") for e in no_column)


def test_a_seed_decides_everything(tmp_path: Path) -> None:
    paths = write(tmp_path, asked("which river is in fenley?", "River F"))
    assert read_tables(*paths, passes=9, seed=1) == read_tables(*paths, passes=9, seed=1)
    assert read_tables(*paths, passes=9, seed=1) != read_tables(*paths, passes=9, seed=2)


def test_a_passage_is_short(tmp_path: Path) -> None:
    rows = [["Town", "Notes"], *([town, f"{town} {'x' * 150}"] for town in TOWNS)]
    paths = write(tmp_path, asked("what are the notes of fenley?", f"Fenley {'x' * 150}"), rows=rows)
    examples, _ = read_tables(*paths, unanswerable=0, passes=20)
    assert len(examples) == 20 and all(len(e.context) <= 900 for e in examples)
    rows = [["Town", "Notes"], *([town, f"{town} {'x' * 250}"] for town in TOWNS)]
    paths = write(tmp_path, asked("what are the notes of fenley?", f"Fenley {'x' * 250}"), rows=rows)
    assert read_tables(*paths)[0] == ()  # four rows do not fit


@pytest.mark.parametrize(
    ("question", "rows", "message"),
    [
        ("no JSON", ROWS, "questions.jsonl, line 1 is not JSON"),
        ("[]", ROWS, "questions.jsonl, line 1 is not an object"),
        ("{}", ROWS, "questions.jsonl, line 1 has no key 'id'"),
        ({**asked("Q?", "a"), "question": 5}, ROWS, "questions.jsonl, line 1: 'question' must be a text"),
        ({**asked("Q?", "a"), "answers": "a"}, ROWS, "questions.jsonl, line 1: 'answers' must be a list"),
        ({**asked("Q?", "a"), "answers": [1]}, ROWS, "questions.jsonl, line 1: 'answers' must be a list of texts"),
        (asked("Q?", "a", table="u"), ROWS, "questions.jsonl, line 1: table u is not in"),
        (asked("Q?", "a"), [], "tables.jsonl, line 1: 'rows' must be lists of texts"),
        (asked("Q?", "a"), [[]], "tables.jsonl, line 1: 'rows' must be lists of texts"),
        (asked("Q?", "a"), [["a"], [1]], "tables.jsonl, line 1: 'rows' must be lists of texts"),
    ],
)
def test_lines_in_another_form_are_named(question: Any, rows: Any, message: str, tmp_path: Path) -> None:
    paths = write(tmp_path, question, rows=rows)
    if isinstance(question, str):
        paths[0].write_text(question, encoding="utf-8")
    with pytest.raises(InputError, match=message) as raised:
        read_tables(*paths)
    assert "JSON lines" in raised.value.remedy


def test_a_short_row_gets_empty_cells(tmp_path: Path) -> None:
    rows = [*ROWS[:5], ["Zell"], *ROWS[5:]]
    examples, _ = read_tables(*write(tmp_path, asked("which river is in fenley?", "River F"), rows=rows), passes=30)
    assert any("| Zell |  |  |  |" in e.context for e in examples)
