"""Where a passage's text breaks: what stands on both sides of a break is no one span.

Passages are Markdown as the loaders write it, or plain text whose lines may be wrapped anywhere: a single end of line
between words is no break. Breaks are blank lines, the end of a heading, the beginning of a list's item, and each border
of a table's cells.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

__all__ = ["block_of"]

_BREAK = re.compile(
    r"\n[^\S\n]*\n"  # a blank line
    r"|^[ \t]*#{1,6}[ \t][^\n]*(?=\n)"  # a heading: the place is its end
    r"|\n(?=[ \t]*(?:[-*+•][ \t]|\d{1,3}[.)][ \t]))"  # an item follows
    r"|\n(?=[ \t]*\|)",  # a row follows
    re.MULTILINE,
)
_ROW = re.compile(r"^[ \t]*\|[^\n]*(?:\n|\Z)", re.MULTILINE)
_BORDER = re.compile(r"(?<!\\)\||\n")


def block_of(passage: str, places: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Return for each place (a character of the passage) the number of the block that it is in."""
    breaks = [found.end() for found in _BREAK.finditer(passage)]
    if "|" in passage:
        rows = _ROW.finditer(passage)
        borders = [found.span() for row in rows for found in _BORDER.finditer(passage, row.start(), row.end())]
        breaks += [place for border in borders for place in border]
    return np.searchsorted(np.unique(np.array(breaks, dtype=np.int64)), places, side="right")
