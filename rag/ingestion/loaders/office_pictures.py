"""The pictures inside an office file: their texts where they are shown, and notes of what became of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.ocr import ReadPicture, picture_reader
from rag.ingestion.loaders.ocr_notes import picture_notes
from rag.ingestion.loaders.office_package import OfficePackage, Relation, attribute, children, named
from rag.ingestion.loaders.open_document import is_picture

__all__ = ["OfficePictures"]

_UNREADABLE = ReadPicture("unreadable")


class OfficePictures:
    """Reads the pictures of one file. A ``number`` is that of the slide that a picture is on."""

    def __init__(self) -> None:
        self._reader = picture_reader()
        self._outcomes: list[tuple[int, ReadPicture]] = []

    def read(self, load: Callable[[], bytes], number: int = 0) -> str:
        """Return the text on the picture that ``load`` returns, empty if there is none or it cannot be read."""
        return self._noted(self._read(load), number)

    def read_blips(self, element: Any, package: OfficePackage, relations: dict[str, Relation]) -> str:
        """Return the texts on the pictures below an element of Office's XML."""
        texts = []
        for blip in named(element, "blip", "imagedata"):
            name = attribute(blip, "embed") or attribute(blip, "id") or attribute(blip, "link")
            relation = relations.get(name)
            texts.append(self.read(partial(_part, package, relation.part if relation else "")))
        return "\n\n".join(filter(None, texts))

    def read_frame(self, frame: Any, package: OfficePackage, number: int = 0) -> str:
        """Return the text on the picture in a frame of OpenDocument; of several forms of it, the first readable one.

        The picture of another object, such as a chart, is none.
        """
        read: ReadPicture | None = None
        for image in filter(is_picture, children(frame, "image")):
            read = self._read(partial(_part, package, attribute(image, "href").removeprefix("./")))
            if read.state != "unreadable":
                break
        return self._noted(read, number) if read else ""

    def add_notes(self, builder: DocumentBuilder, noun: str = "", place: str = "") -> None:
        """Add the notes; the numbers are those of a ``noun``. Without one, all pictures are at ``place``."""
        for note in picture_notes(self._reader, self._outcomes, noun):
            builder.note(note.kind, note.text, note.place or place, note.remedy)

    def _read(self, load: Callable[[], bytes]) -> ReadPicture:
        try:
            data = load()
        except (KeyError, ValueError, AttributeError):  # a picture that is linked, or missing
            return _UNREADABLE
        return self._reader.read_embedded(data)

    def _noted(self, read: ReadPicture, number: int) -> str:
        self._outcomes.append((number, read))
        return read.text.text


def _part(package: OfficePackage, name: str) -> bytes:
    with package.open(name) as stream:
        return stream.read()
