"""The sentences, list items and table rows of a passage, each with what it is read with: labels and neighbors.

A label is what a statement leaves out because it stands above it: the heading, a question that it answers, the
introduction of its list, the names of its columns. Headings and questions are no statements themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rag.evidence.citations import sentence_spans
from rag.evidence.quotation import TABLE_ROW, TABLE_RULE, column_names, short_line_ends, table_cells

__all__ = ["Statement", "statements"]

_LONGEST_LABEL = 80  # characters of a heading without a mark
_QUESTION_ENDS = "?？؟;\u037e"  # a Greek question mark looks like a semicolon
_SENTENCE_ENDS = ".!…。！:,"


@dataclass(frozen=True, slots=True)
class Statement:
    """The statement ``passage[start:end]``.

    ``text`` are its words, those of the cells for a ``row``; ``label`` is what stands above it, ``near`` are the
    statements before and after it.
    """

    start: int
    end: int
    text: str
    label: str
    near: str = ""
    row: bool = False


def statements(passage: str) -> list[Statement]:
    """Return the statements of a passage in their order."""
    found: list[Statement] = []
    heading = question = introduction = ""
    for start, end in _pieces(passage):
        text = passage[start:end]
        line = passage.rfind("\n", 0, start) + 1, _line_end(passage, end)
        if TABLE_RULE.fullmatch(passage, *line):
            continue
        if TABLE_ROW.fullmatch(passage, *line):
            if not TABLE_RULE.fullmatch(passage, line[1] + 1, _line_end(passage, line[1] + 1)):
                cells = " ".join(passage[a:b] for a, b in table_cells(passage, line))
                label = " ".join([heading, introduction, *column_names(passage, line)])
                found.append(Statement(*line, cells, label, row=True))
            continue
        item = bool(passage[line[0] : start].strip())  # a mark or number before it
        if text.startswith("#"):
            heading, question, introduction = text.lstrip("# "), "", ""
        elif text[-1] in _QUESTION_ENDS or (_is_label(passage, start, end, line) and not item):
            question, introduction = text, ""
        else:
            found.append(Statement(start, end, text, f"{heading} {question} {introduction}"))
            if text.endswith(":") and not item:
                introduction = text
    return [replace(s, near=_near(found, n)) for n, s in enumerate(found)]


def _pieces(passage: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each sentence, cut after headings, and after short lines as a quotation is cut."""
    ends = short_line_ends(passage)
    for start, end in sentence_spans(passage):
        cuts = {place for place in ends if start < place < end}
        if passage[start] == "#" and "\n" in passage[start:end]:
            cuts.add(passage.index("\n", start))
        for cut in sorted(cuts):
            yield start, cut
            start = cut + 1
        yield start, end


def _is_label(passage: str, start: int, end: int, line: tuple[int, int]) -> bool:
    """Return whether a piece is a heading without a mark: a short line of its own, with no full stop and no number."""
    text = passage[start:end]
    alone = start == line[0] and end == line[1] and passage[end : end + 2].strip(" ") != ""
    return alone and len(text) <= _LONGEST_LABEL and text[-1] not in _SENTENCE_ENDS and not any(map(str.isdigit, text))


def _near(found: list[Statement], n: int) -> str:
    """Return the statements before and after one under the same label; a row has none."""
    beside = (*found[max(0, n - 1) : n], *found[n + 1 : n + 2])
    return "" if found[n].row else " ".join(s.text for s in beside if not s.row and s.label == found[n].label)


def _line_end(passage: str, place: int) -> int:
    end = passage.find("\n", place)
    return len(passage) if end < 0 else end
