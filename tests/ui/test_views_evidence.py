"""What is shown of an answer: every letter of it, its numbers at the right sentences, and where sources stand."""

from __future__ import annotations

import dataclasses

import pytest
from evidence_samples import cited, passage

from rag.evidence.check import check
from rag.types import Answer, Citation
from ui.i18n import Texts
from ui.views.chat import Piece, cited_html, pieces, sources
from ui.views.words import full_place, place, short_name

TWO = "The pump is tested in March. Nobody knows who built the mountain railway.\n\n- The lamp is tested in June."


def written() -> Answer:
    found = check(TWO, [passage()])
    return Answer("When?", TWO, False, 0.5, found.sentences, found.citations, (passage(),), claims=found.claims)


def test_the_pieces_are_the_whole_text() -> None:
    assert "".join(piece.text for piece in pieces(written())) == TWO


def test_each_claim_has_its_number_and_one_that_was_not_found_has_none() -> None:
    shown = [piece for piece in pieces(written()) if piece.text.strip(" \n-")]
    assert [(piece.numbers, piece.instead) for piece in shown] == [((1,), ""), ((), ""), ((2,), "")]


def test_a_contradicted_claim_says_what_the_source_says_instead() -> None:
    answer = written()
    claim = dataclasses.replace(answer.claims[0], outcome="contradicted", instead="June")
    piece = pieces(dataclasses.replace(answer, claims=(claim,)))[0]
    assert (piece.numbers, piece.instead) == ((1,), "June")


def test_all_places_of_a_marked_answer_are_numbered() -> None:
    answer = cited("March", "March", "June")
    assert pieces(answer) == [Piece("March", (1, 2))]


def test_an_answer_that_nothing_supports_has_no_numbers() -> None:
    assert pieces(cited("April")) == [Piece("April")]


def test_a_source_marks_exactly_what_was_cited() -> None:
    (source,) = sources(cited("March", "March"))
    assert source.quote == "March"
    assert "in <mark>March</mark>." in cited_html(source)


def test_words_that_moved_are_found_again_and_words_that_went_are_not_marked() -> None:
    answer = cited("March", "March")
    moved = dataclasses.replace(answer.citations[0], start=3)
    gone = Citation(passage(), 0, 5, "April")
    found = sources(dataclasses.replace(answer, citations=(moved, gone)))
    assert [source.quote for source in found] == ["March", ""]
    assert "<mark>" not in cited_html(found[1])


def test_of_an_abstention_the_nearest_passages_can_be_opened() -> None:
    answer = Answer("?", "not in the documents", True, 0.0, passages=tuple(passage(id=n) for n in range(5)))
    assert [(source.number, source.quote) for source in sources(answer)] == [(1, ""), (2, ""), (3, "")]


@pytest.mark.parametrize(("language", "told"), [("en", "page 3 · Pump › Tests"), ("ru", "с. 3 · Pump › Tests")])
def test_a_place_is_page_and_headings(language: str, told: str) -> None:
    assert place(Texts(language), passage(page=3)) == told
    assert place(Texts(language), passage(headings=())) == ""
    assert full_place(Texts(language), passage(page=3)) == f"{passage().source} · {told}"
    assert full_place(Texts(language), passage(headings=())) == passage().source


@pytest.mark.parametrize(("language", "told"), [("en", "slide 3"), ("ru", "слайд 3")])
def test_of_a_presentation_a_page_is_a_slide(language: str, told: str) -> None:
    assert place(Texts(language), passage(source="Talks/Pump.PPTX", page=3, headings=())) == told


@pytest.mark.parametrize(("source", "name"), [
    ("a/b/c.pdf", "c.pdf"), ("C:\\x\\y.md", "y.md"), ("c.pdf", "c.pdf"), ("a/\u202efdp.exe", "�fdp.exe"),
    ("x" * 200, "x" * 79 + "…"),
])  # fmt: skip
def test_a_name_is_short_and_says_what_it_is(source: str, name: str) -> None:
    assert short_name(source) == name


def test_what_cannot_be_seen_is_seen_in_the_answer() -> None:
    assert pieces(cited("a\u202eb", "March"))[0].text == "a�b"


def test_text_of_documents_is_escaped() -> None:
    source = sources(cited("March", "March", of=passage("<img src=x> March <b>")))[0]
    assert cited_html(source) == '<div class="rag-passage">&lt;img src=x&gt; <mark>March</mark> &lt;b&gt;</div>'
