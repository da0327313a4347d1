"""From the sources of a reranker's training file to questions with passages: one with the answer, and others.

The first passage contains the sentence that the question is about. The others are found by a retriever and do not
contain that sentence. Which of its words are the answer does not matter, so no teacher is needed. Sentences are held
back, as for a reader.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rag.evidence.citations import sentence_spans
from rag.text import counted
from rag.training.config import RankedSource, RankedSquad, RerankerConfig
from rag.training.data.corpus import Corpus, Example, Question
from rag.training.data.hard_negatives import Embed, hard_sentences
from rag.training.data.overlap import without_overlap
from rag.training.data.passages import NeighborSettings, negatives, positive
from rag.training.data.sources import TrainingData, assemble, hold_back, read_corpus, sample, with_questions
from rag.training.data.squad_format import read_squad

__all__ = ["Candidates", "as_corpus", "candidates", "gather_candidates"]

_NEIGHBORS = 10  # the first hits are often the question's own neighborhood, which gives no wrong passage


@dataclass(frozen=True, slots=True)
class Candidates:
    """A question and its passages: the first contains what it is about, the others, at least one, do not."""

    id: str
    question: str
    passages: tuple[str, ...]


def gather_candidates(config: RerankerConfig, *, embed: Embed | None) -> TrainingData[Candidates]:
    """Read everything that a reranker's training file names. Raises :class:`~rag.errors.InputError`."""
    seed = config.training.seed
    parts = [
        _part(source, config, embed, seed + n, seed + n + 1000, 0.0 if config.dev else config.dev_share)
        for n, source in enumerate(config.train)
    ]
    own = _part(config.dev, config, embed, seed, seed, 1.0) if config.dev else None
    return assemble(config, parts, own, _without_overlap)


def candidates(
    corpus: Corpus,
    hard: Sequence[Sequence[int]],
    settings: NeighborSettings,
    *,
    seed: int,
    count: int,
    passes: int = 1,
) -> Iterator[Candidates]:
    """Yield every question with a passage that contains its sentence and up to ``count`` that do not.

    ``hard[i]`` are the sentences that ``questions[i]`` retrieves. A question without another passage is left out.
    """
    draw = random.Random(seed)  # noqa: S311 - a seed, not a secret
    for turn in range(passes):
        for question, found in zip(corpus.questions, hard, strict=True):
            own = positive(corpus, question, settings, draw)
            others = dict.fromkeys(negatives(corpus, question, found, settings, draw, count))
            if others:
                yield Candidates(f"{question.id}/{turn}", question.text, (own, *others))


def as_corpus(examples: Sequence[Example], name: str) -> Corpus:
    """Turn examples into questions about sentences: each about the one in which its first answer begins.

    A context is one paragraph, however many questions it has. Examples without an answer are left out, and counted.
    """
    paragraphs: dict[str, int] = {}
    places: list[list[tuple[int, int]]] = []  # start and number of each sentence, by paragraph
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


def _part(
    source: RankedSource, config: RerankerConfig, embed: Embed | None, seed: int, dev_seed: int, dev_share: float
) -> TrainingData[Candidates]:
    """Return the examples of one source; ``dev_share`` of its sentences are for evaluation."""
    corpus = _read(source, seed)
    settings = source.passages
    if isinstance(source, RankedSquad):  # its paragraph may answer a question twice, so it gives no wrong passage
        settings = settings.model_copy(update={"reach": len(corpus.sentences)})
    ways = config.hard_negatives
    hard = hard_sentences(
        corpus.sentences,
        [question.text for question in corpus.questions],
        embed if "dense" in ways else None,
        count=max(config.negatives, config.candidates) + _NEIGHBORS,
        lexical="lexical" in ways,
    )
    train, dev = hold_back(corpus, dev_share, seed)

    def made(part: Sequence[int], count: int, seed: int, passes: int = 1) -> tuple[Candidates, ...]:
        questions = with_questions(corpus, part)
        return tuple(candidates(questions, [hard[n] for n in part], settings, seed=seed, count=count, passes=passes))

    trained = made(train, config.negatives, seed, source.passes)
    evaluated = made(dev, config.candidates - 1, dev_seed)
    alone = len(train) * source.passes - len(trained) if train else len(dev) - len(evaluated)
    notes = list(corpus.notes)
    if alone:
        one, several = f"question of {corpus.name} finds", f"questions of {corpus.name} find"
        notes.append(f"{counted(alone, one, several)} no other passage: left out")
    return TrainingData(trained, evaluated, tuple(notes))


def _read(source: RankedSource, seed: int) -> Corpus:
    if not isinstance(source, RankedSquad):
        return read_corpus(source, seed)
    examples, notes = read_squad(source.path, strict=source.strict)
    corpus = as_corpus(examples, source.path.name)
    questions = tuple(sample(corpus.questions, source.share, seed))
    return replace(corpus, questions=questions, notes=(*notes, *corpus.notes))


def _without_overlap(groups: Sequence[Candidates], never: Sequence[Path]) -> tuple[list[Candidates], tuple[str, ...]]:
    """Leave out the passages that overlap with a file in ``never``.

    A question that loses the passage with its answer, or all others, is left out too.
    """
    pairs = [Example(f"{n}/{k}", g.question, p, ()) for n, g in enumerate(groups) for k, p in enumerate(g.passages)]
    remaining, notes = without_overlap(pairs, never)
    ids = {e.id for e in remaining}
    smaller = [
        replace(g, passages=tuple(p for k, p in enumerate(g.passages) if f"{n}/{k}" in ids))
        for n, g in enumerate(groups)
        if f"{n}/0" in ids
    ]
    return [g for g in smaller if len(g.passages) > 1], notes
