"""Words with boxes to running text: paragraphs, lines, words that are cut at line ends, and what is no text at all.

Blocks that the engine is unsure of are drawings or photographs, and are left out. Nothing here knows an engine or a
file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from rag.ingestion.loaders.lookalikes import in_one_script
from rag.ingestion.loaders.ocr_engine import Word
from rag.ingestion.loaders.text import normalise

__all__ = ["LOW_CONFIDENCE", "OcrText", "PlacedWord", "text_of"]

LOW_CONFIDENCE = 0.75
"""Below this a page is called hard to read."""
_NO_TEXT = 0.45  # of a block, below which it shows no text in the engine's languages
_HYPHENS = "-\u2010\u00ad"
_FEWEST_LETTERS = 2  # of a whole page: fewer is a mark or a speck


class PlacedWord(NamedTuple):
    """A word or a part of one: its characters in the text, and its box (left, top, right, bottom) in pixels."""

    start: int
    end: int
    box: tuple[int, int, int, int]


class OcrText(NamedTuple):
    """The text of an image, where its words are, and how sure the engine is of them, 0 to 1."""

    text: str
    words: tuple[PlacedWord, ...]
    confidence: float


def text_of(words: Iterable[Word]) -> OcrText:
    """Return the text of an image: blank lines between paragraphs, lines as they are, cut words joined."""
    kept = [word for _, block in groupby(words, lambda w: w.place[0]) for word in _legible(list(block))]
    texts = in_one_script([(word.text, word.place) for word in kept])
    kept = [word._replace(text=text) for word, text in zip(kept, texts, strict=True)]
    size = sum(len(word.text) for word in kept)
    if sum(character.isalnum() for word in kept for character in word.text) < _FEWEST_LETTERS:
        return OcrText("", (), 0.0)
    parts, placed, length = list[str](), list[PlacedWord](), 0
    for gap, word, text in _with_gaps(kept):
        parts += (gap, text)
        length += len(gap)
        placed.append(PlacedWord(length, length + len(text), word.box))
        length += len(text)
    return OcrText("".join(parts), tuple(placed), sum(len(w.text) * w.confidence for w in kept) / size)


def _legible(block: list[Word]) -> list[Word]:
    words = [word._replace(text=text) for word in block if (text := "".join(normalise(word.text).split()))]
    size = sum(len(word.text) for word in words)
    sure = sum(len(word.text) * word.confidence for word in words)
    return words if size and sure / size >= _NO_TEXT else []


def _with_gaps(words: Sequence[Word]) -> Iterator[tuple[str, Word, str]]:
    """Yield each word with what separates it from the one before. The second part of a cut word follows the first."""
    gap, due = "", ""
    for number, word in enumerate(words):
        following = words[number + 1] if number + 1 < len(words) else None
        text = word.text
        is_cut = following is not None and _is_cut(word, following)
        yield gap, word, text[:-1] if is_cut else text
        if following is None:
            return
        between = _gap(word, following)
        if is_cut:
            gap, due = "", between  # the line ends after the whole word
        else:
            gap, due = due or between, ""


def _gap(word: Word, following: Word) -> str:
    if word.place[:2] != following.place[:2]:
        return "\n\n"
    return "\n" if word.place[2] != following.place[2] else " "


def _is_cut(word: Word, following: Word) -> bool:
    """Return whether a word at the end of a line continues in the next line of its block."""
    return (
        word.place != following.place
        and word.place[0] == following.place[0]
        and len(word.text) > 2
        and word.text[-1] in _HYPHENS
        and word.text[-2].isalpha()
        and following.text[0].islower()
    )
