"""What the evaluation page shows, computed without widgets: tables, questions, gold spans, figures, question files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from evaluation_runs import HOSTILE, copied, made, named
from hypothesis import given
from hypothesis import strategies as st

from eval.comparison import compare
from eval.errors import EvalError
from eval.metrics import METRICS
from eval.plot_style import WORDS
from eval.runs import RunData, RunEntry, list_runs, list_sweeps, load_run
from rag.errors import UsageError
from ui.i18n import Texts
from ui.views.figures import plot_words, run_figures, sweep_figures
from ui.views.new_evaluation import keep_upload, look, setting_lines
from ui.views.questions import Filter, chosen, gold_spans, losses_in, opened, verdict_of
from ui.views.runs import (
    comparison_rows,
    loss_rows,
    made_rows,
    metric_rows,
    name_width,
    reliability_rows,
    reliability_words,
    run_rows,
    stage_rows,
    tiles,
)
from ui.views.words import noted

EN, RU = Texts("en"), Texts("ru")
LANGUAGES = pytest.mark.parametrize("t", [EN, RU], ids=["en", "ru"])


@pytest.fixture(scope="module")
def run() -> RunData:
    return load_run(named(made() / "runs", "loose"))


@LANGUAGES
def test_a_row_a_run_with_its_intervals(t: Texts) -> None:
    rows = run_rows(list_runs(made() / "runs"), t)
    assert len(rows) == 4
    loose = next(row for row in rows if row["run"].endswith("-loose"))
    assert loose["state"] == t("evaluation.state_complete")
    assert (loose["questions"], loose["dataset"], loose["mode"]) == (18, "beacons", "open")
    assert loose["recall@5"] == 100.0
    assert re.fullmatch(r"\d+[.,]\d – \d+[.,]\d", loose["f1 interval"])


def test_a_broken_run_is_a_row_with_a_sentence(tmp_path: Path) -> None:
    runs = copied(tmp_path)
    (named(runs, "loose") / "rows.jsonl").write_text("{", encoding="utf-8")
    (runs / "zz").mkdir()
    rows = {row["run"].rpartition("-")[2]: row for row in run_rows(list_runs(runs), EN, running="zz")}
    assert "cut off" in rows["loose"]["state"] and rows["loose"]["f1"] is None
    assert rows["zz"]["state"] == EN("evaluation.state_running")


def test_the_reliability_of_a_run() -> None:
    share = {"n": 4, "right": 0.75, "low": 0.3, "high": 0.954, "confidence": 0.8125}
    figures = {"answers": 4, "ece": 0.0625, "bands": {"high": share}, "kinds": {"<b>": {**share, "ece": 0.0625}}}
    assert reliability_words({"reliability": figures}, EN) == "Expected calibration error: 0.062; answers shown: 4."
    assert reliability_words({"reliability": figures}, RU).endswith("0,062; показано ответов: 4.")
    assert reliability_words({"reliability": {**figures, "unrated": 3}}, EN).endswith("as summaries have none: 3.")
    common = {"n": 4, "right": "75.0\u00a0%", "interval": "30.0 – 95.4", "confidence": "0.812"}
    assert reliability_rows({"reliability": figures}, EN) == [
        {"group": "high confidence", **common, "ece": None},
        {"group": "<b>", **common, "ece": "0.062"},
    ]


@pytest.mark.parametrize(
    "figures",
    [None, "x", {"ece": "x"}, {"ece": float("nan"), "answers": 1}, {"bands": [1], "kinds": {"a": {"n": "x"}}}],
)
def test_a_reliability_that_is_none_is_left_out(figures: object) -> None:
    assert reliability_words({"reliability": figures}, EN) == ""
    assert reliability_rows({"reliability": figures}, EN) == []
    assert "reliability" not in run_figures({"reliability": figures}, [], EN, dark=False)


def test_the_column_of_names_is_as_wide_as_points_of_a_sweep_need() -> None:
    assert name_width([]) == name_width([{"run": "short"}]) == 200
    assert name_width([{"run": "short"}, {"run": "20260101-000000-sweep-k-4-dense_weight-0.4"}]) == 360
    assert name_width([{"run": "x" * 500}]) == 480


MESS: list[dict[str, Any]] = [
    {},
    {"metrics": [], "dataset": 3, "hardware": "x", "models": None, "created": 5, "packages": [1]},
    {"metrics": {"em": {"mean": float("nan")}, "f1": {"mean": True}, "x": {"mean": 3}}, "dataset": {"asked": "many"}},
    {"metrics": {"em": {"mean": 1, "n": "x"}}, "created": "yesterday", "abstention": [], "mode": {"a": 1}},
]


@pytest.mark.parametrize("manifest", MESS)
def test_a_manifest_of_any_shape_is_no_error(manifest: dict[str, Any]) -> None:
    assert run_rows([RunEntry(Path("r"), "complete", manifest)], EN)[0]["run"] == "r"
    metric_rows(manifest, EN), made_rows(manifest, EN), tiles(manifest, [], EN)


def test_names_from_outside_are_one_plain_line() -> None:
    name = "a\nb\x1b[31m\u202e"
    row = run_rows([RunEntry(Path(name), "complete", {"dataset": {"name": name}})], EN)[0]
    assert "\n" not in row["run"] + row["dataset"] and "\x1b" not in row["run"] and "\u202e" not in row["dataset"]


@LANGUAGES
def test_losses_have_names_and_add_up(run: RunData, t: Texts) -> None:
    lost = loss_rows(run.rows, t)
    wrong = sum(1 for row in run.rows if row["em"] < 1)
    assert sum(count for _, _, count, _ in lost) == wrong
    assert {label for stage, label, _, _ in lost if stage == "reader_wrong"} == {t("evaluation.loss_reader_wrong")}
    assert {label for _, label, *_ in loss_rows([*run.rows, {"em": 0.0, "loss": "<new>"}], t)} >= {"<new>"}


@LANGUAGES
def test_stages_and_facts(run: RunData, t: Texts) -> None:
    stages = {row["stage"]: row for row in stage_rows(run.rows, t)}
    assert t("plots.stage_generate") in stages and t("plots.stage_total") in stages
    assert all(row["p50"] <= row["p95"] for row in stages.values())
    assert dict(made_rows(run.manifest, t))[t("evaluation.made_seed")] == "0"
    assert [tile.label for tile in tiles(run.manifest, run.rows, t)][:2] == [t("evaluation.metric_em"), "F1"]


@LANGUAGES
def test_a_comparison_in_words(run: RunData, t: Texts) -> None:
    strict = load_run(named(made() / "runs", "strict"))
    found = compare(run, strict, samples=200)
    rows = {row["metric"]: row for row in comparison_rows(found, t)}
    em = rows[t("evaluation.metric_em")]
    assert em["difference"].startswith("+") and em["verdict"] == t("evaluation.verdict_better")
    assert rows["Recall@5"]["verdict"] == t("evaluation.verdict_same")
    assert found.flipped and {flip["better"] for flip in found.flipped} == {"b"}


# Questions ---------------------------------------------------------------------------------------------------------


def test_the_filter(run: RunData) -> None:
    rows = run.rows
    everything = chosen(rows, Filter())
    assert everything == list(range(18))
    assert set(chosen(rows, Filter(verdict="right"))) | set(chosen(rows, Filter(verdict="wrong"))) == set(everything)
    assert len(chosen(rows, Filter(answerable="no"))) == 6
    assert len(chosen(rows, Filter(answerable="yes", words="LAMP  elm"))) == 2
    assert [rows[n]["id"] for n in chosen(rows, Filter(words="lit? elm lamp"))] == ["Elm-lit"]
    for loss, count in losses_in(rows).items():
        assert len(chosen(rows, Filter(loss=loss))) == count
    assert chosen(rows, Filter(words="no such word")) == []
    assert all(rows[n]["abstained"] for n in chosen(rows, Filter(verdict="abstained")))


def test_an_opened_question_marks_its_golds(run: RunData) -> None:
    found = opened(next(row for row in run.rows if row["id"] == "Elm-tall"))
    assert (found.golds, found.loss) == (("24 metres",), "reader_wrong")
    spans = {p.text[a:b] for p in found.passages for a, b in p.golds}
    assert spans == {"24 metres"}
    assert HOSTILE in found.question
    assert found.timings
    cited = opened(next(row for row in run.rows if row["id"] == "Elm-lit"))
    assert cited.quotes[0].golds


@pytest.mark.parametrize("row", [{}, {"passages": [3], "citations": "x", "answers": 5, "timings": [1], "em": None}])
def test_a_row_of_any_shape_opens(row: dict[str, Any]) -> None:
    assert opened(row).passages == ()
    assert verdict_of(row) == "unscored"


def test_gold_spans_prefer_whole_words_and_forgive_white_space() -> None:
    text = "In 1066 and 11066: the  North\nSea, north sea."
    assert [text[a:b] for a, b in gold_spans(text, ["1066"])] == ["1066"]
    assert [text[a:b] for a, b in gold_spans(text, ["north sea"])] == ["North\nSea", "north sea"]
    [(start, end)] = gold_spans("Afrikaans-speaking", ["speak"])
    assert "Afrikaans-speaking"[start:end] == "speak"
    assert gold_spans(text, ["", "  ", "(("]) == ()


@given(st.text(max_size=60), st.text(max_size=8))
def test_a_span_is_the_gold_again(text: str, gold: str) -> None:
    for start, end in gold_spans(text, [gold]):
        assert "".join(text[start:end].split()).casefold() == "".join(gold.split()).casefold() or (
            re.fullmatch(r"\s+".join(map(re.escape, gold.split())), text[start:end], re.IGNORECASE)
        )


# Figures -----------------------------------------------------------------------------------------------------------


def test_the_catalogue_has_every_word_of_the_plots() -> None:
    for t in (EN, RU):
        assert plot_words(t).keys() == WORDS.keys() | METRICS.keys()
    fields = {key: set(re.findall(r"{\w+}", text)) for key, text in WORDS.items()}
    for t in (EN, RU):
        assert {key: set(re.findall(r"{\w+}", plot_words(t)[key])) for key in WORDS} == fields


@LANGUAGES
@pytest.mark.parametrize("dark", [False, True])
def test_figures_in_language_and_theme(run: RunData, t: Texts, dark: bool) -> None:
    figures = run_figures(run.manifest, run.rows, t, dark=dark)
    assert set(figures) == {"losses", "metrics", "reliability", "risk", "latency"}
    told = figures["losses"].to_json()
    assert ("#b04a22" in told) is not dark
    assert json.loads(told)["layout"]["separators"][0] == ("," if t is RU else ".")
    labels = [text for trace in figures["metrics"].data if trace.name == "labels" for text in trace.text]
    assert all(("," if t is RU else ".") in label for label in labels)
    assert "system-ui" not in told


@LANGUAGES
def test_a_sweep_as_parallel_coordinates(t: Texts) -> None:
    [sweep] = list_sweeps(made() / "runs")
    figures = sweep_figures(sweep.points, t, dark=False)
    assert set(figures) == {"parallel", "scatter"}
    assert "retrieval.k" in figures["parallel"].layout.xaxis.ticktext


# Question files ----------------------------------------------------------------------------------------------------


def test_an_upload_is_kept_under_a_harmless_name(tmp_path: Path) -> None:
    line = b'{"question": "Q?", "answers": []}\n'
    path = keep_upload(tmp_path, "../../a <b>.JSONL", line)
    assert path.is_relative_to(tmp_path) and path.name == "a-b.jsonl"
    assert keep_upload(tmp_path, "../../a <b>.JSONL", line) == path
    found = look(str(path))
    assert (found.questions, found.unanswerable, found.modes) == (1, 1, ("open", "closed-book"))
    assert "gold" in look(str(made() / "beacons.json")).modes
    with pytest.raises(EvalError, match="no question file"):
        keep_upload(tmp_path, "a.exe", b"")
    with pytest.raises(EvalError, match="line 1"):
        look(str(keep_upload(tmp_path, "x.jsonl", b"{]")))


def test_settings_one_a_line() -> None:
    assert setting_lines("# why\n retrieval.k=3 \n\n", "test", ("retrieval.k=2",)) == ("retrieval.k=2", "retrieval.k=3")
    with pytest.raises(UsageError, match="no configuration key"):
        setting_lines("retrieval.kk=3", "test", ())


@LANGUAGES
def test_a_run_s_notes_are_in_the_page_s_language(t: Texts) -> None:
    run = load_run(named(made() / "runs", "strict"))
    abstained = next(row for row in run.rows if row["abstained"])
    told = [noted(t, note) for note in opened(abstained).notes]
    assert told[-1] == t("notes.abstained", why=abstained["notes"][-1].removeprefix("abstained: "))
    old = {name: value for name, value in abstained.items() if name != "note_kinds"}
    assert [note.text for note in opened(old).notes] == abstained["notes"]


@pytest.mark.parametrize(
    "kinds",
    [
        3, [3], [{}], [{"kind": "abstained"}], [{"kind": ["abstained"], "values": {}}],
        [{"kind": "abstained", "values": []}], [{"kind": "abstained", "values": {"who": 1}}],
        [{"kind": "answer_cut", "values": {"n": "many"}}], [{"kind": "answer_cut", "values": {"n": float("inf")}}],
        [{"kind": "answer_cut", "values": {"n": float("nan")}}], [{"kind": "answer_cut", "values": {"n": [1]}}],
        [{"kind": "abstained", "values": {"self": 1, "key": 2}}], [{"kind": "none", "values": {}}],
        [{"kind": "read_in_part", "values": {"source": "a", "what": "b"}}],
    ],
)  # fmt: skip
def test_of_a_note_whose_kind_is_broken_the_sentence_is_shown(kinds: Any) -> None:
    [note] = opened({"notes": ["as it was"], "note_kinds": kinds}).notes
    assert noted(EN, note) == "as it was"
