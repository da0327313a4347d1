"""The order in which people read boxes on a slide: cut at gaps into rows and columns, the widest gap first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Box", "reading_order"]

_TOUCHING = 0.1  # of the smaller box: boxes that overlap by less lie beside each other
_DEEPEST = 100


class Box(NamedTuple):
    """Where a thing lies, in any unit; ``number`` is its place in the file."""

    left: float
    top: float
    right: float
    bottom: float
    number: int


def reading_order(boxes: Sequence[Box], depth: int = 0) -> list[int]:
    """Return the numbers of boxes from top to bottom and left to right; columns are read one after the other."""
    if len(boxes) < 2 or depth > _DEEPEST:
        return [box.number for box in sorted(boxes, key=lambda box: (box.top, box.left, box.number))]
    rows, row_gap = _parts([(box.top, box.bottom, box) for box in boxes])
    columns, column_gap = _parts([(box.left, box.right, box) for box in boxes])
    parts = columns if len(columns) > 1 and (len(rows) < 2 or column_gap > row_gap) else rows
    if len(parts) < 2:
        return [box.number for box in sorted(boxes, key=lambda box: (box.top, box.left, box.number))]
    return [number for part in parts for number in reading_order(part, depth + 1)]


def _parts(spans: list[tuple[float, float, Box]]) -> tuple[list[list[Box]], float]:
    """Cut boxes at the widest gap between their spans on one axis; return the parts, and that gap."""
    ordered = sorted(spans, key=lambda span: span[0])
    best, place, end = -1.0, 0, ordered[0][1]
    for number, (start, stop, _) in enumerate(ordered[1:], start=1):
        gap = start - end
        if gap > best and gap >= -_TOUCHING * min(stop - start, end - ordered[0][0]):
            best, place = gap, number
        end = max(end, stop)
    if not place:
        return [[box for _, _, box in ordered]], 0.0
    return [[box for _, _, box in ordered[:place]], [box for _, _, box in ordered[place:]]], best
