"""Tokens as an embedder reads them: honest counts, and no word lost as one unknown token.

A tokenizer may turn a whole word into one unknown token, however long it is: WordPiece does so with every word of more
than 100 characters and with every word that has a single character it does not know. A sentence in a script without
spaces is such a word. :meth:`TokenCounter.encode` cuts those words into pieces that the tokenizer knows, so that the
count is right and the vector is of everything that the model can read. Stored texts are never changed.

A chunker counts the same words again and again: in a section, in its parts, in overlaps. A WordPiece tokenizer of
BERT's kind splits at spaces before anything else, so a text has as many tokens as its words together, and the count of
a word is cached. Other tokenizers read whole texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

__all__ = ["TokenCounter", "splits_at_spaces", "untruncated"]

# The characters that BERT's normalizer leaves as spaces. It removes other control characters, which joins words.
_SPACES = " \t\n\r"
_WORD = re.compile(f"[^{_SPACES}]+")
_CACHED_WORDS = 1 << 16
_LONGEST_CACHED = 64  # characters
_LONGEST_PIECE = 64  # characters; less than any tokenizer's longest word, so that most pieces are known at once


class TokenCounter:
    """Counts and encodes texts by a tokenizer of the ``tokenizers`` package that neither truncates nor pads."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        token = getattr(tokenizer.model, "unk_token", None)  # some kinds of models have no such token
        self._unknown: int | None = None if token is None else tokenizer.token_to_id(token)
        self._special = int(tokenizer.num_special_tokens_to_add(False))
        self._by_word = splits_at_spaces(tokenizer)
        self._count_short = lru_cache(maxsize=_CACHED_WORDS)(self._count_word)

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, special tokens included."""
        if not self._by_word:
            return [len(encoding.ids) for _, encoding in self.encode(texts)] if texts else []
        return [
            self._special
            + sum(
                self._count_short(word) if len(word) <= _LONGEST_CACHED else self._count_word(word)
                for word in _WORD.findall(text)
            )
            for text in texts
        ]

    def encode(self, texts: Sequence[str]) -> list[tuple[str, Any]]:
        """Return each text as it is read, and its encoding.

        Words that would become one unknown token have spaces in them; no character is lost or moved. A text without
        such a word is returned unchanged.
        """
        # One text alone is encoded in this thread: the tokenizer's thread pool would cost more than it saves.
        encode = self.tokenizer.encode
        encodings = self.tokenizer.encode_batch(list(texts)) if len(texts) > 1 else [encode(text) for text in texts]
        readable = list(zip(texts, encodings, strict=True))
        for n, (text, encoding) in enumerate(readable):
            words = self._unknown_words(encoding)
            if words:
                cut = self._cut_up(text, words)
                readable[n] = cut, encode(cut)
        return readable

    def _count_word(self, word: str) -> int:
        ((_, encoding),) = self.encode([word])
        return len(encoding.ids) - self._special

    def _unknown_words(self, encoding: Any) -> list[tuple[int, int]]:
        """Return the spans of more than one character that became one unknown token."""
        if self._unknown is None or self._unknown not in encoding.ids:
            return []
        spans = zip(encoding.ids, encoding.offsets, strict=True)
        return [(start, end) for token, (start, end) in spans if token == self._unknown and end - start > 1]

    def _cut_up(self, text: str, words: Sequence[tuple[int, int]]) -> str:
        @lru_cache(maxsize=4096)
        def is_known(piece: str) -> bool:
            return self._unknown not in self.tokenizer.encode(piece, add_special_tokens=False).ids

        parts, position = [], 0
        for start, end in words:
            parts += [text[position:start], " ".join(_pieces(text[start:end], is_known))]
            position = end
        return "".join([*parts, text[position:]])


def _pieces(word: str, is_known: Any) -> Iterator[str]:
    """Yield a word's pieces: each unknown character alone, and the longest known pieces between them."""
    stretches = ("".join(group) for _, group in groupby(word, key=lambda c: is_known(c) or c))
    for stretch in stretches:
        for start in range(0, len(stretch), _LONGEST_PIECE):
            yield from _known_pieces(stretch[start : start + _LONGEST_PIECE], is_known)


def _known_pieces(piece: str, is_known: Any) -> Iterator[str]:
    if len(piece) == 1 or is_known(piece):
        yield piece
        return
    middle = len(piece) // 2
    yield from _known_pieces(piece[:middle], is_known)
    yield from _known_pieces(piece[middle:], is_known)


def splits_at_spaces(tokenizer: Any) -> bool:
    """Return whether each word has the same tokens whatever text is around it."""
    parts = json.loads(tokenizer.to_str())
    kinds = {name: (parts[name] or {}).get("type") for name in ("normalizer", "pre_tokenizer", "model")}
    of_bert = {"normalizer": "BertNormalizer", "pre_tokenizer": "BertPreTokenizer", "model": "WordPiece"}
    added = [token["content"] for token in parts["added_tokens"]]
    return kinds == of_bert and parts["normalizer"]["clean_text"] and not any(map(re.compile(r"\s").search, added))


def untruncated(tokenizer: Any) -> Any:
    """Return a copy of a tokenizer of the ``tokenizers`` package that neither truncates nor pads."""
    from tokenizers import Tokenizer

    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy
