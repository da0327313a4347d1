"""Why an answer is what it is: every passage with its state, every stage with its time."""

from __future__ import annotations

import dataclasses

from evidence_samples import cited, passage

from rag.ops.explain import Attribution
from rag.types import Answer, DroppedPassage, Note, Usage
from ui.i18n import Texts
from ui.views.why import candidates, facts, left_out, notes, shares, without

t = Texts("en")


def answer() -> Answer:
    other, left = passage(id=2), passage(id=3)
    return dataclasses.replace(
        cited("March", "March"),
        passages=(passage(), other),
        dropped=(DroppedPassage(left, Note("needs 90 tokens", "over_budget", {"n": 90, "left": 9, "budget": 900})),),
        usage=Usage(120, 4, 60),
        timings={"embed": 0.03, "search": 0.01, "generate": 0.06, "first_token": 0.05},
        generator="fake\u202e",
        notes=(Note("the answer was cut at 64 tokens", "answer_cut", {"n": 64}), Note("failed:\nno kind")),
    )


def test_every_passage_has_a_state() -> None:
    states = [row["state"] for row in candidates(t, answer())]
    assert states == ["cited", "read, not cited", "left out"]


def test_a_deeper_search_keeps_its_order_and_loses_no_passage_of_the_answer() -> None:
    deeper = [passage(id=9), passage(id=1), passage(id=2)]
    rows = candidates(t, answer(), deeper)
    assert [row["rank"] for row in rows] == [1, 2, 3, 4]
    assert [row["state"] for row in rows] == ["too far down", "cited", "read, not cited", "left out"]


def test_what_no_model_read_is_not_called_read() -> None:
    turned_away = Answer("?", "not in the documents", True, 0.0, passages=(passage(),))
    assert [row["state"] for row in candidates(t, turned_away)] == ["near, not read"]


def test_the_ranks_of_every_retriever_are_there() -> None:
    found = passage(dense=0.5, dense_rank=2, lexical=7.0, lexical_rank=1, fused_rank=3, reranked=1.5, score=2.0)
    (row,) = candidates(t, Answer("?", "a", False, 1.0, passages=(found,)))
    assert (row["dense_rank"], row["lexical_rank"], row["fused_rank"]) == (2, 1, 3)
    assert (row["dense"], row["lexical"], row["reranked"], row["score"]) == (0.5, 7.0, 1.5, 2.0)


def test_shares_add_up_and_the_first_token_is_no_stage() -> None:
    rows = shares(t, answer())
    assert [row["stage"] for row in rows] == ["Embed the question", "Search", "Answer"]
    assert abs(sum(row["share"] for row in rows) - 1) < 1e-9
    assert [round(row["milliseconds"]) for row in rows] == [30, 10, 60]


def test_an_answer_without_times_has_no_shares() -> None:
    assert shares(t, cited("March", "March")) == []
    assert [row["share"] for row in shares(t, dataclasses.replace(answer(), timings={"embed": 0.0}))] == [0.0]


def test_facts_are_written_as_the_language_writes_them() -> None:
    assert dict(facts(Texts("en"), dataclasses.replace(answer(), confidence=None)))["Confidence"] == "not rated"
    told = dict(facts(Texts("ru"), dataclasses.replace(answer(), usage=Usage(12000, 4))))
    assert told["Прочитано токенов"].replace("\u00a0", " ") == "12 000"
    assert told["Чем получен ответ"] == "fake�"


def test_what_is_too_long_for_a_cell_is_said_in_sentences_of_the_pages_language() -> None:
    told, without_kind = notes(Texts("ru"), answer())
    assert told == "Ответ обрезан: предел — 64 токена (prompt.max_tokens)."
    assert without_kind == "failed: no kind"
    (left,) = left_out(Texts("ru"), answer())
    assert left.startswith("Не вошёл: ") and left.endswith(
        "Фрагменту нужно 90 токенов, а из отведённых 900 оставалось 9."
    )


def test_a_note_of_another_version_is_its_english_sentence() -> None:
    odd = dataclasses.replace(answer(), notes=(Note("cut", "answer_cut"), Note("new", "newer"), Note("<b>\n{n}", "")))  # type: ignore[arg-type]
    assert notes(t, odd) == ["cut", "new", "<b> {n}"]


def test_what_is_left_without_a_passage() -> None:
    rows = without(t, [Attribution(passage(), "June", False, 0.1), Attribution(passage(), "x", True, 0.0)])
    assert [(row["similarity"], row["answer"]) for row in rows] == [(0.1, "June"), (0.0, "Not in your documents")]
