"""The kinds of reading notes: what each means, and what a user can do unless a note says it better.

Everything that is not read, is read only in part, or is guessed has a note. Loaders add it with
:meth:`~rag.ingestion.loaders.document_builder.DocumentBuilder.note`, the decoding of texts with :func:`note_of`. A new
kind is a row here, a row in ``docs/formats.md``, and a text and a remedy in each language of the page.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rag.types import ReadingNote

__all__ = ["NOTE_KINDS", "KindOfNote", "is_unread", "note_of", "numbered", "waits_for_ocr"]


@dataclass(frozen=True, slots=True)
class KindOfNote:
    """What the notes of a kind are about, as a noun phrase, and the default remedy (empty if there is none).

    ``is_minor`` notes are listed with their document only: what they are about is left out on purpose.
    ``is_read`` notes are about what was read, and should be checked.
    """

    meaning: str
    remedy: str = ""
    is_minor: bool = False
    is_read: bool = False


NOTE_KINDS: dict[str, KindOfNote] = {
    "encoded_twice": KindOfNote("text that was encoded twice", "save the file as UTF-8"),
    "encoding_guessed": KindOfNote("the encoding was guessed", "if letters are wrong, save the file as UTF-8"),
    "inputs_not_followed": KindOfNote("files that a file includes", "ingest them, too"),
    "read_as_plain_text": KindOfNote("files that were read as plain text", "correct the file, or export it again"),
    "replaced_characters": KindOfNote("characters that could not be decoded", "save the file as UTF-8"),
    "comments": KindOfNote("comments of reviewers"),
    "formulas_without_value": KindOfNote(
        "formulas without a stored value, read as they are written",
        "open the file in a spreadsheet program, save it, and ingest it again",
    ),
    "further_notes": KindOfNote("more notes than a document can have"),
    "hidden_content": KindOfNote("hidden sheets, rows, columns, slides or text", "unhide it and ingest the file again"),
    "page_parts_left_out": KindOfNote("navigation, cookie banners and footers of web pages"),
    "pages_without_text": KindOfNote(
        "pages without text, such as scans", "run `rag doctor`, which names what OCR lacks"
    ),
    "running_heads": KindOfNote("running heads and page numbers that were left out", is_minor=True),
    "read_by_ocr": KindOfNote("what OCR read", "check names and numbers against the picture", is_read=True),
    "ocr_uncertain": KindOfNote(
        "what was hard to read by OCR", "check it against the picture, or scan it again", is_read=True
    ),
    "ocr_stopped": KindOfNote("scans and pictures that OCR did not read", "split the file, or raise the limit"),
    "no_words_found": KindOfNote("pages and pictures on which OCR found no text"),
    "form_not_read": KindOfNote(
        "forms whose values are not read", "print the form to a PDF, or ask for a copy that is not dynamic"
    ),
    "attachment_not_read": KindOfNote("files inside a file that were not read", "save them and ingest them"),
    "embedded_not_read": KindOfNote(
        "files inside PDFs and Office files that were not read",
        "read them with `rag ingest --embedded`, or save them and ingest them",
    ),
    "body_not_readable": KindOfNote(
        "messages whose text is encrypted or damaged",
        "open the message in your mail program and save its text",
    ),
    "chapter_not_read": KindOfNote(
        "parts of a book that were not read", "download the book again, or open it and save the part"
    ),
    "outputs_left_out": KindOfNote("results in a notebook that were left out"),
    "pictures_not_read": KindOfNote("pictures, whose text is not read", "write what they show beside them"),
    "struck_through": KindOfNote("text that is struck through"),
}
"""The kinds by name."""


def note_of(kind: str, text: str, place: str = "") -> ReadingNote:
    """Return a note with the remedy of its kind."""
    return ReadingNote(kind, text, place, NOTE_KINDS[kind].remedy)


def is_unread(note: ReadingNote) -> bool:
    """Return whether a note is about something that was not read, or only in part."""
    return note.kind not in NOTE_KINDS or not NOTE_KINDS[note.kind].is_read


def waits_for_ocr(note: ReadingNote) -> bool:
    """Return whether a note is of scans or pictures that OCR can read; pictures then have a remedy of their own."""
    if note.kind == "pictures_not_read":
        return note.remedy != NOTE_KINDS[note.kind].remedy
    return note.kind == "pages_without_text"


def numbered(noun: str, numbers: Iterable[int]) -> str:
    """Return places of one kind with runs joined: ``page 2``, ``pages 2-4, 7``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    several = len(runs) > 1 or any(len(run) > 1 for run in runs)
    return f"{noun}{'s' * several} {', '.join('-'.join(map(str, run)) for run in runs)}"
