"""The straight lines that are drawn on a page of a PDF: the rules of its tables.

Lines, thin filled boxes, and the edges of boxes that are drawn with a pen count. The work is bounded: of a page with
very many drawings, such as a map, only the first are looked at.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rag.ingestion.loaders.pdf_chars import turned_points

__all__ = ["Rules", "read_rules"]

_MOST_OBJECTS = 20_000
_MOST_SEGMENTS = 40_000
_MOST_RULES = 1_000  # in each direction, after merging; a page with more shows a drawing
_MOST_NESTED = 3
_THIN = 3.0  # points: a filled box that is thinner is a rule
_CHECK_BOX = 15.0  # points: smaller boxes that are drawn with a pen are no cells
_STRAIGHT = 1.0
_SHORTEST = 6.0
_NEAR = 1.5


class Rules(NamedTuple):
    """Rules in the frame of a text direction, in points: (n, 3) arrays of start, end, and the place across."""

    horizontal: NDArray[np.float64]
    vertical: NDArray[np.float64]


Matrix = tuple[float, float, float, float, float, float]
_UNIT: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class _Budget:
    def __init__(self) -> None:
        self.objects = _MOST_OBJECTS
        self.segments = _MOST_SEGMENTS


def read_rules(page: Any, direction: int) -> Rules:
    """Return the rules of a page in the frame of a text direction, pieces of one line merged."""
    lines = list(_lines(page, _UNIT, _Budget(), 0))
    empty = np.zeros((0, 3))
    if not lines:
        return Rules(empty, empty)
    points = np.array(lines, np.float64).reshape(-1, 2)
    ends = turned_points(np.nan_to_num(points, nan=0.0, posinf=0.0, neginf=0.0), direction).reshape(-1, 2, 2)
    low, high = ends.min(axis=1), ends.max(axis=1)
    width, height = (high - low).T
    flat = (height <= _STRAIGHT) & (width > height)
    tall = (width <= _STRAIGHT) & (height > width)
    across = np.stack([low[flat, 0], high[flat, 0], (low[flat, 1] + high[flat, 1]) / 2], axis=1)
    down = np.stack([low[tall, 1], high[tall, 1], (low[tall, 0] + high[tall, 0]) / 2], axis=1)
    return Rules(_merged(across), _merged(down))


def _merged(rules: NDArray[np.float64]) -> NDArray[np.float64]:
    """Merge pieces of one line; return none if too many are left."""
    merged: list[list[float]] = []
    line = 0.0
    for start, end, place in sorted(map(tuple, rules.tolist()), key=lambda rule: (round(rule[2] / _NEAR), rule[0])):
        same = merged and round(place / _NEAR) == line
        if same and start <= merged[-1][1] + 2 * _NEAR:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end, place])
            line = round(place / _NEAR)
    long = [rule for rule in merged if rule[1] - rule[0] >= _SHORTEST]
    return np.array(long if len(long) <= _MOST_RULES else [], np.float64).reshape(-1, 3)


def _lines(owner: Any, matrix: Matrix, budget: _Budget, depth: int) -> Iterator[tuple[float, float, float, float]]:
    import pypdfium2.raw as pdfium

    count, get = (
        (pdfium.FPDFFormObj_CountObjects, pdfium.FPDFFormObj_GetObject)
        if depth
        else (pdfium.FPDFPage_CountObjects, pdfium.FPDFPage_GetObject)
    )
    for number in range(count(owner)):
        if budget.objects <= 0 or budget.segments <= 0:
            return
        budget.objects -= 1
        thing = get(owner, number)
        kind = pdfium.FPDFPageObj_GetType(thing)
        if kind == pdfium.FPDF_PAGEOBJ_PATH:
            yield from _path_lines(thing, matrix, budget)
        elif kind == pdfium.FPDF_PAGEOBJ_FORM and depth < _MOST_NESTED:
            yield from _lines(thing, _product(_matrix(thing), matrix), budget, depth + 1)


def _path_lines(path: Any, matrix: Matrix, budget: _Budget) -> Iterator[tuple[float, float, float, float]]:
    import pypdfium2.raw as pdfium

    count = pdfium.FPDFPath_CountSegments(path)
    budget.segments -= max(count, 1)
    if budget.segments <= 0 or count < 2:
        return
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(path, fill, stroke)
    if not fill.value and not stroke.value:
        return
    matrix = _product(_matrix(path), matrix)
    for corners in _outlines(path, count, matrix):
        left, right = min(x for x, _ in corners), max(x for x, _ in corners)
        bottom, top = min(y for _, y in corners), max(y for _, y in corners)
        if min(right - left, top - bottom) <= _THIN:
            if right - left >= top - bottom:
                yield left, (bottom + top) / 2, right, (bottom + top) / 2
            else:
                yield (left + right) / 2, bottom, (left + right) / 2, top
        elif stroke.value and max(right - left, top - bottom) > _CHECK_BOX:
            for (x, y), (u, v) in pairwise(corners):
                yield x, y, u, v


def _outlines(path: Any, count: int, matrix: Matrix) -> Iterable[list[tuple[float, float]]]:
    """Yield the corners of each part of a path whose sides are straight."""
    import pypdfium2.raw as pdfium

    x, y = ctypes.c_float(), ctypes.c_float()
    a, b, c, d, e, f = matrix
    corners: list[tuple[float, float]] = []
    curved = False
    for number in range(count):
        segment = pdfium.FPDFPath_GetPathSegment(path, number)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            if len(corners) > 1 and not curved:
                yield corners
            corners, curved = [], False
        curved |= kind == pdfium.FPDF_SEGMENT_BEZIERTO
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        corners.append((a * x.value + c * y.value + e, b * x.value + d * y.value + f))
        if pdfium.FPDFPathSegment_GetClose(segment):
            corners.append(corners[0])
    if len(corners) > 1 and not curved:
        yield corners


def _matrix(thing: Any) -> Matrix:
    import pypdfium2.raw as pdfium

    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(thing, matrix):
        return _UNIT
    return matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f


def _product(first: Matrix, second: Matrix) -> Matrix:
    a, b, c, d, e, f = first
    g, h, i, j, k, m = second
    return (
        a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m
    )  # fmt: skip
