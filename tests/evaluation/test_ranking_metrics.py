"""Ranking measures against ir_measures (trec_eval's own code) on random rankings."""

from __future__ import annotations

import random

import ir_measures
import pytest
from ir_measures import RR, Qrel, R, ScoredDoc, nDCG

from eval.ranking import ndcg_at_k, recall_at_k, reciprocal_rank


@pytest.mark.parametrize("seed", range(20))
def test_metrics_equal_those_of_ir_measures(seed: int) -> None:
    chance = random.Random(seed)
    documents = [f"d{n}" for n in range(40)]
    relevant = set(chance.sample(documents, chance.randint(1, 15)))
    ranked = chance.sample(documents, chance.randint(1, 30))
    measures = [R @ 1, R @ 5, R @ 100, RR, nDCG @ 3, nDCG @ 10]
    expected = ir_measures.calc_aggregate(
        measures,
        [Qrel("q", document, 1) for document in relevant],
        [ScoredDoc("q", document, -float(n)) for n, document in enumerate(ranked)],
    )
    got = {
        R @ 1: recall_at_k(ranked, relevant, 1),
        R @ 5: recall_at_k(ranked, relevant, 5),
        R @ 100: recall_at_k(ranked, relevant, 100),
        RR: reciprocal_rank(ranked, relevant),
        nDCG @ 3: ndcg_at_k(ranked, relevant, 3),
        nDCG @ 10: ndcg_at_k(ranked, relevant, 10),
    }
    assert got == pytest.approx(expected)


def test_an_empty_ranking_scores_nothing() -> None:
    assert recall_at_k([], {1}, 5) == reciprocal_rank([], {1}) == ndcg_at_k([], {1}, 5) == 0.0


def test_a_perfect_ranking_scores_one() -> None:
    assert recall_at_k([1, 2], {1, 2}, 2) == reciprocal_rank([1, 2], {1, 2}) == ndcg_at_k([2, 1], {1, 2}, 5) == 1.0


def test_a_question_without_relevant_items_has_no_metric() -> None:
    with pytest.raises(ValueError, match="relevant"):
        recall_at_k([1], set(), 1)
    with pytest.raises(ValueError, match="relevant"):
        reciprocal_rank([1], set())
    with pytest.raises(ValueError, match="relevant"):
        ndcg_at_k([1], set(), 1)
