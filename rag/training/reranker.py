"""Training of a reranker: pairs as items, binary cross entropy, nDCG@10 and MRR@10 as figures.

The loop is sentence-transformers' CrossEncoderTrainer, except that it writes no model card, for which it would ask a
hub, and pickles no arguments into checkpoints.
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
from sentence_transformers import CrossEncoder
from sentence_transformers.cross_encoder import CrossEncoderTrainer, CrossEncoderTrainingArguments
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss
from torch.utils.data import BatchSampler, DataLoader
from transformers import AutoModelForSequenceClassification, TrainingArguments

from rag.errors import ModelError
from rag.extractive_qa.model import check_fits, encoder_config, freeze_embeddings, load_whole
from rag.extractive_qa.tokenizer import load_tokenizer
from rag.models.loading import cross_encoder
from rag.models.quiet import quiet_libraries
from rag.models.resolve import LocalModel
from rag.training.config import LoopConfig, RerankerConfig
from rag.training.data.candidates import Candidates, gather_candidates
from rag.training.data.hard_negatives import Embed
from rag.training.run_directory import Prepared, TrainedFolder, train_in_folder
from rag.training.trainer import ByLength, OwnEvaluation, Progress

__all__ = [
    "RerankerTask", "load_cross_encoder", "rank_of_first", "ranking_figures", "save_cross_encoder", "train_reranker",
]  # fmt: skip

_DEPTH = 10
_WEIGHTS = "model.safetensors"


def train_reranker(
    config: RerankerConfig,
    *,
    embed: Embed | None = None,
    resume: bool = True,
    say: Callable[[str], None] = lambda _: None,
    watch: Callable[[Progress], None] = lambda _: None,
) -> TrainedFolder:
    """Train a cross-encoder into ``config.output``, as :func:`~rag.training.run_directory.train_in_folder` does.

    ``embed`` finds dense hard negatives. Raises :class:`~rag.errors.RagError`.
    """

    def prepare(encoder: LocalModel) -> Prepared:
        # Before the data, which may take minutes: errors of the encoder appear at once.
        model = load_cross_encoder(encoder.path, config.encoder, length=config.length, dropout=config.training.dropout)
        data = gather_candidates(config, embed=embed)
        pairs = sum(len(c.passages) for c in data.train)
        return Prepared(
            data,
            f"{len(data.train):,} questions with {pairs:,} passages to train on, {len(data.dev):,} to watch",
            lambda: RerankerTask(model, data.train, data.dev, config.training),
            lambda folder: save_cross_encoder(model, folder),
            ("sentence-transformers", "datasets"),
        )

    return train_in_folder(config, prepare, resume=resume, say=say, watch=watch)


def load_cross_encoder(folder: Path, name: str, *, length: int, dropout: float | None = None) -> CrossEncoder:
    """Load an encoder, which gets a new head, or a cross-encoder with one output.

    ``length`` is the most tokens it reads; ``dropout`` replaces all of its own. Raises
    :class:`~rag.errors.ModelError` for anything but a whole encoder with safetensors and a fast tokenizer.
    """
    config = encoder_config(folder, name, dropout)
    tokenizer = load_tokenizer(folder, name)
    if not tokenizer.is_fast:
        raise ModelError(f"{name} has no fast tokenizer", "choose an encoder whose folder has a tokenizer.json")
    check_fits(config, tokenizer, name, "length", length)
    load_whole(AutoModelForSequenceClassification, folder, name, "a head for ranking", num_labels=1)
    changed = {key: value for key, value in config.to_dict().items() if "dropout" in key} if dropout is not None else {}
    with quiet_libraries():
        # The Trainer moves it to its device.
        return cross_encoder(folder, "cpu", num_labels=1, max_length=length, config_kwargs=changed)


def save_cross_encoder(model: CrossEncoder, folder: Path) -> None:
    """Write what :class:`rag.retrieval.rerankers.CrossEncoderReranker` reads, without a model card."""
    with quiet_libraries():
        model.cpu().save_pretrained(str(folder), create_model_card=False)


def rank_of_first(scores: Sequence[float]) -> int:
    """Return the rank of the first passage, the right one. Ties come before it, as noise might put them."""
    return 1 + sum(not score < scores[0] for score in scores[1:])


def ranking_figures(ranks: Sequence[int]) -> dict[str, float]:
    """Return nDCG@10, MRR@10 and how often the right passage is first, in percent, from the right passages' ranks.

    With one right passage the ideal gain is 1, and nDCG is 1 / log2(1 + rank) (Järvelin and Kekäläinen 2002).
    """
    gains = {
        "ndcg": [1 / math.log2(1 + rank) if rank <= _DEPTH else 0.0 for rank in ranks],
        "mrr": [1 / rank if rank <= _DEPTH else 0.0 for rank in ranks],
        "first": [float(rank == 1) for rank in ranks],
    }
    return {name: round(100 * sum(values) / len(values), 3) for name, values in gains.items()}


@dataclass(frozen=True)
class RerankerTask:
    """Trains a CrossEncoder on pairs of question and passage. The best model has the best nDCG@10."""

    model: CrossEncoder
    train_set: Sequence[Candidates]
    dev_set: Sequence[Candidates]
    config: LoopConfig

    metric: ClassVar[str] = "ndcg"
    arguments: ClassVar[type[TrainingArguments]] = CrossEncoderTrainingArguments

    def __post_init__(self) -> None:
        if self.config.freeze_embeddings:
            freeze_embeddings(self.model.model)

    @cached_property
    def pairs(self) -> list[tuple[str, str, float]]:
        """Questions, passages, and 1 for each question's first passage, else 0."""
        return [(c.question, p, float(n == 0)) for c in self.train_set for n, p in enumerate(c.passages)]

    @property
    def examples(self) -> int:
        """Return the number of examples."""
        return len(self.pairs)

    @cached_property
    def lengths(self) -> Sequence[int]:
        """Return the tokens of each item."""
        questions, passages = ([pair[side] for pair in self.pairs] for side in (0, 1))
        tokens = self.model.tokenizer(questions, passages, truncation=True, max_length=self.model.max_seq_length)
        return [len(ids) for ids in tokens["input_ids"]]

    @property
    def facts(self) -> Mapping[str, int]:
        """Return counts for the record."""
        return {"pairs": len(self.pairs)}

    def trainer(self, arguments: TrainingArguments, order: ByLength, callbacks: Sequence[Any]) -> Any:
        """Return the Trainer."""
        questions, passages, labels = (list(column) for column in zip(*self.pairs, strict=True))
        items = Dataset.from_dict({"question": questions, "passage": passages, "label": labels})
        trainer = _RerankerTrainer(
            model=self.model,
            args=arguments,
            train_dataset=items,
            eval_dataset=items.select([0]),  # the Trainer requires one; measure() has the questions
            loss=BinaryCrossEntropyLoss(self.model),
            callbacks=list(callbacks),
        )
        trainer.dev_set, trainer.order = self.dev_set, order
        return trainer


class _RerankerTrainer(OwnEvaluation, CrossEncoderTrainer):  # type: ignore[misc]  # mypy does not follow the library
    dev_set: Sequence[Candidates]
    order: ByLength

    def compute_loss(self, *arguments: Any, **more: Any) -> Any:
        """Return the loss of one batch, and count its tokens."""

        def count(_module: Any, inputs: tuple[Any, ...]) -> None:
            self.count(inputs[0]["attention_mask"])

        def as_dict(_module: Any, _inputs: Any, output: Any) -> dict[str, Any]:
            # With several devices, DDP looks for outputs only in a plain dict. If it finds none, it takes all weights
            # for unused and their gradients for ready.
            return dict(output)

        hooks = [self.model.register_forward_pre_hook(count), self.model.register_forward_hook(as_dict)]
        try:
            return super().compute_loss(*arguments, **more)
        finally:
            for hook in hooks:
                hook.remove()

    def measure(self) -> Mapping[str, float]:
        """Rank the passages of the evaluation questions."""
        return ranking_figures(self.divide(self._ranks, self.dev_set))

    def _ranks(self, questions: Sequence[Candidates]) -> list[int]:
        pairs = [(c.question, passage) for c in questions for passage in c.passages]
        scores = iter(
            self.model.predict(
                pairs, batch_size=self.evaluation_batch, activation_fn=torch.nn.Identity(), show_progress_bar=False
            ).tolist()
        )
        self.model.train()
        return [rank_of_first([next(scores) for _ in c.passages]) for c in questions]

    def get_train_dataloader(self) -> DataLoader:
        """Return batches in the order of the task, equally many on every device."""
        batches = BatchSampler(self.order, self.args.train_batch_size, drop_last=False)
        return self.accelerator.prepare(
            DataLoader(self.train_dataset, batch_sampler=batches, collate_fn=self.data_collator)
        )

    def add_model_card_callback(self, *_: Any) -> None:
        """Write no model card."""

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Write a checkpoint's weights only: its tokenizer and configuration are the encoder's."""
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        weights = self.model.state_dict() if state_dict is None else state_dict
        save_file({name: weight.contiguous() for name, weight in weights.items()}, folder / _WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, *_: Any) -> None:
        self.model.load_state_dict(load_file(Path(resume_from_checkpoint) / _WEIGHTS))
