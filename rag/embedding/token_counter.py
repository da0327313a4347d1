"""How many tokens a text is, word by word where the tokenizer allows it.

A chunker asks for the same words again and again: as a section, as its parts, as overlaps. A WordPiece tokenizer of
BERT's kind cuts at every space before it does anything else, so that a text is as many tokens as its words together,
and a word is counted once. Of any other tokenizer that is not taken for granted, and texts are read whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from rag.embedding.legible import legible

__all__ = ["TokenCounts", "splits_at_spaces"]

# Only what BERT's normalizer leaves as a space: it removes other control characters, and so joins what they separate.
_SPACES = " \t\n\r"
_WORD = re.compile(f"[^{_SPACES}]+")
_REMEMBERED = 1 << 16  # words
_LONGEST_REMEMBERED = 64  # characters


class TokenCounts:
    """Counts the tokens of texts by a tokenizer (of the ``tokenizers`` package) that neither cuts nor pads.

    Special tokens are counted, and texts are made legible (:mod:`rag.embedding.legible`).
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._special = int(tokenizer.num_special_tokens_to_add(False))
        self._by_word = splits_at_spaces(tokenizer)
        self._of_short_word = lru_cache(maxsize=_REMEMBERED)(self._of_word)

    def of(self, texts: Sequence[str]) -> list[int]:
        """Return each text's tokens."""
        if self._by_word:
            return [self._special + sum(map(self._of_remembered, _WORD.findall(text))) for text in texts]
        return [len(encoding.ids) for _, encoding in legible(self._tokenizer, texts)] if texts else []

    def _of_remembered(self, word: str) -> int:
        return self._of_short_word(word) if len(word) <= _LONGEST_REMEMBERED else self._of_word(word)

    def _of_word(self, word: str) -> int:
        ((_, encoding),) = legible(self._tokenizer, [word])
        return len(encoding.ids) - self._special


def splits_at_spaces(tokenizer: Any) -> bool:
    """Tell whether each word is made into tokens alone, whatever stands around it."""
    parts = json.loads(tokenizer.to_str())
    kinds = {name: (parts[name] or {}).get("type") for name in ("normalizer", "pre_tokenizer", "model")}
    of_bert = {"normalizer": "BertNormalizer", "pre_tokenizer": "BertPreTokenizer", "model": "WordPiece"}
    added = [token["content"] for token in parts["added_tokens"]]
    return kinds == of_bert and parts["normalizer"]["clean_text"] and not any(map(re.compile(r"\s").search, added))
