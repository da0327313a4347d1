"""Training a reranker from a training file to a folder with a cross-encoder and its records."""

from __future__ import annotations

from collections.abc import Callable

from transformers import set_seed

from rag.models.resolve import resolve_model
from rag.training.config import RerankerConfig
from rag.training.data.candidates import gather_candidates
from rag.training.data.hard_negatives import Embed
from rag.training.encoders import load_cross_encoder, save_cross_encoder
from rag.training.loop import choose_precision
from rag.training.reranker_loop import train_on_candidates
from rag.training.run_directory import TrainedFolder, begin, beginning, check, claimed, complete, finished, is_first
from rag.training.trainer import Progress

__all__ = ["train_reranker"]


def train_reranker(
    config: RerankerConfig,
    *,
    embed: Embed | None = None,
    resume: bool = True,
    say: Callable[[str], None] = lambda _: None,
    watch: Callable[[Progress], None] = lambda _: None,
) -> TrainedFolder:
    """Train, and write the cross-encoder, ``training.json`` and the checkpoints into ``config.output``.

    ``embed`` finds dense negatives, where they are asked for. Resuming and several processes are as for
    :func:`~rag.training.reader.train_reader`. Raises :class:`~rag.errors.RagError`.
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
        choose_precision(config.training.precision)
        # Before the data, which may take minutes: what is wrong with the encoder is said at once.
        model = load_cross_encoder(encoder.path, config.encoder, length=config.length, dropout=config.training.dropout)
        data = gather_candidates(config, embed=embed)
        for note in data.notes:
            say(note)
        pairs = sum(len(c.passages) for c in data.train)
        say(f"{len(data.train):,} questions with {pairs:,} passages to train on, {len(data.dev):,} to watch")
        if is_first():
            begin(config.output, begun, resume=resume)
        trained = train_on_candidates(
            model, data.train, data.dev, config.training, config.output, resume=resume, watch=watch, say=say
        )
        if is_first():
            save_cross_encoder(model, config.output)
        examples = {"train": len(data.train), "dev": len(data.dev)}
        packages = ("sentence-transformers", "datasets")
        return complete(config, encoder.fingerprint, examples, data.notes, trained, packages)
