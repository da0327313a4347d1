"""Office packages: their XML parts and the relations between these. Nothing here knows what a part means.

Element names are compared without their namespaces, which differ between the two editions of the standard. The packages
were checked for entities before (:mod:`.zip_safety`), and the parser resolves none.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from rag.ingestion.loaders.zip_safety import member_key

__all__ = [
    "OfficePackage",
    "Relation",
    "attribute",
    "children",
    "first_child",
    "is_true",
    "local_name",
    "named",
    "says_yes",
]


class Relation(NamedTuple):
    """A relation of a part: the last word of its type, and the name of the part that it points to."""

    kind: str
    part: str


class OfficePackage:
    """Reads the parts of a package by name."""

    def __init__(self, data: bytes) -> None:
        self._zip = zipfile.ZipFile(io.BytesIO(data))
        self._names = {member_key(name): name for name in self._zip.namelist()}
        self._relations: dict[str, dict[str, Relation]] = {}

    def has(self, part: str) -> bool:
        """Return whether the package has a part; case does not count."""
        return member_key(part) in self._names

    def open(self, part: str) -> IO[bytes]:
        """Open a part. Raises ``KeyError`` if there is none."""
        return self._zip.open(self._names[member_key(part)])

    def xml(self, part: str) -> Any:
        """Return the root element of a part. Raises ``KeyError`` if there is none."""
        from lxml import etree

        with self.open(part) as stream:
            return etree.parse(stream, etree.XMLParser(resolve_entities=False, no_network=True)).getroot()

    def relations(self, part: str) -> dict[str, Relation]:
        """Return the relations of a part to other parts of the package, by their ids."""
        if part not in self._relations:
            self._relations[part] = self._read_relations(part)
        return self._relations[part]

    def _read_relations(self, part: str) -> dict[str, Relation]:
        folder, name = posixpath.split(part)
        rels = posixpath.join(folder, "_rels", f"{name}.rels")
        if not self.has(rels):
            return {}
        found = {}
        for element in named(self.xml(rels), "Relationship"):
            if element.get("TargetMode") != "External":
                target = element.get("Target", "")
                path = target.lstrip("/") if target.startswith("/") else posixpath.join(folder, target)
                kind = element.get("Type", "").rpartition("/")[2]
                found[element.get("Id", "")] = Relation(kind, posixpath.normpath(path))
        return found

    def related(self, part: str, kind: str) -> list[str]:
        """Return the parts of one kind that a part points to and that exist."""
        return [r.part for r in self.relations(part).values() if r.kind == kind and self.has(r.part)]


def local_name(element: Any) -> str:
    """Return an element's name without its namespace; empty for comments and the like."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def named(element: Any, *names: str) -> Iterator[Any]:
    """Yield the elements below an element, itself included, that have one of the names."""
    return element.iter(*(f"{{*}}{name}" for name in names))  # type: ignore[no-any-return]  # lxml has no types


def children(element: Any, name: str) -> Iterator[Any]:
    """Yield the direct children of one name."""
    return element.iterchildren(f"{{*}}{name}")  # type: ignore[no-any-return]  # lxml has no types


def first_child(element: Any, *path: str) -> Any:
    """Return the first child of the first child … along a path of names, None if a step fails."""
    for name in path:
        if element is None:
            return None
        element = next(children(element, name), None)
    return element


def attribute(element: Any, name: str) -> str:
    """Return an attribute by its name without namespace, empty if it is missing."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return str(value)
    return ""


def is_true(value: str | None) -> bool:
    """Return whether an attribute says yes."""
    return value is not None and value.lower() in ("1", "true", "on")


def says_yes(toggle: Any) -> bool:
    """Return whether an element of Office Open XML that switches something is there and switches it on."""
    value = attribute(toggle, "val") if toggle is not None else "off"
    return not value or is_true(value)
