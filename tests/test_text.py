"""Counts in sentences, and the line that says where a passage comes from."""

from __future__ import annotations

import pytest

from rag.text import context_line, counted, documents_by_state


@pytest.mark.parametrize(
    ("count", "nouns", "told"),
    [
        (1, ("chunk",), "1 chunk"),
        (0, ("chunk",), "0 chunks"),
        (2000, ("chunk",), "2,000 chunks"),
        (1, ("line lacks", "lines lack"), "1 line lacks"),
        (21, ("line lacks", "lines lack"), "21 lines lack"),
    ],
)
def test_a_count_and_its_noun(count: int, nouns: tuple[str, ...], told: str) -> None:
    assert counted(count, *nouns) == told


def test_failed_documents_are_told_apart() -> None:
    assert documents_by_state({"ready": 1, "stale": 0, "failed": 0, "chunks": 5}) == "1 document ready"
    assert (
        documents_by_state({"ready": 0, "stale": 1, "failed": 2})
        == "0 documents ready, 1 in an older version, 2 failed"
    )


@pytest.mark.parametrize(
    ("source", "title", "headings", "line"),
    [
        ("docs/fees.xlsx", "Fees", (), "Fees"),
        (
            "docs/visitor-policy-2023.docx",
            "Visitor Policy",
            ("Wards", "Hours"),
            "Visitor Policy (2023) > Wards > Hours",
        ),
        ("install.md", "Installing", ("Installing", "Linux"), "Installing > Linux"),
        ("a.csv", "Rota,\n week 19", ("rows 2-5",), "Rota, week 19"),
        ("3f2a9c0d1e4b5a6f7081.pdf", "Lease", (), "Lease"),
        ("a_b_c_d_e_f.txt", "Minutes", ("Present",), "Minutes > Present"),
        ("", "", ("Rent",), "Rent"),
        ("x", "", (), ""),
    ],
)
def test_the_context_line(source: str, title: str, headings: tuple[str, ...], line: str) -> None:
    assert context_line(source, title, headings) == line


def test_a_long_context_line_keeps_the_title_and_the_nearest_heading() -> None:
    line = context_line("lease.docx", "Lease", ["Part " + "x" * 150, "Section " + "y" * 60, "Rent"])
    assert line == "Lease > Section " + "y" * 60 + " > Rent"
    assert len(context_line("a.md", "A", ["z" * 900])) == 200
