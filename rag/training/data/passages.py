"""Questions about sentences to questions about passages that look like real ones.

A passage is the question's sentence with neighbors from its paragraph, sometimes with sentences from elsewhere around
it. An unanswerable one is the same without the question's sentence, or a passage around a sentence that a
retriever found for the question. Everything is drawn from one seed, so the same corpus gives the same examples.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydantic import Field

from rag.config.yaml_settings import SettingsModel
from rag.training.data.corpus import Corpus, Example, Question, Span
from rag.training.data.titles import make_title
from rag.training.data.unanswerable import Alterer

__all__ = ["NeighborSettings", "PassageSettings", "compose", "near", "negatives", "positive"]

HardSentences = Sequence[Sequence[int]]

_NEIGHBORHOOD = 4  # sentences before and after the passage's own that a title may come from


class NeighborSettings(SettingsModel):
    """How many neighbors of a sentence become a passage with it.

    A passage takes up to ``sentences`` from one place; a share ``alone`` of the passages is the sentence by itself.
    Sentences up to ``reach`` away belong to the question's own neighborhood, so they make no wrong passage.
    """

    sentences: int = Field(5, ge=1)
    alone: float = Field(0.2, ge=0, le=1)
    reach: int = Field(3, ge=0)


class PassageSettings(NeighborSettings):
    """How passages with and without an answer are drawn; shares are probabilities.

    ``distracted`` passages contain one or two hard sentences. ``unanswerable`` ones contain no answer, and half of
    those are the question's own passage without its sentence. Of the rest, ``altered`` have a changed question without
    an answer (:mod:`rag.training.data.unanswerable`). Of all examples, ``titles`` get a title
    (:mod:`rag.training.data.titles`).
    """

    distracted: float = Field(0.3, ge=0, le=1)
    unanswerable: float = Field(0.2, ge=0, le=1)
    altered: float = Field(0.0, ge=0, le=1)
    titles: float = Field(0.0, ge=0, le=1)


def compose(
    corpus: Corpus, hard: HardSentences, settings: PassageSettings, *, seed: int, passes: int = 1
) -> Iterator[Example]:
    """Yield an example for every answered question and pass. ``hard[i]`` are sentences that ``questions[i]`` retrieves.

    A question that was drawn as unanswerable stays answerable if it has no other passage.
    """
    draw = random.Random(seed)  # noqa: S311 - a seed, not a secret
    named = random.Random(seed)  # noqa: S311 - of its own, so that titles change no passage
    alterer = Alterer(corpus) if settings.altered else None
    for turn in range(passes):
        for number, (question, found) in enumerate(zip(corpus.questions, hard, strict=True)):
            if question.answers:
                example, center = _example(corpus, number, found, settings, alterer, draw)
                example = replace(example, id=f"{question.id}/{turn}")
                if named.random() < settings.titles:
                    title = _title(corpus, question, example, center, named)
                    example = replace(example, title=title)
                yield example


def _example(
    corpus: Corpus,
    number: int,
    found: Sequence[int],
    settings: PassageSettings,
    alterer: Alterer | None,
    draw: random.Random,
) -> tuple[Example, int]:
    """Return an example of a question, and the sentence that its passage is about."""
    question = corpus.questions[number]
    far = _far(corpus, question, found, settings.reach)
    if draw.random() < settings.unanswerable:
        context, center = _without_answer(corpus, question, far, settings, draw)
        if context:
            return Example(question.id, question.text, context, ()), center
    context, (start, end) = _answerable(corpus, question, far, settings, draw)
    if alterer and draw.random() < settings.altered:
        altered = alterer.alter(number, context[start:end], context, draw)
        if altered:
            return Example(question.id, altered, context, ()), question.sentence
    return Example(question.id, question.text, context, ((start, end),)), question.sentence


def _title(corpus: Corpus, question: Question, example: Example, center: int, draw: random.Random) -> str:
    start, end = question.answers[0]
    answer = corpus.sentences[question.sentence][start:end]
    first, last = max(0, center - _NEIGHBORHOOD), center + _NEIGHBORHOOD + 1
    around = [
        corpus.sentences[n]
        for n in range(first, min(last, len(corpus.sentences)))
        if corpus.paragraphs[n] == corpus.paragraphs[center]
    ]
    # Passages from elsewhere share fewer words with the question, so their titles take those more often.
    topic = 0.5 if example.answers else 0.6 if center == question.sentence else 0.9
    return make_title(question.text, answer, " ".join([example.context, *around]), draw, topic=topic)


def positive(corpus: Corpus, question: Question, settings: NeighborSettings, draw: random.Random) -> str:
    """Return a passage that contains the question's sentence, with neighbors from its paragraph."""
    return _text(corpus, _around(corpus, question.sentence, _size(settings, draw), draw))


def negatives(
    corpus: Corpus, question: Question, hard: Sequence[int], settings: NeighborSettings, draw: random.Random, count: int
) -> list[str]:
    """Return up to ``count`` passages that a retriever would find and that do not contain the question's sentence."""
    far = _far(corpus, question, hard, settings.reach)
    chosen = draw.sample(far, min(count, len(far)))
    found = [_without(corpus, question, _around(corpus, s, _size(settings, draw), draw)) for s in chosen]
    return [text for text in found if text]


def near(corpus: Corpus, sentence: int, other: int, reach: int) -> bool:
    """Return whether two sentences are close together in one paragraph."""
    return corpus.paragraphs[sentence] == corpus.paragraphs[other] and abs(sentence - other) <= reach


def _answerable(
    corpus: Corpus, question: Question, far: Sequence[int], settings: PassageSettings, draw: random.Random
) -> tuple[str, Span]:
    own = _around(corpus, question.sentence, _size(settings, draw), draw)
    before: list[int] = []
    after: list[int] = []
    strange = [s for s in far if s not in own]
    if strange and draw.random() < settings.distracted:
        for sentence in draw.sample(strange, min(len(strange), draw.choice((1, 2)))):
            (before if draw.random() < 0.5 else after).append(sentence)
    order = [*before, *own, *after]
    place = len(before) + own.index(question.sentence)
    offset = len(_text(corpus, order[:place])) + (place > 0)
    start, end = draw.choice(question.answers)
    return _text(corpus, order), (offset + start, offset + end)


def _without_answer(
    corpus: Corpus, question: Question, far: Sequence[int], settings: PassageSettings, draw: random.Random
) -> tuple[str, int]:
    """Return a passage without the answer, "" if there is none, and the sentence that it is around."""
    center = question.sentence
    text = _without(corpus, question, _around(corpus, center, settings.sentences, draw))
    if far and (not text or draw.random() < 0.5):
        center = draw.choice(far)
        text = _without(corpus, question, _around(corpus, center, _size(settings, draw), draw))
    return text, center


def _far(corpus: Corpus, question: Question, hard: Sequence[int], reach: int) -> list[int]:
    """Return the hard sentences from elsewhere, except those that repeat the question's sentence."""
    said = corpus.sentences[question.sentence]
    return [
        s
        for s in dict.fromkeys(hard)
        if not near(corpus, s, question.sentence, reach) and said not in corpus.sentences[s]
    ]


def _without(corpus: Corpus, question: Question, sentences: Sequence[int]) -> str:
    """Return a passage of these sentences without the question's own; "" if nothing is left.

    The same sentence may occur elsewhere in the corpus under another number, so texts are compared.
    """
    said = corpus.sentences[question.sentence]
    text = _text(corpus, [s for s in sentences if said not in corpus.sentences[s]])
    return "" if said in text else text.strip()


def _size(settings: NeighborSettings, draw: random.Random) -> int:
    alone = draw.random() < settings.alone
    return 1 if alone or settings.sentences < 2 else draw.randint(2, settings.sentences)


def _around(corpus: Corpus, sentence: int, size: int, draw: random.Random) -> list[int]:
    """Return ``size`` neighbors in one paragraph, ``sentence`` among them; fewer at the paragraph's ends."""
    first = sentence - draw.randrange(size)
    paragraph = corpus.paragraphs[sentence]
    reached = range(max(0, first), min(len(corpus.sentences), first + size))
    return [s for s in reached if corpus.paragraphs[s] == paragraph]


def _text(corpus: Corpus, sentences: Sequence[int]) -> str:
    return " ".join(corpus.sentences[s] for s in sentences)
