"""What was left out of a sheet, counted while it is read, and the notes of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.text import counted

__all__ = ["SheetCounts"]


@dataclass(slots=True)
class SheetCounts:
    """Counts of rows, columns, formulas, cells, and objects; ``hidden_columns`` are those that have content."""

    hidden_rows: int = 0
    hidden_columns: set[int] = field(default_factory=set)
    without_value: int = 0
    struck: int = 0
    objects: int = 0

    def add_notes(self, builder: DocumentBuilder, place: str) -> None:
        """Add a note for each count."""
        if self.hidden_rows:
            builder.note("hidden_content", f"{counted(self.hidden_rows, 'hidden row')} left out", place)
        if self.hidden_columns:
            builder.note("hidden_content", f"{counted(len(self.hidden_columns), 'hidden column')} left out", place)
        if self.without_value:
            text = f"{counted(self.without_value, 'formula')} without a stored value, read as written"
            builder.note("formulas_without_value", text, place)
        if self.struck:
            text = f"{counted(self.struck, 'cell')} left out because the text is struck through"
            builder.note("struck_through", text, place)
        if self.objects:
            builder.note("attachment_not_read", f"{counted(self.objects, 'embedded object')} not read", place)
