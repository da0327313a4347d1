"""A reranker: its figures against an outside reference, what an encoder must be, and trainings of a few steps."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import InputError, ModelError, RagError, UsageError
from rag.extractive_qa.windows import Pair
from rag.models.resolve import resolve_model
from rag.retrieval.rerankers import CrossEncoderReranker
from rag.training.config import LoopConfig, RerankerConfig
from rag.training.data.candidates import Candidates
from rag.training.loop import CHECKPOINTS, Trained, fit
from rag.training.reranker import (
    RerankerTask,
    load_cross_encoder,
    rank_of_first,
    ranking_figures,
    save_cross_encoder,
)
from rag.training.run_directory import check_folder, finished_training, starting_point
from rag.training.trainer import Progress

Weights = dict[str, torch.Tensor]
# 24 pairs in steps of 8 are three steps an epoch.
SHORT = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "evaluate_every": 100, "save_every": 4, "log_every": 1}


def questions(count: int) -> list[Candidates]:
    """Questions whose right passage repeats what they ask for, of different lengths."""
    names = ("Ada", "Cora", "Emil", "Gina", "Hans", "Ines", "Kara", "Lars")
    made = []
    for n in range(count):
        person, other, third = (names[(n + k) % 8] for k in (0, 3, 5))
        more = " The house is made of stone." * (n % 3)
        right = f"{person} was born in a house by the river.{more}"
        wrong = f"{other} painted the bridge.", f"{third} sold the boat.{more}"
        made.append(Candidates(f"q{n}", f"Where was {person} born?", (right, *wrong)))
    return made


@dataclass
class Run:
    """One training with a fresh model, and what was told on the way."""

    encoder: Path
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    seen: list[Progress] = field(default_factory=list)

    def __call__(self, *, stop_at: int | None = None, change: Callable[[Any], object] = lambda _: None) -> Trained:
        config = LoopConfig(**(SHORT | self.settings))

        def watch(progress: Progress) -> None:
            self.seen.append(progress)
            if progress.step == stop_at and progress.loss is None:
                raise KeyboardInterrupt

        torch.manual_seed(0)
        model = load_cross_encoder(self.encoder, "encoder", length=64, dropout=config.dropout)
        change(model)
        task = RerankerTask(model, questions(8), questions(5), config)
        return fit(task, config, self.folder, watch=watch, say=self.said.append)

    def weights(self, step: int) -> Weights:
        """Return the weights of a checkpoint."""
        from safetensors.torch import load_file

        return dict(load_file(self.folder / CHECKPOINTS / f"checkpoint-{step}" / "model.safetensors"))


Make = Callable[..., Run]


@pytest.fixture
def run(tiny: Path, tmp_path: Path) -> Make:
    def make(name: str, **settings: Any) -> Run:
        return Run(tiny, tmp_path / name, settings)

    return make


def same(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@given(st.lists(st.integers(1, 15), min_size=1, max_size=8))
def test_the_figures_are_those_of_ir_measures(ranks: list[int]) -> None:
    import ir_measures
    from ir_measures import RR, P, Qrel, ScoredDoc, nDCG

    qrels = [Qrel(str(q), "right", 1) for q in range(len(ranks))]
    run = [
        ScoredDoc(str(q), "right" if n == rank else f"d{n}", 100.0 - n)
        for q, rank in enumerate(ranks)
        for n in range(1, 21)
    ]
    wanted = ir_measures.calc_aggregate([nDCG @ 10, RR @ 10, P @ 1], qrels, run)
    figures = ranking_figures(ranks)
    assert figures["ndcg"] == pytest.approx(100 * wanted[nDCG @ 10], abs=1e-3)
    assert figures["mrr"] == pytest.approx(100 * wanted[RR @ 10], abs=1e-3)
    assert figures["first"] == pytest.approx(100 * wanted[P @ 1], abs=1e-3)


def test_a_model_that_scores_all_alike_or_nothing_is_not_right() -> None:
    assert rank_of_first([2.0, 1.0, 3.0]) == 2
    assert rank_of_first([1.0, 1.0, 1.0]) == 3
    assert rank_of_first([float("nan"), 1.0, 0.0]) == 3
    assert rank_of_first([1.0]) == 1


@pytest.mark.slow
def test_the_loss_falls_and_the_right_passage_comes_first(run: Make) -> None:
    learnt = run("learnt", epochs=40, learning_rate=1e-2, evaluate_every=60, dropout=0)
    trained = learnt()
    losses = [row["loss"] for row in trained.history if "loss" in row]
    assert sum(losses[-3:]) < 0.3 * sum(losses[:3])
    assert trained.best["ndcg"] > 95
    assert {"step", "ndcg", "mrr", "first"} == trained.best.keys()
    assert trained.figures["pairs"] == 24
    assert trained.speed["tokens_per_s"] > 5 * trained.speed["examples_per_s"] > 0
    assert list((learnt.folder / "logs").glob("events.out.tfevents.*"))


def test_equal_seeds_give_equal_weights_and_others_do_not(run: Make) -> None:
    one, two, other = run("one"), run("two"), run("other", seed=1)
    for each in (one, two, other):
        each()
    assert same(one.weights(6), two.weights(6))
    assert not same(one.weights(6), other.weights(6))


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


def test_a_checkpoint_holds_no_pickled_arguments_and_no_model_card(run: Make) -> None:
    kept = run("kept")
    kept()
    assert {path.name for path in (kept.folder / CHECKPOINTS / "checkpoint-6").iterdir()} == {
        "model.safetensors", "optimizer.pt", "rng_state.pth", "scheduler.pt", "trainer_state.json",
    }  # fmt: skip


def test_accumulated_batches_are_as_good_as_one(run: Make) -> None:
    whole, parts = run("whole", dropout=0), run("parts", dropout=0, batch_size=2, accumulation=4)
    whole(), parts()
    one, other = whole.weights(6), parts.weights(6)
    # The gradient of the keys' biases is zero but for rounding, of which Adam makes steps as large as any.
    assert all(torch.allclose(one[name], other[name], atol=1e-5) for name in one if not name.endswith("key.bias"))


def test_frozen_embeddings_stay_and_the_rest_is_trained(run: Make) -> None:
    frozen = run("frozen", freeze_embeddings=True)
    before: Weights = {}
    frozen(change=lambda model: before.update({k: v.clone() for k, v in model.state_dict().items()}))
    after = frozen.weights(6)
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if ".embeddings." in name} <= kept
    assert "0.model.classifier.weight" not in kept


def test_training_stops_when_patience_ends_also_across_an_interruption(run: Make) -> None:
    settings = {"epochs": 9, "evaluate_every": 2, "patience": 3, "learning_rate": 1e-9}  # too little to change a rank
    whole, cut = run("whole", **settings), run("cut", **settings)
    assert whole().history[-1]["step"] == 8
    with pytest.raises(KeyboardInterrupt):
        cut(stop_at=5)
    assert cut().history[-1]["step"] == 8
    assert same(whole.weights(8), cut.weights(8))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU computes in another precision")
def test_mixed_precision_trains_and_leaves_whole_weights(run: Make) -> None:
    mixed, plain = run("mixed", precision="bf16", dropout=0), run("plain", dropout=0)
    trained = mixed()
    plain()
    assert trained.speed["precision"] == "bf16"
    one, other = mixed.weights(6), plain.weights(6)
    assert {weight.dtype for weight in one.values()} == {torch.float32}
    assert not same(one, other)
    assert "_original_forward" not in vars(trained.model)  # what mixed precision put around it is gone


def test_a_batch_that_does_not_fit_is_halved_and_training_goes_on(run: Make) -> None:
    def cramp(model: Any) -> None:
        def look(_module: Any, given: tuple[Any, ...]) -> None:
            if model.training and len(given[0]["input_ids"]) > 4:
                raise RuntimeError("CUDA out of memory.")

        model.register_forward_pre_hook(look)

    cramped, small = run("cramped"), run("small", batch_size=4, accumulation=2)
    assert cramped(change=cramp).speed["batch"] == 4
    small()
    assert cramped.said == ["out of memory: continuing with a batch of 4, accumulated 2 times"]
    assert same(cramped.weights(6), small.weights(6))


@pytest.mark.slow
def test_what_was_trained_reranks(run: Make, tmp_path: Path) -> None:
    trained = run("trained", epochs=40, learning_rate=1e-2, evaluate_every=60, dropout=0)()
    save_cross_encoder(trained.model, tmp_path / "model")
    assert "README.md" not in {path.name for path in (tmp_path / "model").iterdir()}
    reranker = CrossEncoderReranker(str(tmp_path / "model"), device="cpu")
    for each in questions(5):
        scores = reranker.scores([Pair(each.question, passage) for passage in each.passages])
        assert rank_of_first(scores) == 1
        assert scores[0] > 0 > max(scores[1:])  # log-odds, not what a sigmoid makes of them
    again = load_cross_encoder(tmp_path / "model", "again", length=64)  # and can be trained on
    assert torch.equal(again.state_dict()["0.model.classifier.weight"],
        trained.model.state_dict()["0.model.classifier.weight"])  # fmt: skip


def lame(tiny: Path, folder: Path, *without: str) -> Path:
    shutil.copytree(tiny, folder)
    for name in without:
        (folder / name).unlink()
    return folder


def refused(folder: Path, length: int = 64) -> RagError:
    with pytest.raises(RagError) as caught:
        load_cross_encoder(folder, "mine", length=length)
    return caught.value


def test_what_is_no_encoder_to_start_from_is_one_sentence(tiny: Path, tmp_path: Path) -> None:
    assert refused(lame(tiny, tmp_path / "a", "model.safetensors")).message == "mine holds no safetensors file"
    assert (
        "has no tokenizer that knows a word"
        in refused(lame(tiny, tmp_path / "b", "tokenizer.json", "tokenizer_config.json")).message
    )
    assert refused(resolve_model("bundled:smollm2").path).message == "mine is a llama model, which is no encoder"
    long = refused(tiny, length=129)
    assert isinstance(long, UsageError)
    assert long.message == "length = 129 is more than mine reads, which is 128"


def test_an_encoder_that_lacks_weights_is_refused(tiny: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = lame(tiny, tmp_path / "a")
    weights = load_file(folder / "model.safetensors")
    del weights["bert.encoder.layer.0.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    error = refused(folder)
    assert isinstance(error, ModelError)
    assert error.message.startswith("mine lacks 1 of its encoder's weights, such as bert.encoder.layer.0.output")


def test_dropout_replaces_all_of_the_encoders_own(tiny: Path) -> None:
    model = load_cross_encoder(tiny, "tiny", length=64, dropout=0.25)
    assert {m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)} == {0.25}


def test_the_folder_of_a_reader_is_not_gone_on_with(tmp_path: Path) -> None:
    source = tmp_path / "s.txt"
    source.write_text("a\n", encoding="utf-8")
    pairs = {"kind": "pairs", "sentences": source, "questions": source}
    start = starting_point(RerankerConfig.model_validate({"output": tmp_path / "out", "train": [pairs]}), "f")
    out = tmp_path / "out"
    (out / CHECKPOINTS).mkdir(parents=True)
    (out / "started.json").write_text(json.dumps({k: v for k, v in start.items() if k != "trains"}), encoding="utf-8")
    told = r"out holds the training of a reader, and this is one of a reranker"
    with pytest.raises(InputError, match=told):
        check_folder(out, start, resume=True)
    (out / "training.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=told):
        finished_training(out, start)
