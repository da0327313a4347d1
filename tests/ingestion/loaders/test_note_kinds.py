"""The table of reading notes: every kind that a loader emits is in it, on the page, and in both languages."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.note_kinds import NOTE_KINDS, numbered
from ui.i18n import table

ROOT = Path(__file__).parents[3]


def emitted() -> set[str]:
    """Return the kinds that the code of the loaders names: in ``note(…)``, ``note_of(…)`` and ``ReadingNote(…)``."""
    kinds = set()
    for path in (ROOT / "rag" / "ingestion").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.Constant):
                name = getattr(call.func, "attr", getattr(call.func, "id", ""))
                if name in ("note", "note_of", "ReadingNote"):
                    kinds.add(call.args[0].value)
    return kinds


def test_every_kind_that_is_emitted_is_in_the_table_and_the_other_way_round() -> None:
    assert emitted() == set(NOTE_KINDS)


def test_every_kind_is_on_the_page_with_its_meaning_and_remedy() -> None:
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    part = page.split("## Reading notes")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \| ([^|]+) \|$", part, re.MULTILINE)
    assert rows == [(name, kind.meaning, kind.remedy or "–") for name, kind in NOTE_KINDS.items()]


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_kind_has_a_text_in_the_languages_of_the_page(language: str) -> None:
    texts = table(language)["reading"]
    assert list(texts) == list(NOTE_KINDS)
    assert language != "en" or list(texts.values()) == [kind.meaning for kind in NOTE_KINDS.values()]
    remedies = table(language)["remedies"]
    own = {name: kind.remedy for name, kind in NOTE_KINDS.items() if kind.remedy}
    assert list(remedies) == list(own)
    assert language != "en" or remedies == own


@pytest.mark.parametrize(
    ("numbers", "place"),
    [([2], "page 2"), ([2, 3, 4], "pages 2-4"), ([9, 2, 3, 5], "pages 2-3, 5, 9"), ([1, 3], "pages 1, 3")],
)
def test_numbered_places_are_joined_to_runs(numbers: list[int], place: str) -> None:
    assert numbered("page", numbers) == place


def test_a_note_has_the_remedy_of_its_kind_unless_it_has_its_own() -> None:
    builder = DocumentBuilder()
    for _ in range(2):
        builder.note("pages_without_text", "page 2 has no text", "page 2")
    builder.note("pages_without_text", "page 3 has no text", "page 3", "look at it")
    remedies = [note.remedy for note in builder.document("a.pdf", "application/pdf").notes]
    assert remedies == [NOTE_KINDS["pages_without_text"].remedy, "look at it"]


def test_a_file_with_thousands_of_notes_has_the_first_and_a_count() -> None:
    builder = DocumentBuilder()
    for number in range(5000):
        builder.note("pages_without_text", f"page {number} has no text")
    notes = builder.document("a.pdf", "application/pdf").notes
    assert len(notes) == 201
    assert (notes[0].text, notes[-1].text) == ("page 0 has no text", "4,800 more notes were left out")
