"""Questions about sentences to questions about passages that look like real ones.

A passage is the question's sentence with neighbours of its paragraph, sometimes with sentences of elsewhere put before
or after. An unanswerable one is the same without the question's sentence, or a passage around a sentence that a
retriever takes for the answer's. Everything is drawn from one seed, so that the same corpus gives the same examples.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.training.data.corpus import Corpus, Example, Question, Span
from rag.training.data.unanswerable import Alterer

__all__ = ["PassageSettings", "compose", "holding", "near", "negatives"]

HardSentences = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class PassageSettings:
    """How passages are drawn. Shares are probabilities; ``sentences`` is the most that a passage takes from one place.

    ``alone`` of the passages are the sentence by itself, ``distracted`` have one or two hard sentences put in,
    ``unanswerable`` hold no answer, and half of those are the question's own passage without its sentence.
    ``altered`` of the others have the question altered so that they hold none either
    (:mod:`rag.training.data.unanswerable`).
    ``reach`` is how many sentences away a sentence still counts as the question's own neighbourhood.
    """

    sentences: int = 5
    alone: float = 0.2
    distracted: float = 0.3
    unanswerable: float = 0.2
    altered: float = 0.0
    reach: int = 3


def compose(
    corpus: Corpus, hard: HardSentences, settings: PassageSettings, *, seed: int, passes: int = 1
) -> Iterator[Example]:
    """Yield an example for every answered question and pass. ``hard[i]`` are sentences that ``questions[i]`` finds.

    A question that was drawn to be unanswerable and for which there is no other passage is answerable after all.
    """
    draw = random.Random(seed)  # noqa: S311 - a seed, not a secret
    alterer = Alterer(corpus) if settings.altered else None
    for turn in range(passes):
        for number, (question, found) in enumerate(zip(corpus.questions, hard, strict=True)):
            if not question.answers:
                continue
            identity = f"{question.id}/{turn}"
            far = _far(corpus, question, found, settings.reach)
            if draw.random() < settings.unanswerable:
                context = _without_answer(corpus, question, far, settings, draw)
                if context:
                    yield Example(identity, question.text, context, ())
                    continue
            context, (start, end) = _answerable(corpus, question, far, settings, draw)
            if alterer and draw.random() < settings.altered:
                altered = alterer.alter(number, context[start:end], context, draw)
                if altered:
                    yield Example(identity, altered, context, ())
                    continue
            yield Example(identity, question.text, context, ((start, end),))


def holding(corpus: Corpus, question: Question, settings: PassageSettings, draw: random.Random) -> str:
    """Return a passage that holds the question's sentence, with neighbours of its paragraph."""
    return _text(corpus, _around(corpus, question.sentence, _size(settings, draw), draw))


def negatives(
    corpus: Corpus, question: Question, hard: Sequence[int], settings: PassageSettings, draw: random.Random, count: int
) -> list[str]:
    """Return up to ``count`` passages that a retriever would find and that do not hold the question's sentence."""
    far = _far(corpus, question, hard, settings.reach)
    chosen = draw.sample(far, min(count, len(far)))
    found = [_without(corpus, question, _around(corpus, s, _size(settings, draw), draw)) for s in chosen]
    return [text for text in found if text]


def near(corpus: Corpus, sentence: int, other: int, reach: int) -> bool:
    """Return whether two sentences stand close together in one paragraph."""
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
) -> str:
    text = _without(corpus, question, _around(corpus, question.sentence, settings.sentences, draw))
    if far and (not text or draw.random() < 0.5):
        text = _without(corpus, question, _around(corpus, draw.choice(far), _size(settings, draw), draw))
    return text


def _far(corpus: Corpus, question: Question, hard: Sequence[int], reach: int) -> list[int]:
    """Return the hard sentences from elsewhere, but for those that say the question's sentence once more."""
    said = corpus.sentences[question.sentence]
    return [
        s
        for s in dict.fromkeys(hard)
        if not near(corpus, s, question.sentence, reach) and said not in corpus.sentences[s]
    ]


def _without(corpus: Corpus, question: Question, sentences: Sequence[int]) -> str:
    """Return a passage of these sentences that does not hold the question's, "" where there is none.

    The same sentence may stand elsewhere in the corpus under another number, so its text is looked for.
    """
    said = corpus.sentences[question.sentence]
    text = _text(corpus, [s for s in sentences if said not in corpus.sentences[s]])
    return "" if said in text else text.strip()


def _size(settings: PassageSettings, draw: random.Random) -> int:
    alone = draw.random() < settings.alone
    return 1 if alone or settings.sentences < 2 else draw.randint(2, settings.sentences)


def _around(corpus: Corpus, sentence: int, size: int, draw: random.Random) -> list[int]:
    """Return ``size`` neighbours of one paragraph with ``sentence`` somewhere among them, fewer at its ends."""
    first = sentence - draw.randrange(size)
    paragraph = corpus.paragraphs[sentence]
    reached = range(max(0, first), min(len(corpus.sentences), first + size))
    return [s for s in reached if corpus.paragraphs[s] == paragraph]


def _text(corpus: Corpus, sentences: Sequence[int]) -> str:
    return " ".join(corpus.sentences[s] for s in sentences)
