"""Ranking metrics against ir_measures (trec_eval's own code) on random rankings."""

from __future__ import annotations

import random

import ir_measures
import pytest
from ir_measures import RR, Qrel, R, ScoredDoc, nDCG

from eval.datasets import Question
from eval.metrics import METRICS, Case
from eval.predictions import Prediction
from eval.ranking import ndcg_at_k


def metrics_of(source: str | None, ranked: tuple[str, ...] | None) -> dict[str, float | None]:
    case = Case(
        Question("q", "Where?", ("x",), source=source), Prediction("x", ranked_sources=ranked and tuple(ranked))
    )
    return {
        name: metric.compute(case) for name, metric in METRICS.items() if metric.family == "retrieval" and name != "map"
    }


@pytest.mark.parametrize("seed", range(20))
def test_metrics_equal_those_of_ir_measures(seed: int) -> None:
    chance = random.Random(seed)
    documents = [f"d{n}" for n in range(40)]
    source = chance.choice(documents)
    ranked = tuple(chance.sample(documents, chance.randint(1, 30)))
    measures = {"recall@1": R @ 1, "recall@5": R @ 5, "recall@10": R @ 10, "recall@20": R @ 20, "mrr": RR}
    measures["ndcg@10"] = nDCG @ 10
    expected = ir_measures.calc_aggregate(
        [*measures.values(), nDCG @ 3],
        [Qrel("q", source, 1)],
        [ScoredDoc("q", document, -float(n)) for n, document in enumerate(ranked)],
    )
    assert metrics_of(source, ranked) == pytest.approx({name: expected[measure] for name, measure in measures.items()})
    rank = ranked.index(source) + 1 if source in ranked else float("inf")
    assert ndcg_at_k(rank, 3) == pytest.approx(expected[nDCG @ 3])


def test_an_empty_ranking_scores_nothing_and_a_perfect_one_scores_one() -> None:
    assert set(metrics_of("d1", ()).values()) == {0.0}
    assert set(metrics_of("d1", ("d1", "d2")).values()) == {1.0}


@pytest.mark.parametrize(("source", "ranked"), [(None, ("d1",)), ("d1", None)])
def test_without_a_source_or_a_ranking_there_is_no_metric(source: str | None, ranked: tuple[str, ...] | None) -> None:
    assert set(metrics_of(source, ranked).values()) == {None}
