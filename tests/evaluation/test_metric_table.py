"""The table of metrics: every row is complete, and a new row appears everywhere without another change."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.comparison import compare, to_markdown, verdict
from eval.datasets import Dataset, Question
from eval.evaluator import evaluate
from eval.metrics import GUARDED, METRICS, RECALL_AT, Metric, format_interval, format_value, value_in
from eval.report import write_report
from eval.run_plots import metric_bars
from eval.runs import RunData, load_run
from eval.statistics import Difference

QUESTIONS = tuple(Question(f"q{n}", "How tall?", ("31 metres",)) for n in range(40))
DATASET = Dataset("mast", "jsonl", "d1" * 32, QUESTIONS, ())


def run_with(text: str, out: Path | None = None) -> RunData:
    return evaluate(DATASET, lambda questions: [text] * len(questions), out=out)


@pytest.fixture
def words_metric(monkeypatch: pytest.MonkeyPatch) -> str:
    metric = Metric(
        "Words in answer", lambda case: float(len(case.text.split())), "Length of the answer", unit="ratio",
        higher_is_better=False,
    )  # fmt: skip
    monkeypatch.setitem(METRICS, "words", metric)
    return "words"


def test_a_new_row_is_scored_compared_and_reported(words_metric: str, tmp_path: Path) -> None:
    long = run_with("it is 31 metres tall", tmp_path / "long")
    assert value_in(long.rows[0], words_metric) == 5.0
    assert long.metrics[words_metric] == {"mean": 5.0, "low": 5.0, "high": 5.0, "n": 40}
    assert load_run(tmp_path / "long") == long

    found = compare(run_with("31 metres"), long)
    assert found.differences[words_metric].difference == 3.0
    assert verdict(words_metric, found.differences[words_metric]) == "worse"
    assert "| words | 40 | 2.00 | 5.00 | +3.00 |" in to_markdown(found)

    write_report(tmp_path / "report", long)
    for name in ("report.md", "report.html"):
        text = (tmp_path / "report" / name).read_text(encoding="utf-8")
        assert "Words in answer" in text and "5.000 – 5.000" in text, name
    assert '"words":[5.0,' in (tmp_path / "report" / "report.json").read_text(encoding="utf-8")
    assert "Words in answer" in metric_bars(long.metrics).to_json()  # type: ignore[union-attr]


def test_every_row_of_the_table_is_complete() -> None:
    for name, metric in METRICS.items():
        assert metric.label and metric.description[0].isupper() and not metric.description.endswith("."), name
        assert (metric.scale == 100.0) is (metric.unit == "percent")
    assert len({metric.label for metric in METRICS.values()}) == len(METRICS)
    assert [name for name in METRICS if name.startswith("recall@")] == [f"recall@{k}" for k in RECALL_AT]
    assert GUARDED == ("em", "f1", "right", "wrong_shown", "served", "ndcg@10")
    assert all(METRICS[name].compared for name in GUARDED)


@pytest.mark.parametrize(
    ("name", "low", "high", "p", "expected"),
    [
        ("em", 1.0, 2.0, 0.01, "better"),
        ("em", -2.0, -1.0, 0.01, "worse"),
        ("em", -1.0, 1.0, 0.01, ""),
        ("em", 1.0, 2.0, 0.05, ""),
        ("latency_s", 1.0, 2.0, 0.01, "slower"),
        ("latency_s", -2.0, -1.0, 0.01, "faster"),
    ],
)
def test_the_verdict_follows_the_direction_of_the_metric(
    name: str, low: float, high: float, p: float, expected: str
) -> None:
    assert verdict(name, Difference(0.0, 0.0, (low + high) / 2, low, high, p, 9)) == expected


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(12.345, "percent", "12.3"), (0.5, "ratio", "0.500"), (0.01234, "seconds", "0.0123"), (12345.6, None, "12,346"),
     (7, None, "7"), (None, "percent", "–"), (True, None, "–")],
)  # fmt: skip
def test_values_are_formatted_by_unit(value: object, unit: str | None, text: str) -> None:
    assert format_value(value, unit) == text


def test_intervals_are_formatted_by_unit() -> None:
    assert format_interval({"low": 1.0, "high": 2.25}, "percent") == "1.0 – 2.2"
    assert format_interval(None) == "–"
