"""Training a span reader from a training file to a folder with the model and its records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from transformers import set_seed

from rag.errors import ModelError
from rag.extractive_qa.model import SpanReader
from rag.extractive_qa.tokenizer import load_tokenizer
from rag.extractive_qa.windows import Windower
from rag.models.resolve import LocalModel, resolve_model
from rag.training.config import ReaderConfig
from rag.training.data.corpus import Corpus
from rag.training.data.hard_negatives import Embed
from rag.training.data.sources import gather
from rag.training.data.weak import label
from rag.training.loop import choose_precision
from rag.training.reader_loop import train
from rag.training.run_directory import TrainedFolder, begin, beginning, check, claimed, complete, finished, is_first
from rag.training.scoring import Judge
from rag.training.trainer import Progress

__all__ = ["train_reader"]


def train_reader(
    config: ReaderConfig,
    judge: Judge,
    *,
    embed: Embed | None = None,
    resume: bool = True,
    say: Callable[[str], None] = lambda _: None,
    watch: Callable[[Progress], None] = lambda _: None,
) -> TrainedFolder:
    """Train, and write the model, ``training.json`` and the checkpoints into ``config.output``.

    With ``resume`` a training that was interrupted there is gone on with, and a finished one is returned as it is.
    Where several processes train together, the first one writes. Raises :class:`~rag.errors.RagError`.
    """
    set_seed(config.training.seed)
    encoder = resolve_model(config.encoder, config.revision)
    with claimed(config.output):
        begun = beginning(config, encoder.fingerprint)
        if resume and (done := finished(config.output, begun)):
            say(f"the training in {config.output} is finished: these are its figures")
            return done
        if is_first():
            check(config.output, begun, resume=resume)
        return _train(config, encoder, begun, judge, embed, resume, say, watch)


def _train(
    config: ReaderConfig,
    encoder: LocalModel,
    begun: Mapping[str, Any],
    judge: Judge,
    embed: Embed | None,
    resume: bool,
    say: Callable[[str], None],
    watch: Callable[[Progress], None],
) -> TrainedFolder:
    tokenizer = load_tokenizer(encoder.path, config.encoder)
    windower = Windower(tokenizer, config.window)
    choose_precision(config.training.precision)
    # Before the data, which may take minutes: what is wrong with the encoder is said at once.
    model = SpanReader.load(
        encoder.path,
        name=config.encoder,
        dropout=config.training.dropout,
        with_relevance=config.training.relevance_weight > 0,  # a head that learns nothing must not be saved
    )
    positions = getattr(model.qa.config, "max_position_embeddings", None)
    if positions and config.window.size > positions:
        raise ModelError(
            f"window.size is {config.window.size} and {config.encoder} reads {positions} tokens",
            f"--set window.size={min(positions, 320)}",
        )
    if len(tokenizer) > model.qa.config.vocab_size:
        raise ModelError(
            f"the tokenizer of {config.encoder} has {len(tokenizer):,} tokens and its encoder knows "
            f"{model.qa.config.vocab_size:,}",
            "choose a folder in which the two belong together",
        )
    data = gather(config, embed=embed, label=lambda name, corpus, keep: _label(name, corpus, keep, config))
    for note in data.notes:
        say(note)
    say(f"{len(data.train):,} examples to train on, {len(data.dev):,} to watch")
    if is_first():
        begin(config.output, begun, resume=resume)
    trained = train(
        model,
        windower,
        data.train,
        data.dev,
        config.training,
        config.output,
        judge,
        resume=resume,
        watch=watch,
        say=say,
    )
    if is_first():
        model.save(config.output, tokenizer, {"window": config.window.model_dump()})
    examples = {"train": len(data.train), "dev": len(data.dev)}
    return complete(config, encoder.fingerprint, examples, data.notes, trained)


def _label(name: str, corpus: Corpus, keep: float, config: ReaderConfig) -> Corpus:
    teacher = resolve_model(name)
    tokenizer = load_tokenizer(teacher.path, name)
    windower = Windower(tokenizer, config.window)
    model = SpanReader.load(teacher.path, name=name, trained=True)
    return label(model, windower, corpus, keep, types="token_type_ids" in tokenizer.model_input_names)
