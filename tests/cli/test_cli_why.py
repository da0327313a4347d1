"""``rag why`` and ``rag ask --explain`` on fakes."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runner import Rag

QUESTION = "What is the lantern glass wiped with?"


def test_a_passage_that_is_shown_says_so(indexed: Path, rag: Rag) -> None:
    ran = rag("why", QUESTION, "--expect", "lantern.md")
    assert ran.code == 0
    assert "docs/lantern.md" in ran.out
    assert "The generator is shown it." in ran.out
    told = rag("why", QUESTION, "--expect", "docs/lantern.md", "--json").json
    assert (told["shown"], told["lost_at"], told["changes"]) == (True, None, [])
    assert told["fused_rank"] >= 1


def test_a_change_that_is_named_shows_it(indexed: Path, rag: Rag) -> None:
    few = ["--set", "retrieval.k=1"]
    told = rag("why", QUESTION, "--expect", "horn.txt", *few, "--json").json
    assert (told["shown"], told["lost_at"]) == (False, "fusion")
    assert told["changes"]
    for change in told["changes"]:
        more = [item for key, value in change.items() for item in ("--set", f"{key}={value}")]
        assert rag("why", QUESTION, "--expect", "horn.txt", *few, *more, "--json").json["shown"]
    shown = rag("why", QUESTION, "--expect", "horn.txt", *few).out
    assert "Lost at: fusion" in shown
    assert "shown with --set" in shown


def test_a_page_can_be_named(indexed: Path, rag: Rag) -> None:
    told = rag("why", "Where is the spare key?", "--expect", "pump.pdf:2", "--json").json
    assert told["expected"]["page"] == 2
    assert "third shelf" in told["expected"]["text"]


@pytest.mark.parametrize(
    ("expect", "told"),
    [("moon.md", "the index has no document 'moon.md'"), ("pump.pdf:9", "page 9 of pump.pdf has no text")],
)
def test_an_expectation_that_is_not_there(indexed: Path, rag: Rag, expect: str, told: str) -> None:
    ran = rag("why", QUESTION, "--expect", expect)
    assert ran.code == 1
    assert told in ran.err


def test_without_an_index_or_a_question(work: Path, rag: Rag) -> None:
    assert rag("why", QUESTION, "--expect", "a.md").code == 4
    assert "the question is empty" in rag("why", " ", "--expect", "a.md").err


def test_explain_says_what_each_passage_gave(indexed: Path, rag: Rag) -> None:
    told = rag("ask", QUESTION, "--explain", "--json").json
    assert {a["passage"] for a in told["attribution"]} == {p["id"] for p in told["passages"]}
    first = told["attribution"][0]
    assert first["source"] == "docs/lantern.md"
    assert first["similarity"] < 1
    shown = rag("ask", QUESTION, "--explain").out
    assert "without each passage" in shown


def test_explain_goes_with_one_question(indexed: Path, rag: Rag) -> None:
    ran = rag("ask", "-", "--explain")
    assert ran.code == 2
    assert "--explain needs one QUESTION" in ran.err


def test_a_document_that_the_filter_keeps_out(indexed: Path, rag: Rag) -> None:
    ran = rag("why", QUESTION, "--expect", "lantern.md", "--filter", "type=pdf")
    assert "Lost at: filter" in ran.out
    assert rag("why", QUESTION, "--expect", "lantern.md", "--filter", "type=markdown", "--json").json["lost_at"] is None
