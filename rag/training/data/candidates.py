"""From the sources of a reranker's training file to questions with passages: one that holds the answer, and others.

The one holds the sentence that the question is about; the others are passages that a retriever takes for it and that
do not hold that sentence. Which words of the sentence are the answer is not asked: no teacher is needed. The held-back
part is cut by sentence, as a reader's is.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rag.evidence.citations import sentence_spans
from rag.text import counted
from rag.training.config import RankedQamr, RankedSource, RankedSquad, RerankerConfig
from rag.training.data.corpus import Corpus, Example, Question
from rag.training.data.hard_negatives import Embed, hard_sentences
from rag.training.data.overlap import without_overlap
from rag.training.data.pairs import read_pairs
from rag.training.data.passages import PassageSettings, holding, negatives
from rag.training.data.qamr import read_qamr
from rag.training.data.sources import hold_back, of, refuse_none, share
from rag.training.data.squad_format import read_squad

__all__ = ["Candidates", "RankingData", "as_corpus", "candidates", "gather_candidates"]

_NEIGHBOURS = 10  # what is found first is often the question's own neighbourhood, of which no wrong passage is made


@dataclass(frozen=True, slots=True)
class Candidates:
    """A question and its passages, of which the first holds what it is about and the others, at least one, do not."""

    id: str
    question: str
    passages: tuple[str, ...]


@dataclass(frozen=True)
class RankingData:
    """Questions to train on and to watch, and what there is to say about them."""

    train: tuple[Candidates, ...]
    dev: tuple[Candidates, ...]
    notes: tuple[str, ...]


def gather_candidates(config: RerankerConfig, *, embed: Embed | None) -> RankingData:
    """Read everything that a training file names. Raises :class:`~rag.errors.InputError`.

    What is held back chooses among the checkpoints: it is kept away from the files in ``never`` as well.
    """
    train: list[Candidates] = []
    dev: list[Candidates] = []
    notes: list[str] = []
    for number, source in enumerate(config.train):
        seed = config.training.seed + number
        corpus, hard = _found(source, config, embed, seed)
        settings = _settings(source, corpus)
        shown, held = hold_back(corpus, 0.0 if config.dev else config.dev_share, seed)
        count = config.negatives
        made = list(
            candidates(
                of(corpus, shown), [hard[n] for n in shown], settings, seed=seed, count=count, passes=source.passes
            )
        )
        train += made
        notes += [*corpus.notes, *_alone(corpus, len(shown) * source.passes - len(made))]
        dev += _watched(of(corpus, held), [hard[n] for n in held], settings, config, seed + 1000)
    train, told = _without_overlap(train, config.never)
    notes += told
    if dev:
        dev, told = _without_overlap(dev, config.never)
        notes += [f"held back: {note}" for note in told]
    if config.dev:
        corpus, hard = _found(config.dev, config, embed, config.training.seed)
        dev += _watched(corpus, hard, _settings(config.dev, corpus), config, config.training.seed)
        notes += [*corpus.notes, *_alone(corpus, len(corpus.questions) - len(dev))]
    refuse_none(train, dev, notes)
    draw = random.Random(config.training.seed)  # noqa: S311 - a seed, not a secret
    dev = draw.sample(dev, min(len(dev), config.dev_limit))
    return RankingData(tuple(train), tuple(dev), tuple(notes))


def candidates(
    corpus: Corpus,
    hard: Sequence[Sequence[int]],
    settings: PassageSettings,
    *,
    seed: int,
    count: int,
    passes: int = 1,
) -> Iterator[Candidates]:
    """Yield every question with a passage that holds its sentence and up to ``count`` that do not.

    ``hard[i]`` are sentences that ``questions[i]`` finds. A question for which there is no other passage is left out.
    """
    draw = random.Random(seed)  # noqa: S311 - a seed, not a secret
    for turn in range(passes):
        for question, found in zip(corpus.questions, hard, strict=True):
            own = holding(corpus, question, settings, draw)
            others = dict.fromkeys(negatives(corpus, question, found, settings, draw, count))
            if others:
                yield Candidates(f"{question.id}/{turn}", question.text, (own, *others))


def as_corpus(examples: Sequence[Example], name: str) -> Corpus:
    """Return examples as questions about sentences: each about the one in which its first answer begins.

    A context is a paragraph, whatever number of questions it has. Examples without an answer are left out, and counted.
    """
    paragraphs: dict[str, int] = {}
    places: list[list[tuple[int, int]]] = []  # of a paragraph's sentences: their starts and numbers
    sentences: list[str] = []
    owners: list[int] = []
    questions = []
    for example in examples:
        if not example.answers:
            continue
        context = example.context
        if context not in paragraphs:
            paragraphs[context] = len(paragraphs)
            places.append([])
            for start, end in sentence_spans(context):
                places[-1].append((start, len(sentences)))
                sentences.append(context[start:end])
                owners.append(paragraphs[context])
        begins = example.answers[0][0]
        number = max((n for start, n in places[paragraphs[context]] if start <= begins), default=None)
        if number is not None:
            questions.append(Question(example.id, example.question, number))
    dropped = len(examples) - len(questions)
    without = counted(dropped, f"question of {name} has", f"questions of {name} have")
    notes = (f"{without} no answer: left out",) if dropped else ()
    return Corpus(name, tuple(sentences), tuple(owners), tuple(questions), notes)


def _found(
    source: RankedSource, config: RerankerConfig, embed: Embed | None, seed: int
) -> tuple[Corpus, list[list[int]]]:
    """Return the share of a source that is asked for, and the sentences that each of its questions finds."""
    if isinstance(source, RankedSquad):
        examples, told = read_squad(source.path, strict=source.strict)
        corpus = as_corpus(examples, source.path.name)
        corpus = replace(corpus, notes=(*told, *corpus.notes))
    elif isinstance(source, RankedQamr):
        corpus = read_qamr(source.sentences, source.questions)
    else:
        corpus = read_pairs(source.sentences, source.questions)
    corpus = replace(corpus, questions=tuple(share(corpus.questions, source.share, seed)))
    ways = config.hard_negatives
    hard = hard_sentences(
        corpus.sentences,
        [question.text for question in corpus.questions],
        embed if "dense" in ways else None,
        count=max(config.negatives, config.candidates) + _NEIGHBOURS,
        lexical="lexical" in ways,
    )
    return corpus, hard


def _watched(
    corpus: Corpus, hard: Sequence[Sequence[int]], settings: PassageSettings, config: RerankerConfig, seed: int
) -> list[Candidates]:
    return list(candidates(corpus, hard, settings, seed=seed, count=config.candidates - 1))


def _alone(corpus: Corpus, count: int) -> tuple[str, ...]:
    found = counted(count, f"question of {corpus.name} finds", f"questions of {corpus.name} find")
    return (f"{found} no other passage: left out",) if count else ()


def _settings(source: RankedSource, corpus: Corpus) -> PassageSettings:
    settings = source.passages.settings()
    # A SQuAD paragraph may answer its question more than once: no passage of it is taken for a wrong one.
    return replace(settings, reach=len(corpus.sentences)) if isinstance(source, RankedSquad) else settings


def _without_overlap(groups: Sequence[Candidates], never: Sequence[Path]) -> tuple[list[Candidates], tuple[str, ...]]:
    """Return the questions without the passages that share words with a file in ``never``.

    A question that loses the passage that answers it, or all the others, is left out.
    """
    pairs = [Example(f"{n}/{k}", g.question, p, ()) for n, g in enumerate(groups) for k, p in enumerate(g.passages)]
    left, notes = without_overlap(pairs, never)
    kept = {e.id for e in left}
    smaller = [
        replace(g, passages=tuple(p for k, p in enumerate(g.passages) if f"{n}/{k}" in kept))
        for n, g in enumerate(groups)
        if f"{n}/0" in kept
    ]
    return [g for g in smaller if len(g.passages) > 1], notes
