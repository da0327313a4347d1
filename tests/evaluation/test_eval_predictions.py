"""Predictions become rows: the metrics of one question, and the stage that lost it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from eval.datasets import Question
from eval.errors import EvalError
from eval.evaluator import score_question
from eval.losses import STAGES, Trace, classify, count_losses
from eval.metrics import Case
from eval.predictions import CitedSpan, Prediction, RankedPassage
from eval.text_metrics import Rule, contains_gold

QUESTION = Question("q", "How tall?", ("31 metres", "31 m"), source="a/mast.md")
SHOWN = RankedPassage(1, "docs/a/mast.md", None, (), "It is 31 metres tall.", 1.0, 1, True)
RIGHT = Prediction("31 metres.", False, 0.9, (SHOWN,), ("docs/a/mast.md",), sentences=1, supported=1)


def scored(question: Question, prediction: Prediction, rule: Rule = "2.0") -> dict[str, Any]:
    return score_question(Case(question, prediction, rule))


def test_a_right_answer() -> None:
    row = scored(QUESTION, RIGHT)
    assert (row["em"], row["f1"], row["contains"], row["loss"], row["grounded"]) == (1.0, 1.0, 1.0, None, 1.0)
    ranking = {"recall@1": 1, "recall@5": 1, "recall@10": 1, "recall@20": 1, "mrr": 1, "ndcg@10": 1}
    assert row["retrieval"] == {**ranking, "map": None}
    assert row["passages"][0]["relevant"] is True


def test_an_abstention_is_scored_as_an_empty_answer_with_its_text_stored() -> None:
    row = scored(QUESTION, replace(RIGHT, text="not in the documents", abstained=True))
    assert (row["prediction"], row["text"], row["em"]) == ("", "not in the documents", 0.0)
    assert (row["cited_contains"], row["grounded"]) == (None, None)
    assert row["loss"] == "abstained_wrongly"


def test_two_documents_with_the_end_of_a_path_count_once() -> None:
    question = replace(QUESTION, source="mast.md")
    row = scored(question, replace(RIGHT, ranked_sources=("x.md", "a/mast.md", "b/mast.md")))
    assert row["retrieval"]["mrr"] == 0.5
    assert row["retrieval"]["ndcg@10"] < 1


def test_a_document_ranked_twice_counts_once() -> None:
    row = scored(QUESTION, replace(RIGHT, ranked_sources=("x.md", "x.md", "a/mast.md")))
    assert row["retrieval"]["mrr"] == 0.5


def test_golds_without_tokens_are_scored_as_the_official_scripts_do() -> None:
    question = replace(QUESTION, answers=("the", "31 metres"))
    silent = replace(RIGHT, text="", abstained=True)
    assert scored(question, silent, rule="2.0")["em"] == 0.0
    assert scored(question, silent, rule="1.1")["em"] == 1.0
    nothing = replace(QUESTION, answers=("the",))
    assert scored(nothing, silent, rule="2.0")["em"] == 1.0


@pytest.mark.parametrize(
    ("quote", "holds", "overlaps"),
    [("It is 31 metres tall.", True, True), ("31 people came", False, True), ("nothing", False, False)],
)
def test_a_citation_is_compared_with_the_golds(quote: str, holds: bool, overlaps: bool) -> None:
    row = scored(QUESTION, replace(RIGHT, citations=(CitedSpan("docs/a/mast.md", 0, len(quote), quote),)))
    assert (row["cited_contains"], row["cited_overlaps"]) == (holds, overlaps)


@pytest.mark.parametrize(
    ("text", "gold", "found"),
    [
        ("The Afrikaans-speaking people", "Afrikaans", True),
        ("in  the\nNEW  port", "new port", True),
        ("the port", "the", False),
        ("", "a", False),
        ("a cat", "dog", False),
    ],
)
def test_whether_a_text_contains_a_gold(text: str, gold: str, found: bool) -> None:
    assert contains_gold(text, gold) is found


@pytest.mark.parametrize("confidence", [float("nan"), float("inf")])
def test_an_infinite_confidence_is_refused(confidence: float) -> None:
    with pytest.raises(EvalError, match="confidence"):
        scored(QUESTION, replace(RIGHT, confidence=confidence))


FLAGS = ("not_ingested", "cut_across_chunks", "not_a_candidate", "lost_in_fusion", "dropped_by_budget")


@pytest.mark.parametrize("reached", range(6))
def test_the_first_stage_that_failed_is_named(reached: int) -> None:
    trace = Trace(*(n < reached for n in range(5)))
    lost = classify(em=0.0, f1=0.0, contains=0.0, abstained=False, impossible=False, trace=trace)
    assert lost == (FLAGS[reached] if reached < 5 else "reader_wrong")


def test_classes_that_need_no_trace() -> None:
    base = {"em": 0.0, "f1": 0.0, "contains": 0.0, "abstained": False, "impossible": False, "trace": None}
    assert classify(**base) == "reader_wrong"  # type: ignore[arg-type]
    assert classify(**{**base, "f1": 0.5}) == "phrased_differently"  # type: ignore[arg-type]
    assert classify(**{**base, "contains": 1.0}) == "phrased_differently"  # type: ignore[arg-type]
    assert classify(**{**base, "abstained": True}) == "abstained_wrongly"  # type: ignore[arg-type]
    assert classify(**{**base, "impossible": True}) == "answered_unanswerable"  # type: ignore[arg-type]
    assert classify(**{**base, "em": 1.0, "impossible": True}) is None  # type: ignore[arg-type]
    counted = count_losses(["reader_wrong", None, "reader_wrong"])
    assert list(counted) == list(STAGES)
    assert counted["reader_wrong"] == 2
