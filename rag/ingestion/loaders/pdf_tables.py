"""The tables of a page of a PDF as rows of cells: those that are ruled, and those whose cells are only aligned.

Ruled tables come first: the rules make the grid, missing rules merge cells, and a character belongs to the cell in
which its middle is. What the rows mean (header, title, notes) is decided in :mod:`.grid`, as for all formats.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

from rag.ingestion.loaders.grid import BLANK, Cell, Span, Table, expand, read_tables
from rag.ingestion.loaders.grid_header import is_value
from rag.ingestion.loaders.pdf_bidi import is_rtl
from rag.ingestion.loaders.pdf_chars import CharGroup
from rag.ingestion.loaders.pdf_columns import Cells, Interval
from rag.ingestion.loaders.pdf_lines import Atom, atoms_of, joined, rows_of
from rag.ingestion.loaders.pdf_rules import Rules

__all__ = ["PdfTable", "aligned_table", "ruled_tables"]

_NEAR = 3.0  # points: rules that are nearer are one line of the grid
_MOST_CELLS = 5_000
_LONGEST_CELL = 1_500  # characters; a page that is laid out with boxes has longer ones
_GUTTER = 0.7  # of the font's size
_TIGHT = 1.3  # of the smallest step between lines: larger steps are between rows


@dataclass(frozen=True, slots=True)
class PdfTable:
    """A table, its box in points (left, bottom, right, top), and its characters row by row.

    ``texts`` are the lines of its cells as they were read, ``places`` pdfium's indexes of their characters, ``doubled``
    those of characters that are drawn twice. ``size`` is that of the font in points.
    """

    tables: list[Table]
    box: tuple[float, float, float, float]
    places: list[int]
    texts: list[str]
    size: float
    doubled: tuple[int, ...] = ()


def ruled_tables(group: CharGroup, rules: Rules) -> Iterator[tuple[PdfTable, NDArray[np.intp]]]:
    """Yield the ruled tables of a page, each with the places in the group of its characters."""
    middle = (group.box[:, :2] + group.box[:, 2:]) / 2
    taken = np.zeros(len(group), np.bool_)
    for xs, ys, has_left, has_top in _grids(rules):
        inside = (middle[:, 0] > xs[0]) & (middle[:, 0] < xs[-1]) & (middle[:, 1] > ys[0]) & (middle[:, 1] < ys[-1])
        chosen = np.flatnonzero(inside & ~taken)
        if not len(chosen):
            continue
        columns = np.searchsorted(xs, middle[chosen, 0]) - 1
        rows = len(ys) - 1 - np.searchsorted(ys, middle[chosen, 1])
        table = _ruled(group, chosen, rows, columns, (xs, ys, has_left, has_top))
        if table is not None:
            taken[chosen] = True
            yield table, chosen


def aligned_table(cells: Cells, em: float) -> PdfTable:
    """Return a table without rules. ``em`` is the usual size of the font in points."""
    parts = _parts(cells, em)
    lines = [_placed(row, parts) for row in cells.rows]
    return _table([_cells(row, len(parts)) for row in _wrapped(lines)], cells.rows)


Placed = list[tuple[int, int, list[Atom]]]
"""The pieces of a line by the first and the last column that they cover."""


def _parts(cells: Cells, em: float) -> list[Interval]:
    """Return the columns of a table; a few lines that cross a gutter, such as names above two columns, do not count."""
    bounds: list[tuple[float, int]] = []
    for row in cells.rows:
        for left, right in _covered(row, em):
            bounds += [(left, 1), (right, -1)]
    tolerated = len(cells.rows) // 6 if len(cells.rows) > 2 else 0
    tolerated = max(tolerated, int(len(cells.rows) > 3))
    covered, parts, start = 0, list[Interval](), 0.0
    for place, step in sorted(bounds):
        before, covered = covered, covered + step
        if before <= tolerated < covered:
            is_near = bool(parts) and place - parts[-1][1] < _GUTTER * em
            start = parts.pop()[0] if is_near else place
        elif covered <= tolerated < before:
            parts.append((start, place))
    return parts if len(parts) >= len(cells.columns) else cells.columns


def _covered(row: Sequence[Atom], em: float) -> list[Interval]:
    covered: list[Interval] = []
    for atom in row:
        if covered and atom.left - covered[-1][1] < _GUTTER * em:
            covered[-1] = covered[-1][0], max(covered[-1][1], atom.right)
        else:
            covered.append((atom.left, atom.right))
    return covered


def _placed(row: Sequence[Atom], parts: Sequence[Interval]) -> Placed:
    lefts = [left for left, _ in parts]
    placed: Placed = []
    for atom in row:
        middle = max(bisect_right(lefts, (atom.left + atom.right) / 2) - 1, 0)
        covered = [
            n for n, (left, right) in enumerate(parts)
            if min(right, atom.right) - max(left, atom.left) > 0.3 * (right - left)
        ]  # fmt: skip
        first, last = (covered[0], covered[-1]) if len(covered) > 1 else (middle, middle)
        if placed and placed[-1][1] >= first:
            first = placed[-1][0]
            placed[-1] = first, max(placed[-1][1], last), [*placed[-1][2], atom]
        else:
            placed.append((first, last, [atom]))
    return placed


def _wrapped(lines: Sequence[Placed]) -> list[list[Placed]]:
    """Return lines by rows: a line that continues cells of the line above belongs to its row."""
    bases = [line[0][2][0].baseline for line in lines]
    steps = [upper - lower for upper, lower in pairwise(bases)]
    tight = min(steps, default=0.0)
    usual = median(len(line) for line in lines)
    rows: list[list[Placed]] = []
    for number, line in enumerate(lines):
        if number and rows:
            above = rows[-1][-1]
            fewer = len(line) < len(rows[-1][0])
            open_left = line[0][0] > 0 and above[0][0] <= line[0][0]
            near = steps[number - 1] <= _TIGHT * tight
            parted = any(step > _TIGHT * tight for step in steps)
            same = {first for first, _, _ in line} <= {first for first, _, _ in rows[-1][0]}
            values = any(is_value(joined(atoms).text) for _, _, atoms in line)
            if same and near and fewer and not values and ((open_left and len(line) <= usual / 2) or parted):
                rows[-1].append(line)
                continue
        rows.append([line])
    return rows


def _cells(row: Sequence[Placed], width: int) -> list[Cell]:
    texts: dict[int, list[str]] = {}
    spans: dict[int, int] = {}
    strong: dict[int, bool] = {}
    for line in row:
        for first, last, atoms in line:
            texts.setdefault(first, []).append(joined(atoms).text)
            spans[first] = max(spans.get(first, first), last)
            strong[first] = strong.get(first, True) and all(atom.bold for atom in atoms)
    cells: list[Cell] = []
    for place in range(width):
        if place in texts:
            cell = Cell(" ".join(texts[place]), strong=strong[place])
            cells += [cell] * (spans[place] - place + 1)
        elif len(cells) <= place:
            cells.append(BLANK)
    return cells[:width]


def _table(rows: list[list[Cell]], lines: Sequence[Sequence[Atom]]) -> PdfTable:
    written = [joined(line) for line in lines]
    box = (
        min(atom.left for line in lines for atom in line), min(atom.bottom for line in lines for atom in line),
        max(atom.right for line in lines for atom in line), max(atom.top for line in lines for atom in line),
    )  # fmt: skip
    places = [place for text in written for place in text.places]
    texts = [text.text for text in written]
    return PdfTable(_read(rows, texts), box, places, texts, lines[0][0].size)


def _read(rows: Sequence[Sequence[Cell]], texts: Sequence[str]) -> list[Table]:
    """Return the tables of rows of cells; the first column of Hebrew or Arabic is the one on the right."""
    letters = [letter for text in texts for letter in text if letter.isalpha()]
    if 2 * sum(map(is_rtl, letters)) > len(letters):
        rows = [row[::-1] for row in rows]
    return read_tables(list(enumerate(rows, start=1)))


Grid = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]
"""Lines across x from left to right and y from bottom to top; whether cell [row from the top, column] has a rule on its
left, and on its top.
"""


def _grids(rules: Rules) -> Iterator[Grid]:
    """Yield the grids of rules that cross or touch each other, from top to bottom."""
    flat, tall = rules.horizontal, rules.vertical
    if len(flat) < 2 or not len(tall):
        return
    crossing = (
        (tall[None, :, 2] >= flat[:, None, 0] - _NEAR) & (tall[None, :, 2] <= flat[:, None, 1] + _NEAR)
        & (flat[:, None, 2] >= tall[None, :, 0] - _NEAR) & (flat[:, None, 2] <= tall[None, :, 1] + _NEAR)
    )  # fmt: skip
    left = set(range(len(flat)))
    grids = []
    while left:
        rows, columns = {left.pop()}, set[int]()
        fresh = set(rows)
        while fresh:
            found = set(np.flatnonzero(crossing[sorted(fresh)].any(axis=0)).tolist()) - columns
            columns |= found
            fresh = (set(np.flatnonzero(crossing[:, sorted(found)].any(axis=1)).tolist()) if found else set()) - rows
            rows |= fresh
        left -= rows
        if len(rows) > 1 and columns:
            grid = _grid(flat[sorted(rows)], tall[sorted(columns)])
            if grid is not None:
                grids.append(grid)
    yield from sorted(grids, key=lambda grid: -grid[1][-1])


def _grid(flat: NDArray[np.float64], tall: NDArray[np.float64]) -> Grid | None:
    xs = _clustered([*tall[:, 2], flat[:, 0].min(), flat[:, 1].max()])
    ys = _clustered([*flat[:, 2], tall[:, 0].min(), tall[:, 1].max()])
    if len(xs) < 3 or len(ys) < 2 or (len(xs) - 1) * (len(ys) - 1) > _MOST_CELLS:
        return None
    has_left = np.zeros((len(ys) - 1, len(xs) - 1), np.bool_)
    has_top = np.zeros_like(has_left)
    columns, rows = (xs[:-1] + xs[1:]) / 2, (ys[:-1] + ys[1:]) / 2
    for low, high, x in tall:
        n = int(np.abs(xs - x).argmin())
        if n < len(xs) - 1:
            has_left[::-1][(rows > low - _NEAR) & (rows < high + _NEAR), n] = True
    for low, high, y in flat:
        n = int(np.abs(ys - y).argmin())
        if n > 0:
            has_top[len(ys) - 1 - n][(columns > low - _NEAR) & (columns < high + _NEAR)] = True
    return xs, ys, has_left, has_top


def _clustered(values: Sequence[float]) -> NDArray[np.float64]:
    clusters: list[list[float]] = []
    for value in sorted(values):
        if clusters and value - clusters[-1][0] <= _NEAR:
            clusters[-1].append(value)
        else:
            clusters.append([value])
    return np.array([sum(cluster) / len(cluster) for cluster in clusters])


def _ruled(
    group: CharGroup, chosen: NDArray[np.intp], rows: NDArray[np.intp], columns: NDArray[np.intp], grid: Grid
) -> PdfTable | None:
    """Return the table of a grid, None if it looks like a form, a chart or a frame around text."""
    xs, ys, has_left, has_top = grid
    owner = _owners(has_left, has_top)
    owners = owner[rows, columns]
    order = np.argsort(owners, kind="stable")
    texts: dict[int, list[list[Atom]]] = {}
    doubled: list[int] = []
    for run in np.split(order, np.flatnonzero(np.diff(owners[order])) + 1):
        atoms, again = atoms_of(group.take(chosen[run]))
        texts[int(owners[run[0]])] = rows_of(atoms)
        doubled += again
    if len(texts) < 2 or max(sum(a.count for line in lines for a in line) for lines in texts.values()) > _LONGEST_CELL:
        return None
    filled_columns = {n % has_left.shape[1] for n in texts}
    filled_rows = {n // has_left.shape[1] for n in texts}
    if len(filled_columns) < 2 or 4 * len(texts) < len(np.unique(owner)):
        return None
    if len(filled_rows) < 2 and max(map(len, texts.values())) < 2:
        return None
    spans, places, written = _spans(owner, texts)
    box = (float(xs[0]), float(ys[0]), float(xs[-1]), float(ys[-1]))
    size = float(np.median(group.size[chosen]))
    return PdfTable(_read(expand(spans), written), box, places, written, size, tuple(doubled))


def _owners(has_left: NDArray[np.bool_], has_top: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return for each place of a grid the number (row by row) of the cell that covers it."""
    height, width = has_left.shape
    owner = np.full((height, width), -1, np.intp)
    for row in range(height):
        for column in range(width):
            if owner[row, column] >= 0:
                continue
            right = column + 1
            while right < width and not has_left[row, right] and owner[row, right] < 0:
                right += 1
            bottom = row + 1
            while (
                bottom < height
                and not has_top[bottom, column:right].any()
                and not has_left[bottom, column + 1 : right].any()
                and (right == width or has_left[bottom, right] or has_left[row, right])
            ):
                bottom += 1
            owner[row:bottom, column:right] = row * width + column
    return owner


def _spans(
    owner: NDArray[np.intp], texts: dict[int, list[list[Atom]]]
) -> tuple[list[list[Span]], list[int], list[str]]:
    """Return the rows of a grid with their cells; a row of rules with several lines of values is several rows."""
    places: list[int] = []
    written: list[str] = []
    rows: list[list[Span]] = []
    width = owner.shape[1]
    for number in range(owner.shape[0]):
        own = [int(n) for n in dict.fromkeys(owner[number].tolist()) if n // width == number]
        for n in own:
            for line in texts.get(n, ()):
                text = joined(line)
                places += text.places
                written.append(text.text)
        heights = {n: int((owner[:, n % width] == n).sum()) for n in own}
        widths = {n: int((owner[number] == n).sum()) for n in own}
        rows += (
            [Span(cell, heights[n], widths[n]) for n, cell in zip(own, cells, strict=True)]
            for cells in _split(own, heights, texts)
        )
    return rows, places, written


def _split(own: Sequence[int], heights: dict[int, int], texts: dict[int, list[list[Atom]]]) -> list[list[Cell]]:
    """Return the cells of a row of rules; as several rows if its lines are side by side and have values.

    A cell of one line beside them belongs to all of these rows.
    """
    lines = {n: texts.get(n, []) for n in own}
    most = max(map(len, lines.values()), default=0)
    full = [n for n in own if len(lines[n]) == most]
    aligned = most > 1 and len(full) > 1 and all(height == 1 for height in heights.values())
    if aligned and all(len(lines[n]) in (0, 1, most) for n in own) and 2 * len(full) > sum(bool(lines[n]) for n in own):
        values = [n for n in full if all(is_value(joined(line).text) for line in lines[n])]
        bases = [[line[0].baseline for line in lines[n]] for n in full]
        level = all(max(column) - min(column) < 2.0 for column in zip(*bases, strict=True))
        if values and level:
            single = {n: _cell(lines[n]) for n in own if len(lines[n]) < most}
            return [[single.get(n) or _cell(lines[n][k : k + 1]) for n in own] for k in range(most)]
    return [[_cell(lines[n]) for n in own]]


def _cell(lines: Sequence[Sequence[Atom]]) -> Cell:
    if not lines:
        return Cell()
    return Cell(" ".join(joined(line).text for line in lines), strong=all(atom.bold for line in lines for atom in line))
