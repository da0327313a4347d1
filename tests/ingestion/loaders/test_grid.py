"""The common grid of tables: spans, header rows, titles and notes, blocks of a sheet, and the text that is written."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingestion.loaders.grid import BLANK, Cell, Row, Span, Table, expand, plain_table, read_table, read_tables
from rag.ingestion.loaders.grid_header import count_headers, is_value
from rag.ingestion.loaders.sheet_tables import sheet_tables
from rag.ingestion.loaders.table_text import inline_text, table_blocks, table_text


def cells(rows: Sequence[Sequence[str]]) -> list[list[Cell]]:
    return [[Cell(text) for text in row] for row in rows]


def numbered(rows: Sequence[Sequence[str]]) -> list[Row]:
    return list(enumerate(cells(rows), start=1))


def sheet(text: str) -> list[Table]:
    """Read a sheet that is drawn with commas; a dot is a blank cell."""
    rows = [[cell.strip() for cell in line.split(",")] for line in text.strip("\n").split("\n")]
    return list(sheet_tables(numbered([["" if cell == "." else cell for cell in row] for row in rows])))


def texts(grid: list[list[Cell]]) -> list[list[str]]:
    return [[cell.text for cell in row] for row in grid]


# Spans ------------------------------------------------------------------------------------------------------------


def test_a_merged_cell_is_repeated_in_each_of_its_places() -> None:
    rows = [
        [Span(Cell("Route")), Span(Cell("Fare"), columns=2)],
        [Span(Cell("Nordby"), rows=2), Span(Cell("adult")), Span(Cell("41"))],
        [Span(Cell("child")), Span(Cell("17"))],
    ]
    assert texts(expand(rows)) == [["Route", "Fare", "Fare"], ["Nordby", "adult", "41"], ["Nordby", "child", "17"]]


def test_a_span_of_zero_rows_goes_down_to_the_end_and_a_span_past_the_end_is_cut() -> None:
    rows = [[Span(Cell("a"), rows=0), Span(Cell("b"), rows=9)], [], [Span(Cell("c"))]]
    assert texts(expand(rows)) == [["a", "b", ""], ["a", "b", ""], ["a", "b", "c"]]


def test_columns_that_only_continue_their_neighbour_are_left_out() -> None:
    rows = [[Span(Cell("a"), columns=3), Span(Cell("b"))], [Span(Cell("c"), columns=3), Span(Cell("d"))]]
    assert texts(expand(rows)) == [["a", "b"], ["c", "d"]]


def test_a_table_of_endless_spans_stays_small() -> None:
    grid = expand([[Span(Cell("x"), rows=65_534, columns=1000)] * 30 for _ in range(300)])
    assert sum(map(len, grid)) < 12_000_000


@given(st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 4)), max_size=5), max_size=6))
def test_every_cell_of_any_table_is_kept(spans: list[list[tuple[int, int]]]) -> None:
    rows = [[Span(Cell(f"{y}.{x}"), *span) for x, span in enumerate(row)] for y, row in enumerate(spans)]
    grid = expand(rows)
    assert len(grid) == len(rows)
    assert {cell.text for row in grid for cell in row} - {""} == {span.cell.text for row in rows for span in row}


# Header rows ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([["Item", "Price"], ["Lamp", "19.90"], ["Horn", "250"]], 1),
        ([["1", "Ann", "40"], ["2", "Bob", "41"], ["3", "Cid", "42"]], 0),
        ([["Port", "2030", "2031"], ["Nordby", "1,200", "1,310"], ["Sund", "88", "91"]], 1),
        ([["Port", "Q1 2030", "Q2 2030"], ["Nordby", "1,200", "1,310"], ["Sund", "88", "91"]], 1),
        ([["2031-05-02", "Olsen", "12"], ["2031-05-03", "Berg", "13"]], 0),
        ([["Name", "City"], ["José", "Plzeň"], ["Łucja", "Łódź"]], 1),
        ([["Name:", "Ann"], ["City:", "Oslo"], ["Since:", "2031"]], 0),
        ([["Owner", "Ann Berg"], ["City", "Oslo"], ["Since", "2031"], ["Tons", "12"], ["Flag", "Norway"]], 0),
        ([["a", "b"]], 0),
        ([["", "2030", "", "2031", ""], ["Area", "Q1", "Q2", "Q1", "Q2"], ["N", "1", "2", "3", "4"]], 2),
    ],
)
def test_header_rows_are_found_without_marks(rows: list[list[str]], expected: int) -> None:
    assert count_headers(cells(rows)) == expected


def test_marked_header_rows_decide() -> None:
    rows = [[Cell("1", header=True), Cell("2", header=True)], [Cell("1"), Cell("2")]]
    assert count_headers(rows) == 1
    rows = [[Cell("Owner", header=True), Cell("Ann")], [Cell("City", header=True), Cell("Oslo")]]
    assert count_headers(rows) == 0, "the first column names the rows"


def test_print_decides_where_words_do_not() -> None:
    bold = [[Cell("Ship", strong=True), Cell("Port", strong=True)], [Cell("Aurora"), Cell("Oslo")]]
    assert count_headers(bold, assume=False) == 1
    assert count_headers(cells([["Ship", "Port"], ["Aurora", "Oslo"]]), assume=False) == 0


@pytest.mark.parametrize("text", ["12", "02134", "€ 1,200", "12 %", "(1,234.50)", "3 May 2031", "2031-05-02", "B01"])
def test_values_are_recognized(text: str) -> None:
    assert is_value(text)


@pytest.mark.parametrize("text", ["", "Price", "Price 2", "high_1", "n/a"])
def test_words_are_no_values(text: str) -> None:
    assert not is_value(text)


def test_two_header_rows_are_joined() -> None:
    year = Cell("2030"), Cell("2031")
    rows: list[list[Cell]] = [
        [Cell("Area"), year[0], year[0], year[1]],
        [Cell("Area"), Cell("Q1"), Cell("Q2"), Cell("Q1")],
        cells([["North", "1", "2", "3"]])[0],
        cells([["South", "4", "5", "6"]])[0],
    ]
    table = read_table(list(enumerate(rows, start=1)))
    assert table.header == ("Area", "2030 / Q1", "2030 / Q2", "2031 / Q1")
    assert table.rows == ((3, ("North", "1", "2", "3")), (4, ("South", "4", "5", "6")))


# Titles, notes and groups ------------------------------------------------------------------------------------------


def test_a_title_of_several_rows_comes_once() -> None:
    title = Cell("Full name of the applicant")
    rows = [[title] * 3, [title] * 3, *([Cell(text) for text in row] for row in (("a", "b", "c"), ("1", "2", "3")))]
    (table,) = read_tables(list(enumerate(rows, start=1)))
    assert table.above == ("Full name of the applicant",)


def test_lines_above_are_a_title_and_a_long_last_line_is_a_note() -> None:
    rows = [["Fares of 2031", "", ""], ["Route", "Ticket", "Price"], ["Nordby", "adult", "41"], ["Sund", "child", "17"]]
    rows.append(["* Bicycles travel free of charge on weekdays until May.", "", ""])
    table = read_table(numbered(rows))
    assert table.above == ("Fares of 2031",)
    assert table.header == ("Route", "Ticket", "Price")
    assert table.below == ("* Bicycles travel free of charge on weekdays until May.",)
    assert [number for number, _ in table.rows] == [3, 4]


def test_a_last_row_with_one_short_label_stays_a_row() -> None:
    table = read_table(numbered([["Item", "Price"], ["Lamp", "1"], ["Horn", "2"], ["Rope", ""]]))
    assert table.rows[-1] == (4, ("Rope", ""))


def test_merged_rows_between_rows_name_groups() -> None:
    ships, boats = Cell("Ships"), Cell("Boats")
    rows = [cells([["Name", "Tons"]])[0], [ships, ships], cells([["Aurora", "1200"]])[0], [boats, boats]]
    rows.append(cells([["Gull", "3"]])[0])
    tables = read_tables(list(enumerate(rows, start=1)))
    assert [(t.above, t.header, [r for _, r in t.rows]) for t in tables] == [
        (("Ships",), ("Name", "Tons"), [("Aurora", "1200")]),
        (("Boats",), ("Name", "Tons"), [("Gull", "3")]),
    ]


def test_a_header_that_is_repeated_on_each_page_is_left_out() -> None:
    rows = [["Item", "Price"], ["Lamp", "1"], ["Item", "Price"], ["Horn", "2"]]
    assert [texts for _, texts in read_table(numbered(rows)).rows] == [("Lamp", "1"), ("Horn", "2")]


# Blocks of a sheet -------------------------------------------------------------------------------------------------


def test_blank_rows_part_tables_of_different_columns() -> None:
    pumps, boats = sheet("Pump,Flow,.\nP1,100,.\nP2,101,.\n.,.,.\nBoat,Draught,Crew\nB1,1,3\nB2,1.1,4")
    assert (pumps.header, boats.header) == (("Pump", "Flow"), ("Boat", "Draught", "Crew"))
    assert [number for number, _ in boats.rows] == [6, 7]


def test_blank_rows_part_tables_of_the_same_columns_if_each_has_names() -> None:
    first, second = sheet("Pump,Flow\nP1,100\n.,.\nValve,Bar\nV1,3\nV2,4")
    assert (first.header, second.header) == (("Pump", "Flow"), ("Valve", "Bar"))


def test_a_table_goes_on_after_a_blank_row() -> None:
    (table,) = sheet("Pump,Flow\nP1,100\nP2,101\n.,.\nP3,102\nP4,103")
    assert [texts for _, texts in table.rows] == [("P1", "100"), ("P2", "101"), ("P3", "102"), ("P4", "103")]


def test_tables_beside_each_other_are_parted() -> None:
    left, right = sheet("Pump,Flow,.,Boat,Crew\nP1,100,.,Gull,3\nP2,101,.,Tern,4\nP3,102,.,.,.")
    assert (left.header, right.header) == (("Pump", "Flow"), ("Boat", "Crew"))
    assert len(left.rows) == 3
    assert len(right.rows) == 2


def test_names_above_a_blank_row_are_not_parted() -> None:
    names = [Cell(text) if text else BLANK for text in ("Name", "Of", "", "Rate", "Code", "", "Period", "Status")]
    data = cells([["Brazos", "x", "", "1", "A", "", "7", "Failed"]])[0]
    day = [Cell("Wednesday")]
    first, *_ = sheet_tables([(1, names), (2, names), (3, ()), (4, day), (5, ()), (6, data), (7, data), (8, data)])
    assert {"Name", "Rate", "Status"} <= set(table_text(first).replace("|", " ").split())


def test_a_gap_between_the_columns_of_one_table_does_not_part_it() -> None:
    (table,) = sheet("Account,2030,.,Change,Share\nRent,12,.,3,4\nWages,88,.,5,6")
    assert table.header == ("Account", "2030", "Change", "Share")


def test_lines_above_a_table_belong_to_it() -> None:
    (table,) = sheet(
        "Statement,.,.\nAccount: 4471,.,.\n.,.,.\nDate,Payee,Amount\n2031-05-02,Olsen,12\n2031-05-03,Berg,13"
    )
    assert table.above == ("Statement", "Account: 4471")
    assert table.header == ("Date", "Payee", "Amount")


def test_lines_without_a_table_are_text() -> None:
    (table,) = sheet("Closed in May.\nCall Olsen.")
    assert table_text(table) == "Closed in May.\nCall Olsen."


def test_a_long_table_is_written_in_several_with_one_header() -> None:
    rows = [["Number", "Square"], *([str(n), str(n * n)] for n in range(25_000))]
    tables = list(sheet_tables(numbered(rows)))
    assert {table.header for table in tables} == {("Number", "Square")}
    assert [texts for table in tables for _, texts in table.rows] == [tuple(row) for row in rows[1:]]


# Text --------------------------------------------------------------------------------------------------------------


def test_a_table_is_written_with_its_title_and_notes() -> None:
    table = Table(("Item", "Price"), ((2, ("Horn | fog", "250")),), ("Prices",), ("* net",))
    assert table_text(table) == "Prices\n\n| Item | Price |\n| --- | --- |\n| Horn \\| fog | 250 |\n\n* net"


def test_rows_that_are_wider_than_a_chunk_are_names_and_values() -> None:
    long = "because " * 100
    blocks = table_blocks(plain_table(["Question", "Answer"], [["When?", "in May"]] * 8 + [["Why?", long]], first=2))
    assert [(block.first, block.last) for block in blocks] == [(2, 9), (10, 10)]
    assert blocks[1].text == f"Question: Why?\nAnswer: {long.strip()}"
    many = plain_table([f"a long name {n}" for n in range(30)], [[str(n) for n in range(30)]] * 2)
    assert [block.text.split("\n")[1] for block in table_blocks(many)] == ["a long name 1: 1"] * 2


def test_a_table_in_a_cell_is_one_line() -> None:
    assert inline_text(plain_table(["x", ""], [["1", "2"], ["3", ""]])) == "x: 1; 2. x: 3"


def test_comments_come_with_their_cells_and_those_of_names_below() -> None:
    rows = [[Cell("Item"), Cell("Price", comment="net")], [Cell("Buoy"), Cell("80", comment="until May")]]
    table = read_table(list(enumerate(rows, start=1)))
    assert table.rows == ((2, ("Buoy", "80 [until May]")),)
    assert table.below == ("Price: net",)
    assert BLANK.full_text == ""
