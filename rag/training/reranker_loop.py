"""What the training loop is told of a reranker: pairs as items, binary cross entropy, nDCG@10 and MRR@10 as figures.

The loop is sentence-transformers' CrossEncoderTrainer. What it is not let do: write a model card, for which it would
ask a hub, and pickle its arguments into every checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from datasets import Dataset
from safetensors.torch import load_file, save_file
from sentence_transformers.cross_encoder import CrossEncoderTrainer, CrossEncoderTrainingArguments
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss
from torch.utils.data import BatchSampler, DataLoader
from transformers import TrainingArguments

from rag.training.config import LoopConfig
from rag.training.data.candidates import Candidates
from rag.training.loop import Trained, fit
from rag.training.trainer import ByLength, Progress, Watched

__all__ = ["rank_of_first", "ranking_figures", "train_on_candidates"]

_DEPTH = 10
_WEIGHTS = "model.safetensors"


def train_on_candidates(
    model: Any,
    train_set: Sequence[Candidates],
    dev_set: Sequence[Candidates],
    config: LoopConfig,
    folder: Path,
    *,
    resume: bool = True,
    watch: Callable[[Progress], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train a CrossEncoder as :func:`~rag.training.loop.fit` does; the best model is that of the best nDCG@10."""
    if config.freeze_embeddings:
        base = model.model.base_model
        (getattr(base, "embeddings", None) or base.get_input_embeddings()).requires_grad_(False)
    return fit(_Ranking(model, train_set, dev_set), config, folder, resume=resume, watch=watch, say=say)


def rank_of_first(scores: Sequence[float]) -> int:
    """Return the rank of the first passage, the right one. What ties with it comes before it, as noise might put it."""
    return 1 + sum(not score < scores[0] for score in scores[1:])


def ranking_figures(ranks: Sequence[int]) -> dict[str, float]:
    """Return nDCG@10, MRR@10 and how often the right passage is first, in percent, of the ranks of one passage each.

    With one right passage the ideal gain is 1, and nDCG is 1 / log2(1 + rank) (Järvelin and Kekäläinen 2002).
    """
    gains = {
        "ndcg": [1 / math.log2(1 + rank) if rank <= _DEPTH else 0.0 for rank in ranks],
        "mrr": [1 / rank if rank <= _DEPTH else 0.0 for rank in ranks],
        "first": [float(rank == 1) for rank in ranks],
    }
    return {name: round(100 * sum(values) / len(values), 3) for name, values in gains.items()}


@dataclass(frozen=True)
class _Ranking:
    """The task."""

    model: Any
    train_set: Sequence[Candidates]
    dev_set: Sequence[Candidates]

    metric: ClassVar[str] = "ndcg"
    arguments: ClassVar[type[TrainingArguments]] = CrossEncoderTrainingArguments

    @cached_property
    def pairs(self) -> list[tuple[str, str, float]]:
        """Questions, passages, and 1 for each question's first."""
        return [(c.question, p, float(n == 0)) for c in self.train_set for n, p in enumerate(c.passages)]

    @property
    def examples(self) -> int:
        return len(self.pairs)

    @cached_property
    def lengths(self) -> Sequence[int]:
        questions, passages = ([pair[side] for pair in self.pairs] for side in (0, 1))
        read = self.model.tokenizer(questions, passages, truncation=True, max_length=self.model.max_seq_length)
        return [len(ids) for ids in read["input_ids"]]

    @property
    def facts(self) -> Mapping[str, int]:
        return {"pairs": len(self.pairs)}

    def trainer(self, arguments: TrainingArguments, order: ByLength, callbacks: Sequence[Any]) -> Any:
        questions, passages, labels = (list(column) for column in zip(*self.pairs, strict=True))
        items = Dataset.from_dict({"question": questions, "passage": passages, "label": labels})
        trainer = _RerankerTrainer(
            model=self.model,
            args=arguments,
            train_dataset=items,
            eval_dataset=items.select([0]),  # it wants one where it is to evaluate; measure() has the questions
            loss=BinaryCrossEntropyLoss(self.model),
            callbacks=list(callbacks),
        )
        trainer.dev_set, trainer.order = self.dev_set, order  # the constructor has no room for them
        return trainer


class _RerankerTrainer(Watched, CrossEncoderTrainer):  # type: ignore[misc]  # the library is not looked into
    """The CrossEncoderTrainer with an order, figures and checkpoints of our own."""

    dev_set: Sequence[Candidates]
    order: ByLength

    def compute_loss(self, *arguments: Any, **more: Any) -> Any:
        """Return the loss of one batch, and count what the model was given."""

        def count(_module: Any, given: tuple[Any, ...]) -> None:
            self.count(given[0]["attention_mask"])

        def plain(_module: Any, _given: Any, told: Any) -> dict[str, Any]:
            # With several devices, the outputs are looked for in dicts alone; none found, all weights would pass for
            # unused, and their gradients for ready before there are any.
            return dict(told)

        hooks = [self.model.register_forward_pre_hook(count), self.model.register_forward_hook(plain)]
        try:
            return super().compute_loss(*arguments, **more)
        finally:
            for hook in hooks:
                hook.remove()

    def measure(self) -> Mapping[str, float]:
        """Rank the passages of the questions that are watched."""
        return ranking_figures(self.divided(self._ranks, self.dev_set))

    def _ranks(self, questions: Sequence[Candidates]) -> list[int]:
        pairs = [(c.question, passage) for c in questions for passage in c.passages]
        scores = iter(
            self.model.predict(
                pairs, batch_size=self.watch_batch, activation_fn=torch.nn.Identity(), show_progress_bar=False
            ).tolist()
        )
        self.model.train()
        return [rank_of_first([next(scores) for _ in c.passages]) for c in questions]

    def get_train_dataloader(self) -> DataLoader:
        """Return batches in our order, as many on every device."""
        batches = BatchSampler(self.order, self.args.train_batch_size, drop_last=False)
        return self.accelerator.prepare(
            DataLoader(self.train_dataset, batch_sampler=batches, collate_fn=self.data_collator)
        )

    def add_model_card_callback(self, *_: Any) -> None:
        """Have no model card written."""

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Write a checkpoint's weights, and nothing else: its tokenizer and configuration are the encoder's."""
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        weights = self.model.state_dict() if state_dict is None else state_dict
        save_file({name: weight.contiguous() for name, weight in weights.items()}, folder / _WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, *_: Any) -> None:
        self.model.load_state_dict(load_file(Path(resume_from_checkpoint) / _WEIGHTS))
