"""``rag train reranker``: from a training file to a folder that reranks, and what is refused."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from cli_runner import ENTRY_POINT, Rag, environment, error_of
from training_samples import write_squad

FILE = """\
encoder: ./tiny
output: out
train: [{kind: pairs, sentences: s.txt, questions: q.txt}]
hard_negatives: [lexical]
dev_share: 0.25
length: 48
training: {epochs: 1, batch_size: 8, evaluate_every: 8, save_every: 8, log_every: 4}
"""
COMMAND = ("train", "reranker", "c.yaml")


@pytest.fixture
def ready(work: Path, encoder: Path) -> Path:
    """The working folder with a training file, its data and a tiny encoder."""
    (work / "tiny").symlink_to(encoder)
    (work / "s.txt").write_text("".join(f"animal{n} eats food{n % 8} .\n" for n in range(40)), encoding="utf-8")
    (work / "q.txt").write_text("".join(f"which food{n % 8} eats animal{n} ?\n" for n in range(40)), encoding="utf-8")
    (work / "c.yaml").write_text(FILE, encoding="utf-8")
    return work


def test_a_training_writes_a_reranker_that_search_uses(rag: Rag, ready: Path) -> None:
    ran = rag(*COMMAND)
    assert ran.code == 0, ran.err
    assert {path.name for path in (ready / "out").iterdir()} == {
        "checkpoints", "config.json", "config_sentence_transformers.json", "curve.html", "logs", "model.safetensors",
        "modules.json", "sentence_bert_config.json", "started.json", "tokenizer.json", "tokenizer_config.json",
        "training.json",
    }  # fmt: skip
    assert re.search(r"^\d+ questions with \d+ passages to train on, \d+ to watch$", ran.err, re.M)
    assert re.search(r"^step 4 of \d+ · loss [\d.]+ · [\d,.]+ examples/s · [\d,]+ tokens/s · .* left$", ran.err, re.M)
    assert re.search(r"^step 8 of \d+: nDCG@10 [\d.]+, MRR@10 [\d.]+, first [\d.]+$", ran.err, re.M)
    assert re.search(r"^best at step \d+, over \d+ questions that were watched:$", ran.out, re.M)
    record = json.loads((ready / "out" / "training.json").read_text(encoding="utf-8"))
    assert {"sentence-transformers", "datasets", "torch"} <= record["packages"].keys()
    page = (ready / "out" / "curve.html").read_text(encoding="utf-8")
    drawn = page[page.rindex("Plotly.newPlot(") :]
    lines, _ = json.JSONDecoder().raw_decode(drawn[drawn.index("[") :])
    assert [line["name"] for line in lines] == ["training loss", "nDCG@10", "MRR@10"]

    (ready / "docs").mkdir()
    for n in range(3):
        (ready / "docs" / f"{n}.txt").write_text(f"animal{n} eats food{n}.\n", encoding="utf-8")
    assert rag("ingest", "docs", "--config", "test").code == 0
    settings = ("--set", "retrieval.rerank=cross-encoder", "--set", "retrieval.cross_encoder=out")
    found = rag("search", "which food1 eats animal1?", "--config", "test", *settings, "--json")
    assert found.code == 0, found.err
    assert all(passage["reranked"] is not None for passage in found.json["passages"])


@pytest.mark.usefixtures("ready")
def test_a_finished_training_says_so_and_another_one_is_refused(rag: Rag) -> None:
    first = rag(*COMMAND, "--json").json
    again = rag(*COMMAND, "--json")
    assert "the training in out is finished" in again.err
    assert again.json == first | {"was_finished": True}
    assert {"ndcg", "mrr", "first", "step"} == first["best"].keys()
    sentence, remedy = error_of(rag(*COMMAND, "--set", "negatives=3"))
    assert sentence == "out holds a training with another negatives (4 there, 3 now)"
    assert "--no-resume" in remedy
    anew = rag(*COMMAND, "--set", "negatives=3", "--no-resume", "--json")
    assert (anew.code, anew.json["was_finished"]) == (0, False)


def test_the_folder_of_a_reader_is_refused(rag: Rag, ready: Path) -> None:
    write_squad(ready / "train.json", 24)
    (ready / "r.yaml").write_text(
        "encoder: ./tiny\noutput: out\ntrain: [{kind: squad, path: train.json}]\ndev: {kind: squad, path: train.json}\n"
        "hard_negatives: []\nwindow: {size: 64, stride: 8, question: 16, answer: 8}\ntraining: {max_steps: 1}\n",
        encoding="utf-8",
    )
    assert rag("train", "reader", "r.yaml").code == 0
    assert error_of(rag(*COMMAND))[0] == "out holds the training of a reader, and this is one of a reranker"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("encoder=bundled:smollm2", "bundled:smollm2 is a llama model, which is no encoder"),
        ("encoder=./none", "the model folder ./none does not exist"),
        ("encoder=./mute", "./mute has no tokenizer that knows a word"),
        ("length=1000", "length = 1000 is more than ./tiny reads, which is 128"),
        ("never=[none.json]", "the training data none.json cannot be read: No such file or directory"),
        ("dev={kind: squad, path: c.yaml}", "c.yaml cannot be read as JSON"),
        ("training.precision=fp16", "training.precision = 'fp16' needs a GPU"),
        ("train=[{kind: pairs, sentences: s.txt, questions: c.yaml}]", "s.txt has 40 lines and c.yaml 7"),
        ("negative=3", "there is no configuration key 'negative' (--set)"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence_and_leaves_nothing(
    rag: Rag, ready: Path, encoder: Path, more: str, told: str
) -> None:
    (ready / "mute").mkdir()
    for file in ("config.json", "model.safetensors"):
        (ready / "mute" / file).symlink_to(encoder / file)
    ran = rag(*COMMAND, "--set", more)
    assert ran.code in (1, 2)
    assert error_of(ran)[0].startswith(told)
    assert not (ready / "out").exists()


def test_no_question_left_is_said(rag: Rag, ready: Path) -> None:
    for name in ("s.txt", "q.txt"):
        (ready / name).write_text("only this one .\n", encoding="utf-8")
    assert error_of(rag(*COMMAND))[0].startswith("no training example is left - 1 question of pairs finds no other")


def test_two_processes_train_one_model(ready: Path) -> None:
    torchrun = Path(ENTRY_POINT).with_name("torchrun")
    done = subprocess.run(
        [str(torchrun), "--nproc-per-node", "2", "-m", "rag", *COMMAND, "--json", "--set", "training.batch_size=4"],
        capture_output=True, text=True, encoding="utf-8", check=False, timeout=240,
        env=environment(OMP_NUM_THREADS="1"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["was_finished"] is False
    assert done.stderr.count("passages to train on") == 1
    assert (ready / "out" / "training.json").is_file()
