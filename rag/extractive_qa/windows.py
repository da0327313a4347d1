"""Question and passage to the token windows that an encoder reads, and back from tokens to characters.

The context line of a passage (title and headings) stands before it, on a line of its own. A passage longer than a
window becomes several windows that overlap by ``stride`` tokens; the first has the context line. Offsets are those of
the fast tokenizer, without the space that some tokenizers add to a word and with the accents that others leave out, so
that ``passage[start:end]`` is the text of the tokens. A token of white space ends where it starts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from rag.embedding.token_counter import untruncated
from rag.errors import ModelError

__all__ = ["Pair", "Window", "WindowSettings", "Windower"]

Int32 = npt.NDArray[np.int32]

_SURROGATES = re.compile("[\ud800-\udfff]")  # possible in JSON files and on command lines; tokenizers refuse them


class Pair(NamedTuple):
    """A question and a passage. ``context`` (title and headings) is read before the passage and holds no answer."""

    question: str
    passage: str
    context: str = ""

    @property
    def text(self) -> str:
        """The passage with its context line on a line before it."""
        return f"{self.context}\n{self.passage}" if self.context else self.passage


class WindowSettings(BaseModel):
    """Sizes in tokens: of a whole window, of the overlap of two, of the longest question and of the longest answer."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    size: int = Field(320, ge=32)
    stride: int = Field(96, ge=0)
    question: int = Field(64, ge=8)
    answer: int = Field(30, ge=1)


@dataclass(frozen=True, slots=True)
class Window:
    """One window of passage ``pair``. The passage's tokens are ``first`` to ``last``, excluding ``last``.

    ``starts`` and ``ends`` are the characters of the passage where each of these tokens starts and ends; neither
    decreases from one token to the next.
    """

    pair: int
    ids: tuple[int, ...]
    types: tuple[int, ...]
    first: int
    last: int
    starts: Int32
    ends: Int32

    def locate(self, start: int, end: int) -> tuple[int, int] | None:
        """Return the first and last token with characters of ``start`` to ``end``, excluding ``end``.

        None if the window lacks some of the characters, or no token represents any of them.
        """
        if not len(self.starts) or start < self.starts[0] or end > self.ends[-1] or start >= end:
            return None
        left = int(np.searchsorted(self.ends, start, side="right"))
        right = int(np.searchsorted(self.starts, end, side="left")) - 1
        tokens = left + np.flatnonzero(self.ends[left : right + 1] > self.starts[left : right + 1])
        return (self.first + int(tokens[0]), self.first + int(tokens[-1])) if len(tokens) else None

    def characters(self, first: int, last: int) -> tuple[int, int]:
        """Return the characters of tokens ``first`` to ``last``, both included."""
        return int(self.starts[first - self.first]), int(self.ends[last - self.first])


class Windower:
    """Cuts pairs of question and passage with one tokenizer. Safe to call from many threads.

    ``tokenizer`` is one of the tokenizers library, together with the number of its padding token, or a fast one of
    transformers. Raises :class:`~rag.errors.ModelError` for any other, or sizes that leave no room.
    """

    def __init__(self, tokenizer: Any, settings: WindowSettings, *, padding: int | None = None) -> None:
        fast = _fast(tokenizer)
        special = fast.num_special_tokens_to_add(is_pair=True)
        if settings.size - settings.question - special <= settings.stride:
            raise ModelError(
                f"a window of {settings.size} tokens has no room beside a question of {settings.question} and an "
                f"overlap of {settings.stride}",
                "make the window larger, or question and stride smaller",
            )
        self.tokenizer = tokenizer
        self.settings = settings
        self.padding: int = padding if padding is not None else getattr(tokenizer, "pad_token_id", None) or 0
        self._whole, self._cutting = untruncated(fast), untruncated(fast)
        self._cutting.enable_truncation(
            settings.size, stride=settings.stride, strategy="only_second", direction="right"
        )

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text, without special ones."""
        written = [_SURROGATES.sub("\ufffd", text) for text in texts]
        return [len(e.ids) for e in self._whole.encode_batch(written, add_special_tokens=False)]

    def shorten(self, questions: Sequence[str]) -> tuple[list[str], list[int]]:
        """Return the questions, cut to the longest allowed, and the numbers of those that were cut."""
        texts = [_SURROGATES.sub("\ufffd", text) for text in questions]
        pending = dict.fromkeys(range(len(texts)), self.settings.question)
        cut: list[int] = []
        while pending:  # again, because a cut word may have more tokens than before
            longer = {}
            encodings = self._whole.encode_batch([texts[n] for n in pending], add_special_tokens=False)
            for (n, most), encoding in zip(pending.items(), encodings, strict=True):
                if len(encoding.ids) > self.settings.question:
                    texts[n] = texts[n][: encoding.offsets[most - 1][1]] if most else ""
                    longer[n] = max(most - 1, 0)
            cut = cut or list(longer)
            pending = longer
        return texts, cut

    def cut(self, pairs: Sequence[Pair]) -> list[Window]:
        """Return the windows of all pairs, in order; a passage without a token has none."""
        if not pairs:
            return []
        questions, _ = self.shorten([pair.question for pair in pairs])
        written = [_SURROGATES.sub("\ufffd", pair.text) for pair in pairs]
        windows = []
        for n, encoding in enumerate(self._cutting.encode_batch(list(zip(questions, written, strict=True)))):
            lead = len(written[n]) - len(pairs[n].passage)
            for part in (encoding, *encoding.overflowing):
                inside = [i for i, side in enumerate(part.sequence_ids) if side == 1 and part.offsets[i][0] >= lead]
                if inside:
                    first, last = inside[0], inside[-1] + 1
                    offsets = _fitted([(a - lead, b - lead) for a, b in part.offsets[first:last]], pairs[n].passage)
                    windows.append(
                        Window(n, tuple(part.ids), tuple(part.type_ids), first, last, offsets[:, 0], offsets[:, 1])
                    )
        return windows


def _fast(tokenizer: Any) -> Any:
    if getattr(tokenizer, "is_fast", False):
        return tokenizer.backend_tokenizer
    if not hasattr(tokenizer, "encode_batch"):
        raise ModelError(
            f"the tokenizer {type(tokenizer).__name__} is not a fast one and gives no token offsets",
            "choose an encoder whose folder holds a tokenizer.json",
        )
    return tokenizer


def _fitted(offsets: Sequence[tuple[int, int]], passage: str) -> Int32:
    """Return offsets (tokens, 2) without space around a token, and with the accents after its last letter."""
    fitted = []
    for start, end in offsets:
        while start < end and passage[start].isspace():
            start += 1
        while start < end and passage[end - 1].isspace():
            end -= 1
        while start < end < len(passage) and unicodedata.category(passage[end])[0] == "M":
            end += 1
        fitted.append((start, end))
    return np.maximum.accumulate(np.array(fitted, dtype=np.int32))  # locate() searches in them
