"""Scores of tokens to spans of characters.

A span's score is the sum of its start's and its end's logit; the first token's two are the score of "no answer". Where
a span may start and end decides :mod:`rag.extractive_qa.edges`.

A span stays in one block of the text. Passages are Markdown or plain text whose lines may be wrapped anywhere, so a
single line break between words does not end a block. Blank lines, the ends of headings, the starts of list items and
the borders of table cells do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rag.extractive_qa.edges import edges
from rag.extractive_qa.windows import Window

__all__ = ["SpanScore", "best_spans", "block_of", "null_score"]

Float32 = npt.NDArray[np.float32]

_NEVER = np.float32(-1e9)
_BREAK = re.compile(
    r"\n[^\S\n]*\n"  # a blank line
    r"|^[ \t]*#{1,6}[ \t][^\n]*(?=\n)"  # a heading: the place is its end
    r"|\n(?=[ \t]*(?:[-*+•][ \t]|\d{1,3}[.)][ \t]))"  # an item follows
    r"|\n(?=[ \t]*\|)",  # a row follows
    re.MULTILINE,
)
_ROW = re.compile(r"^[ \t]*\|[^\n]*(?:\n|\Z)", re.MULTILINE)
_BORDER = re.compile(r"(?<!\\)\||\n")
_MAY_BREAK = re.compile(r"[\n|]")


@dataclass(frozen=True, slots=True)
class SpanScore:
    """``passage[start:end]`` and the sum of its logits."""

    start: int
    end: int
    score: float


def best_spans(
    window: Window, passage: str, start: Float32, end: Float32, *, longest: int, count: int = 1
) -> list[SpanScore]:
    """Return the ``count`` best spans of one window, best first. ``start`` and ``end`` are logits (tokens,).

    A span has at most ``longest`` tokens, all in one block. Among equal scores the one that begins first wins, then the
    shorter. A window without a permitted span has none.
    """
    width = window.last - window.first
    begins, closes = edges(passage, window.starts, window.ends)
    left = np.where(begins, start[window.first : window.last], _NEVER)
    right = np.where(closes, end[window.first : window.last], _NEVER)
    reach = min(longest, width)
    padded = np.concatenate([right, np.full(reach, _NEVER, dtype=right.dtype)])
    table = left[:, None] + np.lib.stride_tricks.sliding_window_view(padded, reach)[:width]
    if _MAY_BREAK.search(passage):
        blocks = block_of(passage, window.starts)
        ahead = np.lib.stride_tricks.sliding_window_view(np.concatenate([blocks, np.full(reach, -1)]), reach)[:width]
        table = np.where(ahead == blocks[:, None], table, _NEVER)
    flat = table.ravel()
    taken = min(count, flat.size)
    least = np.partition(flat, flat.size - taken)[flat.size - taken]
    best = np.flatnonzero((flat >= least) & (flat > _NEVER / 2))  # all equals of the last, so that order decides
    best = best[np.argsort(-flat[best], kind="stable")][:taken]
    found: list[SpanScore] = []
    for place in best.tolist():
        first, length = divmod(place, reach)
        begin, close = window.characters(window.first + first, window.first + first + length)
        found.append(SpanScore(begin, close, float(flat[place])))
    return found


def block_of(passage: str, places: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Return for each place (a character of the passage) the number of its block."""
    breaks = [found.end() for found in _BREAK.finditer(passage)]
    if "|" in passage:
        rows = _ROW.finditer(passage)
        borders = [found.span() for row in rows for found in _BORDER.finditer(passage, row.start(), row.end())]
        breaks += [place for border in borders for place in border]
    return np.searchsorted(np.unique(np.array(breaks, dtype=np.int64)), places, side="right")


def null_score(start: Sequence[float] | Float32, end: Sequence[float] | Float32) -> float:
    """Return the score of "no answer": the first token as start and as end."""
    return float(start[0]) + float(end[0])
