"""Pictures: the text that OCR reads on them, a section for each page of a TIFF."""

from __future__ import annotations

from rag.errors import DocumentError
from rag.ingestion.loaders.limits import Bounds
from rag.ingestion.loaders.ocr import ReadPicture, picture_reader
from rag.ingestion.loaders.ocr_notes import ocr_remedy, page_notes
from rag.ingestion.loaders.picture_file import check_size, frames_of, open_picture, picture_type
from rag.ingestion.loaders.scanned_pages import joined_pages
from rag.ingestion.loaders.text import title_from
from rag.types import Document

__all__ = ["load_image"]


def load_image(data: bytes, source: str, bounds: Bounds) -> Document:
    """Read a picture, or each page of a TIFF. One without words has an empty text and a note.

    Raises :class:`~rag.errors.DocumentError` for a picture that is broken or too large, and where there is no engine.
    """
    reader = picture_reader()
    pages: list[ReadPicture] = []
    with open_picture(data) as image:
        for number, frame in enumerate(frames_of(image, bounds.pages), start=1):
            if number == 1:
                check_size(frame, data, reader.settings.page_megapixels)
            if not reader.is_ready:
                message = "it is a picture, and OCR is off" if reader.settings.mode == "off" else "it is a picture"
                raise DocumentError("no ocr", f"{message}; its text was not read", ocr_remedy(reader.settings))
            pages.append(_read(frame, data, number))
    outcomes = [(n, ReadPicture("no text") if p.state == "ignored" else p) for n, p in enumerate(pages, start=1)]
    text, sections, boxes = joined_pages([(page.text.text, page) for page in pages])
    notes = tuple(page_notes(reader, outcomes, len(pages)))
    media_type = picture_type(data) or "image/png"
    return Document(source, media_type, title_from(source), text, sections, len(pages), notes, boxes)


def _read(frame: object, data: bytes, number: int) -> ReadPicture:
    """Read a frame. A later page that is broken or too large costs only itself."""
    reader = picture_reader()
    try:
        check_size(frame, data, reader.settings.page_megapixels)  # type: ignore[arg-type]
        return reader.read_frame(frame)  # type: ignore[arg-type]
    except DocumentError as error:
        if number == 1:
            raise
        return ReadPicture("too large" if error.reason in ("bomb", "too large") else "unreadable")
    except (OSError, ValueError, SyntaxError):
        if number == 1:
            raise
        return ReadPicture("unreadable")
