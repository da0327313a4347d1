"""The sentence or row around a span stands alone, and holds the span's words at the place it names."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.evidence.quotation import MOST_CHARACTERS, MOST_OF_A_BLOCK, quotation, whole_quotation

TABLE = """The caretakers:

| Building | Caretaker | Telephone |
| --- | --- | --- |
| Linden Passage | Osric Penhale | 01632 960511 |
| **Heron House** | Maud Tallentyre |  |
"""


@pytest.mark.parametrize(
    ("passage", "span", "expected"),
    [
        ("It is old. The mast is 31 metres\ntall. It hums.", "31 metres", "The mast is 31 metres tall."),
        ("## Rent\n\nThe rent is £2,350.75 a month.", "£2,350.75", "The rent is £2,350.75 a month."),
        ("- Keep **calm** at `port 8420`.\n- Other", "port 8420", "Keep calm at port 8420."),
        ("1. Open *My account* now.\n2. Wait.", "My account", "Open My account now."),
        ("5 * 3 is 15 * 1.", "15", "5 * 3 is 15 * 1."),
        ("snake_case and __init__ are names", "snake_case", "snake_case and init are names"),
        (TABLE, "Osric Penhale", "Building: Linden Passage; Caretaker: Osric Penhale; Telephone: 01632 960511"),
        (TABLE, "Maud Tallentyre", "Building: Heron House; Caretaker: Maud Tallentyre"),
        (TABLE, "Heron House", "Building: Heron House; Caretaker: Maud Tallentyre"),
        (TABLE, "Building", "Building; Caretaker; Telephone"),
        ("| a | 5 |\n| b | 7 |", "7", "b; 7"),
        ("A | B and more", "B", "A | B and more"),
        (
            "Help at night\nIf a horn will not stop between 17:00 and 08:30, ring the\nstation and ask for 288.",
            "288",
            "If a horn will not stop between 17:00 and 08:30, ring the station and ask for 288.",
        ),
        (
            "Northgate 61,240 58,905\nFernley 22,415 24,080\nThe busiest day of the year was Saturday, 23 November.",
            "24,080",
            "Fernley 22,415 24,080",
        ),
        ("|  | FL-20 |\n| --- | --- |\n| Weight, kg | 540 |", "540", "Weight, kg; FL-20: 540"),
    ],
)
def test_the_words_around_a_span(passage: str, span: str, expected: str) -> None:
    start = passage.index(span)
    found = quotation(passage, start, start + len(span))
    assert found.text == expected
    assert found.text[found.start : found.end] == span


def test_a_long_sentence_is_cut_at_words() -> None:
    passage = "word " * 200 + "the needle " + "hay " * 200
    start = passage.index("needle")
    found = quotation(passage, start, start + 6)
    assert len(found.text) <= MOST_CHARACTERS + 4
    assert found.text.startswith("… word ") and found.text.endswith(" hay …")
    assert found.text[found.start : found.end] == "needle"


@given(
    st.lists(
        st.sampled_from(["| a", " | ", "\n", "| --- |", "**", "# ", "- ", "word", "7.5", ". ", "`", " "]), min_size=1
    )
    .map("".join)
    .flatmap(lambda text: st.tuples(st.just(text), st.integers(0, len(text)), st.integers(0, len(text))))
)
def test_the_place_of_the_span_is_kept(case: tuple[str, int, int]) -> None:
    passage, one, other = case
    start, end = sorted((one, other))
    span = passage[start:end].strip()
    if not span or "\n" in span or "|" in span:
        return
    start = passage.index(span, start)
    found = quotation(passage, start, start + len(span))
    assert found.text[found.start : found.end].split() == span.split()
    assert found.text == found.text.strip()


@pytest.mark.parametrize("filler", ["\n", "\n ", "| ", "|\n", "* ", "`", "1. ", "- \n", "#", "a. ", "| --- |\n", "> "])
def test_long_passages_take_linear_time(filler: str) -> None:
    """A chunk may hold any amount of white space, which costs no tokens."""
    passage = f"rent is {filler * (60_000 // len(filler))}28 euros"
    started = time.process_time()
    found = quotation(passage, len(passage) - 8, len(passage) - 6)
    assert found.text[found.start : found.end] == "28"
    assert time.process_time() - started < 5


STEPS = "1. Stop the machine.\n2. Open guard 2, and cut the film.\n3. Push on the new reel."


@pytest.mark.parametrize(
    ("passage", "span", "expected"),
    [
        (
            "## Film\n\nTo change the reel:\n\n1. Stop the machine.\n2. Open guard 2,\n   and cut the film.\n"
            "3. Push on the new reel.\n\nCall the service if it tears.",
            "guard 2",
            f"To change the reel:\n{STEPS}",
        ),
        (f"To change the **reel**:\n\n{STEPS}", "reel", f"To change the reel:\n{STEPS}"),
        (
            "To start again\nafter an emergency stop:\n1. Remove the cause.\n2. Turn the button.\n2.4 Noise\n"
            "The machine is loud, and there is more to say about it.",
            "Turn",
            "To start again after an emergency stop:\n1. Remove the cause.\n2. Turn the button.",
        ),
        ("Bring:\n\n* pyjamas\n\n* a pillow\n\nNext:\n\n* x", "pillow", "Bring:\n- pyjamas\n- a pillow"),
        ("- only", "only", "- only"),
        ("a) first\nb) second", "second", "a) first\nb) second"),
        (
            "4.1 The Agent sends the account.\n\n4.2 The Principal pays in advance. So the money\narrives in time.",
            "pays",
            "4.2 The Principal pays in advance. So the money arrives in time.",
        ),
        ("# Why\nIt tore. It was old.\n# When\nIn May.", "old", "It tore. It was old."),
        (TABLE, "Maud Tallentyre", "Building: Heron House; Caretaker: Maud Tallentyre"),
    ],
)
def test_the_whole_list_or_paragraph_around_a_span(passage: str, span: str, expected: str) -> None:
    start = passage.index(span)
    found = whole_quotation(passage, start, start + len(span))
    assert found.text == expected
    assert found.text[found.start : found.end] == span


def test_a_list_that_is_too_long_is_not_quoted_whole() -> None:
    passage = "\n".join(f"{n}. Turn the wheel number {n} to the left." for n in range(1, 90))
    start = passage.index("number 40")
    found = whole_quotation(passage, start, start + 9)
    assert found.text == "Turn the wheel number 40 to the left."
    assert len(found.text) < MOST_OF_A_BLOCK


@given(passage=st.text(alphabet="ab.:# \n-*|1)>", min_size=1, max_size=80), data=st.data())
def test_any_text_can_be_quoted_whole(passage: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(passage) - 1))
    end = data.draw(st.integers(start + 1, len(passage)))
    found = whole_quotation(passage, start, end)
    assert 0 <= found.start <= found.end <= len(found.text)
