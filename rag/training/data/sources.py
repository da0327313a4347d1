"""From the sources of a training file to examples: read, marked, made into passages, held back, checked.

The held-back part is cut by sentence: a sentence that answers a question of it answers no training question.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from rag.errors import InputError
from rag.training.config import Pairs, Qamr, ReaderConfig, Squad
from rag.training.data.corpus import Corpus, Example
from rag.training.data.hard_negatives import Embed, hard_sentences
from rag.training.data.overlap import without_overlap
from rag.training.data.pairs import read_pairs
from rag.training.data.passages import compose
from rag.training.data.qamr import read_qamr
from rag.training.data.squad_format import read_squad

__all__ = ["Labeller", "TrainingData", "gather", "hold_back", "of", "refuse_none", "share"]

T = TypeVar("T")

Labeller = Callable[[str, Corpus, float], Corpus]
"""A teacher's name, a corpus without answers and the share to keep, to the same corpus with answers."""


@dataclass(frozen=True)
class TrainingData:
    """Examples to train on and to watch, and what there is to say about them."""

    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    notes: tuple[str, ...]


def gather(config: ReaderConfig, *, embed: Embed | None, label: Labeller) -> TrainingData:
    """Read everything that a training file names. Raises :class:`~rag.errors.InputError`.

    What is held back chooses among the checkpoints: it is kept away from the files in ``never`` as well.
    """
    train: list[Example] = []
    dev: list[Example] = []
    notes: list[str] = []
    for number, source in enumerate(config.train):
        seed = config.training.seed + number
        if isinstance(source, Squad):
            examples, told = read_squad(source.path, strict=source.strict)
            train += share(examples, source.share, seed)
            notes += told
            continue
        corpus = _read(source, label, seed)
        notes += corpus.notes
        hard = _hard(corpus, config, embed)
        shown, held = hold_back(corpus, 0.0 if config.dev else config.dev_share, seed)
        settings = source.passages.settings()
        train += compose(of(corpus, shown), [hard[n] for n in shown], settings, seed=seed, passes=source.passes)
        dev += compose(of(corpus, held), [hard[n] for n in held], settings, seed=seed + 1000)
    train, told = without_overlap(train, config.never)
    notes += told
    if dev:
        dev, told = without_overlap(dev, config.never)
        notes += [f"held back: {note}" for note in told]
    if config.dev:
        examples, told = read_squad(config.dev.path, strict=config.dev.strict)
        dev += share(examples, config.dev.share, config.training.seed)
        notes += told
    refuse_none(train, dev, notes)
    draw = random.Random(config.training.seed)  # noqa: S311 - a seed, not a secret
    dev = draw.sample(dev, min(len(dev), config.dev_limit))
    return TrainingData(tuple(train), tuple(dev), tuple(notes))


def _read(source: Qamr | Pairs, label: Labeller, seed: int) -> Corpus:
    """Return the share of a corpus that is asked for, its answered questions only: a teacher need not mark the rest."""
    if isinstance(source, Qamr):
        corpus = read_qamr(source.sentences, source.questions)
    else:
        corpus = read_pairs(source.sentences, source.questions)
    corpus = replace(corpus, questions=tuple(share(corpus.questions, source.share, seed)))
    if isinstance(source, Pairs):
        corpus = label(source.teacher, corpus, source.keep)
    return replace(corpus, questions=tuple(q for q in corpus.questions if q.answers))


def _hard(corpus: Corpus, config: ReaderConfig, embed: Embed | None) -> list[list[int]]:
    if not config.hard_negatives:
        return [[] for _ in corpus.questions]
    dense = embed if "dense" in config.hard_negatives else None
    return hard_sentences(corpus.sentences, [q.text for q in corpus.questions], dense)


def hold_back(corpus: Corpus, share: float, seed: int) -> tuple[list[int], list[int]]:
    """Return the numbers of the questions to train on and of those to watch, cut by what their sentences say."""
    draw = random.Random(seed)  # noqa: S311 - a seed, not a secret
    held = {text for text in corpus.sentences if draw.random() < share}
    shown = [n for n, q in enumerate(corpus.questions) if corpus.sentences[q.sentence] not in held]
    return shown, [n for n, q in enumerate(corpus.questions) if corpus.sentences[q.sentence] in held]


def of(corpus: Corpus, numbers: Sequence[int]) -> Corpus:
    """Return the corpus with these of its questions."""
    return replace(corpus, questions=tuple(corpus.questions[n] for n in numbers))


def refuse_none(train: Sequence[object], dev: Sequence[object], notes: Sequence[str]) -> None:
    """Raise :class:`~rag.errors.InputError` where there is nothing to train on, or nothing to watch."""
    if not train:
        raise InputError(
            " - ".join(["no training example is left", *notes]), "name sources under train that hold answered questions"
        )
    if not dev:
        raise InputError(
            "there is no example to watch the training with", "name a SQuAD-format file as dev, or raise dev_share"
        )


def share(items: Sequence[T], part: float, seed: int) -> list[T]:
    """Return a ``part`` of the items in their order, at least one of them where there is any."""
    if part >= 1 or not items:
        return list(items)
    draw = random.Random(seed)  # noqa: S311 - a seed, not a secret
    chosen = sorted(draw.sample(range(len(items)), max(1, round(part * len(items)))))
    return [items[n] for n in chosen]
