"""Every figure of a report, by the data in it."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
from report_samples import interval, point

from eval import run_plots, sweep_plots
from eval.plot_style import COLOURS, WORDS, dark, figure, plain


def trace(drawn: Any, name: str) -> Any:
    return next(trace for trace in drawn.data if trace.name == name)


def test_importing_the_plots_loads_no_plotly() -> None:
    code = "import sys, eval.report, ui.views.figures; sys.exit('plotly' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_metric_bars_show_means_intervals_and_order() -> None:
    drawn = run_plots.metric_bars({"mrr": interval(0.7, half=0.1), "em": interval(40.0), "latency_s": interval(1.0)})
    bars = trace(drawn, "mean")
    assert bars.y == ("Exact match", "MRR")
    assert bars.x == pytest.approx((40.0, 70.0))
    assert bars.error_x.array == pytest.approx((2.0, 10.0)) and bars.error_x.arrayminus == pytest.approx((2.0, 10.0))
    assert trace(drawn, "labels").text == ("40.0", "0.700")
    assert bars.marker.color == (COLOURS["answer"][0], COLOURS["retrieval"][0])


@pytest.mark.parametrize("metrics", [{}, {"em": None}, {"em": {"mean": None}}, {"latency_s": interval(1.0)}])
def test_without_metrics_there_is_no_figure(metrics: dict[str, Any]) -> None:
    assert run_plots.metric_bars(metrics) is None


def test_recall_curve_sorts_k_as_numbers() -> None:
    drawn = run_plots.recall_curve(
        {"recall@20": interval(90), "recall@5": interval(70), "recall@x": interval(1), "em": {}}
    )
    assert trace(drawn, "recall").x == (5, 20) and trace(drawn, "recall").y == (70.0, 90.0)
    assert trace(drawn, "low").y == (68.0, 88.0) and trace(drawn, "high").y == (72.0, 92.0)
    assert run_plots.recall_curve({"em": interval(3)}) is None


def test_waterfall_leads_from_100_to_the_exact_match() -> None:
    lost = [("reader_wrong", "Reader wrong", 30, 30.0), ("not_ingested", "Not ingested", 0, 0.0), ("z", "<b>z", 5, 5.0)]
    drawn = run_plots.loss_waterfall(lost)
    steps = trace(drawn, "points of EM")
    assert steps.x == (100.0, -30.0, -5.0, 65.0)
    assert steps.measure == ("absolute", "relative", "relative", "total")
    assert steps.y == ("All questions", "Reader wrong", "&lt;b&gt;z", "Exact match")
    assert trace(drawn, "labels").text == ("100", "−30.0", "−5.0", "65.0")


def test_waterfall_without_a_wrong_answer_and_without_a_question() -> None:
    assert trace(run_plots.loss_waterfall([("a", "a", 0, 0.0)]), "points of EM").x == (100.0, 100.0)
    assert run_plots.loss_waterfall([]) is None


def test_risk_coverage_in_percent() -> None:
    drawn = run_plots.risk_coverage_curve({"coverage": [0.5, 1.0], "risk": [0.1, 0.4]})
    assert trace(drawn, "risk").x == (50.0, 100.0) and trace(drawn, "risk").y == (10.0, 40.0)
    assert trace(drawn, "answering everything").y == (40.0, 40.0)


@pytest.mark.parametrize("curve", [None, {}, {"coverage": [], "risk": []}, {"coverage": [1.0], "risk": None}])
def test_no_risk_coverage(curve: object) -> None:
    assert run_plots.risk_coverage_curve(curve) is None


def test_latency_histogram_counts_every_question_and_marks_percentiles() -> None:
    seconds = [0.1 * number for number in range(1, 101)]
    drawn = run_plots.latency_histogram(seconds)
    assert sum(drawn.data[0].y) == 100
    marks = {shape.name: shape.x0 for shape in drawn.layout.shapes}
    assert marks == {"p50": pytest.approx(5.05), "p95": pytest.approx(9.505)}
    assert [note.text for note in drawn.layout.annotations] == ["p50 5.05 s", "p95 9.50 s"]


@pytest.mark.parametrize("seconds", [[0.0], [0.5], [0.5] * 7, [0.0, 1e-9], [0.1] * 99 + [1000.0]])
def test_latency_histogram_of_odd_samples(seconds: list[float]) -> None:
    drawn = run_plots.latency_histogram(seconds)
    assert sum(drawn.data[0].y) == len(seconds)
    assert all(width > 0 for width in drawn.data[0].width)


def test_a_long_tail_is_gathered_and_named() -> None:
    drawn = run_plots.latency_histogram([0.1, 0.2, 0.3] * 40 + [1000.0])
    assert max(drawn.data[0].x) < 1.0
    assert "up to 1,000 s" in drawn.data[0].hovertext[-1]
    assert run_plots.latency_histogram([]) is None


def test_sweep_scatter_joins_the_pareto_points_by_latency() -> None:
    points = [point(0, pareto=True, p95_latency_s=0.9), point(1), point(2, pareto=True, p95_latency_s=0.2)]
    drawn = sweep_plots.sweep_scatter(points)
    front = trace(drawn, "Pareto front")
    assert front.x == (0.2, 0.9) and front.y == (32.0, 30.0) and front.mode == "lines+markers"
    assert front.error_y.array == (2.0, 2.0)
    assert trace(drawn, "beaten by another point").x == (0.6,)
    assert sweep_plots.sweep_scatter([point(0, f1=None), point(1, p95_latency_s=None)]) is None


def test_parallel_axes_are_the_varying_settings_and_the_outcome() -> None:
    drawn = sweep_plots.sweep_parallel([point(0), point(1), point(2)])
    assert drawn.layout.xaxis.ticktext == ("k", "prompt", "p95 (s)", "tokens", "F1 (%)")
    assert trace(drawn, "p0").y == pytest.approx((0.0, 0.0, 0.0, 0.5, 0.0))
    assert trace(drawn, "p1").y == pytest.approx((0.5, 1.0, 0.5, 0.5, 0.5))
    assert trace(drawn, "p0").line.color == COLOURS["answer"][0] and trace(drawn, "p2").line.width == 1
    assert drawn.data[-1].name == "p0", "the Pareto lines are drawn last, on top"


def test_parallel_survives_missing_settings_and_one_point() -> None:
    assert len(sweep_plots.sweep_parallel([point(0)]).data) == 1
    drawn = sweep_plots.sweep_parallel([point(0), point(1, settings={}, f1=None, tokens=None)])
    assert trace(drawn, "p1").y[0] is None
    assert sweep_plots.sweep_parallel([]) is None


def test_hostile_names_are_escaped_in_labels() -> None:
    evil = "<a href='https://evil.example'>x</a>\n<b>"
    points = [point(0, name=evil, settings={evil: evil}), point(1, name=evil, settings={evil: "y"})]
    for drawn in (sweep_plots.sweep_parallel(points), sweep_plots.sweep_scatter(points)):
        assert "<a" not in drawn.to_json() and "\\u003ca" not in drawn.to_json() and "<b>" not in drawn.to_json()
    assert len(plain("x" * 500)) == 60


def test_figures_hold_plain_lists_and_no_web_gl() -> None:
    drawn = run_plots.latency_histogram([0.1, 0.2, 0.3])
    assert "bdata" not in drawn.to_json()
    kinds = {trace.type for trace in sweep_plots.sweep_parallel([point(0), point(1)]).data}
    assert kinds == {"scatter"}
    assert figure([], {}, {}).layout.paper_bgcolor == "rgba(0,0,0,0)"


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(part, 16) / 255 for part in re.findall("..", colour[1:])]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("role", ["answer", "retrieval", "citation", "loss", "text", "muted"])
def test_colours_stand_out_on_both_pages(role: str) -> None:
    light, dark = COLOURS[role]
    for page in ("#ffffff", "#f6f7f9"):
        assert contrast(light, page) >= 4.5
    for page in ("#1b1f24", "#14171b"):
        assert contrast(dark, page) >= 4.5


def test_every_light_colour_has_one_dark_one() -> None:
    assert len({light for light, _ in COLOURS.values()}) == len(COLOURS)


def test_another_language_replaces_every_word() -> None:
    words = {key: f"<{key}>" for key in WORDS}
    figures = [
        run_plots.metric_bars({"em": interval(40.0)}, words),
        run_plots.recall_curve({"recall@5": interval(70)}, words),
        run_plots.loss_waterfall([("a", "lost here", 3, 3.0)], words),
        run_plots.risk_coverage_curve({"coverage": [1.0], "risk": [0.5]}, words),
        run_plots.latency_histogram([0.1, 0.2], words),
        sweep_plots.sweep_scatter([point(0), point(1)], words),
        sweep_plots.sweep_parallel([point(0), point(1)], words),
    ]
    text = "\n".join(figure.to_json() for figure in figures if figure is not None).replace("\\u003c", "<")
    assert len(figures) == 7 and None not in figures
    for english in ("questions (%)", "95 % interval", "All questions", "Pareto", "seconds per question", "p95 (s)"):
        assert english not in text


def test_each_light_colour_is_replaced_by_its_dark_pair() -> None:
    node = {"a": [COLOURS["answer"][0], {"b": COLOURS["text"][0]}], "c": "words", "d": 3, "e": None}
    assert dark(node) == {"a": [COLOURS["answer"][1], {"b": COLOURS["text"][1]}], "c": "words", "d": 3, "e": None}
