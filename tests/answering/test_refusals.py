"""What counts as "I found no answer", in the words of models, whole and while it comes."""

from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answering.refusals import is_abstention, may_abstain
from rag.answering.stream_filter import AnswerFilter, strip_markers
from rag.prompt_templates import ABSTENTION, NOT_IN_PASSAGES

REFUSALS = [
    NOT_IN_PASSAGES,
    ABSTENTION,
    "Not in the passages. The closest one is about soup.",
    "**Not in the passages**",
    "Not stated in the provided passages.",
    "This information is not in the passages: they speak of soup.",
    "The passages do not mention the rent of Unit 12.",
    "The provided documents don’t contain the answer to this question.",
    "There is no information about the rent in the passages.",
    "I cannot answer this question from the passages.",
    "I don't know.",
    "Nicht in den Passagen.",
    "Das steht nicht in den Dokumenten.",
    "Die Passagen enthalten keine Angaben zur Miete.",
    "Нет в отрывках.",
    "Такой информации нет в документах.",
    "В отрывках не указано, какова арендная плата.",
    "Предоставленные отрывки не содержат ответа на вопрос.",
    "Pas dans les passages.",
    "Les passages ne mentionnent pas le loyer.",
    "No está en los documentos.",
    "Los pasajes no mencionan el alquiler.",
    "Non è nei passaggi.",
    "I passaggi non contengono la risposta.",
    "Não consta nos documentos.",
    "Niet in de passages.",
    "Odpowiedzi nie ma w dokumentach.",
    "Немає в уривках.",
    "段落中没有答案。",
]
ANSWERS = [
    "The rent is 1,250 EUR a month.",
    "The passages do not mention the rent, but the deposit is 500 EUR.",
    "The passages do not state a total. The rows add up to 46 EUR.",
    "Die Passagen enthalten keine Summe, aber die Zeilen ergeben 46 EUR.",
    "В отрывках нет суммы, однако строки дают 46 EUR.",
    "The passages do not agree: one says 5, one says 6.",
    "Not in the passages' order: first the lid, then the valve.",
    "Nicht in den Dokumenten enthalten ist die Kaution; die Miete beträgt 1.250 EUR.",
    "No, smoking is not allowed in the passages of the ward.",
    "No information leaflet is needed.\n\n- Bring a passport.",
    "I cannot be opened without a key.",
    "In the documents.",
    "not in the passage",
    "",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_recognized_whole_and_never_shown_in_part(text: str) -> None:
    assert is_abstention(text)
    assert is_abstention(text.upper())
    filtered = AnswerFilter((), NOT_IN_PASSAGES)
    assert "".join(filtered.feed(piece) for piece in text) + filtered.finish(aborted=False) == NOT_IN_PASSAGES


@pytest.mark.parametrize("text", ANSWERS)
def test_an_answer_that_speaks_of_passages_is_an_answer(text: str) -> None:
    assert not is_abstention(text)


def test_an_answer_is_not_held_back_longer_than_its_beginning_is_open() -> None:
    assert may_abstain("The pass")
    assert not may_abstain("The rent")
    assert may_abstain("The passages do not mention the rent")
    assert not may_abstain("The passages do not mention the rent, but ")
    assert not may_abstain("The passages do not mention the rent. It")
    assert not may_abstain("The passages do not mention " + "x" * 400)


_WORDS = st.lists(
    st.sampled_from(
        ["The", "passages", "do", "not", "mention", "in", "the", "it.", "But", "but", "31", "[1]", "\n", "—"]
    ),
    max_size=12,
).map(" ".join)


@given(text=_WORDS | st.sampled_from([*REFUSALS, *ANSWERS]), cuts=st.lists(st.integers(1, 9), min_size=1, max_size=30))
def test_a_stream_shows_what_the_whole_answer_says(text: str, cuts: list[int]) -> None:
    filtered, ends = AnswerFilter((), NOT_IN_PASSAGES), [0, *accumulate(cuts)]
    pieces = [text[start:end] for start, end in pairwise(ends)] + [text[ends[-1] :]]
    shown = "".join(filtered.feed(piece) for piece in pieces) + filtered.finish(aborted=False)
    whole = strip_markers(text, ())
    assert shown == (NOT_IN_PASSAGES if is_abstention(whole) or not whole else whole)
