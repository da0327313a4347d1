"""Which pages and pictures are read by OCR, within which limits, and what became of each.

One :class:`PictureReader` reads all pictures of a file, those of its attachments included: ``load_bytes`` opens it with
:func:`reading_pictures`, loaders get it from :func:`picture_reader`. The engine is :mod:`.ocr_engine`, the sentences
about what was read are in :mod:`.ocr_notes`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rag.errors import DocumentError
from rag.ingestion.loaders.limits import NO_OCR, OcrSettings
from rag.ingestion.loaders.ocr_engine import ocr_is_ready, read_words
from rag.ingestion.loaders.ocr_text import OcrText, text_of
from rag.ingestion.loaders.picture_file import as_seen, check_size, is_icon, open_picture, picture_type, resolution

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["OcrState", "PictureReader", "ReadPicture", "picture_reader", "reading_pictures"]

OcrState = Literal["read", "no text", "not tried", "too many", "too slow", "too large", "unreadable", "ignored"]
"""What became of a page or picture. ``not tried``: there is no engine, or it is off; ``ignored``: an icon, a copy."""

_NOTHING = OcrText("", (), 0.0)
_SLOW_IN_A_ROW = 3  # pages that took too long: the rest of the file is not tried
_SMALL_DPI, _LARGEST_SCALED, _MOST_SCALE = 200, 4_000_000, 3


@dataclass(frozen=True, slots=True)
class ReadPicture:
    """What became of a page or picture: ``text`` has words if it was read, whose boxes are in an image of ``size``."""

    state: OcrState
    text: OcrText = _NOTHING
    size: tuple[int, int] = (0, 0)


class PictureReader:
    """Reads the pages and pictures of one file. ``more_time`` is called with the seconds that one may take, and after
    it with what was left of them, negative.
    """

    def __init__(self, settings: OcrSettings, more_time: Callable[[float], None] = lambda _: None) -> None:
        self.settings = settings
        self.is_ready = ocr_is_ready(settings)
        self._more_time = more_time
        self._pages = self._slow = 0
        self._seen: set[bytes] = set()

    def read(self, draw: Callable[[], Image], dpi: int) -> ReadPicture:
        """Read the page that ``draw`` returns, in gray (mode ``L``) at a resolution."""
        if not self.is_ready:
            return ReadPicture("not tried")
        if self._slow >= _SLOW_IN_A_ROW:
            return ReadPicture("too slow")
        if self._pages >= self.settings.pages:
            return ReadPicture("too many")
        self._pages += 1
        seconds, began = self.settings.page_seconds, time.process_time()
        self._more_time(seconds)
        try:
            image = draw()
            words = read_words(image, self.settings, dpi)
        finally:
            self._more_time(min(time.process_time() - began - seconds, 0.0))
        self._slow = self._slow + 1 if words is None else 0
        if words is None:
            return ReadPicture("too slow")
        text = text_of(words)
        return ReadPicture("read" if text.text else "no text", text, image.size)

    def read_frame(self, image: Image) -> ReadPicture:
        """Read an open picture, or the current frame of one. Raises what decoding it raises."""
        if self.is_ready and is_icon(image):
            return ReadPicture("ignored")
        scale = _scale(image)
        read = self.read(lambda: _scaled(as_seen(image), scale), resolution(image) * scale)
        return ReadPicture(read.state, read.text, read.size)

    def read_embedded(self, data: bytes) -> ReadPicture:
        """Read a picture inside another file. One that was read before in it is ignored."""
        if picture_type(data) is None:
            return ReadPicture("unreadable")
        digest = hashlib.sha256(data).digest()
        if self.is_ready and digest in self._seen:
            return ReadPicture("ignored")
        self._seen.add(digest)
        try:
            with open_picture(data) as image:
                if is_icon(image):
                    return ReadPicture("ignored")
                check_size(image, data, self.settings.page_megapixels)
                return self.read_frame(image)
        except DocumentError as error:
            return ReadPicture("too large" if error.reason in ("bomb", "too large") else "unreadable")


_current: ContextVar[PictureReader | None] = ContextVar("picture_reader", default=None)


@contextmanager
def reading_pictures(settings: OcrSettings, more_time: Callable[[float], None]) -> Iterator[None]:
    """Have :func:`picture_reader` return a new reader, unless this is inside another file: its limits hold."""
    if _current.get() is not None:
        yield
        return
    token = _current.set(PictureReader(settings, more_time))
    try:
        yield
    finally:
        _current.reset(token)


def picture_reader() -> PictureReader:
    """Return the reader of the file that is being read; outside of one, a reader that reads nothing."""
    return _current.get() or PictureReader(NO_OCR)


def _scale(image: Image) -> int:
    """Return how often a small picture, such as a screenshot, is enlarged: the engine wants letters of 20 pixels."""
    pixels = image.width * image.height
    return next(
        (n for n in range(_MOST_SCALE, 1, -1) if resolution(image) < _SMALL_DPI and pixels * n * n <= _LARGEST_SCALED),
        1,
    )


def _scaled(image: Image, scale: int) -> Image:
    from PIL import Image as Images

    if scale == 1:
        return image
    return image.resize((image.width * scale, image.height * scale), Images.Resampling.BICUBIC)
