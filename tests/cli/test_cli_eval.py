"""``rag eval`` and its commands on fakes: runs, resuming, comparing, calibrating, sweeping, and bad input."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import squad_samples
from cli_runner import Rag
from squad_samples import NAMES, question_about

from eval import load_dataset
from eval.beir import write_beir
from rag.generation.base import Completion
from rag.generation.fake import FakeCompleter
from rag.types import Usage


@pytest.fixture
def beacons(work: Path) -> str:
    (work / "beacons.json").write_text(json.dumps(squad_samples.beacons()), encoding="utf-8")
    return "beacons.json"


@pytest.fixture
def beacons2(work: Path) -> str:
    (work / "beacons2.json").write_text(json.dumps(squad_samples.beacons(impossible=True)), encoding="utf-8")
    return "beacons2.json"


def rows_of(folder: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path(folder) / "rows.jsonl").read_text(encoding="utf-8").splitlines()]


def untimed(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in ("timings", "latency_s")}


def test_an_open_run_is_a_folder_with_everything_in_it(beacons: str, rag: Rag) -> None:
    ran = rag("eval", beacons, "--json")
    assert ran.code == 0
    folder = Path(ran.json["run"])
    assert {path.name for path in folder.iterdir()} == {
        "predictions.json", "rows.jsonl", "run.json", "report.md", "report.json", "report.html", "run.trec",
        "qrels.trec",
    }  # fmt: skip
    for name in ("em", "f1", "contains", "recall@1", "recall@5", "mrr", "ndcg@10", "cited_contains", "latency_s"):
        interval = ran.json["metrics"][name]
        assert interval["low"] <= interval["mean"] <= interval["high"]
        assert interval["n"] == 24
    assert ran.json["metrics"]["contains"]["mean"] == 100.0  # the fake answers with the sentence that holds it
    assert ran.json["losses"]["phrased_differently"] == 24
    manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert manifest["status"] == "complete"
    assert manifest["index"]["ready"] == 12
    assert manifest["dataset"]["asked"] == manifest["dataset"]["questions"] == 24
    predictions = json.loads((folder / "predictions.json").read_text(encoding="utf-8"))
    assert set(predictions) == {f"{name}-{kind}" for name in NAMES for kind in ("tall", "lit")}
    row = rows_of(str(folder))[0]
    assert (row["id"], row["source"]) == ("Alder-tall", "Alder/001.md")
    assert [p["rank"] for p in row["passages"]] == list(range(1, len(row["passages"]) + 1))
    assert any(p["relevant"] and p["shown"] for p in row["passages"])
    assert row["citations"][0]["contains_gold"] is True


def test_the_documentation_names_every_key_of_a_run_and_every_cache(beacons: str, rag: Rag) -> None:
    folder = Path(rag("eval", beacons, "--json").json["run"])
    manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    text = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    receipt, row = (_first_cells(table) for table in text.split("| keys | meaning |\n")[1:])
    assert receipt == set(manifest)
    assert row == set(rows_of(str(folder))[0])
    caches = {path.relative_to(folder.parents[1]).as_posix() for path in (folder.parent / "memory").iterdir()}
    assert caches == {"runs/memory/vectors.sqlite", "runs/memory/completions.sqlite"}
    assert all(f"| `{place}` |" in text for place in (*caches, "runs/corpora/"))


def _first_cells(table: str) -> set[str]:
    """Return what stands in backticks in the first column of a Markdown table."""
    lines = table.split("\n\n", 1)[0].splitlines()
    return {name for line in lines for name in re.findall(r"`([^`]+)`", line.split(" | ")[0])}


def test_progress_can_be_read_by_a_program(beacons: str, rag: Rag) -> None:
    ran = rag("eval", "run", beacons, "--window", "10", "--progress", "json", "--json")
    events = [json.loads(line) for line in ran.err.splitlines() if line.startswith("{")]
    assert [event["stage"] for event in events if event["event"] == "stage"] == [
        "models", "documents", "questions", "report",
    ]  # fmt: skip
    assert [(e["done"], e["total"]) for e in events if e["event"] == "questions"] == [
        (0, 24), (10, 24), (20, 24), (24, 24),
    ]  # fmt: skip
    assert events[0] == {"event": "run", "run": ran.json["run"], "questions": 24, "window": 10}
    assert events[-1] == {"event": "written", "run": ran.json["run"]}
    assert {"em", "f1"} <= events[-3].keys()
    assert not [line for line in rag("eval", beacons).err.splitlines() if line.startswith("{")]


def test_anyone_can_score_the_predictions_of_a_run(beacons: str, rag: Rag) -> None:
    ran = rag("eval", beacons, "--mode", "gold", "--json")
    official = rag("eval", "score", str(Path(ran.json["run"]) / "predictions.json"), beacons, "--json")
    assert official.json == ran.json["official"]
    assert official.json["exact"] == pytest.approx(ran.json["metrics"]["em"]["mean"])
    assert official.json["f1"] == pytest.approx(ran.json["metrics"]["f1"]["mean"])


def test_gold_mode_reads_the_own_paragraph_alone(beacons: str, rag: Rag) -> None:
    ran = rag("eval", beacons, "--mode", "gold", "--json")
    for row in rows_of(ran.json["run"]):
        assert [p["source"] for p in row["passages"]] == [row["source"]]
    assert "recall@1" not in ran.json["metrics"]


def test_closed_book_shows_nothing_and_cites_nothing(beacons: str, rag: Rag) -> None:
    ran = rag("eval", beacons, "--mode", "closed-book", "--json")
    for row in rows_of(ran.json["run"]):
        assert (row["passages"], row["citations"], row["cited_contains"]) == ([], [], None)
    assert ran.json["metrics"]["em"]["mean"] == 0.0


def test_retrieval_alone_answers_nothing(beacons: str, rag: Rag) -> None:
    ran = rag("eval", beacons, "--retrieval-only", "--json")
    assert set(ran.json["metrics"]) == {
        "recall@1", "recall@5", "recall@10", "recall@20", "mrr", "ndcg@10", "latency_s",
    }  # fmt: skip
    assert ran.json["official"] is None
    assert not (Path(ran.json["run"]) / "predictions.json").exists()


def test_a_sample_is_seeded_and_limits_the_questions_not_the_corpus(beacons: str, rag: Rag) -> None:
    first, again, other = (
        rows_of(rag("eval", beacons, "--limit", "6", "--seed", seed, "--json").json["run"]) for seed in ("1", "1", "2")
    )
    assert len(first) == 6
    assert [row["id"] for row in first] == [row["id"] for row in again]
    assert [row["id"] for row in first] != [row["id"] for row in other]
    assert len({p["source"] for row in first for p in row["passages"]}) > 6


def test_a_repeated_run_generates_nothing(beacons: str, rag: Rag, monkeypatch: pytest.MonkeyPatch) -> None:
    first = rag("eval", beacons, "--json")

    def refuse(*_: object) -> None:
        raise AssertionError("generated again")

    monkeypatch.setattr(FakeCompleter, "generate", refuse)
    second = rag("eval", beacons, "--json")
    assert second.code == 0
    assert second.json["run"] != first.json["run"]
    assert [untimed(r) for r in rows_of(second.json["run"])] == [untimed(r) for r in rows_of(first.json["run"])]


@pytest.mark.parametrize("killed_at", [1, 2, 3])
def test_an_interrupted_run_goes_on_to_the_same_figures(
    beacons: str, rag: Rag, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    whole = rag("eval", beacons, "--out", "whole", "--window", "6", "--json")
    real, calls, made = FakeCompleter.generate, [0], [0]

    def dying(self: FakeCompleter, prompts: Any, sampling: Any) -> Any:
        calls[0] += 1
        if calls[0] == killed_at:
            raise KeyboardInterrupt
        made[0] += len(prompts)
        return real(self, prompts, sampling)

    monkeypatch.setattr(FakeCompleter, "generate", dying)
    assert rag("eval", beacons, "--window", "6", "--json").code == 130
    ran = rag("eval", beacons, "--window", "6", "--json")
    assert ran.code == 0
    assert "resuming " in ran.err
    assert len(list(Path("runs").glob("*-beacons-open"))) == 1
    assert made[0] == 24  # nothing was answered twice
    assert [untimed(r) for r in rows_of(ran.json["run"])] == [untimed(r) for r in rows_of(whole.json["run"])]
    same = {name: value for name, value in whole.json["metrics"].items() if name != "latency_s"}
    assert {name: value for name, value in ran.json["metrics"].items() if name != "latency_s"} == same


def test_the_index_is_made_once_and_anew_for_other_chunks(beacons: str, rag: Rag) -> None:
    rag("eval", beacons)
    folders = set(Path("runs/corpora").glob("*/index-*"))
    rag("eval", beacons, "--set", "retrieval.k=2")
    assert set(Path("runs/corpora").glob("*/index-*")) == folders
    rag("eval", beacons, "--set", "chunking.size=16", "--set", "chunking.overlap=0")
    assert len(set(Path("runs/corpora").glob("*/index-*"))) == len(folders) + 1


def test_a_half_made_index_is_finished(beacons: str, rag: Rag) -> None:
    rag("eval", beacons, "--retrieval-only")
    [marker] = Path("runs/corpora").glob("*/index-*/complete")
    marker.unlink()
    ran = rag("eval", beacons, "--retrieval-only", "--json")
    assert ran.code == 0
    assert marker.exists()


def test_questions_over_the_users_own_index(indexed: Path, rag: Rag) -> None:
    rows = [
        {
            "id": "a",
            "question": "What is the lantern glass wiped with?",
            "answers": ["vinegar"],
            "source": "lantern.md",
        },
        {"question": "Where was the compressor built?", "answers": "Narvik", "source": "docs/horn.txt"},
        {"question": "What colour is the moon house?", "answers": []},
    ]
    (indexed / "own.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    ran = rag("eval", "own.jsonl", "--json")
    assert ran.code == 0
    assert ran.json["metrics"]["recall@5"] == {"mean": 100.0, "low": 100.0, "high": 100.0, "n": 2}
    found = rows_of(ran.json["run"])
    assert found[1]["answers"] == ["Narvik"]
    assert found[2]["impossible"] is True


@pytest.mark.parametrize("only", [(), ("--retrieval-only",)])
def test_a_follow_up_is_completed_from_its_history(indexed: Path, rag: Rag, only: tuple[str, ...]) -> None:
    """One question, about two things: without the turn before it, at most one of the two is found."""
    before = {"lantern.md": "What is the lantern glass wiped with?", "horn.txt": "Where was the compressor built?"}
    rows = [
        {"question": "And what about that?", "answers": ["x"], "source": source, "history": [{"question": asked}]}
        for source, asked in before.items()
    ]
    recall = []
    for lines in ([row | {"history": []} for row in rows], rows):
        (indexed / "own.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        ran = rag("eval", "own.jsonl", "--json", *only)
        recall.append(ran.json["metrics"]["recall@1"]["mean"])
    assert recall[0] <= 50.0
    assert recall[1] == 100.0
    assert rows_of(ran.json["run"])[0]["question"] == "And what about that?"


def test_paragraphs_of_a_question_file_are_looked_up_in_the_users_own_index(indexed: Path, rag: Rag) -> None:
    held, moon = "Wipe the lantern glass with vinegar every Friday.", "The moon is grey."
    about = {
        held: question_about("a", "What is the glass wiped with?", "vinegar", held),
        moon: question_about("b", "What?", "grey", moon),
    }
    data = [{"title": "A", "paragraphs": [{"context": text, "qas": [qa]}]} for text, qa in about.items()]
    (indexed / "own.json").write_text(json.dumps({"version": "1.1", "data": data}), encoding="utf-8")
    ran = rag("eval", "own.json", "--index", ".rag", "--json")
    assert ran.json["metrics"]["recall@20"]["n"] == 1
    assert ran.json["metrics"]["recall@20"]["mean"] == 100.0
    assert "1 of 2 questions have a paragraph that no document of .rag contains" in ran.err
    first, second = rows_of(ran.json["run"])
    assert first["source"].endswith("lantern.md") and second["source"] is None and second["retrieval"] is None


def test_version_two_writes_probabilities_and_measures_abstention(beacons2: str, rag: Rag) -> None:
    ran = rag("eval", beacons2, "--json")
    folder = Path(ran.json["run"])
    probabilities = json.loads((folder / "na_prob.json").read_text(encoding="utf-8"))
    assert len(probabilities) == 36
    assert "best_exact_thresh" in ran.json["official"]
    manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert {"auroc", "precision", "recall", "false_answer_rate", "risk_coverage"} <= manifest["abstention"].keys()


def test_every_loss_is_classed(beacons2: str, rag: Rag, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeCompleter, "_complete", _always("something else"))
    losses = rag("eval", beacons2, "--json").json["losses"]
    assert sum(losses.values()) == 36
    assert losses["answered_unanswerable"] == 12
    assert losses["reader_wrong"] == 24
    monkeypatch.setattr(FakeCompleter, "_complete", _always("not in the documents"))
    losses = rag("eval", beacons2, "--out", "two", "--json").json["losses"]
    assert {k: v for k, v in losses.items() if v} == {"abstained_wrongly": 24}
    small = ["--set", "retrieval.k=1", "--set", "retrieval.candidates=1", "--set", "retrieval.fusion=dense"]
    lost = rag("eval", beacons2, "--out", "three", *small, "--json").json["losses"]
    assert lost["not_a_candidate"] + lost["lost_in_fusion"] > 0


def _always(text: str) -> Any:
    return lambda self, prompt, sampling: Completion(text, "stop", Usage(10, 2))


def test_text_that_is_not_in_the_index_is_said_to_be_missing(indexed: Path, rag: Rag) -> None:
    rows = [
        {"question": "How long does the fog horn sound?", "answers": ["nine hours"], "source": "horn.txt"},
        {"question": "Who wrote the novel?", "answers": ["Nobody Known"], "source": "novel.md"},
    ]
    (indexed / "own.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    assert rag("eval", "own.jsonl", "--json").json["losses"]["not_ingested"] == 2


def test_a_planted_regression_fails_and_the_same_again_does_not(beacons: str, rag: Rag) -> None:
    good = rag("eval", beacons, "--json").json["run"]
    again = rag("eval", beacons, "--json").json["run"]
    bad = rag("eval", beacons, "--set", "retrieval.min_relevance=1", "--json").json["run"]
    assert rag("eval", "compare", good, again, "--fail-if-worse").code == 0
    worse = rag("eval", "compare", good, bad, "--fail-if-worse")
    assert worse.code == 8
    assert "significantly worse: f1" in worse.err
    assert rag("eval", "compare", good, bad).code == 0
    assert rag("eval", "compare", bad, good, "--fail-if-worse").code == 0
    assert rag("eval", "compare", good, bad, "--json").json["worse"] == ["f1"]


def test_calibration_is_written_beside_the_index_and_read_by_ask(
    indexed: Path, beacons2: str, rag: Rag, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FakeCompleter._complete

    def unsure(self: FakeCompleter, prompt: Any, sampling: Any) -> Any:
        asked = prompt.text.rpartition("Question:")[2]
        return (
            _always("a painter from abroad")(self, prompt, sampling)
            if "painted" in asked
            else real(self, prompt, sampling)
        )

    monkeypatch.setattr(FakeCompleter, "_complete", unsure)
    run = rag("eval", beacons2, "--json").json["run"]
    ran = rag("eval", "calibrate", run, "--max-false-answer", "5%", "--json")
    assert ran.code == 0
    written = json.loads((indexed / ".rag" / "calibration.json").read_text(encoding="utf-8"))
    threshold = written["min_confidence"]
    question = "What is the lantern glass wiped with?"
    plain = rag("ask", question, "--json", "--set", "answers.min_confidence=0").json
    assert not plain["abstained"]
    asked = rag("ask", question, "--json").json
    assert asked["abstained"] is (plain["confidence"] < threshold)
    assert asked["config_digest"] != plain["config_digest"] or threshold == 0
    other = rag("ask", question, "--json", "--set", "prompt.max_tokens=20")
    assert "fitted for other settings of generator" in other.err
    (indexed / ".rag" / "calibration.json").write_text("{}", encoding="utf-8")
    broken = rag("ask", question)
    assert broken.code == 2
    assert "is not a calibration" in broken.err


@pytest.mark.parametrize(
    ("share", "told"),
    [(share, "is not a share") for share in ("lots", "150%", "-1", "")],
)
def test_a_share_that_is_none(beacons2: str, rag: Rag, share: str, told: str) -> None:
    ran = rag("eval", "calibrate", "runs/none", f"--max-false-answer={share}")
    assert ran.code == 2
    assert told in ran.err


def test_a_promise_about_wrong_answers(beacons2: str, indexed: Path, rag: Rag, monkeypatch: pytest.MonkeyPatch) -> None:
    golds = {
        asked["question"]: asked["answers"][0]["text"] if asked["answers"] else "not in the documents"
        for article in squad_samples.beacons(impossible=True)["data"]
        for paragraph in article["paragraphs"]
        for asked in paragraph["qas"]
    }

    def know(_: FakeCompleter, prompt: Any, __: Any) -> Completion:
        text = prompt.text or prompt.messages[-1].content
        return Completion(golds[max((q for q in golds if q in text), key=text.rfind)], "stop", Usage())

    monkeypatch.setattr(FakeCompleter, "_complete", know)
    run = rag("eval", beacons2, "--json").json["run"]
    path = indexed / ".rag" / "calibration.json"
    few = rag("eval", "calibrate", run, "--max-wrong", "5%", "--sure", "95%")
    assert few.code == 1
    assert "needs at least 59 answers" in few.err and "evaluate about" in few.err
    assert not path.exists()
    loose = rag("eval", "calibrate", run, "--max-wrong", "95%", "--sure", "60%", "--json")
    assert loose.code == 0, loose.err
    assert json.loads(path.read_text(encoding="utf-8"))["min_confidence"] == loose.json["threshold"]
    assert loose.json["upper"] <= 0.95
    shown = rag("eval", "calibrate", run, "--max-wrong", "95%", "--sure", "60%")
    assert "At most 0.95 of the answers shown are wrong, with a certainty of 0.6" in shown.out


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--max-wrong", "5%", "--best-em"], "--best-em and --max-wrong cannot be combined"),
        (["--max-wrong", "5%", "--max-false-answer", "5%"], "cannot be combined"),
        (["--sure", "95%"], "--sure has no effect"),
        (["--max-wrong", "many"], "--max-wrong 'many' is not a share"),
        (["--max-wrong", "5%", "--sure", "very"], "--sure 'very' is not a share"),
    ],
)
def test_options_of_a_promise_that_are_wrong(rag: Rag, options: list[str], problem: str) -> None:
    ran = rag("eval", "calibrate", "runs/none", *options)
    assert ran.code == 2
    assert problem in ran.err


def test_a_sweep_compares_points_on_the_same_questions(beacons: str, work: Path, rag: Rag) -> None:
    (work / "sweep.yaml").write_text(
        "dataset: beacons.json\nlimit: 10\nconfig: test\n"
        "grid:\n  retrieval.k: [1, 3]\n  prompt.form: [completion, chat]\n",
        encoding="utf-8",
    )
    ran = rag("eval", "sweep", "sweep.yaml", "--json")
    assert ran.code == 0, ran.err
    points = ran.json["points"]
    assert [point["settings"] for point in points] == [
        {"retrieval.k": k, "prompt.form": form} for k in (1, 3) for form in ("completion", "chat")
    ]
    assert any(point["pareto"] for point in points)
    assert {path.name for path in Path(ran.json["sweep"]).iterdir()} >= {"sweep.md", "sweep.html"}
    ids = [[row["id"] for row in rows_of(f"runs/{point['run']}")] for point in points]
    assert all(found == ids[0] for found in ids)


def test_points_with_different_generators_run_apart(beacons: str, work: Path, rag: Rag) -> None:
    (work / "sweep.yaml").write_text(
        "dataset: beacons.json\nlimit: 4\nconfig: test\npoints:\n  - {retrieval.k: 1}\n"
        "  - {name: other, retrieval.k: 2, generator.model: another}\n",
        encoding="utf-8",
    )
    ran = rag("eval", "sweep", "sweep.yaml", "--json")
    assert ran.code == 0, ran.err
    assert [point["name"] for point in ran.json["points"]] == ["k=1", "other"]


def test_a_sweep_tells_another_program_how_far_it_is(beacons: str, work: Path, rag: Rag) -> None:
    (work / "sweep.yaml").write_text(
        "dataset: beacons.json\nlimit: 4\nconfig: test\ngrid: {retrieval.k: [1, 2]}\n", encoding="utf-8"
    )
    ran = rag("eval", "sweep", "sweep.yaml", "--progress", "json", "--json")
    events = [json.loads(line) for line in ran.err.splitlines() if line.startswith("{")]
    points = [(event["point"], event["points"], event["label"]) for event in events if event["event"] == "point"]
    assert points == [(1, 2, "sweep-k-1"), (2, 2, "sweep-k-2")]
    runs = [Path(event["run"]).name for event in events if event["event"] == "run"]
    assert runs == [point["run"] for point in ran.json["points"]]
    assert events[-1] == {"event": "sweep", "sweep": ran.json["sweep"]}


def test_throughput_is_measured_by_batch_size(beacons: str, rag: Rag) -> None:
    ran = rag("eval", beacons, "--throughput", "--json")
    assert ran.code == 0, ran.err
    assert [row["batch"] for row in ran.json["throughput"]["table"]] == [1]  # 24 questions: enough for no more
    assert ran.json["throughput"]["table"][0]["questions_per_s"] > 0


BAD = [
    (["nowhere.json"], 1, "nowhere.json"),
    (["beacons.json", "--mode", "gold", "--index", ".rag"], 2, "--index has no effect in gold mode"),
    (["beacons.json", "--mode", "gold", "--retrieval-only"], 2, "--retrieval-only has no effect"),
    (["beacons.json", "--retrieval-only", "--throughput"], 2, "--throughput"),
    (["beacons.json", "--throughput", "--precisions", "float7"], 2, "no precision 'float7'"),
    (["own.jsonl", "--mode", "gold"], 1, "gold mode needs the paragraph"),
    (["own.jsonl"], 4, "no index"),
    (["beacons.json", "--mode", "silver"], 2, "silver"),
    (["beacons.json", "--limit", "0"], 2, "limit"),
    (["score", "nowhere.json", "beacons.json"], 1, "nowhere.json"),
    (["score", "beacons.json", "beacons.json"], 1, "beacons.json"),
    (["compare", "runs/a", "runs/b"], 1, "is not a run"),
    (["calibrate", "runs/a"], 1, "is not a run"),
    (["sweep", "nowhere.yaml"], 1, "cannot be read"),
]


@pytest.mark.parametrize(("arguments", "code", "told"), BAD, ids=[" ".join(b[0]) for b in BAD])
def test_bad_input_gets_one_sentence_and_a_remedy(
    beacons: str, work: Path, rag: Rag, arguments: list[str], code: int, told: str
) -> None:
    (work / "own.jsonl").write_text('{"question": "Why?", "answers": ["so"]}\n', encoding="utf-8")
    ran = rag("eval", *arguments)
    assert ran.code == code
    assert told in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""


SWEEPS = [
    ("[1, 2]", "holds no keys"),
    ("dataset: beacons.json\nlimt: 3", "there is no key 'limt'"),
    ("limit: 3", "dataset must be a name or a path"),
    ("dataset: beacons.json", "compares at least two"),
    ("dataset: beacons.json\ngrid: {retrieval.k: 3}", "must be a list of values"),
    ("dataset: beacons.json\nmode: silver", "mode is 'silver'"),
    ("dataset: beacons.json\nlimit: few\ngrid: {retrieval.k: [1, 2]}", "limit is 'few'"),
    ("dataset: beacons.json\nconfig: test\ngrid: {retrieval.kk: [1, 2]}", "there is no configuration key"),
    ("dataset: beacons.json\npoints: [{retrieval.k: 1}, {retrieval.k: 1}]", "two points are called"),
    ("dataset: [", "is not YAML"),
    ("dataset: beacons.json\ngrid: {retrieval.k: [1, {2001-01-01: 2}]}", "has a value that no setting can have"),
    ("dataset: " + "[" * 5000, "is nested too deeply"),
    (
        f"dataset: beacons.json\ngrid: {{retrieval.k: {list(range(1, 101))}, retrieval.candidates: {[*range(50)]}}}",
        "has 5,000 settings to try",
    ),
    ("dataset: beacons.json\ngrid: {retrieval.k: [1]}\ngrid: {retrieval.k: [2]}", "'grid' is repeated"),
]


@pytest.mark.parametrize(("text", "told"), SWEEPS, ids=[told for _, told in SWEEPS])
def test_a_sweep_file_that_is_wrong(beacons: str, work: Path, rag: Rag, text: str, told: str) -> None:
    (work / "sweep.yaml").write_text(text, encoding="utf-8")
    ran = rag("eval", "sweep", "sweep.yaml")
    assert "Traceback" not in ran.err
    assert ran.code in (1, 2)
    assert told in ran.err
    assert not Path("runs").exists()


def test_an_incomplete_run_is_not_compared(beacons: str, rag: Rag) -> None:
    good = Path(rag("eval", beacons, "--json").json["run"])
    lines = (good / "rows.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (good / "rows.jsonl").write_text("".join(lines[:-1]), encoding="utf-8")
    ran = rag("eval", "compare", str(good), str(good))
    assert ran.code == 1
    assert "23 rows of 24" in ran.err


def test_a_row_that_holds_no_number_is_an_error(beacons: str, rag: Rag) -> None:
    good = Path(rag("eval", beacons, "--json").json["run"])
    text = (good / "rows.jsonl").read_text(encoding="utf-8")
    (good / "rows.jsonl").write_text(text.replace('"f1": ', '"f1": NaN, "was": ', 1), encoding="utf-8")
    ran = rag("eval", "compare", str(good), str(good))
    assert ran.code == 1
    assert "line 1" in ran.err


def test_a_threshold_is_compared_with_the_confidence_that_is_shown(indexed: Path, rag: Rag) -> None:
    """Two of three claims found is shown as 0.6667: a threshold fitted on shown confidences must let it pass."""
    question = "What is the lantern glass wiped with?"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            FakeCompleter,
            "_complete",
            _always(
                "The lantern stands on the north pier. The lantern glass is wiped with vinegar. The moon is cheese."
            ),
        )
        shown = rag("ask", question, "--json").json["confidence"]
        assert shown == 0.6667
        assert not rag("ask", question, "--json", "--set", f"answers.min_confidence={shown}").json["abstained"]
        assert rag("ask", question, "--json", "--set", "answers.min_confidence=0.6668").json["abstained"]


def test_every_answer_has_a_band_and_no_abstention_has_one(beacons: str, rag: Rag) -> None:
    rows = rows_of(rag("eval", beacons, "--json").json["run"])
    assert {row["band"] for row in rows if not row["abstained"]} <= {"medium", "low"}  # never high: it is written
    assert all(bool(row["band"]) is not row["abstained"] for row in rows)
    assert any(row["band"] for row in rows)


@pytest.fixture
def folder(work: Path) -> str:
    write_beir(load_dataset(_written(work, squad_samples.beacons())), work / "beir", "test")
    return "beir"


def _written(work: Path, data: object) -> Path:
    (work / "for-beir.json").write_text(json.dumps(data), encoding="utf-8")
    return work / "for-beir.json"


def test_a_beir_folder_measures_retrieval(folder: str, rag: Rag) -> None:
    ran = rag("eval", folder, "--split", "test", "--json")
    assert ran.code == 0, ran.err
    assert "only retrieval is measured" in ran.err
    metrics = ran.json["metrics"]
    assert {"recall@5", "ndcg@10", "mrr", "map"} <= metrics.keys() and not {"em", "f1"} & metrics.keys()
    assert metrics["map"]["mean"] == pytest.approx(metrics["mrr"]["mean"])  # one relevant document each
    run = Path(ran.json["run"])
    assert (run / "report.html").is_file()
    for qrels in (run / "qrels.trec", Path(folder, "qrels", "test.tsv")):
        scored = rag("eval", "score", str(run / "run.trec"), str(qrels), "--json")
        assert scored.code == 0, scored.err
        assert scored.json["ndcg@10"]["mean"] == pytest.approx(metrics["ndcg@10"]["mean"])
    assert "ndcg@10" in rag("eval", "score", str(run / "run.trec"), str(run / "qrels.trec")).out


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["beir", "--mode", "gold"], 2, "brings its own documents"),
        (["beir", "--index", ".rag"], 2, "brings its own documents"),
        (["beir", "--split", "dev"], 1, "has no split 'dev'"),
        (["beir", "--throughput"], 2, "--retrieval-only and --throughput"),
        (["score", "nowhere.trec", "beir/qrels/test.tsv"], 1, "nowhere.trec does not exist"),
        (["score", "beir/qrels/test.tsv", "beir/qrels/test.tsv"], 1, "columns, not 6"),
        (["score", "nowhere.trec", "beir/qrels/test.tsv", "--na-prob", "x"], 2, "--na-prob has no effect"),
        (["sweep", "beir.yaml"], 1, "a sweep compares answers"),
    ],
)
def test_a_beir_folder_and_options_that_do_not_fit(
    folder: str, work: Path, rag: Rag, arguments: list[str], code: int, problem: str
) -> None:
    (work / "beir.yaml").write_text("dataset: beir\nconfig: test\ngrid: {retrieval.k: [1, 2]}\n", encoding="utf-8")
    ran = rag("eval", *arguments)
    assert (ran.code, "Traceback" in ran.err) == (code, False)
    assert problem in ran.err


def test_few_candidates_are_measured_as_few(beacons: str, rag: Rag) -> None:
    """An evaluation that looked deeper than the product does would measure another retriever."""
    small = ["--set", "retrieval.candidates=1", "--set", "retrieval.k=1", "--set", "retrieval.fusion=dense"]
    few = rag("eval", beacons, "--retrieval-only", *small, "--json").json["metrics"]
    assert few["recall@20"]["mean"] < 100.0
    assert few["recall@5"]["mean"] == few["recall@20"]["mean"]  # one candidate is one document


def test_a_long_document_does_not_hide_the_others(work: Path, rag: Rag) -> None:
    (work / "docs").mkdir()
    sections = "".join(f"## Part {n}\n\nThe harbour light and the keeper, part {n}.\n\n" for n in range(70))
    (work / "docs" / "long.md").write_text(f"# Harbour\n\n{sections}", encoding="utf-8")
    (work / "docs" / "small.md").write_text("# Note\n\nA keeper.\n", encoding="utf-8")
    assert rag("ingest", "docs").code == 0
    row = {"question": "Who is the keeper of the harbour light?", "answers": ["Ada"], "source": "small.md"}
    (work / "own.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    assert rag("eval", "own.jsonl", "--retrieval-only", "--json").json["metrics"]["recall@5"]["mean"] == 100.0


def test_a_question_that_was_turned_away_was_not_dropped_for_room(beacons: str, rag: Rag) -> None:
    losses = rag("eval", beacons, "--set", "retrieval.min_relevance=1", "--json").json["losses"]
    assert (losses["abstained_wrongly"], losses["dropped_by_budget"]) == (24, 0)


def test_a_gold_that_no_document_holds_was_not_ingested(indexed: Path, rag: Rag) -> None:
    row = {"question": "What is in the attic?", "answers": ["a unicorn"]}
    (indexed / "own.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    assert rag("eval", "own.jsonl", "--json").json["losses"]["not_ingested"] == 1


def test_starting_the_generator_is_no_question_s_latency(
    beacons: str, rag: Rag, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: object) -> FakeCompleter:
        time.sleep(0.6)
        return FakeCompleter()

    monkeypatch.setattr("rag.factory.make_generator", slow)
    for seed in ("0", "1"):  # the second run has counted some texts already, and starts in the middle of one
        ran = rag("eval", beacons, "--window", "1", "--limit", "6", "--seed", seed, "--json")
        assert max(row["latency_s"] for row in rows_of(ran.json["run"])) < 0.5


def test_a_question_that_cannot_be_asked_fails_alone(indexed: Path, rag: Rag) -> None:
    rows = [
        {"id": "long", "question": "why " * 3000, "answers": ["so"]},
        {"id": "short", "question": "What is the lantern glass wiped with?", "answers": ["vinegar"]},
    ]
    (indexed / "own.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    ran = rag("eval", "own.jsonl", "--json", "--set", "retrieval.min_relevance=-1")
    assert ran.code == 0
    long, short = rows_of(ran.json["run"])
    assert (long["abstained"], short["contains"]) == (True, 1.0)
    assert "failed" in long["notes"][0]


def test_paragraphs_that_a_kill_left_cut_are_written_again(beacons: str, rag: Rag) -> None:
    whole = rag("eval", beacons, "--retrieval-only", "--json").json["metrics"]["recall@5"]
    [corpus] = Path("runs/corpora").iterdir()
    for path in corpus.rglob("*.md"):
        path.write_text(path.read_text(encoding="utf-8")[:8], encoding="utf-8")
    for folder in corpus.glob("index-*"):
        shutil.rmtree(folder)
    assert rag("eval", beacons, "--retrieval-only", "--json").json["metrics"]["recall@5"] == whole


def test_a_run_that_is_going_on_is_not_taken_for_an_interrupted_one(
    beacons: str, rag: Rag, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, inner = FakeCompleter.generate, []

    def nested(self: FakeCompleter, prompts: Any, sampling: Any) -> Any:
        if not inner:
            inner.append("started")
            inner.append(subprocess.run(
                [sys.executable, "-m", "rag", "eval", beacons, "--json"], capture_output=True, text=True, check=False
            ))  # fmt: skip
        return real(self, prompts, sampling)

    monkeypatch.setattr(FakeCompleter, "generate", nested)
    ran = rag("eval", beacons, "--json")
    assert ran.code == inner[1].returncode == 0, inner[1].stderr
    assert "going on with" not in inner[1].stderr
    assert json.loads(inner[1].stdout)["run"] != ran.json["run"]
    assert not list(Path("runs").glob("*/.running"))


def test_a_run_whose_rows_were_changed_is_refused(beacons: str, rag: Rag) -> None:
    good = Path(rag("eval", beacons, "--json").json["run"])
    text = (good / "rows.jsonl").read_text(encoding="utf-8")
    (good / "rows.jsonl").write_text(text.replace('"f1": 0.', '"f1": 0.9', 1), encoding="utf-8")
    assert "was changed after the run" in rag("eval", "compare", str(good), str(good)).err
    (good / "rows.jsonl").write_text(text.replace('"f1": 0.', '"f1": 7.', 1), encoding="utf-8")
    assert "not 0 to 1" in rag("eval", "compare", str(good), str(good)).err
    (good / "rows.jsonl").write_text(text, encoding="utf-8")
    manifest = json.loads((good / "run.json").read_text(encoding="utf-8"))
    del manifest["dataset"]
    (good / "run.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert "lacks the dataset" in rag("eval", "compare", str(good), str(good)).err


def test_a_run_without_confidence_is_not_calibrated(beacons2: str, indexed: Path, rag: Rag) -> None:
    run = rag("eval", beacons2, "--mode", "closed-book", "--json").json["run"]
    ran = rag("eval", "calibrate", run)
    assert ran.code == 1
    assert "has no confidences" in ran.err


def test_a_gate_over_different_questions_fails_rather_than_passes(beacons: str, rag: Rag) -> None:
    open_run = rag("eval", beacons, "--json").json["run"]
    gold_run = rag("eval", beacons, "--mode", "gold", "--json").json["run"]
    ran = rag("eval", "compare", open_run, gold_run, "--fail-if-worse")
    assert ran.code == 1
    assert "ndcg@10 cannot be compared" in ran.err


def test_an_odd_name_and_a_date_are_no_tracebacks(beacons: str, work: Path, rag: Rag) -> None:
    (work / "sweep.yaml").write_text(
        "name: a/b\ndataset: beacons.json\nlimit: 2\nconfig: test\ngrid:\n  retrieval.k: [1, 2020-01-01]\n",
        encoding="utf-8",
    )
    assert rag("eval", "sweep", "sweep.yaml").code == 2
    text = (work / "sweep.yaml").read_text(encoding="utf-8").replace("2020-01-01", "2")
    (work / "sweep.yaml").write_text(text, encoding="utf-8")
    assert rag("eval", "sweep", "sweep.yaml").code == 0
