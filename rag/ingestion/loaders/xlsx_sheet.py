"""The rows of a worksheet as a reader sees them: shown values, merged cells in all their places, hidden ones left out.

The sheet is read as a stream, in one pass for the merged ranges and one for the cells. openpyxl's streaming reader
knows neither merged nor hidden cells nor comments, and needs a second pass for formulas; calamine knows no formats.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rag.ingestion.loaders.grid import BLANK, Cell, Row
from rag.ingestion.loaders.number_format import general, shown
from rag.ingestion.loaders.office_package import OfficePackage, first_child, is_true, local_name
from rag.ingestion.loaders.sheet_notes import SheetCounts
from rag.ingestion.loaders.xlsx_parts import Style, rich_text
from rag.text import one_line

__all__ = ["SheetReader", "Workbook"]

_RANGE = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref\s*=\s*[\"']([A-Z]+)(\d+):([A-Z]+)(\d+)[\"']")
_PLACE = re.compile(r"([A-Z]{1,3})(\d+)")
_AT_ONCE = 1 << 20
_LONGEST_TAG = 200
_MOST_MERGED_COLUMNS = 256
_LAST_COLUMN = 16_384


@dataclass(frozen=True, slots=True)
class Workbook:
    """What all sheets of a workbook share."""

    package: OfficePackage
    strings: Sequence[str]
    styles: Sequence[Style]
    since_1904: bool = False


@dataclass(slots=True)
class SheetReader:
    """Reads one sheet; what it left out or could not show is counted while :meth:`rows` is read.

    ``headers`` are the cells that the sheet's tables name as their headers, ``comments`` those of its cells.
    """

    workbook: Workbook
    part: str
    comments: Mapping[str, str] = field(default_factory=dict)
    headers: frozenset[str] = frozenset()
    counts: SheetCounts = field(default_factory=SheetCounts)
    hidden_columns: set[int] = field(default_factory=set)
    _bases: dict[str, tuple[str, str]] = field(default_factory=dict)  # shared formulas: formula and place

    def rows(self) -> Iterator[Row]:
        """Yield the visible rows with their numbers; blank rows come as rows without cells, once for each gap."""
        merges = _merged_ranges(self.workbook.package, self.part)
        active: list[tuple[int, int, int, Cell]] = []  # last row, first and last column, the cell
        previous = 0
        for number, hidden, elements in self._elements():
            active = [one for one in active if one[0] >= number]
            if number > previous + 1 and not active:
                yield previous + 1, ()
            previous = number
            cells = {} if hidden else self._cells(elements)
            for _, left, right, merged in active:
                cells |= dict.fromkeys(range(left, right + 1), merged)
            for left, right, last in merges.pop(number, ()):
                cell = cells.get(left) or (self._cells(elements).get(left) if hidden else None)
                if cell is not None:
                    cells |= dict.fromkeys(range(left, right + 1), cell)
                    active += [(last, left, right, cell)] if last > number else []
            if hidden:
                self.counts.hidden_rows += any(_has_content(element) for element in elements)
                continue
            width = max(cells, default=-1) + 1
            row = [cells.get(place, BLANK) for place in range(width) if place not in self.hidden_columns]
            yield number, row

    def _elements(self) -> Iterator[tuple[int, bool, list[Any]]]:
        """Yield each row's number, whether it is hidden, and its cell elements."""
        from lxml import etree

        number = 0
        with self.workbook.package.open(self.part) as stream:
            tags = ("{*}row", "{*}col", "{*}sheetFormatPr")
            hidden_by_default = False
            for _, element in etree.iterparse(stream, tag=tags, resolve_entities=False, no_network=True):
                name = local_name(element)
                if name == "sheetFormatPr":
                    hidden_by_default = is_true(element.get("zeroHeight"))
                elif name == "col":
                    if is_true(element.get("hidden")):
                        first, last = int(element.get("min", "1")), int(element.get("max", "1"))
                        self.hidden_columns.update(range(first - 1, min(last, _LAST_COLUMN)))
                else:
                    number = int(element.get("r") or number + 1)
                    hidden = element.get("hidden")
                    yield number, hidden_by_default if hidden is None else is_true(hidden), list(element)
                    element.clear(keep_tail=False)
                    while element.getprevious() is not None:
                        del element.getparent()[0]

    def _cells(self, elements: Sequence[Any]) -> dict[int, Cell]:
        cells: dict[int, Cell] = {}
        column = -1
        for element in elements:
            place = element.get("r") or ""
            match = _PLACE.fullmatch(place)
            column = _column(match[1]) if match else column + 1
            if column >= _LAST_COLUMN:
                continue
            if column in self.hidden_columns:
                self.counts.hidden_columns.update({column} if _has_content(element) else ())
                continue
            style = self._style(element)
            text = self._text(element, style, place)
            if style.struck and text:
                self.counts.struck += 1
                text = ""
            comment = self.comments.get(place, "")
            if text or comment:
                cells[column] = Cell(text, place in self.headers, style.strong, comment)
        return cells

    def _style(self, element: Any) -> Style:
        number = int(element.get("s", "0"))
        return self.workbook.styles[number] if number < len(self.workbook.styles) else Style()

    def _text(self, element: Any, style: Style, place: str) -> str:
        kind = element.get("t", "n")
        formula = first_child(element, "f")
        if kind == "inlineStr":
            inline = first_child(element, "is")
            return one_line(rich_text(inline)) if inline is not None else ""
        value = first_child(element, "v")
        text = (value.text or "") if value is not None else ""
        if formula is not None and not text and (kind != "str" or value is None):
            return self._formula(formula, place)
        if not text:
            return ""
        return one_line(self._shown(kind, text, style))

    def _shown(self, kind: str, text: str, style: Style) -> str:
        if kind == "s":
            place = int(text)
            text = self.workbook.strings[place] if 0 <= place < len(self.workbook.strings) else ""
            return shown(text, style.number_format) if style.number_format != "General" else text
        if kind == "b":
            return "TRUE" if is_true(text) else "FALSE"
        if kind == "d":
            return text.replace("T00:00:00", "").replace("T", " ")
        if kind != "n":
            return text
        try:
            number: float = float(text)
        except ValueError:
            return text
        if number == int(number) and text.strip().lstrip("-").isdigit():
            number = int(text)
        if style.number_format == "General":
            return general(number)
        return shown(number, style.number_format, since_1904=self.workbook.since_1904)

    def _formula(self, element: Any, place: str) -> str:
        """Return a formula whose value is not stored, as it would be shown in its cell."""
        self.counts.without_value += 1
        text = "".join(element.itertext())
        shared = element.get("si") if element.get("t") == "shared" else None
        if shared is not None and text:
            self._bases[shared] = (text, place)
        elif shared is not None and shared in self._bases:
            from openpyxl.formula.translate import Translator

            base, origin = self._bases[shared]
            return one_line(str(Translator(f"={base}", origin).translate_formula(place)))
        return one_line(f"={text}") if text else ""


def _merged_ranges(package: OfficePackage, part: str) -> dict[int, list[tuple[int, int, int]]]:
    """Return the merged ranges by their first row: first and last column, from 0, and the last row."""
    merges: dict[int, list[tuple[int, int, int]]] = {}
    with package.open(part) as stream:
        tail = b""
        while piece := stream.read(_AT_ONCE):
            data = tail + piece
            end = 0
            for match in _RANGE.finditer(data):
                left, right = _column(match[1].decode()), _column(match[3].decode())
                right = min(right, left + _MOST_MERGED_COLUMNS)
                merges.setdefault(int(match[2]), []).append((left, right, int(match[4])))
                end = match.end()
            tail = data[max(end, len(data) - _LONGEST_TAG) :]
    return merges


def _column(letters: str) -> int:
    """Return a column's number, from 0."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _has_content(element: Any) -> bool:
    return any(local_name(child) in ("v", "is", "f") and "".join(child.itertext()) for child in element)
