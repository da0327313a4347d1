"""The training loop: the loss, repeatability, interruption, memory that does not suffice, and which model is kept.

All but one of the tests train a model of one layer, which takes milliseconds a step.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from training_samples import deliver, examples

from rag.errors import ModelError, UsageError
from rag.extractive_qa.model import SpanReader
from rag.extractive_qa.tokenizer import load_tokenizer
from rag.extractive_qa.windows import Windower, WindowSettings
from rag.models.resolve import resolve_model
from rag.training.checkpoints import last_checkpoint
from rag.training.config import TrainingConfig
from rag.training.data.features import Collator, Features
from rag.training.loop import CHECKPOINTS, Trained, choose_precision, fit
from rag.training.reader import ReaderTask, reader_loss
from rag.training.trainer import Progress

Weights = dict[str, torch.Tensor]
WINDOW = WindowSettings(size=64, stride=8, question=16, answer=8)
# 24 windows in steps of 8 are three steps an epoch.
SHORT = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "evaluate_every": 100, "save_every": 4, "log_every": 1}


def exact(given: str, golds: Sequence[str]) -> tuple[float, float]:
    right = float(given in golds or (not given and not golds))
    return right, right


@dataclass
class Run:
    """One training with a fresh model, and what was told on the way."""

    encoder: Path
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    seen: list[Progress] = field(default_factory=list)

    def __call__(
        self,
        *,
        judge: Any = exact,
        resume: bool = True,
        reader: type[SpanReader] = SpanReader,
        stop_at: int | None = None,
        signal_at: int | None = None,
        change: Callable[[SpanReader], object] = lambda _: None,
    ) -> Trained:
        config = TrainingConfig(**(SHORT | self.settings))

        def watch(progress: Progress) -> None:
            self.seen.append(progress)
            if progress.step == stop_at and progress.loss is None:
                raise KeyboardInterrupt
            if progress.step == signal_at and progress.loss is not None:
                deliver(signal.SIGINT)
                self.said.append("the log is whole")

        torch.manual_seed(0)
        model = reader.load(self.encoder, dropout=config.dropout)
        change(model)
        windower = Windower(load_tokenizer(self.encoder, "encoder"), WINDOW)
        task = ReaderTask(model, windower, examples(24), examples(10), config, judge)
        return fit(task, config, self.folder, resume=resume, watch=watch, say=self.said.append)

    def weights(self, step: int) -> Weights:
        """Return the weights of a checkpoint."""
        from safetensors.torch import load_file

        return dict(load_file(self.folder / CHECKPOINTS / f"checkpoint-{step}" / "model.safetensors"))


@pytest.fixture
def run(tiny: Path, tmp_path: Path) -> Callable[..., Run]:
    def make(name: str, **settings: Any) -> Run:
        return Run(tiny, tmp_path / name, settings)

    return make


Make = Callable[..., Run]


def same(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def near(one: Weights, other: Weights) -> bool:
    # The gradient of these two is zero but for rounding, of which Adam makes steps as large as any.
    free = ("qa_outputs.bias", "key.bias")
    return all(torch.allclose(one[name], other[name], atol=1e-5) for name in one if not name.endswith(free))


def test_the_loss_does_not_depend_on_padding(tiny: Path) -> None:
    model = SpanReader.load(tiny).eval()
    windower = Windower(load_tokenizer(tiny, "tiny"), WINDOW)
    features = Features(examples(6), windower)
    rows = [features[n] for n in range(len(features))]

    def loss(more: int) -> float:
        batch = Collator(windower.tokenizer.pad_token_id, types=True)(rows)
        batch = {k: torch.nn.functional.pad(v, (0, more)) if v.dim() == 2 else v for k, v in batch.items()}
        start, end = batch.pop("start_positions"), batch.pop("end_positions")
        with torch.inference_mode():
            return float(reader_loss(model(**batch), batch["attention_mask"], start, end, 0.5))

    assert loss(0) == pytest.approx(loss(40), rel=1e-6)


def test_relevance_takes_part_in_the_loss_by_its_weight(tiny: Path) -> None:
    told = SpanReader.load(tiny).eval()(input_ids=torch.tensor([[5, 6, 7]]), attention_mask=torch.ones(1, 3).long())
    mask, none, some = torch.ones(1, 3), torch.tensor([0]), torch.tensor([2])
    plain = reader_loss(told, mask, some, some, 0.0)
    relevance = torch.nn.functional.softplus(-told.relevance).mean()
    assert torch.allclose(reader_loss(told, mask, some, some, 0.5), plain + 0.5 * relevance)
    assert reader_loss(told, mask, none, none, 0.0) != plain


def test_equal_seeds_give_equal_weights_and_others_do_not(run: Make) -> None:
    one, two, other = run("one"), run("two"), run("other", seed=1)
    for each in (one, two, other):
        each()
    assert same(one.weights(6), two.weights(6))
    assert not same(one.weights(6), other.weights(6))


def test_accumulated_batches_are_as_good_as_one(run: Make) -> None:
    whole, parts = run("whole", dropout=0), run("parts", dropout=0, batch_size=2, accumulation=4)
    whole(), parts()
    assert near(whole.weights(6), parts.weights(6))


def test_frozen_embeddings_stay_and_the_rest_is_trained(run: Make) -> None:
    frozen = run("frozen", freeze_embeddings=True)
    frozen()
    before = SpanReader.load(frozen.encoder).state_dict()
    after = frozen.weights(6)
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if ".embeddings." in name} <= kept
    assert "qa.qa_outputs.weight" not in kept
    assert not same(after, frozen_not(run).weights(6))


def frozen_not(run: Make) -> Run:
    trained = run("not-frozen")
    trained()
    assert not torch.equal(
        SpanReader.load(trained.encoder).qa.base_model.embeddings.word_embeddings.weight,
        trained.weights(6)["qa.bert.embeddings.word_embeddings.weight"],
    )
    return trained


def test_progress_is_told_with_speed_and_time_left(run: Make) -> None:
    watched = run("watched", evaluate_every=3)
    trained = watched()
    steps = [p for p in watched.seen if p.loss is None and p.figures is None]
    assert [p.step for p in steps] == [1, 2, 3, 4, 5, 6]
    assert {p.steps for p in steps} == {6}
    assert all(p.examples_per_s > 0 and p.tokens_per_s > 10 * p.examples_per_s for p in steps)
    assert steps[-1].seconds_left == 0 < steps[0].seconds_left
    assert [p.step for p in watched.seen if p.figures] == [3, 6]
    assert trained.speed["precision"] == ("fp32" if not torch.cuda.is_available() else trained.speed["precision"])
    assert trained.resumed_from is None
    assert list((watched.folder / "logs").glob("events.out.tfevents.*"))


def test_the_model_with_the_best_f1_is_the_one_that_is_returned(run: Make) -> None:
    class Scripted:
        """Says which evaluation is the best: every one asks for 10 examples and again for the 8 with an answer."""

        def __init__(self) -> None:
            self.asked = 0

        def __call__(self, given: str, golds: Sequence[str]) -> tuple[float, float]:
            self.asked += 1
            return 0.0, (0.2, 0.9, 0.4)[(self.asked - 1) // 18]

    best = run("best", evaluate_every=2, save_every=4, keep_checkpoints=1)
    trained = best(judge=Scripted())
    assert trained.best["step"] == 4
    assert trained.best["f1"] == 90
    assert same({k: v.cpu() for k, v in trained.model.state_dict().items()}, best.weights(4))
    assert [row["eval_f1"] for row in trained.history if "eval_f1" in row] == [20, 90, 40]


def test_training_stops_when_patience_ends_also_across_an_interruption(run: Make) -> None:
    def never_better(given: str, golds: Sequence[str]) -> tuple[float, float]:
        return 0.5, 0.5

    settings = {"epochs": 9, "evaluate_every": 2, "patience": 3}
    whole, cut = run("whole", **settings), run("cut", **settings)
    assert whole(judge=never_better).history[-1]["step"] == 8
    with pytest.raises(KeyboardInterrupt):
        cut(judge=never_better, stop_at=5)
    assert cut(judge=never_better).history[-1]["step"] == 8
    assert same(whole.weights(8), cut.weights(8))


def test_what_is_interrupted_goes_on_to_the_same_weights(run: Make) -> None:
    whole, cut = run("whole"), run("cut")
    whole()
    with pytest.raises(KeyboardInterrupt):
        cut(stop_at=5)  # in the second epoch, one step after the checkpoint
    trained = cut()
    assert trained.resumed_from == 4
    assert "continuing from the checkpoint of step 4" in cut.said
    assert [p.step for p in cut.seen if p.loss is None and p.figures is None] == [1, 2, 3, 4, 5, 5, 6]
    assert same(whole.weights(6), cut.weights(6))


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("step", [5, 6], ids=["in the middle", "after the last step"])
def test_ctrl_c_comes_when_nothing_is_half_done(run: Make, step: int) -> None:
    cut = run("cut")
    with pytest.raises(KeyboardInterrupt):
        cut(signal_at=step)
    assert cut.said == ["the log is whole"]
    assert cut.seen[-1].step == step
    last = last_checkpoint(cut.folder / CHECKPOINTS)
    assert last is not None and last.step == 4


@pytest.mark.usefixtures("handlers")
def test_ctrl_c_ends_an_evaluation_at_once(run: Make) -> None:
    asked: list[str] = []

    def judge(given: str, golds: Sequence[str]) -> tuple[float, float]:
        asked.append(given)
        deliver(signal.SIGINT)
        return exact(given, golds)

    with pytest.raises(KeyboardInterrupt):
        run("cut", evaluate_every=2)(judge=judge)
    assert len(asked) == 1


def test_a_training_that_ended_unwritten_is_not_trained_further(run: Make) -> None:
    ended = run("ended")
    first = ended()
    seen = len(ended.seen)
    again = ended()
    assert len(ended.seen) == seen
    assert again.best == first.best
    assert same(first.model.state_dict(), again.model.state_dict())


def test_without_resuming_old_checkpoints_go(run: Make) -> None:
    anew = run("anew")
    anew()
    trained = anew(resume=False)
    assert trained.resumed_from is None
    assert [p.step for p in anew.seen if p.loss is None and p.figures is None] == [1, 2, 3, 4, 5, 6] * 2


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no state": lambda folder: (folder / "trainer_state.json").unlink(),
    "state cut": lambda folder: cut(folder / "trainer_state.json"),
    "weights cut": lambda folder: cut(folder / "model.safetensors"),
    "no optimizer": lambda folder: (folder / "optimizer.pt").unlink(),
    "optimizer cut": lambda folder: cut(folder / "optimizer.pt"),
    "random state cut": lambda folder: cut(folder / "rng_state.pth"),
    "nothing in it": lambda folder: [path.unlink() for path in folder.iterdir()],
}


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.fixture(scope="module")
def two_checkpoints(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    Run(tiny, folder)()
    return folder / CHECKPOINTS


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_half_written_checkpoint_is_passed_over(
    damage: Callable[[Path], object], two_checkpoints: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(two_checkpoints, tmp_path / "copy"))
    whole = last_checkpoint(folder)
    assert whole is not None
    assert (whole.step, whole.ended) == (6, True)
    damage(folder / "checkpoint-6")
    before = last_checkpoint(folder)
    assert before is not None
    assert (before.step, before.ended) == (4, False)
    damage(folder / "checkpoint-4")
    assert last_checkpoint(folder) is None
    assert {path.name for path in folder.iterdir()} == {"incomplete-checkpoint-4", "incomplete-checkpoint-6"}


def test_training_goes_on_from_the_checkpoint_before_a_half_written_one(run: Make) -> None:
    whole, hurt = run("whole"), run("hurt", keep_checkpoints=1)
    whole()
    with pytest.raises(KeyboardInterrupt):
        hurt(stop_at=5)
    half = shutil.copytree(hurt.folder / CHECKPOINTS / "checkpoint-4", hurt.folder / CHECKPOINTS / "checkpoint-5")
    (Path(half) / "trainer_state.json").unlink()
    assert hurt().resumed_from == 4
    assert same(whole.weights(6), hurt.weights(6))
    assert [path.name for path in (hurt.folder / CHECKPOINTS).iterdir()] == ["checkpoint-6"]


class Cramped(SpanReader):
    """Has room for four windows."""

    room = 4

    def forward(self, **inputs: torch.Tensor) -> Any:
        if self.training and len(inputs["input_ids"]) > self.room:
            raise RuntimeError("CUDA out of memory.")
        return super().forward(**inputs)


def test_a_batch_that_does_not_fit_is_halved_and_training_goes_on(run: Make) -> None:
    cramped, small = run("cramped"), run("small", batch_size=4, accumulation=2)
    trained = cramped(reader=Cramped)
    small()
    assert cramped.said == ["out of memory: continuing with a batch of 4, accumulated 2 times"]
    assert trained.speed["batch"] == 4
    assert trained.figures["steps"] == 6
    assert same(cramped.weights(6), small.weights(6))


def test_memory_that_runs_out_later_costs_the_steps_since_the_checkpoint(run: Make) -> None:
    class Later(SpanReader):
        calls = 0

        def forward(self, **inputs: torch.Tensor) -> Any:
            Later.calls += self.training
            if self.training and Later.calls == 6:
                raise RuntimeError("CUDA out of memory.")
            return super().forward(**inputs)

    later, whole = run("later", dropout=0), run("whole", dropout=0)
    trained = later(reader=Later)
    whole()
    assert trained.resumed_from == 4
    assert near(whole.weights(6), later.weights(6))


def test_memory_for_not_even_one_window_is_an_error(run: Make) -> None:
    class NoRoom(Cramped):
        room = 0

    with pytest.raises(ModelError) as caught:
        run("none")(reader=NoRoom)
    assert caught.value.message == "a batch of 1 does not fit in memory"


def test_any_other_failure_is_not_taken_for_want_of_memory(run: Make) -> None:
    class Broken(SpanReader):
        def forward(self, **inputs: torch.Tensor) -> Any:
            raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        run("broken")(reader=Broken)


def test_a_loss_that_is_no_number_stops_the_training(run: Make) -> None:
    def spoil(model: SpanReader) -> None:
        torch.nn.init.constant_(model.qa.qa_outputs.bias, torch.nan)

    with pytest.raises(ModelError) as caught:
        run("nan")(change=spoil)
    assert caught.value.message == "the loss is no number any more at step 1"


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what a machine without a GPU does")
def test_a_cpu_computes_in_fp32_unless_told_otherwise() -> None:
    assert [choose_precision(asked) for asked in ("auto", "fp32", "bf16")] == ["fp32", "fp32", "bf16"]
    with pytest.raises(UsageError, match="needs a GPU"):
        choose_precision("fp16")


@pytest.mark.slow
def test_the_bundled_encoder_learns_and_survives_an_interruption(tmp_path: Path) -> None:
    minilm = resolve_model("bundled:minilm").path
    settings = {"learning_rate": 3e-4, "freeze_embeddings": True, "save_every": 4}
    whole, cut = Run(minilm, tmp_path / "whole", settings), Run(minilm, tmp_path / "cut", settings)
    trained = whole()
    with pytest.raises(KeyboardInterrupt):
        cut(stop_at=5)
    cut()
    assert same(whole.weights(6), cut.weights(6))
    losses = [row["loss"] for row in trained.history if "loss" in row]
    assert sum(losses[-2:]) < 0.8 * sum(losses[:2])
