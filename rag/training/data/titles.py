"""Titles for passages that have none: a phrase as a document's title or heading may have it.

Half of the titles are words of the question that the text around the passage shares. The others are other phrases of
that text: names in text with capitals, else its most frequent words. No title holds a word of the answer. Passages with
and without an answer get titles by the same rules, so a title alone does not say whether there is an answer.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from rag.training.data.unanswerable import FUNCTION_WORDS

__all__ = ["make_title"]

_WORD = re.compile(r"\w+(?:[.,'’-]\w+)*")
_BREAK = re.compile(r"[^\w\s'’-]|\s{2,}")
_HEADED = 0.25  # of the titles have a heading after them
_LONGEST = 4  # words of a phrase
_CHOICE = 6  # the most frequent phrases that a title is drawn from
_DATES = frozenset(
    """
    January February March April May June July August September October November December Monday Tuesday Wednesday
    Thursday Friday Saturday Sunday
    """.split()  # noqa: SIM905 - a list literal is laid out one word a line
)
_INSIDE_NAMES = frozenset(("of", "the", "and", "de", "von", "van", "for", "la", "du"))


def make_title(question: str, answer: str, text: str, draw: random.Random, *, topic: float = 0.5) -> str:
    """Return a title, perhaps with a heading: "Title > Heading"; "" if the text has no phrase for one.

    ``text`` is the passage with its neighborhood, ``answer`` what the question is answered by, there or elsewhere, and
    ``topic`` the share of titles with words of the question.
    """
    barred = set(_words(answer))
    asked = set(_words(question))
    topics = [phrase for phrase in _topics(question, text) if barred.isdisjoint(_words(phrase))]
    others = [phrase for phrase in _phrases(text) if (barred | asked).isdisjoint(_words(phrase))]
    title = _drawn(topics, others, draw, topic)
    if title and draw.random() < _HEADED:
        heading = _drawn(topics, others, draw, topic)
        if heading and set(_words(heading)).isdisjoint(_words(title)):
            return f"{title} > {heading}"
    return title


def _drawn(topics: Sequence[str], others: Sequence[str], draw: random.Random, topic: float) -> str:
    pools = (topics, others) if draw.random() < topic else (others, topics)
    pool = pools[0] or pools[1]
    return draw.choice(pool) if pool else ""


def _topics(question: str, text: str) -> list[str]:
    """Return two runs of content words of a question that are words of the text too: names first, then by length."""
    runs = dict.fromkeys(run for run in _runs(question, frozenset(_words(text))) if len(run) > 2)
    return sorted(runs, key=lambda run: (run != run.lower(), len(run)), reverse=True)[:2]


def _phrases(text: str) -> list[str]:
    """Return names, or in text without capitals the phrases whose words occur most often in it."""
    names: dict[str, None] = {}
    if text != text.lower():
        for piece in _BREAK.split(text):
            words = [(word, n == 0) for n, word in enumerate(_WORD.findall(piece))]
            names.update(dict.fromkeys(_names(words)))
    return list(names) or _frequent(text)


def _frequent(text: str) -> list[str]:
    counts = Counter(_words(text))
    runs = dict.fromkeys(run for run in _runs(text) if len(run) > 3)
    return sorted(runs, key=lambda run: -sum(counts[word] * len(word) for word in _words(run)) / len(_words(run)))[
        :_CHOICE
    ]


def _names(words: Sequence[tuple[str, bool]]) -> Iterator[str]:
    """Yield runs of capitalized words with the small words inside; one word alone must not begin a sentence."""
    run: list[str] = []
    first = False
    for word, begins in [*words, ("", False)]:
        capital = word[:1].isupper() and word.casefold() not in FUNCTION_WORDS and word not in _DATES
        if capital:
            first = begins if not run else first
            run.append(word)
        elif run and word in _INSIDE_NAMES:
            run.append(word)
        else:
            while run and run[-1] in _INSIDE_NAMES:
                run.pop()
            if 0 < len(run) <= _LONGEST + 2 and (len(run) > 1 or not first) and len("".join(run)) > 2:
                yield " ".join(run)
            run = []


def _runs(text: str, known: frozenset[str] | None = None) -> Iterator[str]:
    """Yield the runs of adjacent content words, cut to a few words; of ``known`` words only, if given."""
    for piece in _BREAK.split(text):
        run: list[str] = []
        for word in [*_WORD.findall(piece), ""]:
            plain = word.casefold()
            if word and plain not in FUNCTION_WORDS and not word.isdecimal() and (known is None or plain in known):
                run.append(word)
                continue
            if run:
                yield " ".join(run[:_LONGEST])
            run = []


def _words(text: str) -> list[str]:
    return [word for word in map(str.casefold, _WORD.findall(text)) if word not in FUNCTION_WORDS]
