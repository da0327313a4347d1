"""Small sections are merged where nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexes import Section
from rag.ingestion.loaders.markdown import markdown_document
from rag.ingestion.packing import pack_sections


def words(text: str) -> int:
    return len(text.split())


def packed(text: str, sections: list[Section], most: int = 20) -> list[tuple[str, tuple[str, ...]]]:
    return [(text[s.start : s.end].rstrip(), s.headings) for s in pack_sections(text, sections, words, most)]


def of(*parts: tuple[str, int | None, tuple[str, ...]]) -> tuple[str, list[Section]]:
    text, sections = "", []
    for body, page, headings in parts:
        start = len(text) + 2 if text else 0
        text = f"{text}\n\n{body}" if text else body
        sections.append(Section(start, len(text), page, headings))
    return text, sections


def test_small_sections_share_a_chunk_and_their_common_headings() -> None:
    document = markdown_document("# A\n\na\n\n## B\n\nb\n\n## C\n\nc\n\n# D\n\nd\n", "a.md", "text/markdown")
    together = packed(document.text, list(document.sections))
    assert together == [("# A\n\na\n\n## B\n\nb\n\n## C\n\nc\n\n# D\n\nd", ())]
    some = packed(document.text, list(document.sections), 9)
    assert some == [("# A\n\na\n\n## B\n\nb\n\n## C\n\nc", ("A",)), ("# D\n\nd", ("D",))]


def test_a_heading_without_text_between_two_sections_is_taken_along() -> None:
    document = markdown_document("# A\n\na\n\n# B\n\n## C\n\nc\n", "a.md", "text/markdown")
    assert packed(document.text, list(document.sections)) == [("# A\n\na\n\n# B\n\n## C\n\nc", ())]


@pytest.mark.parametrize(
    "parts",
    [
        [("a", 1, ()), ("b", 2, ())],
        [("a", None, ("Sheet 1",)), ("b", None, ("Sheet 2",))],
        [("a", None, ("Sheet 1", "rows 2-3")), ("b", None, ("Sheet 2", "rows 2-3"))],
        [("a", None, ("S", "row 1")), ("b", None, ("S", "cell 2"))],
        [("word " * 15, None, ()), ("word " * 6, None, ())],
    ],
    ids=["pages", "sheets", "rows of two sheets", "labels of two kinds", "too long"],
)
def test_what_would_lose_its_place_stays_apart(parts: list[tuple[str, int | None, tuple[str, ...]]]) -> None:
    text, sections = of(*parts)
    assert list(pack_sections(text, sections, words, 20)) == sections


def test_rows_of_one_sheet_get_one_label() -> None:
    text, sections = of(("a", None, ("S", "row 1")), ("b", None, ("S", "rows 4-8")), ("c", None, ("S", "row 9")))
    assert packed(text, sections) == [("a\n\nb\n\nc", ("S", "rows 1-9"))]


def test_text_between_sections_keeps_them_apart() -> None:
    sections = [Section(0, 1), Section(8, 9)]
    assert list(pack_sections("a hidden b", sections, words, 20)) == sections


@given(st.lists(st.tuples(st.sampled_from(["a", "b b", "# H\n\nc"]), st.sampled_from([(), ("H",), ("H", "row 2")]))))
def test_packing_keeps_order_and_text(parts: list[tuple[str, tuple[str, ...]]]) -> None:
    text, sections = of(*((body, None, headings) for body, headings in parts))
    merged = list(pack_sections(text, sections, words, 8))
    assert [s.start for s in merged] == sorted({s.start for s in merged})
    assert merged[:1] == [] or (merged[0].start, merged[-1].end) == (sections[0].start, sections[-1].end)
    assert all(words(text[s.start : s.end]) <= 8 for s in merged)
