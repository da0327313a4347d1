"""The table rows that a calculation or a comparison needs: evidence for what an extractor cannot work out.

The table is the one that holds most of the question's words. Of its rows those that the question names are taken, or
all of them if it names none.
"""

from __future__ import annotations

from collections.abc import Sequence

from rag.evidence.coverage import Coverage
from rag.evidence.quotation import table_rows
from rag.evidence.token_match import content_stems
from rag.types import Passage

__all__ = ["MOST_ROWS", "rows_for"]

MOST_ROWS = 12
_READ = 5  # passages


def rows_for(question: str, passages: Sequence[Passage]) -> tuple[Passage, list[str]] | None:
    """Return the passage with the best table and its rows, at most 12; None if no table has a word of the question."""
    near = passages[:_READ]
    covered = Coverage(question, [f"{p.context}\n{p.text}" for p in near])
    tables = [(covered.of_text(n), -n, table_rows(passage.text, passage.columns)) for n, passage in enumerate(near)]
    tables = [table for table in tables if table[0] > 0 and table[2]]
    if not tables:
        return None
    _, place, rows = max(tables)
    asked = content_stems(question)
    stems = [content_stems(row.cells) & asked for row in rows]
    everywhere = frozenset.intersection(*stems)
    named = [row for row, held in zip(rows, stems, strict=True) if held - everywhere]
    return near[-place], [row.text for row in (named or rows)[:MOST_ROWS]]
