"""EPUB: the chapters in reading order, each read as HTML, below its entry in the table of contents."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from rag.errors import DocumentError
from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.html import html_document
from rag.text import counted, one_line
from rag.types import Document

__all__ = ["load_epub"]

_CONTAINER = "META-INF/container.xml"
_PICTURE = re.compile(rb"<(?:img|image)\b", re.IGNORECASE)
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")


def load_epub(data: bytes, source: str) -> Document:
    """Read a book. A chapter without a heading gets its name from the table of contents."""
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        path = _find(_xml(package, _CONTAINER), "rootfile").get("full-path", "")
        root = _xml(package, path)
        names = set(package.namelist())
        items = {item.get("id"): item for item in _all(root, "item")}
        contents = _contents(package, path, items)
        builder = DocumentBuilder()
        pictures = 0
        for reference in _all(root, "itemref"):
            item = items.get(reference.get("idref"))
            if item is None or "nav" in item.get("properties", "").split():
                continue
            member = _member(path, item.get("href", ""))
            if item.get("media-type") not in _PAGES:
                builder.note(
                    "chapter_not_read", f"a part of type {item.get('media-type')} was not read", f"part {member}"
                )
                continue
            if member not in names:
                builder.note("chapter_not_read", "a part is missing from the file", f"part {member}")
                continue
            page = package.read(member)
            pictures += len(_PICTURE.findall(page))
            chapter = html_document(page, source, "application/epub+zip", without="nav")
            named = any(section.headings for section in chapter.sections)
            entry = contents.get(member, "")
            if chapter.text.strip():
                builder.add_document(chapter, () if named or not entry else (entry,))
    if pictures:
        builder.note("pictures_not_read", f"{counted(pictures, 'picture')} not read")
    title = next((element.text for element in _all(root, "title") if element.text), "")
    return builder.document(source, "application/epub+zip", title or "")


def _contents(package: zipfile.ZipFile, path: str, items: dict[str | None, Any]) -> dict[str, str]:
    """Return the label of each file in the tables of contents (of EPUB 2 and 3)."""
    names = set(package.namelist())
    labels: dict[str, str] = {}
    for item in items.values():
        member = _member(path, item.get("href", ""))
        if member not in names:
            continue
        if item.get("media-type") == "application/x-dtbncx+xml":
            for point in _all(_xml(package, member), "navPoint"):
                label = one_line("".join(_find(point, "navLabel").itertext()))
                labels.setdefault(_member(member, _find(point, "content").get("src", "")), label)
        elif "nav" in item.get("properties", "").split():
            for link in _all(_xml(package, member), "a"):
                labels.setdefault(_member(member, link.get("href", "")), one_line("".join(link.itertext())))
    return labels


def _member(referrer: str, reference: str) -> str:
    """Return the name of the member that a reference in another member points to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(referrer), unquote(reference.partition("#")[0])))


def _xml(package: zipfile.ZipFile, member: str) -> Any:
    from defusedxml.ElementTree import fromstring

    return fromstring(package.read(member))


def _find(element: Any, name: str) -> Any:
    first = next(_all(element, name), None)
    if first is None:
        raise DocumentError("broken", f"the book's contents have no {name}", "download it again")
    return first


def _all(element: Any, name: str) -> Iterator[Any]:
    return (below for below in element.iter() if str(below.tag).rpartition("}")[2] == name)
