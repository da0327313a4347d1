"""Evaluations as processes of their own: progress, success, failure, cancelling, going on, and one at a time."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from evaluation_runs import made

from eval.errors import EvalError
from eval.runs import list_runs, list_sweeps
from eval.sweep import read_sweep
from indexes.errors import IndexMissingError
from rag.config import load_config
from rag.errors import UsageError
from rag.factory import made_with, make_embedder, open_or_create
from ui.i18n import Texts
from ui.jobs.evaluations import Evaluation, Evaluations, Request
from ui.text.safe import label
from ui.views.new_evaluation import keep_sweep, refuse_unfit, sweep_of
from ui.views.runs import ended_words, has_answers, progress_words, running_words

FAKE = """
import json, sys, time
def say(**event): print(json.dumps(event), file=sys.stderr, flush=True)
say(event="run", run="runs/one", questions=4, window=2)
print("a note that is no JSON", file=sys.stderr)
print("{broken", file=sys.stderr)
say(event="stage", stage="questions")
say(event="questions", done=2, total=4, em=0.5, f1=0.75)
"""


@pytest.fixture
def started() -> Iterator[list[Evaluations]]:
    """Evaluations that are stopped after the test."""
    made_here: list[Evaluations] = []
    yield made_here
    for evaluations in made_here:
        evaluations.stop()


def fake(started: list[Evaluations], end: str) -> Evaluations:
    started.append(Evaluations([sys.executable, "-c", FAKE + end]))
    return started[-1]


def until(evaluations: Evaluations, runs: Path, *states: str) -> Evaluation:
    for _ in range(2400):
        now = evaluations.now(runs)
        if now is not None and (now.status in states or (now.done and "answering" in states)):
            return now
        time.sleep(0.05)
    raise AssertionError(f"still {evaluations.now(runs)}")


def test_progress_is_read_and_notes_are_passed_over(tmp_path: Path, started: list[Evaluations]) -> None:
    evaluations = fake(started, "say(event='written', run='runs/one')")
    evaluations.start(Request("q.jsonl"), tmp_path / "runs", tmp_path / "notes")
    now = until(evaluations, tmp_path / "runs", "done")
    assert (now.run, now.stage, now.done, now.total, now.em, now.f1) == ("one", "questions", 2, 4, 0.5, 0.75)
    assert now.share == 0.5
    evaluations.dismiss(tmp_path / "runs")
    assert evaluations.now(tmp_path / "runs") is None


def test_a_process_that_tells_nonsense_is_still_followed_to_its_end(tmp_path: Path, started: list[Evaluations]) -> None:
    end = """
for value in (-1, True, None, "2", 10**400, float("nan"), float("-inf"), [1]):
    say(event="questions", done=value, total=value, em=value, f1=value)
for run in ("a\\0b", "\\ud800", "x" * 5000, "..", 7, None): say(event="run", run=run)
print('{"event": ' + "[" * 100000, file=sys.stderr)
say(event="stage", stage=["a", 1])
say(event="questions", done=3, total=4)
"""
    evaluations = fake(started, end)
    evaluations.start(Request("q.jsonl"), tmp_path / "runs", tmp_path / "notes")
    now = until(evaluations, tmp_path / "runs", "done")
    assert (now.done, now.total, now.share, now.stage) == (3, 4, 0.75, "['a', 1]")
    assert (now.em, now.f1) == (0.5, 0.75)


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_words_of_what_runs(language: str) -> None:
    t, now = Texts(language), Evaluation(Request("q"), "running", 3.4, "questions", 2, 4, 0.5, 0.75)
    scores = t("evaluation.scores", em=t.percent(0.5, 1), f1=t.percent(0.75, 1))
    known = [t("evaluation.stage_questions"), t("evaluation.of", done=2, total=4), scores, t("evaluation.seconds", n=3)]
    assert progress_words(now, t) == " · ".join(known)
    strange = Evaluation(Request("q"), "running", 0.0, "![a](http://b.c/d)")
    assert progress_words(strange, t) == f"{label('![a](http://b.c/d)')} · {t('evaluation.seconds', n=0)}"


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_sweep_has_sentences_of_its_own(language: str) -> None:
    t = Texts(language)
    kinds = [Evaluation(Request("q", sweep=sweep), "cancelled", 3.0, "models") for sweep in ("", "s.yaml")]
    for number, kind in enumerate(("run", "sweep")):
        now = kinds[number]
        assert running_words(now, t) == t(f"evaluation.running_{kind}")
        assert ended_words(now, t) == t(f"evaluation.cancelled_early_{kind}")  # there is nothing to go on with
        asked = dataclasses.replace(now, stage="questions")
        assert ended_words(asked, t) == t(f"evaluation.cancelled_{kind}")
        assert ended_words(dataclasses.replace(now, status="failed"), t) == t(f"evaluation.failed_{kind}")
        assert ended_words(dataclasses.replace(now, status="done"), t) == t(f"evaluation.done_{kind}", seconds=3)
    assert not has_answers(dataclasses.replace(kinds[1], point=1))
    assert has_answers(dataclasses.replace(kinds[0], stage="a stage of tomorrow", em=0.5))
    assert has_answers(dataclasses.replace(kinds[1], point=2))  # the first one's


def test_what_the_command_complains_about_is_told(tmp_path: Path, started: list[Evaluations]) -> None:
    end = "print('error: the file is gone\\n  put it back', file=sys.stderr); sys.exit(1)"
    evaluations = fake(started, end)
    evaluations.start(Request("q.jsonl"), tmp_path / "runs", tmp_path / "notes")
    now = until(evaluations, tmp_path / "runs", "failed")
    assert (now.error, now.remedy) == ("the file is gone", "put it back")
    silent = fake(started, "sys.exit(3)")
    silent.start(Request("q.jsonl"), tmp_path / "runs", tmp_path / "notes")
    assert "ended with code 3" in until(silent, tmp_path / "runs", "failed").error


def test_one_runs_at_a_time_and_a_cancelled_one_can_be_given_again(tmp_path: Path, started: list[Evaluations]) -> None:
    evaluations = fake(started, "time.sleep(600)")
    request = Request("q.jsonl", mode="gold", limit=3, seed=7, settings=("retrieval.k=3",), name="n")
    evaluations.start(request, tmp_path / "runs", tmp_path / "notes")
    until(evaluations, tmp_path / "runs", "answering")
    with pytest.raises(UsageError, match="another evaluation is running"):
        evaluations.start(request, tmp_path / "other", tmp_path / "notes")
    evaluations.dismiss(tmp_path / "runs")  # one that runs is not forgotten
    evaluations.cancel(tmp_path / "runs")
    assert until(evaluations, tmp_path / "runs", "cancelled").error == ""
    assert evaluations.request_of("one", tmp_path / "notes") == request
    assert (tmp_path / "notes" / "one.json").stat().st_mode & 0o077 == 0


def test_one_that_does_not_listen_is_ended_all_the_same(tmp_path: Path, started: list[Evaluations]) -> None:
    deaf = "import signal; [signal.signal(s, signal.SIG_IGN) for s in (signal.SIGINT, signal.SIGTERM)]\n"
    evaluations = fake(started, deaf + "say(event='questions', done=3, total=4)\ntime.sleep(600)")
    evaluations.start(Request("q.jsonl"), tmp_path, tmp_path / "notes")
    while until(evaluations, tmp_path, "answering").done != 3:
        time.sleep(0.02)
    next(iter(evaluations._jobs.values())).process.cancel(grace_s=0.2, wait=True)
    assert until(evaluations, tmp_path, "cancelled").done == 3


@pytest.mark.parametrize("text", ["", "{", "[]", '{"questions": 1}', '{"what": 1, "settings": []}'])
def test_a_request_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "one.json").write_text(text, encoding="utf-8")
    assert Evaluations.request_of("one", tmp_path) is None
    assert Evaluations.request_of("two", tmp_path) is None


def test_the_words_of_the_command() -> None:
    request = Request("-q.jsonl", index="/i", limit=5, settings=("a=1", "b=2"), name="n", config="test")
    words = request.arguments(Path("/runs"))
    assert words[:2] == ["eval", "run"] and words[-2:] == ["--", "-q.jsonl"]
    assert {"--index=/i", "--limit=5", "--set=a=1", "--set=b=2", "--name=n", "--progress=json"} <= set(words)
    assert not [
        w for w in Request("q", mode="gold", index="/i").arguments(Path("/r")) if w.startswith(("--index", "--limit"))
    ]


def test_how_far_a_sweep_is(tmp_path: Path, started: list[Evaluations]) -> None:
    end = """
say(event="point", point=2, points=4, label="k=3 ![a](b)")
say(event="stage", stage="questions")
say(event="questions", done=1, total=2, em=1, f1=1)
time.sleep(600)
"""
    evaluations, t = fake(started, end), Texts("en")
    evaluations.start(Request("q.jsonl", sweep="s.yaml"), tmp_path / "runs", tmp_path / "notes")
    while (now := until(evaluations, tmp_path / "runs", "answering")).done != 1 or now.total != 2:
        time.sleep(0.02)
    assert (now.point, now.points, now.share) == (2, 4, 0.375)
    assert progress_words(now, t).startswith(f"Point 2 of 4 · {label('k=3 ![a](b)')} · Answering · 1 of 2")
    evaluations.stop()


@pytest.mark.slow
def test_a_real_sweep_from_its_start_to_its_folder(tmp_path: Path, started: list[Evaluations]) -> None:
    started.append(Evaluations())
    request = Request(str(made() / "beacons.json"), limit=4, config="test", settings=("prompt.form=chat",), name="two")
    sweep = sweep_of(request, "grid: {retrieval.k: [1, 3]}\npoints: [{name: other, retrieval.candidates: 7}]")
    kept = keep_sweep(tmp_path / "sweeps", request, sweep)
    assert Path(kept.sweep).stat().st_mode & 0o077 == 0
    assert read_sweep(Path(kept.sweep)) == sweep
    started[0].start(kept, tmp_path / "runs", tmp_path / "notes")
    now = until(started[0], tmp_path / "runs", "done", "failed")
    assert (now.status, now.point, now.points) == ("done", 3, 3), now
    [entry] = list_sweeps(tmp_path / "runs")
    assert (entry.name, entry.problem) == (now.sweep, "")
    assert [point["name"] for point in entry.points] == ["other", "k=1", "k=3"]
    assert Evaluations.request_of(now.run, tmp_path / "notes") == kept


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("grid: {retrieval.k: [1]}", "has only 'k=1' to try, and a sweep compares at least two"),
        ("set: {retrieval.k: 1}", "there is no key 'set'"),
        ("grid: {}", "has nothing to try"),
        ("grid: {retrieval.kk: [1]}", "there is no configuration key 'retrieval.kk'"),
        ("grid: {retrieval.kk: [1, 2]}", "there is no configuration key"),
        ("grid: {retrieval.k: [1, x]}", "retrieval.k"),
        ("dataset: other.json\ngrid: {retrieval.k: [1, 2]}", "there is no key 'dataset'"),
        ("a: &a [1, 2]\ngrid: {retrieval.k: *a}", "aliases are not allowed"),
        ("grid: [", "is not YAML"),
        ("", "holds no keys"),
    ],
)
def test_a_sweep_that_is_wrong_is_said_before_it_starts(text: str, told: str) -> None:
    with pytest.raises((EvalError, UsageError), match=told):
        sweep_of(Request("q.jsonl", config="test"), text)


def test_an_index_is_not_swept_over_what_it_was_made_with(tmp_path: Path) -> None:
    config = load_config("test")
    index = open_or_create(tmp_path / ".rag", config.config, make_embedder(config.config))
    index.store.close()
    here, size = Request("q.jsonl", config="test", index=str(tmp_path / ".rag")), config.config.chunking.size
    with pytest.raises(EvalError, match=f"made with chunking.size = {size}, and 64 is asked for; .*the paragraphs of"):
        sweep_of(here, f"grid: {{chunking.size: [{size}, 64]}}")
    with pytest.raises(EvalError, match=r"made with embedding\.query_prefix = ''"):
        sweep_of(here, "points: [{name: a}, {embedding.query_prefix: 'query: '}]")
    assert len(sweep_of(here, f"grid: {{chunking.size: [{size}], retrieval.k: [1, 2]}}").points) == 2
    own = dataclasses.replace(here, index=None)
    assert len(sweep_of(own, f"grid: {{chunking.size: [{size}, 64]}}").points) == 2
    with pytest.raises(EvalError, match=r"made with chunking\.overlap"):
        refuse_unfit(made_with(tmp_path / ".rag"), load_config("test", ["chunking.overlap=1"]))
    with pytest.raises(IndexMissingError):
        sweep_of(dataclasses.replace(here, index=str(tmp_path)), "grid: {retrieval.k: [1, 2]}")


@pytest.mark.slow
def test_a_real_evaluation_from_its_start_to_its_run(tmp_path: Path, started: list[Evaluations]) -> None:
    started.append(Evaluations())
    request = Request(str(made() / "beacons.json"), mode="open", limit=5, config="test", name="from the page")
    started[0].start(request, tmp_path / "runs", tmp_path / "notes")
    now = until(started[0], tmp_path / "runs", "done", "failed")
    assert now.status == "done", now
    assert (now.stage, now.run) == ("report", list_runs(tmp_path / "runs")[0].name)
    assert list_runs(tmp_path / "runs")[0].manifest["dataset"]["asked"] == 5
    assert now.em is not None
