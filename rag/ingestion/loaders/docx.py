"""Word documents, from their XML: headings and lists with their numbers, tables, boxes, notes, fields and equations.

Headers and footers come first, once, as a letterhead. Deleted, hidden and struck-through text, tables of contents and
prompts of empty controls are left out. There are no pages: a word processor computes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.docx_blocks import BodyReader
from rag.ingestion.loaders.docx_styles import Numbering, Styles
from rag.ingestion.loaders.flow_text import FlowText
from rag.ingestion.loaders.html import html_document
from rag.ingestion.loaders.left_out import LeftOut
from rag.ingestion.loaders.office_package import OfficePackage, attribute, children, first_child, local_name, named
from rag.ingestion.loaders.office_pictures import OfficePictures
from rag.ingestion.loaders.text import decode
from rag.ingestion.loaders.titles import title_of
from rag.types import Document

__all__ = ["load_docx"]

_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_PARTS_OF_PAGES = ("header", "footer")
_MOST_NESTED = 3  # documents in each other
_HTML = (".htm", ".html", ".xhtml", ".xht")


def load_docx(data: bytes, source: str) -> Document:
    """Read a Word document; footnotes follow the paragraphs that refer to them."""
    package = OfficePackage(data)
    builder = DocumentBuilder()
    flow = FlowText(builder)
    left_out, pictures = LeftOut(), OfficePictures()
    _read(package, builder, flow, left_out, pictures, depth=1)
    flow.end()
    left_out.add_notes(builder)
    pictures.add_notes(builder)
    return builder.document(source, _MEDIA_TYPE, title_of(package) or flow.first_heading)


def _read(
    package: OfficePackage,
    builder: DocumentBuilder,
    flow: FlowText,
    left_out: LeftOut,
    pictures: OfficePictures,
    *,
    depth: int,
) -> None:
    part = next(iter(package.related("", "officeDocument")), "word/document.xml")
    styles = Styles(_related(package, part, "styles"))
    numbering = Numbering(_related(package, part, "numbering"), styles)
    notes = {
        (kind, attribute(note, "id")): note
        for kind in ("footnote", "endnote")
        for note in _children(_related(package, part, f"{kind}s"), kind)
    }

    def read_chunk(name: str) -> str:
        if not package.has(name):
            return ""
        with package.open(name) as stream:
            data = stream.read()
        if name.lower().endswith(".docx") and depth < _MOST_NESTED:
            _read(OfficePackage(data), builder, flow, left_out, pictures, depth=depth + 1)
            return ""
        if name.lower().endswith(_HTML):
            return html_document(data, name, _MEDIA_TYPE).text
        if name.lower().endswith(".txt"):
            return decode(data)
        builder.note("attachment_not_read", "a file that is a part of the text was not read", name)
        return ""

    reader = BodyReader(package, flow, styles, numbering, notes, left_out, read_chunk, pictures)
    body = first_child(package.xml(part), "body")
    if body is not None:
        if depth == 1:
            for name in dict.fromkeys(_letterhead(package, part, body)):
                root = package.xml(name)
                if any(character.isalpha() for text in named(root, "t") for character in text.text or ""):
                    reader.read_part(root, name, without_pages=True)
        reader.read_part(body, part)


def _letterhead(package: OfficePackage, part: str, body: Any) -> Iterator[str]:
    """Yield the headers and footers of the first section that has some, those of its first page first."""
    relations = package.relations(part)
    for section in named(body, "sectPr"):
        found = []
        for kind in _PARTS_OF_PAGES:
            references = list(children(section, f"{kind}Reference"))
            references.sort(key=lambda reference: attribute(reference, "type") != "first")
            found += [relations[i].part for r in references if (i := attribute(r, "id")) in relations]
        if found:
            yield from (name for name in found if package.has(name))
            return


def _related(package: OfficePackage, part: str, kind: str) -> Any:
    return next((package.xml(name) for name in package.related(part, kind)), None)


def _children(root: Any, name: str) -> Iterator[Any]:
    return (element for element in root if local_name(element) == name) if root is not None else iter(())
