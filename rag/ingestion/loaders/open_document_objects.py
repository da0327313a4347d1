"""What OpenDocument files embed: formulas as they were typed, the data of charts, and the values of form fields."""

from __future__ import annotations

import posixpath
from typing import Any

from rag.ingestion.loaders.grid import Table, plain_table
from rag.ingestion.loaders.office_package import (
    OfficePackage,
    attribute,
    children,
    first_child,
    is_true,
    local_name,
    named,
)
from rag.ingestion.loaders.open_document import paragraph_text
from rag.text import one_line

__all__ = ["EmbeddedObjects"]

_NO_VALUES = ("NaN", "1.#NAN")


class EmbeddedObjects:
    """The objects of a package, by the elements that place them, and the form fields in its main part ``content``."""

    def __init__(self, package: OfficePackage, content: Any = None) -> None:
        self._package = package
        self._fields = {
            attribute(field, "id"): field
            for forms in (named(content, "forms") if content is not None else ())
            for field in named(forms, "*")
            if attribute(field, "id")
        }

    def formula(self, frame: Any) -> str:
        """Return the formula in a frame, as it was typed; empty for other frames."""
        root = self._root(frame)
        math = next(named(root, "math"), None) if root is not None else None
        if math is None:
            return ""
        typed = next(named(math, "annotation"), None)
        return one_line((typed.text or "") if typed is not None else "".join(math.itertext()))

    def chart(self, frame: Any) -> Table | None:
        """Return the data of the chart in a frame; None for other frames, and if the chart has no data of its own."""
        root = self._root(frame)
        chart = next(named(root, "chart"), None) if root is not None else None
        data = next(named(chart, "table"), None) if chart is not None else None
        lines = named(data, "table-row") if data is not None else ()
        rows = [[_cell(cell) for cell in children(line, "table-cell")] for line in lines]
        if len(rows) < 2:
            return None
        table = plain_table(rows[0], rows[1:])
        titles = (title for title in named(chart, "title") if local_name(title.getparent()) == "chart")
        above = (one_line(" ".join(paragraph_text(p) for p in named(title, "p"))) for title in titles)
        return Table(table.header, table.rows, tuple(filter(None, above)))

    def field(self, control: Any) -> str:
        """Return what a form field shows: its value, its choice, or its box with its label."""
        field = self._fields.get(attribute(control, "control"))
        if field is None:
            return ""
        name = local_name(field)
        if name in ("checkbox", "radio"):
            chosen = (
                attribute(field, f"current-{value}") or attribute(field, value) for value in ("state", "selected")
            )
            box = "☒" if any(one in ("checked", "true") for one in chosen) else "☐"
            return f"{box} {attribute(field, 'label')}".strip()
        if name == "listbox":
            options = list(children(field, "option"))
            selected = [o for o in options if is_true(attribute(o, "current-selected"))]
            selected = selected or [o for o in options if is_true(attribute(o, "selected"))]
            return ", ".join(attribute(option, "label") for option in selected)
        if name in ("fixed-text", "frame"):
            return attribute(field, "label")
        return attribute(field, "current-value") or attribute(field, "value")

    def _root(self, frame: Any) -> Any:
        thing = first_child(frame, "object")
        if thing is None:
            return None
        part = posixpath.join(posixpath.normpath(attribute(thing, "href").lstrip("/")), "content.xml")
        return self._package.xml(part) if self._package.has(part) else thing


def _cell(cell: Any) -> str:
    text = one_line(" ".join(paragraph_text(p) for p in children(cell, "p")))
    return "" if text in _NO_VALUES else text
