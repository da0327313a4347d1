"""An answer as JSON, and back."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ops.serialize import answer_from_json, answer_json
from rag.types import Answer, Citation, DroppedPassage, Note, NoteKind, Passage, Sentence, Usage

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
SCORE = st.floats(-100, 100).map(lambda x: round(x, 6))
SHARE = st.floats(0, 1).map(lambda x: round(x, 4))
COUNT = st.integers(0, 10**6)


def maybe(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | values


PASSAGE = st.builds(
    Passage, id=st.integers(1, 10**9), source=TEXT, title=TEXT, page=maybe(COUNT),
    headings=st.lists(TEXT, max_size=3).map(tuple), start=COUNT, end=COUNT, text=TEXT, score=SCORE, dense=maybe(SCORE),
    lexical=maybe(SCORE), dense_rank=maybe(COUNT), lexical_rank=maybe(COUNT), reranked=maybe(SCORE),
    fused_rank=maybe(COUNT),
)  # fmt: skip


VALUES = st.dictionaries(TEXT, st.one_of(TEXT, COUNT, SHARE), max_size=2)
NOTE = st.one_of(st.builds(Note, TEXT), st.builds(Note, TEXT, st.sampled_from(get_args(NoteKind)), VALUES))


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    passages = draw(st.lists(PASSAGE, max_size=3, unique_by=lambda p: p.id))
    cited = st.builds(Citation, st.sampled_from(passages), COUNT, COUNT, TEXT, TEXT) if passages else None
    text = draw(TEXT)
    end = st.integers(0, len(text))
    return Answer(
        question=draw(TEXT),
        text=text,
        abstained=draw(st.booleans()),
        confidence=draw(SHARE),
        sentences=tuple(draw(st.lists(st.builds(Sentence, end, end, SHARE, maybe(COUNT)), max_size=3))),
        citations=tuple(draw(st.lists(cited, max_size=3))) if cited is not None else (),
        passages=tuple(passages),
        dropped=tuple(draw(st.lists(st.builds(DroppedPassage, PASSAGE, NOTE), max_size=2))),
        finish_reason=draw(TEXT),
        notes=tuple(draw(st.lists(NOTE, max_size=2))),
        usage=draw(st.builds(Usage, COUNT, COUNT, COUNT)),
        timings=draw(st.dictionaries(TEXT, SHARE, max_size=3)),
        generation=draw(COUNT),
        generator=draw(TEXT),
    )


@given(answers())
def test_an_answer_comes_back_from_json_as_it_was(answer: Answer) -> None:
    assert answer_from_json(json.loads(json.dumps(answer_json(answer, "digest")))) == answer


def test_a_citation_of_a_passage_that_is_not_there_is_no_answer() -> None:
    passage = Passage(1, "a.md", "A", None, (), 0, 3, "abc", 1.0)
    answer = Answer("?", "abc", False, 1.0, citations=(Citation(passage, 0, 3, "abc"),), passages=(passage,))
    value = answer_json(answer, "") | {"passages": []}
    with pytest.raises(KeyError):
        answer_from_json(value)


@given(answers())
def test_an_answer_of_before_notes_had_kinds_has_its_sentences(answer: Answer) -> None:
    old = answer_json(answer, "digest")
    del old["note_kinds"]
    for dropped in old["dropped"]:
        del dropped["reason_kind"]
    read = answer_from_json(old)
    assert read.notes == tuple(Note(note.text) for note in answer.notes)
    assert [d.reason for d in read.dropped] == [Note(d.reason.text) for d in answer.dropped]
