"""The rows of a table that a question asks for: those with the cells that it names and the limits that it sets.

A row is chosen if its cells hold as many of the question's words as any row's, and a value for each column in which the
question names one. Words of the title, the headings, and the column names are no condition. A limit needs one column
that can be compared with it; where this, a negation or a superlative leaves open what is asked, no row is chosen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.evidence.limits import Limit, find_limits, without_limits
from rag.evidence.tables import Table, TableLine
from rag.evidence.token_match import content_stems, is_number

__all__ = ["Choice", "asks_for_rows", "asks_for_several", "choose_rows"]

_LEAST_COMPARABLE = 0.8  # of a column's cells
_SEVERAL = re.compile(r"\s*(?:and\s+)?(?:which|what|who|list|name|show)\b", re.IGNORECASE)
_WHICH = re.compile(r"\s*(?:which|list|name|show)\b", re.IGNORECASE)
_KINDS = frozenset({"list", "fact", "person", "place", ""})
_UNDECIDED = re.compile(
    r"\b(?:not|no|never|nor|neither|without|except|besides|other\s+than|apart\s+from|how\s+many|how\s+much|most|fewest|"
    r"(?:long|short|larg|small|bigg|high|low|heavi|light|cheap|old|new|young|earli|lat|b|fast|slow|great)est|worst)\b|n['’]t\b",
    re.IGNORECASE,
)
_BOUND = re.compile(r"\bat\s+(?:least|most)\b|\bno\s+(?:more|less|fewer|later|earlier|longer)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen rows and the words of the question that chose them; ``compared`` if a limit was checked."""

    rows: tuple[TableLine, ...]
    stems: frozenset[str]
    compared: bool


def asks_for_rows(question: str, kind: str) -> bool:
    """Return whether a question asks which things keep to something: ``which`` and ``list`` do, ``what`` may not."""
    return kind == "list" or (kind in _KINDS | {"comparison"} and _WHICH.match(question) is not None)


def asks_for_several(question: str, kind: str) -> bool:
    """Return whether a question may have several table rows as its answer."""
    return kind == "list" or (kind in _KINDS and _SEVERAL.match(question) is not None)


def choose_rows(question: str, table: Table, context: str, around: str = "") -> Choice | None:
    """Return the rows that a question asks for; None if it names no cell and no limit, or not plainly.

    ``context`` are the title and the headings over the table, ``around`` is the document's text around it.
    """
    if not table.rows or _UNDECIDED.search(_BOUND.sub(" ", question)):
        return None
    known = content_stems(context)
    limits = find_limits(question)
    rows, compared = list(table.rows), False
    for limit in limits:
        kept = _within(limit, question, table)
        if kept is not None:
            rows, compared = [row for row in rows if row in kept], True
        elif not content_stems(question[limit.start : limit.end]) <= known:
            return None
    rest = without_limits(question, limits)
    named = content_stems(rest) - known
    asked = named - content_stems(" ".join(table.columns))
    asked = asked.difference(*(limit.stems for limit in limits))
    chosen, stems = _naming(asked, named, table)
    if not (compared or stems) or (_names(rest) & asked) - stems - content_stems(around):
        return None
    if stems:
        rows = [row for row in rows if row in chosen]
    return Choice(tuple(rows), stems, compared) if rows else None


def _names(question: str) -> frozenset[str]:
    """Return the stems of names and numbers: words with a capital letter or a digit, the first word left out."""
    words = question.split()[1:]
    return content_stems(" ".join(word for word in words if any(c.isupper() or c.isdigit() for c in word)))


# Cells that the question names ---------------------------------------------------------------------------------------


def _naming(asked: frozenset[str], named: frozenset[str], table: Table) -> tuple[list[TableLine], frozenset[str]]:
    """Return the rows whose cells the question names, and the words that name them."""
    width = max(len(row.cells) for row in table.rows)
    held = [[content_stems(cell) & asked for cell in row.cells] for row in table.rows]
    for stem in asked:
        columns = {n for row in held for n, stems in enumerate(row) if stem in stems}
        if len(columns) > 1 and is_number(stem):
            by_name = {n for n in columns if n < len(table.columns) and content_stems(table.columns[n]) & named}
            for row in held:
                for n in columns - by_name:
                    row[n] -= {stem}
    groups = _groups(held, width)
    together = [frozenset().union(*row) for row in held]
    stems = frozenset().union(*together)
    if not stems:
        return [], stems
    full = [n for n, row in enumerate(together) if all(row & group for group in groups)]
    best = [n for n in full if not any(together[n] < together[other] for other in full)]
    return [table.rows[n] for n in best], stems


def _groups(held: Sequence[Sequence[frozenset[str]]], width: int) -> list[frozenset[str]]:
    """Return the question's words by column; columns that share a word are taken together, as they are alternatives."""
    groups: list[frozenset[str]] = []
    for n in range(width):
        group = frozenset().union(*(row[n] for row in held if n < len(row)))
        apart = [other for other in groups if not other & group]
        groups = [*apart, group.union(*(other for other in groups if other & group))] if group else groups
    return groups


# Limits --------------------------------------------------------------------------------------------------------------


def _within(limit: Limit, question: str, table: Table) -> list[TableLine] | None:
    """Return the rows within a limit, None if no column, or more than one, can be meant."""
    stems = content_stems(question)
    candidates: dict[int, list[TableLine]] = {}
    for n, name in enumerate(table.columns):
        cells = [row.cells[n] if n < len(row.cells) else "" for row in table.rows]
        checked = [limit.check(cell, name) for cell in cells]
        filled = sum(bool(cell) for cell in cells)
        if filled and sum(result is not None for result in checked) >= _LEAST_COMPARABLE * filled:
            candidates[n] = [row for row, result in zip(table.rows, checked, strict=True) if result]
    by_name = {n for n in candidates if content_stems(table.columns[n]) & (limit.stems or stems)}
    if not limit.dimension and limit.dates is None and not by_name:
        return None
    if by_name:
        most = max(len(content_stems(table.columns[n]) & stems) for n in by_name)
        by_name = {n for n in by_name if len(content_stems(table.columns[n]) & stems) == most}
    found = [candidates[n] for n in by_name or candidates]
    return found[0] if found and all(rows == found[0] for rows in found) else None
