"""Questions that their passage nearly answers: an answered question with one name, number or word changed.

SQuAD 2.0 was written to catch readers that choose whatever resembles the question (Rajpurkar et al. 2018). Its most
frequent ways to make a question unanswerable are another entity, an antonym and a negation, and rules can do these.
Names and things are replaced by others that neighboring questions have after the same word, which needs no tagger and
no capitals.

The module does not know what a sentence means: some altered questions still have an answer.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rag.evidence.antonyms import OPPOSITES
from rag.training.data.corpus import Corpus

__all__ = ["FUNCTION_WORDS", "Alterer"]

_NEAR = 25  # questions before and after: those of one article are adjacent
_TRIES = 60  # drawn from the whole corpus if the neighborhood has nothing that fits
_WORD = re.compile(r"\w+(?:[.,'’-]\w+)*")
_NUMBER = re.compile(r"\d[\d.,]*(?:st|nd|rd|th|s)?\Z")
_YEAR = re.compile(r"(?:1\d|20)\d\d\Z")


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


# fmt: off
FUNCTION_WORDS = _listed(
    "a an the of in on at by for to from with without into onto upon over under between among about against during "
    "through as than then and or but nor not no if when while where who whom whose which what why how that this these "
    "those there here it its it's he she they we you i his her hers their theirs our your my him them us me is are was "
    "were be been being am do does did done has have had having can could may might shall should will would must s 's "
    "many much long often far old more most less least some any each every all both other another such same so very "
    "too also just only even still kind type name called"
)
_MONTHS = _listed("january february march april may june july august september october november december")
_COUNTS = _listed(
    "one two three four five six seven eight nine ten eleven twelve thirteen fifteen twenty thirty forty fifty sixty "
    "hundred thousand million billion first second third fourth fifth sixth half"
)
_ASKS = _listed("what which who whom whose when where why how many much often long")
# fmt: on
_SAYS_NOT = {
    "is": "isn't",
    "are": "aren't",
    "was": "wasn't",
    "were": "weren't",
    "did": "didn't",
    "does": "doesn't",
    "do": "don't",
    "has": "hasn't",
    "have": "haven't",
    "had": "hadn't",
    "can": "can't",
    "could": "couldn't",
    "should": "shouldn't",
    "will": "won't",
    "would": "wouldn't",
    "must": "mustn't",
}  # fmt: skip
_WAYS = ("phrase", "phrase", "phrase", "number", "number", "opposite", "opposite", "negation")  # repeated by frequency


@dataclass(frozen=True, slots=True)
class _Phrase:
    start: int
    end: int
    text: str
    after: str  # the word before it, "" at the beginning
    words: tuple[str, ...]
    shape: str

    def takes(self, other: _Phrase) -> bool:
        """Return whether the other can replace this one: a number of the same kind, or words that end alike."""
        if self.shape != "word":
            return other.shape == self.shape
        alike = other.shape == "word" and other.after == self.after and len(other.words) == len(self.words)
        return alike and _ending(other.words[-1]) == _ending(self.words[-1]) and not _same(self.words, other.words)


class Alterer:
    """Alters the questions of one corpus, numbered as in ``corpus.questions``."""

    def __init__(self, corpus: Corpus) -> None:
        self._questions = corpus.questions
        self._joined = {pair for sentence in corpus.sentences for pair in pairwise(_words(sentence))}
        self._phrases = [self._cut(question.text) for question in corpus.questions]
        self._asked = {_plain(question.text) for question in corpus.questions}

    def alter(self, number: int, answer: str, passage: str, draw: random.Random) -> str | None:
        """Return question ``number`` with one thing changed, None if nothing fits.

        No part of ``answer``, which the ``passage`` gives, becomes a replacement. Half of the replacements are words of
        the passage, if there are such.
        """
        text = self._questions[number].text
        said = {*_words(text), *_words(answer)}
        shown = set(_words(passage)) if draw.random() < 0.5 else set()
        for way in draw.sample(_WAYS, len(_WAYS)):
            if way == "opposite":
                altered = _opposite(text, draw)
            elif way == "negation":
                altered = _negated(text, draw)
            else:
                altered = self._exchanged(number, said, shown, draw, numbers=way == "number")
            if altered is not None and _plain(altered) not in self._asked:
                return altered
        return None

    def _exchanged(
        self, number: int, said: set[str], shown: set[str], draw: random.Random, *, numbers: bool
    ) -> str | None:
        """Replace a phrase by one that fits in its place and shares no word with ``said``."""
        mine = [phrase for phrase in self._phrases[number] if (phrase.shape != "word") == numbers]
        text = self._questions[number].text
        for phrase in draw.sample(mine, len(mine)):
            fitting = (c for c in self._candidates(number, draw) if phrase.takes(c) and not said & set(c.words))
            first = next(fitting, None)
            other = next((c for c in fitting if shown.issuperset(c.words)), first) if shown else first
            if other is not None:
                return text[: phrase.start] + other.text + text[phrase.end :]
        return None

    def _candidates(self, number: int, draw: random.Random) -> list[_Phrase]:
        """Return phrases of neighboring questions in random order, then some of the whole corpus."""
        around = range(max(0, number - _NEAR), min(len(self._questions), number + _NEAR + 1))
        near = [phrase for n in around if n != number for phrase in self._phrases[n]]
        draw.shuffle(near)
        far = draw.sample(range(len(self._phrases)), min(_TRIES, len(self._phrases)))
        return near + [phrase for n in far if n != number for phrase in self._phrases[n]]

    def _cut(self, question: str) -> list[_Phrase]:
        """Return the longest runs of content words that are adjacent in some sentence, from the left."""
        found: list[_Phrase] = []
        run: list[re.Match[str]] = []
        before, last = "", ""

        def close() -> None:
            if run and before not in _ASKS:  # the thing asked for stays: "what city", "how many boats"
                start, end = run[0].start(), run[-1].end()
                words = tuple(word.group().casefold() for word in run)
                found.append(_Phrase(start, end, question[start:end], before, words, _shape(words)))
            run.clear()

        for match in _WORD.finditer(question):
            word = match.group().casefold()
            if word in FUNCTION_WORDS:
                close()
            else:
                if run and (
                    (last, word) not in self._joined or (_shape_of(last) == "word") != (_shape_of(word) == "word")
                ):
                    close()
                if not run:
                    before = last
                run.append(match)
            last = word
        close()
        return found


def _opposite(question: str, draw: random.Random) -> str | None:
    places = [m for m in _WORD.finditer(question) if m.group().casefold() in OPPOSITES]
    if not places:
        return None
    place = draw.choice(places)
    return question[: place.start()] + draw.choice(OPPOSITES[place.group().casefold()]) + question[place.end() :]


def _negated(question: str, draw: random.Random) -> str | None:
    words = {match.group().casefold() for match in _WORD.finditer(question)}
    said = [match for match in _WORD.finditer(question) if match.group().casefold() in _SAYS_NOT]
    if not said or words & {"not", "never"}:
        return None
    verb = said[0]
    spoken = verb.group()
    forms = (f"{spoken} not", f"{spoken} never", _SAYS_NOT[spoken.casefold()])
    return question[: verb.start()] + draw.choice(forms) + question[verb.end() :]


def _shape(words: Sequence[str]) -> str:
    """Return the kind of number that words are, "word" if one is no number."""
    shapes = {_shape_of(word) for word in words}
    return "word" if "word" in shapes else " ".join(sorted(shapes))


def _shape_of(word: str) -> str:
    if _YEAR.match(word):
        return "year"
    if _NUMBER.match(word):
        return "number"
    if word in _MONTHS:
        return "month"
    return "count" if word in _COUNTS else "word"


def _ending(word: str) -> str:
    return next((end for end in ("'s", "ed", "ing", "ly", "s") if word.endswith(end)), "")


def _same(words: Sequence[str], others: Sequence[str]) -> bool:
    """Return whether phrases are spellings of one another: Beyonce and Beyoncé, Scout and Scout's."""
    return all(word[:4] == other[:4] for word, other in zip(words, others, strict=True))


def _words(text: str) -> list[str]:
    return [match.group().casefold() for match in _WORD.finditer(text)]


def _plain(text: str) -> str:
    return " ".join(_words(text))
