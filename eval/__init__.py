"""Evaluation of question answering: datasets, metrics, runs, comparisons and reports.

The package knows questions, gold answers and predictions. It imports nothing of ``rag`` and ``indexes``, so that it
can be used alone::

    from eval import evaluate, load_dataset

    dataset = load_dataset("questions.jsonl")
    run = evaluate(dataset, lambda questions: [my_system(q.question) for q in questions])
    print(run.metrics["f1"]["mean"])

Names are imported on first use: ``import eval`` loads no other module. The module shadows the builtin ``eval``, so
import from it (``from eval import f1``) instead of importing it whole.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eval.comparison import Comparison, compare
    from eval.datasets import Dataset, Question, load_dataset, sample
    from eval.errors import EvalError
    from eval.evaluator import evaluate
    from eval.predictions import Prediction
    from eval.report import write_report
    from eval.runs import RunData, load_run
    from eval.text_metrics import exact_match, f1

__all__ = [
    "Comparison",
    "Dataset",
    "EvalError",
    "Prediction",
    "Question",
    "RunData",
    "compare",
    "evaluate",
    "exact_match",
    "f1",
    "load_dataset",
    "load_run",
    "sample",
    "write_report",
]

_MODULES = {
    "comparison": ("Comparison", "compare"),
    "datasets": ("Dataset", "Question", "load_dataset", "sample"),
    "errors": ("EvalError",),
    "evaluator": ("evaluate",),
    "predictions": ("Prediction",),
    "report": ("write_report",),
    "runs": ("RunData", "load_run"),
    "text_metrics": ("exact_match", "f1"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
