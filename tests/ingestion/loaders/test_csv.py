"""CSV as programs write it: separators that are named, lines above, other quotes, no header, one column."""

from __future__ import annotations

import pytest

from rag.ingestion.loaders import load_bytes


def lines(text: str, source: str = "a.csv") -> list[str]:
    return load_bytes(text.encode(), source).text.strip().split("\n")


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"'])
def test_a_line_that_names_the_separator_is_no_data(line: str) -> None:
    text = f"{line}\nArticle;Price\nRope;3,50\nChain;12,80\n"
    assert lines(text) == ["| Article | Price |", "| --- | --- |", "| Rope | 3,50 |", "| Chain | 12,80 |"]


def test_lines_above_the_table_are_its_title() -> None:
    text = (
        "Account statement\nAccount: 4471-22\n\nDate;Payee;Amount\n2031-05-02;Olsen;-640,00\n2031-05-09;Berg;1.200,00\n"
    )
    assert lines(text)[:5] == [
        "Account statement",
        "Account: 4471-22",
        "",
        "| Date | Payee | Amount |",
        "| --- | --- | --- |",
    ]


def test_a_quote_after_a_backslash_is_part_of_the_cell() -> None:
    text = 'id,note\n1,"He said \\"stop\\", then left"\n2,"plain"\n'
    assert lines(text)[2:] == ['| 1 | He said "stop", then left |', "| 2 | plain |"]


def test_a_backslash_at_the_end_of_a_quoted_cell_stays() -> None:
    assert lines('id,path\n1,"C:\\temp\\"\n2,"D:\\"\n')[2:] == ["| 1 | C:\\temp\\ |", "| 2 | D:\\ |"]


def test_sentences_of_one_column_are_not_cut_at_commas() -> None:
    text = "Remark\nThe crane, the winch, and the slip were checked.\nThe pump, the hose, and the valve were not.\n"
    text += "The bell, the lamp, and the horn were replaced.\n"
    assert lines(text)[2] == "| The crane, the winch, and the slip were checked. |"
    assert len(lines(text)) == 5


def test_a_table_without_a_header_has_no_names() -> None:
    assert lines("1,Ann,40\n2,Bob,41\n3,Cid,42\n") == [
        "|  |  |  |", "| --- | --- | --- |", "| 1 | Ann | 40 |", "| 2 | Bob | 41 |", "| 3 | Cid | 42 |",
    ]  # fmt: skip


def test_several_tables_have_their_own_headers() -> None:
    text = "Pump,Flow\nA,1\nB,2\n\nBoat,Crew,Flag\nC,3,NO\n"
    assert "| Boat | Crew | Flag |\n| --- | --- | --- |\n| C | 3 | NO |" in "\n".join(lines(text))
