"""Small neighboring sections to larger ones, so that a chunk is about a paragraph and not one line.

A paragraph that crosses a page break joins the sections of the two pages. Otherwise two sections are merged only if
nothing is lost: they are on one page, only white space or heading lines stand between them, and every heading that they
do not share is a line of the merged text. Numbered labels, such as ``rows 2-5`` of a sheet, become one label. A section
of a sheet whose name is no line of the text is never merged with another sheet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import takewhile

from indexes import Section

__all__ = ["join_across_pages", "pack_sections"]

_HEADING_LINE = re.compile(r"^[ \t]*#{1,6}[ \t]+(.*?)[ \t#]*$", re.MULTILINE)
_LABEL = re.compile(r"(row|cell)s? (\d+)(?:-(\d+))?")


def join_across_pages(text: str, sections: Iterable[Section]) -> Iterator[Section]:
    """Yield the sections in order; those between which a paragraph crosses a page break are one, with its first page.

    There a loader leaves no line break between the pages. The page of a chunk is that of the section it begins in.
    """
    group: tuple[Section, int | None] | None = None  # what is joined so far, and its last page
    for section in sections:
        if group is not None and _crosses(text, *group, section):
            joined, _ = group
            group = Section(joined.start, section.end, joined.page, joined.headings), section.page
            continue
        if group is not None:
            yield group[0]
        group = section, section.page
    if group is not None:
        yield group[0]


def _crosses(text: str, left: Section, last_page: int | None, right: Section) -> bool:
    if last_page is None or right.page != last_page + 1 or left.headings != right.headings:
        return False
    between = text[left.end : right.start]
    return not between.strip() and "\n" not in between


def pack_sections(text: str, sections: Iterable[Section], count: Callable[[str], int], most: int) -> Iterator[Section]:
    """Yield the sections in order, consecutive ones merged while together they have at most ``most`` tokens.

    ``count`` counts the tokens of a text. The headings of a merged section are those that all of its parts share.
    """
    group, tokens = None, 0
    for section in sections:
        added = count(text[section.start : section.end])
        merged = _merged(text, group, section) if group is not None and tokens + added <= most else None
        if merged is not None:
            group, tokens = merged, tokens + added
            continue
        if group is not None:
            yield group
        group, tokens = section, added
    if group is not None:
        yield group


def _merged(text: str, left: Section, right: Section) -> Section | None:
    """Return both sections as one, None if they are apart or a heading would be lost."""
    if left.page != right.page or _HEADING_LINE.sub("", text[left.end : right.start]).strip():
        return None
    pairs = zip(left.headings, right.headings, strict=False)
    shared = tuple(heading for heading, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    lost = {*left.headings[len(shared) :], *right.headings[len(shared) :]}
    label = _joined_label(left.headings[len(shared) :], right.headings[len(shared) :])
    if label is None:
        visible = {match[1].strip() for match in _HEADING_LINE.finditer(text, left.start, right.end)}
        if not lost <= visible:
            return None
    return Section(left.start, right.end, left.page, shared if label is None else (*shared, label))


def _joined_label(left: Sequence[str], right: Sequence[str]) -> str | None:
    """Return ``rows 2-9`` for ``rows 2-5`` and ``rows 6-9``, None if these are not two labels of one kind."""
    if not len(left) == len(right) == 1:
        return None
    first, last = _LABEL.fullmatch(left[0]), _LABEL.fullmatch(right[0])
    if first is None or last is None or first[1] != last[1]:
        return None
    return f"{first[1]}s {first[2]}-{last[3] or last[2]}"
