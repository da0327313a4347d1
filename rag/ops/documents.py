"""One document of an index as it was read: found by its name, with its text, or the text of a page."""

from __future__ import annotations

from indexes import DocumentRow, IndexDamagedError
from indexes.store.queries import Queries
from rag.errors import InputError
from rag.retrieval.filters import names_of
from rag.text import counted
from rag.types import Document

__all__ = ["find_document", "page_span", "read_document"]


def find_document(store: Queries, name: str) -> DocumentRow:
    """Return the document of a name, a path, or the end of a name. Raises :class:`~rag.errors.InputError`."""
    row = store.document(name) or store.document(names_of(store).one(name))
    if row is None:  # removed in this moment
        raise InputError(f"the index has no document {name}", "run `rag documents list` for the names")
    return row


def read_document(store: Queries, name: str) -> tuple[Document, DocumentRow]:
    """Return a document with its text and sections, and its row.

    Raises :class:`~rag.errors.InputError` if there is no such document, and if its file was never read, and
    :class:`~indexes.errors.IndexDamagedError` if its text is missing.
    """
    with store.reading():
        row = find_document(store, name)
        if row.state == "failed":
            raise InputError(f"{row.source} was not read: {row.message}", row.remedy or "correct the file")
        text, sections = store.text_or_none(row.source), store.sections(row.source)
    if text is None:
        raise IndexDamagedError(f"{store.path} is damaged: the text of {row.source} is missing")
    return Document(row.source, row.media_type, row.title, text, sections, row.pages, row.notes), row


def page_span(document: Document, page: int) -> tuple[int, int]:
    """Return where the text of a page begins and ends in the document's, (0, 0) for a page without text.

    Raises :class:`~rag.errors.InputError` if the document has no pages, or not this one.
    """
    sections = [section for section in document.sections if section.page == page]
    if sections:
        return min(section.start for section in sections), max(section.end for section in sections)
    last = max([document.pages or 0, *(section.page or 0 for section in document.sections)])
    if not last:
        raise InputError(f"{document.source} has no pages", "leave out --page")
    if not 1 <= page <= last:
        raise InputError(f"{document.source} has {counted(last, 'page')}, not a page {page}", "name one of them")
    return 0, 0
