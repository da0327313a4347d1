"""Texts as an embedder's tokenizer can read them.

A tokenizer may take a whole word for one unknown token, however long: WordPiece does so with any word of more than 100
characters and with any that holds a single character it does not know. A sentence in a script without spaces is such
a word. What is counted and embedded is therefore a text in which those words are cut up (:func:`legible`): its count
is honest, and its vector is of all that the model can read. The text that is stored is never changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

__all__ = ["legible"]

_LONGEST_PIECE = 64  # characters; less than any tokenizer's longest word, so that most pieces are known at once


def legible(tokenizer: Any, texts: Sequence[str]) -> list[tuple[str, Any]]:
    """Return each text with spaces in the words that the tokenizer would take for one unknown token, and its encoding.

    Every character is still there and in its place among the others; a text without such a word is returned as it is.
    """
    # One text alone is read in this thread: handing it to the tokenizer's pool and back costs more than reading it.
    encodings = tokenizer.encode_batch(list(texts)) if len(texts) > 1 else [tokenizer.encode(text) for text in texts]
    token = getattr(tokenizer.model, "unk_token", None)
    unknown = None if token is None else tokenizer.token_to_id(token)
    if unknown is None:
        return list(zip(texts, encodings, strict=True))
    read = []
    for text, encoding in zip(texts, encodings, strict=True):
        words = _unknown_words(encoding, unknown)
        if words:
            text = _cut_up(text, words, tokenizer, unknown)
            encoding = tokenizer.encode(text)
        read.append((text, encoding))
    return read


def _unknown_words(encoding: Any, unknown: int) -> list[tuple[int, int]]:
    """Return the spans of more than one character that became one unknown token."""
    if unknown not in encoding.ids:
        return []
    spans = zip(encoding.ids, encoding.offsets, strict=True)
    return [(start, end) for token, (start, end) in spans if token == unknown and end - start > 1]


def _cut_up(text: str, words: Sequence[tuple[int, int]], tokenizer: Any, unknown: int) -> str:
    parts, position = [], 0
    known = lru_cache(maxsize=4096)(lambda piece: unknown not in tokenizer.encode(piece, add_special_tokens=False).ids)
    for start, end in words:
        parts += [text[position:start], " ".join(_pieces(text[start:end], known))]
        position = end
    return "".join([*parts, text[position:]])


def _pieces(word: str, known: Any) -> Iterator[str]:
    """Yield a word's pieces: unknown characters alone, and between them stretches as long as the tokenizer knows."""
    stretches = ("".join(group) for _, group in groupby(word, key=lambda c: known(c) or c))
    for stretch in stretches:
        for start in range(0, len(stretch), _LONGEST_PIECE):
            yield from _known_pieces(stretch[start : start + _LONGEST_PIECE], known)


def _known_pieces(piece: str, known: Any) -> Iterator[str]:
    if len(piece) == 1 or known(piece):
        yield piece
        return
    middle = len(piece) // 2
    yield from _known_pieces(piece[:middle], known)
    yield from _known_pieces(piece[middle:], known)
