"""Tesseract in this process: whether it is installed, and the words of an image with their boxes.

The engine comes with the package ``tesserocr``, the languages as files ``*.traineddata`` from the system's packages or
from the folder in ``TESSDATA_PREFIX``. It starts no process and writes no file, so that it works in the sandbox. What
becomes of the words is :mod:`.ocr_text`'s, which pages are read :mod:`.ocr`'s.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rag.ingestion.loaders.limits import OcrSettings

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["PACKAGE", "Word", "installed_languages", "ocr_command", "ocr_is_ready", "ocr_version", "read_words"]

PACKAGE = "tesserocr"
_SUFFIX = ".traineddata"
_MIXED = ("script/", "osd", "equ")  # no languages
_COLUMNS = 12  # of a line of Tesseract's table of words
_WORD_LEVEL = "5"


class Word(NamedTuple):
    """A word in an image.

    ``place`` numbers its block, paragraph and line; the box is left, top, right, bottom in pixels; ``confidence`` is 0
    to 1.
    """

    text: str
    place: tuple[int, int, int]
    box: tuple[int, int, int, int]
    confidence: float


def ocr_is_ready(settings: OcrSettings) -> bool:
    """Return whether the settings want OCR, and the engine and one of the languages are installed."""
    return settings.mode != "off" and find_spec(PACKAGE) is not None and bool(_known(settings.languages))


def ocr_command(settings: OcrSettings) -> str:
    """Return the command that installs what the engine lacks for these languages, empty if it lacks nothing."""
    pip = "" if find_spec(PACKAGE) is not None else f"pip install {PACKAGE}"
    missing = [name for name in settings.languages if name not in installed_languages()]
    apt = "apt-get install " + " ".join(f"tesseract-ocr-{name.lower().replace('_', '-')}" for name in missing)
    return " && ".join(filter(None, (pip, apt if missing else "")))


def ocr_version() -> str:
    """Return the version of the package, empty if it is not installed."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return ""


def installed_languages() -> dict[str, Path]:
    """Map each language whose data is installed to the folder of its file. A folder in ``TESSDATA_PREFIX`` wins."""
    found: dict[str, Path] = {}
    for folder in _folders():
        for file in sorted(folder.glob(f"*{_SUFFIX}")) if folder.is_dir() else ():
            name = file.name.removesuffix(_SUFFIX)
            if not name.startswith(_MIXED):
                found.setdefault(name, folder)
    return found


def read_words(image: Image, settings: OcrSettings, dpi: int) -> list[Word] | None:
    """Return the words of a gray image (mode ``L``) in reading order, None if it takes too long.

    ``dpi`` is the image's resolution. Raises ``RuntimeError`` if the engine cannot be started.
    """
    api = _engine(_known(settings.languages))
    try:
        api.SetImageBytes(image.tobytes(), image.width, image.height, 1, image.width)
        api.SetSourceResolution(dpi)
        if not api.Recognize(1000 * settings.page_seconds):
            return None
        return list(map(_word, filter(_is_word, api.GetTSVText(0).splitlines())))
    finally:
        api.Clear()


def _is_word(line: str) -> bool:
    return line.startswith(f"{_WORD_LEVEL}\t")


def _word(line: str) -> Word:
    _, _, block, paragraph, row, _, left, top, width, height, confidence, text = line.split("\t", _COLUMNS - 1)
    x, y = int(left), int(top)
    box = (x, y, x + int(width), y + int(height))
    return Word(text.strip(), (int(block), int(paragraph), int(row)), box, max(0.0, float(confidence)) / 100)


@lru_cache(maxsize=1)
def _engine(languages: tuple[tuple[str, str], ...]) -> Any:
    """Start the engine for languages in one folder; it stays for the next page."""
    import tesserocr

    names = "+".join(name for name, _ in languages)
    api = tesserocr.PyTessBaseAPI(path=languages[0][1], lang=names, oem=tesserocr.OEM.LSTM_ONLY, psm=tesserocr.PSM.AUTO)
    api.SetVariable("debug_file", os.devnull)
    return api


def _known(languages: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return those of the languages that are installed, with their folder: that of the first, as one is read from."""
    installed = installed_languages()
    known = [(name, str(installed[name])) for name in languages if name in installed]
    return tuple(pair for pair in known if pair[1] == known[0][1])


def _folders() -> list[Path]:
    given = os.environ.get("TESSDATA_PREFIX", "")
    roots = [Path(sys.prefix, "share"), Path("/usr/local/share"), Path("/usr/share")]
    versions = [folder for root in roots for folder in sorted(root.glob("tesseract-ocr/*/tessdata"), reverse=True)]
    own = [Path(given), Path(given, "tessdata")] if given else []
    return [*own, *versions, *(root / "tessdata" for root in roots), *(root / "tesseract/tessdata" for root in roots)]
