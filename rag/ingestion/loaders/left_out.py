"""What was left out of a text document, counted while it is read, and the notes of it."""

from __future__ import annotations

from dataclasses import dataclass

from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.text import counted

__all__ = ["LeftOut"]


@dataclass(slots=True)
class LeftOut:
    """How many pieces of a text document were left out, by the reason."""

    hidden: int = 0
    struck: int = 0
    comments: int = 0
    objects: int = 0
    pictures: int = 0

    def add_notes(self, builder: DocumentBuilder) -> None:
        """Add a note for each count."""
        if self.hidden:
            builder.note("hidden_content", f"{counted(self.hidden, 'hidden passage')} left out")
        if self.struck:
            text = f"{counted(self.struck, 'passage')} left out because of being struck through"
            builder.note("struck_through", text)
        if self.comments:
            builder.note("comments", f"{counted(self.comments, 'comment')} not read")
        if self.pictures:
            builder.note("pictures_not_read", f"{counted(self.pictures, 'picture')} not read")
        if self.objects:
            builder.note("attachment_not_read", f"{counted(self.objects, 'embedded object')} not read")
