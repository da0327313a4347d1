"""The words in the figures, in English; another language hands the plots a mapping of its own with the same keys.

Values are :meth:`str.format` templates. What a template is filled with is formatted already.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["WORDS"]

WORDS: Mapping[str, str] = {
    "hover_metric": "{name}: {value}, 95 % interval {interval}, n = {n}",
    "hover_recall": "{name}: {value} %, 95 % interval {interval}",
    "axis_metrics": "%, MRR and nDCG × 100",
    "axis_k": "k, passages looked at",
    "axis_recall": "recall@k (%)",
    "all_questions": "All questions",
    "hover_loss": "{stage}: {points} points, questions: {n}",
    "axis_questions_percent": "questions (%)",
    "hover_risk": "{coverage} % answered: {risk} % of them wrong",
    "axis_coverage": "coverage: questions answered (%)",
    "axis_risk": "risk: wrong among them (%)",
    "hover_latency": "{range}, questions: {n}",
    "range": "{low} to {high} s",
    "range_open": "{low} s and more, up to {high} s",
    "axis_seconds": "seconds per question",
    "axis_questions": "questions",
    "front": "Pareto front",
    "beaten": "beaten by another point",
    "hover_point": "{name}: F1 {f1} % ({interval}), p95 {seconds} s",
    "p95": "p95 (s)",
    "axis_p95": "p95 latency (s)",
    "tokens": "tokens",
    "f1_percent": "F1 (%)",
    "seconds_mark": "{name} {value} s",
}
