"""OpenDocument texts: headings with their numbers, paragraphs, lists, tables, notes and text boxes, from their XML.

The header and footer of the first page come first, as a letterhead. Deleted, hidden and struck-through text and tables
of contents are left out. There are no pages: a word processor computes them.
"""

from __future__ import annotations

from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.flow_text import FlowText
from rag.ingestion.loaders.odt_text import OdtReader
from rag.ingestion.loaders.office_package import OfficePackage, first_child
from rag.ingestion.loaders.office_pictures import OfficePictures
from rag.ingestion.loaders.open_document_objects import EmbeddedObjects
from rag.ingestion.loaders.titles import title_of
from rag.types import Document

__all__ = ["load_odt"]

_MEDIA_TYPE = "application/vnd.oasis.opendocument.text"


def load_odt(data: bytes, source: str) -> Document:
    """Read an OpenDocument text."""
    package = OfficePackage(data)
    content = package.xml("content.xml")
    styles = package.xml("styles.xml") if package.has("styles.xml") else None
    builder = DocumentBuilder()
    flow = FlowText(builder)
    pictures = OfficePictures()
    objects = EmbeddedObjects(package, content)
    reader = OdtReader(content, styles, flow, objects, lambda frame: pictures.read_frame(frame, package))
    body = first_child(content, "body", "text")
    if body is not None:
        reader.read_letterhead()
        reader.read(body)
    flow.end()
    reader.left_out.add_notes(builder)
    pictures.add_notes(builder)
    return builder.document(source, _MEDIA_TYPE, title_of(package) or flow.first_heading)
