"""Opens picture files of untrusted origin, and turns their frames into gray images as they are seen.

What a picture declares is checked before any of it is decoded. Only the formats of :data:`PICTURE_TYPES` are opened.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rag.errors import DocumentError
from rag.text import error_line

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "PICTURE_TYPES",
    "as_seen",
    "check_size",
    "frames_of",
    "is_icon",
    "open_picture",
    "picture_type",
    "resolution",
]

PICTURE_TYPES = {
    "image/png": r"\x89PNG\r\n\x1a\n",
    "image/jpeg": r"\xff\xd8\xff",
    "image/tiff": r"II\*\x00|MM\x00\*|II\+\x00|MM\x00\+",
    "image/webp": r"RIFF.{4}WEBP",
    "image/bmp": r"BM.{4}\x00{4}",
    "image/gif": r"GIF8[79]a",
}
"""The media types of pictures that are read, and how their files begin."""
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF")
_ICON_SIDE, _ICON_PIXELS = 20, 10_000
_RATIO = 200  # pixels to bytes: above it, a picture that is too large is called a bomb
_MEGA = 1_000_000
_AGAIN = "export or download it again"
_LEAST_DPI, _MOST_DPI = 70, 1200
_PAGE_INCHES = 11.0  # of the longer side of a picture that declares no resolution


def picture_type(data: bytes) -> str | None:
    """Return the media type of a picture by its first bytes, None if it is none that is read."""
    start = data[:16].decode("latin-1")
    return next((name for name, begin in PICTURE_TYPES.items() if re.match(begin, start, re.DOTALL)), None)


@contextmanager
def open_picture(data: bytes) -> Iterator[Image]:
    """Open a picture; nothing is decoded yet. Raises :class:`~rag.errors.DocumentError` for a broken one.

    What its decoder raises within the context is a broken picture, too.
    """
    from PIL import Image, UnidentifiedImageError

    most, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # check_size is stricter
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a damaged file
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                yield image
    except (DocumentError, MemoryError, RecursionError):
        raise
    except Exception as error:  # decoders raise OSError, ValueError, SyntaxError, struct.error and more
        unknown = isinstance(error, UnidentifiedImageError)
        why = "its header cannot be read" if unknown else error_line(error, 200)
        raise DocumentError("broken", f"the picture is damaged: {why}", _AGAIN) from error
    finally:
        Image.MAX_IMAGE_PIXELS = most


def check_size(image: Image, data: bytes, megapixels: int) -> None:
    """Raise :class:`~rag.errors.DocumentError` for a picture with more pixels than are read."""
    pixels = image.width * image.height
    if pixels <= megapixels * _MEGA:
        return
    message = (
        f"the picture has {image.width:,} x {image.height:,} pixels ({pixels / _MEGA:,.0f} megapixels); "
        f"at most {megapixels} megapixels are read"
    )
    reason = "bomb" if pixels > _RATIO * len(data) else "too large"
    raise DocumentError(reason, message, "scale it down, or raise parsing.ocr_page_megapixels")


def is_icon(image: Image) -> bool:
    """Return whether a picture is too small to show text that is worth reading: an icon, a bullet, a line."""
    return min(image.size) < _ICON_SIDE or image.width * image.height < _ICON_PIXELS


def frames_of(image: Image, most: int) -> Iterator[Image]:
    """Yield the pages of a TIFF, at most so many, and only the first frame of other pictures."""
    yield image
    if image.format != "TIFF":
        return
    for number in range(1, most):
        try:
            image.seek(number)
        except EOFError:
            return
        yield image


def as_seen(image: Image) -> Image:
    """Return a frame upright (as its camera says) and in gray, what is transparent in white."""
    from PIL import Image as Images
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith(("I", "F")):  # 16 or 32 bits
        low, high = upright.getextrema()
        span = max(float(high) - float(low), 1.0)  # type: ignore[arg-type]  # one band
        upright = upright.convert("F").point(lambda value: (value - low) * (255 / span))
    elif upright.has_transparency_data:
        upright = upright.convert("RGBA")
        upright = Images.alpha_composite(Images.new("RGBA", upright.size, "white"), upright)
    return upright.convert("L")


def resolution(image: Image) -> int:
    """Return the dots per inch of a picture: what it declares, or as if it were a page."""
    declared = image.info.get("dpi")
    try:
        dpi = round(float(declared[0])) if declared else 0
    except (TypeError, ValueError, IndexError, ZeroDivisionError, OverflowError):
        dpi = 0
    if not _LEAST_DPI <= dpi <= _MOST_DPI or dpi in (72, 96):  # what programs write that do not know it
        dpi = round(max(image.size) / _PAGE_INCHES)
    return min(max(dpi, _LEAST_DPI), _MOST_DPI)
