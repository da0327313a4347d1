"""``rag train``: from a training file to a folder, what is refused, and what a second or interrupted command does."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runner import ENTRY_POINT, Rag, environment, error_of, process
from filelock import FileLock
from training_samples import write_squad

from rag.cli.train import progress_line
from rag.errors import InputError
from rag.extractive_qa.record import ReaderRecord
from rag.models.resolve import resolve_model
from rag.training.curve import curve_page

FILE = """\
encoder: ./tiny
output: out
train: [{kind: squad, path: train.json}]
dev: {kind: squad, path: dev.json}
hard_negatives: []
window: {size: 64, stride: 8, question: 16, answer: 8}
training: {epochs: 2, batch_size: 8, evaluate_every: 3, save_every: 3, log_every: 2}
"""
COMMAND = ("train", "reader", "c.yaml")


@pytest.fixture
def ready(work: Path, encoder: Path) -> Path:
    """The working folder with a training file, its data and a tiny encoder."""
    (work / "tiny").symlink_to(encoder)
    write_squad(work / "train.json", 24)
    write_squad(work / "dev.json", 10)
    (work / "c.yaml").write_text(FILE, encoding="utf-8")
    return work


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_training_writes_a_model_its_records_and_a_curve(rag: Rag, ready: Path) -> None:
    ran = rag(*COMMAND)
    assert ran.code == 0, ran.err
    assert files(ready / "out") == {
        "checkpoints", "config.json", "curve.html", "logs", "model.safetensors", "reader.json", "relevance.safetensors",
        "started.json", "tokenizer.json", "tokenizer_config.json", "training.json",
    }  # fmt: skip
    assert "24 examples to train on, 10 to watch" in ran.err
    assert re.search(r"^step 2 of 6 · loss [\d.]+ · [\d,.]+ examples/s · [\d,]+ tokens/s · .* left$", ran.err, re.M)
    assert re.search(r"^step 3 of 6: EM [\d.]+, F1 [\d.]+; where there is an answer, EM", ran.err, re.M)
    assert re.search(r"^best at step \d, over 10 questions that were watched:$", ran.out, re.M)
    assert re.search(r"^6 steps, .* examples/s and .* tokens/s in (fp32|bf16|fp16)$", ran.out, re.M)
    record = json.loads((ready / "out" / "training.json").read_text(encoding="utf-8"))
    assert record["examples"] == {"train": 24, "dev": 10}
    assert record["resumed_from"] is None
    page = (ready / "out" / "curve.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "Training of out" in page


@pytest.mark.usefixtures("ready")
def test_a_finished_training_says_so_and_gives_the_same_figures(rag: Rag) -> None:
    first = rag(*COMMAND, "--json").json
    again = rag(*COMMAND, "--json")
    assert "the training in out is finished" in again.err
    assert again.json == first | {"was_finished": True}
    assert {"folder", "best", "examples", "steps", "seconds", "speed", "resumed_from"} <= first.keys()
    assert {"em", "f1", "has_em", "has_f1", "step"} == first["best"].keys()


def test_another_configuration_or_other_data_are_refused_until_it_is_started_anew(rag: Rag, ready: Path) -> None:
    assert rag(*COMMAND).code == 0
    sentence, remedy = error_of(rag(*COMMAND, "--set", "training.epochs=1"))
    assert sentence == "out holds a training with another training.epochs (2.0 there, 1.0 now)"
    assert "--no-resume" in remedy
    write_squad(ready / "train.json", 23)
    assert "files.train.json" in error_of(rag(*COMMAND))[0]
    anew = rag(*COMMAND, "--set", "training.epochs=1", "--no-resume", "--json")
    assert (anew.code, anew.json["steps"], anew.json["examples"]["train"]) == (0, 3, 23)
    assert files(ready / "out" / "checkpoints") == {"checkpoint-3"}
    assert len(list((ready / "out" / "logs").iterdir())) == 1


def test_what_was_begun_and_has_no_checkpoint_may_be_changed(rag: Rag, ready: Path) -> None:
    (ready / "out").mkdir()
    (ready / "out" / "started.json").write_text("{}", encoding="utf-8")
    assert rag(*COMMAND, "--set", "training.epochs=1").code == 0


@pytest.mark.parametrize("more", [(), ("--no-resume",)])
def test_a_folder_of_something_else_is_left_alone(rag: Rag, ready: Path, more: tuple[str, ...]) -> None:
    (ready / "out").mkdir()
    (ready / "out" / "model.safetensors").write_text("mine", encoding="utf-8")
    assert error_of(rag(*COMMAND, *more))[0] == "the output out is not empty and holds no training"
    assert files(ready / "out") == {"model.safetensors"}


def test_checkpoints_of_unknown_origin_are_refused(rag: Rag, ready: Path) -> None:
    (ready / "out" / "checkpoints").mkdir(parents=True)
    sentence, remedy = error_of(rag(*COMMAND))
    assert sentence == "out does not record what its training started from"
    assert "--no-resume" in remedy


def test_two_trainings_do_not_share_a_folder(rag: Rag, ready: Path) -> None:
    (ready / "out").mkdir()
    with FileLock(ready / "out" / ".training.lock"):
        assert error_of(rag(*COMMAND))[0] == "another process trains into out"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--set", "encoder=bundled:smollm2"), "bundled:smollm2 is a llama model, which is no encoder"),
        (("--set", "encoder=./pickled"), "the model folder ./pickled holds no safetensors file"),
        (("--set", "encoder=./none"), "the model folder ./none does not exist"),
        (("--set", "encoder=./mute"), "./mute has no tokenizer that knows a word"),
        (("--set", "dev.path=none.json"), "the training data none.json cannot be read: No such file or directory"),
        (("--set", "dev.path=c.yaml"), "c.yaml cannot be read as JSON"),
        (("--set", "training.precision=fp16"), "training.precision = 'fp16' needs a GPU"),
        (("--set", "output=train.json"), "the output train.json cannot be made"),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_trained_is_one_sentence_and_leaves_nothing(
    rag: Rag, ready: Path, encoder: Path, more: tuple[str, str], told: str
) -> None:
    for name, kept in (("pickled", ()), ("mute", ("config.json", "model.safetensors"))):
        (ready / name).mkdir()
        for file in kept:
            (ready / name / file).symlink_to(encoder / file)
    (ready / "pickled" / "pytorch_model.bin").touch()
    if "bundled" in more[1]:
        resolve_model("bundled:smollm2")  # converted once a machine, with a progress bar that is not asked for here
    ran = rag(*COMMAND, *more)
    assert ran.code in (1, 2)
    assert error_of(ran)[0].startswith(told)
    assert not (ready / "out").exists()


def test_an_unknown_key_is_a_usage_error(rag: Rag, ready: Path) -> None:
    ran = rag(*COMMAND, "--set", "training.epoch=2")
    assert ran.code == 2
    assert error_of(ran) == ("there is no configuration key 'training.epoch' (--set)", "did you mean training.epochs?")


@pytest.mark.parametrize("word", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_an_interrupted_training_exits_130_and_the_same_command_goes_on(
    rag: Rag, ready: Path, word: signal.Signals
) -> None:
    settings = ("--set", "training.epochs=40")
    child = subprocess.Popen(
        [sys.executable, "-c", "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "from rag.__main__ import run; run()", *COMMAND, *settings],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=environment(),
    )  # fmt: skip
    assert child.stderr is not None
    lines = []
    for line in child.stderr:
        lines.append(line)
        if line.startswith("step 8 of"):
            child.send_signal(word)
            break
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (130, ""), err
    kept = re.search(r"the checkpoint of step (\d+) is saved: the same command, .* continues from there\n", err)
    assert kept
    assert "Traceback" not in err
    assert "warn" not in "".join(lines).lower() + err.lower()  # the libraries are silent
    ran = rag(*COMMAND, *settings)
    assert ran.code == 0
    assert f"continuing from the checkpoint of step {kept[1]}" in ran.err
    assert f"resumed from step {kept[1]}" in ran.out


def test_two_processes_train_one_model(ready: Path) -> None:
    torchrun = Path(ENTRY_POINT).with_name("torchrun")
    done = subprocess.run(
        [str(torchrun), "--nproc-per-node", "2", "-m", "rag", *COMMAND, "--json", "--set", "training.batch_size=4"],
        capture_output=True, text=True, encoding="utf-8", check=False, timeout=240,
        env=environment(OMP_NUM_THREADS="1"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == 6
    assert done.stderr.count("24 examples to train on") == 1
    assert (ready / "out" / "training.json").is_file()


def test_help_needs_no_heavy_library() -> None:
    ran = process("train", "reader", "--help")
    assert ran.code == 0
    assert "--no-resume" in ran.out
    code = "import sys, rag.cli.train, rag.training.config\nprint({'torch', 'transformers'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_progress_is_told_in_one_line() -> None:
    from rag.training.trainer import Progress

    assert progress_line(Progress(1500, 2000, 1.23456, 45.67, 6012.3, 3725)) == (
        "step 1,500 of 2,000 · loss 1.235 · 45.7 examples/s · 6,012 tokens/s · 62 min left"
    )
    assert progress_line(Progress(4, 8, None, 1, 1, 1, {"em": 50.0, "f1": 61.25})) == "step 4 of 8: EM 50.0, F1 61.2"


def test_the_curve_is_one_page_without_a_network() -> None:
    history = [
        {"step": 2, "loss": 3.5, "grad_norm": 1.0},
        {"step": 4, "eval_em": 40.0, "eval_f1": 50.0},
        {"step": 4, "train_runtime": 1.0},
    ]
    page = curve_page(history, "Training of <out>")
    assert "Training of &lt;out&gt;" in page
    own = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert "http" not in re.sub(r"<meta http-equiv=[^>]*>", "", own)
    assert re.findall(r"<script[^>]*src=", page) == []
    assert "default-src 'none'" in page
    drawn = page[page.rindex("Plotly.newPlot(") :]
    lines, _ = json.JSONDecoder().raw_decode(drawn[drawn.index("[") :])
    assert [(line["name"], line["x"], line["y"]) for line in lines] == [
        ("training loss", [2], [3.5]), ("F1", [4], [50.0]), ("exact match", [4], [40.0]),
    ]  # fmt: skip


def pairs_file(work: Path) -> Path:
    (work / "sentences.txt").write_text("Ada was born in Oslo .\nCarl sold the boat .\n" * 20, encoding="utf-8")
    (work / "questions.txt").write_text("where was ada born ?\nwho sold the boat ?\n" * 20, encoding="utf-8")
    text = "output: done\ntrain:\n  - {kind: pairs, sentences: sentences.txt, questions: questions.txt, teacher: t}\n"
    (work / "pairs.yaml").write_text(text, encoding="utf-8")
    return work / "done"


def test_finishing_needs_a_finished_training(work: Path, rag: Rag) -> None:
    pairs_file(work)
    ran = rag("train", "finish", "pairs.yaml", "--to", "small")
    assert ran.code != 0
    assert "done holds no finished training\n  run `rag train reader` first" in ran.err


def test_finishing_needs_the_file_that_was_trained_with(work: Path, rag: Rag) -> None:
    done = pairs_file(work)
    done.mkdir()
    record = {"config": {"dev_share": 0.03, "training": {"seed": 0}}}
    (done / "training.json").write_text(json.dumps(record), encoding="utf-8")
    ran = rag("train", "finish", "pairs.yaml", "--to", "small", "--set", "dev_share=0.5")
    assert ran.code != 0
    assert "had dev_share 0.03, and the file has 0.5" in ran.err
    assert "holds the training itself" in rag("train", "finish", "pairs.yaml", "--to", "done").err


@pytest.mark.parametrize("fails", [True, False])
def test_finishing_touches_its_target_only_when_it_is_done(
    work: Path, rag: Rag, encoder: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    done = pairs_file(work)
    shutil.copytree(encoder, done)
    record = {"config": {"dev_share": 0.5, "training": {"seed": 0}}}
    (done / "training.json").write_text(json.dumps(record), encoding="utf-8")
    (work / "small").mkdir()
    (work / "small" / "reader.json").write_text("older", encoding="utf-8")

    def export(source: Path, target: Path, *_: object) -> None:
        target.mkdir(parents=True)
        (target / "reader.xml").write_text("graph", encoding="utf-8")

    def fit(*_: object) -> ReaderRecord:
        if fails:
            raise InputError("too few answers", "name more questions")
        return ReaderRecord()

    monkeypatch.setattr("rag.training.export.export_graph", export)
    monkeypatch.setattr("rag.training.export.load_engine", lambda *_, **__: None)
    monkeypatch.setattr("rag.training.export.fit_weights", fit)
    ran = rag("train", "finish", "pairs.yaml", "--to", "small", "--set", "dev_share=0.5")
    assert (ran.code != 0) is fails, ran.err
    assert files(work / "small") == ({"reader.json"} if fails else {"reader.json", "reader.xml"})
    assert ((work / "small" / "reader.json").read_text(encoding="utf-8") == "older") is fails
