"""Small helpers for text that people read: counts with nouns, one-line messages, addresses without passwords.

A leaf: every package of ``rag`` may import it. English only; the page's catalogue has the other languages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath

__all__ = [
    "ROW_RANGE",
    "columns_before",
    "context_before",
    "context_line",
    "counted",
    "documents_by_state",
    "error_line",
    "one_line",
    "table_columns",
    "without_userinfo",
]

_LONGEST_CONTEXT = 200  # characters
_LONGEST_COLUMNS = 280  # characters
_BAR = re.compile(r"(?<!\\)\|")
_WORD = re.compile(r"[^\W_]+")
ROW_RANGE = re.compile(r"rows? \d+(?:-\d+)?")  # a heading that names rows of a table
_MOST_FILE_WORDS = 4
_LONGEST_FILE_WORD = 16  # longer ones are keys made by a machine
_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")


def context_line(source: str, title: str, headings: Sequence[str]) -> str:
    """Return where a passage comes from, on one line: ``Visitor Policy (2023) > Wards > Hours``.

    The title, in brackets the words of the file's name that the title lacks, and the headings. Models and indexes read
    it before the text, because a clause seldom names its contract. A long one loses headings from the left, so that
    the title and the nearest heading stay. It has at most 200 characters.
    """
    name = one_line(title)
    letters = "".join(_WORD.findall(name.casefold()))
    lacking = [word for word in _WORD.findall(PurePath(source).stem) if word.casefold() not in letters]
    if name and 0 < len(lacking) <= _MOST_FILE_WORDS and all(len(word) <= _LONGEST_FILE_WORD for word in lacking):
        name += f" ({' '.join(lacking)})"
    parts = [one_line(heading) for heading in headings]
    parts = [part for part in parts if part and part != one_line(title) and not ROW_RANGE.fullmatch(part)]
    while len(parts) > 1 and len(" > ".join([name, *parts])) > _LONGEST_CONTEXT:
        parts.pop(0)
    return " > ".join([part for part in [name, *parts] if part])[:_LONGEST_CONTEXT].rstrip()


def context_before(source: str, title: str, headings: Sequence[str], text: str) -> str:
    """Return what models and indexes read before a text: its context line, and the header row of the table in whose
    middle it begins, on a line of its own.
    """
    if not columns_before(headings, text):
        return context_line(source, title, headings)
    row = headings[-1] if headings[-1].startswith("|") else f"| {headings[-1]} |"
    return f"{context_line(source, title, headings[:-1])}\n{row}".lstrip()


def columns_before(headings: Sequence[str], text: str) -> tuple[str, ...]:
    """Return the names of the columns of the first lines of a text that begins in the middle of a table; else none."""
    return _column_names(headings[-1]) if headings and "|" in headings[-1] and text.startswith("|") else ()


def table_columns(header: str) -> str:
    """Return the header row of a Markdown table as one heading, cut at a name; empty if no column has a name.

    It has bars around it if a name is missing, so that :func:`columns_before` finds each in its place.
    """
    names = [one_line(cell) for cell in _BAR.split(header.strip().removeprefix("|").removesuffix("|"))]
    while len(names) > 1 and sum(map(len, names)) + 3 * len(names) > _LONGEST_COLUMNS:
        names.pop()
    if not any(names):
        return ""
    text = " | ".join(names)[:_LONGEST_COLUMNS]
    return text if all(names) else f"| {text} |"


def _column_names(heading: str) -> tuple[str, ...]:
    """Return the names that :func:`table_columns` joined."""
    return tuple(name.strip() for name in _BAR.split(heading.removeprefix("|").removesuffix("|")))


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: ``1 chunk``, ``2,000 chunks``. ``many`` is an irregular plural."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def documents_by_state(counts: Mapping[str, int]) -> str:
    """Return how many documents of an index are ready, answered from an older version only, and failed."""
    parts = [f"{counted(counts['ready'], 'document')} ready"]
    parts += [f"{counts['stale']:,} in an older version"] if counts["stale"] else []
    parts += [f"{counts['failed']:,} failed"] if counts["failed"] else []
    return ", ".join(parts)


def one_line(text: str, limit: int | None = None) -> str:
    """Return a text with each run of white space as one space, cut to ``limit`` characters."""
    return " ".join(text.split())[:limit]


def error_line(error: BaseException, limit: int = 500) -> str:
    """Return an error's message on one line, or the name of its class where it has none."""
    return one_line(str(error), limit) or type(error).__name__


def without_userinfo(text: str) -> str:
    """Return a text with ``***`` in place of the user name and password of each address in it."""
    return _USERINFO.sub("***@", text)
