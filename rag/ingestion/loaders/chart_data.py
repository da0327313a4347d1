"""The data of an Office chart as tables: one row for each category or x value, one column for each series.

Charts hold the values that were shown last, so nothing is computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rag.ingestion.loaders.grid import Table, plain_table
from rag.ingestion.loaders.number_format import general, shown
from rag.ingestion.loaders.office_package import children, first_child, local_name, named
from rag.text import one_line

__all__ = ["chart_tables"]

_PLOT = "Chart"  # how the names of plots end: barChart, scatterChart
_MOST_POINTS = 10_000
_LEVELS = " / "


def chart_tables(root: Any) -> Iterator[Table]:
    """Yield a table for each plot of a chart part (``c:chartSpace``), with the chart's title above the first."""
    chart = first_child(root, "chart")
    area = first_child(chart, "plotArea") if chart is not None else None
    if area is None:
        return
    title = _title(chart)
    axes = [_title(axis) for axis in area if local_name(axis) in ("catAx", "valAx", "dateAx", "serAx")]
    names = ", ".join(filter(None, axes))
    for plot in area:
        if not local_name(plot).endswith(_PLOT):
            continue
        series = list(children(plot, "ser"))
        if not series:
            continue
        above = tuple(filter(None, (title, f"({names})" if names else "")))
        table = _points(series) if first_child(series[0], "xVal") is not None else _categories(series)
        if table.rows:
            yield Table(table.header, table.rows, above)
        title = names = ""


def _categories(series: list[Any]) -> Table:
    labels: dict[int, str] = {}
    for one in series:
        for place, label in _labels(first_child(one, "cat")).items():
            labels.setdefault(place, label)
    columns = [_values(first_child(one, "val")) for one in series]
    places = sorted({*labels, *(place for column in columns for place in column)})
    rows = [[labels.get(n, str(n + 1)), *(column.get(n, "") for column in columns)] for n in places[:_MOST_POINTS]]
    return plain_table(["", *map(_series_name, series)], rows)


def _points(series: list[Any]) -> Table:
    """Return the points of scatter and bubble charts; series with the same x values share rows."""
    rows: list[list[str]] = []
    by_x: dict[str, list[str]] = {}
    for number, one in enumerate(series):
        xs, ys, sizes = (_values(first_child(one, name)) for name in ("xVal", "yVal", "bubbleSize"))
        xs = xs or _labels(first_child(one, "xVal"))
        seen: set[str] = set()
        for place in sorted({*xs, *ys})[:_MOST_POINTS]:
            x = xs.get(place, str(place + 1))
            if x in seen or x not in by_x:
                rows.append([x, *[""] * len(series)])
                by_x[x] = rows[-1]
            seen.add(x)
            size = sizes.get(place, "")
            by_x[x][number + 1] = f"{ys.get(place, '')} (size {size})" if size else ys.get(place, "")
    return plain_table(["x", *map(_series_name, series)], rows)


def _series_name(series: Any) -> str:
    text = first_child(series, "tx")
    if text is None:
        return ""
    return one_line(" ".join(value.text or "" for value in named(text, "v")))


def _title(element: Any) -> str:
    title = first_child(element, "title")
    if title is None:
        return ""
    rich = [part.text or "" for part in named(title, "t")]
    return one_line("".join(rich) or " ".join(value.text or "" for value in named(title, "v")))


def _labels(source: Any) -> dict[int, str]:
    """Return the labels by place; those of several levels are joined, the outer one first: ``2030 / Q1``."""
    if source is None:
        return {}
    levels = [dict(_texts(level)) for level in named(source, "lvl")]
    if not levels:
        return _values(source)
    labels = {}
    places = sorted({place for level in levels for place in level})
    for place in range(places[0], min(places[-1] + 1, _MOST_POINTS)) if places else ():
        parts = []
        for depth, level in enumerate(reversed(levels)):
            inner = depth == len(levels) - 1
            at = place if inner else max((n for n in level if n <= place), default=-1)
            parts.append(level.get(at, ""))
        labels[place] = _LEVELS.join(filter(None, parts))
    return labels


def _values(source: Any) -> dict[int, str]:
    """Return the points of a series as shown, by place."""
    if source is None:
        return {}
    code = next((element.text or "" for element in named(source, "formatCode")), "General")
    return {place: _shown(text, code) for place, text in _texts(source)}


def _texts(source: Any) -> Iterator[tuple[int, str]]:
    for point in named(source, "pt"):
        value = first_child(point, "v")
        index = point.get("idx", "")
        if value is not None and value.text and index.isdigit():
            yield int(index), one_line(value.text)


def _shown(text: str, code: str) -> str:
    try:
        number = float(text)
    except ValueError:
        return text
    return shown(number, code) if code and code != "General" else general(number)
