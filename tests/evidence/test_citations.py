"""Citations: whatever is cited stands in the source, and what the source lacks is not cited."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rag.answering.stream_filter import MarkerFilter, strip_markers
from rag.evidence.check import check
from rag.evidence.citations import Cited, sentence_spans
from rag.types import Passage


def passage(text: str, number: int = 1, start: int = 0) -> Passage:
    return Passage(number, f"{number}.md", "t", None, (), start, start + len(text), text, score=1.0)


def quotes(cited: Cited) -> list[str]:
    return [citation.quote for citation in cited.citations]


def assert_true_to_source(cited: Cited, answer: str) -> None:
    end = 0
    for sentence in cited.sentences:
        assert end <= sentence.start < sentence.end <= len(answer)
        assert 0.0 <= sentence.support <= 1.0
        assert sentence.citation is None or 0 <= sentence.citation < len(cited.citations)
        end = sentence.end
    for citation in cited.citations:
        source = citation.passage
        assert source.text[citation.start - source.start : citation.end - source.start] == citation.quote != ""


# Properties -------------------------------------------------------------------------------------------------

_WORDS = st.sampled_from(
    ["fog", "mast", "lamp", "keeper", "boat", "letter", "friday", "туман", "мачта", "лампа", "берег", "31", "1874"]
)
_SENTENCES = st.lists(_WORDS, min_size=3, max_size=8).map(lambda words: "The " + " ".join(words) + ".")
_PASSAGES = st.lists(st.lists(_SENTENCES, min_size=1, max_size=5), min_size=1, max_size=4)


@given(sources=_PASSAGES, data=st.data())
def test_sentences_of_passages_are_always_supported_by_a_true_quote(
    sources: list[list[str]], data: st.DataObject
) -> None:
    passages = [passage(" ".join(sentences), n, start=100 * n) for n, sentences in enumerate(sources)]
    picked = data.draw(st.lists(st.sampled_from([s for group in sources for s in group]), min_size=1, max_size=4))
    answer = " ".join(picked)
    cited = check(answer, passages)
    assert_true_to_source(cited, answer)
    assert len(cited.sentences) == len(picked)
    assert all(sentence.supported for sentence in cited.sentences)
    assert cited.support == 1.0


_ANY = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("ab. !?\n«»“”'[1]🙂"), max_size=80)


@given(answer=_ANY, texts=st.lists(_ANY, max_size=3), question=_ANY)
def test_any_answer_over_any_passages_is_cited_truly_or_not_at_all(
    answer: str, texts: list[str], question: str
) -> None:
    assert_true_to_source(check(answer, [passage(t, n, n) for n, t in enumerate(texts)], question), answer)


@given(_ANY)
def test_sentences_cover_every_character_but_white_space(text: str) -> None:
    assume(not re.search(r"(?m)^\s*(?:[-*•]|\d+[.)])\s", text))  # the mark of a list item belongs to no sentence
    spans = list(sentence_spans(text))
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    inside = {n for start, end in spans for n in range(start, end)}
    assert all(char.isspace() or n in inside for n, char in enumerate(text))


_ODD = st.text(
    st.sampled_from(list("aBЖ. !?()[]«»'\"1\n\t"))
    | st.characters(categories=["Zs", "Zl", "Zp", "Cc", "Cf", "Mn", "Po"]),
    max_size=30,
)


@settings(max_examples=500)
@given(_ODD)
def test_odd_spaces_and_signs_neither_stop_nor_shift_the_sentences(text: str) -> None:
    answer_spans = list(sentence_spans(text))
    assert all(text[start:end].strip() == text[start:end] != "" for start, end in answer_spans)
    spaced = re.sub(r"[^\S\n]", " ", text)
    assert answer_spans == list(sentence_spans(spaced))


_SPACES = [chr(n) for n in range(0x10000) if chr(n).isspace()]


@pytest.mark.parametrize("space", _SPACES, ids=ascii)
def test_a_letter_any_space_and_a_full_stop_are_read(space: str) -> None:
    """The splitter panics at some of these when it is given them as they are."""
    text = f"plan B{space}. Then we go on."
    assert "".join(text[start:end] for start, end in sentence_spans(text)).endswith("we go on.")
    assert check("we go on", [passage(text)]).citations


# What is evidence -------------------------------------------------------------------------------------------

HARROW = "The Harrow lighthouse was lit in 1874 and stands 31 metres tall. Its keeper is Ada Brill."


@pytest.mark.parametrize(
    ("answer", "supported"),
    [
        ("The Harrow lighthouse stands 31 metres tall.", True),
        ("It stands 32 metres tall.", False),
        ("The lighthouse was lit in 1847.", False),
        ("31 metres", True),
        ("Ada Brill keeps the Harrow lighthouse.", True),
        ("A tower of considerable height guards the bay.", False),
        ("The lighthouse sells tickets to visitors on Sundays.", False),
        ("Paris", False),
    ],
)
def test_numbers_must_agree_and_words_mostly(answer: str, supported: bool) -> None:
    cited = check(answer, [passage(HARROW)])
    assert [sentence.supported for sentence in cited.sentences] == [supported]


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("It costs 1,500 euros.", "500"),
        ("It costs 1 500 euros.", "500"),
        ("It is 3.5 metres tall.", "5 metres"),
        ("It is 3,5 metres tall.", "5 metres"),
        ("Take part A13.", "A12"),
        ("Take part A12.", "12"),
        ("It was -5 degrees.", "5 degrees"),
        ("It was −31 degrees.", "31"),
        ("It was 31 degrees.", "-31"),
        ("At 14:30 it opens.", "30"),
        ("Цена 1 500 руб. за штуку.", "500 руб."),
        ("Вес 3,5 кг.", "5 кг"),
    ],
)
def test_a_number_inside_a_number_is_no_evidence(source: str, answer: str) -> None:
    (sentence,) = check(answer, [passage(source)]).sentences
    assert (sentence.support, sentence.supported) == (0.0, False)


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("It costs 1,500 euros.", "1500 euros"),
        ("It costs 1500 euros.", "1,500 euros"),
        ("Цена 1 500 руб. за штуку.", "1500 руб."),
        ("Цена 1\u00a0500,75 руб. за штуку.", "1500.75 руб."),
        ("Вес 3,5 кг.", "3.5 кг"),
        ("It was −31 degrees.", "-31 degrees"),
        ("The war of 1939-1945 ended.", "1945"),
        ("The war of 1939–1945 ended.", "1945"),
        ("A 31-metre tower.", "31 metres"),
        ("Take part A12.", "A12"),
    ],
)
def test_the_same_number_written_in_another_way_is_evidence(source: str, answer: str) -> None:
    assert check(answer, [passage(source)]).support == 1.0


def test_the_threshold_decides() -> None:
    answer = "The lighthouse was lit yesterday evening."  # lighthouse, lit of four content words
    for min_support, outcome in ((0.6, "not_found"), (0.5, "found")):
        assert [claim.outcome for claim in check(answer, [passage(HARROW)], min_support=min_support).claims] == [
            outcome
        ]


def test_one_wrong_sentence_does_not_spoil_the_other() -> None:
    cited = check("The lighthouse was lit in 1874. It is painted green.", [passage(HARROW)])
    assert [sentence.supported for sentence in cited.sentences] == [True, False]
    assert cited.support == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("Датчик ставят на высоте двух метров над землёй.", "Датчики поставлены на высоту двух метров."),
        ("Сервисный центр продлевает гарантию на шесть месяцев.", "Гарантия продлевается на шесть месяцев."),
        ("The keeper rows ashore to collect letters.", "Keepers collected the letter."),
        ("It is the keeper’s boat.", "The keeper's boats"),
    ],
)
def test_inflected_forms_match(source: str, answer: str) -> None:
    assert check(answer, [passage(source)]).citations


def test_neighbouring_sentences_may_support_one_of_the_answer() -> None:
    text = "The net is old. The net caught 40 litres. It hangs on the quay. Nobody uses it."
    cited = check("The net that caught 40 litres hangs on the quay.", [passage(text)])
    assert quotes(cited) == ["The net caught 40 litres."]


def test_offsets_are_those_of_the_document() -> None:
    document = "A preface. " + HARROW
    (citation,) = check("The keeper is Ada Brill.", [passage(HARROW, start=11)]).citations
    assert document[citation.start : citation.end] == citation.quote == "Its keeper is Ada Brill."


@pytest.mark.parametrize("answer", ["- Lift the net.\n- Tip the cup.", "1. Lift the net.\n2. Tip the cup."])
def test_the_marks_of_a_list_need_no_evidence(answer: str) -> None:
    cited = check(answer, [passage("Lift the net. Tip the cup. Rinse both.")])
    assert [sentence.supported for sentence in cited.sentences] == [True, True]


def test_one_span_is_cited_once_however_often_it_is_used() -> None:
    cited = check("The keeper is Ada Brill. Ada Brill is keeper.", [passage(HARROW)])
    assert [sentence.citation for sentence in cited.sentences] == [0, 0]
    assert len(cited.citations) == 1


# Ties -------------------------------------------------------------------------------------------------------


def test_of_equal_spans_the_one_nearer_to_the_question_is_cited() -> None:
    text = "The Nimbrel costs 40 pounds. The Dripwell costs 40 pounds."
    (citation,) = check("40 pounds", [passage(text)], "What does the Dripwell cost?").citations
    assert citation.quote == "The Dripwell costs 40 pounds."


def test_the_question_counts_for_more_than_the_rank() -> None:
    passages = [passage("The Nimbrel costs 40 pounds.", 1), passage("The Dripwell costs 40 pounds.", 2)]
    assert check("40 pounds", passages, "What does the Dripwell cost?").citations[0].passage.id == 2


def test_of_equal_spans_the_better_ranked_is_cited() -> None:
    first, second = passage("It costs 40 pounds.", 1), passage("It costs 40 pounds.", 2)
    assert check("40 pounds", [first, second], "What is its price?").citations[0].passage.id == 1
    assert check("40 pounds", [second, first], "What is its price?").citations[0].passage.id == 2


def test_of_equal_spans_the_shorter_is_cited() -> None:
    assert quotes(check("Ada Brill", [passage(HARROW)])) == ["Its keeper is Ada Brill."]


# Odd answers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["", "  \n "])
def test_an_empty_answer_has_no_sentences(answer: str) -> None:
    assert check(answer, [passage(HARROW)]) == Cited((), (), 0.0)


@pytest.mark.parametrize("answer", ["It is.", "He and the", "!?…", "И он это"])
def test_an_answer_of_function_words_is_unsupported(answer: str) -> None:
    cited = check(answer, [passage(HARROW), passage("И он это. It is.")])
    assert {(sentence.supported, sentence.support) for sentence in cited.sentences} == {(False, 0.0)}


def test_no_passages_no_citations() -> None:
    assert check("The mast is tall.", []).citations == ()


@pytest.mark.parametrize(
    "answer",
    ["“The Nimbrel” is «grey»: 🙂 −31 °C.", "the nimbrel’s grey −31 °C", "THE NIMBREL IS GREY"],
)
def test_quotation_marks_and_other_signs_do_not_disturb(answer: str) -> None:
    source = passage("🙂 “The Nimbrel” is «grey», down to −31 °C — always.", start=7)
    cited = check(answer, [source])
    assert_true_to_source(cited, answer)
    assert cited.sentences[-1].supported


SHOWN = [passage("It says [3] and buffer[2]."), passage("two"), passage("three"), passage("four")]


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("31 metres [1].", "31 metres."),
        ("31 metres[1].", "31 metres."),
        ("31 metres [1][4]", "31 metres"),
        ("31 metres. [1] It is tall [4, 1], and grey.", "31 metres. It is tall, and grey."),
        ("31 metres [1]\nand grey [4] \n", "31 metres\nand grey"),
        ("“31 metres [1]”", "“31 metres”"),
        ("31 metres [1] tall", "31 metres tall"),
        ("31 metres 【4】 tall", "31 metres tall"),
        ("31 metres[1] tall", "31 metres[1] tall"),
        ("| Mast | 31 [1] |\n| Sensor | **3.4** [4] |", "| Mast | 31 |\n| Sensor | **3.4** |"),
        ("- **31** [1]\n- [4] grey\n\nSources:\n[1] Mast\n[4] Paint", "- **31**\n- grey\n\nSources:\n Mast\n Paint"),
        ("[1] It is tall", "It is tall"),
        ("see buffer[12] and buffer[12].", "see buffer[12] and buffer[12]."),
        ("Smith [2019]", "Smith [2019]"),
        ("31 metres [5].", "31 metres [5]."),
        ("31 metres [0].", "31 metres [0]."),
        ("31 metres [1][5].", "31 metres [1][5]."),
        ("it says [3].", "it says [3]."),
        ("it says buffer[2].", "it says buffer[2]."),
        ("it says [1, 3].", "it says."),
        (f"it says [{'9' * 5000}].", f"it says [{'9' * 5000}]."),
        ("see [appendix] and [A1]", "see [appendix] and [A1]"),
        (" plain ", "plain"),
        ("[1]", ""),
    ],
)
def test_markers_of_the_model_are_taken_out_and_nothing_else(written: str, left: str) -> None:
    assert strip_markers(written, SHOWN) == left


def test_without_passages_nothing_is_a_marker() -> None:
    assert strip_markers("31 metres [1].", []) == "31 metres [1]."


_MARKED = st.lists(
    st.sampled_from(
        [
            "[1]",
            " [4]",
            "[9]",
            "[3]",
            "[",
            "]",
            "1",
            " ",
            "\n",
            "\u00a0",
            ".",
            "|",
            "word",
            "buffer",
            "[1, 4]",
            "»",
            "【1】",
        ]
    ),
    max_size=14,
).map("".join)


@given(text=_MARKED, cuts=st.lists(st.integers(0, 60), max_size=8))
def test_a_text_in_pieces_loses_the_same_markers(text: str, cuts: list[int]) -> None:
    markers = MarkerFilter(SHOWN)
    ends = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [markers.feed(text[start:end]) for start, end in pairwise(ends)]
    assert "".join(pieces) + markers.finish() == strip_markers(text, SHOWN)


@given(_MARKED)
def test_only_brackets_and_white_space_are_ever_taken_out(text: str) -> None:
    marks = r"[\[\]【】\d,\s]"
    assert re.sub(marks, "", strip_markers(text, SHOWN)) == re.sub(marks, "", text)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One line\nof layout. Next.", ["One line\nof layout.", "Next."]),
        ("A title\n\nThe body.", ["A title", "The body."]),
        ("- one\n- two", ["one", "two"]),
        ("| a | b |\n| c | d |", ["| a | b |", "| c | d |"]),
        ("Text\n# Heading\nmore", ["Text", "# Heading\nmore"]),
        ("Dr. Brill has 3.4 kg. It is fine.", ["Dr. Brill has 3.4 kg.", "It is fine."]),
        ("1. first step\n2. second step", ["first step", "second step"]),
        ("Цена 500 руб. за штуку. Потом дороже.", ["Цена 500 руб. за штуку.", "Потом дороже."]),
        ("今天营业。明天休息。", ["今天营业。", "明天休息。"]),
    ],
)
def test_sentences_follow_the_layout(text: str, sentences: list[str]) -> None:
    assert [text[start:end] for start, end in sentence_spans(text)] == sentences
