"""What the pool and its workers send each other: limits, then requests and results, each as JSON and raw bytes.

Nothing is unpickled, so a compromised worker can send text but no code.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import IO, Any

from rag.ingestion.loaders.limits import Bounds, OcrSettings
from rag.ingestion.loaders.pdf_page import PageImage
from rag.types import Document, PageBoxes, ReadingNote, Section

__all__ = [
    "Limits",
    "OversizedError",
    "pack_document",
    "pack_page",
    "read_message",
    "unpack_document",
    "unpack_page",
    "write_message",
]

_LENGTHS = struct.Struct(">QQ")  # of the JSON and of the bytes
_ANY_SIZE = 1 << 62
_PNG = b"\x89PNG\r\n\x1a\n"

Message = tuple[dict[str, Any], bytes]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost before its worker is stopped, and when a worker is replaced.

    ``memory_mb`` is address space beyond an idle worker's. A worker is replaced after ``files_per_worker`` files, or
    when it holds ``growth_mb`` more memory than at its start. The loaders check ``bounds`` and the limits in ``ocr``
    themselves. A page that is read by OCR gets ``ocr.page_seconds`` of processor time, and twice that of wall-clock
    time, besides the file's own.
    """

    memory_mb: int = 1024
    cpu_seconds: int = 60
    wall_seconds: float = 120.0
    file_mb: int = 256
    files_per_worker: int = 500
    growth_mb: int = 256
    bounds: Bounds = field(default_factory=Bounds)
    ocr: OcrSettings = field(default_factory=OcrSettings)

    def __post_init__(self) -> None:
        for name, value in {**asdict(self), **asdict(self.bounds), **asdict(self.ocr)}.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and value <= 0:
                raise ValueError(f"{name} is {value} and must be more than 0")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Limits:
        """Return the limits of which ``values`` are the ``asdict``."""
        ocr = values["ocr"]
        settings = OcrSettings(**{**ocr, "languages": tuple(ocr["languages"])})
        return cls(**{**values, "bounds": Bounds(**values["bounds"]), "ocr": settings})


class OversizedError(Exception):
    """The other side announces more than it may send."""


def write_message(stream: IO[bytes], head: dict[str, Any], body: bytes = b"") -> None:
    """Write a message. Raises ``BrokenPipeError`` if the other side has closed."""
    line = json.dumps(head).encode()
    stream.write(_LENGTHS.pack(len(line), len(body)) + line)
    stream.write(body)
    stream.flush()


def read_message(stream: IO[bytes], most: int = _ANY_SIZE) -> Message | None:
    """Read a message; return None if the other side has closed. Raises :class:`OversizedError` above ``most`` bytes."""
    lengths = stream.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    head_length, body_length = _LENGTHS.unpack(lengths)
    if head_length + body_length > most:
        raise OversizedError
    head, body = stream.read(head_length), stream.read(body_length)
    if len(head) < head_length or len(body) < body_length:
        return None
    return json.loads(head), body


def pack_document(document: Document) -> Message:
    """Return a document as a message."""
    head = {
        "source": document.source,
        "media_type": document.media_type,
        "title": document.title,
        "pages": document.pages,
        "sections": [[s.start, s.end, s.page, s.headings] for s in document.sections],
        "notes": [[n.kind, n.text, n.place, n.remedy] for n in document.notes],
        "boxes": [[b.page, b.start, b.words.hex()] for b in document.boxes],
    }
    return head, document.text.encode()


def unpack_document(head: dict[str, Any], body: bytes) -> Document:
    """Return the document in a message. Raises ``KeyError``, ``TypeError`` or ``ValueError`` if it contains none."""
    sections = tuple(Section(start, end, page, tuple(path)) for start, end, page, path in head["sections"])
    notes = tuple(ReadingNote(*map(str, note)) for note in head["notes"])
    boxes = tuple(PageBoxes(int(page), int(start), bytes.fromhex(words)) for page, start, words in head["boxes"])
    text, title = body.decode(), head["title"]
    return Document(head["source"], head["media_type"], title, text, sections, head["pages"], notes, boxes)


def pack_page(page: PageImage) -> Message:
    """Return the image of a page as a message."""
    return {"width": page.width, "height": page.height, "boxes": page.boxes}, page.png


def unpack_page(head: dict[str, Any], body: bytes) -> PageImage:
    """Return the image in a message. Raises ``KeyError``, ``TypeError`` or ``ValueError`` if it contains none."""
    boxes = tuple((int(left), int(top), int(right), int(bottom)) for left, top, right, bottom in head["boxes"])
    if not body.startswith(_PNG):
        raise ValueError("no image")
    return PageImage(body, int(head["width"]), int(head["height"]), boxes)
