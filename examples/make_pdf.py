# SPDX-License-Identifier: Apache-2.0
"""Write docs/manuals/field-manual.pdf, the three-page PDF of the example corpus.

The text lives in PAGES below, one entry per page. The creation date and the
producer are fixed, so that every run with the same fpdf2 gives the same bytes.

Usage: python examples/make_pdf.py [OUTPUT.pdf]
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import XPos, YPos

DEFAULT_OUTPUT = Path(__file__).resolve().parent / "docs" / "manuals" / "field-manual.pdf"
TITLE = "Murrelet & Thorne Field Manual"
CREATED = datetime(2031, 2, 24, 9, 0, tzinfo=UTC)

# A page is a list of blocks: (kind, text), where kind is a key of STYLES.
Block = tuple[str, str]
# kind: (font style, size in points, line height in mm, space after in mm)
STYLES: dict[str, tuple[str, int, float, float]] = {
    "h1": ("B", 20, 10.0, 4.0),
    "h2": ("B", 14, 8.0, 2.0),
    "p": ("", 11, 6.0, 3.0),
    "li": ("", 11, 6.0, 1.0),
}

PAGES: list[list[Block]] = [
    [
        ("h1", "Field Manual"),
        (
            "p",
            "For those who climb the mast. Edition of 24 February 2031, valid for the "
            "Nimbrel 3, the Dripwell 12, the Hornkeeper 5 and the Quayside hub.",
        ),
        ("h2", "What to carry"),
        ("li", "- torque wrench, set to 14 Nm for the mast clamp"),
        ("li", "- calibration plate MT-C1-019 in its felt bag"),
        ("li", "- two fresh desiccant capsules, any batch except B-0417"),
        ("li", "- a measuring jug of 600 ml and a flask of tea"),
        ("h2", "Safety first"),
        (
            "p",
            "Never climb alone, and never in wind above 12 metres per second. Before "
            "you come within 25 m of a horn, turn the Hornkeeper 5 to the position "
            "SERVICE and put the key in your pocket. Ear defenders hang inside the "
            "cabinet door; they are orange so that nobody takes them home.",
        ),
        ("h2", "Order of work"),
        (
            "p",
            "Clean first, calibrate second, and look at the blink codes last. Write "
            "each step into the blue log book before you go down again.",
        ),
    ],
    [
        ("h1", "Cleaning and calibration"),
        ("h2", "Cleaning the lenses"),
        (
            "p",
            "Clean the three lenses every 34 days, on the coast every 20 days. Use "
            "distilled water and the lint-free cloth. A dry cloth scratches the coating.",
        ),
        ("h2", "Calibrating the Nimbrel 3"),
        ("li", "1. Let the sensor warm up for 25 minutes."),
        ("li", "2. Slide the calibration plate in, the etched gull facing up."),
        ("li", "3. The display must show between 412 and 428 counts."),
        ("li", "4. If it does not, turn screw R9 by a quarter turn and wait 2 minutes."),
        ("li", "5. After three failed attempts, replace the lamp set MT-S3-021."),
        (
            "p",
            "Calibrate in daylight, but not in fog: the air itself would be measured together with the plate.",
        ),
        ("h2", "Checking the Dripwell 12"),
        (
            "p",
            "Pour 600 ml slowly through the gutter. The meter should count 50 tips; "
            "48 to 52 are accepted. Outside of that, level the meter and pour again.",
        ),
    ],
    [
        ("h1", "Faults, pairing and storage"),
        ("h2", "Blink codes of the amber lamp"),
        ("li", "- Two blinks: one light path is blocked, look for spiders."),
        ("li", "- Three blinks: supply voltage below 9 V."),
        ("li", "- Four blinks: the heater fuse F2 has blown (1.6 A, slow)."),
        ("li", "- Six blinks: moisture behind the window, send the sensor in."),
        ("h2", "Pairing with the Quayside hub"),
        (
            "p",
            "Hold the brass button of the hub for 7 seconds until it hums. Then "
            "switch the instrument on. Pairing takes place on channel 19 and "
            "ends by itself after 4 minutes.",
        ),
        ("h2", "Winter storage"),
        (
            "p",
            "Store the Dripwell 12 dry, without batteries, between 5 and 25 degrees "
            "Celsius. Leave the cup unlocked, or the pivot takes a set.",
        ),
        ("h2", "Help at night"),
        (
            "p",
            "If a horn will not stop between 17:00 and 08:30, ring 01632 960417 and "
            "ask for extension 288. The duty engineer is awake, or soon will be.",
        ),
    ],
]


def add_block(pdf: FPDF, kind: str, text: str) -> None:
    """Write one block at the left margin and move below it."""
    style, size, line_height, space_after = STYLES[kind]
    pdf.set_font("Helvetica", style=style, size=size)
    pdf.multi_cell(0, line_height, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.ln(space_after)


def build(pages: list[list[Block]]) -> FPDF:
    """Return the document, one PDF page for each entry of pages."""
    pdf = FPDF(format="A4")
    pdf.set_title(TITLE)
    pdf.set_author("Murrelet & Thorne Ltd")
    pdf.set_lang("en-GB")
    pdf.set_producer("make_pdf.py")
    pdf.set_creation_date(CREATED)
    pdf.set_margin(22)
    for blocks in pages:
        pdf.add_page()
        for kind, text in blocks:
            add_block(pdf, kind, text)
    if pdf.page_no() != len(pages):
        raise ValueError(f"text spilled over: {pdf.page_no()} pages instead of {len(pages)}")
    return pdf


def main() -> None:
    """Write the PDF to the path given on the command line, or to its usual place."""
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_OUTPUT
    output.parent.mkdir(parents=True, exist_ok=True)
    build(PAGES).output(str(output))


if __name__ == "__main__":
    main()
