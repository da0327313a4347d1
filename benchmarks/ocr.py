"""Character error rate and processor time of OCR on generated scans: Tesseract (ours) and RapidOCR, if it is installed.

    python -m benchmarks.ocr

Pages of A4 are drawn from the project's own texts in three fonts (``apt-get install fonts-liberation``), at 200 and 300
dpi, in English and Russian: clean, skewed, gray (uneven light, blur and noise), and in two columns. The errors are the
edit distance between what was drawn and what was read, white space apart, over the length of what was drawn. Figures:
``ocr.md``.
"""

from __future__ import annotations

import argparse
import random
import re
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from rag.ingestion.loaders.limits import OcrSettings
from rag.ingestion.loaders.ocr_engine import read_words
from rag.ingestion.loaders.ocr_text import text_of

ROOT = Path(__file__).parents[1]
FONTS = ("LiberationSerif-Regular", "LiberationSans-Regular", "LiberationMono-Regular")
FONT_FOLDER = Path("/usr/share/fonts/truetype/liberation")
LOOKS = ("clean", "skewed", "gray", "columns")
WIDTH, HEIGHT, MARGIN = 8.27, 11.69, 0.9  # inches
POINTS, LEADING, CHARACTERS = 11, 1.3, 2600  # characters: of a page, at most
Reader = Callable[[Image.Image, int], str]


class Scan(NamedTuple):
    """A page as an image in gray, and the text that is on it."""

    language: str
    font: str
    dpi: int
    look: str
    image: Image.Image
    text: str


def words(language: str) -> list[str]:
    """Return the words of a language's texts in this project, without markup."""
    if language == "eng":
        files = sorted((ROOT / "benchmarks/summary_documents").glob("*.txt"))
        text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    else:
        text = (ROOT / "examples/docs/ru/rukovodstvo.md").read_text(encoding="utf-8")
        text += (ROOT / "examples/docs/ru/protokol.txt").read_bytes().decode("cp1251")
        more = yaml.safe_load((ROOT / "benchmarks/languages/ru.yaml").read_text(encoding="utf-8"))
        text += "\n".join(_strings(more))
    return re.sub(r"[#*|`_>]|-{3,}", " ", text).split()


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str) and " " in value and re.search("[а-я]", value) and not re.search("[a-z]", value):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)


def scans(seed: int = 7) -> Iterator[Scan]:
    """Yield every kind of page, the same for the same seed."""
    for language in ("eng", "rus"):
        known = words(language)
        for font in FONTS:
            for look in LOOKS:
                chance = random.Random(f"{seed} {language} {font} {look}")
                start = chance.randrange(len(known))
                for dpi in (200, 300):
                    image, text = draw((known[start:] + known) * 2, font, dpi, 2 if look == "columns" else 1)
                    yield Scan(language, font, dpi, look, _altered(image, look, dpi, chance), text)


def draw(text: list[str], font: str, dpi: int, columns: int) -> tuple[Image.Image, str]:
    """Draw words on a page; return it, and those that found room."""
    image = Image.new("L", (round(WIDTH * dpi), round(HEIGHT * dpi)), 255)
    pen, face = ImageDraw.Draw(image), ImageFont.truetype(str(FONT_FOLDER / f"{font}.ttf"), round(POINTS * dpi / 72))
    gap, margin, step = round(0.35 * dpi), round(MARGIN * dpi), round(LEADING * POINTS * dpi / 72)
    width = (image.width - 2 * margin - gap * (columns - 1)) // columns
    waiting, drawn = list(reversed(text)), list[str]()
    for column in range(columns):
        for top in range(margin, image.height - margin - step, step):
            line = list[str]()
            while waiting and pen.textlength(" ".join([*line, waiting[-1]]), font=face) <= width:
                line.append(waiting.pop())
            pen.text((margin + column * (width + gap), top), " ".join(line), font=face, fill=0)
            drawn += line
            if sum(map(len, drawn)) >= CHARACTERS * (column + 1) / columns:
                break
    return image, " ".join(drawn)


def _altered(image: Image.Image, look: str, dpi: int, chance: random.Random) -> Image.Image:
    if look == "skewed":
        return image.rotate(chance.choice((-1.5, 1.5)), Image.Resampling.BICUBIC, fillcolor=255)
    if look != "gray":
        return image
    # Ink and paper in gray, the light falls off to one corner, blur of half a point and grain.
    grain = np.random.default_rng(chance.getrandbits(32))
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(dpi / 300)), dtype=np.float32) / 255
    down, across = np.linspace(0, 1, image.height)[:, None], np.linspace(0, 1, image.width)[None, :]
    light = 225 - 60 * (down + across) / 2
    noisy = 70 + (light - 70) * pixels + grain.normal(0, 9, pixels.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def errors(expected: str, read: str) -> float:
    """Return the edit distance over the length of what is expected, white space apart."""
    a, b = ("".join(text.split()) for text in (expected, read))
    codes = np.fromiter(map(ord, b), dtype=np.int64, count=len(b))
    steps = np.arange(len(b) + 1)
    row = steps.copy()
    for number, character in enumerate(map(ord, a), start=1):
        best = np.minimum(row[1:] + 1, row[:-1] + (codes != character))
        row = np.minimum.accumulate(np.concatenate(([number], best)) - steps) + steps
    return float(row[-1]) / max(len(a), 1)


def readers() -> dict[str, Reader]:
    """Return what is compared."""
    found: dict[str, Reader] = {
        "tesseract, both languages": lambda image, dpi: _tesseract(image, dpi, "eng", "rus"),
        "tesseract, English": lambda image, dpi: _tesseract(image, dpi, "eng"),
        "tesseract, Russian": lambda image, dpi: _tesseract(image, dpi, "rus"),
    }
    try:
        from rapidocr import RapidOCR  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return found
    engine = RapidOCR(params={"Global.log_level": "error", "EngineConfig.onnxruntime.intra_op_num_threads": 1})

    def rapid(image: Image.Image, dpi: int) -> str:
        del dpi
        read = engine(np.asarray(image.convert("RGB")))
        return "\n".join(read.txts or ())

    return found | {"rapidocr": rapid}


def _tesseract(image: Image.Image, dpi: int, *languages: str) -> str:
    read = read_words(image, OcrSettings(languages=languages, page_seconds=120), dpi)
    return text_of(read or ()).text


def main() -> None:
    """Print the error rate of each look and the seconds a page of each reader."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", default="", help="readers whose names contain this")
    parser.add_argument("--look", choices=LOOKS, help="pages of this look only")
    parser.add_argument("--language", choices=("eng", "rus"), help="pages in this language only")
    given = parser.parse_args()
    wanted = given.only
    pages = [p for p in scans() if given.look in (None, p.look) and given.language in (None, p.language)]
    print(f"{len(pages)} pages, {sum(len(p.text) for p in pages) / len(pages):,.0f} characters on average")
    for name, read in readers().items():
        if wanted not in name:
            continue
        suited = [
            p
            for p in pages
            if {"English": "eng", "Russian": "rus"}.get(name.rpartition(" ")[2], p.language) == p.language
        ]
        rates: dict[tuple[str, str, int], list[float]] = {}
        read(suited[0].image, suited[0].dpi)  # loads the models
        began, wall = time.process_time(), time.perf_counter()
        spent: dict[int, list[float]] = {}
        for page in suited:
            before = time.process_time()
            got = read(page.image, page.dpi)
            spent.setdefault(page.dpi, []).append(time.process_time() - before)
            rates.setdefault((page.language, page.look, page.dpi), []).append(errors(page.text, got))
        total = time.process_time() - began
        print(
            f"\n{name}: {total / len(suited):.2f} processor seconds a page "
            f"({', '.join(f'{dpi} dpi {sum(s) / len(s):.2f}' for dpi, s in spent.items())}), "
            f"{(time.perf_counter() - wall) / len(suited):.2f} s, "
            f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB"
        )
        for (language, look, dpi), found in rates.items():
            print(
                f"  {language} {look:8} {dpi} dpi  {100 * sum(found) / len(found):6.2f} %,"
                f" worst {100 * max(found):.2f} %"
            )


if __name__ == "__main__":
    main()
