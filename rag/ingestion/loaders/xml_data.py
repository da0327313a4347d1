"""XML of any kind: elements as lines of text under the path of their names; a paragraph with markup is one text.

A document that defines entities or refers to other files is refused: entities can expand without end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag.errors import DocumentError
from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.nested_data import Branch, add_branches
from rag.ingestion.loaders.text import decode
from rag.text import one_line
from rag.types import Document

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["load_xml"]

_NAMING = ("title", "head", "name", "id")
_LONGEST_NAME = 80


def load_xml(data: bytes, source: str) -> Document:
    """Read an XML document. Raises :class:`~rag.errors.DocumentError` for one with entities."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root = fromstring(decode(data))
    except DefusedXmlException:
        message = "its XML defines entities, which can expand without end"
        raise DocumentError("entities", message, "remove its document type definition") from None
    branch = _branch(root)
    builder = DocumentBuilder()
    add_branches(builder, branch.below or [branch])
    title = next((below.text for below in branch.below if below.name == "title"), "")
    return builder.document(source, "application/xml", title)


def _branch(element: Element) -> Branch:
    name = _local(element.tag)
    attributes = [Branch(_local(key), value.strip()) for key, value in element.items() if value.strip()]
    if not len(element):
        return Branch(name, _text(element.text), attributes)
    mixed = _text(element.text) or any(_text(below.tail) for below in element)
    if mixed:
        return Branch(name, _text("".join(element.itertext())), attributes)
    below = [_branch(child) for child in element]
    own_name = next((b.text for key in _NAMING for b in (*attributes, *below) if b.name == key and b.text), "")
    label = f"{name} {own_name}" if own_name and len(own_name) <= _LONGEST_NAME else name
    return Branch(label, "", [*attributes, *below])


def _local(tag: object) -> str:
    return str(tag).rpartition("}")[2]


def _text(text: str | None) -> str:
    return one_line(text or "")
