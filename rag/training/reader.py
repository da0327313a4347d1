"""Training of an extractive reader: windows as items, its loss, exact match and F1 as figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import nn
from torch.utils.data import Sampler
from transformers import Trainer, TrainingArguments

from rag.errors import InputError
from rag.extractive_qa.engine import MarkedSpan
from rag.extractive_qa.model import SpanReader, check_fits, freeze_embeddings
from rag.extractive_qa.tokenizer import load_tokenizer
from rag.extractive_qa.windows import Windower
from rag.models.resolve import LocalModel, resolve_model
from rag.training.config import ReaderConfig, TrainingConfig
from rag.training.data.corpus import Corpus, Example
from rag.training.data.features import Collator, Features
from rag.training.data.hard_negatives import Embed
from rag.training.data.sources import gather
from rag.training.data.weak import label
from rag.training.run_directory import Prepared, TrainedFolder, train_in_folder
from rag.training.scoring import Judge, mark, scores
from rag.training.trainer import ByLength, OwnEvaluation, Progress

__all__ = ["ReaderTask", "reader_loss", "train_reader"]


def train_reader(
    config: ReaderConfig,
    judge: Judge,
    *,
    embed: Embed | None = None,
    resume: bool = True,
    say: Callable[[str], None] = lambda _: None,
    watch: Callable[[Progress], None] = lambda _: None,
) -> TrainedFolder:
    """Train a reader into ``config.output``, as :func:`~rag.training.run_directory.train_in_folder` does.

    ``judge`` compares answers, ``embed`` finds dense hard negatives. Raises :class:`~rag.errors.RagError`.
    """

    def prepare(encoder: LocalModel) -> Prepared:
        tokenizer = load_tokenizer(encoder.path, config.encoder)
        windower = Windower(tokenizer, config.window)
        # Before the data, which may take minutes: errors of the encoder appear at once.
        model = SpanReader.load(
            encoder.path,
            name=config.encoder,
            dropout=config.training.dropout,
            with_relevance=config.training.relevance_weight > 0,  # an untrained head must not be saved
        )
        check_fits(model.qa.config, tokenizer, config.encoder, "window.size", config.window.size)
        data = gather(config, embed=embed, label=lambda name, corpus, keep: _label(name, corpus, keep, config))
        return Prepared(
            data,
            f"{len(data.train):,} examples to train on, {len(data.dev):,} to watch",
            lambda: ReaderTask(model, windower, data.train, data.dev, config.training, judge),
            lambda folder: model.save(folder, tokenizer, {"window": config.window.model_dump(), "reads_context": True}),
        )

    return train_in_folder(config, prepare, resume=resume, say=say, watch=watch)


def _label(name: str, corpus: Corpus, keep: float, config: ReaderConfig) -> Corpus:
    teacher = resolve_model(name)
    tokenizer = load_tokenizer(teacher.path, name)
    model = SpanReader.load(teacher.path, name=name, trained=True)
    types = "token_type_ids" in tokenizer.model_input_names
    return label(model, Windower(tokenizer, config.window), corpus, keep, types=types)


def reader_loss(scores: Any, mask: torch.Tensor, start: torch.Tensor, end: torch.Tensor, weight: float) -> torch.Tensor:
    """Return the mean over windows of the cross entropies of start and end, plus ``weight`` times that of relevance.

    ``scores`` are :class:`~rag.extractive_qa.model.Scores`; ``mask`` (windows, tokens) is 0 at padding, which is
    ignored; ``start`` and ``end`` (windows,) are tokens, both 0 for a window without an answer.
    """
    lowest = torch.finfo(torch.float32).min / 2
    loss = (
        nn.functional.cross_entropy(scores.start.float().masked_fill(mask == 0, lowest), start)
        + nn.functional.cross_entropy(scores.end.float().masked_fill(mask == 0, lowest), end)
    ) / 2
    if weight:
        has_answer = (end > 0).float()
        loss = loss + weight * nn.functional.binary_cross_entropy_with_logits(scores.relevance.float(), has_answer)
    return loss


@dataclass(frozen=True)
class ReaderTask:
    """Trains on windows. The best model has the best F1 over all examples, those without an answer included.

    Dropout is the model's own: see :meth:`~rag.extractive_qa.model.SpanReader.load`.
    """

    model: SpanReader
    windower: Windower
    train_set: Sequence[Example]
    dev_set: Sequence[Example]
    config: TrainingConfig
    judge: Judge

    metric: ClassVar[str] = "f1"
    arguments: ClassVar[type[TrainingArguments]] = TrainingArguments

    def __post_init__(self) -> None:
        if not len(self.features):
            raise InputError(
                f"none of the {len(self.train_set):,} training examples has a token to read", "name other data"
            )
        if self.config.freeze_embeddings:
            freeze_embeddings(self.model.qa)

    @cached_property
    def features(self) -> Features:
        """The windows of the training examples."""
        return Features(self.train_set, self.windower)

    @property
    def examples(self) -> int:
        """Return the number of examples."""
        return len(self.train_set)

    @cached_property
    def lengths(self) -> Sequence[int]:
        """Return the tokens of each item."""
        return [len(self.features[n]["input_ids"]) for n in range(len(self.features))]

    @property
    def facts(self) -> Mapping[str, int]:
        """Return counts for the record."""
        return {"windows": len(self.features), "dropped": self.features.dropped}

    @property
    def types(self) -> bool:
        """Whether the encoder takes token types."""
        return "token_type_ids" in self.windower.tokenizer.model_input_names

    def trainer(self, arguments: TrainingArguments, order: ByLength, callbacks: Sequence[Any]) -> Any:
        """Return the Trainer."""
        trainer = _ReaderTrainer(
            model=self.model,
            args=arguments,
            train_dataset=self.features,
            eval_dataset=[0],  # the Trainer requires one; measure() has the examples
            data_collator=Collator(self.windower.padding, types=self.types),
            callbacks=list(callbacks),
        )
        trainer.task, trainer.order = self, order
        return trainer


class _ReaderTrainer(OwnEvaluation, Trainer):  # type: ignore[misc]  # mypy does not follow transformers
    task: ReaderTask
    order: ByLength

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **_: Any) -> Any:
        """Return :func:`reader_loss` of one batch."""
        start, end = inputs.pop("start_positions"), inputs.pop("end_positions")
        output = model(**inputs)
        weight = 0.0 if self.task.model.relevance is None else self.task.config.relevance_weight
        loss = reader_loss(output, inputs["attention_mask"], start, end, weight)
        self.count(inputs["attention_mask"])
        return (loss, output) if return_outputs else loss

    def measure(self) -> Mapping[str, float]:
        """Mark the evaluation examples."""
        task = self.task

        def work(examples: Sequence[Example]) -> list[MarkedSpan | None]:
            return mark(self.model, task.windower, examples, types=task.types, batch=self.evaluation_batch)

        return scores(task.dev_set, self.divide(work, task.dev_set), task.judge)

    def _get_train_sampler(self, *_: Any) -> Sampler[int]:
        return self.order
