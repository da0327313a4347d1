"""EPUB: the chapters in reading order, each read as a web page, below its entry in the table of contents."""

from __future__ import annotations

import io
import posixpath
import zipfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from rag.errors import DocumentError
from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.html import html_document
from rag.types import Document

__all__ = ["load_epub"]

_CONTAINER = "META-INF/container.xml"
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")


def load_epub(data: bytes, source: str) -> Document:
    """Read a book. A chapter without a heading of its own takes its name from the table of contents."""
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        path = _find(_xml(package, _CONTAINER), "rootfile").get("full-path", "")
        root = _xml(package, path)
        names = set(package.namelist())
        items = {item.get("id"): item for item in _all(root, "item")}
        contents = _contents(package, path, items)
        built = DocumentBuilder()
        for reference in _all(root, "itemref"):
            item = items.get(reference.get("idref"))
            if item is None or item.get("media-type") not in _PAGES or "nav" in item.get("properties", "").split():
                continue
            member = _member(path, item.get("href", ""))
            if member not in names:
                continue
            chapter = html_document(package.read(member), source, "application/epub+zip")
            named = any(section.headings for section in chapter.sections)
            entry = contents.get(member, "")
            if chapter.text.strip():
                built.add_document(chapter, () if named or not entry else (entry,))
    title = next((element.text for element in _all(root, "title") if element.text), "")
    return built.document(source, "application/epub+zip", title or "")


def _contents(package: zipfile.ZipFile, path: str, items: dict[str | None, Any]) -> dict[str, str]:
    """Return what the tables of contents (of EPUB 2 and 3) call each file."""
    names = set(package.namelist())
    found: dict[str, str] = {}
    for item in items.values():
        member = _member(path, item.get("href", ""))
        if member not in names:
            continue
        if item.get("media-type") == "application/x-dtbncx+xml":
            for point in _all(_xml(package, member), "navPoint"):
                label = " ".join("".join(_find(point, "navLabel").itertext()).split())
                found.setdefault(_member(member, _find(point, "content").get("src", "")), label)
        elif "nav" in item.get("properties", "").split():
            for link in _all(_xml(package, member), "a"):
                found.setdefault(_member(member, link.get("href", "")), " ".join("".join(link.itertext()).split()))
    return found


def _member(beside: str, reference: str) -> str:
    """Return the name of the member that a reference in another one means."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(beside), unquote(reference.partition("#")[0])))


def _xml(package: zipfile.ZipFile, member: str) -> Any:
    from defusedxml.ElementTree import fromstring

    return fromstring(package.read(member))


def _find(element: Any, name: str) -> Any:
    found = next(_all(element, name), None)
    if found is None:
        raise DocumentError("broken", f"the book's contents name no {name}", "download it again")
    return found


def _all(element: Any, name: str) -> Iterator[Any]:
    return (below for below in element.iter() if str(below.tag).rpartition("}")[2] == name)
