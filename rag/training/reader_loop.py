"""What the training loop is told of a span reader: windows as items, its loss, exact match and F1 as figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn
from torch.utils.data import Sampler
from transformers import Trainer, TrainingArguments

from rag.errors import InputError
from rag.extractive_qa.engine import MarkedSpan
from rag.extractive_qa.model import SpanReader
from rag.extractive_qa.windows import Windower
from rag.training.config import TrainingConfig
from rag.training.data.corpus import Example
from rag.training.data.features import Collator, Features
from rag.training.loop import Trained, fit
from rag.training.scoring import Judge, mark, scores
from rag.training.trainer import ByLength, Progress, Watched

__all__ = ["reader_loss", "train"]


def reader_loss(told: Any, mask: torch.Tensor, start: torch.Tensor, end: torch.Tensor, weight: float) -> torch.Tensor:
    """Return the mean over windows of the cross entropies of start and end, and of relevance at ``weight``.

    ``told`` are :class:`~rag.extractive_qa.model.Scores`, ``mask`` (windows, tokens) is 0 at padding, which takes no
    part;
    ``start`` and ``end`` (windows,) are tokens, both 0 where a window holds no answer.
    """
    lowest = torch.finfo(torch.float32).min / 2
    loss = (
        nn.functional.cross_entropy(told.start.float().masked_fill(mask == 0, lowest), start)
        + nn.functional.cross_entropy(told.end.float().masked_fill(mask == 0, lowest), end)
    ) / 2
    if weight:
        wanted = (end > 0).float()
        loss = loss + weight * nn.functional.binary_cross_entropy_with_logits(told.relevance.float(), wanted)
    return loss


def train(
    model: SpanReader,
    windower: Windower,
    train_set: Sequence[Example],
    dev_set: Sequence[Example],
    config: TrainingConfig,
    folder: Path,
    judge: Judge,
    *,
    resume: bool = True,
    watch: Callable[[Progress], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train as :func:`~rag.training.loop.fit` does.

    The best model is that of the best F1, over the examples with an answer and abstention together. Dropout is the
    model's own: see :meth:`~rag.extractive_qa.model.SpanReader.load`.
    """
    features = Features(train_set, windower)
    if not len(features):
        raise InputError(f"none of the {len(train_set):,} training examples has a token to read", "name other data")
    if config.freeze_embeddings:
        model.freeze_embeddings()
    task = _Reading(model, windower, len(train_set), dev_set, features, config, judge)
    return fit(task, config, folder, resume=resume, watch=watch, say=say)


@dataclass(frozen=True)
class _Reading:
    """The task."""

    model: SpanReader
    windower: Windower
    examples: int
    dev_set: Sequence[Example]
    features: Features
    config: TrainingConfig
    judge: Judge

    metric: ClassVar[str] = "f1"
    arguments: ClassVar[type[TrainingArguments]] = TrainingArguments

    @cached_property
    def lengths(self) -> Sequence[int]:
        return [len(self.features[n]["input_ids"]) for n in range(len(self.features))]

    @property
    def facts(self) -> Mapping[str, int]:
        return {"windows": len(self.features), "dropped": self.features.dropped}

    @property
    def types(self) -> bool:
        """Whether the encoder is told which tokens are the question's."""
        return "token_type_ids" in self.windower.tokenizer.model_input_names

    def trainer(self, arguments: TrainingArguments, order: ByLength, callbacks: Sequence[Any]) -> Any:
        trainer = _ReaderTrainer(
            model=self.model,
            args=arguments,
            train_dataset=self.features,
            eval_dataset=[0],  # the Trainer wants one where it is to evaluate; measure() has the examples themselves
            data_collator=Collator(self.windower.padding, types=self.types),
            callbacks=list(callbacks),
        )
        trainer.task, trainer.order = self, order  # the Trainer's own constructor has no room for them
        return trainer


class _ReaderTrainer(Watched, Trainer):  # type: ignore[misc]  # transformers is not looked into
    """The Trainer with a span reader's loss, order and figures."""

    task: _Reading
    order: ByLength

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **_: Any) -> Any:
        """Return :func:`reader_loss` of one batch."""
        start, end = inputs.pop("start_positions"), inputs.pop("end_positions")
        told = model(**inputs)
        weight = 0.0 if self.task.model.relevance is None else self.task.config.relevance_weight
        loss = reader_loss(told, inputs["attention_mask"], start, end, weight)
        self.count(inputs["attention_mask"])
        return (loss, told) if return_outputs else loss

    def measure(self) -> Mapping[str, float]:
        """Mark the examples that are watched."""
        task = self.task

        def work(examples: Sequence[Example]) -> list[MarkedSpan | None]:
            return mark(self.model, task.windower, examples, types=task.types, batch=self.watch_batch)

        return scores(task.dev_set, self.divided(work, task.dev_set), task.judge)

    def _get_train_sampler(self, *_: Any) -> Sampler[int]:
        return self.order
