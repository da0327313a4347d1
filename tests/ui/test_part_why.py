"""The explanation of an answer as the page shows it: closed at first, deeper and again on request."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from evidence_samples import ask, make_index
from streamlit.testing.v1 import AppTest

from rag.types import Answer, DroppedPassage, Note

QUESTION = "When is the pump tested?"


def script(index, answer):  # type: ignore[no-untyped-def]  # its source is run alone, without imports
    from ui.components.frame import Here
    from ui.components.why import show_why
    from ui.i18n import Texts
    from ui.settings import UiSettings

    here = Here(UiSettings(index=index, config="test"), Texts("en"), index)
    show_why(here, answer.question, answer, "a")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_index(tmp_path_factory.mktemp("why"))


def opened(index: Path, answer: Answer) -> AppTest:
    app = AppTest.from_function(script, kwargs={"index": index, "answer": answer}, default_timeout=60).run()
    assert not app.dataframe and not app.exception
    app.session_state["a-why"] = True
    return app.run()


def column(frame: Any, name: str) -> list[Any]:
    return list(frame.value[name])


def test_it_shows_what_became_of_every_passage(index: Path) -> None:
    answer = ask(index, QUESTION)
    app = opened(index, answer)
    assert not app.exception
    assert len(column(app.dataframe[0], "state")) == len(answer.passages) + len(answer.dropped)
    assert "cited" in column(app.dataframe[0], "state")
    assert "Answer" in column(app.dataframe[1], "stage")


def test_reasons_and_notes_stand_in_lines_that_wrap(index: Path) -> None:
    answer = ask(index, QUESTION)
    left, other = answer.passages[0], Note("needs 90 tokens", "over_budget", {"n": 90, "left": 9, "budget": 900})
    noted = Note("the answer was cut at 64 tokens", "answer_cut", {"n": 64})
    app = opened(index, replace(answer, dropped=(DroppedPassage(left, other),), notes=(noted,)))
    shown = [element.value for element in app.get("html")]
    assert any("It needs 90 tokens; 9 were left of the budget of 900." in line for line in shown)
    assert any("The answer was cut at 64 tokens (prompt.max_tokens)." in line for line in shown)
    assert not any("tokens" in str(cell) for cell in column(app.dataframe[0], "state"))


@pytest.mark.slow
def test_a_deeper_search_is_made_on_request(index: Path) -> None:
    app = opened(index, ask(index, QUESTION))
    app.toggle(key="a-why-deeper").set_value(True).run()
    assert not app.exception
    assert column(app.dataframe[0], "rank")[0] == 1


def scripted(index, answer, assignments, glob):  # type: ignore[no-untyped-def]  # its source is run alone
    from rag.retrieval.filters import Filter
    from ui.components.frame import Here
    from ui.components.why import show_why
    from ui.i18n import Texts
    from ui.settings import UiSettings

    here = Here(UiSettings(index=index, config="test"), Texts("en"), index)
    show_why(here, answer.question, answer, "a", lambda: here.engine(*assignments), Filter(sources=(glob,)))


def test_a_deeper_search_applies_the_filter_of_the_question(index: Path) -> None:
    answer = ask(index, QUESTION)
    source = answer.passages[-1].source
    given = {"index": index, "answer": replace(answer, passages=()), "assignments": (), "glob": source}
    app = AppTest.from_function(scripted, kwargs=given, default_timeout=60)
    app.session_state["a-why"] = True
    app.session_state["a-why-deeper"] = True
    app.run()
    assert not app.exception
    assert {passage.source for passage in app.session_state["a-why-found"]} == {source}


@pytest.mark.slow
def test_the_engine_that_answered_is_asked_again(index: Path) -> None:
    answer = ask(index, QUESTION)
    given = {"index": index, "answer": answer, "assignments": ("prompt.max_tokens=1",), "glob": "*"}
    app = AppTest.from_function(scripted, kwargs=given, default_timeout=60)
    app.session_state["a-why"] = True
    app.run()
    app.button(key="a-why-leave-out").click().run()
    assert not app.exception
    again = app.session_state["a-why-without"]
    assert again and all(len(other.without.split()) == 1 or other.abstained for other in again)


def test_it_answers_again_without_each_passage(index: Path) -> None:
    answer = ask(index, QUESTION)
    app = opened(index, answer)
    before = len(app.dataframe)
    app.button(key="a-why-leave-out").click().run()
    assert not app.exception
    assert len(app.dataframe) == before + 1
    assert len(column(app.dataframe[before], "similarity")) == len(answer.passages)


def test_an_abstention_cannot_be_answered_again(index: Path) -> None:
    app = opened(index, ask(index, QUESTION, "not in the documents"))
    assert not app.exception and not app.button


def test_an_index_that_went_is_a_sentence(index: Path, tmp_path: Path) -> None:
    app = opened(tmp_path / "gone", ask(index, QUESTION))
    app.toggle(key="a-why-deeper").set_value(True).run()
    assert not app.exception
    assert any("ingest" in text.value for text in app.text)
