"""An answer as JSON, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ops.serialize import answer_from_json, answer_json
from rag.types import Answer, Citation, Note, Passage

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
SHARE = st.floats(0, 1).map(lambda x: round(x, 4))
COUNT = st.integers(0, 10**6)

# Every field of every record is drawn by its type, so that a field added later takes part without a change here.
SIMPLE: dict[type, st.SearchStrategy[Any]] = {
    str: TEXT, int: COUNT, float: st.floats(-100, 100).map(lambda x: round(x, 4)), bool: st.booleans(),
}  # fmt: skip


def drawn(annotation: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for a field's type."""
    if annotation in SIMPLE:
        return SIMPLE[annotation]
    if is_dataclass(annotation):
        return records(annotation)  # type: ignore[arg-type]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(drawn(arguments[0]), max_size=2).map(tuple)
    if origin is Mapping:
        return st.dictionaries(drawn(arguments[0]), drawn(arguments[1]), max_size=2)
    return st.one_of([st.none() if a is type(None) else drawn(a) for a in arguments])  # a union


@cache
def records(record: type) -> st.SearchStrategy[Any]:
    """Return a strategy that draws every field of a record."""
    hints = get_type_hints(record)
    return st.builds(record, **{field.name: drawn(hints[field.name]) for field in fields(record)})


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """An answer whose citations are of its own passages."""
    passages = draw(st.lists(records(Passage), max_size=3, unique_by=lambda p: p.id))
    answer = draw(records(Answer))
    cited = [replace(c, passage=draw(st.sampled_from(passages))) for c in answer.citations] if passages else []
    return replace(answer, passages=tuple(passages), citations=tuple(cited))


@given(answers())
def test_an_answer_survives_the_round_trip_through_json(answer: Answer) -> None:
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
