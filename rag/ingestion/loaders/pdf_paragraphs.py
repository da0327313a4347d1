"""Lines of a page to paragraphs and list items: wrapped lines and hyphenated words are joined, other breaks stay."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from rag.ingestion.loaders.pdf_bidi import is_rtl
from rag.ingestion.loaders.pdf_layout import Line, Lines

__all__ = ["Paragraph", "Words", "continues", "joined_lines", "paragraphs_of"]

_BULLET = re.compile(r"[•‣⁃▪▫◦●○■□◆◇➢➤✓✔❖·∙\ue000-\uf8ff\x80-\x9f][ \t]*(?=\S)|[-–—*][ \t]+(?=\S)")
_MARK = re.compile(
    r"[☐☑☒][ \t]*(?=\S)|(?:\(?\d{1,3}[.)]|\(?[A-Za-z][.)]|\(?[ivxlcIVXLC]{1,5}[.)]|\[\d{1,3}\])[ \t]+(?=\S)"
)
_END = re.compile(r"[.!?:;…。！？؟।][\"'”’»)\]]*$")
_ENTRY = re.compile(r"(?:\.{4}|…{2}|(?:\. ){4})[.… ]*[\divxlc]+$")  # of a table of contents
_HYPHEN = re.compile(r"[^\W\d_][-\u2010\u00ad]$")
_NUMBER_DASH = re.compile(r"\w[-\u2010\u2013]$")  # as in ``2030-2035`` and ``M-30``
_ADDRESS = re.compile(r"(?:https?:/|www\.)\S*/$|\S@$")
_PART = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*[-\u2010\u00ad]$")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_PREFIXES = frozenset({"self", "well", "ex", "all", "half", "cross", "e", "x", "t"})  # of words that keep a hyphen
_STEP = 1.35  # of the usual distance of lines: a larger one parts paragraphs
_INDENT = 0.8  # of the font's size
_SIZE = 1.12
_ALL_BOLD = 0.97  # of the characters of a line that is bold
_SINGLE_WORDS = 5  # of a line that is one by itself, on average
_SLACK = 0.6  # of the font's size: what a line may be shorter than its column and still be full


class Words:
    """The words of a document with and without hyphens, to decide about those at the ends of lines."""

    def __init__(self) -> None:
        self._hyphened: set[str] = set()

    def learn(self, lines: Sequence[Line]) -> None:
        """Remember the words with a hyphen within a line."""
        for line in lines:
            if "-" in line.text:
                self._hyphened.update(
                    match[0].casefold() for match in _WORD.finditer(line.text.rstrip("-")) if "-" in match[0]
                )

    def keeps(self, first: str, second: str) -> bool:
        """Return whether ``first-second`` is written with its hyphen elsewhere."""
        return f"{first}-{second}".casefold() in self._hyphened


@dataclass(slots=True)
class Paragraph:
    """A paragraph or a list item of one page. ``mark`` is ``-`` or the number of an item, ``depth`` how far it is in.

    ``full`` says whether its last line fills its column, ``left`` is where its first line begins.
    """

    text: str
    page: int
    size: float
    bold: float
    lines: int
    left: float
    full: bool
    mark: str = ""
    depth: int = 0

    @property
    def is_open(self) -> bool:
        """Whether its text can go on in another column or on another page."""
        return _END.search(self.text) is None


def paragraphs_of(block: Lines, page: int, words: Words) -> Iterator[Paragraph]:
    """Yield the paragraphs of a column in order."""
    for group in _groups(block):
        left, right = min(line.left for line in group), max(line.right for line in group)
        if len(group) == 1:
            left, right = min(left, block.left), max(right, block.right)
        for lines in _broken(group, left, right, from_right=block.from_right):
            yield from _paragraph(lines, page, words, (left, right), from_right=block.from_right)


def joined_lines(upper: str, lower: str, words: Words) -> str:
    """Return what is between two lines that are wrapped, with ``upper`` possibly losing its hyphen: the joined text."""
    if _HYPHEN.search(upper):
        part = _PART.search(upper)
        if lower[:1].islower():
            first, second = part[0][:-1] if part else "", _first_word(lower)
            keeps = first.casefold() in _PREFIXES or words.keeps(first, second)
            if "\u00ad" in upper[-1] or not keeps:
                return upper[:-1] + lower
        return upper + lower
    if (_NUMBER_DASH.search(upper) and lower[:1].isdigit()) or _ADDRESS.search(upper):
        return upper + lower
    return upper + ("" if _is_wide(upper[-1:]) and _is_wide(lower[:1]) else " ") + lower


def continues(upper: Paragraph, lower: Paragraph) -> bool:
    """Return whether a paragraph goes on in another one, in the next column or on the next page."""
    if lower.mark or not upper.is_open or abs(upper.size - lower.size) > 0.06 * upper.size:
        return False
    if (upper.bold > 0.9) != (lower.bold > 0.9) or "\n" in upper.text[-80:]:
        return False
    start = lower.text.lstrip("\"'“”„«(")[:1]
    if start.islower():
        return True
    return upper.full and upper.lines > 1 and bool(start) and not _BULLET.match(lower.text)


def _first_word(text: str) -> str:
    match = _WORD.match(text)
    return match[0] if match else ""


def _is_wide(character: str) -> bool:
    """Return whether a character is of a script that is written without spaces."""
    return "\u3000" <= character <= "\u9fff" or "\uff00" <= character <= "\uffef"


def _groups(block: Lines) -> Iterator[list[Line]]:
    """Yield runs of lines of one print, with the same distance between them."""
    steps: dict[int, list[float]] = {}
    for upper, lower in pairwise(block.lines):
        step = upper.baseline - lower.baseline
        if 0.8 * upper.size < step < 2.2 * upper.size and _same_size(upper, lower):
            steps.setdefault(round(upper.size), []).append(step)
    usual = {size: median(found) for size, found in steps.items()}
    group: list[Line] = []
    for line in block.lines:
        if group and _parts(group[-1], line, usual.get(round(group[-1].size), 0.0)):
            yield group
            group = []
        group.append(line)
    if group:
        yield group


def _same_size(upper: Line, lower: Line) -> bool:
    return max(upper.size, lower.size) <= _SIZE * min(upper.size, lower.size)


def _parts(upper: Line, lower: Line, usual: float) -> bool:
    step = upper.baseline - lower.baseline
    size = max(upper.size, lower.size)
    if not _same_size(upper, lower) or (upper.bold > _ALL_BOLD) != (lower.bold > _ALL_BOLD):
        return True
    most = min(usual, 1.8 * size) * _STEP if usual > 0.8 * size else 1.7 * size
    return step < 0 or step > most


def _broken(group: Sequence[Line], left: float, right: float, *, from_right: bool) -> Iterator[list[Line]]:
    """Yield the paragraphs of a group of lines: parted by indents, list marks, and short last lines."""
    lines: list[Line] = []
    for number, line in enumerate(group):
        if lines and _begins(group, number, lines, (left, right), from_right=from_right):
            yield lines
            lines = []
        lines.append(line)
    if lines:
        yield lines


def _begins(
    group: Sequence[Line], number: int, lines: Sequence[Line], bounds: tuple[float, float], *, from_right: bool
) -> bool:
    upper, line = group[number - 1], group[number]
    if _BULLET.match(line.text):
        return True
    is_full = _is_full(upper, line, bounds, from_right=from_right)
    if _MARK.match(line.text) and (not is_full or _is_item(lines[0].text) or upper.text.endswith(":")):
        return True
    if not from_right and not _is_item(lines[0].text) and line.left - upper.left > _INDENT * line.size:
        after = group[number + 1] if number + 1 < len(group) else None
        if (after is None or line.left - after.left > _INDENT * line.size) and len(lines) > 1:
            return True
    is_out = line.left < lines[0].left - 0.3 * line.size
    if not from_right and _is_item(lines[0].text) and is_out and not (is_full and _END.search(upper.text) is None):
        return True
    return not is_full and _END.search(upper.text) is not None


def _is_item(text: str) -> bool:
    return (_BULLET.match(text) or _MARK.match(text)) is not None


def _is_full(upper: Line, lower: Line, bounds: tuple[float, float], *, from_right: bool) -> bool:
    """Return whether the first word of a line had no room at the end of the line above."""
    room = upper.left - bounds[0] if from_right else bounds[1] - upper.right
    word = lower.text.split(maxsplit=1)[0] if lower.text.split() else lower.text
    width = (lower.right - lower.left) * len(word) / max(len(lower.text), 1)
    return room < width + 0.3 * upper.size


def _paragraph(
    lines: Sequence[Line], page: int, words: Words, bounds: tuple[float, float], *, from_right: bool
) -> Iterator[Paragraph]:
    text = lines[0].text
    single = _are_single(lines)
    for upper, lower in pairwise(lines):
        is_full = not single and _is_full(upper, lower, bounds, from_right=from_right)
        is_full &= _ENTRY.search(upper.text) is None
        goes_on = lower.text[:1].islower() and _END.search(upper.text) is None
        if is_full or goes_on or _HYPHEN.search(text):
            text = joined_lines(text, lower.text, words)
        else:
            text = f"{text}\n{lower.text}"
    match = _BULLET.match(text) or (_MARK.match(text) if not _is_sentence_number(text) else None)
    mark = "" if match is None else match[0].strip()
    count = sum(len(line.text) for line in lines) or 1
    bold = sum(line.bold * len(line.text) for line in lines) / count
    last = lines[-1]
    room = last.left - bounds[0] if from_right else bounds[1] - last.right
    yield Paragraph(
        text[match.end() :] if match else text, page, lines[0].size, bold, len(lines), lines[0].left,
        room < max(_SLACK * last.size, 0.12 * (bounds[1] - bounds[0])),
        "-" if match and _BULLET.match(text) else mark,
    )  # fmt: skip


def _are_single(lines: Sequence[Line]) -> bool:
    """Return whether lines are short and none goes on in small letters, as those of an address."""
    words = [line.text.split() for line in lines]
    if len(lines) < 2 or sum(map(len, words)) > _SINGLE_WORDS * len(lines) or _END.search(lines[-1].text):
        return False
    return all(line.text[:1].isupper() or line.text[:1].isdigit() for line in lines[1:])


def _is_sentence_number(text: str) -> bool:
    """Return whether a mark is an initial, as in ``A. Berg``, and no list mark."""
    return re.match(r"[A-Z]\. [A-Z][\w.]*,? ", text) is not None and not any(map(is_rtl, text[:3]))
