"""Made-up runs for the report tests."""

from __future__ import annotations

from typing import Any

from eval.losses import STAGES


def interval(mean: float, n: int = 4, half: float = 2.0) -> dict[str, float]:
    return {"mean": mean, "low": mean - half, "high": mean + half, "n": n}


def passage(number: int, text: str, **changes: Any) -> dict[str, Any]:
    base = {"id": number, "source": f"Town/{number:03d}.md", "page": None, "headings": ["Town"], "text": text}
    base |= {"score": 1.5, "rank": number + 1, "dense": 0.5, "lexical": 3.25, "dense_rank": 1, "lexical_rank": None}
    return base | {"shown": number == 0, "relevant": number == 0} | changes


def row(number: int, *, right: bool = True, **changes: Any) -> dict[str, Any]:
    score = 1.0 if right else 0.0
    base: dict[str, Any] = {
        "id": f"q{number}",
        "question": f"Question {number}?",
        "answers": ["a river"],
        "impossible": False,
        "source": "Town/000.md",
        "prediction": "a river" if right else "a hill",
        "text": "It is a river.",
        "abstained": False,
        "confidence": 0.75,
        "em": score,
        "f1": 1.0 if right else 0.5,
        "contains": score,
        "passages": [passage(0, "The town lies by a river in the east."), passage(1, "Another town.")],
        "retrieval": {"recall@1": 1.0, "recall@5": 1.0, "mrr": 1.0, "ndcg@10": 1.0},
        "citations": [{"source": "Town/000.md", "start": 0, "end": 9, "quote": "lies by a river"}],
        "cited_contains": 1.0,
        "cited_overlaps": 1.0,
        "grounded": None,
        "loss": None if right else "reader_wrong",
        "timings": {"search": 0.01, "generate": 0.1 * (number + 1)},
        "latency_s": 0.1 * (number + 1),
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "cached_tokens": 0},
    }
    base["citations"][0] |= {"contains_gold": True, "overlaps_gold": None}
    return base | changes


def manifest(rows: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    n = len(rows)
    em = 100 * sum(row["em"] for row in rows) / n if n else 0.0
    base: dict[str, Any] = {
        "format": 1,
        "name": "town-open",
        "status": "complete",
        "created": "2026-11-21T10:00:00+00:00",
        "mode": "open",
        "seed": 7,
        "limit": n,
        "dataset": {"name": "dev", "version": "2.0", "sha256": "ab" * 32, "questions": 10570, "asked": n},
        "config": {"k": 5},
        "config_digest": "0123456789abcdef",
        "models": {"embedder": "mini", "generator": "small"},
        "index": {"generation": 3, "chunks": 25},
        "git_commit": "c0ffee",
        "packages": {"torch": "2.13.0"},
        "hardware": {"cpu": "Some CPU", "cores": 2, "memory_gib": 23.5, "gpu": None},
        "seconds": 12.5,
        "metrics": {
            "em": interval(em, n),
            "f1": interval(62.5, n),
            "recall@5": interval(80.0, n, 1.0),
            "recall@20": interval(90.0, n, 1.0),
            "mrr": interval(0.7, n, 0.05),
            "latency_s": interval(0.25, n, 0.05),
        },
        "official": {"exact": 33.333333333333336, "f1": 62.5, "total": n},
        "losses": {stage: sum(1 for row in rows if row["loss"] == stage) for stage in STAGES},
        "abstention": {
            "auroc": None,
            "precision": 0.5,
            "recall": 0.25,
            "false_answer_rate": 0.75,
            "risk_coverage": {"coverage": [0.25, 0.5, 1.0], "risk": [0.0, 0.25, 0.5]},
        },
        "throughput": {
            "questions_per_s": 1.9,
            "tokens_per_s": 610.0,
            "table": [
                {"precision": "float32", "batch": 8, "questions_per_s": 2.0, "tokens_per_s": 64.0},
            ],
        },
    }
    return base | changes


def point(number: int, **changes: Any) -> dict[str, Any]:
    f1 = 30.0 + number
    base = {"name": f"p{number}", "settings": {"k": 3 + number, "prompt": "plain" if number % 2 else "chat", "seed": 0}}
    base |= {"f1": interval(f1, 200), "em": interval(f1 - 10, 200), "p95_latency_s": 0.5 + 0.1 * number}
    return base | {"tokens": 300.0, "pareto": number == 0, "run": f"runs/p{number}"} | changes
