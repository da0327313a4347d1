"""Scans for tests: pages with text as pictures. The engine and its languages are needed; see ``ocr_or_skip``."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFont

from rag.ingestion.loaders.limits import OcrSettings
from rag.ingestion.loaders.ocr_engine import ocr_command

FONT = Path("/usr/share/fonts/truetype/liberation/LiberationSerif-Regular.ttf")
DPI = 200


def ocr_or_skip() -> None:
    """Skip the test where OCR or the font is not installed, and fail it in CI."""
    command = ocr_command(OcrSettings()) or ("" if FONT.exists() else "apt-get install fonts-liberation")
    if command and os.environ.get("CI"):
        pytest.fail(f"OCR cannot be tested: {command}")
    if command:
        pytest.skip(f"OCR cannot be tested: {command}")


def scan(*lines: str, size: tuple[int, int] = (1000, 700), points: int = 14, mode: str = "L") -> Image.Image:
    """Draw lines of text in black on white."""
    image = Image.new(mode, size, "white")
    pen, face = ImageDraw.Draw(image), ImageFont.truetype(str(FONT), round(points * DPI / 72))
    for number, line in enumerate(lines):
        pen.text((60, 60 + number * round(1.5 * points * DPI / 72)), line, font=face, fill="black")
    return image


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Return the file of an image."""
    data = io.BytesIO()
    image.save(data, kind, **options)  # type: ignore[arg-type]
    return data.getvalue()


def pdf_of(*pages: str | Image.Image) -> bytes:
    """Return a PDF whose pages have a text each, or a picture that fills half of them."""
    made = FPDF()
    made.set_font("helvetica", size=12)
    for page in pages:
        made.add_page()
        if isinstance(page, str):
            made.multi_cell(0, text=page)
        else:
            made.image(page, w=190)
    return bytes(made.output())
