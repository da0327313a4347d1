"""Twelve PDFs with a known structure, made for :mod:`benchmarks.pdf_structure` and the tests of the loader.

Each has what a reader of it sees: its headings with their levels, its paragraphs in reading order, the cells of its
tables, and the running heads that do not belong to the text. All texts are made up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from fpdf import FPDF

__all__ = ["Sample", "Sheet", "glyph_pdf", "sample", "samples"]

_LEADING = 1.2


@dataclass
class Sample:
    """A PDF and what is in it: ``blocks`` are texts that are in one piece and in this order."""

    name: str
    data: bytes = b""
    headings: list[tuple[int, str]] = field(default_factory=list)
    blocks: list[str] = field(default_factory=list)
    tables: list[list[list[str]]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


class Sheet:
    """Pages of 600 × 800 points on which texts are placed from the top left corner."""

    def __init__(self, width: float = 600, height: float = 800) -> None:
        self.pdf = FPDF(unit="pt", format=(width, height))
        self.pdf.set_auto_page_break(False)
        self.pdf.core_fonts_encoding = "cp1252"
        self.page()

    def page(self) -> None:
        """Begin a new page."""
        self.pdf.add_page()

    def text(self, x: float, y: float, text: str, size: float = 10, bold: bool = False) -> float:
        """Draw a line of text; return where it ends."""
        self.pdf.set_font("Helvetica", "B" if bold else "", size)
        self.pdf.text(x, y, text)
        return x + self.pdf.get_string_width(text)

    def wrapped(self, text: str, width: float, size: float = 10) -> list[str]:
        """Return the lines of a paragraph; ``~`` is where a word may be parted at the end of a line."""
        self.pdf.set_font("Helvetica", "", size)
        lines, line = [], ""
        for word in text.split():
            plain = word.replace("~", "")
            longer = f"{line} {plain}".strip()
            if self.pdf.get_string_width(longer) <= width:
                line = longer
                continue
            first, _, rest = word.partition("~")
            if rest and self.pdf.get_string_width(f"{line} {first}-") <= width:
                lines.append(f"{line} {first}-".strip())
                line = rest.replace("~", "")
                continue
            lines.append(line)
            line = plain
        return [*lines, line]

    def paragraph(self, x: float, y: float, text: str, width: float, size: float = 10) -> float:
        """Draw a paragraph; return the place below it."""
        for line in self.wrapped(text, width, size):
            self.text(x, y, line, size)
            y += _LEADING * size
        return y

    def line(self, x: float, y: float, u: float, v: float) -> None:
        """Draw a rule."""
        self.pdf.line(x, y, u, v)

    def done(self) -> bytes:
        """Return the file."""
        return bytes(self.pdf.output())


_SUBJECTS = (
    "the harbour board", "our ferry", "a crew of seven", "the lighthouse keeper", "this report", "the new crane",
    "every second boat", "the school", "an engineer", "the island council", "the old mill", "a visitor",
)  # fmt: skip
_VERBS = (
    "repaired", "measured", "painted", "described", "counted", "replaced", "inspected", "sold", "lent", "carried",
)  # fmt: skip
_OBJECTS = (
    "the northern jetty", "forty coils of rope", "the wooden stairs", "a map of the sound", "the spare anchor",
    "the winter timetable", "two barrels of tar", "the signal lamp", "a chest of letters", "the tide tables",
)  # fmt: skip
_ENDS = (
    "before the storm came", "without any delay", "for the third time this year", "at the request of the owners",
    "as the rules require", "in the presence of a witness", "after a long discussion", "when the tide was low",
)  # fmt: skip


def sentences(seed: int, count: int) -> str:
    """Return sentences; those of another seed differ."""
    made = []
    for n in range(count):
        k = seed * 7 + n * 3
        subject, verb = _SUBJECTS[k % len(_SUBJECTS)], _VERBS[(k + seed) % len(_VERBS)]
        thing, end = _OBJECTS[(k * 3 + n) % len(_OBJECTS)], _ENDS[(k + 2 * seed) % len(_ENDS)]
        made.append(f"{subject[0].upper()}{subject[1:]} {verb} {thing} {end}, as note {seed * 100 + n} says.")
    return " ".join(made)


def _columns(
    sheet: Sheet, parts: Sequence[str], lefts: Sequence[float], width: float, y: float, *, by_row: bool
) -> None:
    columns = [sheet.wrapped(text, width) for text in parts]
    places = [(row, column) for column, lines in enumerate(columns) for row in range(len(lines))]
    for row, column in sorted(places) if by_row else places:
        sheet.text(lefts[column], y + 12 * row, columns[column][row])


def two_columns(made: Sample) -> None:
    """Two columns below a title and a summary that span both."""
    sheet = Sheet()
    sheet.text(160, 60, "Harbours of the sound", 20, bold=True)
    made.headings = [(1, "Harbours of the sound")]
    made.blocks = [sentences(n, 6) for n in (1, 2, 3)]
    sheet.paragraph(50, 90, made.blocks[0], 500)
    _columns(sheet, made.blocks[1:], (50, 310), 240, 220, by_row=False)
    made.data = sheet.done()


def columns_by_row(made: Sample) -> None:
    """Two columns that are drawn row by row, with a heading in each, and two paragraphs in the first."""
    sheet = Sheet()
    made.headings = [(1, "Ropes"), (1, "Anchors")]
    made.blocks = [sentences(n, 3) for n in (4, 5, 6)]
    left = [*sheet.wrapped(made.blocks[0], 235), "", *sheet.wrapped(made.blocks[1], 235)]
    right = sheet.wrapped(made.blocks[2], 235)
    sheet.text(50, 80, "Ropes", 14, bold=True)
    sheet.text(315, 80, "Anchors", 14, bold=True)
    for row in range(max(len(left), len(right))):
        for x, lines in ((50, left), (315, right)):
            if row < len(lines) and lines[row]:
                sheet.text(x, 100 + 12 * row, lines[row])
    made.data = sheet.done()


def three_columns(made: Sample) -> None:
    """Three narrow columns, drawn row by row, the last one shorter, above a line that spans the page."""
    sheet = Sheet()
    made.blocks = [*(sentences(n, count) for n, count in ((7, 5), (8, 5), (9, 3))), sentences(10, 2)]
    _columns(sheet, made.blocks[:3], (40, 220, 400), 160, 80, by_row=True)
    sheet.paragraph(40, 420, made.blocks[3], 520)
    made.data = sheet.done()


_PRICES = [
    ["Berth", "Length", "Summer", "Winter"],
    ["A", "up to 8 m", "1,240", "310"],
    ["B", "up to 10 m", "1,630", "405"],
    ["C", "up to 14 m", "2,275", "560"],
]


def ruled_table(made: Sample) -> None:
    """A table with rules, two header rows with a merged cell, between two paragraphs."""
    sheet = Sheet()
    made.blocks = [sentences(11, 3), sentences(12, 3)]
    y = sheet.paragraph(50, 60, made.blocks[0], 500) + 10
    xs, height = (50, 130, 260, 380, 500), 20
    rows = [["Berth", "Length", "Price in euros", ""], ["", "", "Summer", "Winter"], *_PRICES[1:]]
    for number, row in enumerate(rows):
        for x, text in zip(xs, row, strict=False):
            sheet.text(x + 6, y + 14 + height * number, text, bold=number < 2)
    for number in range(len(rows) + 1):
        sheet.line(260 if number == 1 else 50, y + height * number, 500, y + height * number)
    for x in xs:
        sheet.line(x, y + (height if x == 380 else 0), x, y + height * len(rows))
    sheet.paragraph(50, y + height * len(rows) + 30, made.blocks[1], 500)
    names = ["Berth", "Length", "Price in euros / Summer", "Price in euros / Winter"]
    made.tables = [[names, *_PRICES[1:]]]
    made.data = sheet.done()


def aligned_table(made: Sample) -> None:
    """A table without rules: numbers to the right, one cell on two lines; and one of words below it."""
    sheet = Sheet()
    made.blocks = [sentences(13, 3), sentences(14, 3), sentences(15, 2)]
    y = sheet.paragraph(50, 60, made.blocks[0], 500) + 20
    for number, row in enumerate(_PRICES):
        for x, text in zip((50, 150), row[:2], strict=True):
            sheet.text(x, y + 16 * number, text, bold=not number)
        for x, text in zip((330, 430), row[2:], strict=True):
            sheet.pdf.set_font("Helvetica", "B" if not number else "", 10)
            sheet.text(x - sheet.pdf.get_string_width(text), y + 16 * number, text, bold=not number)
    y = sheet.paragraph(50, y + 90, made.blocks[1], 500) + 20
    people = [
        ["Name", "Task", "Place", "Telephone"],
        ["Una Marr", "leads the team", "office on the pier", "0712 33"],
        ["Tore Vik", "keeps the lamps and the signals", "tower", "0712 34"],
        ["Ines Roe", "sells tickets", "hall", "0712 35"],
    ]
    for row in people:
        tall = len(row[1]) > 20
        for x, text in zip((50, 150, 290, 430), row, strict=True):
            for n, line in enumerate(sheet.wrapped(text, 110) if tall else [text]):
                sheet.text(x, y + 12 * n, line, bold=row is people[0])
        y += 32 if tall else 20
    sheet.paragraph(50, y + 20, made.blocks[2], 500)
    made.tables = [_PRICES, people]
    made.data = sheet.done()


def headings(made: Sample) -> None:
    """Headings of three levels, by size and by weight, over three pages."""
    sheet = Sheet()
    sheet.text(50, 60, "Rules of the sailing club", 22)
    made.headings = [(1, "Rules of the sailing club")]
    y = 100.0
    for chapter in range(1, 4):
        if chapter > 1:
            sheet.page()
            y = 60.0
        name = f"{chapter} {('Members', 'Boats', 'Races')[chapter - 1]}"
        sheet.text(50, y, name, 15, bold=True)
        made.headings.append((2, name))
        y += 30
        for part in range(1, 3):
            name = f"{chapter}.{part} {('Rights and duties', 'Time and place')[part - 1]} {chapter}"
            sheet.text(50, y, name, 10, bold=True)
            made.headings.append((3, name))
            text = sentences(20 + 2 * chapter + part, 5)
            made.blocks.append(text)
            y = sheet.paragraph(50, y + 16, text, 500) + 16
    made.data = sheet.done()


def running_heads(made: Sample) -> None:
    """Four pages with a head, a foot and a number; paragraphs go on from page to page."""
    sheet = Sheet()
    made.blocks = [sentences(30 + n, 16 + n) for n in range(9)]
    lines = []
    for text in made.blocks:
        lines += [*sheet.wrapped(text, 460), ""]
    for page in range(4):
        if page:
            sheet.page()
        sheet.text(70, 40, "Yearbook of the ferries" if page % 2 else "Part one: the crossing", 8)
        sheet.text(70, 770, "Ferry office, Pier 4", 8)
        sheet.text(500, 770, f"{page + 11}", 8)
        for row, line in enumerate(lines[45 * page : 45 * page + 45]):
            sheet.text(70, 90 + 14 * row, line)
    shown = " ".join(lines[:180])
    made.blocks = [text for text in made.blocks if text in " ".join(shown.split())]
    made.left_out = ["Yearbook of the ferries", "Part one: the crossing", "Ferry office, Pier 4", "\n11\n", "\n14\n"]
    made.data = sheet.done()


def hyphens(made: Sample) -> None:
    """A narrow column with words that are parted, and words with a hyphen of their own."""
    sheet = Sheet()
    text = (
        "The har~bour mas~ter in~spect~ed the light~house with a well-known en~gin~eer. The sea-going ves~sels had "
        "been over~hauled com~plete~ly. A well-~known rule says that main~te~nance of nav~i~ga~tion~al in~stru~ments "
        "must be doc~u~ment~ed, and the reg~is~ter of re~pairs in~di~cates the re~spon~si~ble per~son. Sea-~going "
        "ships need cer~tif~i~cates from 2030-2035 and a de~tailed de~scrip~tion of the elec~tri~cal sys~tems."
    )
    sheet.paragraph(60, 80, text, 130)
    made.blocks = [text.replace("~", "")]
    made.data = sheet.done()


def footnotes(made: Sample) -> None:
    """Marks of footnotes after words and numbers, an exponent, and a paragraph that crosses the page above notes."""
    sheet = Sheet()
    first = sentences(40, 4)
    y = sheet.paragraph(60, 80, first, 480)
    y += 12
    for before, mark, after in (
        ("The tank holds 1250", "1", " litres of water, the pump moves 3 m"),
        ("3", "", " in an hour."),
    ):
        if mark:
            x = sheet.text(60, y, before)
            x = sheet.text(x, y - 4, mark, 6)
            x = sheet.text(x, y, after)
            x = sheet.text(x, y - 4, "3", 6)
            sheet.text(x, y, " an hour and 10")
    x = sheet.text(60, y + 12, "About 10")
    x = sheet.text(x, y + 8, "6", 6)
    x = sheet.text(x, y + 12, " people live on the coast, says the harbour master")
    x = sheet.text(x, y + 8, "2", 6)
    sheet.text(x, y + 12, " in his letter.")
    crossing = sentences(41, 9)
    lines = sheet.wrapped(crossing, 480)
    half = len(lines) // 2
    for row, line in enumerate(lines[:half]):
        sheet.text(60, 640 + 12 * row, line)
    sheet.line(60, 720, 160, 720)
    for row, note in enumerate(("Measured in the spring of the year before.", "Kept in the office of the harbour.")):
        x = sheet.text(60, 732 + 10 * row, f"{row + 1}", 5)
        sheet.text(x + 2, 735 + 10 * row, note, 7.5)
    sheet.page()
    for row, line in enumerate(lines[half:]):
        sheet.text(60, 80 + 12 * row, line)
    made.blocks = [
        first, "1250^1 litres of water, the pump moves 3 m^3 an hour", "About 10^6 people",
        "harbour master [2] in his letter", crossing,
    ]  # fmt: skip
    made.data = sheet.done()


def letter(made: Sample) -> None:
    """A letter: two addresses side by side, a reference line, paragraphs, a list, and two signatures."""
    sheet = Sheet()
    sender = ["Marr & Vik Boatyard", "Slipway Road 12", "4410 Sundhavn"]
    other = ["Ines Roe", "The Old Mill", "7 Tide Street", "2290 Norrvik"]
    for row in range(4):
        for x, lines in ((60, sender), (340, other)):
            if row < len(lines):
                sheet.text(x, 70 + 13 * row, lines[row])
    sheet.text(60, 170, "Your boat in winter storage", 11, bold=True)
    body, items = sentences(50, 4), ["cover the deck", "drain the tank", "take the batteries ashore"]
    y = sheet.paragraph(60, 200, body, 480) + 10
    for item in items:
        sheet.text(70, y, "•")
        sheet.text(84, y, item)
        y += 14
    last = sentences(51, 3)
    y = sheet.paragraph(60, y + 10, last, 480) + 40
    for x, lines in ((60, ["Una Marr", "Managing director"]), (340, ["Tore Vik", "Head of the yard"])):
        for row, line in enumerate(lines):
            sheet.text(x, y + 13 * row, line)
    made.headings = [(1, "Your boat in winter storage")]
    made.blocks = [
        "Marr & Vik Boatyard Slipway Road 12 4410 Sundhavn", "Ines Roe The Old Mill 7 Tide Street 2290 Norrvik", body,
        "- cover the deck - drain the tank - take the batteries ashore", last,
    ]  # fmt: skip
    made.data = sheet.done()


def turned(made: Sample) -> None:
    """A page that is turned, with two columns, and one with a table that lies on its side beside upright text."""
    sheet = Sheet()
    made.blocks = [sentences(60, 5), sentences(61, 5), sentences(62, 2)]
    _columns(sheet, made.blocks[:2], (50, 310), 240, 80, by_row=True)
    sheet.page()
    sheet.paragraph(60, 80, made.blocks[2], 480)
    with sheet.pdf.rotation(90, 300, 500):
        for number, row in enumerate(_PRICES):
            for x, text in zip((200, 260, 360, 430), row, strict=True):
                sheet.text(x, 440 + 16 * number, text, bold=not number)
    made.tables = [_PRICES]
    data = sheet.done()
    first = data.index(b"/Type /Page\n")
    made.data = data[:first] + data[first:].replace(b"/Type /Page\n", b"/Type /Page\n/Rotate 90\n", 1)


_HEBREW = ["הסירה החדשה הגיעה לנמל ביום שלישי", "המחיר הוא 412 שקלים (כולל מס)", "הצוות מנה 7 אנשים"]
_ARABIC = ["وصلت السفينة إلى الميناء يوم الثلاثاء", "السعر هو 412 دينار", "السلام على الأهل"]


def right_to_left(made: Sample) -> None:
    """Hebrew and Arabic, drawn glyph by glyph from left to right, with numbers, brackets and lam-alef as one glyph."""
    made.blocks = [*_HEBREW, *_ARABIC]
    made.data = glyph_pdf(made.blocks)


_MIRRORED = str.maketrans("()[]", ")(][")
_LAM_ALEF = {"لا": "\ue000", "لأ": "\ue001", "لإ": "\ue002"}


def _visual(text: str) -> Iterator[str]:
    """Yield the glyphs of a right-to-left line from left to right: numbers keep their order."""
    for pair, glyph in _LAM_ALEF.items():
        text = text.replace(pair, glyph)
    number = ""
    for character in reversed(text):
        if character.isdigit():
            number = character + number
            continue
        yield from number
        number = ""
        yield character.translate(_MIRRORED)
    yield from number


def glyph_pdf(lines: Sequence[str], size: int = 12) -> bytes:
    """Return a PDF with lines of Hebrew or Arabic; each glyph has its letters in the font's table (ToUnicode)."""
    glyphs: dict[str, int] = {}
    pairs = {glyph: pair for pair, glyph in _LAM_ALEF.items()}
    drawn = []
    for row, line in enumerate(lines):
        codes = bytes(
            32 if glyph == " " else glyphs.setdefault(glyph, 0x80 + len(glyphs)) for glyph in _visual(line)
        ).hex()
        drawn.append(f"1 0 0 1 {540 - 5.6 * len(line):.1f} {740 - 45 * row} Tm <{codes}> Tj")
    stream = f"BT /F1 {size} Tf {' '.join(drawn)} ET"
    table = "\n".join(
        f"<{code:02x}> <{pairs.get(glyph, glyph).encode('utf-16-be').hex()}>" for glyph, code in glyphs.items()
    )
    mapping = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Made def\n1 begincodespacerange <00> "
        f"<ff> endcodespacerange\n1 beginbfchar <20> <0020> endbfchar\n{len(glyphs)} beginbfchar\n{table}\nendbfchar "
        "endcmap end end"
    )
    widths = " ".join(["280" if code == 32 else "560" for code in range(32, 256)])
    return _file(
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R "
        "/Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        f"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /FirstChar 32 /LastChar 255 /Widths [{widths}] "
        "/ToUnicode 6 0 R >>",
        f"<< /Length {len(mapping)} >>\nstream\n{mapping}\nendstream",
    )


def _file(*objects: str) -> bytes:
    made, places = "%PDF-1.7\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(made))
        made += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    start = len(made)
    made += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    made += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF"
    return made.encode("latin-1")


_MAKERS: tuple[Callable[[Sample], None], ...] = (
    two_columns, columns_by_row, three_columns, ruled_table, aligned_table, headings, running_heads, hyphens, footnotes,
    letter, turned, right_to_left,
)  # fmt: skip


def samples() -> list[Sample]:
    """Return all samples."""
    return [sample(make.__name__) for make in _MAKERS]


def sample(name: str) -> Sample:
    """Return the sample of a name."""
    made = Sample(name)
    next(make for make in _MAKERS if make.__name__ == name)(made)
    return made
