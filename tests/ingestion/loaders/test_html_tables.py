"""Tables of HTML: spans, header rows, captions, tables in tables, and tables that only lay out a page."""

from __future__ import annotations

import pytest

from rag.ingestion.loaders import load_bytes


def text_of(body: str) -> str:
    page = f"<!doctype html><html><head><title>x</title></head><body>{body}</body></html>"
    return load_bytes(page.encode(), "page.html").text.strip()


def table(*rows: str, attributes: str = "") -> str:
    return f"<table {attributes}>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def cells(*texts: str, name: str = "td") -> str:
    return "".join(f"<{name}>{text}</{name}>" for text in texts)


def test_spans_and_two_header_rows() -> None:
    rows = (
        "<th rowspan=2>Route<th colspan=2>2030",
        "<th>Q1<th>Q2",
        "<td rowspan=2>Nordby<td>1<td>2",
        "<td colspan=2>closed",
    )
    assert text_of(table(*rows)).split("\n") == [
        "| Route | 2030 / Q1 | 2030 / Q2 |",
        "| --- | --- | --- |",
        "| Nordby | 1 | 2 |",
        "| Nordby | closed | closed |",
    ]


def test_a_caption_is_above_the_table() -> None:
    made = table("<th>Item<th>Price", cells("Lamp", "1")).replace(
        "<table >", "<table><caption>Prices of 2031</caption>"
    )
    assert text_of(made).startswith("Prices of 2031\n\n| Item | Price |")


def test_a_header_is_found_without_th() -> None:
    assert text_of(table(cells("Item", "Price"), cells("Lamp", "19.90"))).startswith("| Item | Price |\n| ---")
    bold = text_of(table(cells("<b>Ship</b>", "<b>Port</b>"), cells("Aurora", "Oslo")))
    assert bold.startswith("| Ship | Port |\n| ---")
    data = text_of(table(cells("1", "Ann", "40"), cells("2", "Bob", "41")))
    assert "| 1 | Ann | 40 |\n| 2 | Bob | 41 |" in data
    assert data.startswith("|  |  |  |")


def test_first_cells_that_name_rows_are_no_header() -> None:
    text = text_of(table("<th>Owner<td>Ann", "<th>City<td>Oslo"))
    assert text.endswith("| Owner | Ann |\n| City | Oslo |")


def test_a_layout_table_is_running_text() -> None:
    inner = table(cells("Size", "Fee"), cells("small", "200"), attributes="border=1")
    text = text_of(table(cells("Home", f"<h1>Storage</h1><p>From October.</p><h2>Costs</h2>{inner}")))
    assert text.split("\n\n") == [
        "Home",
        "# Storage",
        "From October.",
        "## Costs",
        "| Size | Fee |\n| --- | --- |\n| small | 200 |",
    ]


@pytest.mark.parametrize("role", ["presentation", "none"])
def test_a_table_for_presentation_is_running_text(role: str) -> None:
    made = table(cells("a", "b"), cells("c", "d"), attributes=f"role={role}")
    assert "|" not in text_of(made)


def test_a_table_in_a_cell_stays_with_its_row() -> None:
    inner = table("<th>Month<th>Fee", cells("May", "7"))
    text = text_of(table("<th>Berth<th>Fees", cells("B1", inner), cells("B2", "none")))
    assert "| B1 | Month: May; Fee: 7 |\n| B2 | none |" in text


def test_a_large_table_in_a_cell_follows_the_outer_one() -> None:
    inner = table("<th>Month<th>Fee", *(cells(f"month number {n}", str(n)) for n in range(60)))
    text = text_of(table("<th>Berth<th>Fees", cells("B1", inner), cells("B2", "none")))
    assert text.index("| B2 | none |") < text.index("| Month | Fee |") < text.index("| month number 59 | 59 |")


def test_bars_and_lines_in_cells() -> None:
    assert r"| fog \| horn | one two |" in text_of(table("<th>a<th>b", cells("fog | horn", "one<br>two")))


def test_powers_never_join_a_number() -> None:
    text = text_of(
        "<p>10<sup>6</sup> ships on 12 m<sup>2</sup>, H<sub>2</sub>O, the 4<sup>th</sup> pier, Olsen<sup>1</sup></p>"
    )
    assert text == "10^6 ships on 12 m^2, H2O, the 4th pier, Olsen [1]"


def test_a_table_without_rows_is_nothing() -> None:
    assert text_of("<p>a</p><table></table><table><tr></tr></table><p>b</p>") == "a\n\nb"


def test_deeply_nested_tables_end() -> None:
    made = "x"
    for _ in range(60):
        made = table(cells("a", made), cells("c", "d"))
    assert "x" in text_of(made)
