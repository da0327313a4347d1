"""What an extractive answer shows around the span that was marked: a sentence, a whole list, or rows of a table.

Everything is words of the documents; each sentence or row has its citation. Notes say where a table may go on beyond
what was read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rag.evidence.citations import Cited, cite_spans
from rag.evidence.limits import find_limits, without_limits
from rag.evidence.quotation import MOST_OF_A_BLOCK, Quotation, in_row, quotation, whole_quotation
from rag.evidence.row_choice import asks_for_rows, asks_for_several, choose_rows
from rag.evidence.rows import rows_for
from rag.evidence.stretch import Stretch, stretch_around
from rag.evidence.tables import Table, TableLine, first_row, table_at
from rag.evidence.token_match import content_stems
from rag.generation.base import Extraction
from rag.retrieval.retriever import Retrieved
from rag.text import counted, one_line
from rag.types import Citation, Note, Passage, QuestionKind, Sentence

__all__ = ["CHECKED", "Quoted", "calculation_refusal", "checked_rows", "quote"]

MOST_ROWS = 40
_MOST_TABLES = 10  # passages
CHECKED = 0.8
"""The confidence of rows that were compared with a limit (benchmarks/compound.md)."""

_DOES_NOT_CALCULATE = "The extractive model does not calculate or compare."

_WHOLE: frozenset[QuestionKind] = frozenset({"definition", "procedure", "reason", "list"})


@dataclass(frozen=True)
class Quoted:
    """The text of an answer, the place of the marked words in it, its citations, and notes."""

    text: str
    short: tuple[int, int]
    cited: Cited
    notes: tuple[Note, ...] = ()


def quote(retrieved: Retrieved, extraction: Extraction) -> Quoted:
    """Return what to show for an extraction with at least one span."""
    spans = [(retrieved.passages[e.passage], e.start, e.end) for e in extraction.evidence]
    passage, start, end = spans[0]
    if (checked := checked_rows(retrieved, passage)) is not None:
        return checked
    stretch = stretch_around(passage, retrieved.passages, retrieved.neighbors)
    if in_row(passage.text, start, end):
        return _quote_row(retrieved, stretch, spans, extraction.confidence)
    quoted = _quote_text(retrieved, stretch, passage, start, end)
    cited = cite_spans(quoted.text, spans, extraction.confidence)
    beyond = [
        _citation(*piece)
        for piece in stretch.pieces(*quoted.source, passage)
        if quoted.source[1] and piece[0] is not passage
    ]
    return Quoted(quoted.text, (quoted.start, quoted.end), replace(cited, citations=(*cited.citations, *beyond)))


def _citation(passage: Passage, start: int, end: int) -> Citation:
    return Citation(passage, passage.start + start, passage.start + end, passage.text[start:end])


# Sentences and lists -------------------------------------------------------------------------------------------------


def _quote_text(retrieved: Retrieved, stretch: Stretch, passage: Passage, start: int, end: int) -> Quotation:
    """Return the sentence, or the list or paragraph; one that another chunk continues is put together again.

    ``source`` of the result is its place in the stretch, (0, 0) if it lies in the passage.
    """
    short = quotation(passage.text, start, end)
    whole = whole_quotation(passage.text, start, end)
    if retrieved.kind not in _WHOLE and not _is_answered_by_list(retrieved, short, whole):
        return short
    if not (cuts := _cut(passage, whole)):
        return replace(whole, source=(0, 0))
    low = max(0, stretch.place(passage, -MOST_OF_A_BLOCK if cuts[0] else 0))
    high = stretch.place(passage, len(passage.text) + (MOST_OF_A_BLOCK if cuts[1] else 0))
    place = stretch.place(passage, start) - low
    longer = whole_quotation(stretch.text[low:high], place, place + end - start)
    if len(longer.text) < len(whole.text):  # all of it would be too long
        return replace(whole, source=(0, 0))
    return replace(longer, source=(longer.source[0] + low, longer.source[1] + low))


def _cut(passage: Passage, whole: Quotation) -> tuple[bool, bool] | None:
    """Return whether a quotation may go on before and after its passage, None if it ends inside."""
    before = not passage.text[: whole.source[0]].strip()
    after = not passage.text[whole.source[1] :].strip()
    return (before, after) if before or after else None


def _is_answered_by_list(retrieved: Retrieved, short: Quotation, whole: Quotation) -> bool:
    """Return whether a list answers a question that only its introduction matches, not the marked item."""
    if "\n" not in whole.text or not asks_for_several(retrieved.question, retrieved.kind):
        return False
    introduction = whole.text.split("\n", 1)[0]
    if not introduction.endswith(":"):
        return False
    if whole.start < len(introduction):
        return True
    asked = content_stems(retrieved.question)
    return bool(asked & content_stems(introduction)) and not asked & content_stems(short.text)


# Rows ----------------------------------------------------------------------------------------------------------------


def checked_rows(retrieved: Retrieved, first: Passage | None = None) -> Quoted | None:
    """Return the rows of a retrieved table that keep to the limits of a question, such as ``more than 50 seats``.

    None if the question sets no limit, or no table can be compared with it and holds half of the question's other
    words, counting titles, file names, headings and the text around. The table of the passage ``first`` is tried first,
    then those of the other passages in their order. No model decides here, so the confidence is a constant.
    """
    question = retrieved.question
    if not asks_for_rows(question, retrieved.kind) or not (limits := find_limits(question)):
        return None
    asked = content_stems(without_limits(question, limits))
    for passage in sorted(retrieved.passages[:_MOST_TABLES], key=lambda p: p is not first):
        if (row := first_row(passage.text)) is None:
            continue
        stretch = stretch_around(passage, retrieved.passages, retrieved.neighbors)
        table = table_at(stretch, stretch.place(passage, row))
        around = _around(stretch, passage)
        choice = None if table is None else choose_rows(question, table, passage.context, around)
        if table is None or choice is None or not choice.compared:
            continue
        known = content_stems(f"{passage.context} {' '.join(table.columns)} {around}")
        if 2 * len(asked & known) >= len(asked):
            return _rows(table, choice.rows, stretch, (passage, 0, 0), CHECKED)
    return None


def calculation_refusal(retrieved: Retrieved) -> str:
    """Return the text in place of a calculation: the rows of the nearest table, one a line."""
    found = rows_for(retrieved.question, retrieved.passages)
    if found is None:
        return _DOES_NOT_CALCULATE
    passage, rows = found
    lines = [f"{_DOES_NOT_CALCULATE} Rows of {passage.title}:", *(f"- {row}" for row in rows)]
    return "\n".join(lines)


def _quote_row(
    retrieved: Retrieved, stretch: Stretch, spans: Sequence[tuple[Passage, int, int]], confidence: float
) -> Quoted:
    """Return the rows of the table that the question asks for, or the row of the marked words."""
    passage, start, end = spans[0]
    place = stretch.place(passage, start)
    table = table_at(stretch, place)
    if table is None:
        quoted = quotation(passage.text, start, end, passage.columns)
        return Quoted(quoted.text, (quoted.start, quoted.end), cite_spans(quoted.text, spans, confidence))
    if asks_for_several(retrieved.question, retrieved.kind):
        choice = choose_rows(retrieved.question, table, passage.context, _around(stretch, passage))
        if choice is not None and len(choice.rows) > 1:
            return _rows(table, choice.rows, stretch, (passage, place, place + end - start), confidence)
    row = next(row for row in table.rows if row.start <= place <= row.end)
    place -= row.start
    quoted = quotation(stretch.text[row.start : row.end], place, place + end - start, table.columns)
    return Quoted(quoted.text, (quoted.start, quoted.end), cite_spans(quoted.text, spans, confidence))


def _around(stretch: Stretch, passage: Passage) -> str:
    """Return the words that a question may use of a table without asking for certain rows: its document's."""
    path = re.sub(r"[\W_]+", " ", passage.source)
    return f"{path} {stretch.text}"


def _rows(
    table: Table, rows: Sequence[TableLine], stretch: Stretch, marked: tuple[Passage, int, int], confidence: float
) -> Quoted:
    """Return rows as a list; the short answer are the marked words, or the first row if they are in none."""
    passage, start, end = marked
    text, short = "", (0, 0)
    sentences: list[Sentence] = []
    citations: list[Citation] = []
    for row in rows[:MOST_ROWS]:
        text += "\n- " if text else "- "
        written = table.written(row)
        words = one_line(stretch.text[start:end]) if row.start <= start <= row.end else ""
        if words and (found := written.find(words)) >= 0:
            short = (len(text) + found, len(text) + found + len(words))
        sentences.append(Sentence(len(text), len(text) + len(written), confidence, len(citations)))
        citations.append(_citation(*next(iter(stretch.pieces(row.start, row.end, passage)))))
        text += written
    if not short[1]:
        short = sentences[0].start, sentences[0].end
    return Quoted(
        text, short, Cited(tuple(sentences), tuple(citations), confidence), tuple(_row_notes(table, len(rows)))
    )


def _row_notes(table: Table, count: int) -> Iterator[Note]:
    if count > MOST_ROWS:
        text = f"{counted(count, 'row')} of the table match; the first {MOST_ROWS} are shown."
        yield Note(text, "rows_cut", {"n": count, "most": MOST_ROWS})
    if not table.whole:
        yield Note("The table is longer than the part that was read; more rows may match.", "table_cut", {})
