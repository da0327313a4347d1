"""Words with boxes become text whose offsets fit, and the places of words survive packing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingestion.loaders.lookalikes import in_one_script
from rag.ingestion.loaders.ocr_engine import Word
from rag.ingestion.loaders.ocr_text import PlacedWord, text_of
from rag.ingestion.loaders.word_boxes import pack_boxes, pack_words, rectangles
from rag.types import PageBoxes

SIZE = (1000, 2000)


def words(*lines: str, block: int = 1, paragraph: int = 1, confidence: float = 0.9) -> list[Word]:
    return [
        Word(text, (block, paragraph, row), (100 * n, 50 * row, 100 * n + 80, 50 * row + 30), confidence)
        for row, line in enumerate(lines, start=1)
        for n, text in enumerate(line.split())
    ]


def test_lines_paragraphs_and_cut_words() -> None:
    read = text_of([*words("The winch is ex-", "amined in March."), *words("Well-", "Known names", paragraph=2)])
    assert read.text == "The winch is examined\nin March.\n\nWell-\nKnown names"
    assert [read.text[word.start : word.end] for word in read.words] == [
        "The", "winch", "is", "ex", "amined", "in", "March.", "Well-", "Known", "names",
    ]  # fmt: skip
    assert [read.words[n].box[1] for n in (3, 4)] == [50, 100], "each part of a cut word has its own box"
    assert read.confidence == pytest.approx(0.9)


def test_drawings_and_specks_are_no_text() -> None:
    drawing = words("|| ~ :; ot", block=2, confidence=0.2)
    assert text_of([*words("Words here."), *drawing]).text == "Words here."
    assert text_of(drawing).text == ""
    assert text_of(words(". -")).text == ""
    assert text_of([]) == ("", (), 0.0)


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(1, 300)), max_size=40), st.integers(0, 10**6))
def test_places_survive_packing(gaps: list[tuple[int, int]], start: int) -> None:
    placed, position = [], 0
    for number, (gap, length) in enumerate(gaps):
        position += gap
        box = (100, 40 * number, 300, 40 * number + 20)
        placed.append(PlacedWord(position, position + length, box))
        position += length
    packed = pack_boxes([PageBoxes(1, 0, pack_words([], SIZE)), PageBoxes(7, start, pack_words(placed, SIZE))])
    assert packed is not None
    for word in placed:
        (found,) = rectangles(packed, 7, start + word.start, start + word.end)
        pixels = [round(value * most) for value, most in zip(found, SIZE * 2, strict=True)]
        assert pixels == pytest.approx(word.box, abs=1)
    assert len(rectangles(packed, 7, start, start + position)) == len(placed)
    assert rectangles(packed, 1, 0, 10**7) == []


def test_words_of_a_line_share_a_rectangle_and_damage_is_no_box() -> None:
    read = text_of(words("one two three", "four five"))
    packed = pack_boxes([PageBoxes(1, 0, pack_words(read.words, SIZE))])
    assert packed is not None
    first, second = rectangles(packed, 1, 4, len(read.text))
    assert (first.left, first.right) == (0.1, 0.28)
    assert (second.left, second.right) == (0.0, 0.18)
    assert rectangles(packed[:7], 1, 0, 9) == []
    assert rectangles(b"nonsense", 1, 0, 9) == []
    assert pack_boxes([]) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("9 \u041c\u0430\u0443 guarantee", "9 May guarantee"),
        ("c договора OOO", "\u0441 договора \u041e\u041e\u041e"),
        ("\u0421X-500 договор", "\u0421X-500 договор"),
        ("h\u043ere", "hore"),
        ("MOCT", "MOCT"),
    ],
)
def test_lookalikes_are_written_in_the_script_of_their_word_or_line(line: str, expected: str) -> None:
    assert " ".join(in_one_script([(word, 1) for word in line.split()])) == expected


def test_a_line_of_lookalikes_follows_its_page() -> None:
    assert in_one_script([("\u041c\u0430\u0443", 1), ("words", 2)]) == ["May", "words"]
