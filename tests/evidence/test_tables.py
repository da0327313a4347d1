"""Lists and tables that chunks cut are whole again in a stretch of the document."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.evidence.stretch import Stretch, stretch_around
from rag.evidence.tables import first_row, table_at
from rag.types import Passage

HEAD = "| Day | Nurse |\n| --- | --- |"
ROWS = [f"| {day} | Nurse {n} |" for n, day in enumerate(["Mon", "Tue", "Wed", "Thu", "Fri"])]


def cut(text: str, *places: tuple[int, int], headings: Sequence[tuple[str, ...]] = ()) -> list[Passage]:
    """Return chunks of a document with these characters, without white space at their ends."""
    found = []
    for n, (start, end) in enumerate(places):
        piece = text[start:end].rstrip()
        path = headings[n] if headings else ()
        found.append(Passage(n + 1, "rota.csv", "Rota", None, path, start, start + len(piece), piece, 1.0))
    return found


def days(stretch: Stretch, place: int) -> tuple[list[str], tuple[str, ...], bool]:
    table = table_at(stretch, place)
    assert table is not None
    return [row.cells[0] for row in table.rows], table.columns, table.whole


def test_a_table_over_three_chunks() -> None:
    text = "\n".join([HEAD, *ROWS])
    second, third = text.index("| Tue"), text.index("| Thu")
    chunks = cut(text, (0, second), (second, third), (third, len(text)))
    for chunk in chunks:
        stretch = stretch_around(chunk, [], lambda passage, reach: chunks)
        place = stretch.place(chunk, len(chunk.text) - 3)
        assert days(stretch, place) == (["Mon", "Tue", "Wed", "Thu", "Fri"], ("Day", "Nurse"), True)
        assert stretch.text == text
        (piece,) = stretch.pieces(third, third + 5)
        assert piece == (chunks[2], 0, 5)


def test_parts_of_a_long_table_are_one_table() -> None:
    text = "\n\n".join("\n".join([HEAD, *part]) for part in (ROWS[:2], ROWS[2:4], ROWS[4:]))
    starts = [0, text.index(HEAD, 10), text.rindex(HEAD), len(text)]
    rows = [("rows 2-3",), ("rows 4-5",), ("row 6",)]
    chunks = cut(text, *pairwise(starts), headings=rows)
    stretch = stretch_around(chunks[1], [], lambda passage, reach: chunks)
    assert days(stretch, stretch.place(chunks[1], 40))[0] == ["Mon", "Tue", "Wed", "Thu", "Fri"]
    sheets = cut(text, *pairwise(starts), headings=[("May",), ("June",), ("June",)])
    stretch = stretch_around(sheets[1], [], lambda passage, reach: sheets)
    assert days(stretch, stretch.place(sheets[1], 40))[0] == ["Wed", "Thu", "Fri"]


def test_only_what_was_retrieved_is_joined_without_an_index() -> None:
    text = "\n".join([HEAD, *ROWS])
    second, third = text.index("| Tue"), text.index("| Thu")
    chunks = cut(text, (0, second), (second, third), (third, len(text)))
    stretch = stretch_around(chunks[1], [chunks[0], chunks[1]])
    assert days(stretch, stretch.place(chunks[1], 3)) == (["Mon", "Tue", "Wed"], ("Day", "Nurse"), False)
    stretch = stretch_around(chunks[2], [chunks[0], chunks[2]])
    assert days(stretch, stretch.place(chunks[2], 3)) == (["Thu", "Fri"], (), False)
    named = cut(text, (0, second), (second, third), headings=[(), ("Day | Nurse",)])[1]
    assert days(stretch_around(named, [named]), 3) == (["Tue", "Wed"], ("Day", "Nurse"), False)


def test_chunks_of_a_later_version_are_not_mixed_in() -> None:
    text = "\n".join([HEAD, *ROWS])
    chunks = cut(text, (0, text.index("| Tue")), (text.index("| Tue"), len(text)))
    changed = cut(text.replace("Nurse 0", "Nobody 0"), (0, text.index("| Tue")))
    stretch = stretch_around(chunks[0], chunks, lambda passage, reach: changed)
    assert stretch.text == text


def test_other_text_ends_a_table() -> None:
    text = f"{HEAD}\n{ROWS[0]}\n\nIn June:\n\n{HEAD}\n{ROWS[1]}"
    (chunk,) = cut(text, (0, len(text)))
    stretch = stretch_around(chunk, [], lambda passage, reach: [chunk])
    assert days(stretch, text.index("Mon"))[0] == ["Mon"]
    assert table_at(stretch, text.index("June")) is None
    assert table_at(stretch, text.index("Nurse |")) is None
    assert first_row(text) == text.index("| Mon") and first_row("no table") is None


@given(st.integers(1, 30), st.lists(st.integers(0, 200), min_size=1, max_size=6), st.integers(0, 20))
def test_a_stretch_is_the_text_of_the_document(rows: int, cuts: list[int], overlap: int) -> None:
    text = "\n".join([HEAD, *(f"| day {n} | Nurse {n * n} |" for n in range(rows))])
    places = sorted({0, *(place % len(text) for place in cuts)})
    spans = [(max(0, a - overlap), b) for a, b in zip(places, [*places[1:], len(text)], strict=True)]
    chunks = [chunk for chunk in cut(text, *spans) if chunk.text]
    for chunk in chunks:
        stretch = stretch_around(chunk, chunks)
        assert stretch.text.split() == text[stretch.start : stretch.start + len(stretch.text)].split()
        for passage, start, end in stretch.pieces(0, len(stretch.text), chunk):
            place = stretch.place(passage, start)
            assert stretch.text[place : place + end - start] == passage.text[start:end]


@pytest.mark.parametrize("rows", [2000])
def test_a_long_table_takes_little_time(rows: int) -> None:
    text = "\n".join([HEAD, *(f"| day {n} | Nurse {n * n} |" for n in range(rows))])
    (chunk,) = cut(text, (0, len(text)))
    table = table_at(stretch_around(chunk, [chunk]), len(text) - 4)
    assert table is not None and len(table.rows) == rows
