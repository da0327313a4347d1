"""The pieces of a document that a summary may choose: sentences, list items with their introduction, and table rows.

A sentence that leans on the one before it ("This takes a week.") comes with it or is marked. Headings, greetings, the
headers of mails, page headers and fragments are no pieces. Nothing here knows of questions or of scores.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

from rag.evidence.citations import sentence_spans
from rag.evidence.quotation import (
    MOST_CHARACTERS,
    TABLE_ROW,
    TABLE_RULE,
    plain_text,
    quotation,
    short_line_ends,
    table_cells,
)

__all__ = ["Span", "Unit", "spread", "units_of"]

T = TypeVar("T")
MOST_BLOCKS = 400  # that are split into sentences, evenly spread over the document
MOST_WORDS = 45  # of a sentence, and of one together with the sentence it leans on
_LEAST_WORDS = 4
_LABEL_WORDS = 12
_LETTERS = 0.5  # the least share of letters and spaces
_QUOTED = re.compile(r"^(?:[ \t]*>)+", re.MULTILINE)
_NUMBERED = 8  # the first characters of a line, in which a heading has its number
_HEADING = re.compile(r"[ \t]*#{1,6}[ \t]+\S")
_ITEM = re.compile(r"[ \t]*(?:(?P<bullet>[-*+•–])|(?P<number>\d{1,3}[.)])|(?P<letter>[a-z][.)]))[ \t]+")
_END = re.compile(r"[.!?…][\"'”’»)\]*_]*$")
_MAIL_HEADER = re.compile(
    r"(?:from|to|cc|bcc|sent|date|subject|von|an|gesendet|datum|betreff|от|кому|копия|дата|тема|отправлено):\s",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")
# Words at the beginning of a sentence that refer to the one before it.
_LEANING = frozenset(
    """
    this that these those it its he she they them his her their both such then there therefore thus hence however but
    and or so also too instead otherwise still besides moreover furthermore meanwhile nevertheless because which
    dies diese dieser dieses das er sie es ihr sein dort dann daher deshalb aber und oder auch jedoch außerdem sonst
    это этот эта эти он она оно они его её их тогда там поэтому но однако также тоже кроме иначе
    """.split()  # noqa: SIM905 - a list literal is laid out one word a line
)


@dataclass(frozen=True, slots=True)
class Span:
    """A text as it is shown, and its place ``document[start:end]``."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of a document. ``section`` counts headings, ``place`` the pieces before it in its section.

    ``marked`` says that its ``heading`` is one by its marks or number, not only by being short. ``label`` are a few
    words that begin its paragraph. ``intro`` introduces the list that it is an item of. ``group`` numbers the list or
    table that it is in, and ``row`` says that it is a table's row. ``depth`` is how often a mail quotes it. ``leans``
    says that it refers to a sentence that it comes without.
    """

    span: Span
    section: int
    place: int
    heading: str
    marked: bool = False
    label: str = ""
    intro: Span | None = None
    group: int | None = None
    row: bool = False
    depth: int = 0
    leans: bool = False

    @property
    def words(self) -> int:
        """How many words it shows."""
        return len(self.span.text.split())


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines that belong together: ``kind`` is heading, table, paragraph, or the kind of mark of a list item."""

    kind: str
    start: int
    end: int
    depth: int = 0


def spread(items: Sequence[T], most: int) -> Sequence[T]:
    """Return at most ``most`` items, evenly spread, the first one among them."""
    if len(items) <= most:
        return items
    return [items[n * len(items) // most] for n in range(most)]


def units_of(document: str) -> list[Unit]:
    """Return the pieces of a document's text, in order."""
    text = _QUOTED.sub(lambda mark: " " * len(mark.group()), document)
    blocks = list(_blocks(document, text))
    found: list[Unit] = []
    heading, marked, section, groups = "", False, 0, 0
    intro: Span | None = None
    chosen = set(spread([n for n, block in enumerate(blocks) if block.kind != "heading"], MOST_BLOCKS))
    for n, block in enumerate(blocks):
        if _is_label(text, blocks, n):
            line = text[block.start : block.end]
            heading, section, intro = " ".join(line.strip(" \t*_#:").split()), section + 1, None
            marked = block.kind != "paragraph" or any(c.isdecimal() for c in line[:_NUMBERED])
            continue
        if n not in chosen:
            continue
        if block.kind == "table":
            made, intro = list(_rows(text, block)), None
        else:
            if block.kind == "paragraph":
                intro = None
            made, follows = _sentences(text, block, intro)
            intro = follows or intro
        if block.kind == "paragraph" or block.kind != blocks[n - 1].kind:
            groups += 1
        group = None if block.kind == "paragraph" else groups
        first = sum(unit.section == section for unit in found)
        for place, unit in enumerate(made, start=first):
            found.append(replace(unit, section=section, place=place, heading=heading, marked=marked, group=group))
    times = Counter(_folded(unit.span.text) for unit in found)
    return [unit for unit in found if times[_folded(unit.span.text)] == 1]


def _blocks(document: str, text: str) -> Iterator[_Block]:
    """Yield the blocks of a text, in which the marks of quoted mails are blanks."""
    start = position = depth = 0
    kind = ""
    lines = text.split("\n")
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        end = position + len(line)
        if TABLE_ROW.fullmatch(line):
            own = "table"
        elif not line.strip():
            own = ""
        elif _HEADING.match(line) or _is_title(line, following):
            own = "heading"
        elif mark := _ITEM.match(line):
            own = str(mark.lastgroup)
        else:
            own = kind if kind in ("bullet", "number", "letter") else "paragraph"
        quoted = _QUOTED.match(document, position)
        deep = quoted.group().count(">") if quoted else 0
        if own != kind or deep != depth or own == "heading" or _ITEM.match(line):
            if kind:
                yield _Block(kind, start, position - 1, depth)
            start = position
        kind, depth = own, deep
        position = end + 1
    if kind:
        yield _Block(kind, start, len(text), depth)


def _is_title(line: str, following: str) -> bool:
    """Return whether a numbered line is the title of what follows without a blank line, not the item of a list."""
    mark, below = _ITEM.match(line), _ITEM.match(following)
    if mark is None or mark.lastgroup == "bullet" or len(line.split()) > _LABEL_WORDS or _END.search(line):
        return False
    if below:
        return below.lastgroup != mark.lastgroup
    return following[:1].isupper() and not line.endswith((",", ":", ";"))


def _is_label(text: str, blocks: Sequence[_Block], n: int) -> bool:
    """Return whether a block is a heading: marked as one, or a short line of its own that is no sentence or item."""
    block = blocks[n]
    if block.kind in ("heading", "table"):
        return block.kind == "heading"
    line = text[block.start : block.end].strip()
    if "\n" in line or len(line.split()) > _LABEL_WORDS or _END.search(line) or line.endswith((",", ";")):
        return False
    above, below = (blocks[k].kind if 0 <= k < len(blocks) else "" for k in (n - 1, n + 1))
    if block.kind != "paragraph":
        return block.kind not in (above, below)
    return not (line.endswith(":") and below in ("bullet", "number", "letter"))


def _rows(text: str, block: _Block) -> Iterator[Unit]:
    """Yield the rows of a table, with the names of their columns."""
    passage = text[block.start : block.end]
    position = 0
    lines = []
    for line in passage.split("\n"):
        lines.append((position, position + len(line)))
        position += len(line) + 1
    rules = {k for k, line in enumerate(lines) if TABLE_RULE.fullmatch(passage, *line)}
    first = min(rules, default=0)
    names = [plain_text(passage, *cell) for cell in table_cells(passage, lines[first - 1])] if first else []
    for k, (start, end) in enumerate(lines):
        if k in rules or k + 1 in rules:
            continue
        shown = quotation(passage[start:end], 0, 0, names if k > first else ()).text
        if shown:
            yield Unit(Span(block.start + start, block.start + end, shown), 0, 0, "", row=True)


def _sentences(text: str, block: _Block, intro: Span | None) -> tuple[list[Unit], Span | None]:
    """Return the pieces of a paragraph or list item, and the introduction of a list that follows it."""
    is_item = block.kind != "paragraph"
    spans = [span for part in _parts(text, block) for span in _spans(text, *part)]
    follows = spans[-1] if spans and not is_item and spans[-1].text.endswith(":") else None
    label = ""
    if len(spans) > 1 and len(spans[0].text.split()) < _LEAST_WORDS:
        label = spans[0].text.rstrip(".:")
        spans = spans[1:]
    whole = Span(spans[0].start, spans[-1].end, " ".join(span.text for span in spans)) if spans else None
    if is_item and whole is not None and len(whole.text.split()) <= MOST_WORDS:
        spans = [whole]
    found: list[Unit] = []
    before: Span | None = None
    for span in spans:
        joined = span
        leans = _leans(span.text)
        if leans and before is not None:
            pair = Span(before.start, span.end, f"{before.text} {span.text}")
            if len(pair.text.split()) <= MOST_WORDS:
                joined, leans = pair, _leans(pair.text)
        before = joined
        if _usable(joined.text, item=is_item):
            unit = Unit(joined, 0, 0, "", False, label, intro if is_item else None, depth=block.depth, leans=leans)
            if found and found[-1].span.start == joined.start:
                found.pop()  # it goes on
            found.append(unit)
    return found, follows


def _parts(text: str, block: _Block) -> Iterator[tuple[int, int]]:
    """Yield the parts of a block without a list's mark, cut where a line is too short to go on in the next one."""
    mark = _ITEM.match(text, block.start, block.end)
    start = mark.end() if mark else block.start
    passage = text[start : block.end]
    ends = [0, *short_line_ends(passage), len(passage)] if block.kind == "paragraph" else [0, len(passage)]
    for first, last in pairwise(ends):
        yield start + first, start + last


def _spans(text: str, start: int, end: int) -> Iterator[Span]:
    passage = text[start:end]
    for first, last in sentence_spans(passage):
        shown = plain_text(passage, first, last)
        if len(shown) > MOST_CHARACTERS:
            shown = quotation(shown, 0, 1).text
        yield Span(start + first, start + last, shown)


def _leans(text: str) -> bool:
    word = _WORD.search(text)
    return word is not None and word.group().casefold() in _LEANING


def _usable(text: str, *, item: bool) -> bool:
    """Return whether a text can stand in a summary: no fragment, greeting, question or header of a mail."""
    words = text.split()
    letters = sum(c.isalpha() or c.isspace() for c in text)
    if len(words) < _LEAST_WORDS or letters < _LETTERS * len(text) or _MAIL_HEADER.match(text):
        return False
    if text.startswith(("```", "<")) or text.endswith((":", ",", "?")):
        return False
    return item or _END.search(text) is not None


def _folded(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))
