"""What the search lab shows, as pure functions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag.ops.explain import Change, Standing, Why
from rag.retrieval.filters import Filter
from rag.retrieval.retriever import Retrieved
from rag.types import Passage
from ui.i18n import Texts
from ui.views.lab import asked_terms, card_html, columns, expected_page, matched, settings_of, why_lines

EN, RU = Texts("en"), Texts("ru")


def passage(number: int, text: str = "text", source: str = "a.txt") -> Passage:
    return Passage(number, source, "A", 3, ("One", "Two"), 0, 4, text, 1.0)


def found(*ids: int, **timings: float) -> Retrieved:
    return Retrieved("q", tuple(passage(n) for n in ids), 1.0, 1, (), dict(timings))


def stems(text: str) -> list[str]:
    return [word.lower().rstrip("s") for word in text.split()]


def test_places_in_all_columns_and_how_far_a_passage_moved() -> None:
    made = columns(
        {
            "dense": found(1, 2, 3, search=0.5),
            "lexical": found(4, 1),
            "hybrid": found(2, 1, 4),
            "reranked": found(4, 2, 1),
        },
        2,
    )
    assert ([card.passage.id for card in made[0].cards], made[0].seconds) == ([1, 2], 0.5)
    moves = {c.name: [(card.moved, card.new) for card in c.cards] for c in made}
    assert moves == {
        "dense": [(None, False)] * 2,
        "lexical": [(None, False)] * 2,
        "hybrid": [(1, False), (-1, False)],
        "reranked": [(2, False), (-1, False)],
    }
    assert made[1].cards[0].ranks == {"lexical": 1, "hybrid": 3, "reranked": 1}


def test_without_a_reranker_and_with_nothing_found() -> None:
    made = columns({"dense": found(), "lexical": found(), "hybrid": found(5)}, 3)
    assert [len(column.cards) for column in made] == [0, 0, 1]
    assert made[2].cards[0].new


def test_words_are_marked_by_their_stems() -> None:
    text = "Lamps, a LAMP; clamps"
    assert [text[a:b] for a, b in matched(text, {"lamp"}, stems)] == ["Lamps", "LAMP"]
    assert matched(text, set(), stems) == []


def test_function_words_are_marked_only_where_there_is_nothing_else() -> None:
    assert asked_terms("Where is the lamp?", stems) == {"lamp"}
    assert asked_terms("is it the", stems) == {"i", "it", "the"}


def test_a_card_holds_no_tag_of_a_document() -> None:
    hostile = passage(1, '<script>alert("x")</script> lamp', "upload://<img src=x>.pdf")
    [column] = columns({"dense": Retrieved("q", (hostile,), 1.0, 1)}, 5)
    html = card_html(column.cards[0], [(28, 32)], EN, expected=True, among=("dense",))
    assert "<script" not in html
    assert "<img" not in html
    assert "<mark>lamp</mark>" in html
    assert "lab-expected" in html
    assert "page 3 · One › Two" in html
    assert "Dense 1" in html


@pytest.mark.parametrize(("typed", "page"), [("", None), (" ", None), ("7", 7), (" 12 ", 12)])
def test_a_page_as_it_is_typed(typed: str, page: int | None) -> None:
    assert expected_page(typed) == page


@pytest.mark.parametrize("typed", ["x", "0", "-1", "1.5"])
def test_what_is_no_page(typed: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - Python's words differ
        expected_page(typed)


@pytest.mark.parametrize("t", [EN, RU], ids=["en", "ru"])
@pytest.mark.parametrize("lost_at", ["candidates", "fusion", "budget", "relevance", "filter", None])
def test_where_a_passage_was_lost_is_said(t: Texts, lost_at: str | None) -> None:
    standing = Standing(passage(1), 3, None, True, 7, False, lost_at is None, None)
    lines = why_lines(Why("q", standing, lost_at, ()), 5, 100, Filter(types=("pdf",)), t)
    assert len(lines) == (1 if lost_at == "filter" else 4 if lost_at is None else 5)
    assert all(lines)
    with_change = why_lines(Why("q", standing, lost_at, (Change({"retrieval.k": 7}),)), 5, 100, None, t)
    assert len(with_change) == (1 if lost_at == "filter" else 4)


def test_the_place_before_reranking_and_the_one_after_it_are_told_apart() -> None:
    read_again = replace(passage(1), reranked=2.0, fused_rank=9)
    standing = Standing(read_again, 3, None, True, 6, False, True, None)
    lines = why_lines(Why("q", standing, None, ()), 5, 100, None, EN)
    assert lines[2:4] == [
        "Fused rank: 9", "Reranked: 6; the first 5 are read",
    ]  # fmt: skip


def test_a_change_that_the_sliders_can_show() -> None:
    assert settings_of(Change({"retrieval.k": 7, "retrieval.dense_weight": 0.5})) == {"lab_k": 7, "lab_weight": 0.5}
    assert settings_of(Change({"retrieval.k": 51})) == {}
    assert settings_of(Change({"retrieval.k": 7, "prompt.context_tokens": 512})) == {}
