"""From the sources of a training file to examples: read, labelled, made into passages, held back, checked for overlap.

Sentences are held back, not questions: a sentence that answers an evaluation question answers no training question.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from rag.errors import InputError
from rag.training.config import (
    Pairs,
    Qamr,
    RankedPairs,
    RankedQamr,
    ReaderConfig,
    RerankerConfig,
    Squad,
    Synthetic,
    Tables,
    Tales,
)
from rag.training.data.corpus import Corpus, Example
from rag.training.data.hard_negatives import Embed, hard_sentences
from rag.training.data.overlap import without_overlap
from rag.training.data.pairs import read_pairs
from rag.training.data.passages import compose
from rag.training.data.qamr import read_qamr
from rag.training.data.squad_format import read_squad
from rag.training.data.synthetic import synthetic_examples
from rag.training.data.tables import read_tables
from rag.training.data.tales import read_tales

__all__ = ["Labeller", "TrainingData", "assemble", "gather", "hold_back", "read_corpus", "sample", "with_questions"]

T = TypeVar("T")

Labeller = Callable[[str, Corpus, float], Corpus]
"""A teacher's name, a corpus without answers and the share to label, to the same corpus with answers."""


@dataclass(frozen=True)
class TrainingData(Generic[T]):
    """Examples to train on, examples to evaluate on, and notes for the user."""

    train: tuple[T, ...]
    dev: tuple[T, ...]
    notes: tuple[str, ...]


def gather(config: ReaderConfig, *, embed: Embed | None, label: Labeller) -> TrainingData[Example]:
    """Read everything that a reader's training file names. Raises :class:`~rag.errors.InputError`."""
    parts: list[TrainingData[Example]] = []
    for number, source in enumerate(config.train):
        seed = config.training.seed + number
        if isinstance(source, Synthetic):
            invented = synthetic_examples(source.count, source.seed)
            trained = max(len(invented) - source.held_back, 0)
            parts.append(TrainingData(invented[:trained], invented[trained:], ()))
            continue
        if isinstance(source, Squad | Tables | Tales):
            examples, notes = _read_examples(source, seed)
            parts.append(TrainingData(tuple(sample(examples, source.share, seed)), (), notes))
            continue
        corpus = _answered(source, label, seed)
        hard = _hard_sentences(corpus, config, embed)
        train, dev = hold_back(corpus, 0.0 if config.dev else config.dev_share, seed)
        shown = compose(
            with_questions(corpus, train), [hard[n] for n in train], source.passages, seed=seed, passes=source.passes
        )
        held = compose(with_questions(corpus, dev), [hard[n] for n in dev], source.passages, seed=seed + 1000)
        parts.append(TrainingData(tuple(shown), tuple(held), corpus.notes))
    own = None
    if config.dev:
        examples, notes = read_squad(config.dev.path, strict=config.dev.strict)
        own = TrainingData((), tuple(sample(examples, config.dev.share, config.training.seed)), notes)
    return assemble(config, parts, own, without_overlap)


def assemble(
    config: ReaderConfig | RerankerConfig,
    parts: Sequence[TrainingData[T]],
    own_dev: TrainingData[T] | None,
    exclude: Callable[[Sequence[T], Sequence[Path]], tuple[list[T], tuple[str, ...]]],
) -> TrainingData[T]:
    """Join the parts without what overlaps with the files in ``never``, and draw ``dev_limit`` evaluation examples.

    Held-back examples choose among the checkpoints, so they must not overlap either. ``own_dev`` is the training file's
    own evaluation data. Raises :class:`~rag.errors.InputError` if there is nothing to train or to evaluate on.
    """
    notes = [note for part in parts for note in part.notes]
    train, excluded = exclude([example for part in parts for example in part.train], config.never)
    notes += excluded
    dev = [example for part in parts for example in part.dev]
    if dev:
        dev, excluded = exclude(dev, config.never)
        notes += [f"held back: {note}" for note in excluded]
    if own_dev:
        dev += own_dev.dev
        notes += own_dev.notes
    if not train:
        raise InputError(
            " - ".join(["no training example is left", *notes]), "name sources under train that hold answered questions"
        )
    if not dev:
        raise InputError(
            "there is no example to watch the training with", "name a SQuAD-format file as dev, or raise dev_share"
        )
    draw = random.Random(config.training.seed)  # noqa: S311 - a seed, not a secret
    return TrainingData(tuple(train), tuple(draw.sample(dev, min(len(dev), config.dev_limit))), tuple(notes))


def read_corpus(source: RankedQamr | RankedPairs, seed: int) -> Corpus:
    """Read QAMR's files or question-sentence pairs, and draw the source's share of the questions."""
    if isinstance(source, RankedQamr):
        corpus = read_qamr(source.sentences, source.questions)
    else:
        corpus = read_pairs(source.sentences, source.questions)
    return replace(corpus, questions=tuple(sample(corpus.questions, source.share, seed)))


def hold_back(corpus: Corpus, share: float, seed: int) -> tuple[list[int], list[int]]:
    """Return the numbers of the training questions and of the held-back ones, split by the text of their sentences."""
    draw = random.Random(seed)  # noqa: S311 - a seed, not a secret
    held = {text for text in corpus.sentences if draw.random() < share}
    is_held = [corpus.sentences[question.sentence] in held for question in corpus.questions]
    return [n for n, is_dev in enumerate(is_held) if not is_dev], [n for n, is_dev in enumerate(is_held) if is_dev]


def with_questions(corpus: Corpus, numbers: Sequence[int]) -> Corpus:
    """Return the corpus with these of its questions."""
    return replace(corpus, questions=tuple(corpus.questions[n] for n in numbers))


def sample(items: Sequence[T], share: float, seed: int) -> Sequence[T]:
    """Return a share of the items in their order, at least one unless there are none."""
    if share >= 1 or not items:
        return items
    draw = random.Random(seed)  # noqa: S311 - a seed, not a secret
    chosen = sorted(draw.sample(range(len(items)), max(1, round(share * len(items)))))
    return [items[n] for n in chosen]


def _read_examples(source: Squad | Tables | Tales, seed: int) -> tuple[tuple[Example, ...], tuple[str, ...]]:
    """Read a source whose passages are in its files, and notes about what was left out."""
    if isinstance(source, Squad):
        return read_squad(source.path, strict=source.strict)
    if isinstance(source, Tales):
        return read_tales(source.path, unanswerable=source.unanswerable, seed=seed)
    return read_tables(
        source.questions, source.tables, unanswerable=source.unanswerable, passes=source.passes, seed=seed
    )


def _answered(source: Qamr | Pairs, label: Labeller, seed: int) -> Corpus:
    """Return the answered questions of a source's share; the teacher labels no others."""
    corpus = read_corpus(source, seed)
    if isinstance(source, Pairs):
        corpus = label(source.teacher, corpus, source.keep)
    return replace(corpus, questions=tuple(q for q in corpus.questions if q.answers))


def _hard_sentences(corpus: Corpus, config: ReaderConfig, embed: Embed | None) -> list[list[int]]:
    return hard_sentences(
        corpus.sentences,
        [question.text for question in corpus.questions],
        embed if "dense" in config.hard_negatives else None,
        lexical=bool(config.hard_negatives),
    )
