"""The evaluation page in its states, run headless: none, one, two compared, broken, running; in both languages."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from evaluation_runs import HOSTILE, copied, made, named
from page_runs import said, settled
from streamlit.testing.v1 import AppTest

import ui.jobs.evaluations
from eval.sweep import read_sweep
from ui.i18n import Texts
from ui.jobs.evaluations import Evaluation, Evaluations, Request
from ui.settings import UiSettings, current, use

SAY = "import json, sys, time\ndef say(**e): print(json.dumps(e), file=sys.stderr, flush=True)\n"
WORKING = SAY + (
    "say(event='run', run='runs/one', questions=4)\nsay(event='stage', stage='questions')\n"
    "say(event='questions', done=2, total=4, em=0.5, f1=0.75)\ntime.sleep(600)"
)


def script() -> None:
    from ui.components.frame import sidebar
    from ui.pages.evaluation import show
    from ui.settings import current

    show(sidebar(current()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    use(UiSettings(index=tmp_path / ".rag", config="test", runs=tmp_path / "runs"))
    return tmp_path


@pytest.fixture
def filled(folder: Path) -> Path:
    copied(folder)
    return folder


@pytest.fixture
def evaluations(monkeypatch: pytest.MonkeyPatch) -> Iterator[Evaluations]:
    """The process's evaluations, their command exchanged for a fake."""
    fake = Evaluations([sys.executable, "-c", WORKING])
    monkeypatch.setattr(ui.jobs.evaluations, "_evaluations", fake)
    yield fake
    fake.stop()


def opened(language: str = "en", **state: Any) -> AppTest:
    """Run the page until nothing is being done behind it."""
    page = AppTest.from_function(script, default_timeout=60)
    page.session_state["language"] = language
    for key, value in state.items():
        page.session_state[key] = value
    return settled(page.run())


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "ru"])
def test_no_runs_is_a_sentence_with_a_command(folder: Path, language: str) -> None:
    page, t = opened(language), Texts(language)
    assert page.header[0].value == t("app.evaluation")
    assert [info.value for info in page.info] == [t("evaluation.no_runs")]
    for view, text in (("compare", "compare_needs_two"), ("sweeps", "no_sweeps")):
        assert [info.value for info in opened(language, evaluation_view=view).info] == [t(f"evaluation.{text}")]


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_run_with_its_figures(filled: Path, language: str) -> None:
    name = named(filled / "runs", "loose").name
    page, t = opened(language, evaluation_run=name), Texts(language)
    assert len(page.dataframe[0].value) == 4
    assert [metric.label for metric in page.metric][:2] == [t("evaluation.metric_em"), t("evaluation.metric_f1")]
    assert len(page.get("plotly_chart")) == 5
    assert next(s.value for s in page.subheader) == t("evaluation.figure_losses")
    page = opened(language, evaluation_run=name, evaluation_part="made")
    assert t("evaluation.made_packages") in said(page)


def test_questions_are_filtered_and_opened_one_after_the_other(filled: Path) -> None:
    name = named(filled / "runs", "loose").name
    page = opened(evaluation_run=name, evaluation_part="questions")
    assert "18 of 18 questions" in said(page)
    first = next(html.proto.body for html in page.get("html"))
    page.button(key="evaluation_next").click()
    page = settled(page.run())
    assert next(html.proto.body for html in page.get("html")) != first
    page.selectbox(key="evaluation_answerable").select("no")
    page = settled(page.run())
    assert "6 of 18 questions" in said(page)
    assert "The documents hold no answer." in "".join(html.proto.body for html in page.get("html"))
    page.text_input(key="evaluation_words").input("elm")
    assert "1 of 18 questions" in said(settled(page.run()))
    page.text_input(key="evaluation_words").input("nowhere")
    assert "0 of 18 questions" in said(settled(page.run()))


@pytest.mark.slow
def test_a_row_that_is_chosen_in_the_table_is_opened(filled: Path) -> None:
    names = sorted((path.name for path in (filled / "runs").iterdir() if not list(path.glob("sweep*"))), reverse=True)
    page = opened(evaluation_part="made")
    assert page.selectbox(key="evaluation_run").value == names[0]
    page = opened(evaluation_run=names[-1], evaluation_part="questions", evaluation_at=3)
    assert page.selectbox(key="evaluation_run").value == names[-1]
    assert page.button(key="evaluation_previous").disabled  # another filter, or another run, begins at its beginning


def test_hostile_texts_are_letters(filled: Path) -> None:
    runs = filled / "runs"
    named(runs, "loose").rename(runs / "20990101-000000-![x](u) <b>b -loose")
    page = opened(evaluation_part="questions", evaluation_run="20990101-000000-![x](u) <b>b -loose")
    bodies = "".join(html.proto.body for html in page.get("html"))
    assert "&lt;img src=x onerror=alert(1)&gt;" in bodies
    assert "<img" not in bodies
    assert "<mark>20 metres</mark>" in bodies
    loud = [e.value for kind in ("markdown", "caption", "info", "subheader", "header") for e in page.get(kind)]
    assert not [text for text in loud if "![x]" in str(text) or "evil" in str(text)]
    assert HOSTILE.split()[0] in page.dataframe[1].value.to_csv()


@pytest.mark.parametrize("prediction", ["  \n", "/etc/passwd"], ids=["blank", "a path"])
def test_what_a_row_says_of_itself_is_letters_too(filled: Path, prediction: str) -> None:
    run = named(filled / "runs", "loose")
    rows = [json.loads(line) for line in (run / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    rewritten(run, [row | {"loss": HOSTILE, "prediction": prediction, "timings": {HOSTILE: 0.1}} for row in rows])
    page = opened(evaluation_part="questions", evaluation_run=run.name)
    loud = [e.value for kind in ("markdown", "caption", "info", "subheader", "warning") for e in page.get(kind)]
    assert not [text for text in loud if "evil" in str(text) or "etc" in str(text)]
    bodies = [html.proto.body for html in page.get("html")]
    assert any("evil.example" in body and body.startswith('<p class="rag-quiet">wrong') for body in bodies)
    shown = prediction.strip() or Texts("en")("evaluation.nothing")
    assert f'<div class="rag-text">{shown}</div>' in bodies


BROKEN = {
    "cut": (lambda f: (f / "rows.jsonl").write_text("{", encoding="utf-8"), "cut off"),
    "json": (lambda f: (f / "run.json").write_text("{", encoding="utf-8"), "cannot be read"),
    "rows": (lambda f: (f / "rows.jsonl").unlink(), "is missing"),
    "version": (lambda f: (f / "run.json").write_text('{"format": 9}', encoding="utf-8"), "format 9"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("spoil", "told"), BROKEN.values(), ids=BROKEN)
def test_a_broken_run_is_a_sentence_and_the_others_open(filled: Path, spoil: Any, told: str) -> None:
    broken = named(filled / "runs", "loose")
    spoil(broken)
    page = opened(evaluation_run=broken.name)
    assert told in page.dataframe[0].value.to_csv()
    assert any(told in text.value for text in page.text)
    assert not page.metric
    assert opened(evaluation_run=named(filled / "runs", "strict").name).metric


def test_rows_of_another_shape_are_a_sentence(filled: Path) -> None:
    broken = named(filled / "runs", "loose")
    rewritten(broken, [{"id": 3}])
    assert "is not the row of a question" in said(opened(evaluation_run=broken.name))


def rewritten(run: Path, rows: list[dict[str, Any]]) -> None:
    """Put other rows into a run, its checksum included."""
    (run / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    tree = json.loads((run / "run.json").read_text(encoding="utf-8"))
    tree["rows_sha256"] = hashlib.sha256((run / "rows.jsonl").read_bytes()).hexdigest()
    (run / "run.json").write_text(json.dumps(tree), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "ru"])
def test_two_runs_are_compared_with_their_flips(filled: Path, language: str) -> None:
    loose, strict = (named(filled / "runs", name).name for name in ("loose", "strict"))
    page = opened(language, evaluation_view="compare", evaluation_a=loose, evaluation_b=strict)
    t = Texts(language)
    text = said(page)
    better = t("evaluation.significantly_better", metrics=f"{t('evaluation.metric_em')}, F1")
    assert better in text
    assert t("evaluation.better_b") in text
    assert len(page.dataframe) == 2
    assert [s.value for s in page.subheader] == ["a", "b"]
    page = opened(language, evaluation_view="compare", evaluation_a=strict, evaluation_b=strict)
    assert [info.value for info in page.info] == [t("evaluation.compare_same")]


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("window", [1, 8])
def test_it_is_said_where_the_latency_of_two_runs_is_not_compared(filled: Path, language: str, window: int) -> None:
    names = [named(filled / "runs", name).name for name in ("loose", "strict")]
    for name in names:
        path = filled / "runs" / name / "run.json"
        tree = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(tree | {"window": window}), encoding="utf-8")
    page = opened(language, evaluation_view="compare", evaluation_a=names[0], evaluation_b=names[1])
    assert (Texts(language)("evaluation.times_shared") in said(page)) is (window > 1)


def test_runs_over_other_questions_are_not_compared(filled: Path) -> None:
    runs = filled / "runs"
    path = named(runs, "loose") / "run.json"
    tree = json.loads(path.read_text(encoding="utf-8"))
    tree["dataset"]["sha256"] = "0" * 64
    path.write_text(json.dumps(tree), encoding="utf-8")
    page = opened(
        evaluation_view="compare", evaluation_a=named(runs, "loose").name, evaluation_b=named(runs, "strict").name
    )
    assert "compare two runs over the same dataset file" in said(page)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_sweep(filled: Path, language: str) -> None:
    page = opened(language, evaluation_view="sweeps")
    assert len(page.get("plotly_chart")) == 2
    assert list(page.dataframe[0].value["set retrieval.k"]) == ["1", "3"]
    [folder] = [path.parent for path in (filled / "runs").glob("*/sweep.json")]
    (folder / "sweep.json").write_text("{", encoding="utf-8")
    assert "sweep.json cannot be read" in said(opened(language, evaluation_view="sweeps"))


def started(page: AppTest, evaluations: Evaluations, folder: Path) -> Evaluation:
    """Press the form's button, and return the evaluation that runs then."""
    page.button(key="evaluation_start").click()
    settled(page.run())
    now = evaluations.now(folder / "runs")
    assert now is not None
    return now


# A new evaluation ----------------------------------------------------------------------------------------------------


def test_a_new_evaluation_from_an_upload(folder: Path, evaluations: Evaluations) -> None:
    page = opened(evaluation_view="new")
    assert not page.button
    page.file_uploader(key="new_file").set_value(
        ("beacons.json", (made() / "beacons.json").read_bytes(), "application/json")
    )
    page = settled(page.run())
    assert "Questions: 18; without an answer: 6." in said(page)
    page.radio(key="new_mode").set_value("gold")
    page.number_input(key="new_limit").set_value(5)
    page.text_area(key="new_settings").input("retrieval.k=2\nretrieval.kk=3")
    page.button(key="evaluation_start").click()
    page = settled(page.run())
    assert "there is no configuration key" in said(page)
    assert evaluations.now(folder / "runs") is None
    page.text_area(key="new_settings").input("retrieval.k=2")
    now = started(page, evaluations, folder)
    assert (now.request.mode, now.request.limit, now.request.index) == ("gold", 5, None)
    assert now.request.settings == ("retrieval.k=2",)
    assert Path(now.request.questions).read_bytes() == (made() / "beacons.json").read_bytes()


def test_the_form_is_as_it_was_when_it_is_opened_again(folder: Path) -> None:
    page = opened(evaluation_view="new")
    page.file_uploader(key="new_file").set_value(("q.json", (made() / "beacons.json").read_bytes(), "application/json"))
    page = settled(page.run())
    page.radio(key="new_mode").set_value("gold")
    page.number_input(key="new_limit").set_value(7)
    page.text_area(key="new_settings").input("retrieval.k=2")
    page.radio(key="new_kind").set_value("sweep")
    page = settled(page.run())
    page.text_area(key="new_grid").input("grid: {}")
    for view in ("runs", "new"):
        settled(page.run())
        page.button_group(key="evaluation_view").set_value(view)
    page = settled(page.run())
    assert "Still chosen: q.json" in said(page) and "Questions: 18" in said(page)
    assert (page.radio(key="new_mode").value, page.number_input(key="new_limit").value) == ("gold", 7)
    assert (page.text_area(key="new_settings").value, page.text_area(key="new_grid").value) == (
        "retrieval.k=2",
        "grid: {}",
    )


def test_a_choice_stays_shown_in_another_language(folder: Path) -> None:
    page = opened(evaluation_view="new")
    page.file_uploader(key="new_file").set_value(("q.json", (made() / "beacons.json").read_bytes(), "application/json"))
    page = settled(page.run())
    page.radio(key="new_mode").set_value("gold")
    settled(page.run())
    page.button_group(key="language").set_value("ru")
    page = settled(page.run())
    for radio in page.radio:  # the browser is told the label of today
        assert radio.proto.set_value and radio.proto.raw_value in radio.options, radio.key
    assert page.radio(key="new_mode").value == "gold"
    assert not any(radio.proto.set_value for radio in settled(page.run()).radio)


def test_a_file_that_is_none_is_a_sentence(folder: Path) -> None:
    page = opened(evaluation_view="new")
    page.file_uploader(key="new_file").set_value(("q.jsonl", b'{"question": 3, "answers": []}', "application/json"))
    page = settled(page.run())
    assert '"question" must be a non-blank text' in said(page)
    assert not page.button


def test_a_sweep_is_started_from_the_form(folder: Path, evaluations: Evaluations) -> None:
    path = folder / "beacons.json"
    path.write_bytes((made() / "beacons.json").read_bytes())
    page = opened(evaluation_view="new", new_source="upload")
    page.file_uploader(key="new_file").set_value(("beacons.json", path.read_bytes(), "application/json"))
    page = settled(page.run())
    page.radio(key="new_kind").set_value("sweep")
    page.radio(key="new_where").set_value("own")
    page = settled(page.run())
    page.text_area(key="new_grid").input("grid:\n  retrieval.k: [2]")
    page.button(key="evaluation_start").click()
    page = settled(page.run())
    assert "a sweep compares at least two" in said(page)
    assert evaluations.now(folder / "runs") is None
    page.text_area(key="new_grid").input("grid:\n  retrieval.k: [2, 3]")
    page.text_area(key="new_settings").input("prompt.form=chat")
    now = started(page, evaluations, folder)
    sweep = read_sweep(Path(now.request.sweep))
    assert [point.settings for point in sweep.points] == [{"retrieval.k": 2}, {"retrieval.k": 3}]
    assert (sweep.common, sweep.limit) == ({"prompt.form": "chat"}, 50)


def test_the_feedback_of_the_chat_is_offered(folder: Path) -> None:
    assert opened(evaluation_view="new").radio(key="new_source").options == ["Upload"]
    use(dataclasses.replace(current(), paths=(folder,)))
    page = opened(evaluation_view="new", new_source="path")
    assert page.radio(key="new_source").options == ["Upload", "A file on this machine"]
    page.text_input(key="new_path").set_value("/etc/hostname")
    assert "only files in the folders of `rag ui --allow-paths`" in said(settled(page.run()))
    state = folder / ".rag-ui"
    state.mkdir()
    (state / "feedback.json").write_bytes((made() / "beacons.json").read_bytes())
    page = opened(evaluation_view="new", new_source="feedback")
    assert "Questions: 18" in said(page)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "ru"])
def test_one_that_runs_shows_its_progress_and_is_cancelled(
    folder: Path, evaluations: Evaluations, language: str
) -> None:
    t, runs = Texts(language), folder / "runs"
    evaluations.start(Request("q.jsonl", mode="gold"), runs, folder / ".rag-ui" / "evaluations")
    wait_until(lambda: evaluations.now(runs).done == 2)  # type: ignore[union-attr]
    page = opened(language)
    [bar] = page.get("progress")
    assert t("evaluation.stage_questions") in bar.proto.text and t("evaluation.of", done=2, total=4) in bar.proto.text
    assert bar.proto.value == 50
    page.button(key="evaluation_cancel").click()
    page.run()
    wait_until(lambda: evaluations.now(runs).status == "cancelled")  # type: ignore[union-attr]
    page = opened(language)
    assert any(t("evaluation.cancelled_run") == m.value for m in page.markdown)
    assert page.button(key="evaluation_open")  # as the sentence says
    page.button(key="evaluation_dismiss").click()
    assert not settled(page.run()).button


def test_what_runs_stands_where_it_was_started(folder: Path, evaluations: Evaluations) -> None:
    page = opened(evaluation_view="new")
    page.file_uploader(key="new_file").set_value(("q.json", (made() / "beacons.json").read_bytes(), "application/json"))
    page = settled(page.run())
    page.button(key="evaluation_start").click()
    assert "no index" in said(settled(page.run()))  # of this collection, said before anything is started
    page.radio(key="new_where").set_value("own")
    started(page, evaluations, folder)
    order = [element.key or element.type for element in page.main if element.type in ("radio", "button", "progress")]
    assert order[-3:] == ["new_kind", "evaluation_cancel", "progress"]  # once, and in the place of the button
    evaluations.cancel(folder / "runs")
    wait_until(lambda: evaluations.now(folder / "runs").status == "cancelled")  # type: ignore[union-attr]
    page = settled(page.run())
    assert [button.key for button in page.button][-2:] == ["evaluation_dismiss", "evaluation_start"]
    page.file_uploader(key="new_file").set_value(("q.jsonl", b"{]", "application/json"))
    assert [button.key for button in settled(page.run()).button][
        -1
    ] == "evaluation_dismiss"  # a wrong file hides nothing


def test_what_was_made_is_opened(
    filled: Path, evaluations: Evaluations, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamlit.elements.lib.policies._shown_default_value_warning", False)  # it warns once
    evaluations.start(Request("q.jsonl", mode="gold"), filled / "runs", filled / "notes")
    wait_until(lambda: evaluations.now(filled / "runs").done == 2)  # type: ignore[union-attr]
    evaluations.cancel(filled / "runs")
    wait_until(lambda: evaluations.now(filled / "runs").status == "cancelled")  # type: ignore[union-attr]
    page = opened(evaluation_view="new")
    page.button(key="evaluation_open").click()
    page = settled(page.run())
    assert page.session_state["evaluation_view"] == "runs"
    assert "default value" not in caplog.text  # beside a value that is set, of which Streamlit warns


def test_one_that_failed_says_why(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    end = SAY + "print('error: ![x](u) is gone\\n  put it back', file=sys.stderr); sys.exit(1)"
    failing = Evaluations([sys.executable, "-c", end])
    monkeypatch.setattr(ui.jobs.evaluations, "_evaluations", failing)
    failing.start(Request("q.jsonl"), folder / "runs", folder / "notes")
    wait_until(lambda: failing.now(folder / "runs").status == "failed")  # type: ignore[union-attr]
    page = opened()
    assert [text.value for text in page.text] == ["![x](u) is gone", "put it back"]


@pytest.mark.slow
def test_an_interrupted_run_is_gone_on_with(filled: Path, evaluations: Evaluations) -> None:
    run = named(filled / "runs", "loose")
    tree = json.loads((run / "run.json").read_text(encoding="utf-8"))
    (run / "run.json").write_text(json.dumps(tree | {"status": "incomplete"}), encoding="utf-8")
    page = opened(evaluation_run=run.name)
    assert "to resume it" in said(page)
    assert not page.button  # it was not started here
    notes = filled / ".rag-ui" / "evaluations"
    notes.mkdir(parents=True)
    text = json.dumps({"questions": "q.jsonl", "mode": "gold", "settings": ["retrieval.k=2"]})
    (notes / f"{run.name}.json").write_text(text, encoding="utf-8")
    page = opened(evaluation_run=run.name)
    page.button[0].click()
    page.run()
    now = evaluations.now(filled / "runs")
    assert now is not None and now.request.settings == ("retrieval.k=2",)


def wait_until(true: Any) -> None:
    for _ in range(1200):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it never came true")
