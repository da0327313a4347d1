"""Which paragraphs of a PDF are headings, and of which level: by the size and weight of print, and by numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from rag.ingestion.loaders.pdf_paragraphs import Paragraph

__all__ = ["body_size", "heading_levels"]

_LARGER = 1.12  # times the size of the text
_LONGEST, _LONGEST_BOLD = 200, 120  # characters
_MOST_LINES, _MOST_BOLD_LINES = 4, 2
_MOST_SHARE = 0.4  # of all characters: print that is more frequent is no heading's
_MOST_LEVELS = 6
_SAME_SIZE = 1.04
_NUMBER = re.compile(
    r"(?:(?:chapter|section|part|article|kapitel|глава|раздел)\s+)?(\d{1,3}(?:\.\d{1,3}){0,4})\.?(?=\s)", re.I
)
_WORD = re.compile(r"[^\W\d_]{3}|[\u3000-\u9fff\uac00-\ud7af]")  # a formula has none
_CAPTION = re.compile(
    r"(?:fig(?:ure|\.)|tab(?:le|\.)|abb(?:ildung|\.)|tabelle|рис(?:унок|\.)|таблица|tableau)\s*\d", re.I
)
_SENTENCE = re.compile(r"[.,;](?:[\"'”’)]*)$")

Style = tuple[float, bool, int]
"""Size in points, bold or not, and the depth of the number before the heading."""


def body_size(paragraphs: Iterable[Paragraph], tables: Iterable[tuple[float, int]] = ()) -> float:
    """Return the size of print that most characters have, in points.

    ``tables`` are the size and the number of characters of each table; they count only if there is little other text.
    """
    sizes: Counter[float] = Counter()
    for paragraph in paragraphs:
        sizes[_rounded(paragraph.size)] += len(paragraph.text)
    in_tables: Counter[float] = Counter()
    for size, count in tables:
        in_tables[_rounded(size)] += count
    if sizes.total() < in_tables.total() / 2:
        sizes += in_tables
    return max(sizes, key=lambda size: (sizes[size], -size), default=10.0)


def heading_levels(paragraphs: Sequence[Paragraph], tables: Sequence[tuple[float, int]] = ()) -> dict[int, int]:
    """Return the level, from 1, of each paragraph that is a heading, by its place in the sequence."""
    body = body_size(paragraphs, tables)
    total = sum(len(paragraph.text) for paragraph in paragraphs) + sum(count for _, count in tables) or 1
    bold = sum(len(paragraph.text) for paragraph in paragraphs if paragraph.bold > 0.9)
    may_be_bold = bold <= _MOST_SHARE * total
    styles: dict[int, Style] = {}
    for place, paragraph in enumerate(paragraphs):
        if _is_heading(paragraph, body, may_be_bold=may_be_bold):
            number = _NUMBER.match(f"{paragraph.mark} {paragraph.text}".strip())
            depth = number[1].count(".") if number else 0
            styles[place] = paragraph.size, paragraph.bold > 0.9, depth
    if sum(len(paragraphs[place].text) for place in styles) > _MOST_SHARE * total and len(paragraphs) > 8:
        styles = {place: style for place, style in styles.items() if style[0] >= _LARGER * body}
    levels = _levels(styles)
    first = min(levels, default=-1)
    if (
        levels
        and paragraphs[first].page == 1
        and styles[first][0] * _SAME_SIZE >= max(style[0] for style in styles.values())
    ):
        levels[first] = 1  # the title of the document
    return levels


def _is_heading(paragraph: Paragraph, body: float, *, may_be_bold: bool) -> bool:
    text = paragraph.text
    letters = sum(map(str.isalpha, text))
    if letters < 2 or paragraph.mark == "-" or letters * 2 < len(text.replace(" ", "")):
        return False
    if _CAPTION.match(text) or not _WORD.search(text):
        return False
    if paragraph.size >= _LARGER * body:
        return (
            len(text) <= _LONGEST and paragraph.lines <= _MOST_LINES and not (_SENTENCE.search(text) and len(text) > 80)
        )
    return (
        may_be_bold
        and paragraph.bold > 0.9
        and paragraph.size >= 0.94 * body
        and len(text) <= _LONGEST_BOLD
        and paragraph.lines <= _MOST_BOLD_LINES
        and not text.endswith((".", ",", ";"))
        and text[:1] not in "(["
    )


def _levels(styles: dict[int, Style]) -> dict[int, int]:
    sizes: list[float] = []
    for size in sorted({style[0] for style in styles.values()}, reverse=True):
        if not sizes or sizes[-1] > _SAME_SIZE * size:
            sizes.append(size)

    def ranked(style: Style) -> tuple[int, bool, int]:
        rank = sum(size >= style[0] for size in sizes) - 1  # each size is the largest of those that count as one
        return rank, not style[1], style[2]

    ranks = {place: ranked(style) for place, style in styles.items()}
    order = {rank: level for level, rank in enumerate(sorted(set(ranks.values())), start=1)}
    return {place: min(order[rank], _MOST_LEVELS) for place, rank in ranks.items()}


def _rounded(size: float) -> float:
    return round(size * 2) / 2
