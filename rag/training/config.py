"""The YAML file of ``rag train``: what to train, on what, how long. Unknown keys are errors.

Paths are relative to the working folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from rag.config.yaml_settings import SettingsModel, YamlSettings
from rag.extractive_qa.windows import WindowSettings
from rag.training.data.passages import NeighborSettings, PassageSettings

__all__ = [
    "LoopConfig", "Pairs", "Qamr", "RankedPairs", "RankedQamr", "RankedSource", "RankedSquad", "ReaderConfig",
    "RerankerConfig", "Source", "Squad", "Synthetic", "Tables", "Tales",
    "TrainingConfig", "load_reranker_config", "load_training_config",
]  # fmt: skip

C = TypeVar("C", bound="_ModelConfig")


class Squad(SettingsModel):
    """A SQuAD-format file, read as it is."""

    kind: Literal["squad"]
    path: Path
    strict: bool = False
    share: float = Field(1.0, gt=0, le=1)


class _Drawn(SettingsModel):
    passes: int = Field(1, ge=1)
    share: float = Field(1.0, gt=0, le=1)
    passages: NeighborSettings = NeighborSettings()


class RankedSquad(_Drawn):
    """A SQuAD-format file; a question is about the sentence that holds its first answer."""

    kind: Literal["squad"]
    path: Path
    strict: bool = False


class RankedQamr(_Drawn):
    """QAMR's files."""

    kind: Literal["qamr"]
    sentences: Path
    questions: tuple[Path, ...] = Field(min_length=1)


class RankedPairs(_Drawn):
    """Question-sentence pairs as they are: a reranker needs no marked answers."""

    kind: Literal["pairs"]
    sentences: Path
    questions: Path


class Qamr(RankedQamr):
    """QAMR's files, made into passages."""

    passages: PassageSettings = PassageSettings()


class Pairs(RankedPairs):
    """Question-sentence pairs. ``teacher`` marks the answers; training uses the surest ``keep`` of them."""

    teacher: str
    keep: float = Field(0.75, gt=0, le=1)
    passages: PassageSettings = PassageSettings()


class Tables(SettingsModel):
    """Look-up questions about tables: WikiTableQuestions as JSON lines. ``unanswerable`` passages lack the answer."""

    kind: Literal["tables"]
    questions: Path
    tables: Path
    passes: int = Field(1, ge=1)
    share: float = Field(1.0, gt=0, le=1)
    unanswerable: float = Field(1 / 3, ge=0, le=1)


class Tales(SettingsModel):
    """Questions about stories: FairytaleQA as JSON lines. ``unanswerable`` passages lack the answer."""

    kind: Literal["tales"]
    path: Path
    share: float = Field(1.0, gt=0, le=1)
    unanswerable: float = Field(1 / 6, ge=0, le=1)


class Synthetic(SettingsModel):
    """Invented office documents and questions about them (:mod:`rag.training.data.synthetic`).

    ``held_back`` of the ``count`` examples are evaluated on. ``seed`` decides what is invented.
    """

    kind: Literal["synthetic"]
    count: int = Field(18_000, ge=1)
    held_back: int = Field(0, ge=0)
    seed: int = 7


Source = Annotated[Squad | Qamr | Pairs | Tables | Tales | Synthetic, Field(discriminator="kind")]
RankedSource = Annotated[RankedSquad | RankedQamr | RankedPairs, Field(discriminator="kind")]


class LoopConfig(SettingsModel):
    """The loop. ``batch_size`` is per device; ``precision: auto`` is bf16 or fp16 on a GPU that has it, else fp32.

    ``evaluate_every``, ``save_every``, ``log_every`` and ``max_steps`` count steps, ``patience`` counts evaluations.
    """

    epochs: float = Field(1.0, gt=0)
    max_steps: int | None = Field(None, ge=1)
    batch_size: int = Field(32, ge=1)
    accumulation: int = Field(1, ge=1)
    learning_rate: float = Field(3e-4, gt=0)
    warmup: float = Field(0.06, ge=0, lt=1)
    weight_decay: float = Field(0.01, ge=0)
    dropout: float | None = Field(None, ge=0, lt=1)
    freeze_embeddings: bool = False
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    seed: int = 0
    evaluate_every: int = Field(200, ge=1)
    save_every: int = Field(200, ge=1)
    patience: int = Field(5, ge=1)
    keep_checkpoints: int = Field(2, ge=1)
    log_every: int = Field(20, ge=1)


class TrainingConfig(LoopConfig):
    """The loop of a reader, and the weight of its relevance head in the loss."""

    relevance_weight: float = Field(0.5, ge=0)


class _ModelConfig(SettingsModel):
    """What a reader and a reranker have in common: from ``encoder``, into ``output``.

    Without ``dev``, a share ``dev_share`` of the questions of the other sources is held back. Training excludes, and
    counts, examples that share a question or a passage with a SQuAD-format file in ``never``.
    """

    encoder: str = "bundled:minilm"
    revision: str | None = None
    output: Path
    dev_share: float = Field(0.03, gt=0, lt=1)
    dev_limit: int = Field(1000, ge=1)
    never: tuple[Path, ...] = ()

    def files(self) -> list[Path]:
        """Return the files of ``train``, ``dev`` and ``never``, each once."""
        tree = self.model_dump()
        return list(dict.fromkeys(_paths((tree["train"], tree["dev"], tree["never"]))))


class ReaderConfig(_ModelConfig):
    """A reader, trained on ``train`` and evaluated on ``dev``."""

    train: tuple[Source, ...] = Field(min_length=1)
    dev: Squad | None = None
    hard_negatives: tuple[Literal["lexical", "dense"], ...] = ("lexical", "dense")
    window: WindowSettings = WindowSettings()
    training: TrainingConfig = TrainingConfig()


class RerankerConfig(_ModelConfig):
    """A reranker, trained on ``train`` and evaluated on ``dev``.

    A training question has one passage with its sentence and up to ``negatives`` without it, which the retrievers of
    ``hard_negatives`` find. An evaluation question has ``candidates`` passages in all. ``length`` counts the tokens of
    question and passage together.
    """

    train: tuple[RankedSource, ...] = Field(min_length=1)
    dev: RankedSquad | None = None
    hard_negatives: tuple[Literal["lexical", "dense"], ...] = Field(("lexical", "dense"), min_length=1)
    negatives: int = Field(4, ge=1, le=100)
    candidates: int = Field(20, ge=2, le=100)
    length: int = Field(256, ge=16)
    training: LoopConfig = LoopConfig()


def _paths(node: object) -> Iterator[Path]:
    if isinstance(node, Path):
        yield node
    elif isinstance(node, dict):
        yield from _paths(tuple(node.values()))
    elif isinstance(node, tuple):
        for item in node:
            yield from _paths(item)


def load_training_config(path: Path, assignments: Sequence[str] = ()) -> ReaderConfig:
    """Read a reader's training file, or a shipped one by its bare name, then ``key=value`` assignments.

    Raises :class:`~rag.errors.UsageError` naming the key.
    """
    return _load(path, assignments, ReaderConfig)


def load_reranker_config(path: Path, assignments: Sequence[str] = ()) -> RerankerConfig:
    """Read a reranker's training file, as :func:`load_training_config` does a reader's."""
    return _load(path, assignments, RerankerConfig)


def _load(path: Path, assignments: Sequence[str], model: type[C]) -> C:
    settings = YamlSettings(model, "docs/training.md describes the file", "training.epochs=2")
    shipped = files("configs").joinpath("training", f"{path}.yaml")
    is_shipped = path.name == str(path) and shipped.is_file()
    layer = settings.read(f"training file {path}", shipped if is_shipped else path)
    return settings.resolve([layer, *map(settings.assignment, assignments)])[0]
