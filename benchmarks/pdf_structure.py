"""How much of the structure of a PDF is found, and how fast: our loader beside others.

    pip install pdfplumber docling-parse      # optional
    python -m benchmarks.pdf_structure [FOLDER OF PDFs …]

The twelve PDFs of :mod:`benchmarks.pdf_structure_files` have a known structure. The scores of a reader:

- blocks: share of the paragraphs that are in its text in one piece, white space apart
- order: share of neighboring paragraphs (by their first sentence) that follow each other
- headings: F1 of headings with their levels
- cells: F1 of table cells with the first cell of their row and the name of their column
- heads: share of running heads and page numbers that are left out

With folders it reads their PDFs, too, and counts pages a second of processor time and files that fail. A file NAME.md
beside NAME.pdf is what it should be read as. Three more figures are then the means over these files: how alike the
words are in their order (``difflib``), F1 of headings, and F1 of table cells, each over the files whose truth has some.
"""

from __future__ import annotations

import html
import io
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import suppress
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path

from benchmarks.pdf_structure_files import Sample, samples
from rag.ingestion.loaders import load_bytes

__all__ = ["READERS", "scores"]

Scores = dict[str, float]
_COLUMNS = ("blocks", "order", "headings", "cells", "heads")
_CELL_BAR = re.compile(r"(?<!\\)\|")


def ours(data: bytes) -> tuple[str, int]:
    """Read a PDF as the product does."""
    document = load_bytes(data, "a.pdf")
    return document.text, document.pages or 0


def as_drawn(data: bytes) -> tuple[str, int]:
    """Read the text in pdfium's own order, as the product did before it looked at the layout."""
    import pypdfium2

    pdf = pypdfium2.PdfDocument(data)
    texts = [page.get_textpage().get_text_range() for page in pdf]
    return re.sub("[\ufffe\x02]\r?\n?", "", "\n\n".join(texts)).replace("\r\n", "\n"), len(pdf)


def with_pdfplumber(data: bytes) -> tuple[str, int]:
    """Read text and tables with pdfplumber."""
    import pdfplumber

    texts = []
    with pdfplumber.open(io.BytesIO(data)) as pdf:
        for page in pdf.pages:
            texts.append(page.extract_text() or "")
            for table in page.extract_tables():
                rows = [[" ".join((cell or "").split()) for cell in row] for row in table]
                texts.append(_table(rows))
        return "\n\n".join(texts), len(pdf.pages)


def with_docling_parse(data: bytes) -> tuple[str, int]:
    """Read the lines that docling-parse finds; tables and order are its users' task."""
    from docling_core.types.doc.page import TextCellUnit
    from docling_parse.pdf_parser import DoclingPdfParser

    document = DoclingPdfParser(loglevel="fatal").load(io.BytesIO(data))
    texts = []
    for _, page in document.iterate_pages():
        texts.append("\n".join(cell.text for cell in page.iterate_cells(unit_type=TextCellUnit.LINE)))
    return "\n\n".join(texts), len(texts)


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines[:1], "|" + " --- |" * len(rows[0]), *lines[1:]]) if lines else ""


READERS: dict[str, Callable[[bytes], tuple[str, int]]] = {
    "ours": ours,
    "as drawn (before)": as_drawn,
    "pdfplumber": with_pdfplumber,
    "docling-parse": with_docling_parse,
}


def scores(sample: Sample, text: str) -> Scores:
    """Return the scores of a text; those that a sample has nothing for are missing."""
    flat = " ".join(text.split())
    found: Scores = {"blocks": _share(" ".join(block.split()) in flat for block in sample.blocks)}
    starts = [flat.find(_key(block)) for block in sample.blocks]
    pairs = list(pairwise(starts))
    if pairs:
        found["order"] = _share(0 <= first < second for first, second in pairs)
    if sample.headings:
        marks = re.findall(r"^(#{1,6}) (.+)$", text, re.MULTILINE)
        found["headings"] = _f1([(len(mark), title) for mark, title in marks], sample.headings)
    if sample.tables:
        expected = [cell for table in sample.tables for cell in _cells(table)]
        found["cells"] = _f1([cell for table in _tables(text) for cell in _cells(table)], expected)
    if sample.left_out:
        found["heads"] = _share(words not in f"\n{text}\n" for words in sample.left_out)
    return found


def _key(block: str) -> str:
    """Return words that only this block has: the number of its first sentence, or its first words."""
    number = re.search(r"note \d+", block)
    return number[0] if number else " ".join(block.split()[:4])


def _share(values: Iterable[bool]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 1.0


def _f1(found: Sequence[Hashable], expected: Sequence[Hashable]) -> float:
    both = sum((Counter(found) & Counter(expected)).values())
    return 2 * both / max(len(found) + len(expected), 1)


def _tables(text: str) -> list[list[list[str]]]:
    tables: list[list[list[str]]] = [[]]
    for line in text.split("\n"):
        if line.startswith("|"):
            cells = [cell.strip() for cell in _CELL_BAR.split(line)[1:-1]]
            if not all(set(cell) <= {"-"} and cell for cell in cells):
                tables[-1].append(cells)
        elif tables[-1]:
            tables.append([])
    return [table for table in tables if table]


def _cells(table: Sequence[Sequence[str]]) -> list[tuple[str, str, str]]:
    names = table[0]
    return [(row[0], name, cell) for row in table[1:] for name, cell in zip(names, row, strict=False) if cell]


def main() -> None:
    """Print the tables."""
    made = samples()
    print("| reader | " + " | ".join(_COLUMNS) + " | pages/s of a core |\n|---|" + "---|" * 6)
    for name, read in READERS.items():
        with suppress(ImportError):
            totals: dict[str, list[float]] = {column: [] for column in _COLUMNS}
            read(made[0].data)
            started, pages = time.process_time(), 0
            for sample in made:
                text, count = read(sample.data)
                pages += count
                for column, value in scores(sample, text).items():
                    totals[column].append(value)
            seconds = time.process_time() - started
            means = [f"{sum(values) / len(values):.2f}" for values in totals.values()]
            print(f"| {name} | {' | '.join(means)} | {pages / seconds:.0f} |")
    print("\n| sample | " + " | ".join(_COLUMNS) + " |\n|---|" + "---|" * 5)
    for sample in made:
        found = scores(sample, ours(sample.data)[0])
        print(f"| {sample.name} | {' | '.join(f'{found[c]:.2f}' if c in found else '' for c in _COLUMNS)} |")
    for folder in sys.argv[1:]:
        _read_folder(Path(folder))


def _read_folder(folder: Path) -> None:
    files = [(path.read_bytes(), _truth(path.with_suffix(".md"))) for path in sorted(folder.rglob("*.pdf"))]
    print(f"\n{folder.name}: {len(files)} files, {sum(truth is not None for _, truth in files)} with a truth\n")
    print(
        "| reader | files read | pages | pages/s of a core | words | headings | cells |\n|---|---|---|---|---|---|---|"
    )
    for name, read in READERS.items():
        with suppress(ImportError):
            pages, done, seconds = 0, 0, 0.0
            alike: list[tuple[float, float | None, float | None]] = []
            for data, truth in files:
                started = time.process_time()
                try:
                    text, count = read(data)
                except (ImportError, KeyboardInterrupt):
                    raise
                except Exception:  # noqa: BLE001 - each library fails in its own ways; the file counts as not read
                    continue
                finally:
                    seconds += time.process_time() - started
                pages, done = pages + count, done + 1
                if truth is not None:
                    alike.append(_alike(text, truth))
            means = [_mean([value for value in values if value is not None]) for values in zip(*alike, strict=True)]
            means = means or ["", "", ""]
            print(
                f"| {name} | {done} | {pages:,} | {pages / max(seconds, 1e-9):.0f} | {' | '.join(means)} |", flush=True
            )


def _truth(path: Path) -> str | None:
    return html.unescape(path.read_text("utf-8")).replace("\\_", "_") if path.is_file() else None


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.2f}" if values else ""


def _alike(text: str, truth: str) -> tuple[float, float | None, float | None]:
    words = [
        re.findall(r"\w+", re.sub(r"<!--.*?-->|^[|#\- ]+", " ", each, flags=re.MULTILINE)) for each in (text, truth)
    ]
    headings = [
        [" ".join(line.split()).casefold() for line in re.findall(r"^#+ (.+)$", each, re.M)] for each in (text, truth)
    ]
    cells = [[cell for table in _tables(each) for row in table for cell in row if cell] for each in (text, truth)]
    ratio = SequenceMatcher(None, words[0], words[1], autojunk=False).ratio()
    return ratio, _f1(*headings) if headings[1] else None, _f1(*cells) if cells[1] else None


if __name__ == "__main__":
    main()
