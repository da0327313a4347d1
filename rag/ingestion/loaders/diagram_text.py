"""The texts of SmartArt as a nested list, in the order of the connections in its data model."""

from __future__ import annotations

from typing import Any

from rag.ingestion.loaders.office_package import local_name, named
from rag.text import one_line

__all__ = ["diagram_items"]

_SHOWN = ("", "node", "asst")  # types of points that are texts of a diagram; the others only lay it out
_DEEPEST = 50


def diagram_items(root: Any) -> list[tuple[int, str]]:
    """Return the depth, from 0, and the text of each point of a diagram's data (``dgm:dataModel``)."""
    points = {
        point.get("modelId", ""): _text(point)
        for point in named(root, "pt")
        if point.get("type", "") in (*_SHOWN, "doc")
    }
    below: dict[str, list[tuple[int, str]]] = {}
    targets = set()
    for connection in named(root, "cxn"):
        source, target = connection.get("srcId", ""), connection.get("destId", "")
        if connection.get("type", "parOf") == "parOf" and source in points and target in points:
            order = connection.get("srcOrd", "0")
            below.setdefault(source, []).append((int(order) if order.isdigit() else 0, target))
            targets.add(target)
    items: list[tuple[int, str]] = []
    seen: set[str] = set()

    def add(name: str, depth: int) -> None:
        if name in seen or depth > _DEEPEST:
            return
        seen.add(name)
        text = points[name]
        if text:
            items.append((depth, text))
        for _, child in sorted(below.get(name, ()), key=lambda pair: pair[0]):
            add(child, depth + bool(text))

    for name in [*(name for name in points if name not in targets), *points]:
        add(name, 0)
    return items


def _text(point: Any) -> str:
    paragraphs = (element for element in point.iter() if local_name(element) == "p")
    return one_line(" ".join("".join(t.text or "" for t in named(paragraph, "t")) for paragraph in paragraphs))
