"""A stretch of a document: neighboring passages as one text, in which a list or table that was cut is whole again.

Passages overlap or follow each other; white space between them is not stored, so it is filled in as line ends. Where
more than that is missing, the stretch ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rag.types import Passage

__all__ = ["AROUND", "Neighbors", "Stretch", "stretch_around"]

AROUND = 20_000  # characters read on each side of a passage
_MOST_BETWEEN = 4  # characters of white space between two passages

Neighbors = Callable[[Passage, int], Sequence[Passage]]
"""Returns the chunks of a passage's document within so many characters of it, the passage itself included."""


@dataclass(frozen=True)
class Stretch:
    """Passages of one document in their order, and their joint ``text``, which begins at ``start`` of the document.

    ``cut_before`` and ``cut_after`` say that the document may go on beyond the text.
    """

    passages: tuple[Passage, ...]
    text: str
    start: int
    cut_before: bool
    cut_after: bool

    def place(self, passage: Passage, offset: int) -> int:
        """Return the place in ``text`` of an offset in a passage's text."""
        return passage.start + offset - self.start

    def holder(self, place: int) -> Passage:
        """Return the first passage that holds a character of the text, or the nearest one before it."""
        document = self.start + place
        before = [p for p in self.passages if p.start <= document]
        return next((p for p in before if document < p.end), (before or self.passages)[-1])

    def pieces(self, start: int, end: int, first: Passage | None = None) -> Iterator[tuple[Passage, int, int]]:
        """Yield (passage, start, end) that cover ``text[start:end]``; offsets are those of the passage's text.

        What ``first`` holds is taken from it, the rest from the other passages.
        """
        begin, close = self.start + start, self.start + end
        left = [(begin, close)]
        for passage in sorted(self.passages, key=lambda p: p is not first):
            rest = []
            for a, b in left:
                low, high = max(a, passage.start), min(b, passage.start + len(passage.text))
                if low >= high or not passage.text[low - passage.start : high - passage.start].strip():
                    rest.append((a, b))
                    continue
                yield passage, low - passage.start, high - passage.start
                rest += [(x, y) for x, y in ((a, low), (high, b)) if x < y]
            left = rest


def stretch_around(passage: Passage, retrieved: Sequence[Passage], neighbors: Neighbors | None = None) -> Stretch:
    """Return the stretch that holds a passage: of the stored chunks around it, or only of what was retrieved."""
    stored = [] if neighbors is None else list(neighbors(passage, AROUND))
    texts = {other.id: other.text for other in stored}
    known = texts.get(passage.id) == passage.text  # else the document has changed since
    here = [p for p in retrieved if p.source == passage.source and (not known or texts.get(p.id) == p.text)]
    held_once = {p.id: p for p in [*(stored if known else ()), *here, passage]}
    by_start = sorted(held_once.values(), key=lambda p: (p.start, p.end))
    place = by_start.index(passage)
    first, last = place, place
    while first > 0 and _joins(by_start[first - 1], by_start[first]):
        first -= 1
    while last + 1 < len(by_start) and _joins(by_start[last], by_start[last + 1]):
        last += 1
    held = by_start[first : last + 1]
    text = ""
    for part in held:
        position = part.start - held[0].start
        text = text.ljust(position, "\n") + part.text[max(0, len(text) - position) :]
    start, end = held[0].start, held[0].start + len(text)
    cut_before = start > 0 and (not known or start <= passage.start - AROUND + _MOST_BETWEEN)
    cut_after = not known or end >= passage.end + AROUND - _MOST_BETWEEN
    return Stretch(tuple(held), text, start, cut_before, cut_after)


def _joins(before: Passage, after: Passage) -> bool:
    return after.start - before.end <= _MOST_BETWEEN
