"""Yes or no before a quoted sentence: the text, the offsets, and what is marked as inferred."""

from __future__ import annotations

from dataclasses import replace

from rag.answering.yes_no_replies import with_verdict
from rag.evidence.citations import cite_spans
from rag.types import Answer, Passage

TEXT = "Parking is forbidden in the yard."
PASSAGE = Passage(1, "rules.md", "House rules", None, ("Yard",), 100, 100 + len(TEXT), TEXT, 1.0)


def quoted(question: str, text: str = TEXT, short: str = "forbidden") -> Answer:
    passage = replace(PASSAGE, text=text)
    at = text.find(short)
    cited = cite_spans(text, [(passage, at, at + len(short))], 0.8)
    return Answer(
        question, text, False, 0.8, cited.sentences, cited.citations, (passage,), short=short, short_start=at,
        kind="yes_no",
    )  # fmt: skip


def test_the_word_comes_before_the_whole_sentence() -> None:
    before = quoted("Can I park in the yard?")
    answer = with_verdict(before, 8.0)
    assert answer.text == f"No. {TEXT}"
    assert answer.text[answer.short_start :][: len(answer.short)] == answer.short == "No"
    (sentence,) = answer.sentences
    assert answer.text[sentence.start : sentence.end] == TEXT
    assert answer.citations == before.citations
    assert answer.confidence == before.confidence
    assert [(note.kind, note.values) for note in answer.notes] == [("verdict_inferred", {"word": "No"})]


def test_a_follow_up_is_read_without_the_question_it_repeats() -> None:
    answer = with_verdict(quoted("Is parking forbidden in the yard? (Where can I leave my caravan?)"), 8.0)
    assert answer.short == "Yes"


def test_a_sentence_that_says_yes_itself_is_not_changed_but_its_word_is_the_short_answer() -> None:
    passage = replace(PASSAGE, text="Yes, after six.", headings=("May I park in the yard?",))
    before = quoted("Can I park in the yard?", passage.text, "after six")
    before = replace(before, citations=(replace(before.citations[0], passage=passage),))
    answer = with_verdict(before, 8.0)
    assert (answer.text, answer.short, answer.short_start, answer.notes) == (passage.text, "Yes", 0, ())


def test_in_doubt_and_for_other_kinds_nothing_changes() -> None:
    for answer in (
        quoted("Is there a lift in the yard?"),
        replace(quoted("Can I park in the yard?"), kind="fact"),
        replace(quoted("Can I park in the yard?"), abstained=True, citations=()),
    ):
        assert with_verdict(answer, 8.0) is answer
